//! What a request gets: a service behind an upgrade, an answer, or a refusal.
//!
//! Checks are made in this order, and the first that fails is the answer: `Host`, method, target,
//! body, `Expect`, path, and then the opening handshake's own list.

use super::fallback::{self, Fallback, Methods, Place};
use super::framing::{Framing, framing};
use super::target;
use super::{Head, Name, Opening, Refusal, Rules, Version, upgrade};
use crate::limits::ROOM_BYTES_MAX;

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// Answer 101 and speak WebSocket.
    Upgrade(Mount<'a>, Opening<'a>),
    /// A plain request where only an echo is: refuse it as a handshake with this query would be
    /// refused, so that pages and people can ask why it was, or with [`Refusal::UpgradeOnly`].
    Explain {
        /// The target's query, raw.
        query: &'a str,
    },
    /// Serve what gets through where WebSocket does not.
    Fallback(Fallback<'a>),
    /// Send this and close.
    Answer(Answer),
    /// Send the refusal and close.
    Refuse(Refusal),
}

/// The service that an upgraded connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount<'a> {
    /// The echo.
    Echo {
        /// The target's query, raw.
        query: &'a str,
        /// The first message shows the request.
        mirror: bool,
    },
    /// The echo that no behaviour touches, for health checks.
    Exact,
    /// The service at one of [`Rules::services`].
    Service {
        /// Which one, by its index.
        place: usize,
        /// The room asked for; empty for the one without a name.
        room: &'a str,
        /// The target's query, raw.
        query: &'a str,
    },
}

/// A path where a service other than the echo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePath {
    /// Begins with `/` and does not end with one.
    pub path: &'static str,
    /// Whether rooms lie below it.
    pub rooms: RoomPaths,
    /// A page is shown to whoever does not ask for an upgrade.
    pub page: bool,
}

/// Which paths below that of a place are its rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomPaths {
    /// None.
    One,
    /// `/PATH/ROOM`, and `/PATH` for a room without a name.
    Optional,
    /// `/PATH/ROOM` only.
    Named,
}

/// A row of the table of routes.
#[derive(Clone, Copy, Debug)]
struct Row {
    path: &'static str,
    /// Which paths below are its own; `None` if it has no say in them.
    rooms: Option<RoomPaths>,
    upgraded: Upgraded,
    plain: Result<Answer, Refusal>,
}

/// What an upgrade gets at a row.
#[derive(Clone, Copy, Debug)]
enum Upgraded {
    Echo { mirror: bool },
    Exact,
    Service { place: usize },
    Nothing,
}

/// The rows of the server itself; those of [`Rules::services`] follow.
const FIXED: [Row; 6] = [
    Row::fixed("/", Upgraded::Echo { mirror: false }, Ok(Answer::Page)),
    Row::fixed("/ws", Upgraded::Echo { mirror: false }, Err(Refusal::UpgradeOnly)),
    Row::fixed("/echo", Upgraded::Echo { mirror: false }, Err(Refusal::UpgradeOnly)),
    Row::fixed("/info", Upgraded::Echo { mirror: true }, Ok(Answer::Info)),
    Row::fixed("/healthz", Upgraded::Exact, Ok(Answer::Health)),
    Row::fixed("/metrics", Upgraded::Nothing, Ok(Answer::Metrics)),
];

/// Any other path: whoever asks for a WebSocket gets an echo.
const OTHER: Row = Row::fixed("", Upgraded::Echo { mirror: false }, Err(Refusal::NotFound));

impl Row {
    const fn fixed(path: &'static str, upgraded: Upgraded, plain: Result<Answer, Refusal>) -> Self {
        Self { path, rooms: None, upgraded, plain }
    }

    fn of_service(at: usize, path: &ServicePath) -> Self {
        let plain = if path.page { Ok(Answer::ServicePage(at)) } else { Err(Refusal::UpgradeOnly) };
        let upgraded = Upgraded::Service { place: at };
        Self { path: path.path, rooms: Some(path.rooms), upgraded, plain }
    }

