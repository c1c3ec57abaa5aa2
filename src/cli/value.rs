//! Values as operators write them: addresses, counts, sizes, durations, names.
//!
//! Errors quote the value (escaped, so that they stay one line) and say what is wrong with it.

use std::str::FromStr;
use std::time::Duration;

use crate::http::normalize_origin;
use crate::limits::{
    Deflate, READ_BYTES_MAX, ROOM_HISTORY_BYTES_MAX, ROOM_HISTORY_MESSAGES_MAX, RoomHistory,
    TIMEOUT_MAX,
};
use crate::net::listen::ListenAddress;

/// `IP:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`.
pub fn listen_address(text: &str) -> Result<ListenAddress, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Some(port) = digits::<u16>(port) {
        return Ok(ListenAddress::Everywhere(port));
    }
    let exact = text.parse().map(ListenAddress::Exactly);
    exact.map_err(|_| format!("{text:?} is not IP:PORT, [IPV6]:PORT, :PORT or PORT"))
}

const DEFLATE_NAMES: [(&str, Deflate); 3] =
    [("on", Deflate::On), ("takeover", Deflate::Takeover), ("off", Deflate::Off)];

/// `on`, `takeover` or `off`.
pub fn deflate(text: &str) -> Result<Deflate, String> {
    let known = DEFLATE_NAMES.iter().find(|(name, _)| *name == text);
    known.map(|(_, choice)| *choice).ok_or_else(|| format!("{text:?} is not on, takeover or off"))
}

/// What [`deflate`] reads.
pub fn deflate_name(choice: Deflate) -> &'static str {
    DEFLATE_NAMES.iter().find(|(_, known)| *known == choice).map_or("", |(name, _)| name)
}

/// A whole number of at least 1.
pub fn count<N: FromStr + PartialEq + Default>(text: &str) -> Result<N, String> {
    match digits::<N>(text) {
        Some(number) if number != N::default() => Ok(number),
        _ => Err(format!("{text:?} is not a whole number from 1 in range")),
    }
}

/// Bytes, with `k`, `m`, `g`, `KiB`, `MiB`, `GiB` in either case as powers of 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let unit_bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => {
            return Err(format!("{text:?} is not a size such as 65536, 64KiB, 16m or 1GiB"));
        }
    };
    let Some(number) = digits::<u64>(number) else {
        return Err(format!("{text:?} is not a size such as 65536, 64KiB, 16m or 1GiB"));
    };
    number.checked_mul(unit_bytes).ok_or_else(|| format!("{text:?} is more than 64 bits hold"))
}

/// A size as [`bytes`] reads it, in the largest unit that leaves it whole.
pub fn show_bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit_bytes, _)| bytes != 0 && bytes % unit_bytes == 0) {
        Some((unit_bytes, unit)) => format!("{}{unit}", bytes / unit_bytes),
        None => bytes.to_string(),
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

/// Most messages, and maybe a comma and most bytes, of what a room keeps.
pub fn room_history(text: &str) -> Result<RoomHistory, String> {
    let (number, size) = match text.split_once(',') {
        Some((number, size)) => (number, Some(size)),
        None => (text, None),
    };
    let Some(messages) = digits::<usize>(number) else {
        return Err(format!("{text:?} is not a number of messages such as 50, or 50,64KiB"));
    };
    let default = RoomHistory::default().bytes as u64;
    let bytes = size.map_or(Ok(default), bytes)?;
    if messages > ROOM_HISTORY_MESSAGES_MAX {
        return Err(format!("{text:?} is more than {ROOM_HISTORY_MESSAGES_MAX} messages"));
    }
    match usize::try_from(bytes) {
        Ok(bytes) if bytes <= ROOM_HISTORY_BYTES_MAX => Ok(RoomHistory { messages, bytes }),
        _ => Err(format!("{text:?} is more than {}", show_bytes(ROOM_HISTORY_BYTES_MAX as u64))),
    }
}

/// What [`room_history`] reads.
pub fn show_room_history(history: RoomHistory) -> String {
    format!("{},{}", history.messages, show_bytes(history.bytes as u64))
}

/// Seconds, or a number with `ms`, `s`, `m` or `h`; at most [`TIMEOUT_MAX`].
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let unit_millis: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => {
            return Err(format!("{text:?} is not a time such as 10, 10s, 500ms or 2m"));
        }
    };
    let Some(number) = digits::<u64>(number) else {
        return Err(format!("{text:?} is not a time such as 10, 10s, 500ms or 2m"));
    };
    let duration = Duration::from_millis(number.saturating_mul(unit_millis));
    if duration > TIMEOUT_MAX {
        return Err(format!("{text:?} is longer than {}, the most", show_duration(TIMEOUT_MAX)));
    }
    Ok(duration)
}

