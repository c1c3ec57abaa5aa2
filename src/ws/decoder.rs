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

    /// Length of the current frame's payload.
    #[inline]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// True if messages may be compressed.
    #[inline]
    pub fn may_deflate(&self) -> bool {
        self.deflate
    }

    /// Takes over how far the text of the message has been checked, from a decoder that went ahead.
    pub fn adopt_text_state(&mut self, ahead: &Self) {
        self.utf8 = ahead.utf8;
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    const BOUNDS: Bounds = Bounds { message_bytes: 300, fragments: 4 };
    const UNBOUNDED: Bounds = Bounds { message_bytes: u64::MAX, fragments: u32::MAX };

    /// What is found at once is what would be found step by step.
    #[test]
    fn whole_messages_keep_to_the_shortest_form_and_to_the_limit() {
        let bytes = [&[0x82, 0xFE, 0, 0][..], &[0; 504]].concat();
        for length in 120..=310_u16 {
            let mut bytes = bytes.clone();
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            let whole = WholeMessage::parse(&bytes, 0, &BOUNDS);
            let step = Decoder::new(false).step(&bytes, 0, &BOUNDS);
            assert_eq!(whole.is_some(), step.is_ok(), "{length} bytes");
            assert_eq!(whole.is_some(), (126..=300).contains(&length));
        }
    }

    /// What became of some bytes: the frames that are complete (first byte, unmasked payload),
    /// the payload so far of one that is not, and the fault if there is one.
    #[derive(Debug, Default, PartialEq)]
    struct Outcome {
        frames: Vec<(u8, Vec<u8>)>,
        payload: Vec<u8>,
        fault: Option<Fault>,
    }

    /// Decodes a stream in pieces as a caller does: what was not consumed is given again.
    fn decode(pieces: &[&[u8]], bounds: &Bounds) -> Outcome {
        let mut outcome = Outcome::default();
        let mut decoder = Decoder::new(false);
        let mut buffer = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            match decode_buffer(&mut decoder, &buffer, bounds, &mut outcome) {
                Ok(consumed) => drop(buffer.drain(..consumed)),
                // How much of the frame at fault was given out before depends on the pieces.
                Err(fault) => {
                    return Outcome { payload: Vec::new(), fault: Some(fault), ..outcome };
                }
            }
            assert!(buffer.len() < 14, "what remains is the start of a head");
        }
        outcome
    }

    fn decode_buffer(
        decoder: &mut Decoder,
        buffer: &[u8],
        bounds: &Bounds,
        outcome: &mut Outcome,
    ) -> Result<usize, Fault> {
        let mut at = 0;
        let mut midway = decoder.in_frame();
        while let Some(piece) = decoder.step(buffer, at, bounds)? {
            assert_eq!(piece.starts, !midway);
            assert!(at <= piece.payload.start && piece.payload.end <= buffer.len());
            at = piece.payload.end;
            let plain = unmasked(&buffer[piece.payload.clone()], piece.key);
            if piece.text {
                decoder.check_text(&plain, !plain.is_ascii(), piece.ends_message())?;
            }
            outcome.payload.extend_from_slice(&plain);
            midway = !piece.ends;
            assert_eq!(piece.ends, outcome.payload.len() as u64 == piece.length);
            assert_eq!(midway, decoder.in_frame());
            if piece.ends {
                let first = u8::from(piece.first.fin) << 7 | piece.first.opcode as u8;
                outcome.frames.push((first, std::mem::take(&mut outcome.payload)));
            }
        }
        Ok(at)
    }

    /// The same by the letter of RFC 6455: byte by byte, everything copied, nothing remembered
    /// but the message so far.
    fn naive(bytes: &[u8], bounds: &Bounds) -> Outcome {
        let mut outcome = Outcome::default();
        let mut rest = bytes;
        let mut message = None;
        loop {
            match naive_frame(rest, &mut message, bounds) {
                Ok(Some((first, payload, whole))) if whole => {
                    rest = &rest[naive_head(rest) + payload.len()..];
                    outcome.frames.push((first, payload));
                }
                Ok(Some((_, payload, _))) => {
                    outcome.payload = payload;
                    return outcome;
                }
                Ok(None) => return outcome,
                Err(fault) => {
                    outcome.fault = Some(fault);
                    return outcome;
                }
            }
        }
    }

    fn naive_head(bytes: &[u8]) -> usize {
        match bytes[1] & 127 {
            126 => 8,
            127 => 14,
            _ => 6,
        }
    }

    /// Whether it is text, its payload so far, and its frames so far.
    type NaiveMessage = Option<(bool, Vec<u8>, u32)>;

    /// The frame at the start of `bytes`: its first byte, its payload so far, whether that is all.
    fn naive_frame(
        bytes: &[u8],
        message: &mut NaiveMessage,
        bounds: &Bounds,
    ) -> Result<Option<(u8, Vec<u8>, bool)>, Fault> {
        let byte = |at: usize| bytes.get(at).copied();
        let Some(first) = byte(0) else { return Ok(None) };
        let (fin, opcode) = (first >= 128, first % 16);
        let control = opcode >= 8;
        match opcode {
            _ if first / 16 % 8 != 0 => return Err(Fault::ReservedBits),
            3..=7 | 11..=15 => return Err(Fault::ReservedOpcode),
            8..=10 if !fin => return Err(Fault::FragmentedControl),
            0 if message.is_none() => return Err(Fault::Continuation),
            1 | 2 if message.is_some() => return Err(Fault::Interleaved),
            0 if message.as_ref().is_some_and(|m| m.2 == bounds.fragments) => {
                return Err(Fault::TooManyFragments);
            }
            _ => {}
        }
        let Some(second) = byte(1) else { return Ok(None) };
        if second < 128 {
            return Err(Fault::Unmasked);
        }
        let short = u64::from(second % 128);
        if control && short > 125 {
            return Err(Fault::LongControl);
        }
        let (from, to, least) = match short {
            126 => (2, 4, 126),
            127 => (2, 10, 65_536),
            _ => (2, 2, 0),
        };
        if short == 127 && byte(2).is_some_and(|top| top >= 128) {
            return Err(Fault::LengthRange);
        }
        let Some(extended) = bytes.get(from..to) else { return Ok(None) };
        let number = extended.iter().fold(0, |sum, byte| sum * 256 + u64::from(*byte));
        let length = if short < 126 { short } else { number };
        if length < least {
            return Err(Fault::LengthForm);
        }
        let so_far = message.as_ref().map_or(0, |m| m.1.len() as u64);
        if !control && u128::from(so_far) + u128::from(length) > u128::from(bounds.message_bytes) {
            return Err(Fault::TooLarge);
        }
        let Some(key) = bytes.get(to..to + 4) else { return Ok(None) };
        let here = &bytes[to + 4..];
        let whole = length <= here.len() as u64;
        let here = if whole { &here[..usize::try_from(length).unwrap()] } else { here };
        let plain: Vec<u8> = here.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect();
        if !control {
            let open = message.get_or_insert((opcode == 1, Vec::new(), 0));
            open.1.extend_from_slice(&plain);
            open.2 += 1;
            let wrong = std::str::from_utf8(&open.1).err();
            let ends = fin && whole;
            if open.0 && wrong.is_some_and(|wrong| ends || wrong.error_len().is_some()) {
                return Err(Fault::Utf8);
            }
            if ends {
                *message = None;
            }
        }
        Ok(Some((first, plain, whole)))
    }

    fn unmasked(bytes: &[u8], key: [u8; 4]) -> Vec<u8> {
        bytes.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length <= 125);
        [&[first, 0x80 | length], &KEY[..], &unmasked(payload, KEY)].concat()
    }

    /// The head of a frame with `length` announced in its shortest form, and its key.
    fn announce(first: u8, length: u64) -> Vec<u8> {
        let mut head = vec![first];
        match length {
            0..=125 => head.push(0x80 | u8::try_from(length).unwrap()),
            126..=0xFFFF => {
                head.push(0xFE);
                head.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                head.push(0xFF);
                head.extend(length.to_be_bytes());
            }
        }
        [&head[..], &KEY].concat()
    }

    /// What the bytes come to, whole and cut at every place; no cut may matter, and each prefix
    /// has to come to what the naive decoder says.
    #[track_caller]
    fn judge(bytes: &[u8], bounds: &Bounds) -> Outcome {
        for end in 0..=bytes.len() {
            let prefix = &bytes[..end];
            assert_eq!(decode(&[prefix], bounds), naive(prefix, bounds), "{prefix:02x?}");
        }
        let whole = decode(&[bytes], bounds);
        for at in 0..=bytes.len() {
            let (start, end) = bytes.split_at(at);
            assert_eq!(decode(&[start, end], bounds), whole, "{bytes:02x?} cut at {at}");
        }
        whole
    }

    #[track_caller]
    fn fault_of(frames: &[Vec<u8>], bounds: &Bounds) -> Option<Fault> {
        judge(&frames.concat(), bounds).fault
    }

    /// All first two bytes of a frame, alone, and with lengths of several kinds behind them; with
    /// no message open, in text and in binary.
    #[test]
    fn f01_f02_f03_f05_f11_f12_every_head() {
        let mut behind = vec![Vec::new()];
        for length in [[0; 8], [0, 126, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0], [0xFF; 8]] {
            behind.push([&length[..], &[0x20; 130]].concat());
        }
        for before in [Vec::new(), frame(0x01, b"a"), frame(0x02, b"")] {
            for head in 0..=u16::MAX {
                for behind in &behind {
                    let bytes = [&before[..], &head.to_be_bytes(), behind].concat();
                    assert_eq!(decode(&[&bytes], &BOUNDS), naive(&bytes, &BOUNDS), "{head:04x}");
                }
            }
        }
    }

    /// Every way to cut short streams in three pieces.
    #[test]
    fn f16_f20_every_split_in_three() {
        let hello = frame(0x81, b"Hello");
        let streams = [
            [hello.clone(), frame(0x82, b""), hello.clone()].concat(),
            [frame(0x01, b"Hel"), frame(0x89, b"ping"), frame(0x80, b"lo")].concat(),
            [frame(0x01, b"\xE2"), frame(0x00, b"\x82"), frame(0x80, b"\xAC!")].concat(),
            [frame(0x81, "\u{1F600}".as_bytes()), frame(0x88, b"\x03\xE8bye")].concat(),
            [hello.clone(), frame(0x81, b"a\xC0\xAF")].concat(),
            [frame(0x01, b"\xE2\x82"), frame(0x80, b"")].concat(),
            [hello.clone(), vec![0x82, 0xFE, 0, 126]].concat(),
            [hello.clone(), vec![0x82, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0, 0]].concat(),
            [hello.clone(), vec![0x82, 0xFE, 0, 125], vec![0; 20]].concat(),
            [hello, vec![0x89, 0xFE], vec![0; 20]].concat(),
            [announce(0x82, 126), vec![0x5A; 30]].concat(),
        ];
        for stream in streams {
            assert!(stream.len() <= 40);
            let whole = judge(&stream, &BOUNDS);
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let cut = [&stream[..first], &stream[first..second], &stream[second..]];
                    assert_eq!(decode(&cut, &BOUNDS), whole, "{stream:02x?} {first} {second}");
                }
            }
        }
    }

    #[test]
    fn f06_f07_announced_lengths() {
        for limit in [0, 1, 125, 126, 65_535, 65_536, 1 << 31, 1 << 32, (1 << 63) - 2] {
            let bounds = Bounds { message_bytes: limit, fragments: 9 };
            for first in [0x81, 0x82, 0x01, 0x02] {
                assert_eq!(fault_of(&[announce(first, limit)], &bounds), None, "{limit}");
                let below = limit.saturating_sub(1);
                assert_eq!(fault_of(&[announce(first, below)], &bounds), None, "{limit}");
                let head = announce(first, limit + 1);
                assert_eq!(
                    fault_of(std::slice::from_ref(&head), &bounds),
                    Some(Fault::TooLarge),
                    "{limit}"
                );
                // The length says it; the key need not have come.
                let without_key = head[..head.len() - 4].to_vec();
                assert_eq!(fault_of(&[without_key], &bounds), Some(Fault::TooLarge), "{limit}");
            }
        }
    }

    #[test]
    fn f07_sums_of_fragments() {
        let bounds = Bounds { message_bytes: 10, fragments: 9 };
        let start = [frame(0x02, b"1234"), frame(0x89, b"not counted"), frame(0x00, b"56")];
        for (left, expected) in [(3, None), (4, None), (5, Some(Fault::TooLarge))] {
            let last = frame(0x80, &b"789ab"[..left]);
            let next = frame(0x81, b"0123456789");
            let stream = [&start[..], &[last, next]].concat();
            assert_eq!(fault_of(&stream, &bounds), expected, "{left} more");
        }
    }

    /// Two fragments of 2^63 bytes would be more than 64 bits count, with no limit set at all.
    #[test]
    fn f07_a_sum_never_overflows() {
        for (left, expected) in [(5, None), (6, Some(Fault::TooLarge))] {
            let mut decoder = Decoder {
                message: Message::Binary,
                message_bytes: u64::MAX - 5,
                fragments: 3,
                ..Decoder::new(false)
            };
            let head = announce(0x80, left);
            assert_eq!(decoder.step(&head, 0, &UNBOUNDED).err(), expected);
        }
    }

    #[test]
    fn f08_f09_f10_places() {
        let (text, binary) = (frame(0x81, b"t"), frame(0x82, b"b"));
        let (start, middle, end) = (frame(0x01, b"1"), frame(0x00, b"2"), frame(0x80, b"3"));
        let ping = frame(0x89, b"p");
        let cases: &[(&[&Vec<u8>], Option<Fault>)] = &[
            (&[&end], Some(Fault::Continuation)),
            (&[&middle], Some(Fault::Continuation)),
            (&[&text, &end], Some(Fault::Continuation)),
            (&[&start, &end, &end], Some(Fault::Continuation)),
            (&[&ping, &end], Some(Fault::Continuation)),
            (&[&start, &text], Some(Fault::Interleaved)),
            (&[&start, &middle, &binary], Some(Fault::Interleaved)),
            (&[&start, &start], Some(Fault::Interleaved)),
            (&[&start, &ping, &start], Some(Fault::Interleaved)),
            (&[&start, &ping, &middle, &ping, &end, &text], None),
        ];
        for (frames, expected) in cases {
            let frames: Vec<Vec<u8>> = frames.iter().map(|frame| frame.to_vec()).collect();
            assert_eq!(fault_of(&frames, &BOUNDS), *expected, "{frames:02x?}");
        }
    }

    #[test]
    fn f13_empty_frames_are_frames() {
        let frames = [(0x81, ""), (0x82, ""), (0x01, ""), (0x00, "a"), (0x00, ""), (0x80, "")];
        let stream: Vec<u8> =
            frames.iter().flat_map(|(first, text)| frame(*first, text.as_bytes())).collect();
        let expected = frames.iter().map(|(first, text)| (*first, text.as_bytes().to_vec()));
        assert_eq!(judge(&stream, &BOUNDS).frames, expected.collect::<Vec<_>>());
    }

    #[test]
    fn f14_fragments_are_counted_empty_or_not() {
        for payload in [&b""[..], b"x"] {
            let start = frame(0x02, payload);
            let middle = frame(0x00, payload);
            let end = frame(0x80, payload);
            let ping = frame(0x89, payload);
            // Four are allowed, and controls between them are none.
            let most = [&start, &middle, &ping, &middle, &ping, &end].map(Vec::clone);
            let next = [start.clone(), middle.clone(), middle.clone(), end.clone()];
            assert_eq!(fault_of(&[&most[..], &next].concat(), &BOUNDS), None);
            for last in [middle.clone(), end] {
                let more = [start.clone(), middle.clone(), middle.clone(), middle.clone(), last];
                assert_eq!(fault_of(&more, &BOUNDS), Some(Fault::TooManyFragments));
            }
        }
    }

    #[test]
    fn f20_five_thousand_frames_in_one_buffer() {
        let expected: Vec<_> =
            (0..5000).map(|n: u32| (0x81 + (n % 2) as u8, n.to_string().into_bytes())).collect();
        let stream: Vec<u8> = expected.iter().flat_map(|(f, text)| frame(*f, text)).collect();
        assert_eq!(decode(&[&stream], &BOUNDS).frames, expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&bytes, &BOUNDS).frames, expected);
    }
}
