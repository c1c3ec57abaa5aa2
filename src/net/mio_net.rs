//! The real [`Net`]: mio over epoll, TCP listeners, a pipe for signals and a spare descriptor.

mod listener;

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::event::Event as MioEvent;
use mio::net::UnixStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

#[cfg(feature = "bus")]
use super::connecting::begin_to_connect;
use super::control::{Control, Packet, Word};
use super::listen::{self, Owner};
#[cfg(feature = "bus")]
use super::lookup::Lookup;
use super::service_manager::ServiceManager;
use super::signals::{Asked, Hangup, Signals};
pub use super::socket::Socket;
use super::{Event, Net, Source, Stream};
#[cfg(feature = "bus")]
use crate::limits::BusPlace;
use crate::limits::TURN_EVENTS_MAX;
use crate::peer::Peer;
use listener::Listener;

/// Tokens from here on are not connections; [`crate::id::ConnId::COUNT_MAX`] stays clear of them.
const BUS_TOKEN: usize = LISTENER_TOKENS - 1;
const SUPERVISOR_TOKEN: usize = LISTENER_TOKENS - 2;
const LISTENER_TOKENS: usize = SIGNAL_TOKEN - LISTENERS_MAX;
pub(super) const SIGNAL_TOKEN: usize = usize::MAX;

/// Most listeners of a loop.
pub const LISTENERS_MAX: usize = 254;

/// Poll, listeners and signals of one loop.
#[derive(Debug)]
pub struct MioNet {
    poll: Poll,
    events: Events,
    listeners: Vec<Option<Listener>>,
    /// Of each listener: to whom it belongs.
    owners: Vec<Owner>,
    supervisor: Option<Rc<Control>>,
    /// The supervisor goes on, and has the listeners for the next worker.
    replaced: bool,
    signals: UnixStream,
    /// Set with each signal and taken back here: a signal that finds it set ends the process.
    unheard: Arc<AtomicBool>,
    hangup: Hangup,
    spare: Option<File>,
    manager: ServiceManager,
    #[cfg(feature = "bus")]
    lookup: Lookup,
    start: Instant,
}

impl MioNet {
    /// Takes listeners (non-blocking), and the signals that end the process or have it load its
    /// files anew.
    pub fn new(
        listeners: Vec<listen::Listener>,
        signals: Signals,
        manager: ServiceManager,
    ) -> io::Result<Self> {
        assert!(listeners.len() <= LISTENERS_MAX, "each listener has a token");
        let hangup = signals.hear_hangup()?;
        let Signals { pipe, unheard, .. } = signals;
        let poll = Poll::new()?;
        let mut known = Vec::new();
        for (at, listener) in listeners.into_iter().enumerate() {
            let token = Token(LISTENER_TOKENS + at);
            known.push(Some(Listener::register(listener, poll.registry(), token)?));
        }
        let mut signals = UnixStream::from_std(pipe);
        poll.registry().register(&mut signals, Token(SIGNAL_TOKEN), Interest::READABLE)?;
        let events = Events::with_capacity(TURN_EVENTS_MAX);
        Ok(Self {
            poll,
            events,
            owners: vec![Owner::Us; known.len()],
            listeners: known,
            supervisor: None,
            replaced: false,
            signals,
            unheard,
            hangup,
            spare: open_spare().ok(),
            manager,
            #[cfg(feature = "bus")]
            lookup: Lookup::default(),
            start: Instant::now(),
        })
    }

    /// The same, with listeners that belong to these.
    #[must_use]
    pub fn with_owners(self, owners: Vec<Owner>) -> Self {
        Self { owners, ..self }
    }

