//! Limits of compressed messages, and of those who inflate them.

use std::time::Duration;

/// Where inflated bytes are looked at before they are thrown away. Smaller, and the inflater loses
/// a quarter of its speed; larger, and it leaves the first-level cache.
pub const INFLATE_SCRATCH_BYTES: usize = 16 * 1024;

/// Bytes of one read from a connection that may send compressed messages. What a turn does not
/// get to inflate of it has to be kept.
pub const INFLATE_READ_BYTES: usize = 32 * 1024;

/// Compressed bytes that are unmasked at one time. What the share of a turn leaves of them is
/// masked again.
pub const INFLATE_SLICE_BYTES: usize = 4 * 1024;

/// Memory of an inflater: its window of 32 KiB, and its tables.
pub const INFLATER_BYTES: usize = 48 * 1024;

/// A compressed message may hold an inflater for this long while others wait for one, whatever of
/// it arrives meanwhile.
pub const INFLATER_TIME_MAX: Duration = Duration::from_secs(10);

/// Effort that one connection may spend on inflating in one turn: 2 for a byte that comes out, 32
/// for one that goes in (256 with a window below 32 KiB, whose inflater builds tables slowly).
/// Spent in full it is about 50 us, whatever was sent.
pub const TURN_INFLATE_EFFORT: usize = 256 * 1024;

/// The same while very many are ready.
pub const TURN_INFLATE_EFFORT_MIN: usize = TURN_INFLATE_EFFORT / 8;

/// Effort that a message takes however short it is: an inflater is fetched, reset and given back.
pub const INFLATE_MESSAGE_EFFORT: usize = 1024;

/// Inflaters kept for the next message. Within a turn one serves all.
pub const SPARE_INFLATERS_MAX: usize = 4;

/// A compressed message may be this much longer than the message limit, which is for what it
/// inflates to: stored blocks and flushes add to incompressible data.
pub const COMPRESSED_SLACK_BYTES: u64 = 64 * 1024;

/// What the server agrees to when a client offers permessage-deflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deflate {
    /// No context is kept between messages, so a connection at rest keeps no window.
    On,
    /// As `On`, but context takeover is agreed to unless the offer asks against it. A connection
    /// then keeps its inflater, window included, for as long as it lives.
    Takeover,
    /// Every offer is declined.
    Off,
}
