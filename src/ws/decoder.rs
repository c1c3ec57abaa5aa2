//! The frame decoder: bytes to pieces of frames, given as ranges into the caller's buffer, with
//! the rules of fragmentation and control frames (RFC 6455 §5.4, §5.5).
//!
//! The decoder copies nothing and unmasks nothing; between two calls it remembers a few dozen
//! bytes. Whatever the segmentation, the same bytes give the same pieces joined together, and
//! the first fault is found at the same byte.

use std::ops::Range;

use super::head::{First, Opcode, Rest, parse_rest};
use super::utf8::Validator;
use super::{Fault, mask};
use crate::limits::COMPRESSED_SLACK_BYTES;

/// The limits that a decoder enforces.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest message in bytes.
    pub message_bytes: u64,
    /// Most frames in one message.
    pub fragments: u32,
}

impl Bounds {
    /// Longest compressed message in bytes. The limit proper is for what it inflates to.
    fn compressed_bytes(&self) -> u64 {
        self.message_bytes.saturating_mul(2).saturating_add(COMPRESSED_SLACK_BYTES)
    }
}

/// A part of one frame: what the caller's buffer holds of it, often the whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// FIN and opcode as the client sent them.
    pub first: First,
    /// A data frame of a text message.
    pub text: bool,
    /// A data frame of a compressed message.
    pub compressed: bool,
    /// Payload length of the whole frame.
    pub length: u64,
    /// Where the masked payload of this piece lies in the caller's buffer.
    pub payload: Range<usize>,
    /// Masking key for the first byte of `payload`.
    pub key: [u8; 4],
    /// The frame's head was part of this step.
    pub starts: bool,
    /// The frame's last byte is in this piece.
    pub ends: bool,
}

impl Piece {
    /// The last byte of a data message is in this piece.
    #[inline]
    pub fn ends_message(&self) -> bool {
        self.ends && self.first.fin && !self.first.opcode.is_control()
    }
}

/// The case that an echo server lives on: an unfragmented message of at most 65 535 bytes that
/// lies in the buffer as a whole, and changes nothing in a decoder that is between messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeMessage {
    /// Text, else binary.
    pub text: bool,
    /// Where the masked payload lies in the caller's buffer.
    pub payload: Range<usize>,
    /// Masking key.
    pub key: [u8; 4],
}

impl WholeMessage {
    /// Looks for one at `bytes[at..]`. `None` says nothing about what else is there: everything
    /// unusual, and everything wrong, is left to [`Decoder::step`].
    #[inline]
    pub fn parse(bytes: &[u8], at: usize, bounds: &Bounds) -> Option<Self> {
        let &[first, second, a, b, c, d, ..] = bytes.get(at..)? else { return None };
        let text = first == 0x81;
        if !text && first != 0x82 {
            return None;
        }
        // With the mask bit cleared, an unmasked frame is above 127.
        let (length, head_bytes, key) = match second ^ 0x80 {
            short @ 0..=125 => (u64::from(short), 6, [a, b, c, d]),
            126 => {
                let key = *bytes.get(at + 4..)?.first_chunk::<4>()?;
                (u64::from(u16::from_be_bytes([a, b])), 8, key)
            }
            _ => return None,
        };
        let start = at + head_bytes;
        let end = start + usize::try_from(length).ok()?;
        let shortest = head_bytes == 6 || length > 125;
        let fits = shortest && end <= bytes.len() && length <= bounds.message_bytes;
        fits.then_some(Self { text, payload: start..end, key })
    }
}

/// Decoder state of one connection.
///
/// Invariants: `left` is above 0 exactly in the middle of a frame's payload; `message_bytes` and
/// `fragments` never exceed the bounds.
#[derive(Clone, Debug)]
pub struct Decoder {
    left: u64,
    length: u64,
    message_bytes: u64,
    key: [u8; 4],
    fragments: u32,
    utf8: Validator,
    first: First,
    message: Message,
    /// The open message is compressed.
    compressed: bool,
    /// permessage-deflate was agreed on.
    deflate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    Text,
    Binary,
}

impl Decoder {
    /// A decoder at the start of a connection; `deflate` if permessage-deflate was agreed on.
    pub fn new(deflate: bool) -> Self {
        Self {
            left: 0,
            length: 0,
            message_bytes: 0,
            key: [0; 4],
            fragments: 0,
            utf8: Validator::default(),
            first: First { fin: true, compressed: false, opcode: Opcode::Continuation },
            message: Message::None,
            compressed: false,
            deflate,
        }
    }

