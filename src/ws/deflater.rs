//! Compresses whole messages as permessage-deflate has them (RFC 7692 §7.2.1), for clients: the
//! server never does.

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::deflate::WindowBits;

/// The usual balance of zlib.
const LEVEL: i32 = 6;

/// The smallest window that zlib compresses for: of 256 bytes it makes 512.
pub const WINDOW_MIN: WindowBits = match WindowBits::new(9) {
    Some(window) => window,
    None => WindowBits::MAX,
};

/// A compressor of messages, one after the other.
pub struct Deflater {
    deflate: Deflate,
}

impl Deflater {
    /// A compressor with an empty window, of at least [`WINDOW_MIN`].
    pub fn new(window: WindowBits) -> Self {
        debug_assert!(window >= WINDOW_MIN);
        Self { deflate: Deflate::new(LEVEL, false, window.bits()) }
    }

    /// Forgets the messages before.
    pub fn reset(&mut self) {
        self.deflate.reset();
    }

    /// One message: compressed with an empty block at its end, of which the last four bytes are
    /// left out (§7.2.1).
    pub fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if payload.is_empty() {
            // §7.2.3.6, since zlib flushes nothing twice.
            return vec![0];
        }
        let mut out = Vec::new();
        let (before_in, before_out) = (self.deflate.total_in(), self.deflate.total_out());
        loop {
            let taken = at(self.deflate.total_in() - before_in);
            let made = at(self.deflate.total_out() - before_out);
            out.resize(made + payload.len() / 2 + 64, 0);
            let flush = DeflateFlush::SyncFlush;
            let status = self.deflate.compress(&payload[taken..], &mut out[made..], flush);
            let made = at(self.deflate.total_out() - before_out);
            // Room that is left says that the flush is complete.
            if !matches!(status, Ok(Status::Ok)) || made < out.len() {
                out.truncate(made);
                break;
            }
        }
        debug_assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len().saturating_sub(4));
        out
    }
}

/// A position in a buffer that exists.
fn at(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::inflate::Inflater;
    use super::*;

    fn inflated(inflater: &mut Inflater, message: &[u8]) -> Vec<u8> {
        let (mut at, mut out, mut scratch) = (0, Vec::new(), [0; 256]);
        loop {
            let step = inflater.step(&message[at..], &mut scratch).expect("valid");
            at += step.consumed;
            out.extend_from_slice(&scratch[..step.produced]);
            if step.drained {
                inflater.finish().expect("complete");
                return out;
            }
        }
    }

    #[test]
    fn messages_inflate_to_themselves() {
        let noise: Vec<u8> = (0..5000_u32).map(|n| (n * n % 251) as u8).collect();
        let messages =
            [&b""[..], b"a", b"", b"", b"hello hello hello", &noise, &[7; 70_000], b"hello"];
        for bits in [9, 12, 15] {
            let window = WindowBits::new(bits).expect("a window");
            for takeover in [false, true] {
                let mut deflater = Deflater::new(window);
                let mut inflater = Inflater::new(window);
                for message in messages {
                    if !takeover {
                        deflater.reset();
                        inflater.reset(window);
                    }
                    let compressed = deflater.message(message);
                    assert_eq!(inflated(&mut inflater, &compressed), message, "{bits} bits");
                }
            }
        }
    }

    #[test]
    fn a_message_again_is_shorter_with_its_context() {
        let mut deflater = Deflater::new(WindowBits::MAX);
        let first = deflater.message(b"what is said twice is shorter the second time");
        let second = deflater.message(b"what is said twice is shorter the second time");
        assert!(second.len() < first.len() / 2, "{} and {}", second.len(), first.len());
    }
}
