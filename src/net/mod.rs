//! The seam to the operating system: what the loop needs of it, and nothing else.
//!
//! [`mio_net`] is the real form, the only place that names mio. Tests give the server a fake
//! that plays the same edge-triggered rules.

pub mod cgroup;
pub mod children;
#[cfg(feature = "bus")]
mod connecting;
pub mod control;
#[cfg(feature = "load")]
pub mod dial;
pub mod listen;
pub mod local;
#[cfg(feature = "bus")]
mod lookup;
#[cfg(feature = "load")]
pub mod mio_dial;
pub mod mio_net;
#[cfg(feature = "bus")]
pub mod outbound;
pub mod service_manager;
pub mod signals;
mod socket;
#[cfg(feature = "tls")]
pub mod tls;

use std::io;
use std::time::Duration;

use crate::budget::Budget;
use crate::limits::BusPlace;
use crate::metrics::Metrics;
use crate::peer::Peer;
use control::{Packet, Word};

/// What an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The listener with this number can accept.
    Listener(usize),
    /// The connection registered with this token.
    Connection(usize),
    /// The process was asked to end.
    Signal,
    /// The process was asked to reload its files.
    Reload,
    /// The connection to the bus.
    Bus,
    /// The supervisor says something, or is gone.
    Supervisor,
}

/// New readiness since the last wait (edge-triggered: it is told once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it speaks of.
    pub source: Source,
    /// Bytes, or the end of the stream, can be read.
    pub readable: bool,
    /// Bytes can be written.
    pub writable: bool,
    /// The peer has finished its side, or the socket failed: a short read does not mean that
    /// nothing else will come, because no further event will tell.
    pub hangup: bool,
    /// The socket failed: nothing that is sent will arrive.
    pub failed: bool,
}

/// Listening sockets, the poll and the clock.
pub trait Net {
    /// An accepted connection.
    type Stream: Stream;

    /// Waits for events, at most `timeout` (`None`: without end), and puts them to `events`,
    /// which it empties first. An interrupted wait brings none.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Monotonic time since some fixed moment.
    fn now(&self) -> Duration;

    /// Time of day: UTC since 1970. A test that does not ask for it starts there.
    fn utc(&self) -> Duration {
        self.now()
    }

    /// Accepts one connection. `WouldBlock` when there is none.
    fn accept(&mut self, listener: usize) -> io::Result<(Self::Stream, Peer)>;

    /// Registers a stream for both directions, once for its life.
    fn register(&mut self, stream: &mut Self::Stream, token: usize) -> io::Result<()>;

    /// Without a free descriptor: accepts one connection on the spare one, gives it `answer`, and
    /// drops it. `WouldBlock` when there is none.
    fn shed(&mut self, listener: usize, answer: &[u8]) -> io::Result<()>;

    /// Begins to connect to a bus, and registers the stream, of which [`Source::Bus`] tells. An
    /// event says that it is writable when it is connected; when it cannot be, the next read says
    /// why. `WouldBlock` while the name of the host is being looked up.
    fn connect(&mut self, _place: &BusPlace) -> io::Result<Self::Stream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The host of the bus has another address, which [`Self::connect`] tries next.
    fn knows_another_place(&self) -> bool {
        false
    }

    /// Stops listening.
    fn close_listeners(&mut self);

    /// Begins to leave the listeners to others who have them too, or their ports: nobody new gets
    /// to those. True if there are no others; they are then to be closed when whoever is on the way
    /// has been accepted.
    fn leave_listeners(&mut self) -> bool {
        false
    }

    /// What the supervisor says, if there is one: [`Source::Supervisor`] has told of it.
    fn hear_supervisor(&mut self) -> Option<Packet> {
        None
    }

    /// Says something to the supervisor, if there is one.
    fn tell_supervisor(&mut self, _word: Word, _numbers: &[u64]) {}

    /// Files are about to be reloaded, as [`Source::Reload`] asked.
    fn begin_reload(&mut self) {}

    /// They have been.
    fn end_reload(&mut self) {}

    /// Where memory that streams keep for their peers is charged.
    fn keep_accounts(&mut self, _budget: &Budget) {}

    /// Adds what streams have counted.
    fn count(&mut self, _metrics: &mut Metrics) {}
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Bytes read; 0 is the end of the stream.
    pub count: usize,
    /// Nothing is left: an event will tell of more. Only the stream knows, which may hold bytes
    /// that its socket no longer has.
    pub drained: bool,
}

impl Incoming {
    /// A read of a plain socket, which is drained when it fills less than the `asked` bytes.
    #[inline]
    pub fn of_socket(count: usize, asked: usize) -> Self {
        Self { count, drained: count < asked }
    }
}

/// One connection's socket; dropping it closes it. What only some streams have to do is nothing by
/// default, and costs the others nothing.
pub trait Stream {
    /// Reads. `Interrupted`: something was done, and another read may bring more. From a secured
    /// stream also `UnexpectedEof`, if it was cut off without the end that TLS wants, and
    /// `InvalidData`, with why nothing more can be understood; what is read from then on says
    /// nothing.
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming>;

    /// Writes a part of `bytes`, usually all.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Finishes the sending side. `WouldBlock` if that has to wait until it can be written to.
    fn shut(&mut self) -> io::Result<()>;

    /// Dropping the stream will reset it instead of finishing it. A fake may not tell the two
    /// apart.
    fn reset(&mut self) {}

    /// Writes what the stream has to say by itself. `WouldBlock` if some of it has to wait until it
    /// can be written to.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Bytes that the last read has taken beside those that it handed out: what secures them, parts
    /// of records, and records without anything in them. They are work as well.
    #[inline]
    fn beside(&mut self) -> usize {
        0
    }

    /// True if a read now would take more work than is left in this turn.
    #[inline]
    fn is_costly(&self) -> bool {
        false
    }

    /// What the stream keeps is for a peer without an open connection.
    #[inline]
    fn keep_in_reserve(&mut self) {}

    /// Looks whether it keeps the start of a record that its peer does not finish. Returns how many
    /// times in a row that was so, of the same one.
    #[inline]
    fn look(&mut self) -> u32 {
        0
    }

    /// Bytes of the reserve that the stream has for a peer it knows nothing of yet.
    #[inline]
    fn reserved(&self) -> usize {
        0
    }
}
