//! Tokens that a request brings along, and how to speak of it without them.
//!
//! A program sends `Authorization: Bearer TOKEN` (RFC 6750 §2.1). A browser asks its user for a
//! name and a password, which is the token (Basic, RFC 7617). Where a script can set no field of
//! the handshake, it offers the subprotocol `bearer.TOKEN`, or has `?access_token=TOKEN` in the
//! URL (RFC 6750 §2.3).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fallback::without_name;
use super::{Head, Name, target, upgrade};

/// What begins a subprotocol that is a token.
const SUBPROTOCOL: &str = "bearer.";

/// The parameter of a query that is one.
const PARAMETER: &str = "access_token";

/// Tokens of one request that are looked at: one for each way to bring it along. A head has room
/// for hundreds, and each is compared with all that are known.
const TOKENS_MAX: usize = 4;

/// The path that anyone may ask for the server's health at.
const HEALTH: &str = "/healthz";

/// The path of the counters.
const METRICS: &str = "/metrics";

/// Is the request answered without a token? Nothing else of the URL matters for that. An upgrade
/// never is, at `/healthz` neither: it would be an echo for strangers.
#[must_use]
pub fn is_public(head: &Head<'_>, metrics_open: bool) -> bool {
    let path = target::parse(head.target()).map(|target| target.path);
    let public = path == Some(HEALTH) || metrics_open && path == Some(METRICS);
    public && !upgrade::requested(head)
}

/// The tokens that a request brings along, the first `TOKENS_MAX` of them.
pub fn tokens<'a>(head: &Head<'a>) -> Vec<Cow<'a, [u8]>> {
    let mut tokens = Vec::new();
    for (name, value) in head.fields() {
        if name.eq_ignore_ascii_case(b"authorization") {
            tokens.extend(of_authorization(value));
        }
    }
    let subprotocols = head.list(Name::WebSocketProtocol);
    let offered = subprotocols.filter_map(|name| name.strip_prefix(SUBPROTOCOL.as_bytes()));
    tokens.extend(offered.map(Cow::Borrowed));
    let query = head.target().split_once('?').map_or("", |(_, query)| query);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == PARAMETER {
            tokens.push(match value {
                Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
                Cow::Owned(value) => Cow::Owned(value.into_bytes()),
            });
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens.truncate(TOKENS_MAX);
    tokens
}

/// The token in the value of `Authorization`.
fn of_authorization(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let at = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..at], value[at..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Cow::Borrowed(rest));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    // RFC 7617 §2: "user-id and password MUST NOT contain any control characters", and the first
    // colon ends the user's name. Whatever that is, the token says who it is.
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Cow::Owned(pair[colon + 1..].to_vec()))
}

/// Is this subprotocol a token?
#[must_use]
pub fn is_token(subprotocol: &str) -> bool {
    subprotocol.starts_with(SUBPROTOCOL)
}

/// A subprotocol as it may be shown.
#[must_use]
pub fn shown_subprotocol(name: &str) -> &str {
    if is_token(name) { "bearer.…" } else { name }
}

