//! The one read buffer of the loop, in which replies are built.
//!
//! ```text
//! [ headroom | read area ........................ | slack ]
//!            ^ READ_AT
//! ```
//!
//! Whatever a connection brought along from its last read is laid into the headroom so that it
//! ends where the new bytes begin. The slack takes a Close frame behind a full read.

use std::ops::Range;

use crate::limits::{HEADROOM_BYTES, MASKING_KEY_BYTES, READ_BYTES_MAX};
use crate::ws::close::FRAME_BYTES_MAX;

/// Where reads begin.
pub const READ_AT: usize = HEADROOM_BYTES;

const AREA_BYTES: usize = HEADROOM_BYTES + READ_BYTES_MAX + MASKING_KEY_BYTES + FRAME_BYTES_MAX;

/// The shared buffer. It holds one connection's bytes for the length of one read.
#[derive(Debug)]
pub struct Area {
    bytes: Box<[u8]>,
}

impl Area {
    /// Allocates the buffer; its pages are touched only as far as reads reach.
    pub fn new() -> Self {
        Self { bytes: vec![0; AREA_BYTES].into_boxed_slice() }
    }

    /// The part that a read of at most `count` bytes may fill.
    pub fn window(&mut self, count: usize) -> &mut [u8] {
        &mut self.bytes[READ_AT..READ_AT + count.min(READ_BYTES_MAX)]
    }

    /// A part of the buffer, for writing a reply out.
    pub fn part(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The whole buffer.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Default for Area {
    fn default() -> Self {
        Self::new()
    }
}
