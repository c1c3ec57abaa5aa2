//! What is said on connections that are more than an exact echo: chat, broadcast.
//!
//! A service sees ids and whole messages and has effects on connections, its own or others. It
//! keeps its state by id and knows neither sockets nor the loop, so it is tested without either.
//! A new one is one file here and one line where services are mounted.

#[cfg(feature = "rooms")]
mod allowance;
#[cfg(feature = "rooms")]
mod broadcast;
#[cfg(feature = "rooms")]
mod chat;
mod effects;
mod facts;
#[cfg(feature = "rooms")]
#[cfg_attr(not(feature = "bus"), allow(dead_code, reason = "nobody comes from elsewhere"))]
mod guests;
#[cfg(feature = "rooms")]
mod history;
pub mod mirror;
mod mounted;
#[cfg(feature = "rooms")]
mod notice;
#[cfg_attr(not(feature = "bus"), path = "outbox_absent.rs")]
mod outbox;
#[cfg(feature = "rooms")]
mod presence;
pub mod processes;
#[cfg(feature = "rooms")]
mod rooms;
mod shared;
#[cfg(feature = "rooms")]
mod status;

#[cfg(feature = "bus")]
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::ConnId;
pub use effects::{Effect, Effects};
pub use facts::{Facts, Population};
pub use mounted::{MOUNTED, Mounted, mounted};
pub use outbox::Reach;
#[cfg(feature = "bus")]
pub use outbox::{Outbox, Post};
#[cfg(feature = "bus")]
use processes::{Card, ProcessId, Word};
pub use shared::SharedFrame;

/// The two kinds of data messages (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Valid UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// The two clocks, read once a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since the start of the process.
    pub monotonic: Duration,
    /// Time since 1970, UTC, for people.
    pub utc: Duration,
}

impl Now {
    /// The time of day as RFC 3339 writes it, to the millisecond.
    pub fn timestamp(&self) -> String {
        let utc = jiff::SignedDuration::try_from(self.utc).ok();
        let time = utc.and_then(|utc| Timestamp::from_duration(utc).ok()).unwrap_or_default();
        format!("{time:.3}")
    }
}

/// A conversation that connections take part in.
pub trait Service: std::fmt::Debug {
    /// Longest message in bytes; a longer one ends its connection with 1009.
    fn message_bytes_max(&self) -> u64;

    /// A connection has joined; `room` is what stands behind the service's path, maybe nothing, and
    /// `query` what stands behind that.
    fn open(&mut self, id: ConnId, room: &str, query: &str, now: Now, effects: &mut Effects);

    /// A connection has sent a whole message.
    fn message(&mut self, id: ConnId, kind: Kind, payload: &[u8], now: Now, effects: &mut Effects);

    /// A connection has gone, or will within moments; nothing may be sent to it any more.
    fn close(&mut self, id: ConnId, now: Now, effects: &mut Effects);

    /// The time that was asked for with [`Effects::call_at`] has come: a turn ends in which all
    /// that could happen has happened. What is said here is said once, however many have come or
    /// gone. All services are called, whoever has asked.
    fn end_of_turn(&mut self, _now: Now, _effects: &mut Effects) {}

    /// As [`Self::end_of_turn`], and behind it, for who has something to say about the server.
    fn look(&mut self, _facts: &Facts<'_>, _now: Now, _effects: &mut Effects) {}

    /// Another process says something in a room that somebody here is in.
    #[cfg(feature = "bus")]
    fn hear(
        &mut self,
        _room: &Rc<str>,
        _from: ProcessId,
        _word: Word<'_>,
        _now: Now,
        _effects: &mut Effects,
    ) {
    }

    /// The room reaches all processes again.
    #[cfg(feature = "bus")]
    fn rejoin(&mut self, _room: &str, _now: Now, _effects: &mut Effects) {}

    /// The members of a room here, as other processes are told.
    #[cfg(feature = "bus")]
    fn roster(&self, _room: &str) -> Vec<(u64, Card)> {
        Vec::new()
    }

    /// How many are there now.
    fn population(&self) -> Population {
        Population::default()
    }

    /// Memory is short: drops the older half of what is kept for those who come later. False if
    /// there is no such thing.
    fn shed_history(&mut self) -> bool {
        false
    }

    /// Bytes of memory kept for those who come later.
    fn history_bytes(&self) -> usize {
        0
    }
}
