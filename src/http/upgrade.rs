//! The server's side of the opening handshake: the checklist of RFC 6455 §4.2.1, in its order.
//!
//! Items 1 and 2 (request line, `Host`) hold for every request and are checked in `routes.rs`;
//! items 3 and 4 (`Upgrade`, `Connection`) decide whether this is a handshake at all
//! ([`requested`]). Extensions are not judged here: [`extensions`] hands them on as they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

use super::head::is_token;
use super::{Head, Refusal, Version};
use crate::limits::SUBPROTOCOLS_MAX;

/// Which handshakes the operator wants.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Subprotocols that may be chosen, compared exactly; `*` stands for any.
    pub subprotocols: Vec<String>,
    /// Origins that may connect, compared exactly; if there are none, all may.
    pub origins: Vec<String>,
}

/// A handshake that may be answered with 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: AcceptKey,
    /// The client's first subprotocol that the rules allow.
    pub subprotocol: Option<&'a str>,
}

/// Does the request ask for a WebSocket connection (§4.2.1 items 1, 3 and 4)? If not, its `Upgrade`
/// is ignored, as any server may (RFC 9110 §7.8).
pub(super) fn requested(head: &Head<'_>) -> bool {
    let names = |field, word: &[u8]| head.list(field).any(|has| has.eq_ignore_ascii_case(word));
    head.method() == "GET"
        // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an
        // HTTP/1.0 request."
        && head.version() == Version::Http11
        && names("upgrade", b"websocket")
        && names("connection", b"upgrade")
}

/// Checks items 5 to 8 of the list.
///
/// # Errors
/// The first item that does not hold.
pub(super) fn check<'a>(head: &Head<'a>, rules: &Rules) -> Result<Opening<'a>, Refusal> {
    // §11.3.1: "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP
    // request."
    let key = only(head, "sec-websocket-key")
        .ok()
        .flatten()
        .ok_or(Refusal::Key)?;
    let accept = AcceptKey::derive(key).ok_or(Refusal::Key)?;
    let version = only(head, "sec-websocket-version").map_err(|_| Refusal::VersionRepeated)?;
    if version != Some(b"13") {
        return Err(Refusal::Version);
    }
    if !origin_allowed(head, &rules.origins) {
        return Err(Refusal::Origin);
    }
    let subprotocol = choose_subprotocol(head, &rules.subprotocols)?;
    Ok(Opening {
        accept,
        subprotocol,
    })
}

/// The values of all `Sec-WebSocket-Extensions` fields, raw and in order (§9.1).
pub fn extensions<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a [u8]> {
    head.field("sec-websocket-extensions")
}

/// The value of `Sec-WebSocket-Accept` (§4.2.2 item 5.4): base64 of a SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptKey([u8; 28]);

impl AcceptKey {
    /// The answer to the value of `Sec-WebSocket-Key`; `None` unless that is the base64 of 16
    /// bytes, padded (§4.2.1 item 5).
    #[must_use]
    pub fn derive(key: &[u8]) -> Option<Self> {
        const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        let mut nonce = [0; 16];
        let padded = key.len() == 24;
        if !padded || STANDARD.decode_slice(key, &mut nonce) != Ok(nonce.len()) {
            return None;
        }
        // §4.2.2: "It is not necessary for the server to base64-decode the |Sec-WebSocket-Key|
        // value": the text is hashed.
        let mut hash = Sha1::new();
        hash.update(key);
        hash.update(GUID);
        let mut accept = [0; 28];
        let length = STANDARD
            .encode_slice(hash.digest().bytes(), &mut accept)
            .ok()?;
        debug_assert_eq!(length, accept.len(), "base64 of 20 bytes");
        Some(Self(accept))
    }

    /// The 28 ASCII characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A field repeated that may not be.
struct Repeated;

/// The value of a field that may appear once.
fn only<'a>(head: &Head<'a>, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = head.field(name);
    let first = values.next();
    if values.next().is_some() {
        Err(Repeated)
    } else {
        Ok(first)
    }
}

/// §10.2: servers that are not meant for any web page "SHOULD verify the |Origin| field is an
/// origin they expect". Clients that are no browsers send none, and could send what they like: they
/// may connect.
fn origin_allowed(head: &Head<'_>, origins: &[String]) -> bool {
    match only(head, "origin") {
        _ if origins.is_empty() => true,
        Ok(Some(origin)) => origins.iter().any(|allowed| allowed.as_bytes() == origin),
        Ok(None) => true,
        Err(Repeated) => false,
    }
}

/// The client's first subprotocol that is allowed; it lists them in order of preference (§4.1 item
/// 10).
///
/// # Errors
/// §4.1 item 10: the elements "MUST be non-empty strings with characters in the range U+0021 to
/// U+007E not including separator characters [...] and MUST all be unique strings". Empty members
/// between commas are no elements (RFC 9110 §5.6.1.2), but one element there has to be.
fn choose_subprotocol<'a>(head: &Head<'a>, allowed: &[String]) -> Result<Option<&'a str>, Refusal> {
    if head.field("sec-websocket-protocol").next().is_none() {
        return Ok(None);
    }
    let mut offers = [""; SUBPROTOCOLS_MAX];
    let mut count = 0;
    for member in head.list("sec-websocket-protocol") {
        let valid = count < SUBPROTOCOLS_MAX && is_token(member);
        let offer = std::str::from_utf8(member).ok().filter(|_| valid);
        let offer = offer.ok_or(Refusal::Subprotocol)?;
        if offers[..count].contains(&offer) {
            return Err(Refusal::Subprotocol);
        }
        offers[count] = offer;
        count += 1;
    }
    if count == 0 {
        return Err(Refusal::Subprotocol);
    }
    let chosen = |offer: &&&str| allowed.iter().any(|name| name == "*" || name == **offer);
    Ok(offers[..count].iter().find(chosen).copied())
}
