//! A frame that goes to several connections, encoded once.

use std::ops::Deref;

use crate::budget::{Budget, Charge};

/// The bytes of a frame. Its memory is charged once, until its last reference is dropped.
#[derive(Debug)]
pub struct SharedFrame {
    bytes: Box<[u8]>,
    charge: Charge,
}

/// Beside its bytes a frame takes the two counters of its `Rc`, and what allocators add to both.
const OVERHEAD_BYTES: usize = size_of::<SharedFrame>() + 2 * size_of::<usize>() + 32;

impl SharedFrame {
    /// Takes the bytes of a whole frame.
    pub fn new(bytes: Vec<u8>, budget: &Budget) -> Self {
        let charge = budget.charge(bytes.len() + OVERHEAD_BYTES);
        Self { bytes: bytes.into_boxed_slice(), charge }
    }

    /// Bytes of memory that it takes.
    pub fn charged(&self) -> usize {
        self.charge.bytes()
    }
}

impl PartialEq for SharedFrame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Deref for SharedFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
