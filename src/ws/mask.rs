//! Unmasking (RFC 6455 §5.3) where the payload lies, or a few bytes further left.
//!
//! An echo is built in bytes already consumed: the server's frame head is four bytes shorter than
//! the client's, so the first payload of a read keeps its place and those behind it slide left.
//! One pass unmasks, moves, and tells whether any byte has its top bit set, which for text decides
//! whether there is anything to validate at all.
//!
//! Loops over eight-byte words compile to vector code without `unsafe`. Long payloads have them
//! compiled a second time, for AVX2, which the processor is asked for at run time: half the time
//! in place and a third of it for a slide.

use std::ops::Range;

use multiversion::{multiversion, target::match_target};

/// Payloads of up to this many bytes are not worth the look for vectors.
const SHORT_BYTES_MAX: usize = 64;
/// A block of a slide with AVX2: four of its registers.
#[cfg(any(test, target_arch = "x86_64"))]
const BLOCK_BYTES: usize = 128;
/// A part of a slide without AVX2.
const COPY_BYTES: usize = 8 * 1024;
const TOP_BITS: u64 = 0x8080_8080_8080_8080;

/// Unmasks `buf[from]` to `to..`, which is not to the right of it. `key` belongs to the first
/// byte of the range. Returns whether any unmasked byte is outside ASCII.
#[inline]
pub fn unmask(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    debug_assert!(to <= from.start, "replies never pass the bytes they answer");
    if from.len() <= SHORT_BYTES_MAX {
        slide_short(buf, from, to, key)
    } else {
        unmask_long(buf, from, to, key)
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
    let half = u64::from(u32::from_le_bytes(key));
    half << 32 | half
}

#[multiversion(targets("x86_64+avx2"))]
fn unmask_long(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    if to == from.start {
        return in_place(&mut buf[from], key);
    }
    match_target! {
        "x86_64+avx2" => slide_at_once(buf, from, to, key),
        _ => slide_copied(buf, from, to, key),
    }
}

// What follows is compiled with the vectors of its caller only where it is inlined.
#[inline(always)]
fn in_place(bytes: &mut [u8], key: [u8; 4]) -> bool {
    let wide = word_key(key);
    let mut seen = 0;
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        // The chunk has exactly eight bytes; the fallback is never taken and costs nothing.
        let plain = u64::from_le_bytes((&*word).try_into().unwrap_or_default()) ^ wide;
        seen |= plain;
        word.copy_from_slice(&plain.to_le_bytes());
    }
    let mut tail = 0;
    for (byte, k) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= k;
        tail |= *byte;
    }
    seen & TOP_BITS != 0 || tail >= 0x80
}

/// Words, and a last one of which only the payload's bytes are changed: it is blended with what
/// stands there. That needs a word of room behind the payload, which a read buffer with slack
/// always has; without it the bytes go one by one.
#[inline]
fn slide_short(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    let slide = from.start - to;
    let length = from.len();
    let Some(span) = buf.get_mut(to..from.end + 8) else {
        return slide_bytes(&mut buf[to..from.end], slide, key);
    };
    let wide = word_key(key);
    let mut seen = 0;
    let mut at = 0;
    while at + 8 <= length {
        let plain = word_at(span, at + slide) ^ wide;
        seen |= plain;
        span[at..at + 8].copy_from_slice(&plain.to_le_bytes());
        at += 8;
    }
    let payload_bits = !(u64::MAX << (8 * (length - at)));
    let plain = (word_at(span, at + slide) ^ wide) & payload_bits;
    seen |= plain;
    let blend = plain | word_at(span, at) & !payload_bits;
    span[at..at + 8].copy_from_slice(&blend.to_le_bytes());
    seen & TOP_BITS != 0
}

#[inline]
fn word_at(span: &[u8], at: usize) -> u64 {
    // Callers stay within the span; the fallback is never taken.
    u64::from_le_bytes(span[at..].first_chunk::<8>().copied().unwrap_or_default())
}

