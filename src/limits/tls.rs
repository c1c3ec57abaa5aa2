//! What TLS takes, and what an operator may choose of it.

use std::path::PathBuf;

/// Bytes of ciphertext in one read: four records of the longest kind. What is opened leaves the
/// second-level cache if it is much more, and a system call is little beside opening so much.
pub const TLS_READ_BYTES_MAX: usize = 64 * 1024;

/// Bytes that are sealed for one write. What the socket refuses of them has to be kept, because it
/// cannot be sealed again, beside the plaintext that is not counted as sent.
pub const TLS_SEAL_BYTES_MAX: usize = 64 * 1024;

/// Longest payload of a record, with what encryption may add to it (RFC 5246 §6.2.3).
pub const TLS_RECORD_BYTES_MAX: usize = 16 * 1024 + 2048;

/// What it takes to open a record, however short, in bytes that could be opened instead: without it
/// a flood of tiny ones would have a turn take tens of milliseconds.
pub const TLS_RECORD_WORK_BYTES: usize = 512;

/// Records of an open session with nothing in them for its reader: changes of keys above all, each
/// of which takes as long as opening kilobytes. A session that has so many more than are forgiven
/// is ended; a client of good will changes its keys once an hour.
pub const TLS_HOLLOW_RECORDS_MAX: u32 = 128;

/// So many of them are forgiven with each read, so that a client may change its keys with each
/// message.
pub const TLS_HOLLOW_RECORDS_A_READ: u32 = 16;

/// Records that are opened before it is looked at what was in them.
pub const TLS_RECORDS_AT_ONCE: usize = 32;

/// Most bytes of a handshake message that arrives in several records: certificates of clients are
/// the longest.
pub const TLS_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Memory of a TLS session at rest: keys, and what else rustls knows of it. `tests/tls.rs`
/// measures it.
pub const TLS_SESSION_BYTES: usize = 4 * 1024;

/// Memory of a TLS handshake, which stands in the reserve like a half request.
pub const TLS_HANDSHAKE_BYTES: usize = 12 * 1024;

/// Flights of TLS handshakes that are answered in one turn: each takes as long as hundreds of
/// echoes, which wait for it.
pub const TURN_TLS_FLIGHTS_MAX: usize = 2;

/// Where the server's identity for `wss://` comes from, as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain of certificates, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Instead of both: the name in a certificate made at start.
    pub self_signed: Option<String>,
    /// Certificates of those who sign the certificates that clients must have, PEM.
    pub client_ca: Option<PathBuf>,
}
