//! The server's side of the opening handshake: the checklist of RFC 6455 §4.2.1, in its order.
//!
//! Items 1 and 2 (request line, `Host`) hold for every request and are checked in `routes.rs`;
//! items 3 and 4 (`Upgrade`, `Connection`) decide whether this is a handshake at all
//! ([`requested`]). Extensions are not judged here: [`extensions`] hands them on as they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

use super::class::{BASE64, is_token, run};
use super::name::is_word;
use super::{Head, Name, Refusal, ServicePath, Version, credentials, normalize_origin};
use crate::limits::SUBPROTOCOLS_MAX;

/// Which handshakes the operator wants.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Subprotocols that may be chosen, compared exactly; `*` stands for any.
    pub subprotocols: Vec<String>,
    /// Origins that may connect, as [`normalize_origin`] writes them; if there are none, all may.
    pub origins: Vec<String>,
    /// A token is asked for, and may be among the subprotocols.
    pub tokens: bool,
    /// Where services other than the echo are.
    pub services: Vec<ServicePath>,
    /// What gets through without WebSocket is served.
    pub fallback: bool,
    /// There are several processes, whose counters can be had together.
    pub workers: bool,
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
    head.method() == "GET"
        // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an
        // HTTP/1.0 request."
        && head.version() == Version::Http11
        && head.list(Name::Upgrade).any(|member| is_word(member, b"websocket"))
        && head.list(Name::Connection).any(|member| is_word(member, b"upgrade"))
}

/// Checks items 5 to 8 of the list.
///
/// # Errors
/// The first item that does not hold.
pub(super) fn check<'a>(head: &Head<'a>, rules: &Rules) -> Result<Opening<'a>, Refusal> {
    // §11.3.1: "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP
    // request."
    let key = only(head, Name::WebSocketKey).ok().flatten().ok_or(Refusal::Key)?;
    let accept = AcceptKey::derive(key).ok_or(Refusal::Key)?;
    let version = only(head, Name::WebSocketVersion).map_err(|_| Refusal::VersionRepeated)?;
    if version != Some(b"13") {
        return Err(Refusal::Version);
    }
    if !origin_allowed(head, &rules.origins) {
        return Err(Refusal::Origin);
    }
    let subprotocol = choose_subprotocol(head, rules)?;
    Ok(Opening { accept, subprotocol })
}

