//! A client's side of permessage-deflate, on other people's code: zlib-rs compresses, as browsers
//! do, and flate2 on miniz_oxide inflates what comes back.

#![allow(dead_code, reason = "each test target uses its own part")]

use flate2::{Decompress, FlushDecompress, Status};
use zlib_rs::{Deflate, DeflateFlush};

const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Compresses one message after the other (RFC 7692 §7.2.1).
pub struct Compressor {
    deflate: Deflate,
    level: i32,
    window: u8,
    takeover: bool,
}

impl Compressor {
    /// zlib's smallest window is that of 9 bits, of which it uses 250 bytes.
    pub fn new(level: i32, window: u8, takeover: bool) -> Self {
        Self { deflate: Deflate::new(level, false, window.max(9)), level, window, takeover }
    }

    /// A message's payload.
    pub fn message(&mut self, message: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.deflate = Deflate::new(self.level, false, self.window.max(9));
        }
        if message.is_empty() {
            return vec![0]; // §7.2.3.6
        }
        let mut payload = vec![0; message.len() + message.len() / 8 + 64];
        let before = self.deflate.total_out();
        let flush = DeflateFlush::SyncFlush;
        self.deflate.compress(message, &mut payload, flush).expect("zlib compresses anything");
        let length = self.deflate.total_out() - before;
        payload.truncate(usize::try_from(length).expect("it fits"));
        assert_eq!(payload.split_off(payload.len() - TAIL.len()), TAIL);
        payload
    }
}

/// Inflates one message after the other (RFC 7692 §7.2.2).
pub struct Decompressor {
    inflate: Decompress,
    takeover: bool,
}

impl Decompressor {
    pub fn new(takeover: bool) -> Self {
        Self { inflate: Decompress::new(false), takeover }
    }

    /// What a payload was made from.
    pub fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.inflate.reset(false);
        }
        let input = [payload, &TAIL].concat();
        let mut message = Vec::new();
        let mut taken = 0;
        loop {
            message.reserve(64 * 1024);
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let flush = FlushDecompress::Sync;
            let status = self.inflate.decompress_vec(&input[taken..], &mut message, flush);
            let status = status.expect("the echo inflates");
            taken += usize::try_from(self.inflate.total_in() - before.0).expect("it fits");
            let produced = self.inflate.total_out() - before.1;
            if status == Status::StreamEnd {
                // A block marked as the last: §7.2.3.4. What follows begins anew.
                self.inflate.reset(false);
            }
            if taken == input.len() && produced == 0 || status == Status::BufError {
                return message;
            }
        }
    }
}
