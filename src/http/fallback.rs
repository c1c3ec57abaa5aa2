//! What gets through where WebSocket does not: plain requests that have something sent back.
//!
//! ```text
//! POST /echo      the body comes back as it arrives
//! GET  /sse       a stream of events, whose first names a private URL
//! POST /sse/NAME  a message, which comes back on the stream
//! GET  /poll      names a private URL
//! GET  /poll/NAME waits for the next message
//! POST /poll/NAME a message, which the next poll gets
//! ```
//!
//! Private URLs name a mailbox. Who does not know the name cannot guess it.

use super::routes::{check_body, check_expectation};
use super::upgrade::{self, origin_allowed};
use super::{Framing, Head, Name, Refusal, Rules, Version, framing};

/// A request that is served so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback<'a> {
    /// Send the body back.
    Echo(Upload),
    /// Begin a stream of events.
    Events {
        /// Its end can be told by a last chunk.
        chunked: bool,
    },
    /// Make a mailbox to be polled.
    Polls,
    /// Answer with the next message in the mailbox.
    Poll(&'a str),
    /// Put the body into the mailbox.
    Send(Kind, &'a str, Upload),
    /// Answer with the counters of all workers, once they are known. It is no fallback, but takes
    /// as long as one.
    Sum,
}

/// How the messages of a mailbox are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a stream of events.
    Events,
    /// By one request each.
    Polls,
}

/// A request's body, as its head tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where it ends.
    pub framing: Framing,
    /// What it is said to be.
    pub declared: Declared,
    /// The client waits for a 100 before it sends it.
    pub expects: bool,
}

/// The `Content-Type` of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// `text/plain`
    Text,
    /// `application/octet-stream`
    Bytes,
    /// Another one, none, or several.
    Other,
}

/// What a message is, or a body that is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text to be shown as such.
    Text,
    /// Any bytes.
    Bytes,
}

/// The name of a mailbox: 128 bits that nobody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailboxName(pub u128);

impl MailboxName {
    /// The name that a path ends with: 32 hexadecimal digits in lower case, in one way of writing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let valid = text.len() == 32 && text.bytes().all(digits);
        u128::from_str_radix(text, 16).ok().filter(|_| valid).map(Self)
    }
}

impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The methods that a resource has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Of nearly all.
    Read,
    /// Of the echo.
    Echo,
    /// Of what makes a mailbox.
    Open,
    /// Of the mailbox of a stream.
    Send,
    /// Of a mailbox that is polled.
    Poll,
}

impl Methods {
    /// The fields of a 405: RFC 9110 §15.5.6 wants `Allow`.
    #[must_use]
    pub const fn lines(self) -> &'static str {
        match self {
            Self::Read => "Connection: close\r\nAllow: GET, HEAD\r\n",
            Self::Echo => "Connection: close\r\nAllow: GET, HEAD, POST\r\n",
            Self::Open => "Connection: close\r\nAllow: GET\r\n",
            Self::Send => "Connection: close\r\nAllow: POST\r\n",
            Self::Poll => "Connection: close\r\nAllow: GET, POST\r\n",
        }
    }

    /// One line for the response's body and for the log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Read => "only GET and HEAD are served here",
            Self::Echo => "only GET, HEAD and POST are served here",
            Self::Open => "only GET is served here",
            Self::Send => "only POST is served here",
            Self::Poll => "only GET and POST are served here",
        }
    }
}

/// A path where such requests are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Echo,
    /// Where mailboxes are made.
    Opens(Kind),
    /// A mailbox.
    Box(Kind, &'a str),
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        match path {
            "/echo" => return Some(Self::Echo),
            "/sse" => return Some(Self::Opens(Kind::Events)),
            "/poll" => return Some(Self::Opens(Kind::Polls)),
            _ => {}
        }
        let stream = path.strip_prefix("/sse/").map(|name| (Kind::Events, name));
        let polled = || path.strip_prefix("/poll/").map(|name| (Kind::Polls, name));
        stream.or_else(polled).map(|(kind, name)| Self::Box(kind, name))
    }

    pub(super) fn methods(self) -> Methods {
        match self {
            Self::Echo => Methods::Echo,
            Self::Opens(_) => Methods::Open,
            Self::Box(Kind::Events, _) => Methods::Send,
            Self::Box(Kind::Polls, _) => Methods::Poll,
        }
    }

    /// True if the request is for the place itself: not for a WebSocket there, nor for a handshake
    /// that lost its upgrade on its way.
    pub(super) fn serves(self, head: &Head<'_>) -> bool {
        match head.method() {
            "POST" => true,
            "GET" | "HEAD" if self != Self::Echo => {
                !upgrade::requested(head) && head.field(Name::WebSocketKey).next().is_none()
            }
            _ => false,
        }
    }
}

