//! What one connection could not send yet.
//!
//! A connection at rest owns no buffer. It borrows a send queue when a write is refused, or when a
//! reply must not leave before the frame it answers has been seen whole, and gives it back empty.

mod pool;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::budget::Charge;
use crate::limits::{
    PEER_BYTES_PER_SECOND_MIN, READ_BYTES_MAX, SEND_QUEUE_COMPACT_BYTES_MIN, SPARE_QUEUE_BYTES_MAX,
};
use crate::service::SharedFrame;
pub use pool::SendQueues;

/// The send queue of a connection, if it has one now.
pub type Slot = Option<Box<SendQueue>>;

/// Bytes on their way out: `bytes[sent..committed]` may be written, `bytes[committed..]` is held
/// back until the frame it answers is complete and valid. Frames shared with other connections
/// stand behind them.
///
/// Invariants: `sent <= committed <= bytes.len() <= committed + claimed`; `frames_sent` is below
/// the length of the first of `frames`; `charge` is the memory of all of it.
#[derive(Debug)]
pub struct SendQueue {
    bytes: Vec<u8>,
    /// `bytes` is the one buffer with room for a whole read, which the pool has in any case.
    roomy: bool,
    sent: usize,
    committed: usize,
    /// What the held reply will have in all. It counts from the start: replies that are held
    /// together must have room to become whole, or all of them would wait for each other.
    claimed: usize,
    /// Bytes received that have not been processed: the turn had no share left for them, or they
    /// wait for an inflater.
    unprocessed: Vec<u8>,
    frames: VecDeque<Rc<SharedFrame>>,
    frames_sent: usize,
    frames_bytes: usize,
    pace: Pace,
    charge: Charge,
}

/// How fast the peer takes its replies.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// When the current measurement began.
    since: Duration,
    /// Bytes taken since, and bytes held.
    taken: usize,
    /// The socket has been full for so long that the rest of the message in progress is read.
    stuck: bool,
}

impl SendQueue {
    fn new(charge: Charge) -> Self {
        Self {
            bytes: Vec::new(),
            roomy: false,
            sent: 0,
            committed: 0,
            claimed: 0,
            unprocessed: Vec::new(),
            frames: VecDeque::new(),
            frames_sent: 0,
            frames_bytes: 0,
            pace: Pace::default(),
            charge,
        }
    }

    /// What may be written now, or the start of it.
    pub fn unsent(&self) -> &[u8] {
        match self.frames.front() {
            Some(frame) if self.sent == self.committed => &frame[self.frames_sent..],
            _ => &self.bytes[self.sent..self.committed],
        }
    }

    /// True when nothing may be written now.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.sent == self.committed && self.frames.is_empty()
    }

    /// As much of what may be written now as there is, or as fits into `into`.
    pub fn gather<'a>(&'a self, into: &'a mut [u8]) -> &'a [u8] {
        let own = &self.bytes[self.sent..self.committed];
        if self.frames.len() + usize::from(!own.is_empty()) <= 1 {
            return self.unsent();
        }
        let mut end = 0;
        for part in self.parts() {
            let count = part.len().min(into.len() - end);
            into[end..end + count].copy_from_slice(&part[..count]);
            end += count;
            if end == into.len() {
                break;
            }
        }
        &into[..end]
    }

    /// What may be written now, piece by piece.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.frames_sent;
        let frames = self.frames.iter().map(move |frame| &frame[std::mem::take(&mut skip)..]);
        std::iter::once(&self.bytes[self.sent..self.committed]).chain(frames)
    }

    /// What waits for the rest of its frame.
    pub fn held(&self) -> &[u8] {
        &self.bytes[self.committed..]
    }

    /// What was received and not processed yet.
    pub fn unprocessed(&self) -> &[u8] {
        &self.unprocessed
    }

    /// How many bytes may be written, now or later, what is held apart.
    fn unsent_bytes(&self) -> usize {
        self.committed - self.sent + self.frames_bytes - self.frames_sent
    }

    /// Bytes charged for the queue.
    pub fn charged(&self) -> usize {
        self.charge.bytes()
    }

    /// The peer has taken nothing for a while, as clients do that send all before they read.
    pub fn is_stuck(&self) -> bool {
        self.pace.stuck
    }

    /// See [`Self::is_stuck`].
    pub fn set_stuck(&mut self) {
        self.pace.stuck = true;
    }

    /// True if the peer has had `window` to take something, or to send the rest of what is held,
    /// and that was less than [`PEER_BYTES_PER_SECOND_MIN`]. Begins a new measurement if it was
    /// enough.
    pub fn is_too_slow(&mut self, now: Duration, window: Duration) -> bool {
        let passed = now.saturating_sub(self.pace.since);
        if self.is_flushed() && self.claimed == 0 || passed < window {
            return false;
        }
        let expected = passed.as_secs().saturating_mul(PEER_BYTES_PER_SECOND_MIN);
        let too_slow = (self.pace.taken as u64) < expected.max(1);
        if !too_slow {
            self.pace = Pace { since: now, taken: 0, stuck: self.pace.stuck };
        }
        too_slow
    }

    /// True when all has been sent and nothing is held or unprocessed.
    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.unprocessed.is_empty() && self.frames.is_empty()
    }

    /// Bytes of memory that the queue keeps, with what its held reply will still need. Shared
    /// frames have a charge of their own; the references to them are counted here. Of the pool's
    /// own buffer what is used counts.
    fn footprint(&self) -> usize {
        let own = if self.roomy { self.bytes.len() } else { self.bytes.capacity() };
        let own = own.max(self.committed + self.claimed);
        let references = self.frames.capacity() * size_of::<Rc<SharedFrame>>();
        size_of::<Self>() + own + self.unprocessed.capacity() + references
    }

    fn recharge(&mut self) {
        self.charge.set(self.footprint());
    }

    /// Drops the memory of what was sent, before a held reply or in front of much that is not.
    /// Returns the pool's own buffer if it is no longer needed: what is left and long stays in it,
    /// since a new one would be memory beside it.
    fn compact(&mut self) -> Option<Vec<u8>> {
        let flushed = self.sent == self.committed;
        let half = self.sent >= SEND_QUEUE_COMPACT_BYTES_MIN && self.sent >= self.bytes.len() / 2;
        if self.sent == 0 || !(half || flushed && self.claimed > 0) {
            return None;
        }
        let sent = std::mem::take(&mut self.sent);
        self.committed -= sent;
        let kept = (self.bytes.len() - sent).max(self.committed + self.claimed);
        if self.roomy && kept > SPARE_QUEUE_BYTES_MAX {
            self.bytes.drain(..sent);
            self.bytes.shrink_to(READ_BYTES_MAX);
            return None;
        }
        let mut rest = Vec::with_capacity(kept);
        rest.extend_from_slice(&self.bytes[sent..]);
        let old = std::mem::replace(&mut self.bytes, rest);
        std::mem::take(&mut self.roomy).then_some(old)
    }

    /// Notes that `count` bytes of the shared frames have gone.
    fn frames_taken(&mut self, count: usize) {
        self.frames_sent += count;
        while let Some(frame) = self.frames.front() {
            let length = frame.len();
            if self.frames_sent < length {
                return;
            }
            self.frames_sent -= length;
            self.frames_bytes -= length;
            self.frames.pop_front();
        }
        assert_eq!(self.frames_sent, 0, "a socket took more than it was given");
    }
}
