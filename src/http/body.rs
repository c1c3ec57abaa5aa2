//! The body of a request: its bytes without their framing (RFC 9112 §6, §7.1).
//!
//! Bytes go in as they come, in pieces of any length; data stays in front of them. Chunks are read
//! strictly: a line ends in CRLF, a size is hexadecimal digits and nothing else, and what has no
//! meaning here, extensions and trailers, is limited, checked and dropped.

use super::class::{TCHAR, VALUE, class};
use super::{Framing, Refusal};
use crate::limits::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, READ_BYTES_MIN, TRAILER_BYTES_MAX,
};

/// A body that is arriving.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunks),
}

/// What [`Body::decode`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of data, which now stand in front of all others.
    pub data: usize,
    /// Bytes that belong to the body; those behind them do not.
    pub consumed: usize,
}

/// Why bytes are not a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// A chunk does not begin with its size in hexadecimal digits, or that has too many.
    ChunkSize,
    /// A chunk extension has a byte that it may not have, or extensions are too long.
    ChunkExtension,
    /// CR LF is missing behind a size, behind data, or at the end of a line.
    LineEnd,
    /// A trailer is not a field, or all together are too long.
    Trailer,
    /// The body is longer than a message may be.
    TooLong,
}

impl BodyFault {
    /// What the request is refused with.
    #[must_use]
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::TooLong => Refusal::TooLong,
            fault => Refusal::Chunks(fault),
        }
    }

    /// One line for the response's body and for the log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ChunkSize => "a chunk's size is malformed",
            Self::ChunkExtension => "a chunk's extension is malformed, or extensions are too long",
            Self::LineEnd => "CR LF is missing in a chunked body",
            Self::Trailer => "a trailer is malformed, or trailers are too long",
            Self::TooLong => "the body is too long",
        }
    }
}

impl Body {
    /// A body of which nothing has arrived. `most` is the most data that it may have.
    ///
    /// # Errors
    /// It says that it will be longer.
    pub fn new(framing: Framing, most: u64) -> Result<Self, Refusal> {
        match framing {
            Framing::Length(length) if length > most => Err(Refusal::TooLong),
            Framing::Length(length) => Ok(Self(Kind::Length(length))),
            Framing::Chunked => Ok(Self(Kind::Chunked(Chunks::new(most)))),
        }
    }

    /// True when its last byte has arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            Kind::Length(left) => *left == 0,
            Kind::Chunked(chunks) => chunks.state == State::End,
        }
    }

    /// How many bytes it may take next: its rest, or of a chunked body what is worth a read; 0 when
    /// it is complete.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        match &self.0 {
            Kind::Length(left) => *left,
            Kind::Chunked(chunks) => match chunks.state {
                State::End => 0,
                _ => chunks.size.max(READ_BYTES_MIN as u64),
            },
        }
    }

    /// Takes the next bytes of the stream, and moves the data among them to their front.
    ///
    /// # Errors
    /// The first byte that breaks a rule; what was moved by then is of no use.
    pub fn decode(&mut self, bytes: &mut [u8]) -> Result<Decoded, BodyFault> {
        match &mut self.0 {
            Kind::Length(left) => {
                let count =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= count as u64;
                Ok(Decoded { data: count, consumed: count })
            }
            Kind::Chunked(chunks) => chunks.decode(bytes),
        }
    }
}

/// What the next byte of a chunked body is.
///
/// ```text
/// Size -> Blank -> Extension -> SizeLf -> Data -> DataCr -> DataLf -> Size
///   '-------------------------'    |
///                   (size 0)       v
///              Line -> Name -> Value -> LineLf -> Line;  Line -> LastLf -> End
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A digit of a size, of which there have been so many.
    Size(u8),
    /// White space behind a size, which only `;` may follow.
    Blank,
    /// A byte of extensions.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer, or of the empty line that ends all.
    Line,
    /// A byte of a trailer's name.
    Name,
    /// A byte of a trailer's value.
    Value,
    LineLf,
    LastLf,
    End,
}

