//! Where the bus is that rooms share with other processes, and the limits of the link to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A bus, and how to get on it.
#[derive(Clone, PartialEq, Eq)]
pub struct BusAddress {
    /// Where it listens.
    pub place: BusPlace,
    /// Who asks, and with which password.
    pub user: Option<String>,
    /// See `user`.
    pub password: Option<String>,
    /// Number of the database. PUB/SUB knows none, so it is a part of each channel's name.
    pub database: u32,
    /// With TLS: the file of certificates by which the bus is known.
    pub authority: Option<PathBuf>,
}

/// Where a bus listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusPlace {
    /// A name or an address, and a port.
    Host(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Without user and password, which are nobody's business.
impl fmt::Display for BusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secure = if self.authority.is_some() { "s" } else { "" };
        match &self.place {
            BusPlace::Host(host, port) if host.contains(':') => {
                write!(f, "redis{secure}://[{host}]:{port}")
            }
            BusPlace::Host(host, port) => write!(f, "redis{secure}://{host}:{port}"),
            BusPlace::Unix(path) => write!(f, "redis+unix://{}", path.display()),
        }
    }
}

impl fmt::Debug for BusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Bytes that may wait for the link. With more of them it is dropped: a bus that is so far behind
/// is an outage, and what waits for it would be late in any case.
pub const BUS_QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that are said in one turn, and a message more: then those who speak have to wait.
pub const BUS_TURN_BYTES_MAX: usize = 256 * 1024;

/// With more bytes waiting, no room is announced to the others: a server with many rooms does it
/// step by step.
pub const BUS_QUEUE_BYTES_SOFT: usize = 64 * 1024;

/// Bytes of one read from the link.
pub const BUS_READ_BYTES: usize = 64 * 1024;

/// Longest answer of the bus, in bytes: twice the longest message of a room.
pub const BUS_ANSWER_BYTES_MAX: usize = 128 * 1024;

/// Bytes of members in one message of a roster, or a little more.
pub const ROSTER_BYTES: usize = 16 * 1024;

/// Memory that a member elsewhere takes: its name in two forms, its places in tables.
pub const GUEST_BYTES: usize = 512;

/// Memory that a process elsewhere takes beside that for each room here in which it has members:
/// tables that hold one hold several.
pub const SHARER_BYTES: usize = 512;

/// Most other processes that are known at one time.
pub const PROCESSES_MAX: usize = 256;

/// From the start of connecting, or of the greeting, to its end.
pub const BUS_ANSWER_TIME: Duration = Duration::from_secs(5);

/// Silence of the bus until it is pinged, and from the ping to the end of the link.
pub const BUS_PING_INTERVAL: Duration = Duration::from_secs(2);
/// See [`BUS_PING_INTERVAL`].
pub const BUS_PING_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a process that is in a room says that it lives.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(2);

/// Who has not said so for this long is dead. With it and one interval, its members are gone
/// everywhere within ten seconds.
pub const PROCESS_TIME: Duration = Duration::from_secs(7);

/// How long to wait until the link is tried again: twice as long each time, from the one to the
/// other, less up to a half by chance.
pub const BUS_RETRY_MIN: Duration = Duration::from_millis(200);
/// See [`BUS_RETRY_MIN`].
pub const BUS_RETRY_MAX: Duration = Duration::from_secs(5);

const _: () = assert!(PROCESS_TIME.as_secs() + BEAT_INTERVAL.as_secs() < 10);
const _: () = assert!(BUS_QUEUE_BYTES_SOFT + ROSTER_BYTES < BUS_QUEUE_BYTES_MAX);
const _: () = assert!(BUS_ANSWER_BYTES_MAX > 64 * 1024 + ROSTER_BYTES);
