//! Limits of what is there for those without WebSocket: bodies, streams and polls.

use std::time::Duration;

/// Most hexadecimal digits of a chunk's size, leading zeros included: those of 64 bits.
pub const CHUNK_SIZE_DIGITS_MAX: u8 = 16;

/// Bytes that the chunk extensions of a body may have together. Nobody sends any; Go allows 16 KiB
/// beside the data, and counts since endless ones kept it busy (CVE-2023-39326).
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 4 * 1024;

/// Bytes that the trailers of a body may have together, their lines' ends included.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;

/// Longest message that is sent with a request to a mailbox. Those who have no WebSocket talk; for
/// files there is `POST /echo`.
pub const MAIL_BYTES_MAX: usize = 64 * 1024;

/// Bytes of messages that may wait in a mailbox (429 beyond it).
pub const MAILBOX_BYTES_MAX: usize = 256 * 1024;

/// Memory of a mailbox beside its messages, its place in the table included.
pub const MAILBOX_BYTES: usize = 512;

/// Memory of a message in a mailbox beside its bytes.
pub const MAIL_BYTES: usize = 64;

/// Most mailboxes (beyond it the oldest goes): those that are polled outlive connections, which are
/// limited.
pub const MAILBOXES_MAX: usize = 4096;

/// A mailbox that nobody has polled for so long is gone.
pub const MAILBOX_TIME_MAX: Duration = Duration::from_secs(60);

/// Events of a stream are written together up to this length.
pub const EVENTS_BYTES_SOFT: usize = 16 * 1024;

const _: () = assert!(MAIL_BYTES_MAX + MAIL_BYTES <= MAILBOX_BYTES_MAX, "the longest fits");