    /// The same, with a supervisor that is listened to, if there is one.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn with_supervisor(mut self, supervisor: Option<Rc<Control>>) -> io::Result<Self> {
        let Some(supervisor) = supervisor else { return Ok(self) };
        let descriptor = supervisor.as_fd().as_raw_fd();
        let token = Token(SUPERVISOR_TOKEN);
        self.poll.registry().register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        (self.supervisor, self.replaced) = (Some(supervisor), true);
        Ok(self)
    }

    /// The process serves: from here on those get here who connect to a port that it shares.
    pub fn start_listening(&self) -> io::Result<()> {
        let known = self.listeners.iter().zip(&self.owners);
        known.filter_map(|(listener, owner)| Some(listener.as_ref()?.start(*owner))).collect()
    }

    /// Who started the process, to be told how it fares.
    pub fn service_manager(&self) -> &ServiceManager {
        &self.manager
    }

    /// Puts what the signals were in the place of the event that there were some.
    #[cold]
    fn hear(&mut self, events: &mut Vec<Event>) {
        let asked = self.hangup.take();
        let ends = self.unheard.swap(false, Ordering::SeqCst) || asked == Some(Asked::End);
        let source = match () {
            () if ends => Some(Source::Signal),
            () if asked.is_some() => Some(Source::Reload),
            () => None,
        };
        if ends {
            self.manager.stopping();
        }
        events.retain_mut(|event| {
            let signal = event.source == Source::Signal;
            if let (true, Some(source)) = (signal, source) {
                event.source = source;
            }
            !signal || source.is_some()
        });
    }

    fn listener(&self, at: usize) -> io::Result<&Listener> {
        let listener = self.listeners.get(at).and_then(Option::as_ref);
        listener.ok_or_else(|| ErrorKind::WouldBlock.into())
    }
}

impl Net for MioNet {
    type Stream = Socket;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let outcome = self.poll.poll(&mut self.events, self.manager.patience(timeout));
        self.manager.turns();
        match outcome {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Err(_) => return Ok(()),
            Ok(()) => events.extend(self.events.iter().map(translate)),
        }
        if events.iter().any(|event| event.source == Source::Signal) {
            // The bytes only wake the poll; that there were some has been noted.
            let mut bytes = [0; 64];
            while matches!(self.signals.read(&mut bytes), Ok(1..)) {}
            self.hear(events);
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn utc(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Socket, Peer)> {
        self.listener(listener)?.accept()
    }

    fn register(&mut self, stream: &mut Socket, token: usize) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let descriptor = stream.0.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&descriptor), Token(token), both)
    }

    fn shed(&mut self, listener: usize, answer: &[u8]) -> io::Result<()> {
        drop(self.spare.take());
        let mut accepted = self.listener(listener)?.accept();
        if let Ok((stream, _)) = &mut accepted {
            // Best effort: unread input would turn the close into a reset that eats the answer.
            let mut input = [0; 2048];
            let _ = stream.write(answer);
            let _ = stream.shut();
            let _ = stream.read(&mut input);
        }
        let outcome = accepted.map(drop);
        self.spare = open_spare().ok();
        outcome
    }

    #[cfg(feature = "bus")]
    fn connect(&mut self, place: &BusPlace) -> io::Result<Socket> {
        let mut socket = begin_to_connect(place, &mut self.lookup)?;
        self.register(&mut socket, BUS_TOKEN)?;
        Ok(socket)
    }

    #[cfg(feature = "bus")]
    fn knows_another_place(&self) -> bool {
        self.lookup.has_more()
    }

    fn close_listeners(&mut self) {
        self.listeners.clear();
    }

    fn leave_listeners(&mut self) -> bool {
        for (listener, owner) in self.listeners.iter_mut().zip(&self.owners) {
            match (&listener, owner) {
                // Whoever waits there is served by those who have it as well.
                (_, Owner::Others) => *listener = None,
                (Some(listener), Owner::Port) if !self.replaced => listener.leave(),
                _ => {}
            }
        }
        self.replaced || !self.owners.contains(&Owner::Us)
    }

    fn hear_supervisor(&mut self) -> Option<Packet> {
        let supervisor = self.supervisor.as_ref()?;
        let packet = match supervisor.receive() {
            Ok(Some(packet)) => packet,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            // It is gone, and nobody else asks this process to end.
            Ok(None) | Err(_) => {
                self.supervisor = None;
                Packet { word: Word::Drain, numbers: Vec::new() }
            }
        };
        self.replaced &= !matches!(packet.word, Word::Drain | Word::Cut);
        Some(packet)
    }

    fn tell_supervisor(&mut self, word: Word, numbers: &[u64]) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.say(word, numbers);
        }
    }

    fn begin_reload(&mut self) {
        self.manager.reloading();
    }

    fn end_reload(&mut self) {
        self.manager.ready();
    }
}

#[inline]
pub(super) fn translate(event: &MioEvent) -> Event {
    let Token(token) = event.token();
    let source = match token {
        SIGNAL_TOKEN => Source::Signal,
        SUPERVISOR_TOKEN => Source::Supervisor,
        LISTENER_TOKENS..SIGNAL_TOKEN => Source::Listener(token - LISTENER_TOKENS),
        BUS_TOKEN => Source::Bus,
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
