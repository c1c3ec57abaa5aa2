//! What a server answers to a check, judged and described.

use crate::http::AcceptKey;
use crate::limits::LOGGED_BYTES_MAX;
use crate::ws::Fault;
use crate::ws::close;
use crate::ws::head::{First, Opcode, ServerRest, parse_server_rest};

/// The client's part of RFC 6455 §4.1: what the answer to `key` must look like. Neither a
/// subprotocol nor an extension was asked for.
pub(super) fn upgraded(head: &str, key: &str) -> Result<(), String> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status != "HTTP/1.1 101" && !status.starts_with("HTTP/1.1 101 ") {
        return Err(format!("the answer is {}", quoted(status.as_bytes())));
    }
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let values = |name: &'static str| {
        let named = fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    };
    let has_token = |name, token: &str| {
        let mut tokens = values(name).flat_map(|value| value.split(','));
        tokens.any(|known| known.trim().eq_ignore_ascii_case(token))
    };
    if !has_token("Upgrade", "websocket") || !has_token("Connection", "upgrade") {
        return Err("the answer lacks Upgrade: websocket or Connection: Upgrade".to_owned());
    }
    let accept = AcceptKey::derive(key.as_bytes()).ok_or("our own key is no key")?;
    if !values("Sec-WebSocket-Accept").map(str::as_bytes).eq([accept.as_bytes()]) {
        return Err("Sec-WebSocket-Accept does not answer our key".to_owned());
    }
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        if values(name).next().is_some() {
            return Err(format!("{name} was not asked for"));
        }
    }
    Ok(())
}

/// The head of a frame from its bytes so far. No extension was asked for.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(First, ServerRest)>, Fault> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let first = First::parse(first, false)?;
    Ok(parse_server_rest(first.opcode, bytes)?.map(|rest| (first, rest)))
}

pub(super) fn described(first: First, payload: &[u8]) -> String {
    match (first.opcode, close::parse(payload)) {
        (Opcode::Close, Ok(Some((code, reason)))) => {
            format!("Close {} {}", code.number(), quoted(reason.as_bytes()))
        }
        (Opcode::Close, Ok(None)) => "a Close frame without a code".to_owned(),
        (Opcode::Close, Err(fault)) => format!("a bad Close frame: {}", fault.reason()),
        (Opcode::Text, _) if first.fin => quoted(payload),
        (opcode, _) => format!("{opcode:?}, {}, and not a whole text", quoted(payload)),
    }
}

/// A peer's words, escaped and cut, so that they stay part of one line.
pub(super) fn quoted(words: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&words[..words.len().min(LOGGED_BYTES_MAX)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_rfc_6455_section_4_1() {
        // The key and its answer are those of §1.3.
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = "Upgrade: websocket|Connection: Upgrade|\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let judged = |status: &str, fields: &str| {
            upgraded(&format!("{status}|{fields}").replace('|', "\r\n"), key)
        };
        let ok = "HTTP/1.1 101 Switching Protocols";
        assert_eq!(judged(ok, good), Ok(()));
        assert_eq!(judged("HTTP/1.1 101", &good.replace(": ", ":  ")), Ok(()));
        for status in ["HTTP/1.1 200 OK", "HTTP/1.0 101 Early", "HTTP/1.1 1010 No", ""] {
            judged(status, good).expect_err(status);
        }
        let wrong = [
            good.replace("websocket", "h2c"),
            good.replace("Connection: Upgrade", "Connection: close"),
            good.replace("s3pP", "S3pP"),
            format!("{good}|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            format!("{good}|Sec-WebSocket-Protocol: chat"),
            format!("{good}|sec-websocket-extensions: permessage-deflate"),
        ];
        for fields in wrong {
            judged(ok, &fields).expect_err(&fields);
        }
    }
}