/// What the request gets at the place that serves it.
pub(super) fn decide<'a>(
    head: &Head<'a>,
    place: Place<'a>,
    rules: &Rules,
    draining: bool,
) -> Result<Fallback<'a>, Refusal> {
    let fallback = match (head.method(), place) {
        ("POST", Place::Echo) => Fallback::Echo(upload(head)?),
        ("POST", Place::Box(kind, name)) => Fallback::Send(kind, name, upload(head)?),
        ("GET", Place::Opens(_) | Place::Box(Kind::Polls, _)) => {
            check_body(head)?;
            let chunked = head.version() == Version::Http11;
            match place {
                Place::Opens(Kind::Events) => Fallback::Events { chunked },
                Place::Box(_, name) => Fallback::Poll(name),
                _ => Fallback::Polls,
            }
        }
        _ => return Err(Refusal::Method(place.methods())),
    };
    check_expectation(head)?;
    // As a WebSocket from there would be refused (RFC 6455 §10.2).
    if !origin_allowed(head, &rules.origins) {
        return Err(Refusal::Origin);
    }
    let begins = matches!(place, Place::Echo | Place::Opens(_));
    if draining && begins { Err(Refusal::Draining) } else { Ok(fallback) }
}

fn upload(head: &Head<'_>) -> Result<Upload, Refusal> {
    let framing = framing::framing(head)?;
    let mut types = head.fields().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let value = types.next().map_or(&b""[..], |(_, value)| value);
    let media = value.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next().unwrap_or_default();
    let is = |known: &[u8]| media.eq_ignore_ascii_case(known);
    let declared = match types.next() {
        None if is(b"text/plain") => Declared::Text,
        None if is(b"application/octet-stream") => Declared::Bytes,
        _ => Declared::Other,
    };
    // RFC 9110 §10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request
    // MUST ignore that expectation."
    let expects = head.version() == Version::Http11 && head.list(Name::Expect).next().is_some();
    Ok(Upload { framing, declared, expects })
}

