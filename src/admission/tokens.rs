//! The tokens that let somebody in. Only their hashes are known here, so that a file that others
//! read gives none of them away.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hmac_sha256::Hash;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::Recognize;

/// Most tokens; each handshake is compared with all of them.
const TOKENS_MAX: usize = 4096;

/// Longest name.
const NAME_BYTES_MAX: usize = 64;

/// The tokens that are in force.
#[derive(Debug, Default)]
pub struct Tokens {
    known: RefCell<Vec<Known>>,
}

/// A token, as a line of the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    name: Rc<str>,
    hash: [u8; 32],
}

impl Tokens {
    /// These are in force.
    pub fn new(known: Vec<Known>) -> Self {
        Self { known: RefCell::new(known) }
    }

    /// From now on these are in force. Returns how many they are.
    pub fn replace(&self, known: Vec<Known>) -> usize {
        let count = known.len();
        *self.known.borrow_mut() = known;
        count
    }
}

impl Recognize for Tokens {
    /// The name of a token, if it is one. How long that takes tells nothing of those that are known
    /// but how many they are.
    fn name_of(&self, token: &[u8], _utc: Duration) -> Option<Rc<str>> {
        let hash = Hash::hash(token);
        let known = self.known.borrow();
        let mut found = u32::MAX;
        for (at, one) in (0..).zip(known.iter()) {
            found.conditional_assign(&at, one.hash.ct_eq(&hash));
        }
        known.get(usize::try_from(found).ok()?).map(|one| Rc::clone(&one.name))
    }
}

/// Reads a file of tokens: a name and the SHA-256 of the token in hexadecimal digits on each line.
/// Empty lines and those that begin with `#` are left out.
///
/// # Errors
/// What is wrong, and in which line. No line is quoted, because somebody may have written the token
/// itself. A file without tokens is wrong as well: nobody could come.
pub fn parse(text: &str) -> Result<Vec<Known>, String> {
    let mut known = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let one = parse_line(line).map_err(|wrong| format!("line {number}: {wrong}"))?;
        if known.len() == TOKENS_MAX {
            return Err(format!("more than {TOKENS_MAX} tokens"));
        }
        known.push(one);
    }
    if known.is_empty() { Err("there is no token in it".to_owned()) } else { Ok(known) }
}

fn parse_line(line: &str) -> Result<Known, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(digits), None) = (words.next(), words.next(), words.next()) else {
        return Err("it is not a name and the SHA-256 of a token");
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(valid) {
        return Err("the name is not of letters, digits, - _ . and @, at most 64");
    }
    let hash = hexadecimal(digits).ok_or("the SHA-256 is not 64 hexadecimal digits")?;
    Ok(Known { name: name.into(), hash })
}

fn hexadecimal(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `secret`, and of nothing.
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_token_is_known_by_its_hash() {
        let text = format!("# who\r\n\nann {SECRET}\n  bob\t{}  \n", EMPTY.to_uppercase());
        let tokens = Tokens::new(parse(&text).unwrap());
        let name =
            |token: &[u8]| tokens.name_of(token, Duration::ZERO).map(|name| name.to_string());
        assert_eq!(name(b"secret").as_deref(), Some("ann"));
        assert_eq!(name(b"").as_deref(), Some("bob"));
        for other in ["Secret", "secret ", "secre", SECRET, "ann"] {
            assert_eq!(name(other.as_bytes()), None, "{other}");
        }
        assert_eq!(tokens.replace(parse(&format!("bob {EMPTY}")).unwrap()), 1);
        assert_eq!(tokens.name_of(b"secret", Duration::ZERO), None, "not any more");
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        let cases = [
            (String::new(), "there is no token in it"),
            ("# ann".to_owned(), "there is no token in it"),
            (format!("\nann:{SECRET}"), "line 2: it is not a name"),
            (format!("ann {SECRET} x"), "line 1: it is not a name"),
            ("ann secret".to_owned(), "line 1: the SHA-256 is not 64"),
            (format!("ann {}", &SECRET[1..]), "line 1: the SHA-256 is not 64"),
            (format!("ann +{}", &SECRET[1..]), "line 1: the SHA-256 is not 64"),
            (format!("a/b {SECRET}"), "line 1: the name"),
            (format!("{} {SECRET}", "a".repeat(65)), "line 1: the name"),
            (format!("a {SECRET}\n").repeat(TOKENS_MAX + 1), "more than 4096"),
        ];
        for (text, wrong) in cases {
            let said = parse(&text).unwrap_err();
            assert!(said.starts_with(wrong) && !said.contains("secret"), "{said}");
        }
    }
}
