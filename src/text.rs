//! Characters that others must not be shown as they are, in names, logs and pages alike.

/// Characters that are not seen, or that hide, reorder or imitate what stands around them:
/// controls, formats, white space other than U+0020, code points that are private or not assigned,
/// and fillers.
///
/// What the standard library escapes in `Debug` is all of that by general category (Cc, Cf, Zl, Zp,
/// Zs, Co, Cn). Unicode counts some letters and marks as `Default_Ignorable_Code_Point` too, and
/// the blank Braille pattern as a symbol. The pages name the same classes to their regular
/// expressions.
pub fn is_invisible(c: char) -> bool {
    const IGNORABLE: [std::ops::RangeInclusive<char>; 10] = [
        '\u{34F}'..='\u{34F}',
        '\u{115F}'..='\u{1160}',
        '\u{17B4}'..='\u{17B5}',
        '\u{180B}'..='\u{180F}',
        '\u{2800}'..='\u{2800}',
        '\u{3164}'..='\u{3164}',
        '\u{FE00}'..='\u{FE0F}',
        '\u{FFA0}'..='\u{FFA0}',
        '\u{FFF0}'..='\u{FFFB}',
        '\u{E0000}'..='\u{E0FFF}',
    ];
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    // Behind a letter, because a combining mark that begins a string is escaped as well.
    let mut bytes = [b'a'; 5];
    let end = 1 + c.encode_utf8(&mut bytes[1..]).len();
    let text = std::str::from_utf8(&bytes[..end]);
    let printed = text.is_ok_and(|text| text.escape_debug().count() == 2);
    !printed || IGNORABLE.iter().any(|span| span.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen() {
        let hidden = "\0\n\u{7F}\u{85}\u{A0}\u{AD}\u{34F}\u{61C}\u{115F}\u{1160}\u{17B4}\u{180B}\
            \u{180E}\u{180F}\u{2000}\u{200B}\u{200D}\u{200F}\u{2028}\u{202E}\u{202F}\u{205F}\
            \u{2060}\u{2065}\u{2069}\u{206F}\u{2800}\u{3000}\u{3164}\u{FE00}\u{FE0F}\u{FEFF}\
            \u{FFA0}\u{FFF9}\u{E000}\u{1BCA0}\u{1D173}\u{E0001}\u{E0100}\u{E01EF}\u{10FFFF}";
        for c in hidden.chars() {
            assert!(is_invisible(c), "{c:?}");
        }
        for c in "a \"\\'~é\u{301}ßж한ก\u{E31}ह\u{93F}中\u{1F600}\u{FFFD}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
    }
}