/// A [`duration`] that may not be 0, since nothing else would end what it limits.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("0 would wait for ever".to_owned()),
        duration => Ok(duration),
    }
}

/// A time as [`duration`] reads it, in the largest unit that leaves it whole.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(60 * 60 * 1000, "h"), (60 * 1000, "m"), (1000, "s")];
    match units.iter().find(|(unit_millis, _)| millis % unit_millis == 0 && millis != 0) {
        Some((unit_millis, unit)) => format!("{}{unit}", millis / unit_millis),
        None => format!("{millis}ms"),
    }
}

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

/// What the variable of a flag without a value holds: `1` or `0`.
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

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
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
            ("ws://127.0.0.1:80", None),
        ];
        for (text, expected) in cases {
            assert_eq!(listen_address(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("0", Some(0)),
            ("65536", Some(65536)),
            ("12b", Some(12)),
            ("1k", Some(1 << 10)),
            ("64KiB", Some(64 << 10)),
            ("16M", Some(16 << 20)),
            ("1gib", Some(1 << 30)),
            ("17179869183GiB", Some(u64::MAX - ((1 << 30) - 1))),
            ("17179869184GiB", None),
            ("18446744073709551616", None),
            ("", None),
            ("k", None),
            ("-1", None),
            ("1.5m", None),
            ("1 k", None),
            ("1kb", None),
            ("1tib", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text).ok(), expected, "{text:?}");
        }
        for (size, text) in [(0, "0"), (1000, "1000"), (1536, "1536"), (64 << 20, "64MiB")] {
            assert_eq!(show_bytes(size), text);
        }
    }

    #[test]
    fn room_histories() {
        let cases = [
            ("50", Some((50, 64 << 10))),
            ("0", Some((0, 64 << 10))),
            ("1000,128KiB", Some((1000, 128 << 10))),
            ("20,1000", Some((20, 1000))),
            ("1001", None),
            ("50,129KiB", None),
            ("64KiB", None),
            ("50,", None),
            (",64KiB", None),
            ("50,64KiB,1", None),
            ("-1", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let history = room_history(text).ok();
            assert_eq!(history.map(|kept| (kept.messages, kept.bytes)), expected, "{text:?}");
        }
        assert_eq!(show_room_history(RoomHistory::default()), "50,64KiB");
    }

    #[test]
    fn durations() {
        let cases = [
            ("0", Some(0)),
            ("10", Some(10_000)),
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
            ("4h", Some(14_400_000)),
            ("14400001ms", None),
            ("99999999999999999h", None),
            ("99999999999999999999", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("10S", None),
            ("10 s", None),
            ("1d", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text:?}");
        }
        assert!(positive_duration("0ms").is_err());
        for (millis, text) in [(0, "0ms"), (1500, "1500ms"), (90_000, "90s"), (120_000, "2m")] {
            assert_eq!(show_duration(Duration::from_millis(millis)), text);
        }
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
            room_history(wrong).map(drop),
            duration(wrong).map(drop),
            subprotocol(wrong).map(drop),
            origin(wrong).map(drop),
        ];
        for error in errors.map(|result| result.expect_err("it is wrong")) {
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}
