//! A complete request head: its parts, borrowed from the bytes it came in.

use super::Name;
use crate::limits::HEAD_FIELDS_MAX;

/// HTTP's version; both are written `HTTP/1.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A complete, valid request head, borrowed from the bytes it came in.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    bytes: &'a [u8],
    method: &'a str,
    target: &'a str,
    version: Version,
    lines: Lines,
}

impl<'a> Head<'a> {
    /// The method, a token, as it was written: methods are case-sensitive (RFC 9110 §9.1).
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The request target, one or more visible ASCII characters.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// The protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Bytes of the head, the final CRLF CRLF and an ignored empty line before it included.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The values of all lines of a field, in order, without blanks around them.
    pub fn field(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        self.lines.named(bytes, name).map(move |line| trim(line.rest(bytes)))
    }

    /// All field lines in order: name as it was written, value without blanks around it.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let bytes = self.bytes;
        self.lines.fields().iter().map(move |line| (line.word(bytes), trim(line.rest(bytes))))
    }

    /// The members of the comma-separated list that all lines of a field make together, without
    /// blanks and without empty members (RFC 9110 §5.3, §5.6.1.2).
    pub fn list(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.field(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(trim)
            .filter(|member| !member.is_empty())
    }

    /// The head that `bytes` are, of which [`super::Scan`] has read all lines.
    pub(super) fn new(bytes: &'a [u8], lines: Lines) -> Self {
        let request = lines.all[0];
        let rest = request.rest(bytes);
        let (target, version) = rest.split_at(rest.len().saturating_sub(" HTTP/1.x".len()));
        let version = if version.ends_with(b"0") { Version::Http10 } else { Version::Http11 };
        Self { bytes, method: ascii(request.word(bytes)), target: ascii(target), version, lines }
    }
}

/// Where the lines of a head are: first the request line, then the fields.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    all: [Line; 1 + HEAD_FIELDS_MAX],
    /// How many of `all` are set; <= `1 + HEAD_FIELDS_MAX`.
    count: u8,
    /// For each name the first line that has it, and the one behind the last; 0 and 0 if none has.
    named: [(u8, u8); Name::COUNT],
}

impl Default for Lines {
    fn default() -> Self {
        let all = [Line::default(); 1 + HEAD_FIELDS_MAX];
        Self { all, count: 0, named: [(0, 0); Name::COUNT] }
    }
}

impl Lines {
    /// Notes the next line of `head`.
    pub(super) fn push(&mut self, head: &[u8], line: Line) {
        let at = self.count;
        let Some(slot) = self.all.get_mut(usize::from(at)) else { return };
        *slot = line;
        self.count += 1;
        let is_field = at > 0;
        if is_field {
            let (first, behind) = &mut self.named[Name::of(line.word(head)) as usize];
            if *behind == 0 {
                *first = at;
            }
            *behind = at + 1;
        }
    }

    fn fields(&self) -> &[Line] {
        self.all.get(1..usize::from(self.count)).unwrap_or_default()
    }

    /// The lines with this name, which are not compared again where there is only one.
    fn named<'a>(&'a self, head: &'a [u8], name: Name) -> impl Iterator<Item = &'a Line> {
        let (first, behind) = self.named[name as usize];
        let lines = self.all.get(usize::from(first)..usize::from(behind)).unwrap_or_default();
        let alone = lines.len() == 1;
        lines.iter().filter(move |line| alone || Name::of(line.word(head)) == name)
    }
}

/// One line as offsets: a word, the byte that ends it, and the rest.
///
/// ```text
/// GET /chat HTTP/1.1       Host: example.com
/// |  |              |      |   |            |
/// start split       end    start split      end
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    start: u16,
    split: u16,
    end: u16,
}

impl Line {
    /// A line with its word at `start..split` and its CR at `end`.
    pub(super) fn new(start: usize, split: usize, end: usize) -> Self {
        // No offset is beyond `HEAD_BYTES_MAX`, and that fits (asserted in limits.rs).
        let [start, split, end] =
            [start, split, end].map(|offset| u16::try_from(offset).unwrap_or(u16::MAX));
        Self { start, split, end }
    }

    /// Where the line behind this one begins.
    pub(super) fn next(self) -> usize {
        usize::from(self.end) + "\r\n".len()
    }

    fn word(self, head: &[u8]) -> &[u8] {
        &head[usize::from(self.start)..usize::from(self.split)]
    }

    fn rest(self, head: &[u8]) -> &[u8] {
        &head[usize::from(self.split) + 1..usize::from(self.end)]
    }
}

/// The bytes without SP and HTAB at both ends.
fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Bytes that the automaton has found to be ASCII, as text.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::*;

    const REQUEST: &[u8] = b"\r\nGET /chat?a=b HTTP/1.1\r\nHost: h\r\nExpect:1\r\n\
        eXPECT: \t 2 , ,3\t \r\nOrigin:\r\nUpgrade: x: y\r\nOther:4\r\nEXPECT:\xff\r\n\r\n\x81\x05";

    fn head(bytes: &[u8]) -> Head<'_> {
        read(bytes).unwrap().unwrap()
    }

    #[test]
    fn the_request_line_is_taken_apart() {
        let parts = |bytes| (head(bytes).method(), head(bytes).target(), head(bytes).version());
        assert_eq!(parts(REQUEST), ("GET", "/chat?a=b", Version::Http11));
        assert_eq!(parts(b"get * HTTP/1.0\r\n\r\n"), ("get", "*", Version::Http10));
        assert_eq!(head(REQUEST).length(), REQUEST.len() - 2);
    }

    #[test]
    fn fields_are_found_in_any_case_and_order() {
        let head = head(REQUEST);
        let field = |name| head.field(name).collect::<Vec<_>>();
        assert_eq!(field(Name::Host), [b"h"]);
        assert_eq!(field(Name::Expect), [b"1".as_slice(), b"2 , ,3", b"\xff"]);
        assert_eq!(field(Name::Origin), [b""]);
        assert_eq!(field(Name::Upgrade), [b"x: y"]);
        assert!(field(Name::Connection).is_empty());
        let names = head.fields().map(|(name, _)| name.escape_ascii().to_string());
        let expected = ["Host", "Expect", "eXPECT", "Origin", "Upgrade", "Other", "EXPECT"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_method_is_no_field() {
        assert_eq!(head(b"HOST h HTTP/1.1\r\na: b\r\n\r\n").field(Name::Host).count(), 0);
        let head = head(b"HOST h HTTP/1.1\r\nhost: b\r\na: c\r\n\r\n");
        assert_eq!(head.field(Name::Host).collect::<Vec<_>>(), [b"b"]);
        assert_eq!(head.field(Name::Other).collect::<Vec<_>>(), [b"c"]);
    }

    #[test]
    fn repeated_lines_make_one_list() {
        // RFC 9110 §5.3, and §5.6.1.2: "a recipient MUST parse and ignore a reasonable number of
        // empty list elements".
        let head = head(REQUEST);
        let list = |name| head.list(name).collect::<Vec<_>>();
        assert_eq!(list(Name::Expect), [b"1".as_slice(), b"2", b"3", b"\xff"]);
        assert!(list(Name::Origin).is_empty() && list(Name::Connection).is_empty());
    }
}