    /// What an upgrade gets here.
    fn mount<'a>(&self, room: &'a str, query: &'a str) -> Option<Mount<'a>> {
        match self.upgraded {
            Upgraded::Echo { mirror } => Some(Mount::Echo { query, mirror }),
            Upgraded::Exact => Some(Mount::Exact),
            Upgraded::Service { place } => Some(Mount::Service { place, room, query }),
            Upgraded::Nothing => None,
        }
    }

    /// The room that `path` names here, empty for the row itself; `None` if the path belongs to
    /// another row.
    ///
    /// # Errors
    /// The path lies here, and nothing is there.
    fn room<'a>(&self, path: &'a str) -> Option<Result<&'a str, Refusal>> {
        let below = path.strip_prefix(self.path)?;
        let room = match (below.strip_prefix('/'), self.rooms) {
            (None, _) if !below.is_empty() => return None,
            (Some(_), None) => return None,
            (None, Some(RoomPaths::Named)) | (Some(_), Some(RoomPaths::One)) => {
                Err(Refusal::NotFound)
            }
            (None, _) => Ok(""),
            (Some(room), Some(RoomPaths::Optional | RoomPaths::Named)) => {
                is_room(room).then_some(room).ok_or(Refusal::NotFound)
            }
        };
        Some(room)
    }
}

/// May this segment of a path name a room? `.` and `..`, escaped or not, mean other paths to
/// whoever resolves a URL (RFC 3986 §5.2.4, §6.2.2.2).
fn is_room(segment: &str) -> bool {
    let dots = segment.len() <= "%2e%2e".len()
        && matches!(&*segment.replace("%2e", ".").replace("%2E", "."), "." | "..");
    (1..=ROOM_BYTES_MAX).contains(&segment.len()) && !segment.contains('/') && !dots
}

/// A plain answer; its content is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The test page.
    Page,
    /// The page of one of [`Rules::services`], by its index.
    ServicePage(usize),
    /// The request itself as JSON.
    Info,
    /// The server is well.
    Health,
    /// The counters as Prometheus text.
    Metrics,
    /// Nothing but `Allow`, to `OPTIONS *`.
    Options,
}

/// Decides on a request. `draining` says that the server is going away and opens no connection any
/// more.
#[must_use]
pub fn route<'a>(head: &Head<'a>, rules: &Rules, draining: bool) -> Route<'a> {
    decide(head, rules, draining).unwrap_or_else(Route::Refuse)
}

fn decide<'a>(head: &Head<'a>, rules: &Rules, draining: bool) -> Result<Route<'a>, Refusal> {
    check_host(head)?;
    let target = target::parse(head.target());
    let place = target.as_ref().filter(|_| rules.fallback).and_then(|at| Place::of(at.path));
    check_method(head.method(), head.target(), place)?;
    let target = match head.method() {
        "OPTIONS" => None,
        _ => Some(target.ok_or(Refusal::Target)?),
    };
    if let Some(place) = place.filter(|place| place.serves(head)) {
        return fallback::decide(head, place, rules, draining).map(Route::Fallback);
    }
    check_body(head)?;
    check_expectation(head)?;
    let Some(target) = target else {
        return Ok(Route::Answer(Answer::Options));
    };

    let (row, room) = find(target.path, &rules.services)?;
    let mount = row.mount(room, target.query);
    if upgrade::requested(head) {
        let mount = mount.ok_or(Refusal::NotFound)?;
        let opening = upgrade::check(head, rules)?;
        return if draining { Err(Refusal::Draining) } else { Ok(Route::Upgrade(mount, opening)) };
    }
    if mount.is_some() && is_stripped(head) {
        return Err(Refusal::Stripped);
    }
    match (row.plain, mount) {
        (Ok(Answer::Health) | Err(Refusal::UpgradeOnly), _) if draining => Err(Refusal::Draining),
        (Err(Refusal::UpgradeOnly), Some(Mount::Echo { query, .. })) => {
            Ok(Route::Explain { query })
        }
        (Ok(Answer::Metrics), _) if rules.workers && asks_for_all(head, target.query) => {
            Ok(Route::Fallback(Fallback::Sum))
        }
        (plain, _) => plain.map(Route::Answer),
    }
}

