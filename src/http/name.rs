//! The names of the fields that this server reads.

/// What a field is to this server, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Name {
    /// One that nobody here reads.
    #[default]
    Other,
    /// `Host`
    Host,
    /// `Expect`
    Expect,
    /// `Origin`
    Origin,
    /// `Upgrade`
    Upgrade,
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Sec-WebSocket-Key`
    WebSocketKey,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Sec-WebSocket-Version`
    WebSocketVersion,
    /// `Sec-WebSocket-Protocol`
    WebSocketProtocol,
    /// `Sec-WebSocket-Extensions`
    WebSocketExtensions,
}

impl Name {
    /// How many there are.
    pub(super) const COUNT: usize = Self::WebSocketExtensions as usize + 1;

    /// The field with this name, in any case (RFC 9110 §5.1).
    pub(super) fn of(name: &[u8]) -> Self {
        // The length leaves one or two to compare with.
        let (field, same) = match name.len() {
            4 => (Self::Host, is_word(name, b"host")),
            6 if is_word(name, b"expect") => (Self::Expect, true),
            6 => (Self::Origin, is_word(name, b"origin")),
            7 => (Self::Upgrade, is_word(name, b"upgrade")),
            10 => (Self::Connection, is_word(name, b"connection")),
            14 => (Self::ContentLength, is_word(name, b"content-length")),
            17 if is_word(name, b"sec-websocket-key") => (Self::WebSocketKey, true),
            17 => (Self::TransferEncoding, is_word(name, b"transfer-encoding")),
            21 => (Self::WebSocketVersion, is_word(name, b"sec-websocket-version")),
            22 => (Self::WebSocketProtocol, is_word(name, b"sec-websocket-protocol")),
            24 => (Self::WebSocketExtensions, is_word(name, b"sec-websocket-extensions")),
            _ => return Self::Other,
        };
        if same { field } else { Self::Other }
    }
}

/// Is this the word `known`, which is written in lower case, in any case?
///
/// The length is known where this is compiled, and no byte ends the comparison: so it becomes a
/// few instructions on all bytes at once.
pub(super) fn is_word<const N: usize>(bytes: &[u8], known: &[u8; N]) -> bool {
    let Ok(bytes) = <&[u8; N]>::try_from(bytes) else { return false };
    let mut difference = 0;
    for (byte, known) in bytes.iter().zip(known) {
        // Of the bytes in words, letters alone have the bit 0x40, and lower case is the bit 0x20.
        let case = (known & 0x40) >> 1;
        difference |= (byte | case) ^ known;
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §5.1: "Field names are case-insensitive".
    #[test]
    fn names_are_known_in_any_case_and_no_others_are() {
        let names = [
            ("Host", Name::Host),
            ("Expect", Name::Expect),
            ("Origin", Name::Origin),
            ("Upgrade", Name::Upgrade),
            ("Connection", Name::Connection),
            ("Content-Length", Name::ContentLength),
            ("Sec-WebSocket-Key", Name::WebSocketKey),
            ("Transfer-Encoding", Name::TransferEncoding),
            ("Sec-WebSocket-Version", Name::WebSocketVersion),
            ("Sec-WebSocket-Protocol", Name::WebSocketProtocol),
            ("Sec-WebSocket-Extensions", Name::WebSocketExtensions),
        ];
        assert_eq!(names.len() + 1, Name::COUNT);
        for (name, expected) in names {
            for written in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(Name::of(written.as_bytes()), expected, "{written}");
                for at in 0..written.len() {
                    assert_eq!(Name::of(&written.as_bytes()[..at]), Name::Other, "{written}");
                    for byte in 0..=u8::MAX {
                        let mut other = written.clone().into_bytes();
                        other[at] = byte;
                        let same = other.eq_ignore_ascii_case(written.as_bytes());
                        assert_eq!(Name::of(&other) == expected, same, "{}", other.escape_ascii());
                    }
                }
            }
        }
    }
}
