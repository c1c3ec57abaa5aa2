//! Nicknames: which may be taken, which are the same, and whose they are.

use sha1_smol::Sha1;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

use crate::text::is_invisible;

/// The name of whoever has not taken one.
pub(super) const ANONYMOUS: &str = "Anonymous";

/// Longest name in characters.
const NAME_CHARS_MAX: usize = 32;

/// Lengths of a key in bytes: what cannot be guessed, and is no burden.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// A name that may be taken: 1 to 32 characters that can be seen, and not [`ANONYMOUS`].
#[derive(Clone, Debug)]
pub(super) struct Name {
    text: Box<str>,
    skeleton: Skeleton,
}

impl Name {
    /// A name as somebody has typed it. As RFC 8266 §2.1 prepares nicknames, each run of spaces of
    /// any width becomes one space, and none stands at an end. Variation selectors, which keyboards
    /// add to some pictures, are taken out.
    pub(super) fn parse(typed: &str) -> Result<Self, &'static str> {
        let mut text = String::new();
        for c in typed.trim().chars() {
            match c {
                '\u{FE00}'..='\u{FE0F}' => {}
                _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => return Err(UNSEEN),
                _ if c.is_whitespace() && text.ends_with(' ') => {}
                _ if c.is_whitespace() => text.push(' '),
                _ if is_invisible(c) => return Err(UNSEEN),
                _ => text.push(c),
            }
            // No need to read on, however long it is.
            if text.len() > 4 * NAME_CHARS_MAX {
                return Err(LENGTH);
            }
        }
        let length = text.chars().count();
        if length == 0 || length > NAME_CHARS_MAX {
            return Err(LENGTH);
        }
        let skeleton = Skeleton::of(&text);
        if skeleton == Skeleton::of(ANONYMOUS) {
            return Err("that name is everybody's");
        }
        Ok(Self { text: text.into(), skeleton })
    }

    /// As it is shown.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is compared.
    pub(super) fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }
}

const LENGTH: &str = "a name has 1 to 32 characters";
const UNSEEN: &str = "a name has no control or invisible characters";

/// What names have in common that are taken for each other: those that differ in case, in the order
/// or composition of accents (Unicode's canonical caseless match), or in the width of letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Skeleton(Box<str>);

impl Skeleton {
    fn of(name: &str) -> Self {
        let narrow = name.chars().map(|c| match c {
            // The fullwidth forms of ASCII stand in its order.
            '\u{FF01}'..='\u{FF5E}' => char::from(b'!' + (c as u32 - 0xFF01) as u8),
            _ => c,
        });
        let folded = decompose(narrow).into_iter();
        // Upper case first: it alone knows that the two forms of the small sigma are one letter.
        let folded = folded.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
        Self(decompose(folded).into_iter().collect::<String>().into())
    }
}

/// Normalization form D (Unicode Standard Annex 15).
fn decompose(text: impl Iterator<Item = char>) -> Vec<char> {
    let mut parts = Vec::new();
    for c in text {
        decompose_canonical(c, |part| parts.push(part));
    }
    // The canonical ordering algorithm, in the words of the Unicode Standard (D109): exchanges of
    // neighbours, until the marks on each letter stand in the order of their classes.
    for end in 1..parts.len() {
        let class = canonical_combining_class(parts[end]);
        let mut at = end;
        while class > 0 && at > 0 && canonical_combining_class(parts[at - 1]) > class {
            parts.swap(at - 1, at);
            at -= 1;
        }
    }
    parts
}

/// What proves that a name is one's own, without being told to others. The server keeps no more of
/// it than it needs to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; 20]);

impl Key {
    /// Any text that is long enough.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let valid = KEY_BYTES.contains(&text.len());
        valid.then(|| Self(Sha1::from(text).digest().bytes())).ok_or("a key has 16 to 128 bytes")
    }

    /// What is known of it.
    pub(super) fn bytes(self) -> [u8; 20] {
        self.0
    }
}

impl From<[u8; 20]> for Key {
    /// A key that another process knows.
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let longest = "é".repeat(NAME_CHARS_MAX);
        for name in ["a", "Ada Lovelace", "<img onerror>", "\u{1F600}", "नमस्ते", &longest]
        {
            assert_eq!(Name::parse(name).unwrap().as_str(), name);
        }
        for (typed, name) in [
            (" Ada\u{A0}\u{2003} \u{3000}Lovelace\u{A0}", "Ada Lovelace"),
            ("\u{2764}\u{FE0F}", "\u{2764}"),
        ] {
            assert_eq!(Name::parse(typed).unwrap().as_str(), name);
        }
        let too_long = "é".repeat(NAME_CHARS_MAX + 1);
        let far_too_long = "x".repeat(16_000);
        for name in ["", "\u{A0}", "\u{FE0F}", &too_long, &far_too_long] {
            assert_eq!(Name::parse(name).unwrap_err(), LENGTH, "{name:?}");
        }
        for c in "\n\0\u{7F}\u{85}\u{2028}\u{202E}\u{200B}\u{34F}\u{3164}\u{E0100}\u{2800}".chars()
        {
            assert_eq!(Name::parse(&format!("a{c}b")).unwrap_err(), UNSEEN, "{c:?}");
        }
        for name in ["anonymous", "ＡＮＯＮＹＭＯＵＳ"] {
            assert_eq!(Name::parse(name).unwrap_err(), "that name is everybody's");
        }
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let skeleton = |name| Name::parse(name).unwrap().skeleton().clone();
        for (one, other) in [
            ("ÉVA", "éva"),
            ("E\u{301}va", "\u{C9}va"),
            ("a\u{323}\u{307}", "a\u{307}\u{323}"),
            ("\u{1E69}", "s\u{307}\u{323}"),
            ("ΟΔΟΣ", "οδος"),
            ("Straße", "STRASSE"),
            ("\u{212A}im", "kim"),
            ("\u{1112}\u{1161}\u{11AB}", "한"),
            ("Ａｎｎ", "ann"),
            ("Ann\u{A0}Lee", "ann  lee"),
            ("\u{2764}\u{FE0F}", "\u{2764}"),
            ("\u{1FB3}", "ΑΙ"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one:?} {other:?}");
        }
        for (one, other) in [("eva", "éva"), ("ann", "anne"), ("ann lee", "annlee")] {
            assert_ne!(skeleton(one), skeleton(other));
        }
    }

    #[test]
    fn keys() {
        let key = |text: &str| Key::parse(text);
        assert_eq!(key(&"x".repeat(16)), key(&"x".repeat(16)));
        assert_ne!(key(&"x".repeat(16)), key(&"x".repeat(17)));
        assert!(key(&"x".repeat(15)).is_err() && key(&"x".repeat(129)).is_err());
    }
}
