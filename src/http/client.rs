//! The client's side of the opening handshake: the request, and what its answer must look like
//! (RFC 6455 §4.1).

use super::upgrade::AcceptKey;
use crate::limits::LOGGED_BYTES_MAX;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Path and query.
    pub target: &'a str,
    /// The `Host` field.
    pub authority: &'a str,
    /// `Sec-WebSocket-Key`: 16 bytes in base64.
    pub key: &'a str,
    /// `User-Agent`.
    pub agent: &'a str,
    /// `Sec-WebSocket-Extensions`, if any are offered.
    pub extensions: Option<&'a str>,
    /// Further fields, each a line with its end.
    pub fields: &'a str,
}

impl Asked<'_> {
    /// Appends the request.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut line = |parts: [&str; 3]| {
            parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
            out.extend_from_slice(b"\r\n");
        };
        line(["GET ", self.target, " HTTP/1.1"]);
        line(["Host: ", self.authority, ""]);
        line(["Upgrade: websocket\r\nConnection: Upgrade", "", ""]);
        line(["Sec-WebSocket-Key: ", self.key, ""]);
        line(["Sec-WebSocket-Version: 13", "", ""]);
        if let Some(extensions) = self.extensions {
            line(["Sec-WebSocket-Extensions: ", extensions, ""]);
        }
        line(["User-Agent: ", self.agent, ""]);
        out.extend_from_slice(self.fields.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Judges a whole answer (its last empty line may be missing) to `key`, which asked for no
/// subprotocol. Returns what it agrees to of the extensions that were `offered`, if anything.
///
/// # Errors
///
/// What is wrong with it, in words that fit into a line.
pub fn upgraded(head: &[u8], key: &str, offered: bool) -> Result<Option<String>, String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status != "HTTP/1.1 101" && !status.starts_with("HTTP/1.1 101 ") {
        let shown: String = status.chars().take(LOGGED_BYTES_MAX).collect();
        return Err(format!("the answer is {shown:?}"));
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
    let unasked = |name: &str| format!("{name} was not asked for");
    if values("Sec-WebSocket-Protocol").next().is_some() {
        return Err(unasked("Sec-WebSocket-Protocol"));
    }
    let extensions: Vec<&str> = values("Sec-WebSocket-Extensions").collect();
    match (extensions.is_empty(), offered) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(extensions.join(", "))),
        (false, false) => Err(unasked("Sec-WebSocket-Extensions")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of §1.3; its answer is in `GOOD`.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GOOD: &str = "Upgrade: websocket|Connection: Upgrade|\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const OK: &str = "HTTP/1.1 101 Switching Protocols";

    fn judged(status: &str, fields: &str, offered: bool) -> Result<Option<String>, String> {
        upgraded(format!("{status}|{fields}").replace('|', "\r\n").as_bytes(), KEY, offered)
    }

    #[test]
    fn answers_are_judged_by_rfc_6455_section_4_1() {
        assert_eq!(judged(OK, GOOD, false), Ok(None));
        assert_eq!(judged("HTTP/1.1 101", &GOOD.replace(": ", ":  "), false), Ok(None));
        for status in ["HTTP/1.1 200 OK", "HTTP/1.0 101 Early", "HTTP/1.1 1010 No", ""] {
            judged(status, GOOD, false).expect_err(status);
        }
        let wrong = [
            GOOD.replace("websocket", "h2c"),
            GOOD.replace("Connection: Upgrade", "Connection: close"),
            GOOD.replace("s3pP", "S3pP"),
            format!("{GOOD}|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            format!("{GOOD}|Sec-WebSocket-Protocol: chat"),
            format!("{GOOD}|sec-websocket-extensions: permessage-deflate"),
        ];
        for fields in wrong {
            judged(OK, &fields, false).expect_err(&fields);
        }
    }

    #[test]
    fn extensions_that_were_offered_are_handed_on() {
        let fields = format!("{GOOD}|Sec-WebSocket-Extensions: permessage-deflate; x");
        assert_eq!(judged(OK, &fields, true), Ok(Some("permessage-deflate; x".to_owned())));
        assert_eq!(judged(OK, GOOD, true), Ok(None), "a server may decline");
    }

    #[test]
    fn a_request_is_the_one_that_our_server_upgrades() {
        use crate::http::{Progress, Scan};
        for extensions in [None, Some("permessage-deflate")] {
            let mut request = Vec::new();
            let (agent, fields) = ("tests", "X-One: 1\r\nX-Two: 2\r\n");
            let asked =
                Asked { target: "/x?y", authority: "a:1", key: KEY, agent, extensions, fields };
            asked.write(&mut request);
            let mut scan = Scan::default();
            let Ok(Progress::Complete(head)) = scan.advance(&request) else {
                panic!("{:?} is no request", request.escape_ascii().to_string());
            };
            assert_eq!((head.target(), head.length()), ("/x?y", request.len()));
            assert!(head.fields().any(|field| field == (b"X-Two", b"2")));
            let offers: Vec<&[u8]> = crate::http::extensions(&head).collect();
            assert_eq!(offers.len(), usize::from(extensions.is_some()));
        }
    }
}
