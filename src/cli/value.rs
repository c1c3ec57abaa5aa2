//! Values as operators write them: addresses, counts, sizes, durations, names.
//!
//! Errors quote the value (escaped, so that they stay one line) and say what is wrong with it. What
//! many options take is not inlined into each of them, which would be 300 bytes a time.

#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::http::normalize_origin;
use crate::limits::{READ_BYTES_MAX, TIMEOUT_MAX};
use crate::net::listen::ListenAddress;
use crate::peer::Network;
use crate::rate::Rate;
use crate::units;
pub use crate::units::{bytes, rate, show_bytes, show_duration};

/// Takes over one place to listen at: `IP:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`, with or without
/// `ws://`, or with `wss://`; `unix:/path`, `unix:/path,mode=0660`; `fd:N`; `systemd`,
/// `systemd:NAME`. Each may end in `,proxy-protocol`; with `wss://` the header stands ahead of TLS.
/// A port may end in `,reuse-port`.
///
/// In a list with commas `mode=`, `proxy-protocol` and `reuse-port` stand by themselves, behind the
/// place that they belong to.
pub fn listen(text: &str, listen: &mut Vec<ListenAddress>) -> Result<(), String> {
    if let Some(digits) = text.strip_prefix("mode=") {
        let Some(ListenAddress::Unix(_, mode @ None)) = listen.last_mut() else {
            return Err(format!("{text:?} has no unix:/path in front of it"));
        };
        *mode = Some(permissions(digits)?);
        return Ok(());
    }
    let address = match ADDITIONS.iter().find(|(word, _)| *word == text) {
        Some((_, add)) => match listen.pop() {
            Some(address) => add(text, address)?,
            None => return Err(format!("{text:?} has no address in front of it")),
        },
        None => listen_address(text)?,
    };
    listen.push(address);
    Ok(())
}

/// What may stand behind a place, with what it makes of one. An error names all of the text.
const ADDITIONS: [(&str, Addition); 2] =
    [("proxy-protocol", proxied), ("reuse-port", with_reuse_port)];

type Addition = fn(&str, ListenAddress) -> Result<ListenAddress, String>;

/// A place for proxies.
fn proxied(text: &str, address: ListenAddress) -> Result<ListenAddress, String> {
    match address.is_proxied() {
        true => Err(format!("{text:?} says proxy-protocol twice")),
        false => Ok(ListenAddress::Proxied(Box::new(address))),
    }
}

fn with_reuse_port(text: &str, address: ListenAddress) -> Result<ListenAddress, String> {
    match address.reuses_port() {
        true => Err(format!("{text:?} says reuse-port twice")),
        false => reuse_port(address),
    }
}

/// A port that other processes may listen on as well.
pub fn reuse_port(address: ListenAddress) -> Result<ListenAddress, String> {
    match address.is_port() {
        true => Ok(ListenAddress::ReusePort(Box::new(address))),
        false => Err(format!("only a port can be shared, not {address}")),
    }
}

/// One place to listen at; see [`listen`].
pub fn listen_address(text: &str) -> Result<ListenAddress, String> {
    for (word, add) in ADDITIONS {
        let place = text.strip_suffix(word).and_then(|rest| rest.strip_suffix(','));
        if let Some(place) = place {
            return add(text, listen_address(place)?);
        }
    }
    if let Some(path) = text.strip_prefix("unix:") {
        let (path, mode) = match path.rsplit_once(",mode=") {
            Some((path, digits)) => (path, Some(permissions(digits)?)),
            None => (path, None),
        };
        return match path.is_empty() {
            true => Err(format!("{text:?} names no path")),
            false => Ok(ListenAddress::Unix(path.into(), mode)),
        };
    }
    if let Some(number) = text.strip_prefix("fd:") {
        let number = digits(number).map(ListenAddress::Descriptor);
        return number.ok_or_else(|| format!("{text:?} is not fd: and a number"));
    }
    if text == "systemd" {
        return Ok(ListenAddress::Passed(None));
    }
    match text.strip_prefix("systemd:") {
        Some("") => return Err(format!("{text:?} names no socket")),
        Some(name) => return Ok(ListenAddress::Passed(Some(name.to_owned()))),
        None => {}
    }
    if let Some(address) = text.strip_prefix("wss://") {
        return secure_address(text, address);
    }
    address(text, text.strip_prefix("ws://").unwrap_or(text))
}

#[cfg(feature = "tls")]
fn secure_address(text: &str, rest: &str) -> Result<ListenAddress, String> {
    address(text, rest).map(|address| ListenAddress::Secure(Box::new(address)))
}

#[cfg(not(feature = "tls"))]
fn secure_address(text: &str, _: &str) -> Result<ListenAddress, String> {
    Err(format!("{text:?} needs TLS, which this program was built without"))
}

/// A port, with or without an address in front of it. An error names all of `text`.
fn address(text: &str, address: &str) -> Result<ListenAddress, String> {
    let address = address.strip_suffix('/').unwrap_or(address);
    let port = address.strip_prefix(':').unwrap_or(address);
    if let Some(port) = digits::<u16>(port) {
        return Ok(ListenAddress::Everywhere(port));
    }
    let exact = address.parse().map(ListenAddress::Exactly);
    exact.map_err(|_| {
        format!("{text:?} is not IP:PORT, [IPV6]:PORT, PORT, wss://…, unix:/path, fd:N or systemd")
    })
}

