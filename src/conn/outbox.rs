//! What one connection could not send yet.
//!
//! A connection at rest owns no buffer. It borrows an outbox when a write is refused, or when a
//! reply must not leave before the frame it answers has been seen whole, and gives it back empty.

mod store;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::service::Shared;
pub use store::Store;

/// Bytes on their way out: `bytes[sent..committed]` may be written, `bytes[committed..]` is held
/// back until the frame it answers is complete and valid. Frames shared with other connections
/// stand behind them.
///
/// Invariants: `sent <= committed <= bytes.len() <= committed + claimed`; `posted_sent` is below
/// the length of the first frame in `posted`.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    committed: usize,
    /// What the held reply will have in all. It counts from the start: replies that are held
    /// together must have room to become whole, or all of them would wait for each other.
    claimed: usize,
    /// Bytes received that a turn had no share left for.
    parked: Vec<u8>,
    posted: VecDeque<Rc<Shared>>,
    posted_sent: usize,
    posted_bytes: usize,
}

impl Outbox {
    /// What may be written now, or the start of it.
    pub fn unsent(&self) -> &[u8] {
        match self.posted.front() {
            Some(frame) if self.sent == self.committed => &frame[self.posted_sent..],
            _ => &self.bytes[self.sent..self.committed],
        }
    }

    /// As much of what may be written now as there is, or as fits into `area`.
    pub fn gather<'a>(&'a self, area: &'a mut [u8]) -> &'a [u8] {
        let own = &self.bytes[self.sent..self.committed];
        if self.posted.len() + usize::from(!own.is_empty()) <= 1 {
            return self.unsent();
        }
        let mut skip = self.posted_sent;
        let frames = self.posted.iter().map(|frame| &frame[std::mem::take(&mut skip)..]);
        let mut end = 0;
        for part in std::iter::once(own).chain(frames) {
            let count = part.len().min(area.len() - end);
            area[end..end + count].copy_from_slice(&part[..count]);
            end += count;
            if end == area.len() {
                break;
            }
        }
        &area[..end]
    }

    /// What waits for the rest of its frame.
    pub fn held(&self) -> &[u8] {
        &self.bytes[self.committed..]
    }

    /// What was received and not looked at yet.
    pub fn parked(&self) -> &[u8] {
        &self.parked
    }

    /// Bytes of its own in it or claimed, the sent ones included until all are gone.
    pub fn len(&self) -> usize {
        self.committed + self.claimed + self.parked.len()
    }

    /// Shared frames that wait here.
    pub fn posted(&self) -> usize {
        self.posted.len()
    }

    /// True when all has been sent and nothing is held or parked.
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.parked.is_empty() && self.posted.is_empty()
    }

    /// Takes the held bytes out, with room for the rest of their reply.
    fn detach_held(&mut self) -> Vec<u8> {
        let mut held = Vec::with_capacity(self.claimed);
        held.extend_from_slice(self.held());
        self.bytes.truncate(self.committed);
        held
    }

    /// Adds a shared frame; returns the memory that this takes.
    fn push_posted(&mut self, frame: Rc<Shared>) -> usize {
        let cost = cost_of(&frame);
        frame.hold();
        self.posted_bytes += frame.len();
        self.posted.push_back(frame);
        cost
    }

    /// Takes the first shared frame out; returns the memory that this gives back.
    fn pop_posted(&mut self) -> usize {
        let Some(frame) = self.posted.pop_front() else { return 0 };
        self.posted_bytes -= frame.len();
        frame.release();
        cost_of(&frame)
    }

    /// Notes that `count` bytes of the shared frames have gone; returns the memory given back.
    fn posted_sent(&mut self, count: usize) -> usize {
        self.posted_sent += count;
        let mut freed = 0;
        while let Some(frame) = self.posted.front() {
            let length = frame.len();
            if self.posted_sent < length {
                break;
            }
            self.posted_sent -= length;
            freed += self.pop_posted();
        }
        freed
    }
}

/// Memory for one more reference to a frame, and for the frame if this is the only one.
fn cost_of(frame: &Rc<Shared>) -> usize {
    size_of::<Rc<Shared>>() + if frame.is_held() { 0 } else { frame.len() }
}

/// The outbox of a connection, if it has one now.
pub type Slot = Option<Box<Outbox>>;
