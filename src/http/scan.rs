//! The request head (RFC 9112 §2–5): is it valid, where does it end, and where are its lines?
//!
//! Theory of operation. A head arrives in any number of pieces. [`Scan`] is a byte automaton with a
//! few bytes of state that validates each byte once, in order, and remembers where it stopped; so
//! the outcome depends on the bytes alone, never on how they were cut, and a fault is found at the
//! byte that makes it one.
//!
//! Nearly every head comes in one piece and is valid. So wherever a line begins, the automaton
//! first looks whether that line is there as a whole ([`request_line`], [`field_line`]); if so it
//! is taken in one go, and if not, the automaton says what is wrong or missing. The lines are noted
//! on the way, and the last one completes the [`Head`]. Of a head that came in pieces no notes are
//! kept: once it is complete, it is read again from its first byte. No byte is looked at more than
//! three times, and nothing is allocated.
//!
//! ```text
//! Start -CR-> StartLf -LF-> MethodFirst      one empty line before the request is ignored (§2.2)
//! Start, MethodFirst -tchar-> Method -SP-> TargetFirst -VCHAR-> Target -SP-> Protocol(0)
//! Protocol(0..4) -"HTTP/"-> Major -digit-> Dot -'.'-> Minor -digit-> RequestCr -CR-> LineLf
//! LineLf -LF-> LineFirst -tchar-> Name -':'-> Value -CR-> LineLf
//! LineFirst -CR-> EndLf -LF-> Done
//! ```

use super::class::{TCHAR, VALUE, VCHAR, class, run, tokens, values};
use super::head::{Line, Lines};
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
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation per handshake")]
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
        if self.at > 0 {
            self.read(bytes, None)?;
            if self.state != State::Done {
                return Ok(Progress::Partial);
            }
            // It is whole now, and read again for its lines.
            *self = Self::default();
        }
        let mut lines = Lines::default();
        self.read(bytes, Some(&mut lines))?;
        if self.state != State::Done {
            return Ok(Progress::Partial);
        }
        let head = &bytes[..bytes.len().min(usize::from(self.at))];
        Ok(Progress::Complete(Head::new(head, lines)))
    }

    /// Reads on to the end of the head or of `bytes`, and notes the lines that it reads from their
    /// first byte. After a fault nothing has changed.
    fn read(&mut self, bytes: &[u8], mut lines: Option<&mut Lines>) -> Result<(), HeadFault> {
        let mut note = |line| {
            if let Some(lines) = &mut lines {
                lines.push(bytes, line);
            }
        };
        let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
        let Self { at, mut fields, mut state } = *self;
        let mut at = usize::from(at);
        let (mut start, mut split) = (at, at);
        while state != State::Done {
            // What is there as a whole: mostly all of it.
            if state == State::Start {
                if let Some(line) = request_line(bytes) {
                    at = line.next();
                    note(line);
                    state = State::LineFirst;
                }
            }
            if state == State::LineFirst {
                while usize::from(fields) < HEAD_FIELDS_MAX {
                    let Some(line) = field_line(bytes, at) else { break };
                    at = line.next();
                    note(line);
                    fields += 1;
                }
            }
            // The next byte of what is not.
            at += state.run(bytes.get(at..).unwrap_or_default());
            if at >= state.limit() {
                return Err(state.overflow());
            }
            let Some(&byte) = bytes.get(at) else { break };
            let next = state.next(byte)?;
            match next {
                State::Method => start = at,
                State::Name if usize::from(fields) == HEAD_FIELDS_MAX => {
                    return Err(HeadFault::FieldsTooMany);
                }
                State::Name => {
                    start = at;
                    fields += 1;
                }
                State::TargetFirst | State::Value => split = at,
                State::LineLf => note(Line::new(start, split, at)),
                _ => {}
            }
            state = next;
            at += 1;
        }
        // The end is within the limit, and that fits (asserted in limits.rs).
        let at = u16::try_from(at).unwrap_or_default();
        *self = Self { at, fields, state };
        Ok(())
    }
}

