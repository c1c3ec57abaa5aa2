//! How long the body of a request is (RFC 9112 §6).
//!
//! Whoever reads a length otherwise than a proxy in front sees other requests than that does:
//! request smuggling. So there is one reading of each head or none, and nothing is repaired.

use super::{Head, Name, Refusal, Version};

/// Where the body of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; 0 if there is no body.
    Length(u64),
    /// Where its chunks say.
    Chunked,
}

/// The framing of a request: chunked, as long as it says, or empty (§6.3 items 3 to 7).
///
/// # Errors
/// A field that is malformed or repeated, both fields together, or a coding that is not known.
pub(super) fn framing(head: &Head<'_>) -> Result<Framing, Refusal> {
    let mut lengths = head.field(Name::ContentLength);
    let length = lengths.next();
    if head.field(Name::TransferEncoding).next().is_some() {
        // §6.1: a server may reject both together; and with HTTP/1.0 "as if the framing is faulty".
        let faulty = length.is_some() || head.version() == Version::Http10;
        return if faulty { Err(Refusal::Framing) } else { judge_codings(head) };
    }
    let Some(length) = length else { return Ok(Framing::Length(0)) };
    let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
    let number = number.filter(|_| digits && lengths.next().is_none());
    number.map(Framing::Length).ok_or(Refusal::Framing)
}

/// §6.1, §6.3 item 4: `chunked` once, and last; no other coding is known here.
fn judge_codings(head: &Head<'_>) -> Result<Framing, Refusal> {
    let mut known = true;
    let mut chunked = false;
    for coding in head.list(Name::TransferEncoding) {
        if chunked {
            return Err(Refusal::Framing);
        }
        chunked = coding.eq_ignore_ascii_case(b"chunked");
        known &= chunked;
    }
    match (known, chunked) {
        (false, _) => Err(Refusal::Coding),
        (true, true) => Ok(Framing::Chunked),
        (true, false) => Err(Refusal::Framing),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::*;

    fn judge(version: &str, lines: &str) -> Result<Framing, Refusal> {
        let request = format!("POST /echo HTTP/{version}\r\nHost: h\r\n{lines}\r\n");
        framing(&read(request.as_bytes()).unwrap().unwrap())
    }

    /// RFC 9112 §6.1 to §6.3, rule by rule.
    #[test]
    fn b01_b02_b03_b04_every_rule_of_rfc_9112_section_6() {
        const FAULTY: Result<Framing, Refusal> = Err(Refusal::Framing);
        const UNKNOWN: Result<Framing, Refusal> = Err(Refusal::Coding);
        let length = |count| Ok(Framing::Length(count));
        let chunked = Ok(Framing::Chunked);
        let cases = [
            // §6.3 item 7: neither field, no body.
            ("", length(0)),
            ("Content-Length: 5\r\n", length(5)),
            ("content-length:\t005 \r\n", length(5)),
            ("Content-Length: 18446744073709551615\r\n", length(u64::MAX)),
            ("Content-Length: 18446744073709551616\r\n", FAULTY),
            ("Content-Length: 99999999999999999999999999\r\n", FAULTY),
            // §6.3 item 5: a list of equal values may be repaired or rejected.
            ("Content-Length: 5, 5\r\n", FAULTY),
            ("Content-Length: 5,\r\n", FAULTY),
            ("Content-Length: 5, 6\r\n", FAULTY),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", FAULTY),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", FAULTY),
            ("Content-Length: 5\r\ncontent-length:\r\n", FAULTY),
            ("Content-Length:\r\n", FAULTY),
            ("Content-Length: +5\r\n", FAULTY),
            ("Content-Length: -5\r\n", FAULTY),
            ("Content-Length: 5 5\r\n", FAULTY),
            ("Content-Length: 0x5\r\n", FAULTY),
            ("Content-Length: 5.0\r\n", FAULTY),
            ("Content-Length: 1e3\r\n", FAULTY),
            ("Content-Length: \"5\"\r\n", FAULTY),
            ("Content-Length: 5;q=1\r\n", FAULTY),
            ("Content-Length: \u{661}\r\n", FAULTY),
            ("Content-Length: 5\u{a0}\r\n", FAULTY),
            ("Transfer-Encoding: chunked\r\n", chunked),
            ("transfer-encoding:CHUNKED\t\r\n", chunked),
            ("Transfer-Encoding: , chunked,\r\n", chunked),
            // §6.3 item 3: both.
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", FAULTY),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", FAULTY),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", FAULTY),
            ("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", FAULTY),
            ("Transfer-Encoding:\r\nContent-Length: 5\r\n", FAULTY),
            // §6.3 item 4: chunked is the last coding, and the only one that is known here.
            ("Transfer-Encoding: gzip, chunked\r\n", UNKNOWN),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", UNKNOWN),
            ("Transfer-Encoding: identity\r\n", UNKNOWN),
            ("Transfer-Encoding: xchunked\r\n", UNKNOWN),
            ("Transfer-Encoding: chunkedx\r\n", UNKNOWN),
            ("Transfer-Encoding: x chunked\r\n", UNKNOWN),
            ("Transfer-Encoding: chunked;q=1\r\n", UNKNOWN),
            ("Transfer-Encoding: \"chunked\"\r\n", UNKNOWN),
            ("Transfer-Encoding: \u{b}chunked\r\n", UNKNOWN),
            ("Transfer-Encoding: chunked, gzip\r\n", FAULTY),
            ("Transfer-Encoding: chunked, identity\r\n", FAULTY),
            ("Transfer-Encoding: chunked, chunked\r\n", FAULTY),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", FAULTY),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", FAULTY),
            ("Transfer-Encoding:\r\n", FAULTY),
            ("Transfer-Encoding: ,\r\n", FAULTY),
        ];
        for (lines, expected) in cases {
            // A control character is found by the scan, before anybody looks for a length.
            if !lines.contains('\u{b}') {
                assert_eq!(judge("1.1", lines), expected, "{lines}");
            }
        }
        assert!(read(b"POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n").is_err());
        // §6.1: "A server [...] MUST treat the message as if the framing is faulty".
        assert_eq!(judge("1.0", "Transfer-Encoding: chunked\r\n"), FAULTY);
        assert_eq!(judge("1.0", "Content-Length: 5\r\n"), length(5));
    }
}
