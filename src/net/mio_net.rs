//! The real [`Net`]: mio over epoll, TCP listeners, a pipe for signals and a spare descriptor.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::event::Event as MioEvent;
use mio::net::{TcpListener, TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::{Event, Incoming, Net, Source, Stream};
use crate::limits::TURN_EVENTS_MAX;
use crate::peer::Peer;

/// Tokens from here on are not connections; [`crate::id::ConnId::COUNT_MAX`] stays clear of them.
const LISTENER_TOKENS: usize = usize::MAX - 254;
pub(super) const SIGNAL_TOKEN: usize = usize::MAX;

/// Poll, listeners and signals of one loop.
#[derive(Debug)]
pub struct MioNet {
    poll: Poll,
    events: Events,
    listeners: Vec<TcpListener>,
    signals: UnixStream,
    spare: Option<File>,
    start: Instant,
}

impl MioNet {
    /// Takes listeners (non-blocking) and the reading end of the signal pipe.
    pub fn new(
        listeners: Vec<std::net::TcpListener>,
        signals: std::os::unix::net::UnixStream,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listeners: Vec<_> = listeners.into_iter().map(TcpListener::from_std).collect();
        for (at, listener) in listeners.iter_mut().enumerate() {
            let token = Token(LISTENER_TOKENS + at);
            poll.registry().register(listener, token, Interest::READABLE)?;
        }
        let mut signals = UnixStream::from_std(signals);
        poll.registry().register(&mut signals, Token(SIGNAL_TOKEN), Interest::READABLE)?;
        let events = Events::with_capacity(TURN_EVENTS_MAX);
        Ok(Self {
            poll,
            events,
            listeners,
            signals,
            spare: open_spare().ok(),
            start: Instant::now(),
        })
    }

    fn listener(&self, at: usize) -> io::Result<&TcpListener> {
        self.listeners.get(at).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Net for MioNet {
    type Stream = TcpStream;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Err(_) => return Ok(()),
            Ok(()) => events.extend(self.events.iter().map(translate)),
        }
        if events.iter().any(|event| event.source == Source::Signal) {
            // The bytes only wake the poll; that there were some has been noted.
            let mut bytes = [0; 64];
            while matches!(self.signals.read(&mut bytes), Ok(1..)) {}
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn utc(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = self.listener(listener)?.accept()?;
        Ok((stream, address.into()))
    }

    fn register(&mut self, stream: &mut TcpStream, token: usize) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream, Token(token), both)
    }

    fn shed(&mut self, listener: usize, answer: &[u8]) -> io::Result<()> {
        drop(self.spare.take());
        let mut accepted = self.listener(listener)?.accept();
        if let Ok((stream, _)) = &mut accepted {
            // Best effort: unread input would turn the close into a reset that eats the answer.
            let mut input = [0; 2048];
            let _ = Write::write(stream, answer);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = Read::read(stream, &mut input);
        }
        let outcome = accepted.map(drop);
        self.spare = open_spare().ok();
        outcome
    }

    fn close_listeners(&mut self) {
        self.listeners.clear();
    }
}

impl Stream for TcpStream {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        Read::read(self, into).map(|count| Incoming::of_socket(count, into.len()))
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn shut(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn reset(&mut self) {
        // Should it fail, the peer sees an end all the same.
        let _ = SockRef::from(&*self).set_linger(Some(Duration::ZERO));
    }
}

#[inline]
pub(super) fn translate(event: &MioEvent) -> Event {
    let Token(token) = event.token();
    let source = match token {
        SIGNAL_TOKEN => Source::Signal,
        LISTENER_TOKENS..SIGNAL_TOKEN => Source::Listener(token - LISTENER_TOKENS),
        _ => Source::Connection(token),
    };
    let failed = event.is_error();
    let hangup = event.is_read_closed() || failed;
    Event {
        source,
        readable: event.is_readable() || hangup,
        writable: event.is_writable() || event.is_write_closed() || failed,
        hangup,
        failed,
    }
}

/// Any descriptor will do; this one costs nothing and is always there.
fn open_spare() -> io::Result<File> {
    File::open("/dev/null")
}
