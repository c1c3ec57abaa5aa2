//! The options of rooms.

use std::time::Duration;

use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;
use crate::limits::{COALESCE_MAX, ROOM_HISTORY_BYTES_MAX, ROOM_HISTORY_MESSAGES_MAX, RoomHistory};
use crate::units;

const HEADING: &str = "Rooms";

/// Every option of rooms, in the order of the help.
pub(super) const ROOMS: &[Spec<Options>] = &[
    Spec {
        name: "coalesce",
        variable: "WSECHO_COALESCE",
        takes: Takes::One("TIME"),
        heading: HEADING,
        help: "How long a message may wait for others to the\n\
           same member, so that one write sends them\n\
           all; at most 100ms, 0 for no wait",
        default: |options| value::show_duration(options.config.coalesce),
        apply: |options, text| window(text).map(|value| options.config.coalesce = value),
    },
    Spec {
        name: "room-history",
        variable: "WSECHO_ROOM_HISTORY",
        takes: Takes::One("N[,BYTES]"),
        heading: HEADING,
        help: "What a room keeps for those who join later:\n\
           the last N messages of a chat, 0 to 1000, and\n\
           of a chat or drawing board at most BYTES of\n\
           memory, up to 128KiB. 0 keeps nothing",
        default: |options| show(options.config.room_history),
        apply: |options, text| history(text).map(|value| options.config.room_history = value),
    },
];

/// How long a message may wait for others.
fn window(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        duration if duration <= COALESCE_MAX => Ok(duration),
        _ => Err(format!(
            "{text:?} is longer than the maximum, {}",
            value::show_duration(COALESCE_MAX)
        )),
    }
}

/// Most messages, and maybe a comma and most bytes, of what a room keeps.
fn history(text: &str) -> Result<RoomHistory, String> {
    let (number, size) = match text.split_once(',') {
        Some((number, size)) => (number, Some(size)),
        None => (text, None),
    };
    let Some(messages) = value::digits::<usize>(number) else {
        return Err(format!("{text:?} is not a number of messages such as 50, or 50,64KiB"));
    };
    let default = RoomHistory::default().bytes as u64;
    let bytes = size.map_or(Ok(default), value::bytes)?;
    if messages > ROOM_HISTORY_MESSAGES_MAX {
        return Err(format!("{text:?} is more than {ROOM_HISTORY_MESSAGES_MAX} messages"));
    }
    match usize::try_from(bytes) {
        Ok(bytes) if bytes <= ROOM_HISTORY_BYTES_MAX => Ok(RoomHistory { messages, bytes }),
        _ => Err(format!(
            "{text:?} is more than {}",
            value::show_bytes(ROOM_HISTORY_BYTES_MAX as u64)
        )),
    }
}

/// What [`history`] reads.
fn show(history: RoomHistory) -> String {
    format!("{},{}", history.messages, value::show_bytes(history.bytes as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_a_tenth_of_a_second_at_most() {
        let cases = [("0", Some(0)), ("1ms", Some(1)), ("100ms", Some(100)), ("101ms", None)];
        for (text, expected) in cases.into_iter().chain([("5", None), ("", None), ("1s", None)]) {
            let millis = expected.map(Duration::from_millis);
            assert_eq!(window(text).ok(), millis, "{text:?}");
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
            let kept = history(text).ok();
            assert_eq!(kept.map(|kept| (kept.messages, kept.bytes)), expected, "{text:?}");
        }
        assert_eq!(show(RoomHistory::default()), "50,64KiB");
        assert!(!history("1\n\u{1b}[31m").unwrap_err().chars().any(char::is_control));
    }
}
