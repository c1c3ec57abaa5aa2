//! A frame that stands in several outboxes, encoded once.

use std::cell::Cell;
use std::ops::Deref;

/// The bytes of a frame, and how many outboxes it stands in: its memory is counted once, from the
/// first to the last of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Shared {
    bytes: Box<[u8]>,
    holders: Cell<usize>,
}

impl Shared {
    /// A frame that stands nowhere yet.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into_boxed_slice(), holders: Cell::new(0) }
    }

    /// True if it stands in some outbox.
    pub fn is_held(&self) -> bool {
        self.holders.get() > 0
    }

    /// It stands in one outbox more.
    pub fn hold(&self) {
        self.holders.set(self.holders.get() + 1);
    }

    /// It stands in one outbox less.
    pub fn release(&self) {
        self.holders.set(self.holders.get() - 1);
    }
}

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
