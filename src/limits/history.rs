//! What rooms may keep of what was said, and how long it may wait.

use std::time::Duration;

use super::MEMBER_QUEUE_BYTES_MAX;

/// Most messages that may be kept of what was said in a room.
pub const ROOM_HISTORY_MESSAGES_MAX: usize = 1000;

/// Most bytes of them: a new member gets them all at once, and half of what may wait for it is left
/// for what is said meanwhile.
pub const ROOM_HISTORY_BYTES_MAX: usize = MEMBER_QUEUE_BYTES_MAX / 2;

/// The longest that a message to a member may wait for others. Those who talk notice a tenth of a
/// second (Nielsen 1993).
pub const COALESCE_MAX: Duration = Duration::from_millis(100);

/// Most members that are held at a time, in 24 bytes each: beyond that a message leaves at once.
pub const HELD_MAX: usize = 1 << 16;

/// What a room keeps of what was said, for those who come later. Both bounds hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomHistory {
    /// Most messages; 0 keeps nothing. Drawing boards keep to the bytes alone.
    pub messages: usize,
    /// Most bytes of memory.
    pub bytes: usize,
}

impl Default for RoomHistory {
    fn default() -> Self {
        Self { messages: 50, bytes: 64 * 1024 }
    }
}