#[derive(Debug)]
struct Chunks {
    state: State,
    /// Of the chunk: its size as far as it has been read, then what is left of its data.
    size: u64,
    /// Data that the body may still have.
    left: u64,
    /// Bytes that extensions and trailers may still have, those of all chunks together.
    extension_left: usize,
    trailer_left: usize,
}

impl Chunks {
    fn new(most: u64) -> Self {
        Self {
            state: State::Size(0),
            size: 0,
            left: most,
            extension_left: CHUNK_EXTENSION_BYTES_MAX,
            trailer_left: TRAILER_BYTES_MAX,
        }
    }

    fn decode(&mut self, bytes: &mut [u8]) -> Result<Decoded, BodyFault> {
        let (mut read, mut data) = (0, 0);
        while read < bytes.len() && self.state != State::End {
            if self.state != State::Data {
                self.step(bytes[read])?;
                read += 1;
                continue;
            }
            let rest = bytes.len() - read;
            let count = usize::try_from(self.size).map_or(rest, |size| size.min(rest));
            bytes.copy_within(read..read + count, data);
            read += count;
            data += count;
            self.size -= count as u64;
            if self.size == 0 {
                self.state = State::DataCr;
            }
        }
        Ok(Decoded { data, consumed: read })
    }

    /// Takes one byte that is not data.
    fn step(&mut self, byte: u8) -> Result<(), BodyFault> {
        use State::{
            Blank, Data, DataCr, DataLf, End, Extension, LastLf, Line, LineLf, Name, Size, SizeLf,
            Value,
        };
        if matches!(self.state, Line | Name | Value | LineLf | LastLf) {
            self.trailer_left = self.trailer_left.checked_sub(1).ok_or(BodyFault::Trailer)?;
        }
        self.state = match (self.state, byte) {
            (Size(digits), _) if byte.is_ascii_hexdigit() => self.digit(digits, byte)?,
            (Size(1..), b'\r') | (Extension, b'\r') => SizeLf,
            (Size(1..) | Blank, b';') => Extension,
            // §7.1.1: BWS may stand before the semicolon.
            (Size(1..) | Blank, b' ' | b'\t') => self.extension(Blank)?,
            (Size(_), _) => return Err(BodyFault::ChunkSize),
            (Extension, _) if class(byte) & VALUE != 0 => self.extension(Extension)?,
            (Blank, _) | (Extension, _) => return Err(BodyFault::ChunkExtension),
            (SizeLf, b'\n') if self.size == 0 => Line,
            (SizeLf, b'\n') if self.size > self.left => return Err(BodyFault::TooLong),
            (SizeLf, b'\n') => {
                self.left -= self.size;
                Data
            }
            (DataCr, b'\r') => DataLf,
            (DataLf, b'\n') => Size(0),
            (Line, b'\r') => LastLf,
            // §7.1.2, §5.2: a line that begins with white space is no field, folded or not.
            (Line | Name, _) if class(byte) & TCHAR != 0 => Name,
            (Name, b':') => Value,
            (Line | Name, _) => return Err(BodyFault::Trailer),
            (Value, b'\r') => LineLf,
            (Value, _) if class(byte) & VALUE != 0 => Value,
            (Value, _) => return Err(BodyFault::Trailer),
            (LineLf, b'\n') => Line,
            (LastLf, b'\n') => End,
            (SizeLf | DataCr | DataLf | LineLf | LastLf | Data | End, _) => {
                return Err(BodyFault::LineEnd);
            }
        };
        Ok(())
    }

