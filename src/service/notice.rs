//! What a room itself tells its members, in the words of all services.

use super::Now;

/// What comes before the messages from before: how many they are.
pub(super) fn history(count: usize, now: Now) -> String {
    numbered("history", count, now)
}

/// How many are in the room.
pub(super) fn presence(count: usize, now: Now) -> String {
    numbered("presence", count, now)
}

/// The room does not reach everybody for now.
pub(super) const CUT: &str = "This room is local for now: the other servers cannot be reached";

/// It does again.
#[cfg(feature = "bus")]
pub(super) const REJOINED: &str = "This room is whole again: the other servers are back";

/// The room's own words; `message` has nothing in it that JSON would escape.
pub(super) fn system(message: &str, now: Now) -> String {
    format!(r#"{{"type":"system","message":"{message}","time":"{}"}}"#, now.timestamp())
}

fn numbered(kind: &str, count: usize, now: Now) -> String {
    format!(r#"{{"type":"{kind}","count":{count},"time":"{}"}}"#, now.timestamp())
}
