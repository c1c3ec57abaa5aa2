//! The request target (RFC 9112 §3.2) and the `Host` field's grammar (RFC 9110 §7.2, RFC 3986
//! §3.2).
//!
//! Nothing is normalised: a path is compared as it was written, so `/ws/`, `//ws`, `/%77s` and
//! `/../ws` are four paths, and none of them is `/ws`.

use std::net::Ipv6Addr;

use super::class::{HOST, PATH, QUERY, run};

/// A target's path and query, as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Begins with `/`.
    pub(super) path: &'a str,
    /// What follows the first `?`; empty without one.
    pub(super) query: &'a str,
}

/// Parses an origin-form or absolute-form target; `None` if it is neither.
#[inline]
pub(super) fn parse(target: &str) -> Option<Target<'_>> {
    let local = if target.starts_with('/') { target } else { strip_origin(target)? };
    let (path, query) = match local.bytes().position(|byte| byte == b'?') {
        Some(at) => (&local[..at], &local[at + 1..]),
        None => (local, ""),
    };
    // RFC 9110 §4.2.3: "an empty path component is equivalent to an absolute path of "/""
    let path = if path.is_empty() { "/" } else { path };
    let valid = path.starts_with('/') && is_path(path) && is_query(query);
    valid.then_some(Target { path, query })
}

/// Is this `uri-host [ ":" port ]`, with a host that is not empty?
///
/// `IPvFuture` is refused: no such address exists.
pub(super) fn is_host(value: &[u8]) -> bool {
    let place = |bytes: &[u8], wanted| bytes.iter().position(|&byte| byte == wanted);
    let (host_valid, port) = match value {
        [b'[', literal @ ..] => {
            let Some(end) = place(literal, b']') else { return false };
            let address = std::str::from_utf8(&literal[..end]);
            (address.is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()), &literal[end + 1..])
        }
        _ => {
            let (name, port) = value.split_at(place(value, b':').unwrap_or(value.len()));
            (!name.is_empty() && is_escaped(name, HOST), port)
        }
    };
    let port_valid = match port {
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => port.is_empty(),
    };
    host_valid && port_valid
}

/// What follows scheme and authority of an absolute-form target (RFC 9112 §3.2.2: "a server MUST
/// accept the absolute-form in requests"). A `userinfo` is not a host and so refused (RFC 9110
/// §4.2.4).
fn strip_origin(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, local) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    is_host(authority.as_bytes()).then_some(local)
}

/// `absolute-path` (RFC 3986 §3.3), without `%00`.
fn is_path(path: &str) -> bool {
    is_escaped(path.as_bytes(), PATH)
}

/// `query` (RFC 3986 §3.4), without `%00`.
///
/// DEVIATION: any visible character but `#` may stand in it, since browsers leave ``[]{}|\^` ``
/// there as they are (URL Standard, query percent-encode set), and it is only ever data.
fn is_query(query: &str) -> bool {
    is_escaped(query.as_bytes(), QUERY)
}

/// Is each byte of the class, or part of a well-formed escape that is not `%00`?
fn is_escaped(mut bytes: &[u8], class: u8) -> bool {
    loop {
        match &bytes[run(class, bytes)..] {
            [] => return true,
            [b'%', b'0', b'0', ..] => return false,
            [b'%', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes = behind;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h03_hosts() {
        let valid = [
            "h",
            "example.com",
            "example.com:80",
            "example.com:",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "[::ffff:1.2.3.4]",
            "a_b~c",
            "%41b",
            "EXAMPLE.com",
            "a!$&'()*+,;=b",
        ];
        for host in valid {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let invalid = [
            "",
            ":80",
            "a b",
            "a/b",
            "a/",
            "user@h",
            "user:pw@h",
            "a:b",
            "a:80:80",
            "a:-1",
            "a: 80",
            "[::1",
            "::1",
            "[::1]80",
            "[::1]x",
            "[]",
            "[::g]",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "a]",
            "a%",
            "a%4",
            "a%zz",
            "%00",
            "h?",
            "h#",
            "h\\",
            "\u{e9}",
            "a,b c",
            "\"h\"",
            "<h>",
            "http://h",
        ];
        for host in invalid {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
        assert!(!is_host(b"h\xff"));
    }

    #[test]
    fn targets_as_path_and_query() {
        let cases = [
            ("/", Some(("/", ""))),
            ("/a/b?c=d&e", Some(("/a/b", "c=d&e"))),
            ("/?", Some(("/", ""))),
            ("/a?b?c/d", Some(("/a", "b?c/d"))),
            ("/a;b=c:@!$&'()*+,=-._~", Some(("/a;b=c:@!$&'()*+,=-._~", ""))),
            // What browsers send.
            ("/?reply={message}|[a]^`\\", Some(("/", "reply={message}|[a]^`\\"))),
            // RFC 9112 §3.2.2
            ("http://h", Some(("/", ""))),
            ("http://h/", Some(("/", ""))),
            ("HTTP://h:80/a?b", Some(("/a", "b"))),
            ("ws://h/a", Some(("/a", ""))),
            ("wss://[::1]:1?q", Some(("/", "q"))),
            ("https://h//a", Some(("//a", ""))),
            ("ftp://h/", None),
            ("http:/h/", None),
            ("http:///a", None),
            ("http://user@h/", None),
            ("http://h:x/", None),
            ("http://h#f", None),
            // RFC 9112 §3.2.3 and §3.2.4: for CONNECT and OPTIONS only.
            ("h:80", None),
            ("*", None),
            ("a", None),
            ("?a", None),
            // Not a URI.
            ("/a#b", None),
            ("/?a#b", None),
            ("/a\\b", None),
            ("/a[b", None),
            ("/{a}", None),
            ("/\"", None),
            ("/<", None),
            ("/%", None),
            ("/%4", None),
            ("/%4g", None),
            ("/%g4", None),
            ("/%00", None),
            ("/?%", None),
            ("/?a%4", None),
            ("/?%00", None),
            ("/%20%7F%ff", Some(("/%20%7F%ff", ""))),
        ];
        for (target, expected) in cases {
            let found = parse(target).map(|target| (target.path, target.query));
            assert_eq!(found, expected, "{target}");
        }
    }
}
