//! Origins of web pages (RFC 6454) in one form, so that two of them can be compared as text.

use std::net::Ipv6Addr;

/// Ports that are left out of an origin, by scheme (RFC 6454 §4 item 5, RFC 6455 §3).
const DEFAULT_PORTS: [(&str, u16); 4] = [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];

/// An origin as RFC 6454 §6.2 serialises it: scheme and host in lower case, and the port only
/// where it is not the scheme's own. `null` stays what it is. Names beyond ASCII have to be in
/// their ASCII form, as browsers send them.
///
/// `None` for what is no origin: a path, a user, a wildcard, more than one.
#[must_use]
pub fn normalize_origin(text: &str) -> Option<String> {
    if text == "null" {
        return Some(text.to_owned());
    }
    let (scheme, authority) = text.split_once("://")?;
    if !is_scheme(scheme) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal.split_once(']')?;
            (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (name, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (is_name(name).then(|| name.to_ascii_lowercase())?, port)
        }
    };
    let mut origin = format!("{scheme}://{host}");
    if !port.is_empty() {
        let digits = port.strip_prefix(':').filter(|port| port.bytes().all(is_digit))?;
        let port: u16 = digits.parse().ok()?;
        if !DEFAULT_PORTS.contains(&(scheme.as_str(), port)) {
            origin.push_str(&format!(":{port}"));
        }
    }
    Some(origin)
}

/// `scheme` (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(valid)
}

/// What names of hosts and of browser extensions are made of. RFC 3986 §3.2.2 allows more, among it
/// `*`, but nobody is called so.
fn is_name(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty() && text.bytes().all(valid)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h39_origins_have_one_form() {
        let cases = [
            ("null", Some("null")),
            ("https://example.org", Some("https://example.org")),
            ("HTTPS://Example.ORG", Some("https://example.org")),
            ("https://a:443", Some("https://a")),
            ("https://a:0443", Some("https://a")),
            ("http://a:80", Some("http://a")),
            ("http://a:443", Some("http://a:443")),
            ("https://a:80", Some("https://a:80")),
            ("wss://a:443", Some("wss://a")),
            ("ws://a:80", Some("ws://a")),
            ("http://localhost:03000", Some("http://localhost:3000")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("http://[0:0::0:1]:81", Some("http://[::1]:81")),
            ("https://xn--bcher-kva.example", Some("https://xn--bcher-kva.example")),
            ("chrome-extension://abcdef", Some("chrome-extension://abcdef")),
            ("app+x.1://a_b", Some("app+x.1://a_b")),
            ("NULL", None),
            ("", None),
            ("a", None),
            ("https:", None),
            ("https://", None),
            ("://a", None),
            ("1s://a", None),
            ("h s://a", None),
            ("https://a/", None),
            ("https://a/b", None),
            ("https://a?b", None),
            ("https://a#b", None),
            ("https://u@a", None),
            ("https://a:", None),
            ("https://a:x", None),
            ("https://a:+1", None),
            ("https://a:65536", None),
            ("https://a:1:2", None),
            ("https://[::1", None),
            ("https://[::1]x", None),
            ("https://[::g]", None),
            ("https://*", None),
            ("https://*.example.org", None),
            ("https://b\u{fc}cher.example", None),
            ("https://a https://b", None),
            (" https://a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(normalize_origin(text).as_deref(), expected, "{text:?}");
            if let Some(origin) = expected {
                assert_eq!(normalize_origin(origin).as_deref(), expected, "{text:?} twice");
            }
        }
    }
}