/// Proxies that are trusted: a network, an address, or `unix`.
pub fn network(text: &str) -> Result<Network, String> {
    let wrong = |()| {
        format!("{text:?} is not a network such as 10.0.0.0/8, without bits behind it, nor unix")
    };
    text.parse().map_err(wrong)
}

/// Permissions of a file, in octal digits as chmod(1) takes them.
fn permissions(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| format!("mode={text:?} is not permissions such as 0660"))
}

/// A whole number of at least 1.
pub fn count<N: FromStr + PartialEq + Default>(text: &str) -> Result<N, String> {
    match digits::<N>(text) {
        Some(number) if number != N::default() => Ok(number),
        _ => Err(format!("{text:?} is not a whole number of at least 1, or it is too large")),
    }
}

/// Bytes for the buffer budget, which must hold what one refused write can leave behind, or nothing
/// would move.
pub fn buffer_budget(text: &str) -> Result<usize, String> {
    let bytes = bytes(text)?;
    match usize::try_from(bytes) {
        Ok(bytes) if bytes >= READ_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(format!("{text:?} is less than {}", show_bytes(READ_BYTES_MAX as u64))),
        Err(_) => Err(format!("{text:?} is more than this machine can address")),
    }
}

/// A time as [`units::duration`] reads it, at most [`TIMEOUT_MAX`].
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = units::duration(text)?;
    if duration > TIMEOUT_MAX {
        return Err(format!("{text:?} is longer than the maximum, {}", show_duration(TIMEOUT_MAX)));
    }
    Ok(duration)
}

/// A [`duration`] that may not be 0, since nothing else would end what it limits.
#[inline(never)]
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("0 would wait for ever".to_owned()),
        duration => Ok(duration),
    }
}

/// How long a connection may last.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = units::duration(text)?;
    match duration <= LIFETIME_MAX {
        true => Ok(duration),
        false => {
            Err(format!("{text:?} is longer than the maximum, {}", show_duration(LIFETIME_MAX)))
        }
    }
}

/// A year: whoever says more means that there is no limit.
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Bytes in a second.
pub fn byte_rate(text: &str) -> Result<Rate, String> {
    match bytes(text)? {
        count @ 1..=BYTE_RATE_MAX => Ok(Rate::per_second(count)),
        _ => Err(format!("{text:?} is not from 1 to {} a second", show_bytes(BYTE_RATE_MAX))),
    }
}

/// More than this is no limit.
const BYTE_RATE_MAX: u64 = 1 << 40;

/// A subprotocol, which is a token (RFC 6455 §4.1, RFC 9110 §5.6.2). So is `*`.
pub fn subprotocol(text: &str) -> Result<String, String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(token) {
        return Err(format!("{text:?} is not a subprotocol, which is one token, nor *"));
    }
    Ok(text.to_owned())
}

/// An origin in the form it is compared in (RFC 6454 §6.2). What no browser would send is an error:
/// it would never match. A slash at the end is the usual mistake.
pub fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not SCHEME://HOST[:PORT] without a path, nor null");
    normalize_origin(text).ok_or_else(wrong)
}

/// A file, which must have a name.
#[cfg(feature = "tls")]
#[inline(never)]
pub fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("it names no file".to_owned()) } else { Ok(text.into()) }
}

/// What the variable of a flag without a value holds: `1` or `0`.
#[inline(never)]
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("{text:?} is neither 1 nor 0")),
    }
}

