//! The real [`Dial`]: mio over epoll, and a timer that is finer than epoll's milliseconds.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::UnixStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use socket2::{Domain, Protocol, SockAddr, Type};

use super::dial::{Dial, Place};
use super::mio_net::{SIGNAL_TOKEN, Socket, translate};
use super::signals::Signals;
use super::{Event, Source};
use crate::limits::TURN_EVENTS_MAX;

const TIMER_TOKEN: usize = SIGNAL_TOKEN - 1;

/// A wait of at least this may end late by epoll's millisecond.
const COARSE_WAIT_MIN: Duration = Duration::from_millis(50);

/// Poll, timer and signals of one loop.
#[derive(Debug)]
pub struct MioDial {
    poll: Poll,
    events: Events,
    timer: OwnedFd,
    /// When the timer was last set to ring: a call for each message would be felt.
    armed: Option<Duration>,
    signals: UnixStream,
    start: Instant,
}

impl MioDial {
    /// Hears one signal: the next one ends the process.
    pub fn new(signals: Signals) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut signals = UnixStream::from_std(signals.pipe);
        poll.registry().register(&mut signals, Token(SIGNAL_TOKEN), Interest::READABLE)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let descriptor = timer.as_raw_fd();
        let mut source = SourceFd(&descriptor);
        poll.registry().register(&mut source, Token(TIMER_TOKEN), Interest::READABLE)?;
        let events = Events::with_capacity(TURN_EVENTS_MAX);
        Ok(Self { poll, events, timer, armed: None, signals, start: Instant::now() })
    }

    /// Epoll counts whole milliseconds, too coarse for a thousand messages in one. Each setting is
    /// an edge of its own, so the timer is never read.
    fn arm(&self, wait: Duration) -> io::Result<()> {
        let it_value = Timespec::try_from(wait).map_err(|_| io::ErrorKind::InvalidInput)?;
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &at)?;
        Ok(())
    }
}

impl Dial for MioDial {
    type Stream = Socket;

    fn wait(&mut self, until: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let timeout = until.map(|until| until.saturating_sub(self.now()));
        if let Some(wait) = timeout.filter(|wait| !wait.is_zero() && *wait < COARSE_WAIT_MIN) {
            if self.armed != until {
                self.arm(wait)?;
                self.armed = until;
            }
        }
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Err(_) => return Ok(()),
            Ok(()) => {}
        }
        let known = self.events.iter().filter(|event| event.token() != Token(TIMER_TOKEN));
        events.extend(known.map(translate));
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

    fn connect(&mut self, to: &Place, source: Option<IpAddr>, token: usize) -> io::Result<Socket> {
        let (socket, to) = match to {
            Place::Address(to) => (tcp(*to, source)?, SockAddr::from(*to)),
            Place::Socket(path) => {
                let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                (socket, SockAddr::unix(path)?)
            }
        };
        match socket.connect(&to) {
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            outcome => outcome?,
        }
        let descriptor = socket.as_raw_fd();
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&descriptor), Token(token), both)?;
        Ok(Socket(socket.into()))
    }
}

/// A socket for TCP that does not block, and is bound to `source` if there is one.
fn tcp(to: SocketAddr, source: Option<IpAddr>) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    Ok(socket)
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
