//! A bus that rooms share with other processes.
//!
//! [`Bus`] is the seam: what one kind of bus says and hears on its connection, bytes in and bytes
//! out. Another kind is another file beside `redis.rs`. What processes tell each other over it is
//! the same for all of them (`fleet.rs`), and so is the link (`server/bus/`).

pub mod fleet;
mod redis;

use std::fmt;

pub use redis::Redis;

/// The conversation with a bus. It sees no socket and no clock.
pub trait Bus: fmt::Debug {
    /// A connection begins: what is said first. Of an earlier one nothing is left.
    fn greet(&mut self, out: &mut Vec<u8>);

    /// From here on what is published there is heard.
    fn subscribe(&mut self, channel: &str, out: &mut Vec<u8>);

    /// It is not any more.
    fn unsubscribe(&mut self, channel: &str, out: &mut Vec<u8>);

    /// Says something, whose parts belong together, to all who have subscribed, this process among
    /// them.
    fn publish(&mut self, channel: &str, parts: [&[u8]; 2], out: &mut Vec<u8>);

    /// Asks for a sign of life.
    fn ping(&mut self, out: &mut Vec<u8>);

    /// Takes bytes that the bus has sent.
    fn feed(&mut self, bytes: &[u8]);

    /// What they say next; `None` until there are more.
    ///
    /// # Errors
    ///
    /// The connection is of no further use.
    fn next(&mut self) -> Result<Option<Told>, Fault>;

    /// Bytes that were taken and not understood yet.
    fn buffered(&self) -> usize;
}

/// What a bus says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The greeting is over: everything else may be said.
    Welcome,
    /// A message on a channel.
    Message {
        /// Which one.
        channel: Vec<u8>,
        /// All of it.
        payload: Vec<u8>,
    },
    /// That it lives, and no more.
    Something,
}

/// Why there is nothing more to be said on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whoever it is, it is no such bus.
    Alien,
    /// It does not know the greeting.
    Old,
    /// The user or the password is not right.
    Password,
    /// It does not do what is asked for, in its own words.
    Refusal(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alien => f.write_str("what answers there is no Redis"),
            Self::Old => f.write_str("it is older than Redis 6"),
            Self::Password => f.write_str("the user or the password is wrong"),
            Self::Refusal(words) => write!(f, "it says {words:?}"),
        }
    }
}
