//! Names, messages and the objects that carry them.

use serde_json::Value;

use crate::service::Now;

/// The name of whoever has not taken one.
pub(super) const ANONYMOUS: &str = "Anonymous";

/// Longest name in characters.
const NAME_CHARS_MAX: usize = 32;

/// A name that may be taken: 1 to 32 characters that can be seen, and not [`ANONYMOUS`].
pub(super) fn parse_name(name: &str) -> Result<&str, &'static str> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err("a name has 1 to 32 characters");
    }
    if name.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err("a name has no control characters");
    }
    if same_name(name, ANONYMOUS) {
        return Err("that name is everybody's");
    }
    Ok(name)
}

/// Names that differ in case only would be taken for each other.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}

/// A message without control characters other than line feed and tabulator.
pub(super) fn clean(message: &str) -> String {
    message.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// An object of the protocol: its type, its fields in order, the time in UTC.
pub(super) fn object<const N: usize>(kind: &str, fields: [(&str, Value); N], now: Now) -> String {
    let mut text = format!("{{\"type\":\"{kind}\"");
    for (name, value) in fields {
        text.push_str(&format!(",\"{name}\":{value}"));
    }
    text.push_str(&format!(",\"time\":\"{}\"}}", now.timestamp()));
    text
}

/// Characters that hide, or turn around what follows: a name with them could look like another.
fn is_invisible(c: char) -> bool {
    let spans = [
        '\u{200B}'..='\u{200F}',
        '\u{2028}'..='\u{202E}',
        '\u{2060}'..='\u{206F}',
        '\u{E0000}'..='\u{E007F}',
    ];
    matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FEFF}')
        || spans.iter().any(|span| span.contains(&c))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names() {
        let longest = "é".repeat(NAME_CHARS_MAX);
        for name in ["a", "Ada Lovelace", "<img onerror>", "\u{1F600}", &longest] {
            assert_eq!(parse_name(name), Ok(name));
        }
        let too_long = "é".repeat(NAME_CHARS_MAX + 1);
        for name in ["", &too_long, "a\nb", "a\u{7F}", "a\u{202E}b", "a\u{200B}", "anonymous"] {
            assert!(parse_name(name).is_err(), "{name:?}");
        }
        assert!(same_name("ÉVA", "éva") && !same_name("eva", "éva"));
    }

    #[test]
    fn messages_keep_their_lines_and_lose_their_controls() {
        assert_eq!(clean("a\tb\nc\r\u{1b}[2J\u{0}\u{85}é"), "a\tb\nc[2Jé");
    }

    #[test]
    fn objects_are_json_whatever_is_in_them() {
        let now = Now { utc: Duration::from_millis(1_700_000_000_042), ..Now::default() };
        let text = object("chat", [("message", "\"\\\u{2028}<b>".into())], now);
        let expected = "{\"type\":\"chat\",\"message\":\"\\\"\\\\\u{2028}<b>\",\
            \"time\":\"2023-11-14T22:13:20.042Z\"}";
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