    /// §7.1: "Recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing
    /// errors due to integer conversion overflows".
    fn digit(&mut self, digits: u8, digit: u8) -> Result<State, BodyFault> {
        if digits == CHUNK_SIZE_DIGITS_MAX {
            return Err(BodyFault::ChunkSize);
        }
        let value = char::from(digit).to_digit(16).ok_or(BodyFault::ChunkSize)?;
        let before = if digits == 0 { 0 } else { self.size };
        self.size = before << 4 | u64::from(value);
        Ok(State::Size(digits + 1))
    }

    /// §7.1.1: "A server ought to limit the total length of chunk extensions received in a
    /// request".
    fn extension(&mut self, next: State) -> Result<State, BodyFault> {
        let left = self.extension_left.checked_sub(1);
        self.extension_left = left.ok_or(BodyFault::ChunkExtension)?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a chunked body that may have `most` bytes, and what is behind it.
    fn decoded(body: &[u8], most: u64, step: usize) -> Result<(Vec<u8>, usize, bool), BodyFault> {
        let mut decoder = Body::new(Framing::Chunked, most).unwrap();
        let (mut data, mut consumed) = (Vec::new(), 0);
        for piece in body.chunks(step) {
            let mut piece = piece.to_vec();
            let found = decoder.decode(&mut piece)?;
            assert!(found.data <= found.consumed && found.consumed <= piece.len());
            assert!(found.consumed == piece.len() || decoder.is_complete());
            data.extend_from_slice(&piece[..found.data]);
            consumed += found.consumed;
        }
        assert_eq!(decoder.wanted() == 0, decoder.is_complete());
        Ok((data, consumed, decoder.is_complete()))
    }

    /// The same in every step from single bytes to all at once.
    fn all_ways(body: &[u8], most: u64) -> Result<(Vec<u8>, usize, bool), BodyFault> {
        let whole = decoded(body, most, body.len().max(1));
        for step in 1..body.len().min(40) {
            assert_eq!(decoded(body, most, step), whole, "{} by {step}", body.escape_ascii());
        }
        whole
    }

    #[test]
    fn a_chunked_body_is_the_data_of_its_chunks() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"0\r\n\r\n", b""),
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", b"hello world"),
            (b"0000000000000001\r\nx\r\n0\r\n\r\n", b"x"),
            (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
            (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
            (b"1;a=b;c=\"d e\"\r\nx\r\n0;last\r\n\r\n", b"x"),
            (b"1 \t;a\r\nx\r\n0\r\n\r\n", b"x"),
            (b"1\r\nx\r\n0\r\nA: b\r\nContent-Length:\t7 \r\n\r\n", b"x"),
        ];
        for (body, data) in cases {
            let text = body.escape_ascii();
            assert_eq!(all_ways(body, 20), Ok((data.to_vec(), body.len(), true)), "{text}");
            // Bytes behind the end are nobody's.
            let more = [body, b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(all_ways(&more, 20), Ok((data.to_vec(), body.len(), true)), "{text}");
            for end in 0..body.len() {
                let part = decoded(&body[..end], 20, 7).expect("a part breaks no rule");
                assert!(!part.2 && data.starts_with(&part.0), "{text} up to {end}");
            }
        }
    }

    #[test]
    fn b05_b07_what_is_no_chunk_is_told_by_its_first_wrong_byte() {
        use BodyFault::{ChunkExtension, ChunkSize, LineEnd, TooLong, Trailer};
        let cases: [(&[u8], BodyFault); 34] = [
            (b"\r\n", ChunkSize),
            (b"\n", ChunkSize),
            (b" 5\r\n", ChunkSize),
            (b"+5\r\n", ChunkSize),
            (b"-5\r\n", ChunkSize),
            (b"0x5\r\n", ChunkSize),
            (b"g\r\n", ChunkSize),
            (b";a\r\n", ChunkSize),
            (b"5_0\r\n", ChunkSize),
            (b"5.\r\n", ChunkSize),
            (b"\xef\xbc\x95\r\n", ChunkSize),
            (b"5\nhello", ChunkSize),
            (b"00000000000000005\r\n", ChunkSize),
            (b"10000000000000000\r\n", ChunkSize),
            (b"5 \r\nhello", ChunkExtension),
            (b"5 5\r\n", ChunkExtension),
            (b"5;a\nhello", ChunkExtension),
            (b"5;a\0\r\n", ChunkExtension),
            (b"5;\"\n\"\r\n", ChunkExtension),
            (b"5\rhello", LineEnd),
            (b"5;a\rb\r\n", LineEnd),
            (b"1\r\nxy\r\n", LineEnd),
            (b"1\r\nx\n", LineEnd),
            (b"1\r\nx\r\r\n", LineEnd),
            (b"0\r\n\n", Trailer),
            (b"0\r\n\rx", LineEnd),
            (b"0\r\nA: b\n", Trailer),
            (b"0\r\nA: b\r\r\n", LineEnd),
            (b"0\r\nA: b\r\n c\r\n\r\n", Trailer),
            (b"0\r\n A: b\r\n", Trailer),
            (b"0\r\nA : b\r\n", Trailer),
            (b"0\r\n: b\r\n", Trailer),
            (b"15\r\n", TooLong),
            (b"ffffffffffffffff\r\n", TooLong),
        ];
        for (body, fault) in cases {
            assert_eq!(all_ways(body, 20), Err(fault), "{}", body.escape_ascii());
        }
        let twice = b"a\r\n0123456789\r\nb\r\n0123456789X\r\n0\r\n\r\n";
        assert_eq!(all_ways(twice, 20), Err(TooLong), "all chunks count together");
        assert_eq!(all_ways(b"0\r\nGET / HTTP/1.1\r\n\r\n", 20), Err(Trailer));
    }

    #[test]
    fn b06_b08_what_is_dropped_is_limited() {
        let chunk = |length: usize| [b"1;", &vec![b'a'; length][..], b"\r\nx\r\n"].concat();
        let end = b"0\r\n\r\n";
        let half = chunk(CHUNK_EXTENSION_BYTES_MAX / 2);
        let most = [&half[..], &half, end].concat();
        assert!(decoded(&most, 9, 1000).is_ok_and(|found| found.2));
        let more = [&half[..], &half, &chunk(1), end].concat();
        assert_eq!(decoded(&more, 9, 1000), Err(BodyFault::ChunkExtension));
        let blanks = [b"1", &vec![b' '; CHUNK_EXTENSION_BYTES_MAX + 1][..]].concat();
        assert_eq!(decoded(&blanks, 9, 1000), Err(BodyFault::ChunkExtension));

        let trailers = |count: usize| [b"0\r\n", &b"A: b\r\n".repeat(count)[..], b"\r\n"].concat();
        let count = (TRAILER_BYTES_MAX - 2) / 6;
        assert!(decoded(&trailers(count), 9, 1000).is_ok_and(|found| found.2));
        assert_eq!(decoded(&trailers(count + 1), 9, 1000), Err(BodyFault::Trailer));
    }

    #[test]
    fn a_length_is_counted_down() {
        let mut body = Body::new(Framing::Length(7), 7).unwrap();
        let mut bytes = *b"hello";
        assert_eq!(body.decode(&mut bytes), Ok(Decoded { data: 5, consumed: 5 }));
        assert_eq!((body.wanted(), body.is_complete()), (2, false));
        assert_eq!(body.decode(&mut bytes), Ok(Decoded { data: 2, consumed: 2 }));
        assert_eq!((body.wanted(), body.is_complete()), (0, true));
        assert_eq!(body.decode(&mut bytes), Ok(Decoded { data: 0, consumed: 0 }));
        assert!(Body::new(Framing::Length(0), 0).unwrap().is_complete());
        assert!(matches!(Body::new(Framing::Length(8), 7), Err(Refusal::TooLong)));
        assert!(matches!(Body::new(Framing::Length(u64::MAX), 7), Err(Refusal::TooLong)));
    }
}
