//! Limits of rooms and of their members.

/// Longest name of a room, in bytes as they stand in the path: 64 characters of four bytes, each
/// of them escaped.
pub const ROOM_BYTES_MAX: usize = 64 * 4 * 3;

/// Most members of a room (Close 1013 beyond it): what one of them says is then handed out within
/// one share of a turn, and a thousand of them, the most that people meet in, have room to spare.
pub const ROOM_MEMBERS_MAX: usize = 4096;

/// Bytes that may wait for a member of a room. A recipient slower than that is ended, so that a
/// room neither waits for it nor remembers more and more for it.
pub const MEMBER_QUEUE_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one read from a member of a room: what it says costs the others more than itself, and
/// what is beyond its share of a turn has to be put aside.
pub const MEMBER_READ_BYTES: usize = 16 * 1024;

/// Memory that a service keeps for a member of a room, beside messages: its name, its places in the
/// tables.
pub const MEMBER_BYTES: usize = 1024;
