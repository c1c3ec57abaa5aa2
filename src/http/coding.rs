//! Content codings that a client takes (RFC 9110 §12.5.3).

use super::Head;

/// May a body for this client be packed with gzip? Only if the client names it, or `*` for all:
/// one that says nothing might take anything, but most that say nothing cannot unpack.
#[must_use]
pub fn takes_gzip(head: &Head<'_>) -> bool {
    // Only pages are packed, so this is no `Name`, which would be looked for in every request.
    let lines = head.fields().filter(|(name, _)| name.eq_ignore_ascii_case(b"Accept-Encoding"));
    let mut all = None;
    for member in lines.flat_map(|(_, value)| value.split(|&byte| byte == b',')) {
        let (coding, weight) = match member.iter().position(|&byte| byte == b';') {
            Some(end) => (&member[..end], &member[end + 1..]),
            None => (member, &[][..]),
        };
        let wanted = !is_zero(weight);
        match coding.trim_ascii() {
            b"*" => all = Some(wanted),
            name if name.eq_ignore_ascii_case(b"gzip") => return wanted,
            name if name.eq_ignore_ascii_case(b"x-gzip") => return wanted,
            _ => {}
        }
    }
    all == Some(true)
}

/// `q=0`, or with zeros behind the point: "not acceptable" (§12.4.2).
fn is_zero(weight: &[u8]) -> bool {
    let weight = weight.trim_ascii();
    let value = weight.strip_prefix(b"q=").or_else(|| weight.strip_prefix(b"Q="));
    value.is_some_and(|value| {
        value.starts_with(b"0") && !value.iter().any(|b| b"123456789".contains(b))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Progress, Scan};
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named() {
        let cases = [
            ("", false),
            ("Accept-Encoding: gzip\r\n", true),
            ("accept-encoding:\tdeflate,GZIP;q=0.5 , br\r\n", true),
            ("Accept-Encoding: br\r\nAccept-Encoding: x-gzip\r\n", true),
            ("Accept-Encoding: *\r\n", true),
            ("Accept-Encoding: *;q=0.000, gzip;q=0.001\r\n", true),
            ("Accept-Encoding: *, gzip; q=0\r\n", false),
            ("Accept-Encoding: gzip;q=0.000\r\n", false),
            ("Accept-Encoding: *;Q=0\r\n", false),
            ("Accept-Encoding:\r\n", false),
            ("Accept-Encoding: identity\r\n", false),
            ("Accept-Encoding: gzipped, pgzip\r\n", false),
            ("Accept: gzip\r\n", false),
        ];
        for (lines, expected) in cases {
            let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
            let Ok(Progress::Complete(head)) = Scan::default().advance(request.as_bytes()) else {
                panic!("{request}");
            };
            assert_eq!(takes_gzip(&head), expected, "{lines}");
        }
    }
}
