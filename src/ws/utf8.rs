//! Incremental UTF-8 validation (RFC 6455 §8.1, RFC 3629): fails at the first bad byte, in
//! whatever pieces the text arrives.
//!
//! Whole characters are left to a vectorised library; only a character that is cut by the end of
//! a piece is remembered, in at most three bytes.

/// Text that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Whether a whole text is UTF-8.
pub fn is_valid(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// State between two pieces: the start of a character whose end has not arrived.
///
/// Invariant: `cut[..length]` is a proper prefix of a valid character, `length` is at most 3.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validator {
    cut: [u8; 3],
    length: u8,
}

impl Validator {
    /// True between characters, as the end of a text must be.
    #[inline]
    pub fn at_boundary(&self) -> bool {
        self.length == 0
    }

    /// Takes the next piece of the text.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Invalid> {
        let rest = self.finish_character(piece)?;
        match simdutf8::compat::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(Invalid),
            Err(error) => {
                let tail = &rest[error.valid_up_to()..];
                let slot = self.cut.get_mut(..tail.len()).ok_or(Invalid)?;
                slot.copy_from_slice(tail);
                self.length = u8::try_from(tail.len()).map_err(|_| Invalid)?;
                Ok(())
            }
        }
    }

    /// Completes a character that began in an earlier piece, byte by byte, and returns the rest.
    fn finish_character<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], Invalid> {
        let mut rest = piece;
        while self.length > 0 {
            let [byte, behind @ ..] = rest else { break };
            let length = usize::from(self.length);
            let mut character = [0; 4];
            character[..length].copy_from_slice(&self.cut[..length]);
            character[length] = *byte;
            rest = behind;
            match std::str::from_utf8(&character[..=length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(Invalid),
                // Still a prefix, so at most three bytes long: there is room for this one.
                Err(_) => {
                    *self.cut.get_mut(length).ok_or(Invalid)? = *byte;
                    self.length += 1;
                }
            }
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offset of the byte at which validation fails when fed byte by byte.
    fn fails_at(text: &[u8]) -> Option<usize> {
        let mut validator = Validator::default();
        text.iter().position(|byte| validator.feed(&[*byte]).is_err())
    }

    #[test]
    fn f15_fails_at_the_first_bad_byte() {
        let cases: &[(&[u8], usize, &str)] = &[
            (b"ab\xC0\xAF", 2, "overlong slash"),
            (b"\xC1", 0, "overlong lead"),
            (b"\xE0\x9F", 1, "overlong three bytes"),
            (b"\xED\xA0\x80", 1, "surrogate"),
            (b"\xF0\x8F", 1, "overlong four bytes"),
            (b"\xF4\x90\x80\x80", 1, "above U+10FFFF"),
            (b"\xF5", 0, "above U+10FFFF"),
            (b"\xF8\x88", 0, "five bytes"),
            (b"\x80", 0, "lone continuation"),
            (b"\xE2\x82a", 2, "cut character"),
        ];
        for (text, at, what) in cases {
            assert_eq!(fails_at(text), Some(*at), "{what}");
            assert_eq!(Validator::default().feed(text), Err(Invalid), "{what}");
        }
    }

    #[test]
    fn f15_truncated_at_the_end_is_not_a_boundary() {
        for text in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98", b"a\xF4\x8F"] {
            let mut validator = Validator::default();
            assert_eq!(validator.feed(text), Ok(()));
            assert!(!validator.at_boundary());
        }
    }

    /// Every split in three of texts with characters of every length, against the library's
    /// verdict on the whole.
    #[test]
    fn f16_every_split() {
        let texts: &[&[u8]] = &[
            "aé€😀z".as_bytes(),
            "κόσμε\u{10FFFF}\u{FFFE}".as_bytes(),
            b"ok\xF0\x9F\x98\x80\xED\xA0\x80",
            b"ok\xE2\x82\xAC\xC0",
        ];
        for text in texts {
            let expected = std::str::from_utf8(text).is_ok();
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let mut v = Validator::default();
                    let ok = v.feed(&text[..first]).is_ok()
                        && v.feed(&text[first..second]).is_ok()
                        && v.feed(&text[second..]).is_ok()
                        && v.at_boundary();
                    assert_eq!(ok, expected, "{text:?} at {first} and {second}");
                }
            }
        }
    }

    /// All prefixes of three bytes: feeding byte by byte agrees with the library.
    #[test]
    fn every_three_byte_sequence() {
        for first in 0x80..=0xFF_u8 {
            for second in 0..=0xFF_u8 {
                for third in [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF] {
                    let text = [first, second, third];
                    let expected = match std::str::from_utf8(&text) {
                        Ok(_) => None,
                        Err(e) => e.error_len().map(|_| e.valid_up_to()),
                    };
                    assert_eq!(fails_at(&text).is_some(), expected.is_some(), "{text:x?}");
                }
            }
        }
    }
}
