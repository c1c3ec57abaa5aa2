//! What a request gets: a service behind an upgrade, an answer, or a refusal.
//!
//! Checks are made in this order, and the first that fails is the answer: `Host`, method, target,
//! body, `Expect`, path, and then the opening handshake's own list.

use super::{Head, Opening, Refusal, Rules, Version, target, upgrade};

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// Answer 101 and speak WebSocket.
    Upgrade(Mount<'a>, Opening<'a>),
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
    },
}

/// A plain answer; its content is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The test page.
    Page,
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
    check_method(head.method(), head.target())?;
    let place = match head.method() {
        "OPTIONS" => None,
        _ => Some(target::parse(head.target()).ok_or(Refusal::Target)?),
    };
    check_body(head)?;
    check_expectation(head)?;
    let Some(target) = place else {
        return Ok(Route::Answer(Answer::Options));
    };

    let mount = mount_at(target.path, target.query);
    if upgrade::requested(head) {
        let mount = mount.ok_or(Refusal::NotFound)?;
        let opening = upgrade::check(head, rules)?;
        return if draining { Err(Refusal::Draining) } else { Ok(Route::Upgrade(mount, opening)) };
    }
    match answer_at(target.path) {
        Some(Answer::Health) if draining => Err(Refusal::Draining),
        Some(answer) => Ok(Route::Answer(answer)),
        None if UPGRADE_ONLY.contains(&target.path) => Err(Refusal::UpgradeOnly),
        None => Err(Refusal::NotFound),
    }
}

/// The service at a path: whoever asks for a WebSocket gets an echo, wherever no other thing is.
fn mount_at<'a>(path: &'a str, query: &'a str) -> Option<Mount<'a>> {
    match path {
        "/healthz" | "/metrics" => None,
        _ => Some(Mount::Echo { query }),
    }
}

/// The plain answer at a path.
fn answer_at(path: &str) -> Option<Answer> {
    match path {
        "/" => Some(Answer::Page),
        "/healthz" => Some(Answer::Health),
        "/metrics" => Some(Answer::Metrics),
        _ => None,
    }
}

/// Paths that are named for their service alone: 426 without an upgrade, where others are 404.
const UPGRADE_ONLY: [&str; 2] = ["/ws", "/echo"];

/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
/// request message that lacks a Host header field and to any request message that contains more
/// than one Host header field line or a Host header field with an invalid field value."
fn check_host(head: &Head<'_>) -> Result<(), Refusal> {
    let mut hosts = head.field("host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if target::is_host(host) => Ok(()),
        (None, None) if head.version() == Version::Http10 => Ok(()),
        _ => Err(Refusal::Host),
    }
}

/// GET and HEAD are served, and `OPTIONS *`, a no-op (RFC 9110 §9.3.7). TRACE is never reflected.
fn check_method(method: &str, target: &str) -> Result<(), Refusal> {
    match method {
        "GET" | "HEAD" => Ok(()),
        "OPTIONS" if target == "*" => Ok(()),
        "CONNECT" | "DELETE" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "TRACE" => {
            Err(Refusal::Method)
        }
        _ => Err(Refusal::MethodUnknown),
    }
}

/// No request may have a body (RFC 9112 §6): it would have to be read before anything behind it.
fn check_body(head: &Head<'_>) -> Result<(), Refusal> {
    let mut lengths = head.field("content-length");
    let length = lengths.next();
    if head.field("transfer-encoding").next().is_some() {
        // §6.1: a server may reject both together; and with HTTP/1.0 "as if the framing is faulty".
        let faulty = length.is_some() || head.version() == Version::Http10;
        return Err(if faulty { Refusal::Framing } else { judge_codings(head) });
    }
    let Some(length) = length else { return Ok(()) };
    let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
    match number.filter(|_| digits && lengths.next().is_none()) {
        Some(0) => Ok(()),
        Some(_) => Err(Refusal::Body),
        None => Err(Refusal::Framing),
    }
}

/// Why a request with these transfer codings is refused: §6.1, §6.3 item 4 (`chunked` once, and
/// last).
fn judge_codings(head: &Head<'_>) -> Refusal {
    let mut known = true;
    let mut chunked = false;
    for coding in head.list("transfer-encoding") {
        if chunked {
            return Refusal::Framing;
        }
        chunked = coding.eq_ignore_ascii_case(b"chunked");
        known &= chunked;
    }
    match (known, chunked) {
        (false, _) => Refusal::Coding,
        (true, true) => Refusal::Body,
        (true, false) => Refusal::Framing,
    }
}

/// No body is ever waited for, so the final status answers `100-continue` (RFC 9110 §10.1.1).
fn check_expectation(head: &Head<'_>) -> Result<(), Refusal> {
    let known = |member: &[u8]| member.eq_ignore_ascii_case(b"100-continue");
    if head.list("expect").all(known) { Ok(()) } else { Err(Refusal::Expectation) }
}
