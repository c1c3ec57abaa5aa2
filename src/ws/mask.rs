//! Unmasking (RFC 6455 §5.3) where the payload lies, or a few bytes further left.
//!
//! An echo is built in bytes already consumed: the server's frame head is four bytes shorter than
//! the client's, so the first payload of a read keeps its place and those behind it slide left.
//! Eight-byte words through `chunks_exact_mut` compile to vector code without `unsafe`; the same
//! pass tells whether any byte has its top bit set, which for text decides whether there is
//! anything to validate at all.

use std::ops::Range;

/// Slides of more than this many bytes move first and unmask then, block by block in the
/// first-level cache: overlapping source and destination keep a fused loop from being vectorised.
const FUSED_BYTES_MAX: usize = 64;
const BLOCK_BYTES: usize = 8 * 1024;
const TOP_BITS: u64 = 0x8080_8080_8080_8080;

/// Unmasks `buf[from]` to `to..`, which is not to the right of it. `key` belongs to the first
/// byte of the range. Returns whether any unmasked byte is outside ASCII.
#[inline]
pub fn unmask(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    debug_assert!(to <= from.start, "replies never pass the bytes they answer");
    if to == from.start {
        in_place(&mut buf[from], key)
    } else if from.len() <= FUSED_BYTES_MAX {
        slide_short(buf, from, to, key)
    } else {
        slide_long(buf, from, to, key)
    }
}

/// The key as it stands `bytes` payload bytes further on.
#[inline]
pub fn rotate(key: [u8; 4], bytes: usize) -> [u8; 4] {
    let mut key = key;
    key.rotate_left(bytes % 4);
    key
}

fn word_key(key: [u8; 4]) -> u64 {
    let [a, b, c, d] = key;
    u64::from_ne_bytes([a, b, c, d, a, b, c, d])
}

#[inline]
fn in_place(bytes: &mut [u8], key: [u8; 4]) -> bool {
    let wide = word_key(key);
    let mut seen = 0;
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        // The chunk has exactly eight bytes; the fallback is never taken and costs nothing.
        let plain = u64::from_ne_bytes((&*word).try_into().unwrap_or_default()) ^ wide;
        seen |= plain;
        word.copy_from_slice(&plain.to_ne_bytes());
    }
    let mut tail = 0;
    for (byte, k) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= k;
        tail |= *byte;
    }
    seen & TOP_BITS != 0 || tail >= 0x80
}

#[inline]
fn slide_short(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    // One slice for source and destination, so that the bounds are checked once.
    let slide = from.start - to;
    let length = from.len();
    let span = &mut buf[to..from.end];
    let wide = word_key(key);
    let mut seen = 0;
    let mut at = 0;
    while at + 8 <= length {
        let word = span[at + slide..].first_chunk::<8>().copied().unwrap_or_default();
        let plain = u64::from_ne_bytes(word) ^ wide;
        seen |= plain;
        span[at..at + 8].copy_from_slice(&plain.to_ne_bytes());
        at += 8;
    }
    if at + 4 <= length {
        let half = span[at + slide..].first_chunk::<4>().copied().unwrap_or_default();
        let plain = u32::from_ne_bytes(half) ^ u32::from_ne_bytes(key);
        seen |= u64::from(plain);
        span[at..at + 4].copy_from_slice(&plain.to_ne_bytes());
        at += 4;
    }
    let mut tail = 0;
    for k in &key[..length - at] {
        let plain = span[at + slide] ^ k;
        tail |= plain;
        span[at] = plain;
        at += 1;
    }
    seen & TOP_BITS != 0 || tail >= 0x80
}

fn slide_long(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    const _: () = assert!(BLOCK_BYTES % 4 == 0, "the key starts anew with each block");
    let slide = from.start - to;
    let mut beyond_ascii = false;
    let mut at = from.start;
    while at < from.end {
        let end = from.end.min(at + BLOCK_BYTES);
        buf.copy_within(at..end, at - slide);
        beyond_ascii |= in_place(&mut buf[at - slide..end - slide], key);
        at = end;
    }
    beyond_ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 §5.7: a single-frame masked text message that contains "Hello".
    #[test]
    fn rfc_example() {
        let mut bytes = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert!(!unmask(&mut bytes, 0..5, 0, [0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(&bytes, b"Hello");
    }

    #[test]
    fn f19_every_length_slide_and_phase() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let lengths = (0..=72).chain([BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 3]);
        for length in lengths {
            for slide in [0, 4, 8, 12, 64, 1000] {
                for phase in 0..4 {
                    let key = rotate(key, phase);
                    let plain: Vec<u8> = (0..length).map(|i| (i * 31 + phase) as u8).collect();
                    let masked = plain.iter().zip(key.iter().cycle()).map(|(p, k)| p ^ k);
                    let mut buf = vec![0xEE; slide];
                    buf.extend(masked);
                    let high = unmask(&mut buf, slide..slide + length, 0, key);
                    assert_eq!(buf[..length], plain[..], "length {length}, slide {slide}");
                    assert_eq!(high, plain.iter().any(|b| *b >= 0x80));
                }
            }
        }
    }

    #[test]
    fn one_high_byte_anywhere_is_seen() {
        for length in 1..=40 {
            for place in 0..length {
                for slide in [0, 4] {
                    let mut buf = vec![b'a'; slide + length];
                    buf[slide + place] = 0x80;
                    assert!(unmask(&mut buf, slide..slide + length, 0, [0; 4]));
                }
            }
        }
    }
}