/// A target for the log: the name of a mailbox is a secret.
pub(super) fn without_name(target: &str) -> &str {
    let end = |prefix: &str| target.find(prefix).map(|at| at + prefix.len());
    &target[..end("/sse/").or_else(|| end("/poll/")).unwrap_or(target.len())]
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::super::{Route, route};
    use super::*;

    fn ask(request: &str, rules: &Rules, draining: bool) -> Result<String, Refusal> {
        let head = read(request.as_bytes()).unwrap().unwrap();
        match route(&head, rules, draining) {
            Route::Fallback(fallback) => Ok(format!("{fallback:?}")),
            Route::Refuse(refusal) => Err(refusal),
            Route::Explain { .. } => Err(Refusal::UpgradeOnly),
            Route::Upgrade(..) => Ok("Upgrade".to_owned()),
            Route::Answer(answer) => Ok(format!("{answer:?}")),
        }
    }

    fn rules() -> Rules {
        Rules { fallback: true, ..Rules::default() }
    }

    fn with(line: &str, fields: &str) -> Result<String, Refusal> {
        ask(&format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"), &rules(), false)
    }

    #[test]
    fn each_place_has_its_methods() {
        let not = |methods| Err(Refusal::Method(methods));
        let cases = [
            ("GET /echo", Err(Refusal::UpgradeOnly)),
            ("HEAD /echo", Err(Refusal::UpgradeOnly)),
            ("PUT /echo", not(Methods::Echo)),
            ("GET /sse", Ok("Events { chunked: true }")),
            ("HEAD /sse", not(Methods::Open)),
            ("POST /sse", not(Methods::Open)),
            ("DELETE /sse", not(Methods::Open)),
            ("GET /sse/x", not(Methods::Send)),
            ("GET /poll", Ok("Polls")),
            ("POST /poll", not(Methods::Open)),
            ("GET /poll/x", Ok("Poll(\"x\")")),
            ("HEAD /poll/x", not(Methods::Poll)),
            ("GET /poll/x/y", Ok("Poll(\"x/y\")")),
            ("POST /", not(Methods::Read)),
            ("POST /ws", not(Methods::Read)),
            ("POST /ssex", not(Methods::Read)),
            ("POST *", Err(Refusal::Method(Methods::Read))),
            ("BREW /echo", Err(Refusal::MethodUnknown)),
        ];
        for (line, expected) in cases {
            assert_eq!(with(line, ""), expected.map(str::to_owned), "{line}");
        }
        for (line, start) in [
            ("POST /echo", "Echo(Upload { framing: Length(0)"),
            ("POST /echo?a=b", "Echo("),
            ("POST http://h/echo", "Echo("),
            ("POST /sse/x", "Send(Events, \"x\","),
            ("POST /poll/x", "Send(Polls, \"x\","),
        ] {
            assert!(with(line, "").is_ok_and(|got| got.starts_with(start)), "{line}");
        }
    }

    #[test]
    fn switched_off_there_is_nothing() {
        for (line, expected) in [
            ("POST /echo", Refusal::Method(Methods::Read)),
            ("GET /sse", Refusal::NotFound),
            ("GET /poll", Refusal::NotFound),
            ("POST /poll/x", Refusal::Method(Methods::Read)),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(ask(&request, &Rules::default(), false), Err(expected), "{line}");
        }
    }

    #[test]
    fn a_websocket_goes_before() {
        const KEY: &str =
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
        let upgrade = format!("Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}");
        for path in ["/echo", "/sse", "/poll", "/poll/x"] {
            let line = format!("GET {path}");
            assert_eq!(with(&line, &upgrade), Ok("Upgrade".to_owned()), "{path}");
            assert_eq!(with(&line, KEY), Err(Refusal::Stripped), "{path}");
            // A POST upgrades nothing (RFC 6455 §4.1 item 2).
            assert!(with("POST /echo", &upgrade).is_ok_and(|got| got.starts_with("Echo(")));
        }
    }

    #[test]
    fn no_body_is_where_none_belongs() {
        for line in ["GET /sse", "GET /poll", "GET /poll/x"] {
            assert_eq!(with(line, "Content-Length: 1\r\n"), Err(Refusal::Body), "{line}");
            assert_eq!(with(line, "Transfer-Encoding: chunked\r\n"), Err(Refusal::Body), "{line}");
            let both = "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n";
            assert_eq!(with(line, both), Err(Refusal::Framing), "{line}");
        }
        for line in ["POST /echo", "POST /sse/x", "POST /poll/x"] {
            let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
            assert_eq!(with(line, both), Err(Refusal::Framing), "{line}");
            assert_eq!(with(line, "Content-Length: 5, 5\r\n"), Err(Refusal::Framing), "{line}");
            assert_eq!(with(line, "Transfer-Encoding: gzip\r\n"), Err(Refusal::Coding), "{line}");
            assert_eq!(with(line, "Expect: 200-ok\r\n"), Err(Refusal::Expectation), "{line}");
        }
    }

    #[test]
    fn what_a_body_is_stands_in_one_field() {
        let of = |value: &str| {
            let got = with("POST /echo", &format!("Content-Type: {value}\r\n")).unwrap();
            let (_, behind) = got.split_once("declared: ").unwrap();
            behind.split(',').next().unwrap().to_owned()
        };
        let cases = [
            ("text/plain", "Text"),
            ("TEXT/Plain; charset=latin1", "Text"),
            ("text/plain;charset=utf-8", "Text"),
            ("application/octet-stream", "Bytes"),
            ("text/html", "Other"),
            ("text/plainx", "Other"),
            ("", "Other"),
            ("text/plain\r\nContent-Type: text/plain", "Other"),
        ];
        for (value, expected) in cases {
            assert_eq!(of(value), expected, "{value}");
        }
        assert!(with("POST /echo", "").unwrap().contains("declared: Other"));
    }

    #[test]
    fn who_waits_for_a_100_is_known() {
        let waits =
            |request: &str| ask(request, &rules(), false).unwrap().contains("expects: true");
        let fields = "Host: h\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
        assert!(waits(&format!("POST /echo HTTP/1.1\r\n{fields}")));
        assert!(!waits(&format!("POST /echo HTTP/1.0\r\n{fields}")));
        assert!(!waits("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"));
    }

    /// The policy of WebSockets holds here too.
    #[test]
    fn origins_are_held_to_the_same_policy() {
        let rules = Rules { origins: vec!["https://a.example".to_owned()], ..rules() };
        for line in ["POST /echo", "GET /sse", "GET /poll", "GET /poll/x", "POST /sse/x"] {
            let from = |origin: &str| {
                ask(&format!("{line} HTTP/1.1\r\nHost: h\r\n{origin}\r\n"), &rules, false)
            };
            assert!(from("Origin: https://a.example\r\n").is_ok(), "{line}");
            assert!(from("").is_ok(), "{line}: no page");
            assert_eq!(from("Origin: https://b.example\r\n"), Err(Refusal::Origin), "{line}");
            assert_eq!(from("Origin: null\r\n"), Err(Refusal::Origin), "{line}");
        }
    }

    #[test]
    fn a_drain_begins_nothing_and_finishes_what_there_is() {
        for (line, refused) in [
            ("POST /echo", true),
            ("GET /sse", true),
            ("GET /poll", true),
            ("GET /poll/x", false),
            ("POST /poll/x", false),
            ("POST /sse/x", false),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
            let got = ask(&request, &rules(), true);
            assert_eq!(got == Err(Refusal::Draining), refused, "{line}: {got:?}");
        }
    }

    #[test]
    fn a_name_is_written_in_one_way() {
        let name = MailboxName(0x0123_4567_89ab_cdef);
        let text = name.to_string();
        assert_eq!(text, "00000000000000000123456789abcdef");
        assert_eq!(MailboxName::parse(&text), Some(name));
        for other in [
            "",
            "x",
            &text[1..],
            &format!("0{text}"),
            &text.to_uppercase(),
            &text.replacen('0', "+", 1),
            &text.replacen('0', "-", 1),
            &format!("{text}/"),
        ] {
            assert_eq!(MailboxName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_do_not_reach_the_log() {
        assert_eq!(without_name("/sse/0123"), "/sse/");
        assert_eq!(without_name("http://h/poll/0123?x"), "http://h/poll/");
        for other in ["/", "/sse", "/poll", "/echo?x", "*"] {
            assert_eq!(without_name(other), other);
        }
    }
}
