//! Responses as bytes: the 101, plain answers, refusals, heads of what is sent back. No byte of the
//! request's head is ever reflected but the subprotocol that was chosen, a token.
//!
//! DEVIATION: RFC 9110 §6.6.1 wants `Date` from a server with a clock. This floor has none, and
//! what it says may not be cached anyway.

use super::{Content, Framing, Opening, Refusal, Status};

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// A page, one file with its script and style in it.
    Html {
        /// The directives of its policy that let these run, and no other.
        sources: &'static str,
        /// The body is packed with gzip.
        packed: bool,
    },
    /// JSON.
    Json,
    /// Prometheus text.
    Metrics,
    /// UTF-8 text.
    Text,
}

impl Media {
    /// The fields that describe a body of this kind, as parts of whole lines.
    const fn lines(self) -> [&'static str; 4] {
        match self {
            Self::Html { sources, packed } => [
                "Content-Type: text/html; charset=utf-8\r\n\
                 Vary: Accept-Encoding\r\n\
                 Content-Security-Policy: default-src 'none'; ",
                sources,
                "; connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'\r\n",
                if packed { "Content-Encoding: gzip\r\n" } else { "" },
            ],
            Self::Json => ["Content-Type: application/json\r\n", "", "", ""],
            Self::Metrics => {
                ["Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", "", "", ""]
            }
            Self::Text => ["Content-Type: text/plain; charset=utf-8\r\n", "", "", ""],
        }
    }
}

