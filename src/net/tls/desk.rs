//! What the TLS sessions of a loop share: buffers for the length of one call, the identity of the
//! server, and what they have counted.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::{Error, HandshakeKind};

use super::records::HEAD_BYTES;
use crate::budget::Budget;
use crate::limits::{
    TLS_MESSAGE_BYTES_MAX, TLS_READ_BYTES_MAX, TLS_RECORD_BYTES_MAX, TLS_SEAL_BYTES_MAX,
    TLS_SESSION_BYTES, TURN_TLS_FLIGHTS_MAX,
};

/// What is kept of earlier reads at most: the start of a message, and that of a record.
pub(super) const REST_BYTES_MAX: usize = TLS_MESSAGE_BYTES_MAX + TLS_RECORD_BYTES_MAX + HEAD_BYTES;

/// Words of TLS itself that go with a reply at most; more than that is written first.
pub(super) const WORDS_BYTES_MAX: usize = 4 * 1024;

/// What sealing adds at most: to each of the records that a write is cut into (RFC 8446 §5.2), and
/// an update of keys.
const OVERHEAD_BYTES: usize = (TLS_SEAL_BYTES_MAX / (16 * 1024) + 2) * 256;

/// What is sealed at once, with what goes in front of it.
pub(super) const OUTGOING_BYTES: usize = WORDS_BYTES_MAX + TLS_SEAL_BYTES_MAX + OVERHEAD_BYTES;

/// The desk at which sessions open and seal.
pub(super) struct Desk {
    /// For new sessions.
    pub config: Arc<ServerConfig>,
    pub budget: Budget,
    /// Bytes as they came: what was left of earlier reads, and then a read.
    pub incoming: Box<[u8]>,
    /// Bytes as they go.
    pub outgoing: Box<[u8]>,
    /// How many flights of handshakes may still be answered in this turn.
    pub flights_left: usize,
    pub counts: Counts,
}

/// Handshakes that were completed, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub full: u64,
    pub resumed: u64,
    pub failed: u64,
    pub refused: u64,
}

pub(super) type Shared = Rc<RefCell<Desk>>;

impl Desk {
    pub fn new(config: Arc<ServerConfig>) -> Self {
        let buffer = |length| vec![0; length].into_boxed_slice();
        Self {
            config,
            // The server hands in its own.
            budget: Budget::default(),
            incoming: buffer(REST_BYTES_MAX + TLS_READ_BYTES_MAX),
            outgoing: buffer(OUTGOING_BYTES),
            flights_left: TURN_TLS_FLIGHTS_MAX,
            counts: Counts::default(),
        }
    }

    /// A turn of the loop begins.
    pub fn begin_turn(&mut self) {
        self.flights_left = TURN_TLS_FLIGHTS_MAX;
    }

    /// A session for somebody who has said a first word, unless there is no room for one.
    pub fn session(&mut self) -> Result<Option<UnbufferedServerConnection>, Error> {
        let room = self.budget.has_room_for_session(TLS_SESSION_BYTES);
        if !room || self.budget.reserve_is_far_too_short() {
            return Ok(None);
        }
        UnbufferedServerConnection::new(Arc::clone(&self.config)).map(Some)
    }

    /// A handshake is done.
    pub fn count(&mut self, kind: Option<HandshakeKind>) {
        match kind {
            Some(HandshakeKind::Resumed) => self.counts.resumed += 1,
            _ => self.counts.full += 1,
        }
    }

    /// Between two calls: in debug builds what one session has left is overwritten, so that a
    /// mistake shows.
    pub fn part(&mut self, incoming: usize, outgoing: usize) {
        if cfg!(debug_assertions) {
            self.incoming[..incoming].fill(0xA5);
            self.outgoing[..outgoing].fill(0xA5);
        }
    }
}
