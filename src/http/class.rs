//! The classes of bytes that a request head is made of, and how far a run of one class reaches.
//!
//! Names and values are nearly all of a head, so their runs decide what it costs to read one. A
//! name is looked up in a table, with one decision for four bytes. A value is judged eight at a
//! time, by arithmetic on one word, since all that may not stand in it is a control character.

/// `tchar` (RFC 9110 §5.6.2).
pub(super) const TCHAR: u8 = 1;
/// Visible ASCII.
pub(super) const VCHAR: u8 = 2;
/// What a field value may hold: visible ASCII, obs-text, SP, HTAB (RFC 9110 §5.5).
pub(super) const VALUE: u8 = 4;
/// `unreserved / sub-delims` (RFC 3986 §2.2, §2.3), what a host's name is made of.
pub(super) const HOST: u8 = 8;
/// What a path may hold unescaped: `pchar` and `/` (RFC 3986 §3.3).
pub(super) const PATH: u8 = 16;
/// What a query may hold unescaped here: visible ASCII but `#` (and `%`, which begins an escape).
pub(super) const QUERY: u8 = 32;
/// A digit of base64 (RFC 4648 §4).
pub(super) const BASE64: u8 = 64;

/// The classes that a byte belongs to.
pub(super) fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// A `token` (RFC 9110 §5.6.2): one or more `tchar`.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && tokens(bytes) == bytes.len()
}

/// How many bytes from the first on are `tchar`.
pub(super) fn tokens(bytes: &[u8]) -> usize {
    let all = |four: &&[u8]| four.iter().fold(TCHAR, |all, &byte| all & class(byte)) != 0;
    let whole = 4 * bytes.chunks_exact(4).take_while(all).count();
    whole + run(TCHAR, &bytes[whole..])
}

/// How many bytes from the first on may stand in a field value.
pub(super) fn values(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut rest = bytes;
    while let Some((&word, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(word);
        // Less than 0x20 borrows when that is subtracted, and 0x7f grows to 0x80: either sets a top
        // bit that was not there.
        let suspects = (word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)) & !word & TOPS;
        if suspects == 0 {
            rest = behind;
            continue;
        }
        // What is found may be HTAB, or stand behind a byte that it borrowed or carried from.
        let (_, from_suspect) = rest.split_at(suspects.trailing_zeros() as usize / 8);
        match from_suspect {
            [suspect, behind @ ..] if class(*suspect) & VALUE != 0 => rest = behind,
            _ => return bytes.len() - from_suspect.len(),
        }
    }
    bytes.len() - rest.len() + run(VALUE, rest)
}

/// How many bytes from the first on are of a class.
pub(super) fn run(mask: u8, bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| class(byte) & mask == 0).unwrap_or(bytes.len())
}

static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "at is below 256")]
        let byte = at as u8;
        class[at] = match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' => {
                TCHAR | VCHAR | VALUE | HOST | PATH | QUERY | BASE64
            }
            b'!' | b'$' | b'&' | b'\'' | b'*' | b'-' | b'.' | b'_' | b'~' => {
                TCHAR | VCHAR | VALUE | HOST | PATH | QUERY
            }
            b'(' | b')' | b',' | b';' | b'=' => VCHAR | VALUE | HOST | PATH | QUERY,
            b'/' => VCHAR | VALUE | PATH | QUERY | BASE64,
            b':' | b'@' => VCHAR | VALUE | PATH | QUERY,
            b'^' | b'`' | b'|' => TCHAR | VCHAR | VALUE | QUERY,
            b'#' | b'%' => TCHAR | VCHAR | VALUE,
            0x21..=0x7e => VCHAR | VALUE | QUERY,
            b' ' | b'\t' | 0x80..=0xff => VALUE,
            _ => 0,
        };
        at += 1;
    }
    class
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_empty() {
        assert!(is_token(b"a.b-1") && !is_token(b"") && !is_token(b"a b") && !is_token(b"a;b"));
    }

    #[test]
    fn classes_are_those_of_the_grammars() {
        for byte in 0..=u8::MAX {
            let alphanumeric = byte.is_ascii_alphanumeric();
            let tchar = alphanumeric || b"!#$%&'*+-.^_`|~".contains(&byte);
            let name = alphanumeric || b"-._~!$&'()*+,;=".contains(&byte);
            let classes = [
                (TCHAR, tchar),
                (VCHAR, byte.is_ascii_graphic()),
                (VALUE, matches!(byte, b'\t' | b' '..=b'~' | 0x80..)),
                (HOST, name),
                (PATH, name || b":@/".contains(&byte)),
                (QUERY, byte.is_ascii_graphic() && !b"#%".contains(&byte)),
                (BASE64, alphanumeric || b"+/".contains(&byte)),
            ];
            for (mask, expected) in classes {
                assert_eq!(class(byte) & mask != 0, expected, "{byte:#04x} and class {mask}");
            }
        }
    }

    /// Each byte at each place of up to three words, before bytes of all kinds.
    #[test]
    fn runs_end_at_the_first_byte_of_another_class() {
        for byte in 0..=u8::MAX {
            for at in 0..24 {
                for behind in [
                    &b"xyz"[..],
                    b"\0\t\x7f\x1f\xff \x80\x01 longer than a word",
                    b"~\xff~\xff\xff\x7f}\xff\x1f",
                ] {
                    let bytes = [&b"abcdefghijklmnopqrstuvwxyz"[..at], &[byte], behind].concat();
                    let text = bytes.escape_ascii();
                    assert_eq!(tokens(&bytes), run(TCHAR, &bytes), "{text}");
                    assert_eq!(values(&bytes), run(VALUE, &bytes), "{text}");
                }
            }
        }
    }
}
