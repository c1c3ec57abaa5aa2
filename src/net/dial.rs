//! The seam to the system for clients: what a loop needs that connects instead of listening.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{Event, Stream};

/// Where somebody listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address.
    Address(SocketAddr),
    /// At a Unix socket.
    Socket(PathBuf),
}

/// Connecting, the poll and the clock.
pub trait Dial {
    /// A connection, from the start of connecting on.
    type Stream: Stream;

    /// Waits for events until `until`, monotonic time (`None`: without end), and puts them to
    /// `events`, which it empties first. An interrupted wait brings none. It may end early.
    fn wait(&mut self, until: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Monotonic time since some fixed moment.
    fn now(&self) -> Duration;

    /// Time of day: UTC since 1970.
    fn utc(&self) -> Duration {
        self.now()
    }

    /// Begins to connect, from `source` if there is one, and registers the stream for both
    /// directions. An event says that it is writable when it is connected; when it cannot be, the
    /// event says so too and the next read why. `WouldBlock` if the server's backlog is full, which
    /// only a Unix socket says: nothing has begun then.
    fn connect(
        &mut self,
        to: &Place,
        source: Option<IpAddr>,
        token: usize,
    ) -> io::Result<Self::Stream>;
}
