//! Where TLS records begin and end, which is all that is looked at before they are opened.

use crate::limits::TLS_RECORD_BYTES_MAX;

/// Type, version and length (RFC 8446 §5.1).
pub const HEAD_BYTES: usize = 5;

/// The first byte of a record that carries a handshake, and so of all that a client sends.
const HANDSHAKE: u8 = 22;

/// An alert in the clear, fatal: `internal_error` (RFC 8446 §6), for a client without a session.
pub const NO_ROOM: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// How many bytes have to be there before something can be made of a record that begins with
/// these, which are its head or the start of it. Of what is no record nothing is waited for.
pub fn needed(start: &[u8]) -> usize {
    let [kind, _, _, high, low, ..] = *start else { return HEAD_BYTES };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let is_record = (20..=24).contains(&kind) && length <= TLS_RECORD_BYTES_MAX;
    if is_record { HEAD_BYTES + length } else { HEAD_BYTES }
}

/// How many of `bytes`, which begin with a record, are whole records, and how many those are, of
/// which it takes `most` at most.
pub fn whole(bytes: &[u8], most: usize) -> (usize, usize) {
    let (mut end, mut count) = (0, 0);
    while count < most && end < bytes.len() && needed(&bytes[end..]) <= bytes.len() - end {
        end += needed(&bytes[end..]);
        count += 1;
    }
    (end, count)
}

/// True if this is how requests of plain HTTP begin: with a capital letter.
pub fn is_plain_http(first: u8) -> bool {
    first != HANDSHAKE && first.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_records_are_counted() {
        let record = [23, 3, 3, 0, 3, 1, 2, 3];
        let twice = record.repeat(2);
        for cut in 0..=16 {
            assert_eq!(whole(&twice[..cut], 9), (cut / 8 * 8, cut / 8), "{cut} bytes");
        }
        assert_eq!(whole(&twice, 1), (8, 1));
    }

    #[test]
    fn nothing_is_waited_for_that_is_no_record() {
        let cases: [(&[u8], usize); 6] = [
            (&[], 5),
            (&[22, 3, 1, 0], 5),
            (&[22, 3, 1, 1, 2], 5 + 258),
            (&[23, 3, 3, 0x48, 0], 5 + TLS_RECORD_BYTES_MAX),
            (&[23, 3, 3, 0x48, 1], 5),
            (b"GET /", 5),
        ];
        for (start, expected) in cases {
            assert_eq!(needed(start), expected, "{start:?}");
        }
    }

    #[test]
    fn a_request_in_the_clear_is_known_by_its_first_byte() {
        assert!(is_plain_http(b'G') && is_plain_http(b'O'));
        assert!(!is_plain_http(HANDSHAKE) && !is_plain_http(0x80) && !is_plain_http(b'g'));
    }
}