/// The request line that `bytes` begin with, if it is there as a whole and as usual: what this does
/// not know, HTTP/1.0 for one, the automaton may.
fn request_line(bytes: &[u8]) -> Option<Line> {
    const REST: &[u8] = b" HTTP/1.1\r\n";
    let space = tokens(bytes);
    if !(1..HEAD_METHOD_BYTES_MAX).contains(&space) || bytes.get(space) != Some(&b' ') {
        return None;
    }
    let target = run(VCHAR, &bytes[space + 1..]);
    let end = space + 1 + target;
    let valid = target > 0 && bytes[end..].starts_with(REST);
    valid.then(|| Line::new(0, space, end + REST.len() - 2))
}

/// The field line that begins at `start`, if it is there as a whole and valid.
fn field_line(bytes: &[u8], start: usize) -> Option<Line> {
    let colon = start + tokens(bytes.get(start..)?);
    if colon == start || bytes.get(colon) != Some(&b':') {
        return None;
    }
    let end = colon + 1 + values(&bytes[colon + 1..]);
    bytes[end..].starts_with(b"\r\n").then(|| Line::new(start, colon, end))
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
        let class = class(byte);
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

    /// How many bytes from the first on leave this state as it is.
    fn run(self, bytes: &[u8]) -> usize {
        match self {
            Self::Method | Self::Name => tokens(bytes),
            Self::Target => run(VCHAR, bytes),
            Self::Value => values(bytes),
            _ => 0,
        }
    }

    /// This state has to be left before the head is this long.
    fn limit(self) -> usize {
        match self {
            Self::Start | Self::StartLf | Self::MethodFirst | Self::Method => HEAD_METHOD_BYTES_MAX,
            _ => HEAD_BYTES_MAX,
        }
    }

    /// The fault of a head that has reached its limit in this state.
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads a head whole, byte by byte and in two pieces, and returns the outcome, which has to be
    /// the same. `None` is a head that is not complete.
    pub(in crate::http) fn read(bytes: &[u8]) -> Result<Option<Head<'_>>, HeadFault> {
        let whole = outcome(&mut Scan::default(), bytes);
        // H36: the shortest beginning that tells the outcome, found byte by byte.
        let mut scan = Scan::default();
        let told = (0..=bytes.len()).find(|&end| outcome(&mut scan, &bytes[..end]) != Ok(None));
        let stride = if bytes.len() <= 1024 { 1 } else { 61 };
        for split in (0..=bytes.len()).step_by(stride) {
            let mut scan = Scan::default();
            let first = outcome(&mut scan, &bytes[..split]);
            let expected = if told.is_some_and(|end| split >= end) { whole } else { Ok(None) };
            assert_eq!(first, expected, "{split} bytes of {:?}", bytes.escape_ascii().to_string());
            if first == Ok(None) {
                // What has been read is never read again.
                assert_eq!(usize::from(scan.at), split);
            }
            assert_eq!(outcome(&mut scan, bytes), whole, "split at {split}");
            assert_eq!(outcome(&mut scan, bytes), whole, "the end is the end");
        }
        match Scan::default().advance(bytes)? {
            Progress::Complete(head) => Ok(Some(head)),
            Progress::Partial => Ok(None),
        }
    }

    /// A head's length, or `None` if it is not complete.
    type Outcome = Result<Option<usize>, HeadFault>;

    fn outcome(scan: &mut Scan, bytes: &[u8]) -> Outcome {
        match scan.advance(bytes)? {
            Progress::Complete(head) => Ok(Some(head.length())),
            Progress::Partial => Ok(None),
        }
    }

    #[track_caller]
    fn check(cases: &[(&[u8], Outcome)]) {
        for (bytes, expected) in cases {
            let found = read(bytes).map(|head| head.map(|head| head.length()));
            assert_eq!(found, *expected, "{}", bytes.escape_ascii());
        }
    }

    /// A faulty head is faulty with its last byte, and not before.
    #[track_caller]
    fn check_faults(cases: &[(&[u8], HeadFault)]) {
        for (bytes, fault) in cases {
            assert_eq!(read(bytes).map(|_| ()), Err(*fault), "{}", bytes.escape_ascii());
            let before = &bytes[..bytes.len() - 1];
            assert!(matches!(read(before), Ok(None)), "early: {}", bytes.escape_ascii());
            // What follows does not matter.
            let after = [bytes, b"\r\n\r\nGET / HTTP/1.1\r\n\r\n".as_slice()].concat();
            assert_eq!(read(&after).map(|_| ()), Err(*fault), "{}", after.escape_ascii());
        }
    }

    #[test]
    fn valid_heads_have_the_length_they_have() {
        check(&[
            (b"", Ok(None)),
            (b"\r", Ok(None)),
            (b"GET / HTTP/1.1\r\n\r", Ok(None)),
            (b"GET / HTTP/1.1\r\n\r\n", Ok(Some(18))),
            (b"GET / HTTP/1.0\r\n\r\n", Ok(Some(18))),
            (b"GET / HTTP/1.1\r\n\r\n\x81\x80rest", Ok(Some(18))),
            (b"GET / HTTP/1.1\r\na:\r\n\r\n\r\n", Ok(Some(22))),
            (b"GET / HTTP/1.1\r\na: b:c\t\xff \r\n!#$%&'*+-.^_`|~09AZaz:\r\n\r\n", Ok(Some(53))),
        ]);
    }

    /// Whole lines are taken at once, and byte by byte none is whole: both have to see the same in
    /// whatever a good request can be turned into by one byte.
    #[test]
    fn h36_a_changed_byte_is_seen_alike_in_one_piece_and_in_many() {
        const REQUEST: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nA-long_name:value\t\r\n\
            \r\nbehind";
        const BYTES: &[u8] = b"\0\t\n\r !\"%/:;?HT019AZ[_az~\x7f\x80\xff";
        let lines = |head: &Head<'_>| format!("{:?} {head:?}", head.fields().collect::<Vec<_>>());
        for at in 0..REQUEST.len() {
            for &byte in BYTES {
                let mut bytes = REQUEST.to_vec();
                bytes[at] = byte;
                let mut scan = Scan::default();
                let in_pieces =
                    (0..bytes.len()).find_map(|end| match scan.advance(&bytes[..end]) {
                        Ok(Progress::Partial) => None,
                        Ok(Progress::Complete(head)) => Some(Ok(lines(&head))),
                        Err(fault) => Some(Err(fault)),
                    });
                let whole = match Scan::default().advance(&bytes) {
                    Ok(Progress::Partial) => None,
                    Ok(Progress::Complete(head)) => Some(Ok(lines(&head))),
                    Err(fault) => Some(Err(fault)),
                };
                assert_eq!(in_pieces, whole, "{}", bytes.escape_ascii());
            }
        }
    }

    /// The rules that a line taken in one go could slip past.
    #[test]
    fn whole_lines_are_held_to_the_rules_of_bytes() {
        let request = |method: &str| format!("{method} / HTTP/1.1\r\n\r\n");
        let method = "M".repeat(HEAD_METHOD_BYTES_MAX - 1);
        let longest = request(&method);
        let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        let most = fields(HEAD_FIELDS_MAX);
        check(&[
            (longest.as_bytes(), Ok(Some(longest.len()))),
            (request(&(method + "M")).as_bytes(), Err(HeadFault::MethodTooLong)),
            (request("").as_bytes(), Err(HeadFault::Method)),
            (b"GET  HTTP/1.1\r\n\r\n", Err(HeadFault::Target)),
            (b"GET / HTTP/1.1\r\n: b\r\n\r\n", Err(HeadFault::FieldName)),
            (most.as_bytes(), Ok(Some(most.len()))),
            (fields(HEAD_FIELDS_MAX + 1).as_bytes(), Err(HeadFault::FieldsTooMany)),
        ]);
    }

    #[test]
    fn h04_space_before_colon() {
        // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
        check_faults(&[
            (b"GET / HTTP/1.1\r\nHost ", HeadFault::FieldNameSpace),
            (b"GET / HTTP/1.1\r\nHost\t", HeadFault::FieldNameSpace),
        ]);
    }

    #[test]
    fn h05_obs_fold() {
        // RFC 9112 §5.2: a server "MUST either reject the message by sending a 400 (Bad
        // Request) [...]"
        check_faults(&[
            (b"GET / HTTP/1.1\r\na: b\r\n ", HeadFault::FieldFolded),
            (b"GET / HTTP/1.1\r\na: b\r\n\t", HeadFault::FieldFolded),
            // §2.2: white space between the start line and the first field.
            (b"GET / HTTP/1.1\r\n ", HeadFault::FieldFolded),
        ]);
    }

    #[test]
    fn h06_bare_lf() {
        // RFC 9112 §2.2 lets a recipient take LF for a line's end; this one does not.
        check_faults(&[
            (b"\n", HeadFault::BareLf),
            (b"GET / HTTP/1.1\n", HeadFault::BareLf),
            (b"GET / HTTP/1.1\r\na: b\n", HeadFault::BareLf),
            (b"GET / HTTP/1.1\r\n\n", HeadFault::BareLf),
            (b"GET / HTTP/1.1\r\na: b\r\n\n", HeadFault::BareLf),
        ]);
    }

    #[test]
    fn h07_bare_cr() {
        // RFC 9112 §2.2: "A recipient of such a bare CR MUST consider that element to be invalid".
        check_faults(&[
            (b"\rG", HeadFault::BareCr),
            (b"\r\r", HeadFault::BareCr),
            (b"GET / HTTP/1.1\rH", HeadFault::BareCr),
            (b"GET / HTTP/1.1\r\na: b\rc", HeadFault::BareCr),
            (b"GET / HTTP/1.1\r\na: b\r\r", HeadFault::BareCr),
            (b"GET / HTTP/1.1\r\n\rX", HeadFault::BareCr),
            (b"GET / HTTP/1.1\r\n\r\r", HeadFault::BareCr),
        ]);
        // An empty line is the end; what follows belongs to nobody here.
        check(&[(b"GET / HTTP/1.1\r\n\r\nX: y\r\n\r\n", Ok(Some(18)))]);
    }

    #[test]
    fn h08_bytes_that_no_name_or_value_has() {
        const LINE: &[u8] = b"GET / HTTP/1.1\r\n";
        for byte in 0..=u8::MAX {
            let value = [LINE, b"a: b", &[byte]].concat();
            let allowed = matches!(byte, b'\t' | b'\r' | b' '..=b'~' | 0x80..);
            assert_eq!(read(&value).is_ok(), allowed, "value {byte:#04x}");
            let name = [LINE, b"a", &[byte]].concat();
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(&byte);
            assert_eq!(read(&name).is_ok(), token, "name {byte:#04x}");
        }
        check_faults(&[
            (b"GET / HTTP/1.1\r\na: \0", HeadFault::FieldValue),
            (b"GET / HTTP/1.1\r\na: \x7f", HeadFault::FieldValue),
            (b"GET / HTTP/1.1\r\na[", HeadFault::FieldName),
            (b"GET / HTTP/1.1\r\n\xe9", HeadFault::FieldName),
            (b"GET / HTTP/1.1\r\n:", HeadFault::FieldName),
            (b"GET / HTTP/1.1\r\na\r", HeadFault::FieldName),
            (b"GET / HTTP/1.1\r\na\n", HeadFault::FieldName),
        ]);
    }

    #[test]
    fn h09_one_empty_line_before_the_request() {
        // RFC 9112 §2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to
        // the request-line."
        check(&[(b"\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some(20)))]);
        check_faults(&[(b"\r\n\r", HeadFault::Method)]);
    }

    #[test]
    fn h10_blanks_in_the_request_line() {
        check_faults(&[
            (b" ", HeadFault::Method),
            (b"GET\t", HeadFault::Method),
            (b"GET\r", HeadFault::Method),
            (b"G(", HeadFault::Method),
            (b"GET  ", HeadFault::Target),
            (b"GET \t", HeadFault::Target),
            (b"GET \r", HeadFault::Target),
            (b"GET /\t", HeadFault::Target),
            (b"GET /\r", HeadFault::Target),
            (b"GET /\n", HeadFault::Target),
            (b"GET /\xc3", HeadFault::Target),
            (b"GET /  ", HeadFault::Version),
            (b"GET / HTTP/1.1 ", HeadFault::Version),
        ]);
    }

    #[test]
    fn h12_versions() {
        check_faults(&[
            (b"GET / HTTP/9.9", HeadFault::VersionUnsupported),
            (b"GET / HTTP/2.0", HeadFault::VersionUnsupported),
            (b"GET / HTTP/1.2", HeadFault::VersionUnsupported),
            (b"GET / HTTP/0.9", HeadFault::VersionUnsupported),
            (b"GET / HTTP/1\r", HeadFault::Version),
            (b"GET / HTTP/11", HeadFault::Version),
            (b"GET / HTTP/1.\r", HeadFault::Version),
            (b"GET / HTTP/1.1\t", HeadFault::Version),
            (b"GET / HTTP/1.10", HeadFault::Version),
            (b"GET / HTTP/a", HeadFault::Version),
            (b"GET / HTTPS", HeadFault::Version),
            (b"GET / HT\r", HeadFault::Version),
            // RFC 9112 §2.3: "HTTP-version is case-sensitive."
            (b"GET / h", HeadFault::Version),
        ]);
    }

    #[test]
    fn h13_http2_preface() {
        // RFC 9113 §3.4.
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(read(preface).map(|_| ()), Err(HeadFault::VersionUnsupported));
    }

    #[test]
    fn h14_tls_hello_is_known_by_its_first_byte() {
        check_faults(&[(b"\x16", HeadFault::TlsHello)]);
    }

    #[test]
    fn h16_long_method() {
        let method = [b'M'; 65_536];
        assert_eq!(read(&method).map(|_| ()), Err(HeadFault::MethodTooLong));
        check_faults(&[(&[b'M'; HEAD_METHOD_BYTES_MAX], HeadFault::MethodTooLong)]);
    }

    #[test]
    fn h29_too_many_fields_or_bytes() {
        let line = b"GET / HTTP/1.1\r\n".as_slice();
        let most = [line, &b"a: b\r\n".repeat(HEAD_FIELDS_MAX)].concat();
        let valid = [most.as_slice(), b"\r\n"].concat();
        assert!(matches!(read(&valid), Ok(Some(_))));
        check_faults(&[(&[most.as_slice(), b"a"].concat(), HeadFault::FieldsTooMany)]);

        let padding = HEAD_BYTES_MAX - line.len() - "a:".len() - "\r\n\r\n".len();
        let longest = [line, b"a:", &vec![b'x'; padding], b"\r\n\r\n"].concat();
        assert_eq!(longest.len(), HEAD_BYTES_MAX);
        check(&[(&longest, Ok(Some(HEAD_BYTES_MAX)))]);
        let long = [line, b"a:", &vec![b'x'; padding + 1], b"\r\n\r"].concat();
        check_faults(&[(&long, HeadFault::TooLong)]);
    }

    #[test]
    fn h30_long_target() {
        for length in [9 << 10, 1 << 20] {
            let bytes = [b"GET /".as_slice(), &vec![b'x'; length]].concat();
            assert_eq!(Scan::default().advance(&bytes).map(|_| ()), Err(HeadFault::TargetTooLong));
        }
        let target = [b"GET ".as_slice(), &[b'x'; HEAD_BYTES_MAX - 4]].concat();
        check_faults(&[(&target, HeadFault::TargetTooLong)]);
    }

    #[test]
    fn the_state_is_small() {
        assert!(size_of::<Scan>() <= 6, "{}", size_of::<Scan>());
    }
}
