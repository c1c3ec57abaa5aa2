//! For whom a proxy has asked: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Each proxy adds whom it was asked by at the right. So the list is read from there, as long as
//! those who added to it are trusted: the first address that is not a trusted proxy is the client,
//! and what stands left of it is the client's own words. A proxy that adds to one of the fields
//! usually lets the other pass as the client has sent it. So where both are there, they have to
//! agree.

use std::net::IpAddr;

use super::{Head, Refusal};

/// A client, as a proxy names it: its address, and its port if the proxy says that.
pub type Client = (IpAddr, Option<u16>);

/// The client that the request was forwarded for, if its peer is a proxy to be believed. `None` if
/// the fields are not there, or do not say: then it is the last proxy that is known.
///
/// # Errors
/// The fields contradict each other, or a quotation has no end, which could hide what a proxy has
/// added behind it.
pub fn client(
    head: &Head<'_>,
    trusted: &dyn Fn(IpAddr) -> bool,
) -> Result<Option<Client>, Refusal> {
    let mut standard = Vec::new();
    let mut common = Vec::new();
    for (name, value) in head.fields() {
        if name.eq_ignore_ascii_case(b"forwarded") {
            elements(value, &mut standard).ok_or(Refusal::Forwarded)?;
        } else if name.eq_ignore_ascii_case(b"x-forwarded-for") {
            let members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            common.extend(members.filter(|member| !member.is_empty()).map(node));
        }
    }
    match (standard.is_empty(), common.is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Ok(nearest(&standard, trusted)),
        (true, false) => Ok(nearest(&common, trusted)),
        (false, false) => {
            let (one, other) = (nearest(&standard, trusted), nearest(&common, trusted));
            let same = one.map(|(ip, _)| ip) == other.map(|(ip, _)| ip);
            if same { Ok(one) } else { Err(Refusal::Forwarded) }
        }
    }
}

/// The rightmost that is no trusted proxy; or the last proxy, in front of one that nobody names.
fn nearest(hops: &[Option<Client>], trusted: &dyn Fn(IpAddr) -> bool) -> Option<Client> {
    let mut nearest = None;
    for hop in hops.iter().rev() {
        let Some((ip, _)) = *hop else { break };
        nearest = *hop;
        if !trusted(ip) {
            break;
        }
    }
    nearest
}

/// Adds whom each element of `Forwarded` is for (RFC 7239 §4). `None` if a quotation has no end, or
/// an element is for two.
fn elements(value: &[u8], hops: &mut Vec<Option<Client>>) -> Option<()> {
    for element in split(value, b',')? {
        let mut named = None;
        for pair in split(element, b';')? {
            let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            // "a parameter MUST NOT occur more than once per field-value"
            if name.eq_ignore_ascii_case(b"for") && named.replace(node(value)).is_some() {
                return None;
            }
        }
        if !element.trim_ascii().is_empty() {
            hops.push(named.flatten());
        }
    }
    Some(())
}

/// The parts between separators that are not in quotation marks.
fn split(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// A node (§6): an address, maybe with a port, maybe in quotation marks. `None` for `unknown`, for
/// what is obfuscated (`_secret`), and for anything else.
fn node(text: &[u8]) -> Option<Client> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some((ip.to_canonical(), None));
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal.split_once(']')?;
            (IpAddr::V6(address.parse().ok()?), port)
        }
        None => {
            let (address, port) = text.split_at(text.find(':')?);
            (IpAddr::V4(address.parse().ok()?), port)
        }
    };
    // A port may be obfuscated as well (§6.3).
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok(),
        None if port.is_empty() => None,
        None => return None,
    };
    Some((address.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::*;

    fn found(lines: &str) -> Result<Option<String>, Refusal> {
        let request = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        let head = read(request.as_bytes()).unwrap().unwrap();
        let trusted = |ip: IpAddr| ip.to_string().starts_with("10.") || ip.to_string() == "::1";
        let shown = |(ip, port): Client| match port {
            Some(port) => format!("{ip} {port}"),
            None => ip.to_string(),
        };
        client(&head, &trusted).map(|found| found.map(shown))
    }

    #[test]
    fn a01_the_rightmost_that_is_not_trusted_is_the_client() {
        let cases = [
            ("", None),
            ("X-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1")),
            ("x-forwarded-for: 192.0.2.1:4711\r\n", Some("192.0.2.1 4711")),
            ("X-Forwarded-For: 2001:db8::1\r\n", Some("2001:db8::1")),
            ("X-Forwarded-For: [2001:db8::1]:5\r\n", Some("2001:db8::1 5")),
            ("X-Forwarded-For: ::ffff:192.0.2.1\r\n", Some("192.0.2.1")),
            // Whatever the client says stands further to the left.
            ("X-Forwarded-For: 10.0.0.1, 192.0.2.9, 192.0.2.1, 10.0.0.2\r\n", Some("192.0.2.1")),
            ("X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1")),
            ("X-Forwarded-For: \"x, 192.0.2.1\r\n", Some("192.0.2.1")),
            // All are ours: the first of them.
            ("X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", Some("10.0.0.1")),
            // Nobody says who it was: the last that is known.
            ("X-Forwarded-For: unknown, 10.0.0.2\r\n", Some("10.0.0.2")),
            ("X-Forwarded-For: 192.0.2.1, unknown\r\n", None),
            ("X-Forwarded-For: 192.0.2.1.5\r\n", None),
            ("X-Forwarded-For: ,\r\n", None),
            ("Forwarded: for=192.0.2.1\r\n", Some("192.0.2.1")),
            ("Forwarded: by=10.0.0.1;FOR=\"192.0.2.1:80\" ; proto=http\r\n", Some("192.0.2.1 80")),
            ("Forwarded: for=\"[2001:db8::1]:_port\"\r\n", Some("2001:db8::1")),
            ("Forwarded: for=\"[2001:db8::1]\", for=10.0.0.1\r\n", Some("2001:db8::1")),
            ("Forwarded: for=_hidden, for=10.0.0.1\r\n", Some("10.0.0.1")),
            ("Forwarded: for=192.0.2.1, for=_hidden\r\n", None),
            ("Forwarded: for=192.0.2.1, proto=http\r\n", None),
            ("Forwarded: for=192.0.2.9;a=\",\\\";\", for=192.0.2.1\r\n", Some("192.0.2.1")),
        ];
        for (lines, expected) in cases {
            assert_eq!(found(lines), Ok(expected.map(str::to_owned)), "{lines}");
        }
    }

    #[test]
    fn a01_what_a_client_adds_to_deceive_is_refused() {
        let cases = [
            "Forwarded: for=\"192.0.2.9, for=192.0.2.1\r\n",
            "Forwarded: for=\"192.0.2.9\\\", for=192.0.2.1\r\n",
            "Forwarded: for=192.0.2.9;for=192.0.2.1\r\n",
            "Forwarded: for=192.0.2.9\r\nX-Forwarded-For: 192.0.2.1\r\n",
            "Forwarded: for=_hidden\r\nX-Forwarded-For: 192.0.2.1\r\n",
        ];
        for lines in cases {
            assert_eq!(found(lines), Err(Refusal::Forwarded), "{lines}");
        }
        let both = "Forwarded: for=\"192.0.2.1:7\"\r\nX-Forwarded-For: 192.0.2.1\r\n";
        assert_eq!(found(both), Ok(Some("192.0.2.1 7".to_owned())), "they agree");
    }
}