/// A target, or a whole URL, as it may be shown: without the token in it, however that is escaped,
/// and without the name of a mailbox.
#[must_use]
pub fn shown_target(target: &str) -> Cow<'_, str> {
    let target = without_name(target);
    let Some((path, query)) = target.split_once('?') else { return Cow::Borrowed(target) };
    let is_secret = |pair: &str| {
        form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| name == PARAMETER)
    };
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(target);
    }
    let shown = |pair| if is_secret(pair) { "access_token=…" } else { pair };
    let query: Vec<&str> = query.split('&').map(shown).collect();
    Cow::Owned(format!("{path}?{}", query.join("&")))
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::*;

    fn found(target: &str, lines: &str) -> Vec<String> {
        let request = format!("GET {target} HTTP/1.1\r\n{lines}\r\n");
        let head = read(request.as_bytes()).unwrap().unwrap();
        let text = |token: Cow<'_, [u8]>| String::from_utf8_lossy(&token).into_owned();
        tokens(&head).into_iter().map(text).collect()
    }

    #[test]
    fn a_token_may_come_in_four_ways() {
        let cases: [(&str, &str, &[&str]); 16] = [
            ("/", "", &[]),
            ("/", "Authorization: Bearer t0ken\r\n", &["t0ken"]),
            ("/", "authorization: BEARER   t0ken \r\n", &["t0ken"]),
            ("/", "Authorization: Bearer\r\n", &[]),
            ("/", "Authorization: t0ken\r\n", &[]),
            ("/", "Authorization: Digest t0ken\r\n", &[]),
            // "ann:t0:ken", ":t0ken", "t0ken", and what is no base64.
            ("/", "Authorization: Basic YW5uOnQwOmtlbg==\r\n", &["t0:ken"]),
            ("/", "Authorization: basic OnQwa2Vu\r\n", &["t0ken"]),
            ("/", "Authorization: Basic dDBrZW4=\r\n", &[]),
            ("/", "Authorization: Basic ann:t0ken\r\n", &[]),
            ("/", "Sec-WebSocket-Protocol: chat, bearer.t0ken\r\n", &["t0ken"]),
            ("/", "Sec-WebSocket-Protocol: bearer., Bearer.t0ken\r\n", &[]),
            ("/?access_token=t0ken", "", &["t0ken"]),
            ("/?a=b&access%5Ftoken=t0%2Bk+n&access_token", "", &["t0+k n"]),
            ("/access_token=t0ken", "", &[]),
            (
                "/?access_token=a",
                "Sec-WebSocket-Protocol: bearer.b\r\nAuthorization: Bearer c\r\n",
                &["c", "b", "a"],
            ),
        ];
        for (target, lines, expected) in cases {
            assert_eq!(found(target, lines), expected, "{target} {lines}");
        }
    }

    /// RFC 6750 §2: "Clients MUST NOT use more than one method".
    #[test]
    fn a08_of_hundreds_of_tokens_a_few_are_looked_at() {
        let many = ["bearer.a"; 800].join(",");
        let field = format!("Sec-WebSocket-Protocol: {many}, bearer.t0ken\r\n");
        assert_eq!(found("/", &field), ["a"; TOKENS_MAX]);
        let query = format!("/?{}access_token=t0ken", "access_token=a&".repeat(500));
        assert_eq!(found(&query, ""), ["a"; TOKENS_MAX]);
        let (query, few) = ("/?access_token=&access_token=t0ken", "Authorization: Bearer b\r\n");
        assert_eq!(found(query, few), ["b", "t0ken"], "empty ones are none");
    }

    #[test]
    fn a06_a_token_is_not_shown() {
        let cases = [
            ("/a?b=c", "/a?b=c"),
            ("/access_token=t0ken", "/access_token=t0ken"),
            ("/?access_token=t0ken", "/?access_token=…"),
            ("/?access_token", "/?access_token=…"),
            ("/?a&%61ccess_token=t0ken&b=c?d", "/?a&access_token=…&b=c?d"),
            ("ws://h/?access_token=t&access_token=u", "ws://h/?access_token=…&access_token=…"),
        ];
        for (target, expected) in cases {
            assert_eq!(shown_target(target), expected);
        }
        assert_eq!(
            [shown_subprotocol("bearer.t0ken"), shown_subprotocol("chat")],
            ["bearer.…", "chat"]
        );
    }

    #[test]
    fn health_is_public_and_nothing_like_it() {
        let public = |target: &str, lines: &str, metrics_open| {
            let request = format!("GET {target} HTTP/1.1\r\n{lines}\r\n");
            is_public(&read(request.as_bytes()).unwrap().unwrap(), metrics_open)
        };
        for target in ["/healthz", "/healthz?a=b", "http://h/healthz"] {
            assert!(public(target, "", false), "{target}");
            assert!(!public(target, "Upgrade: websocket\r\nConnection: upgrade\r\n", true));
        }
        for target in ["/", "/healthz/", "//healthz", "/%68ealthz", "/status", "/?/healthz", "*"] {
            assert!(!public(target, "", true), "{target}");
        }
        assert!(public("/metrics", "", true) && !public("/metrics", "", false));
    }
}
