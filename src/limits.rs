//! Every size the program keeps to, each with its reason.

/// The longest request head, in bytes, from its first byte to its final CRLF CRLF (431 beyond it,
/// 414 while still in the target). What Apache, nginx and Node settle on: browsers stay below a
/// kilobyte, cookies rarely bring it over four.
pub const HEAD_BYTES_MAX: usize = 8192;

/// The most field lines of one head (431 beyond it). Apache's default; browsers send about fifteen.
pub const HEAD_FIELDS_MAX: usize = 100;

/// The method and its space must end within this many bytes of a head (501 beyond it). RFC 9112 §3:
/// a method longer than any the server implements is answered 501; no registered one has more than
/// 17.
pub const HEAD_METHOD_BYTES_MAX: usize = 32;

/// The most subprotocols a client may offer (400 beyond it), so that the search for a duplicate is
/// bounded. Real clients offer one to three.
pub const SUBPROTOCOLS_MAX: usize = 64;

const _: () = assert!(HEAD_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(HEAD_FIELDS_MAX < u8::MAX as usize);
const _: () = assert!(HEAD_METHOD_BYTES_MAX < HEAD_BYTES_MAX);
