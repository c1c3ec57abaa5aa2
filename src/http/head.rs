//! A complete request head: its parts, borrowed from the bytes it came in.

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

    /// The values of all lines of the field `name` (any case), in order, without blanks around
    /// them.
    pub fn field(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        let tag = tag(name.as_bytes());
        self.lines
            .fields()
            .iter()
            .filter(move |line| {
                line.tag == tag && line.word(bytes).eq_ignore_ascii_case(name.as_bytes())
            })
            .map(move |line| trim(line.rest(bytes)))
    }

    /// All field lines in order: name as it was written, value without blanks around it.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let bytes = self.bytes;
        self.lines.fields().iter().map(move |line| (line.word(bytes), trim(line.rest(bytes))))
    }

    /// The members of the comma-separated list that all lines of the field `name` make together,
    /// without blanks and without empty members (RFC 9110 §5.3, §5.6.1.2).
    pub fn list(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
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
    /// How many of `all` are set.
    count: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self { all: [Line::default(); 1 + HEAD_FIELDS_MAX], count: 0 }
    }
}

impl Lines {
    /// Notes the next line.
    pub(super) fn push(&mut self, line: Line) {
        if let Some(slot) = self.all.get_mut(self.count) {
            *slot = line;
            self.count += 1;
        }
    }

    fn fields(&self) -> &[Line] {
        self.all.get(1..self.count).unwrap_or_default()
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
    /// That of the word.
    tag: [u8; 2],
}

impl Line {
    /// A line of `head` with its word at `start..split` and its CR at `end`.
    pub(super) fn new(head: &[u8], start: usize, split: usize, end: usize) -> Self {
        let tag = tag(head.get(start..split).unwrap_or_default());
        // No offset is beyond `HEAD_BYTES_MAX`, and that fits (asserted in limits.rs).
        let [start, split, end] =
            [start, split, end].map(|offset| u16::try_from(offset).unwrap_or(u16::MAX));
        Self { start, split, end, tag }
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

/// A word's length and last letter, the same in any case. Words with two tags are two words, so
/// that a search by name compares few names: no two fields that this server looks for share one.
fn tag(word: &[u8]) -> [u8; 2] {
    let [length, ..] = word.len().to_le_bytes();
    [length, word.last().map_or(0, |byte| byte | 0x20)]
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

    const REQUEST: &[u8] = b"\r\nGET /chat?a=b HTTP/1.1\r\nHost: h\r\nA:1\r\na: \t 2 , ,3\t \r\n\
        B:\r\nC: x: y\r\nA:\xff\r\n\r\n\x81\x05";

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
        assert_eq!(field("HOST"), [b"h"]);
        assert_eq!(field("a"), [b"1".as_slice(), b"2 , ,3", b"\xff"]);
        assert_eq!(field("b"), [b""]);
        assert_eq!(field("c"), [b"x: y"]);
        assert!(field("").is_empty() && field("ho").is_empty() && field("hosts").is_empty());
    }

    #[test]
    fn names_with_one_tag_are_told_apart() {
        let long = "t".repeat(256 + 4);
        let request = format!("GET / HTTP/1.1\r\nhint: 1\r\nhost: 2\r\n{long}: 3\r\n\r\n");
        let head = head(request.as_bytes());
        for (name, value) in [("Host", b"2"), ("HinT", b"1"), (&long, b"3")] {
            assert_eq!(tag(name.as_bytes()), tag(b"host"));
            assert_eq!(head.field(name).collect::<Vec<_>>(), [value], "{name}");
        }
        assert_eq!(head.field("test").count(), 0);
    }

    #[test]
    fn repeated_lines_make_one_list() {
        // RFC 9110 §5.3, and §5.6.1.2: "a recipient MUST parse and ignore a reasonable number of
        // empty list elements".
        let head = head(REQUEST);
        let list = |name| head.list(name).collect::<Vec<_>>();
        assert_eq!(list("A"), [b"1".as_slice(), b"2", b"3", b"\xff"]);
        assert!(list("b").is_empty() && list("absent").is_empty());
    }
}
