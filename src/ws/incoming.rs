//! A server's frames as a client reads them: bytes to pieces of frames, given as ranges into the
//! caller's buffer (RFC 6455 §5.1, §5.4, §5.5).
//!
//! Unlike the server's decoder this one keeps the start of a head that the end of the bytes has cut
//! off, so that a caller never has to give bytes twice.

use std::ops::Range;

use super::Fault;
use super::head::{First, Opcode, parse_server_rest};

/// Longest head of a frame without a masking key.
const HEAD_BYTES_MAX: usize = 10;

/// A part of one frame: what the caller's bytes hold of it, often the whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// FIN and opcode as the server sent them.
    pub first: First,
    /// A data frame of a text message.
    pub text: bool,
    /// A data frame of a compressed message.
    pub compressed: bool,
    /// Payload length of the whole frame.
    pub length: u64,
    /// Where the payload of this piece lies in the caller's bytes.
    pub payload: Range<usize>,
    /// The frame's last byte is in this piece.
    pub ends: bool,
}

impl Piece {
    /// The last byte of a data message is in this piece.
    pub fn ends_message(&self) -> bool {
        self.ends && self.first.fin && !self.first.opcode.is_control()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    Text,
    Binary,
}

/// What is known of a connection's frames between two reads.
///
/// Invariant: `left` is above 0 only in the middle of a frame's payload, and `head_length` only in
/// the middle of a head.
#[derive(Clone, Debug)]
pub struct Incoming {
    left: u64,
    length: u64,
    head: [u8; HEAD_BYTES_MAX],
    head_length: u8,
    first: First,
    message: Message,
    compressed: bool,
    deflate: bool,
}

impl Incoming {
    /// The start of a connection; `deflate` if permessage-deflate was agreed on.
    pub fn new(deflate: bool) -> Self {
        Self {
            left: 0,
            length: 0,
            head: [0; HEAD_BYTES_MAX],
            head_length: 0,
            first: First { fin: true, compressed: false, opcode: Opcode::Continuation },
            message: Message::None,
            compressed: false,
            deflate,
        }
    }

    /// True between two messages, with no byte of the next one read.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.left == 0 && self.head_length == 0 && self.message == Message::None
    }

    /// True between the first byte of a message's payload, or its head, and its last.
    pub fn is_within_message(&self) -> bool {
        self.message != Message::None
    }

    /// The next piece of `bytes[at..]`; what it consumed ends where its payload ends. `None` when
    /// all is consumed, be it by the start of a head.
    pub fn step(&mut self, bytes: &[u8], at: usize) -> Result<Option<Piece>, Fault> {
        if self.left > 0 {
            return Ok((at < bytes.len()).then(|| self.advance(bytes, at)));
        }
        let mut at = at;
        while let Some(byte) = bytes.get(at) {
            at += 1;
            self.head[usize::from(self.head_length)] = *byte;
            self.head_length += 1;
            if self.head_is_complete()? {
                self.head_length = 0;
                return Ok(Some(self.advance(bytes, at)));
            }
        }
        Ok(None)
    }

    /// Judges the head's bytes so far; at its last one the frame begins.
    fn head_is_complete(&mut self) -> Result<bool, Fault> {
        let head = &self.head[..usize::from(self.head_length)];
        let first = First::parse(head[0], self.deflate)?;
        match (first.opcode, self.message) {
            (Opcode::Continuation, Message::None) => return Err(Fault::Continuation),
            (Opcode::Text | Opcode::Binary, Message::Text | Message::Binary) => {
                return Err(Fault::Interleaved);
            }
            _ => {}
        }
        let Some(rest) = parse_server_rest(first.opcode, head)? else { return Ok(false) };
        match first.opcode {
            Opcode::Text => self.message = Message::Text,
            Opcode::Binary => self.message = Message::Binary,
            _ => {}
        }
        if matches!(first.opcode, Opcode::Text | Opcode::Binary) {
            self.compressed = first.compressed;
        }
        self.first = first;
        self.left = rest.length;
        self.length = rest.length;
        Ok(true)
    }

    fn advance(&mut self, bytes: &[u8], at: usize) -> Piece {
        let here = bytes.len() - at;
        // When the length does not fit the host's `usize`, what is here is less in any case.
        let taken = usize::try_from(self.left).map_or(here, |left| left.min(here));
        self.left -= taken as u64;
        let control = self.first.opcode.is_control();
        let piece = Piece {
            first: self.first,
            text: self.message == Message::Text && !control,
            compressed: self.compressed && !control,
            length: self.length,
            payload: at..at + taken,
            ends: self.left == 0,
        };
        if piece.ends_message() {
            self.message = Message::None;
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames that are complete (first byte, payload) and the fault, if there is one.
    fn decode(pieces: &[&[u8]], deflate: bool) -> (Vec<(u8, Vec<u8>)>, Option<Fault>) {
        let mut incoming = Incoming::new(deflate);
        let (mut frames, mut payload) = (Vec::new(), Vec::new());
        for bytes in pieces {
            let mut at = 0;
            loop {
                match incoming.step(bytes, at) {
                    Ok(Some(piece)) => {
                        at = piece.payload.end;
                        payload.extend_from_slice(&bytes[piece.payload.clone()]);
                        if piece.ends {
                            let first = u8::from(piece.first.fin) << 7 | piece.first.opcode as u8;
                            frames.push((first, std::mem::take(&mut payload)));
                        }
                    }
                    Ok(None) => break,
                    Err(fault) => return (frames, Some(fault)),
                }
            }
        }
        (frames, None)
    }

    #[test]
    fn every_split_of_a_stream_gives_the_same_frames() {
        let long = [&[0x82, 126, 0, 200][..], &[7; 200]].concat();
        let stream =
            [&b"\x01\x02he\x89\x01p\x80\x03llo\x81\x00"[..], &long, b"\x88\x02\x03\xe8"].concat();
        let whole = decode(&[&stream], false);
        assert_eq!((whole.0.len(), whole.1), (6, None));
        for first in 0..=stream.len() {
            for second in [first, stream.len().min(first + 1), stream.len()] {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(decode(&pieces, false), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn faults_of_a_server() {
        let cases: [(&[u8], Fault); 7] = [
            (&[0x81, 0x80], Fault::Masked),
            (&[0x80, 0], Fault::Continuation),
            (&[0x01, 0, 0x81], Fault::Interleaved),
            (&[0xC1], Fault::ReservedBits),
            (&[0x89, 126], Fault::LongControl),
            (&[0x82, 126, 0, 5], Fault::LengthForm),
            (&[0x83], Fault::ReservedOpcode),
        ];
        for (bytes, fault) in cases {
            assert_eq!(decode(&[bytes], false).1, Some(fault), "{bytes:x?}");
        }
        assert_eq!(decode(&[&[0xC1, 0]], true).1, None, "compressed, as was agreed on");
    }

    #[test]
    fn rests_between_messages_only() {
        let mut incoming = Incoming::new(false);
        assert!(incoming.is_between_messages());
        for bytes in [&b"\x01"[..], b"\x01", b"a", b"\x89\x00"] {
            assert!(incoming.step(bytes, 0).is_ok());
            assert!(!incoming.is_between_messages(), "{bytes:x?}");
        }
        assert!(incoming.step(b"\x80\x00", 0).is_ok_and(|piece| piece.is_some()));
        assert!(incoming.is_between_messages());
    }
}
