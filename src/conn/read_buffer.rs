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

const BUFFER_BYTES: usize = HEADROOM_BYTES + READ_BYTES_MAX + MASKING_KEY_BYTES + FRAME_BYTES_MAX;

/// The shared buffer. It holds one connection's bytes for the length of one read.
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: Box<[u8]>,
    /// In debug builds: where the bytes of the current connection end.
    touched: usize,
}

impl ReadBuffer {
    /// Allocates the buffer; its pages are touched only as far as reads reach.
    pub fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into_boxed_slice(), touched: 0 }
    }

    /// The part that a read of at most `count` bytes may fill.
    pub fn window(&mut self, count: usize) -> &mut [u8] {
        let end = READ_AT + count.min(READ_BYTES_MAX);
        self.touched = self.touched.max(end);
        &mut self.bytes[READ_AT..end]
    }

    /// A part of the buffer, for writing a reply out.
    pub fn part_of(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Between two connections: in debug builds the bytes of the one are overwritten, so that a
    /// mistake shows.
    pub fn part(&mut self) {
        if cfg!(debug_assertions) && self.touched > 0 {
            poison(&mut self.bytes[..self.touched]);
        }
        self.touched = 0;
    }

    /// The whole buffer.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Overwrites bytes that nobody may see any more. Copied in blocks: where tests are built by Rust
/// 1.85, `fill` goes byte by byte, and a crowd's turns take minutes.
pub(super) fn poison(bytes: &mut [u8]) {
    const BLOCK: [u8; 4096] = [0xA5; 4096];
    for part in bytes.chunks_mut(BLOCK.len()) {
        part.copy_from_slice(&BLOCK[..part.len()]);
    }
}
