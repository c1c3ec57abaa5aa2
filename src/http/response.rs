//! Responses as bytes: the 101, plain answers, refusals. No byte of the request is ever reflected
//! but the subprotocol that was chosen, a token.
//!
//! DEVIATION: RFC 9110 §6.6.1 wants `Date` from a server with a clock. This floor has none, and
//! what it says may not be cached anyway.

use super::{Opening, Refusal, Status};

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// A page, one file with its script and style in it.
    Html,
    /// JSON.
    Json,
    /// Prometheus text.
    Metrics,
    /// UTF-8 text.
    Text,
}

impl Media {
    /// The fields that describe a body of this kind, as whole lines.
    const fn lines(self) -> &'static str {
        match self {
            Self::Html => concat!(
                "Content-Type: text/html; charset=utf-8\r\n",
                "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; ",
                "script-src 'unsafe-inline'; connect-src 'self' ws: wss:; img-src data:; ",
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
            ),
            Self::Json => "Content-Type: application/json\r\n",
            Self::Metrics => "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
            Self::Text => "Content-Type: text/plain; charset=utf-8\r\n",
        }
    }
}

/// Appends the 101 to `out` (RFC 6455 §4.2.2 item 5). `extensions` is the value of
/// `Sec-WebSocket-Extensions`, if any was agreed.
pub fn write_opening(out: &mut Vec<u8>, opening: &Opening<'_>, extensions: Option<&str>) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    );
    push(out, &[b"Sec-WebSocket-Accept: ", opening.accept.as_bytes(), b"\r\n"]);
    if let Some(name) = opening.subprotocol {
        push(out, &[b"Sec-WebSocket-Protocol: ", name.as_bytes(), b"\r\n"]);
    }
    if let Some(agreed) = extensions {
        debug_assert!(!agreed.is_empty(), "an empty extension list is no list");
        push(out, &[b"Sec-WebSocket-Extensions: ", agreed.as_bytes(), b"\r\n"]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a plain response to `out`, with what its status asks for (`Allow`, `Upgrade`,
/// `Retry-After`). `head_only` leaves the body away and nothing else (RFC 9110 §9.3.2).
pub fn write_answer(out: &mut Vec<u8>, status: Status, media: Media, body: &[u8], head_only: bool) {
    let connection = match status {
        // RFC 9110 §7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option".
        Status::UpgradeRequired => "Connection: Upgrade, close\r\n",
        _ => "Connection: close\r\n",
    };
    push(out, &[b"HTTP/1.1 ", status.line().as_bytes(), b"\r\n", connection.as_bytes()]);
    push(out, &[status_lines(status).as_bytes(), media.lines().as_bytes()]);
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
    write_answer(out, refusal.status(), Media::Text, body.as_bytes(), head_only);
}

/// Appends the answer to `OPTIONS *` to `out`: RFC 9110 §9.3.7 wants a Content-Length of 0 if there
/// is no body.
pub fn write_options(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n\
          Cache-Control: no-store\r\n\r\n",
    );
}

/// The fields that a status has to be sent with, as whole lines.
const fn status_lines(status: Status) -> &'static str {
    match status {
        // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405
        // response".
        Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
        // RFC 9110 §15.5.22 and RFC 6455 §4.4.
        Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        Status::Unavailable => "Retry-After: 1\r\n",
        _ => "",
    }
}

fn push(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}