    /// The next piece of `bytes[at..]`. `None` when there is none: either all is consumed, or
    /// what remains is the start of a frame head (at most 13 bytes) to be given again with more
    /// behind it. What a piece consumed ends where its payload ends.
    #[inline]
    pub fn step(
        &mut self,
        bytes: &[u8],
        at: usize,
        bounds: &Bounds,
    ) -> Result<Option<Piece>, Fault> {
        if self.left == 0 {
            self.begin(bytes, at, bounds)
        } else if at == bytes.len() {
            Ok(None)
        } else {
            Ok(Some(self.advance(bytes, at, false)))
        }
    }

    /// True between two messages, when [`WholeMessage::parse`] may be tried.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.left == 0 && self.message == Message::None
    }

    /// Payload bytes of the current frame that have not arrived.
    #[inline]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// True between the first byte of a frame's payload and its last.
    #[inline]
    pub fn in_frame(&self) -> bool {
        self.left > 0
    }

    /// Validates the unmasked bytes of a text piece. `beyond_ascii` is what unmasking saw: while
    /// all is ASCII and no character is cut, there is nothing to look at again.
    #[inline]
    pub fn check_text(
        &mut self,
        plain: &[u8],
        beyond_ascii: bool,
        ends_message: bool,
    ) -> Result<(), Fault> {
        if (beyond_ascii || !self.utf8.at_boundary()) && self.utf8.feed(plain).is_err() {
            return Err(Fault::Utf8);
        }
        if ends_message && !self.utf8.at_boundary() {
            return Err(Fault::Utf8);
        }
        Ok(())
    }

    fn begin(&mut self, bytes: &[u8], at: usize, bounds: &Bounds) -> Result<Option<Piece>, Fault> {
        let head = &bytes[at..];
        let Some(byte) = head.first() else { return Ok(None) };
        let first = First::parse(*byte, self.deflate)?;
        self.check_place(first, bounds)?;
        let Some(Rest { length, key, head_bytes }) = parse_rest(first.opcode, head)? else {
            return Ok(None);
        };
        let control = first.opcode.is_control();
        let begins = matches!(first.opcode, Opcode::Text | Opcode::Binary);
        let compressed = if begins { first.compressed } else { self.compressed };
        let most = if compressed { bounds.compressed_bytes() } else { bounds.message_bytes };
        if !control && length > most - self.message_bytes {
            return Err(Fault::TooLarge);
        }
        let Some(key) = key else { return Ok(None) };
        if !control {
            self.message = match first.opcode {
                Opcode::Text => Message::Text,
                Opcode::Binary => Message::Binary,
                _ => self.message,
            };
            self.compressed = compressed;
            self.message_bytes += length;
            self.fragments += 1;
        }
        self.first = first;
        self.key = key;
        self.left = length;
        self.length = length;
        Ok(Some(self.advance(bytes, at + head_bytes, true)))
    }

    /// Whether a frame may stand here (§5.4).
    fn check_place(&self, first: First, bounds: &Bounds) -> Result<(), Fault> {
        match (first.opcode, self.message) {
            (Opcode::Continuation, Message::None) => Err(Fault::Continuation),
            (Opcode::Text | Opcode::Binary, Message::Text | Message::Binary) => {
                Err(Fault::Interleaved)
            }
            (Opcode::Continuation | Opcode::Text | Opcode::Binary, _)
                if self.fragments >= bounds.fragments =>
            {
                Err(Fault::TooManyFragments)
            }
            _ => Ok(()),
        }
    }

    /// Gives out what there is of the current frame's payload, from `at` on.
    fn advance(&mut self, bytes: &[u8], at: usize, starts: bool) -> Piece {
        let here = bytes.len() - at;
        // When the length does not fit the host's `usize`, what is here is less in any case.
        let taken = usize::try_from(self.left).map_or(here, |left| left.min(here));
        let key = self.key;
        let control = self.first.opcode.is_control();
        self.key = mask::rotate(key, taken);
        self.left -= taken as u64;
        let piece = Piece {
            first: self.first,
            text: self.message == Message::Text && !control,
            compressed: self.compressed && !control,
            length: self.length,
            payload: at..at + taken,
            key,
            starts,
            ends: self.left == 0,
        };
        if piece.ends_message() {
            self.message = Message::None;
            self.message_bytes = 0;
            self.fragments = 0;
        }
        piece
    }
}
