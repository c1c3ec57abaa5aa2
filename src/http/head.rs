//! A complete request head: its parts, borrowed from the bytes it came in.

use super::scan::is_token_byte;
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
    /// Where names and values stand in `bytes`; the first `count` are set.
    fields: [Field; HEAD_FIELDS_MAX],
    count: usize,
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
        self.fields[..self.count]
            .iter()
            .filter(move |field| field.name(bytes).eq_ignore_ascii_case(name.as_bytes()))
            .map(move |field| field.value(bytes))
    }

    /// All field lines in order: name as it was written, value without blanks around it.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let bytes = self.bytes;
        self.fields[..self.count].iter().map(move |field| (field.name(bytes), field.value(bytes)))
    }

    /// The members of the comma-separated list that all lines of the field `name` make together,
    /// without blanks and without empty members (RFC 9110 §5.3, §5.6.1.2).
    pub fn list(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.field(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(trim)
            .filter(|member| !member.is_empty())
    }

    /// Notes where the parts of a head are that [`super::Scan`] has let through.
    pub(super) fn index(bytes: &'a [u8]) -> Self {
        let mut head = Self {
            bytes,
            method: "",
            target: "",
            version: Version::Http11,
            fields: [Field::default(); HEAD_FIELDS_MAX],
            count: 0,
        };
        // No bare LF got through, so LF ends a line and nothing else does.
        let mut start = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let end = start + line.len().saturating_sub(2);
            if head.method.is_empty() {
                let mut words = bytes[start..end].split(|&byte| byte == b' ').map(ascii);
                head.method = words.next().unwrap_or_default();
                head.target = words.next().unwrap_or_default();
                if words.next() == Some("HTTP/1.0") {
                    head.version = Version::Http10;
                }
            } else if let Some(name_len) = line.iter().position(|&byte| byte == b':') {
                let offsets = [start, start + name_len, end].map(u16::try_from);
                if let ([Ok(start), Ok(colon), Ok(end)], Some(field)) =
                    (offsets, head.fields.get_mut(head.count))
                {
                    *field = Field { start, colon, end };
                    head.count += 1;
                }
            }
            start += line.len();
        }
        head
    }
}

/// One field line as offsets: `start..colon` is the name, `colon + 1..end` the value with its
/// blanks.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    start: u16,
    colon: u16,
    end: u16,
}

impl Field {
    fn name(self, head: &[u8]) -> &[u8] {
        &head[usize::from(self.start)..usize::from(self.colon)]
    }

    fn value(self, head: &[u8]) -> &[u8] {
        trim(&head[usize::from(self.colon) + 1..usize::from(self.end)])
    }
}

/// A `token` (RFC 9110 §5.6.2): one or more `tchar`.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
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
    fn repeated_lines_make_one_list() {
        // RFC 9110 §5.3, and §5.6.1.2: "a recipient MUST parse and ignore a reasonable number of
        // empty list elements".
        let head = head(REQUEST);
        let list = |name| head.list(name).collect::<Vec<_>>();
        assert_eq!(list("A"), [b"1".as_slice(), b"2", b"3", b"\xff"]);
        assert!(list("b").is_empty() && list("absent").is_empty());
    }

    #[test]
    fn a_token_is_not_empty() {
        assert!(is_token(b"a.b-1") && !is_token(b"") && !is_token(b"a b") && !is_token(b"a;b"));
    }
}
