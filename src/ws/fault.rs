//! What a peer's frames can do wrong, and the close code that each fault maps to.

use super::close::CloseCode;

/// A peer broke RFC 6455, or a limit. Each variant has exactly one close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A reserved bit without an extension that gives it a meaning (§5.2).
    ReservedBits,
    /// Opcode 3–7 or 0xB–0xF (§5.2).
    ReservedOpcode,
    /// A client's frame without a masking key (§5.1).
    Unmasked,
    /// A server's frame with a masking key (§5.1).
    Masked,
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes of payload (§5.5).
    LongControl,
    /// A length not in its shortest form (§5.2).
    LengthForm,
    /// A 64-bit length with its top bit set (§5.2).
    LengthRange,
    /// A continuation frame with no message open (§5.4).
    Continuation,
    /// A new message inside an open one (§5.4).
    Interleaved,
    /// A Close body of one byte (§5.5.1).
    CloseBody,
    /// A close code that may not appear on the wire (§7.4).
    CloseCode,
    /// Text or a close reason that is not UTF-8 (§8.1).
    Utf8,
    /// A compressed message that does not inflate (RFC 7692 §7.2.2).
    Corrupt,
    /// A message longer than the limit (§7.4.1).
    TooLarge,
    /// A message in more frames than the limit (§7.4.1).
    TooManyFragments,
    /// No fault of the peer's: what it said cannot be kept until it is complete, or due.
    NoRoom,
}

impl Fault {
    /// The code to close with (§7.4.1).
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Utf8 | Self::Corrupt => CloseCode::INVALID_PAYLOAD,
            Self::TooLarge => CloseCode::TOO_BIG,
            Self::TooManyFragments => CloseCode::POLICY,
            Self::NoRoom => CloseCode::TRY_AGAIN,
            _ => CloseCode::PROTOCOL,
        }
    }

    /// A short reason for the Close frame and the log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bit set",
            Self::ReservedOpcode => "reserved opcode",
            Self::Unmasked => "frame not masked",
            Self::Masked => "frame masked",
            Self::FragmentedControl => "fragmented control frame",
            Self::LongControl => "control frame too long",
            Self::LengthForm => "length not in its shortest form",
            Self::LengthRange => "length out of range",
            Self::Continuation => "continuation without a message",
            Self::Interleaved => "message inside a message",
            Self::CloseBody => "close body of one byte",
            Self::CloseCode => "invalid close code",
            Self::Utf8 => "invalid UTF-8",
            Self::Corrupt => "corrupt compressed data",
            Self::TooLarge => "message too big",
            Self::TooManyFragments => "too many fragments",
            Self::NoRoom => "no room to keep it",
        }
    }
}
