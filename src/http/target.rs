//! The request target (RFC 9112 §3.2) and the `Host` field's grammar (RFC 9110 §7.2, RFC 3986
//! §3.2).
//!
//! Nothing is normalised: a path is compared as it was written, so `/ws/`, `//ws`, `/%77s` and
//! `/../ws` are four paths, and none of them is `/ws`.

use std::net::Ipv6Addr;

/// A target's path and query, as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Begins with `/`.
    pub(super) path: &'a str,
    /// What follows the first `?`; empty without one.
    pub(super) query: &'a str,
}

/// Parses an origin-form or absolute-form target; `None` if it is neither.
pub(super) fn parse(target: &str) -> Option<Target<'_>> {
    let local = if target.starts_with('/') {
        target
    } else {
        strip_origin(target)?
    };
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    // RFC 9110 §4.2.3: "an empty path component is equivalent to an absolute path of "/""
    let path = if path.is_empty() { "/" } else { path };
    let valid = path.starts_with('/') && is_path(path) && is_query(query);
    valid.then_some(Target { path, query })
}

/// Is this `uri-host [ ":" port ]`, with a host that is not empty?
///
/// `IPvFuture` is refused: no such address exists.
pub(super) fn is_host(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let (host_valid, port) = match text.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (
                !name.is_empty() && escapes_valid(name, is_unreserved_or_sub_delim),
                port,
            )
        }
    };
    let port_valid = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    host_valid && port_valid
}

/// What follows scheme and authority of an absolute-form target (RFC 9112 §3.2.2: "a server MUST
/// accept the absolute-form in requests"). A `userinfo` is not a host and so refused (RFC 9110
/// §4.2.4).
fn strip_origin(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https", "ws", "wss"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let (authority, local) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    is_host(authority.as_bytes()).then_some(local)
}

/// `absolute-path` (RFC 3986 §3.3), without `%00`.
fn is_path(path: &str) -> bool {
    escapes_valid(path, |byte| {
        is_unreserved_or_sub_delim(byte) || b":@/".contains(&byte)
    })
}

/// `query` (RFC 3986 §3.4), without `%00`.
///
/// DEVIATION: any visible character but `#` may stand in it, since browsers leave ``[]{}|\^` ``
/// there as they are (URL Standard, query percent-encode set), and it is only ever data.
fn is_query(query: &str) -> bool {
    escapes_valid(query, |byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Is each byte allowed, or part of a well-formed escape that is not `%00`?
fn escapes_valid(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let valid = if byte == b'%' {
            match (bytes.next(), bytes.next()) {
                (Some(b'0'), Some(b'0')) => false,
                (Some(high), Some(low)) => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
                _ => false,
            }
        } else {
            allowed(byte)
        };
        if !valid {
            return false;
        }
    }
    true
}

/// `unreserved / sub-delims` (RFC 3986 §2.2, §2.3).
fn is_unreserved_or_sub_delim(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
