//! Statuses of responses (RFC 9110 §15): code, reason phrase, and the fields they come with.

use std::borrow::Cow;

/// 200, 204, or a status from 400 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(u16);

/// Code and reason phrase of 200, 204 and of all that are registered from 400 on (IANA, "HTTP
/// Status Code Registry").
const REGISTERED: [&str; 42] = [
    "200 OK",
    "204 No Content",
    "400 Bad Request",
    "401 Unauthorized",
    "402 Payment Required",
    "403 Forbidden",
    "404 Not Found",
    "405 Method Not Allowed",
    "406 Not Acceptable",
    "407 Proxy Authentication Required",
    "408 Request Timeout",
    "409 Conflict",
    "410 Gone",
    "411 Length Required",
    "412 Precondition Failed",
    "413 Content Too Large",
    "414 URI Too Long",
    "415 Unsupported Media Type",
    "416 Range Not Satisfiable",
    "417 Expectation Failed",
    "418 I'm a teapot",
    "421 Misdirected Request",
    "422 Unprocessable Content",
    "423 Locked",
    "424 Failed Dependency",
    "425 Too Early",
    "426 Upgrade Required",
    "428 Precondition Required",
    "429 Too Many Requests",
    "431 Request Header Fields Too Large",
    "451 Unavailable For Legal Reasons",
    "500 Internal Server Error",
    "501 Not Implemented",
    "502 Bad Gateway",
    "503 Service Unavailable",
    "504 Gateway Timeout",
    "505 HTTP Version Not Supported",
    "506 Variant Also Negotiates",
    "507 Insufficient Storage",
    "508 Loop Detected",
    "510 Not Extended",
    "511 Network Authentication Required",
];

impl Status {
    /// 200
    pub const OK: Self = Self(200);
    /// 204, which has no body
    pub const NO_CONTENT: Self = Self(204);
    /// 400
    pub const BAD_REQUEST: Self = Self(400);
    /// 401, sent with `WWW-Authenticate`
    pub const UNAUTHORIZED: Self = Self(401);
    /// 403
    pub const FORBIDDEN: Self = Self(403);
    /// 404
    pub const NOT_FOUND: Self = Self(404);
    /// 405, sent with `Allow`
    pub const METHOD_NOT_ALLOWED: Self = Self(405);
    /// 408
    pub const REQUEST_TIMEOUT: Self = Self(408);
    /// 409
    pub const CONFLICT: Self = Self(409);
    /// 413
    pub const CONTENT_TOO_LARGE: Self = Self(413);
    /// 414
    pub const URI_TOO_LONG: Self = Self(414);
    /// 417
    pub const EXPECTATION_FAILED: Self = Self(417);
    /// 421, which a client may ask again after, on another connection
    pub const MISDIRECTED: Self = Self(421);
    /// 426, sent with `Upgrade` and `Sec-WebSocket-Version`
    pub const UPGRADE_REQUIRED: Self = Self(426);
    /// 429 (RFC 6585 §4), sent with `Retry-After`
    pub const TOO_MANY_REQUESTS: Self = Self(429);
    /// 431 (RFC 6585 §5)
    pub const FIELDS_TOO_LARGE: Self = Self(431);
    /// 501
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// 503, sent with `Retry-After`
    pub const UNAVAILABLE: Self = Self(503);
    /// 505
    pub const VERSION_NOT_SUPPORTED: Self = Self(505);

    /// The status with this code; `None` unless it is from 400 to 599.
    #[must_use]
    pub fn error(code: u16) -> Option<Self> {
        (400..=599).contains(&code).then_some(Self(code))
    }

    /// Code and reason phrase as they stand in a status line, e.g. `404 Not Found`. A phrase may be
    /// empty (RFC 9112 §4), but some clients call that invalid, so none is.
    #[must_use]
    pub fn line(self) -> Cow<'static, str> {
        match self.registered() {
            Some(line) => line.into(),
            None if self.0 < 500 => format!("{} Client Error", self.0).into(),
            None => format!("{} Server Error", self.0).into(),
        }
    }

    /// A metric's label: the three digits, or `other` for a status that is not registered.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.registered().map_or("other", |line| &line[..3])
    }

    /// The three digits.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }

    /// The fields that a response with this status has to have, or should, as whole lines.
    pub(super) fn lines(self) -> &'static str {
        match self.0 {
            // RFC 9110 §15.5.2: "The server generating a 401 response MUST send a WWW-Authenticate
            // header field".
            401 => "Connection: close\r\nWWW-Authenticate: Basic realm=\"wsecho\"\r\n",
            // §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
            405 => "Connection: close\r\nAllow: GET, HEAD\r\n",
            // §15.5.8: "The proxy MUST send a Proxy-Authenticate header field".
            407 => "Connection: close\r\nProxy-Authenticate: Basic realm=\"wsecho\"\r\n",
            // §15.5.22: "The server MUST send an Upgrade header field in a 426 response", and §7.8:
            // "A sender of Upgrade MUST also send an "Upgrade" connection option". RFC 6455 §4.4
            // wants the version.
            426 => {
                "Connection: Upgrade, close\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\n"
            }
            // RFC 6585 §4 and RFC 9110 §15.6.4: they MAY say when to come again.
            429 | 503 => "Connection: close\r\nRetry-After: 1\r\n",
            _ => "Connection: close\r\n",
        }
    }

    fn registered(self) -> Option<&'static str> {
        let mut digits = REGISTERED.iter().map(|line| (line, line[..3].parse()));
        digits.find_map(|(line, code)| (code == Ok(self.0)).then_some(*line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::STATUSES;

    #[test]
    fn every_registered_status_has_a_counter() {
        let labels = REGISTERED.map(|line| &line[..3]);
        assert_eq!(labels.as_slice(), &STATUSES[..STATUSES.len() - 1]);
        assert_eq!(STATUSES[STATUSES.len() - 1], "other");
    }

    #[test]
    fn every_error_has_a_phrase_and_a_label() {
        for code in 400..=599 {
            let status = Status::error(code).unwrap();
            let line = status.line();
            let phrase = line.strip_prefix(&format!("{code} ")).unwrap();
            assert!(phrase.starts_with(|first: char| first.is_ascii_uppercase()), "{line}");
            assert!(status.label() == "other" || line.starts_with(status.label()), "{line}");
            assert_eq!(status.label() == "other", phrase.ends_with(" Error") && code != 500);
        }
        assert_eq!(Status::error(404), Some(Status::NOT_FOUND));
        assert_eq!(Status::error(399), None);
        assert_eq!(Status::error(600), None);
    }
}
