//! The request head, byte by byte (RFC 9112 §2–5): is it valid, and where does it end?
//!
//! Theory of operation. A head arrives in any number of pieces. [`Scan`] is a byte automaton with a
//! few bytes of state that validates each byte once, in order, and remembers where it stopped; so
//! the outcome depends on the bytes alone, never on how they were cut, and a fault is found at the
//! byte that makes it one. Behind the last byte, one more walk over the head, now known to be
//! valid, notes where its fields are ([`Head`]). No byte is looked at more than twice and nothing
//! is allocated.
//!
//! ```text
//! Start -CR-> StartLf -LF-> MethodFirst      one empty line before the request is ignored (§2.2)
//! Start, MethodFirst -tchar-> Method -SP-> TargetFirst -VCHAR-> Target -SP-> Protocol(0)
//! Protocol(0..4) -"HTTP/"-> Major -digit-> Dot -'.'-> Minor -digit-> RequestCr -CR-> LineLf
//! LineLf -LF-> LineFirst -tchar-> Name -':'-> Value -CR-> LineLf
//! LineFirst -CR-> EndLf -LF-> Done
//! ```

use super::{Head, HeadFault};
use crate::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, HEAD_METHOD_BYTES_MAX};

/// Where the reading of one head stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    /// Bytes validated so far; <= `HEAD_BYTES_MAX`.
    at: u16,
    /// Field lines begun so far; <= `HEAD_FIELDS_MAX`.
    fields: u8,
    state: State,
}

/// What [`Scan::advance`] found.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation per handshake"
)]
pub enum Progress<'a> {
    /// The bytes are the beginning of a valid head.
    Partial,
    /// The head is there; bytes may follow it.
    Complete(Head<'a>),
}

impl Scan {
    /// Reads on. `bytes` is all that has come of this head, from its first byte, and may hold bytes
    /// behind it. After `Complete` or a fault the same call gives the same result again.
    ///
    /// # Errors
    /// The first rule of RFC 9112 or limit that the bytes break.
    pub fn advance<'a>(&mut self, bytes: &'a [u8]) -> Result<Progress<'a>, HeadFault> {
        while self.state != State::Done {
            let limit = self.state.limit();
            let rest = bytes.get(usize::from(self.at)..).unwrap_or_default();
            let room = limit - usize::from(self.at);
            let allowed = &rest[..rest.len().min(room)];
            let mask = self.state.run();
            let run = allowed
                .iter()
                .take_while(|&&byte| CLASS[usize::from(byte)] & mask != 0);
            // Both sums stay within the limit, which fits (asserted in limits.rs).
            self.at += u16::try_from(run.count()).unwrap_or_default();
            match bytes.get(usize::from(self.at)) {
                None => return Ok(Progress::Partial),
                Some(_) if usize::from(self.at) == limit => return Err(self.state.overflow()),
                Some(&byte) => self.step(byte)?,
            }
        }
        Ok(Progress::Complete(Head::index(
            &bytes[..usize::from(self.at).min(bytes.len())],
        )))
    }

    fn step(&mut self, byte: u8) -> Result<(), HeadFault> {
        let next = self.state.next(byte)?;
        if self.state == State::LineFirst && next == State::Name {
            if usize::from(self.fields) == HEAD_FIELDS_MAX {
                return Err(HeadFault::FieldsTooMany);
            }
            self.fields += 1;
        }
        self.state = next;
        self.at += 1;
        Ok(())
    }
}

/// `tchar` (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TCHAR != 0
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    StartLf,
    MethodFirst,
    Method,
    TargetFirst,
    Target,
    /// How many bytes of `HTTP/` were there.
    Protocol(u8),
    Major,
    Dot {
        one: bool,
    },
    Minor {
        one: bool,
    },
    RequestCr,
    LineLf,
    LineFirst,
    Name,
    Value,
    EndLf,
    Done,
}