#[cold]
fn slide_bytes(span: &mut [u8], slide: usize, key: [u8; 4]) -> bool {
    let mut seen = 0;
    for at in 0..span.len() - slide {
        span[at] = span[at + slide] ^ key[at % 4];
        seen |= span[at];
    }
    seen >= 0x80
}

/// Source and destination overlap, so word by word there would be no vectors: a block is read
/// before any of it is written. Without AVX2 it depends on the compiler's version whether that is
/// faster than copying first or half as fast.
#[cfg(any(test, target_arch = "x86_64"))]
#[inline(always)]
fn slide_at_once(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    const _: () = assert!(BLOCK_BYTES % 4 == 0, "the key starts anew with each block");
    let slide = from.start - to;
    let wide = word_key(key);
    let mut seen = [0; BLOCK_BYTES / 8];
    let mut at = from.start;
    while at + BLOCK_BYTES <= from.end {
        let mut block = [0; BLOCK_BYTES / 8];
        for (plain, word) in block.iter_mut().zip(buf[at..at + BLOCK_BYTES].chunks_exact(8)) {
            // The chunk has exactly eight bytes; the fallback is never taken and costs nothing.
            *plain = u64::from_le_bytes(word.try_into().unwrap_or_default()) ^ wide;
        }
        for (seen, plain) in seen.iter_mut().zip(&block) {
            *seen |= plain;
        }
        let slid = at - slide;
        for (word, plain) in buf[slid..slid + BLOCK_BYTES].chunks_exact_mut(8).zip(&block) {
            word.copy_from_slice(&plain.to_le_bytes());
        }
        at += BLOCK_BYTES;
    }
    let seen = seen.iter().fold(0, |all, word| all | word);
    slide_short(buf, at..from.end, at - slide, key) || seen & TOP_BITS != 0
}

/// Moves first and unmasks then, part by part in the first-level cache.
#[inline(always)]
fn slide_copied(buf: &mut [u8], from: Range<usize>, to: usize, key: [u8; 4]) -> bool {
    const _: () = assert!(COPY_BYTES % 4 == 0, "the key starts anew with each part");
    let slide = from.start - to;
    let mut beyond_ascii = false;
    let mut at = from.start;
    while at < from.end {
        let end = from.end.min(at + COPY_BYTES);
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
        let lengths = (0..=3 * BLOCK_BYTES + 8).chain([2 * COPY_BYTES + 3]);
        for length in lengths {
            for slide in [0, 4, 8, 12, 64, 1000] {
                for phase in 0..4 {
                    let key = rotate(key, phase);
                    let plain: Vec<u8> = (0..length).map(|i| (i * 31 + phase) as u8).collect();
                    let masked = plain.iter().zip(key.iter().cycle()).map(|(p, k)| p ^ k);
                    let mut buf = vec![0xEE; slide];
                    buf.extend(masked);
                    // With and without room for the last word, and nothing else is touched.
                    let slack = if phase % 2 == 0 { 8 } else { 0 };
                    buf.extend(vec![0xDD; slack]);
                    // As this processor has it, and as others would.
                    for pass in [unmask, slide_copied, slide_at_once] {
                        let mut buf = buf.clone();
                        let high = pass(&mut buf, slide..slide + length, 0, key);
                        assert_eq!(buf[..length], plain[..], "length {length}, slide {slide}");
                        assert_eq!(high, plain.iter().any(|b| *b >= 0x80));
                        assert!(buf[slide + length..].iter().all(|b| *b == 0xDD));
                    }
                }
            }
        }
    }

    #[test]
    fn one_high_byte_anywhere_is_seen() {
        for length in (1..=40).chain([BLOCK_BYTES, 2 * BLOCK_BYTES + 13]) {
            for place in 0..length {
                for (slide, others) in [(0, b'a'), (0, 0), (4, b'a'), (4, 0)] {
                    let mut buf = vec![others; slide + length];
                    buf[slide + place] = 0x80;
                    assert!(unmask(&mut buf, slide..slide + length, 0, [0; 4]));
                }
            }
        }
    }
}