/// Does the query say `all`, maybe beside a token? Of the head alone it makes no difference.
fn asks_for_all(head: &Head<'_>, query: &str) -> bool {
    head.method() == "GET" && query.split('&').any(|part| part == "all")
}

/// Is this a handshake but for what asks for the upgrade? Proxies that do not know of it take
/// `Upgrade` and `Connection` away, for these are for one hop only (RFC 9110 §7.6.1), or go on in
/// HTTP/1.0, and leave the key.
fn is_stripped(head: &Head<'_>) -> bool {
    head.method() == "GET" && head.field(Name::WebSocketKey).next().is_some()
}

/// The row that a path belongs to, and its room there.
#[inline]
fn find<'a>(path: &'a str, services: &[ServicePath]) -> Result<(Row, &'a str), Refusal> {
    let mounted = services.iter().enumerate().map(|(at, place)| Row::of_service(at, place));
    let mut rows = FIXED.into_iter().chain(mounted);
    let found = rows.find_map(|row| Some((row, row.room(path)?)));
    let (row, room) = found.unwrap_or((OTHER, Ok("")));
    Ok((row, room?))
}

/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
/// request message that lacks a Host header field and to any request message that contains more
/// than one Host header field line or a Host header field with an invalid field value."
fn check_host(head: &Head<'_>) -> Result<(), Refusal> {
    let mut hosts = head.field(Name::Host);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if target::is_host(host) => Ok(()),
        (None, None) if head.version() == Version::Http10 => Ok(()),
        _ => Err(Refusal::Host),
    }
}

/// GET and HEAD are served, POST in some places, and `OPTIONS *`, a no-op (RFC 9110 §9.3.7). TRACE
/// is never reflected.
fn check_method(method: &str, target: &str, place: Option<Place<'_>>) -> Result<(), Refusal> {
    match method {
        "GET" | "HEAD" => Ok(()),
        "POST" if place.is_some() => Ok(()),
        "OPTIONS" if target == "*" => Ok(()),
        "CONNECT" | "DELETE" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "TRACE" => {
            Err(Refusal::Method(place.map_or(Methods::Read, Place::methods)))
        }
        _ => Err(Refusal::MethodUnknown),
    }
}

/// No such request may have a body (RFC 9112 §6): it would have to be read before anything behind
/// it.
pub(super) fn check_body(head: &Head<'_>) -> Result<(), Refusal> {
    match framing(head)? {
        Framing::Length(0) => Ok(()),
        Framing::Length(_) | Framing::Chunked => Err(Refusal::Body),
    }
}