impl State {
    /// The state after `byte`.
    fn next(self, byte: u8) -> Result<Self, HeadFault> {
        let class = CLASS[usize::from(byte)];
        match (self, byte) {
            (Self::Start, b'\r') => Ok(Self::StartLf),
            (Self::Start, b'\n') => Err(HeadFault::BareLf),
            (Self::Start, TLS_HANDSHAKE) => Err(HeadFault::TlsHello),
            (Self::StartLf, b'\n') => Ok(Self::MethodFirst),
            (Self::Start | Self::MethodFirst, _) if class & TCHAR != 0 => Ok(Self::Method),
            (Self::Method, _) if class & TCHAR != 0 => Ok(Self::Method),
            (Self::Method, b' ') => Ok(Self::TargetFirst),
            (Self::Start | Self::MethodFirst | Self::Method, _) => Err(HeadFault::Method),
            (Self::TargetFirst | Self::Target, _) if class & VCHAR != 0 => Ok(Self::Target),
            (Self::Target, b' ') => Ok(Self::Protocol(0)),
            (Self::TargetFirst | Self::Target, _) => Err(HeadFault::Target),
            (Self::Protocol(0), b'H') => Ok(Self::Protocol(1)),
            (Self::Protocol(1), b'T') => Ok(Self::Protocol(2)),
            (Self::Protocol(2), b'T') => Ok(Self::Protocol(3)),
            (Self::Protocol(3), b'P') => Ok(Self::Protocol(4)),
            (Self::Protocol(4), b'/') => Ok(Self::Major),
            (Self::Major, b'0'..=b'9') => Ok(Self::Dot { one: byte == b'1' }),
            (Self::Dot { one }, b'.') => Ok(Self::Minor { one }),
            (Self::Minor { one: true }, b'0' | b'1') => Ok(Self::RequestCr),
            (Self::Minor { .. }, b'0'..=b'9') => Err(HeadFault::VersionUnsupported),
            (Self::RequestCr, b'\r') => Ok(Self::LineLf),
            (Self::RequestCr | Self::LineFirst | Self::Value, b'\n') => Err(HeadFault::BareLf),
            (Self::Protocol(_) | Self::Major | Self::Dot { .. }, _) => Err(HeadFault::Version),
            (Self::Minor { .. } | Self::RequestCr, _) => Err(HeadFault::Version),
            (Self::LineLf, b'\n') => Ok(Self::LineFirst),
            (Self::LineFirst, b'\r') => Ok(Self::EndLf),
            (Self::LineFirst, b' ' | b'\t') => Err(HeadFault::FieldFolded),
            (Self::LineFirst | Self::Name, _) if class & TCHAR != 0 => Ok(Self::Name),
            (Self::Name, b':') => Ok(Self::Value),
            (Self::Name, b' ' | b'\t') => Err(HeadFault::FieldNameSpace),
            (Self::LineFirst | Self::Name, _) => Err(HeadFault::FieldName),
            (Self::Value, b'\r') => Ok(Self::LineLf),
            (Self::Value, _) if class & VALUE != 0 => Ok(Self::Value),
            (Self::Value, _) => Err(HeadFault::FieldValue),
            (Self::EndLf, b'\n') => Ok(Self::Done),
            (Self::StartLf | Self::LineLf | Self::EndLf, _) => Err(HeadFault::BareCr),
            // `advance` takes no step after the end.
            (Self::Done, _) => Ok(Self::Done),
        }
    }

    /// The class of bytes that leave this state as it is.
    fn run(self) -> u8 {
        match self {
            Self::Method | Self::Name => TCHAR,
            Self::Target => VCHAR,
            Self::Value => VALUE,
            _ => 0,
        }
    }

    /// The bytes of the head that may have been seen when this state is left.
    fn limit(self) -> usize {
        match self {
            Self::Start | Self::StartLf | Self::MethodFirst | Self::Method => HEAD_METHOD_BYTES_MAX,
            _ => HEAD_BYTES_MAX,
        }
    }

    /// The fault of a head that has reached the limit in this state.
    fn overflow(self) -> HeadFault {
        match self {
            Self::Start | Self::StartLf | Self::MethodFirst | Self::Method => {
                HeadFault::MethodTooLong
            }
            Self::TargetFirst | Self::Target => HeadFault::TargetTooLong,
            _ => HeadFault::TooLong,
        }
    }
}

/// The first byte of a TLS record that carries a ClientHello (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// `tchar` (RFC 9110 §5.6.2).
const TCHAR: u8 = 1;
/// Visible ASCII.
const VCHAR: u8 = 2;
/// What a field value may hold: visible ASCII, obs-text, SP, HTAB (RFC 9110 §5.5).
const VALUE: u8 = 4;

/// The classes each byte belongs to.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut at = 0;
    while at < 256 {
        class[at] = match at as u8 {
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' => {
                TCHAR | VCHAR | VALUE
            }
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => TCHAR | VCHAR | VALUE,
            0x21..=0x7e => VCHAR | VALUE,
            b' ' | b'\t' | 0x80..=0xff => VALUE,
            _ => 0,
        };
        at += 1;
    }
    class
};