/// Appends the 101 to `out` (RFC 6455 §4.2.2 item 5). `extensions` are the parts of the value of
/// `Sec-WebSocket-Extensions`: none if nothing was agreed.
pub fn write_opening<'a>(
    out: &mut Vec<u8>,
    opening: &Opening<'_>,
    extensions: impl IntoIterator<Item = &'a str>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(opening.accept.as_bytes());
    if let Some(name) = opening.subprotocol {
        push(out, &[b"\r\nSec-WebSocket-Protocol: ", name.as_bytes()]);
    }
    let mut extensions = extensions.into_iter();
    if let Some(first) = extensions.next() {
        debug_assert!(!first.is_empty(), "an empty extension list is no list");
        push(out, &[b"\r\nSec-WebSocket-Extensions: ", first.as_bytes()]);
        extensions.for_each(|part| out.extend_from_slice(part.as_bytes()));
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends a plain response to `out`, with the fields that its status asks for. `head_only` leaves
/// the body away and nothing else (RFC 9110 §9.3.2).
pub fn write_answer(out: &mut Vec<u8>, status: Status, media: Media, body: &[u8], head_only: bool) {
    write_with(out, status, status.lines(), media, body, head_only);
}

/// As [`write_answer`], with other lines than those of the status.
fn write_with(
    out: &mut Vec<u8>,
    status: Status,
    lines: &str,
    media: Media,
    body: &[u8],
    head_only: bool,
) {
    push(out, &[b"HTTP/1.1 ", status.line().as_bytes(), b"\r\n", lines.as_bytes()]);
    push(out, &media.lines().map(str::as_bytes));
    let length = body.len().to_string();
    push(out, &[b"Content-Length: ", length.as_bytes(), b"\r\n"]);
    out.extend_from_slice(b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");
    if !head_only {
        out.extend_from_slice(body);
    }
}

/// Appends a refusal to `out`: its status, and its reason as one line of text.
pub fn write_refusal(out: &mut Vec<u8>, refusal: Refusal, head_only: bool) {
    let body = [refusal.reason(), "\n"].concat();
    let (status, lines) = (refusal.status(), refusal.lines());
    write_with(out, status, lines, Media::Text, body.as_bytes(), head_only);
}

/// The interim response for a client that waits for it before it sends a body (RFC 9110 §10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends the head of a response that has the client's own bytes as its body. A page of somebody
/// else's may have had them sent, so no browser may run them as a page of this server: they are
/// never HTML, whatever they were sent as, nothing guesses their type, and their document, if it
/// is shown as one, is sandboxed. Pages of other origins cannot embed it, nor read it, since no
/// field of CORS says so.
pub fn write_echo_head(out: &mut Vec<u8>, content: Content, framing: Framing) {
    let media = match content {
        Content::Text => "text/plain; charset=utf-8",
        Content::Bytes => "application/octet-stream",
    };
    push(out, &[b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ", media.as_bytes()]);
    match framing {
        Framing::Length(length) => {
            push(out, &[b"\r\nContent-Length: ", length.to_string().as_bytes()]);
        }
        Framing::Chunked => out.extend_from_slice(b"\r\nTransfer-Encoding: chunked"),
    }
    out.extend_from_slice(
        b"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
          Content-Security-Policy: default-src 'none'; sandbox\r\n\
          Cross-Origin-Resource-Policy: same-origin\r\n\r\n",
    );
}

/// Appends the head of a stream of events (WHATWG HTML, "Server-sent events"), whose end is told by
/// a last chunk, or to a client of HTTP/1.0 by the end of the connection. nginx passes such a
/// response on as it comes only if it is told so.
pub fn write_events_head(out: &mut Vec<u8>, chunked: bool) {
    out.extend_from_slice(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n",
    );
    if chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    out.extend_from_slice(
        b"Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n\
          X-Content-Type-Options: nosniff\r\n\
          Cross-Origin-Resource-Policy: same-origin\r\n\r\n",
    );
}

/// Appends a 204, which has no body, nor a length of one (RFC 9110 §8.6, §15.3.5).
pub fn write_nothing(out: &mut Vec<u8>) {
    push(out, &[b"HTTP/1.1 ", Status::NO_CONTENT.line().as_bytes(), b"\r\n"]);
    out.extend_from_slice(b"Connection: close\r\nCache-Control: no-store\r\n\r\n");
}

/// What stands in front of a chunk of `length` bytes, laid to the end of `into`.
pub fn chunk_head(length: usize, into: &mut [u8; 18]) -> &[u8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut at = into.len() - 2;
    into[at..].copy_from_slice(b"\r\n");
    let mut left = length;
    loop {
        at -= 1;
        into[at] = DIGITS[left % 16];
        left /= 16;
        if left == 0 {
            return &into[at..];
        }
    }
}

/// Appends the answer to `OPTIONS *` to `out`: RFC 9110 §9.3.7 wants a Content-Length of 0 if there
/// is no body.
pub fn write_options(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n\
          Cache-Control: no-store\r\n\r\n",
    );
}

fn push(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AcceptKey, HeadFault, Methods};
    use super::*;

    fn opening(subprotocol: Option<&str>, extensions: &[&str]) -> String {
        let accept = AcceptKey::derive(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        let mut out = b"before".to_vec();
        write_opening(&mut out, &Opening { accept, subprotocol }, extensions.iter().copied());
        String::from_utf8(out).unwrap()
    }

    const HTML: Media = Media::Html { sources: "script-src 'sha256-x'", packed: false };

    fn answer(status: Status, media: Media, body: &str, head_only: bool) -> String {
        let mut out = Vec::new();
        write_answer(&mut out, status, media, body.as_bytes(), head_only);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_101_of_the_rfc() {
        // RFC 6455 §1.3, with the field names as §4.2.2 writes them.
        let head = "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert_eq!(opening(None, &[]), format!("{head}\r\n"));
        let chat = "Sec-WebSocket-Protocol: chat\r\n";
        assert_eq!(opening(Some("chat"), &[]), format!("{head}{chat}\r\n"));
        let deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let both = opening(Some("chat"), &["permessage", "", "-deflate"]);
        assert_eq!(both, format!("{head}{chat}{deflate}\r\n"));
    }

    #[test]
    fn h35_every_plain_answer_says_that_it_is_the_last() {
        for status in (400..=599).filter_map(Status::error).chain([Status::OK]) {
            for media in [HTML, Media::Json, Media::Metrics, Media::Text] {
                let text = answer(status, media, "0123456789", false);
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let mut lines = head.split("\r\n");
                let expected = format!("HTTP/1.1 {}", status.line());
                assert_eq!(lines.next(), Some(expected.as_str()));
                let fields = lines.collect::<Vec<_>>();
                let close = fields.iter().filter(|line| line.starts_with("Connection: "));
                let close = close.collect::<Vec<_>>();
                assert!(close.len() == 1 && close[0].ends_with("close"), "{head}");
                assert!(fields.contains(&"Content-Length: 10"), "{head}");
                assert!(fields.contains(&"Cache-Control: no-store"), "{head}");
                assert!(fields.contains(&"X-Content-Type-Options: nosniff"), "{head}");
                let policy =
                    fields.iter().any(|line| line.starts_with("Content-Security-Policy: "));
                assert_eq!(policy, media == HTML, "{head}");
                assert_eq!(body, "0123456789");
            }
        }
    }

    #[test]
    fn h40_head_is_get_without_the_body() {
        for status in (400..=599).filter_map(Status::error).chain([Status::OK]) {
            let whole = answer(status, HTML, "page", false);
            let head = answer(status, HTML, "page", true);
            assert_eq!(whole, format!("{head}page"));
            assert!(head.ends_with("\r\n\r\n"));
        }
    }

    #[test]
    fn a_page_comes_with_its_policy() {
        let policy = "\r\nContent-Security-Policy: default-src 'none'; script-src 'sha256-x'; \
            connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'; \
            frame-ancestors 'none'\r\n";
        for packed in [false, true] {
            let media = Media::Html { sources: "script-src 'sha256-x'", packed };
            let text = answer(Status::OK, media, "page", false);
            assert!(text.contains(policy), "{text}");
            assert!(text.contains("\r\nVary: Accept-Encoding\r\n"), "{text}");
            assert_eq!(text.contains("\r\nContent-Encoding: gzip\r\n"), packed, "{text}");
        }
    }

    #[test]
    fn h17_statuses_carry_what_they_have_to() {
        let cases = [
            (Refusal::UpgradeOnly, "Connection: Upgrade, close\r\nUpgrade: websocket\r\n"),
            (Refusal::Version, "\r\nSec-WebSocket-Version: 13\r\n"),
            (Refusal::Method(Methods::Read), "\r\nAllow: GET, HEAD\r\n"),
            (Refusal::Method(Methods::Echo), "\r\nAllow: GET, HEAD, POST\r\n"),
            (Refusal::Method(Methods::Open), "\r\nAllow: GET\r\n"),
            (Refusal::Method(Methods::Send), "\r\nAllow: POST\r\n"),
            (Refusal::Method(Methods::Poll), "\r\nAllow: GET, POST\r\n"),
            (Refusal::MailboxFull, "\r\nRetry-After: 1\r\n"),
            (Refusal::TooLong, "HTTP/1.1 413 Content Too Large\r\n"),
            (Refusal::Busy, "\r\nRetry-After: 1\r\n"),
            (Refusal::Draining, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"),
            (Refusal::Draining, "\r\n\r\nthe server is draining: connect to another\n"),
            (Refusal::Timeout, "HTTP/1.1 408 Request Timeout\r\n"),
            (HeadFault::TargetTooLong.into(), "HTTP/1.1 414 URI Too Long\r\n"),
            (HeadFault::TlsHello.into(), "HTTP/1.1 400 Bad Request\r\n"),
            (HeadFault::FieldsTooMany.into(), "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            (HeadFault::VersionUnsupported.into(), "HTTP/1.1 505 HTTP Version Not Supported\r\n"),
        ];
        for (refusal, part) in cases {
            let mut out = Vec::new();
            write_refusal(&mut out, refusal, false);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(part), "{part:?} in {text:?}");
        }
        let plain = answer(Status::NOT_FOUND, Media::Text, "", false);
        for name in ["Upgrade", "Allow", "Retry-After", "Sec-WebSocket"] {
            assert!(!plain.contains(name), "{name} in {plain:?}");
        }
    }

    #[test]
    fn every_status_asked_for_is_whole() {
        for code in 400..=599 {
            let status = Status::error(code).unwrap();
            let text = answer(status, Media::Text, "as asked", false);
            let has = |line: &str| text.contains(&format!("\r\n{line}"));
            let phrase = &text["HTTP/1.1 400 ".len()..text.find("\r\n").unwrap()];
            assert!(!phrase.trim().is_empty(), "{text}");
            assert_eq!(has("WWW-Authenticate: Basic realm="), code == 401, "{text}");
            assert_eq!(has("Allow: "), code == 405, "{text}");
            assert_eq!(has("Proxy-Authenticate: Basic realm="), code == 407, "{text}");
            assert_eq!(has("Upgrade: websocket\r\n"), code == 426, "{text}");
            assert_eq!(has("Connection: Upgrade, close\r\n"), code == 426, "{text}");
            assert_eq!(has("Retry-After: "), code == 429 || code == 503, "{text}");
        }
    }

    #[test]
    fn h37_options_of_the_server() {
        let mut out = Vec::new();
        write_options(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\nAllow: GET, HEAD\r\n"));
        assert!(text.contains("\r\nContent-Length: 0\r\n") && text.ends_with("\r\n\r\n"));
    }

    /// The client's own bytes cannot become a page of this server.
    #[test]
    fn b15_what_is_sent_back_cannot_run() {
        for content in [Content::Text, Content::Bytes] {
            for framing in [Framing::Length(7), Framing::Chunked] {
                let mut out = Vec::new();
                write_echo_head(&mut out, content, framing);
                let text = String::from_utf8(out).unwrap();
                let has = |line: &str| text.contains(&format!("\r\n{line}\r\n"));
                assert!(has("Connection: close") && has("X-Content-Type-Options: nosniff"));
                assert!(has("Content-Security-Policy: default-src 'none'; sandbox"), "{text}");
                assert!(has("Cross-Origin-Resource-Policy: same-origin"), "{text}");
                assert!(!text.contains("html") && !text.contains("Access-Control"), "{text}");
                let plain = has("Content-Type: text/plain; charset=utf-8");
                assert_eq!(plain, content == Content::Text, "{text}");
                assert_eq!(has("Content-Length: 7"), framing != Framing::Chunked, "{text}");
                assert_eq!(has("Transfer-Encoding: chunked"), framing == Framing::Chunked);
                assert!(text.ends_with("\r\n\r\n"));
            }
        }
    }

    #[test]
    fn a_204_has_no_length() {
        let mut out = Vec::new();
        write_nothing(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 204 No Content\r\nConnection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n") && !text.contains("Length"), "{text}");
    }

    #[test]
    fn a_stream_says_how_it_ends() {
        for chunked in [false, true] {
            let mut out = Vec::new();
            write_events_head(&mut out, chunked);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("\r\nContent-Type: text/event-stream\r\n"), "{text}");
            assert_eq!(text.contains("\r\nTransfer-Encoding: chunked\r\n"), chunked);
            assert!(text.ends_with("\r\n\r\n") && !text.contains("Content-Length"));
        }
    }

    #[test]
    fn a_chunk_has_its_length_in_front() {
        let cases = [(0, "0\r\n"), (10, "a\r\n"), (255, "ff\r\n"), (4096, "1000\r\n")];
        for (length, head) in cases {
            assert_eq!(chunk_head(length, &mut [0; 18]), head.as_bytes());
        }
        let most = chunk_head(usize::MAX, &mut [0; 18]).len();
        assert_eq!(most, usize::BITS as usize / 4 + 2);
    }
}