/// Where no body is waited for, the final status answers `100-continue` (RFC 9110 §10.1.1).
#[inline]
pub(super) fn check_expectation(head: &Head<'_>) -> Result<(), Refusal> {
    let known = |member: &[u8]| member.eq_ignore_ascii_case(b"100-continue");
    if head.list(Name::Expect).all(known) { Ok(()) } else { Err(Refusal::Expectation) }
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::*;

    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    const KEY: &str =
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

    /// What a request got, in a form that is short to write down.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Got {
        Echo,
        Exact,
        Info,
        /// A place, and the length of the room's name.
        Service(usize, usize),
        Answer(Answer),
        Refused(Refusal, &'static str),
    }

    const PAGE: Got = Got::Answer(Answer::Page);
    const HOST: Got = Got::Refused(Refusal::Host, "400");
    const TARGET: Got = Got::Refused(Refusal::Target, "400");
    const METHOD: Got = Got::Refused(Refusal::Method(Methods::Read), "405");
    const UNKNOWN: Got = Got::Refused(Refusal::MethodUnknown, "501");
    const FRAMING: Got = Got::Refused(Refusal::Framing, "400");
    const BODY: Got = Got::Refused(Refusal::Body, "400");
    const CODING: Got = Got::Refused(Refusal::Coding, "501");
    const NOT_FOUND: Got = Got::Refused(Refusal::NotFound, "404");
    const UPGRADE_NEEDED: Got = Got::Refused(Refusal::UpgradeOnly, "426");
    const STRIPPED: Got = Got::Refused(Refusal::Stripped, "426");
    const DRAINING: Got = Got::Refused(Refusal::Draining, "503");

    fn rules() -> Rules {
        let place = |path, rooms, page| ServicePath { path, rooms, page };
        let services = vec![
            place("/talk", RoomPaths::Optional, true),
            place("/hall", RoomPaths::Named, false),
            place("/desk", RoomPaths::One, true),
        ];
        Rules { services, ..Rules::default() }
    }

    fn send(request: &str, draining: bool) -> Got {
        let head = read(request.as_bytes()).unwrap().unwrap();
        match route(&head, &rules(), draining) {
            Route::Upgrade(Mount::Echo { mirror: false, .. }, _) => Got::Echo,
            Route::Upgrade(Mount::Echo { mirror: true, .. }, _) => Got::Info,
            Route::Upgrade(Mount::Exact, _) => Got::Exact,
            Route::Upgrade(Mount::Service { place, room, .. }, _) => {
                Got::Service(place, room.len())
            }
            Route::Answer(answer) => Got::Answer(answer),
            Route::Explain { .. } => UPGRADE_NEEDED,
            Route::Fallback(_) => unreachable!("no rule allows it"),
            Route::Refuse(refusal) => Got::Refused(refusal, refusal.status().label()),
        }
    }

    #[test]
    fn several_processes_are_counted_together_on_demand() {
        let rules = Rules { workers: true, ..Rules::default() };
        let sum = |request: &str, rules: &Rules| {
            let head = format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n");
            match route(&read(head.as_bytes()).unwrap().unwrap(), rules, true) {
                Route::Fallback(Fallback::Sum) => true,
                Route::Answer(Answer::Metrics) => false,
                other => panic!("{request}: {other:?}"),
            }
        };
        for query in ["all", "access_token=x&all"] {
            let request = format!("GET /metrics?{query}");
            assert!(sum(&request, &rules), "{query}, while it drains as well");
            assert!(!sum(&request, &Rules::default()), "{query} of one process is its own");
        }
        for request in ["GET /metrics", "GET /metrics?", "GET /metrics?small", "HEAD /metrics?all"]
        {
            assert!(!sum(request, &rules), "{request}");
        }
    }

    /// A request with a `Host`, and with the field lines given.
    fn with(request_line: &str, lines: &str) -> Got {
        send(&format!("{request_line}\r\nHost: h\r\n{lines}\r\n"), false)
    }

    fn handshake(request_line: &str, lines: &str) -> Got {
        with(request_line, &format!("{UPGRADE}{KEY}{lines}"))
    }

    #[test]
    fn h01_h02_h03_host() {
        let cases = [
            ("HTTP/1.1", "", HOST),
            ("HTTP/1.1", "Host: h\r\n", PAGE),
            ("HTTP/1.1", "hOST:h:80\r\n", PAGE),
            ("HTTP/1.1", "Host: h\r\nHost: h\r\n", HOST),
            ("HTTP/1.1", "Host: h\r\nHost: i\r\n", HOST),
            ("HTTP/1.1", "Host:\r\n", HOST),
            ("HTTP/1.1", "Host: a b\r\n", HOST),
            ("HTTP/1.1", "Host: h/path\r\n", HOST),
            ("HTTP/1.1", "Host: user@h\r\n", HOST),
            ("HTTP/1.0", "", PAGE),
            ("HTTP/1.0", "Host: h\r\n", PAGE),
            ("HTTP/1.0", "Host: h\r\nHost: h\r\n", HOST),
            ("HTTP/1.0", "Host: a b\r\n", HOST),
        ];
        for (version, lines, expected) in cases {
            assert_eq!(
                send(&format!("GET / {version}\r\n{lines}\r\n"), false),
                expected,
                "{lines}"
            );
        }
        assert_eq!(send(&format!("GET / HTTP/1.1\r\n{UPGRADE}{KEY}\r\n"), false), HOST);
    }

    #[test]
    fn h11_no_upgrade_over_http_1_0() {
        assert_eq!(with("GET / HTTP/1.0", UPGRADE), PAGE);
        assert_eq!(with("GET /ws HTTP/1.0", UPGRADE), UPGRADE_NEEDED);
        assert_eq!(with("GET /x HTTP/1.0", UPGRADE), NOT_FOUND);
        // As nginx passes a handshake on unless it is told otherwise.
        assert_eq!(handshake("GET / HTTP/1.0", ""), STRIPPED);
    }

    /// A page would tell the client's author nothing.
    #[test]
    fn a_handshake_without_its_upgrade_is_told_of_proxies() {
        let cases = [
            ("/", STRIPPED),
            ("/x", STRIPPED),
            ("/info", STRIPPED),
            ("/healthz", STRIPPED),
            ("/talk", STRIPPED),
            ("/hall/den", STRIPPED),
            ("/hall", NOT_FOUND),
            // Nothing there speaks WebSocket, so nothing is amiss.
            ("/metrics", Got::Answer(Answer::Metrics)),
        ];
        for (target, expected) in cases {
            assert_eq!(with(&format!("GET {target} HTTP/1.1"), KEY), expected, "{target}");
        }
        assert_eq!(with("HEAD / HTTP/1.1", KEY), PAGE);
    }

    #[test]
    fn h15_h16_h43_methods() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "OPTIONS"] {
            assert_eq!(handshake(&format!("{method} /ws HTTP/1.1"), ""), METHOD, "{method}");
            assert_eq!(
                with(&format!("{method} / HTTP/1.1"), "Cookie: a=b\r\n"),
                METHOD,
                "{method}"
            );
        }
        assert_eq!(with("CONNECT h:80 HTTP/1.1", ""), METHOD);
        assert_eq!(with("POST / HTTP/1.1", "Content-Length: 5\r\n"), METHOD);
        // RFC 9110 §9.1: "The method token is case-sensitive".
        for method in ["get", "Get", "GETS", "GE", "BREW", "head", "options"] {
            assert_eq!(handshake(&format!("{method} / HTTP/1.1"), ""), UNKNOWN, "{method}");
        }
    }

    #[test]
    fn h17_h40_plain_get_and_head() {
        let cases = [
            ("/", PAGE),
            ("/?a=b", PAGE),
            ("/healthz", Got::Answer(Answer::Health)),
            ("/metrics", Got::Answer(Answer::Metrics)),
            ("/ws", UPGRADE_NEEDED),
            ("/echo", UPGRADE_NEEDED),
            ("/echo?a", UPGRADE_NEEDED),
            ("/favicon.ico", NOT_FOUND),
            ("/WS", NOT_FOUND),
        ];
        for (target, expected) in cases {
            assert_eq!(with(&format!("GET {target} HTTP/1.1"), ""), expected, "{target}");
            assert_eq!(with(&format!("HEAD {target} HTTP/1.1"), ""), expected, "HEAD {target}");
            // H15: HEAD never upgrades.
            assert_eq!(handshake(&format!("HEAD {target} HTTP/1.1"), ""), expected, "{target}");
        }
    }

    #[test]
    fn h18_h19_h20_what_asks_for_an_upgrade() {
        let cases = [
            ("Upgrade: websocket\r\nConnection: Upgrade\r\n", Got::Echo),
            ("Upgrade: WebSocket\r\nConnection: upgrade\r\n", Got::Echo),
            ("Upgrade: h2c, WebSocket\r\nConnection: Upgrade\r\n", Got::Echo),
            ("Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", Got::Echo),
            ("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n", Got::Echo),
            ("Upgrade: websocket\r\nConnection: keep-alive,\tUPGRADE ,\r\n", Got::Echo),
            ("Upgrade: websocket\r\nConnection: close\r\nConnection: Upgrade\r\n", Got::Echo),
            ("Upgrade: websocketx\r\nConnection: Upgrade\r\n", STRIPPED),
            ("Upgrade: x websocket\r\nConnection: Upgrade\r\n", STRIPPED),
            ("Upgrade: websocket/13\r\nConnection: Upgrade\r\n", STRIPPED),
            ("Upgrade: \"websocket\"\r\nConnection: Upgrade\r\n", STRIPPED),
            ("Upgrade: h2c\r\nConnection: Upgrade\r\n", STRIPPED),
            ("Upgrade:\r\nConnection: Upgrade\r\n", STRIPPED),
            ("Connection: Upgrade\r\n", STRIPPED),
            ("Upgrade: websocket\r\n", STRIPPED),
            ("Upgrade: websocket\r\nConnection: keep-alive\r\n", STRIPPED),
            ("Upgrade: websocket\r\nConnection: xupgrade\r\n", STRIPPED),
            ("Upgrade: websocket\r\nConnection: keep-alive Upgrade\r\n", STRIPPED),
        ];
        for (lines, expected) in cases {
            assert_eq!(with("GET /ws HTTP/1.1", &format!("{lines}{KEY}")), expected, "{lines}");
        }
        // Only a handshake is held to the handshake's list.
        let no_key = with("GET /ws HTTP/1.1", UPGRADE);
        assert_eq!(no_key, Got::Refused(Refusal::Key, "400"));
        assert_eq!(with("GET / HTTP/1.1", "Sec-WebSocket-Version: 8\r\n"), PAGE);
    }

    #[test]
    fn h32_h33_bodies() {
        let cases = [
            ("Content-Length: 0\r\n", Got::Echo),
            ("Content-Length: 00\r\n", Got::Echo),
            ("Content-Length: 1\r\n", BODY),
            ("Content-Length: 18446744073709551615\r\n", BODY),
            ("Content-Length: 18446744073709551616\r\n", FRAMING),
            ("Content-Length: 0\r\nContent-Length: 0\r\n", FRAMING),
            ("Content-Length: 1\r\nContent-Length: 2\r\n", FRAMING),
            ("Content-Length: 0, 0\r\n", FRAMING),
            ("Content-Length:\r\n", FRAMING),
            ("Content-Length: -1\r\n", FRAMING),
            ("Content-Length: -0\r\n", FRAMING),
            ("Content-Length: +5\r\n", FRAMING),
            ("Content-Length: +0\r\n", FRAMING),
            ("Content-Length: 0x5\r\n", FRAMING),
            ("Content-Length: 1 0\r\n", FRAMING),
            ("Content-Length: \u{661}\r\n", FRAMING),
            ("Transfer-Encoding: chunked\r\n", BODY),
            ("Transfer-Encoding: CHUNKED\r\n", BODY),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", FRAMING),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", FRAMING),
            ("Transfer-Encoding: xchunked\r\n", CODING),
            ("Transfer-Encoding: gzip, chunked\r\n", CODING),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", CODING),
            ("Transfer-Encoding: identity\r\n", CODING),
            ("Transfer-Encoding: chunked, identity\r\n", FRAMING),
            ("Transfer-Encoding: chunked, chunked\r\n", FRAMING),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", FRAMING),
            ("Transfer-Encoding:\r\n", FRAMING),
            ("Transfer-Encoding: ,\r\n", FRAMING),
        ];
        for (lines, expected) in cases {
            assert_eq!(handshake("GET /ws HTTP/1.1", lines), expected, "{lines}");
            let plain = if expected == Got::Echo { PAGE } else { expected };
            assert_eq!(with("GET / HTTP/1.1", lines), plain, "{lines}");
        }
        // RFC 9112 §6.1: with HTTP/1.0 a transfer coding is faulty framing.
        assert_eq!(with("GET / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), FRAMING);
    }

    #[test]
    fn h37_h38_targets() {
        let cases = [
            ("/ws?x=1", UPGRADE_NEEDED, Got::Echo),
            ("//ws", NOT_FOUND, Got::Echo),
            ("/ws/", NOT_FOUND, Got::Echo),
            ("/%77s", NOT_FOUND, Got::Echo),
            ("/../ws", NOT_FOUND, Got::Echo),
            ("/./", NOT_FOUND, Got::Echo),
            ("/ws%00", TARGET, TARGET),
            ("/ws%", TARGET, TARGET),
            ("/ws\\", TARGET, TARGET),
            ("/ws#a", TARGET, TARGET),
            ("ws", TARGET, TARGET),
            ("*", TARGET, TARGET),
            ("h:80", TARGET, TARGET),
            ("http://other", PAGE, Got::Echo),
            ("http://h/ws", UPGRADE_NEEDED, Got::Echo),
            ("ws://h:1/echo?a", UPGRADE_NEEDED, Got::Echo),
            ("http://user@h/", TARGET, TARGET),
            // A thing that is no service is none with an upgrade either.
            ("/metrics", Got::Answer(Answer::Metrics), NOT_FOUND),
            ("/healthz", Got::Answer(Answer::Health), Got::Exact),
            ("/healthz?welcome=x", Got::Answer(Answer::Health), Got::Exact),
            ("/healthz/", NOT_FOUND, Got::Echo),
        ];
        for (target, plain, upgraded) in cases {
            let line = format!("GET {target} HTTP/1.1");
            assert_eq!(with(&line, ""), plain, "{target}");
            assert_eq!(handshake(&line, ""), upgraded, "{target} with an upgrade");
        }
        assert_eq!(with("OPTIONS * HTTP/1.1", ""), Got::Answer(Answer::Options));
        assert_eq!(handshake("OPTIONS * HTTP/1.1", ""), Got::Answer(Answer::Options));
        assert_eq!(with("OPTIONS * HTTP/1.1", "Content-Length: 1\r\n"), BODY);
        assert_eq!(with("HEAD * HTTP/1.1", ""), TARGET);
    }

    #[test]
    fn places_and_their_rooms() {
        let longest = format!("/talk/{}", "r".repeat(ROOM_BYTES_MAX));
        let page = |place| Got::Answer(Answer::ServicePage(place));
        let cases = [
            ("/talk", page(0), Got::Service(0, 0)),
            ("/talk?a=b", page(0), Got::Service(0, 0)),
            ("/talk/den", page(0), Got::Service(0, 3)),
            ("/talk/%C3%A9", page(0), Got::Service(0, 6)),
            (&longest, page(0), Got::Service(0, ROOM_BYTES_MAX)),
            ("/hall/den", UPGRADE_NEEDED, Got::Service(1, 3)),
            ("/desk", page(2), Got::Service(2, 0)),
            ("/info", Got::Answer(Answer::Info), Got::Info),
            // Whatever is no room there is nothing, with an upgrade or without.
            ("/talk/", NOT_FOUND, NOT_FOUND),
            ("/talk/?a=b", NOT_FOUND, NOT_FOUND),
            ("/talk/den/x", NOT_FOUND, NOT_FOUND),
            ("/talk//", NOT_FOUND, NOT_FOUND),
            ("/talk/.", NOT_FOUND, NOT_FOUND),
            ("/talk/..", NOT_FOUND, NOT_FOUND),
            ("/talk/../ws", NOT_FOUND, NOT_FOUND),
            // RFC 3986 §6.2.2.2: escapes of unreserved characters mean the same as these.
            ("/talk/%2e", NOT_FOUND, NOT_FOUND),
            ("/talk/.%2E", NOT_FOUND, NOT_FOUND),
            ("/talk/%2E%2e", NOT_FOUND, NOT_FOUND),
            ("/talk/...", page(0), Got::Service(0, 3)),
            ("/talk/.a", page(0), Got::Service(0, 2)),
            ("/talk/%2e%2f", page(0), Got::Service(0, 6)),
            ("/hall", NOT_FOUND, NOT_FOUND),
            ("/hall/", NOT_FOUND, NOT_FOUND),
            ("/hall/a/b", NOT_FOUND, NOT_FOUND),
            ("/desk/den", NOT_FOUND, NOT_FOUND),
            ("/desk/", NOT_FOUND, NOT_FOUND),
            // Only the beginning is the same.
            ("/talks", NOT_FOUND, Got::Echo),
            ("/talk;a", NOT_FOUND, Got::Echo),
        ];
        for (target, plain, upgraded) in cases {
            let line = format!("GET {target} HTTP/1.1");
            assert_eq!(with(&line, ""), plain, "{target}");
            assert_eq!(handshake(&line, ""), upgraded, "{target} with an upgrade");
        }
        let too_long = format!("GET {longest}r HTTP/1.1");
        assert_eq!(handshake(&too_long, ""), NOT_FOUND);
    }

    #[test]
    fn h41_expectations() {
        let failed = Got::Refused(Refusal::Expectation, "417");
        let cases = [
            ("Expect: 100-continue\r\n", PAGE),
            ("Expect: 100-Continue\r\n", PAGE),
            ("Expect: 200-ok\r\n", failed),
            ("Expect: 100-continue, tea\r\n", failed),
            ("Expect: 100-continue=1\r\n", failed),
            ("Expect: 100-continue\r\nContent-Length: 1\r\n", BODY),
        ];
        for (lines, expected) in cases {
            assert_eq!(with("GET / HTTP/1.1", lines), expected, "{lines}");
        }
    }

    #[test]
    fn draining_opens_nothing() {
        let request = |path| format!("GET {path} HTTP/1.1\r\nHost: h\r\n");
        assert_eq!(send(&format!("{}\r\n", request("/healthz")), true), DRAINING);
        assert_eq!(send(&format!("{}{UPGRADE}{KEY}\r\n", request("/ws")), true), DRAINING);
        assert_eq!(send(&format!("{}{UPGRADE}{KEY}\r\n", request("/healthz")), true), DRAINING);
        assert_eq!(send(&format!("{}\r\n", request("/ws")), true), DRAINING);
        assert_eq!(send(&format!("{}\r\n", request("/")), true), PAGE);
        let metrics = send(&format!("{}\r\n", request("/metrics")), true);
        assert_eq!(metrics, Got::Answer(Answer::Metrics));
    }

    #[test]
    fn a_plain_request_hands_its_query_on() {
        for (target, expected) in
            [("/ws?a=%20", Some("a=%20")), ("/echo", Some("")), ("/x?a", None)]
        {
            let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let head = read(request.as_bytes()).unwrap().unwrap();
            let query = match route(&head, &rules(), false) {
                Route::Explain { query } => Some(query),
                _ => None,
            };
            assert_eq!(query, expected, "{target}");
        }
    }

    #[test]
    fn the_query_is_handed_on_raw() {
        let request = format!("GET /a?b=%20{{c}} HTTP/1.1\r\nHost: h\r\n{UPGRADE}{KEY}\r\n");
        let head = read(request.as_bytes()).unwrap().unwrap();
        let Route::Upgrade(mount, opening) = route(&head, &Rules::default(), false) else {
            panic!("{request}");
        };
        assert_eq!(mount, Mount::Echo { query: "b=%20{c}", mirror: false });
        assert_eq!(opening.accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