/// The values of all `Sec-WebSocket-Extensions` fields, raw and in order (§9.1).
pub fn extensions<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a [u8]> {
    head.field(Name::WebSocketExtensions)
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
        // 128 bits are 21 digits of 6, and 2 bits in one whose others have to be 0 (RFC 4648 §3.5).
        let [digits @ .., b'A' | b'Q' | b'g' | b'w', b'=', b'='] = key else { return None };
        if digits.len() != 21 || run(BASE64, digits) != digits.len() {
            return None;
        }
        // §4.2.2: "It is not necessary for the server to base64-decode the |Sec-WebSocket-Key|
        // value": the text is hashed.
        let mut hash = Sha1::new();
        hash.update(key);
        hash.update(GUID);
        let mut accept = [0; 28];
        let length = STANDARD.encode_slice(hash.digest().bytes(), &mut accept).ok()?;
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
fn only<'a>(head: &Head<'a>, name: Name) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = head.field(name);
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// §10.2: servers that are not meant for any web page "SHOULD verify the |Origin| field is an
/// origin they expect". Clients that are no browsers send none, and could send what they like: they
/// may connect.
pub(super) fn origin_allowed(head: &Head<'_>, origins: &[String]) -> bool {
    if origins.is_empty() {
        return true;
    }
    match only(head, Name::Origin) {
        Ok(Some(origin)) => {
            let origin = std::str::from_utf8(origin).ok().and_then(normalize_origin);
            origin.is_some_and(|origin| origins.contains(&origin))
        }
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
fn choose_subprotocol<'a>(head: &Head<'a>, rules: &Rules) -> Result<Option<&'a str>, Refusal> {
    if head.field(Name::WebSocketProtocol).next().is_none() {
        return Ok(None);
    }
    let mut offers = [""; SUBPROTOCOLS_MAX];
    let mut count = 0;
    for member in head.list(Name::WebSocketProtocol) {
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
    let allowed = |offer: &str| rules.subprotocols.iter().any(|name| name == "*" || name == offer);
    let mut offers = offers[..count].iter().copied().filter(|offer| allowed(offer));
    let first = offers.clone().next();
    // A token is no subprotocol. It is only chosen where nothing else is offered, because a browser
    // fails a connection whose server has chosen none.
    let is_token = |offer: &str| rules.tokens && credentials::is_token(offer);
    Ok(offers.find(|offer| !is_token(offer)).or(first))
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::read;
    use super::*;

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

    /// What becomes of a handshake with these field lines: the subprotocol, or why there is none.
    fn judge(lines: &str, rules: &Rules) -> Result<Option<String>, Refusal> {
        let request = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        let head = read(request.as_bytes()).unwrap().unwrap();
        check(&head, rules).map(|opening| opening.subprotocol.map(str::to_owned))
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_accept_key_of_the_rfc() {
        // RFC 6455 §4.2.2 item 5.4, its example.
        let accept = AcceptKey::derive(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept.unwrap().as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn h21_keys_that_are_not_16_bytes() {
        let cases = [
            "",
            "AAAAAAAAAAAAAAAAAAAA",      // 15 bytes
            "AAAAAAAAAAAAAAAAAAAAAAA=",  // 17 bytes
            "AAAAAAAAAAAAAAAAAAAAAAAA",  // 18 bytes
            "dGhlIHNhbXBsZSBub25jZQ",    // no padding
            "dGhlIHNhbXBsZSBub25jZQ=",   // half of it
            "dGhlIHNhbXBsZSBub25jZQ===", // too much of it
            "dGhlIHNhbXBsZSBub25jZ-==",  // another alphabet
            "dGhlIHNhbXBsZSBub25 ZQ==",
            "dGhlIHNhbXBsZSBub25jZR==", // bits behind the last byte
            "====",
            "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        ];
        for key in cases {
            let lines = format!("Sec-WebSocket-Key: {key}\r\n{VERSION}");
            assert_eq!(judge(&lines, &Rules::default()), Err(Refusal::Key), "{key}");
        }
        assert_eq!(judge(VERSION, &Rules::default()), Err(Refusal::Key));
        assert_eq!(Refusal::Key.status().label(), "400");
    }

    #[test]
    fn h22_two_keys_two_versions() {
        let rules = Rules::default();
        assert_eq!(judge(&format!("{KEY}{VERSION}"), &rules), Ok(None));
        assert_eq!(judge(&format!("{KEY}{KEY}{VERSION}"), &rules), Err(Refusal::Key));
        let versions = format!("{KEY}{VERSION}{VERSION}");
        assert_eq!(judge(&versions, &rules), Err(Refusal::VersionRepeated));
        assert_eq!(Refusal::VersionRepeated.status().label(), "400");
    }

    #[test]
    fn h23_versions_other_than_13() {
        for version in ["0", "8", "14", "13,8", "8, 13", "013", "+13", "13.0", "0x0d", ""] {
            let lines = format!("{KEY}Sec-WebSocket-Version: {version}\r\n");
            assert_eq!(judge(&lines, &Rules::default()), Err(Refusal::Version), "{version}");
        }
        assert_eq!(judge(KEY, &Rules::default()), Err(Refusal::Version));
        assert_eq!(Refusal::Version.status().label(), "426");
    }

    #[test]
    fn h24_h25_h26_subprotocols() {
        let chosen = |name: &str| Ok(Some(name.to_owned()));
        let refused = Err(Refusal::Subprotocol);
        let many = |count: usize| {
            let names = (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
            format!("Sec-WebSocket-Protocol: {}\r\n", names.join(","))
        };
        let blanks = format!("Sec-WebSocket-Protocol: a{}b\r\n", " ".repeat(7 << 10));
        let blank_list = format!("Sec-WebSocket-Protocol: a{},b\r\n", " ".repeat(7 << 10));
        let (any, none) = (strings(&["*"]), strings(&[]));
        let two = strings(&["b", "a"]);
        let cases = [
            // H26: none is requested, none is answered.
            ("", &any, Ok(None)),
            // §4.1 item 10: in the client's order of preference.
            ("Sec-WebSocket-Protocol: a, b\r\n", &two, chosen("a")),
            ("Sec-WebSocket-Protocol: x,b ,a\r\n", &two, chosen("b")),
            ("Sec-WebSocket-Protocol: x\r\nsec-websocket-protocol: a\r\n", &two, chosen("a")),
            ("Sec-WebSocket-Protocol: x, a\r\n", &any, chosen("x")),
            // H25: none that is known. Names are compared exactly.
            ("Sec-WebSocket-Protocol: x, y\r\n", &two, Ok(None)),
            ("Sec-WebSocket-Protocol: A\r\n", &two, Ok(None)),
            ("Sec-WebSocket-Protocol: a\r\n", &none, Ok(None)),
            // H24: empty members are no members (RFC 9110 §5.6.1.2).
            ("Sec-WebSocket-Protocol: x,,a,\r\n", &two, chosen("a")),
            ("Sec-WebSocket-Protocol: a;b\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: a b\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: \"a\"\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: a\u{e9}\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: a, x;y\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: a, a\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol:\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: , ,\r\n", &two, refused.clone()),
            ("Sec-WebSocket-Protocol: a;b\r\n", &none, refused.clone()),
            (&blanks, &two, refused.clone()),
            (&blank_list, &two, chosen("a")),
            (&many(SUBPROTOCOLS_MAX), &any, chosen("0")),
            (&many(SUBPROTOCOLS_MAX + 1), &any, refused.clone()),
        ];
        for (lines, subprotocols, expected) in cases {
            let rules = Rules { subprotocols: subprotocols.clone(), ..Rules::default() };
            assert_eq!(judge(&format!("{KEY}{VERSION}{lines}"), &rules), expected, "{lines}");
        }
    }

    #[test]
    fn h39_origins() {
        let good = "Origin: https://good.example\r\n";
        let cases = [
            ("", true),
            (good, true),
            ("Origin: https://good.example:8443\r\n", true),
            ("Origin: https://good.example.evil\r\n", false),
            ("Origin: https://good.example`\r\n", false),
            ("Origin: https://good.example/\r\n", false),
            ("Origin: http://good.example\r\n", false),
            // RFC 6454 §4: scheme and host in lower case, and no default port.
            ("Origin: https://GOOD.example\r\n", true),
            ("Origin: HTTPS://good.example:443\r\n", true),
            ("Origin: https://good.example:80\r\n", false),
            ("Origin: https://good.example:08443\r\n", true),
            ("Origin: wss://good.example\r\n", false),
            ("Origin: https://user@good.example\r\n", false),
            ("Origin: https://good.example.\r\n", false),
            ("Origin: \u{ff}\r\n", false),
            ("Origin: https://good.exampl\r\n", false),
            ("Origin: https://good.example https://evil.example\r\n", false),
            ("Origin: null\r\n", false),
            ("Origin:\r\n", false),
            ("Origin: https://good.example\r\nOrigin: https://good.example\r\n", false),
            ("Origin: https://good.example\r\nOrigin: https://evil.example\r\n", false),
        ];
        let origins = strings(&["https://good.example", "https://good.example:8443"]);
        let rules = Rules { origins, ..Rules::default() };
        for (lines, allowed) in cases {
            let expected = if allowed { Ok(None) } else { Err(Refusal::Origin) };
            let lines = format!("{KEY}{VERSION}{lines}");
            assert_eq!(judge(&lines, &rules), expected, "{lines}");
            assert_eq!(judge(&lines, &Rules::default()), Ok(None), "no list: {lines}");
        }
        assert_eq!(Refusal::Origin.status().label(), "403");
    }

    #[test]
    fn the_first_item_that_fails_is_told() {
        let rules = Rules { origins: strings(&["o"]), ..Rules::default() };
        let (origin, protocol) = ("Origin: x\r\n", "Sec-WebSocket-Protocol: ;\r\n");
        let cases = [
            (format!("{origin}{protocol}"), Refusal::Key),
            (format!("{origin}{protocol}{KEY}"), Refusal::Version),
            (format!("{origin}{protocol}{KEY}{VERSION}"), Refusal::Origin),
            (format!("{protocol}{KEY}{VERSION}"), Refusal::Subprotocol),
        ];
        for (lines, refusal) in cases {
            assert_eq!(judge(&lines, &rules), Err(refusal), "{lines}");
        }
    }

    #[test]
    fn extensions_are_handed_on_raw() {
        let request = b"GET / HTTP/1.1\r\nSec-WebSocket-Extensions: a;;=x \r\n\
            sec-websocket-extensions:\"b\r\n\r\n";
        let head = read(request).unwrap().unwrap();
        assert_eq!(extensions(&head).collect::<Vec<_>>(), [b"a;;=x".as_slice(), b"\"b"]);
    }
}