/// Digits alone: `parse` would take a plus sign too.
pub fn digits<N: FromStr>(text: &str) -> Option<N> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let exactly = |text: &str| ListenAddress::Exactly(text.parse().expect("an address"));
        let cases = [
            ("8080", Some(ListenAddress::Everywhere(8080))),
            (":8080", Some(ListenAddress::Everywhere(8080))),
            (":0", Some(ListenAddress::Everywhere(0))),
            ("127.0.0.1:0", Some(exactly("127.0.0.1:0"))),
            ("[::1]:80", Some(exactly("[::1]:80"))),
            ("[::]:80", Some(exactly("[::]:80"))),
            ("", None),
            (":", None),
            ("65536", None),
            ("+80", None),
            ("127.0.0.1", None),
            ("::1:80", None),
            ("localhost:80", None),
            ("ws://127.0.0.1:80", Some(exactly("127.0.0.1:80"))),
            ("ws://:80/", Some(ListenAddress::Everywhere(80))),
            ("http://127.0.0.1:80", None),
            #[cfg(feature = "tls")]
            ("wss://[::1]:80/", Some(ListenAddress::Secure(Box::new(exactly("[::1]:80"))))),
            #[cfg(feature = "tls")]
            ("wss://443", Some(ListenAddress::Secure(Box::new(ListenAddress::Everywhere(443))))),
            #[cfg(not(feature = "tls"))]
            ("wss://443", None),
            ("wss://", None),
            ("wss://unix:/a", None),
            ("unix:/a/b", Some(ListenAddress::Unix("/a/b".into(), None))),
            ("unix:a,b,mode=0660", Some(ListenAddress::Unix("a,b".into(), Some(0o660)))),
            ("unix:", None),
            ("unix:,mode=0660", None),
            ("unix:/a,mode=8", None),
            ("unix:/a,mode=1777", None),
            ("unix:/a,mode=", None),
            ("fd:3", Some(ListenAddress::Descriptor(3))),
            ("fd:-1", None),
            ("fd:", None),
            ("systemd", Some(ListenAddress::Passed(None))),
            ("systemd:web", Some(ListenAddress::Passed(Some("web".to_owned())))),
            ("systemd:", None),
            ("8080,proxy-protocol", Some(proxied(ListenAddress::Everywhere(8080)))),
            (
                "unix:/a,mode=0660,proxy-protocol",
                Some(proxied(ListenAddress::Unix("/a".into(), Some(0o660)))),
            ),
            ("8080,proxy-protocol,proxy-protocol", None),
            #[cfg(feature = "tls")]
            ("wss://8443,proxy-protocol", Some(proxied(secure(ListenAddress::Everywhere(8443))))),
            (",proxy-protocol", None),
            ("proxy-protocol", None),
            ("8080,reuse-port", Some(shared(ListenAddress::Everywhere(8080)))),
            (
                "127.0.0.1:0,reuse-port,proxy-protocol",
                Some(proxied(shared(exactly("127.0.0.1:0")))),
            ),
            (
                "127.0.0.1:0,proxy-protocol,reuse-port",
                Some(shared(proxied(exactly("127.0.0.1:0")))),
            ),
            ("8080,reuse-port,reuse-port", None),
            ("8080,reuse-port,proxy-protocol,reuse-port", None),
            ("unix:/a,reuse-port", None),
            ("fd:3,reuse-port", None),
            ("systemd:web,proxy-protocol,reuse-port", None),
            ("reuse-port", None),
        ];
        for (text, expected) in cases {
            assert_eq!(listen_address(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_mode_of_a_socket_in_a_list() {
        let mut places = Vec::new();
        for text in ["8080", "unix:/a", "mode=0600", "unix:/b"] {
            listen(text, &mut places).expect(text);
        }
        let unix = |path: &str, mode| ListenAddress::Unix(path.into(), mode);
        assert_eq!(places[1..], [unix("/a", Some(0o600)), unix("/b", None)]);
        listen("mode=0660", &mut places).expect("it has none");
        for wrong in ["mode=0660", "mode=x"] {
            assert!(listen(wrong, &mut places).is_err(), "{wrong}");
        }
        assert!(listen("mode=0660", &mut Vec::new()).is_err(), "of what?");
        listen("proxy-protocol", &mut places).expect("a place");
        assert_eq!(places[2], proxied(unix("/b", Some(0o660))));
        assert!(listen("proxy-protocol", &mut places).is_err(), "twice");
        assert!(listen("proxy-protocol", &mut Vec::new()).is_err(), "of what?");
        assert!(listen("reuse-port", &mut places).is_err(), "no port");
        let mut places = vec![ListenAddress::Everywhere(8080)];
        listen("reuse-port", &mut places).expect("a port");
        assert_eq!(places, [shared(ListenAddress::Everywhere(8080))]);
    }

    fn proxied(address: ListenAddress) -> ListenAddress {
        ListenAddress::Proxied(Box::new(address))
    }

    fn shared(address: ListenAddress) -> ListenAddress {
        ListenAddress::ReusePort(Box::new(address))
    }

    #[cfg(feature = "tls")]
    fn secure(address: ListenAddress) -> ListenAddress {
        ListenAddress::Secure(Box::new(address))
    }

    #[test]
    fn times_have_an_end_and_some_a_beginning() {
        assert_eq!(duration("4h"), Ok(TIMEOUT_MAX));
        for text in ["14400001ms", "99999999999999999h", "99999999999999999999s", "10"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(positive_duration("0ms").is_err());
    }

    #[test]
    fn names() {
        for text in ["chat", "*", "v12.stomp", "graphql-transport-ws"] {
            assert_eq!(subprotocol(text).as_deref(), Ok(text));
        }
        for text in ["", "a b", "a,b", "é", "a/b", "a\n"] {
            assert!(subprotocol(text).is_err(), "{text:?}");
        }
        for text in ["https://example.org", "http://localhost:3000", "http://[::1]:1", "null"] {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        for text in ["", "example.org", "https://", "https://a/", "https://a b", "*"] {
            let error = origin(text).expect_err(text);
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn errors_stay_on_one_line() {
        let wrong = "1\n\u{1b}[31m";
        let errors = [
            listen_address(wrong).map(drop),
            count::<u32>(wrong).map(drop),
            bytes(wrong).map(drop),
            duration(wrong).map(drop),
            subprotocol(wrong).map(drop),
            origin(wrong).map(drop),
        ];
        for error in errors.map(|result| result.expect_err("it is wrong")) {
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}
