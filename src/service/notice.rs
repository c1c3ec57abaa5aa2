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

fn numbered(kind: &str, count: usize, now: Now) -> String {
    format!(r#"{{"type":"{kind}","count":{count},"time":"{}"}}"#, now.timestamp())
}
