//! The log of one direction's frames, seen as bytes on their way.
//!
//! It reads the bytes that the socket gave or took, and not the decoders and queues. So it shows
//! the frames of echoes, rooms and behaviours alike, in the order of the wire, invalid ones too.

use log::trace;

use crate::limits::FRAME_HEAD_BYTES_MAX;

/// Where in its frames a direction is.
#[derive(Debug)]
pub(super) struct FrameLog {
    number: u64,
    direction: &'static str,
    /// Bytes that are no head: the rest of a payload, or what comes before the first frame.
    skip: u64,
    head: [u8; FRAME_HEAD_BYTES_MAX],
    /// How many bytes of `head` have come.
    length: usize,
}

impl FrameLog {
    /// For the connection of this number. The first frame comes behind `skip` bytes.
    pub(super) fn new(number: u64, direction: &'static str, skip: usize) -> Self {
        let head = [0; FRAME_HEAD_BYTES_MAX];
        Self { number, direction, skip: skip as u64, head, length: 0 }
    }

    /// Logs the frames whose heads become complete with these bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= skipped as u64;
            bytes = &bytes[skipped..];
            let Some((first, rest)) = bytes.split_first() else { return };
            self.head[self.length] = *first;
            self.length += 1;
            bytes = rest;
            if self.length >= 2 && self.length == self.wanted() {
                let payload = self.payload();
                self.log(payload);
                (self.skip, self.length) = (payload, 0);
            }
        }
    }

    /// Length of the head, by its second byte.
    fn wanted(&self) -> usize {
        let length_bytes = match self.head[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length_bytes + if self.is_masked() { 4 } else { 0 }
    }

    fn is_masked(&self) -> bool {
        self.head[1] & 0x80 != 0
    }

    fn payload(&self) -> u64 {
        match self.head[1] & 0x7F {
            126 => self.head[2..4].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            127 => self.head[2..10].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            short => u64::from(short),
        }
    }

    fn log(&self, payload: u64) {
        let Self { number, direction, head: [first, ..], .. } = self;
        let opcode = match first & 0x0F {
            0x0 => "continuation",
            0x1 => "text",
            0x2 => "binary",
            0x8 => "close",
            0x9 => "ping",
            0xA => "pong",
            _ => "reserved opcode",
        };
        let bits = [(0x80, "FIN"), (0x40, "RSV1"), (0x20, "RSV2"), (0x10, "RSV3")];
        let set = bits.iter().filter(|(bit, _)| first & bit != 0).map(|(_, name)| *name);
        let flags: Vec<&str> = set.chain(self.is_masked().then_some("MASK")).collect();
        let flags = flags.join(" ");
        let comma = if flags.is_empty() { "" } else { ", " };
        trace!(
            event = "frame", connection = *number, direction = *direction, opcode = opcode,
            length = payload, flags = flags;
            "#{number} {direction} {opcode}, {payload} bytes{comma}{flags}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heads that are complete, wherever the bytes are cut.
    #[test]
    fn heads_are_found_however_the_bytes_are_cut() {
        let long = [&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4][..], &[7; 65536]].concat();
        let bytes = [
            &b"HTTP"[..],
            b"\x81\x82\0\0\0\0hi",
            b"\x88\0",
            b"\x01\x7E\0\x7E",
            &[7; 126],
            &long,
            b"\xC1\x01x",
        ]
        .concat();
        for step in [1, 2, 3, 7, 4096, bytes.len()] {
            let mut log = FrameLog::new(1, "received", 4);
            let mut lengths = Vec::new();
            for piece in bytes.chunks(step) {
                for byte in piece {
                    let before = log.length;
                    log.pass(&[*byte]);
                    if before > 0 && log.length == 0 {
                        lengths.push((log.head[0], log.skip));
                    }
                }
            }
            let expected = [(0x81, 2), (0x88, 0), (0x01, 126), (0x82, 65536), (0xC1, 1)];
            assert_eq!(lengths, expected, "in steps of {step}");
            let mut whole = FrameLog::new(1, "received", 4);
            bytes.chunks(step).for_each(|piece| whole.pass(piece));
            assert_eq!((whole.skip, whole.length), (0, 0), "in steps of {step}");
        }
    }
}
