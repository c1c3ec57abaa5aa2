//! What messages say: letters, random bytes, records as JSON, or what is in a file.

use super::dice::Dice;

/// Where payloads come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Random letters, sent as text.
    Text,
    /// Random bytes, sent as binary.
    Binary,
    /// Records in JSON with fixed names and random values, cut to the size, sent as text.
    Json,
    /// The bytes of a file over and over. `text` if they are UTF-8 and are to be sent as such.
    File {
        /// At least one.
        bytes: Vec<u8>,
        /// Sent as text, else as binary.
        text: bool,
    },
}

impl Content {
    /// Whether messages are text.
    pub fn is_text(&self) -> bool {
        match self {
            Self::Text | Self::Json => true,
            Self::Binary => false,
            Self::File { text, .. } => *text,
        }
    }

    /// One payload of `size` bytes. Text of a file may lack up to three, so that no character is
    /// cut. `from` is where in the file it starts, and where the next one will.
    pub fn payload(&self, size: usize, from: &mut usize, dice: &mut Dice) -> Vec<u8> {
        match self {
            Self::Text => (0..size).map(|_| b'a' + dice.below(26) as u8).collect(),
            Self::Binary => (0..size).map(|_| dice.next() as u8).collect(),
            Self::Json => records(size, dice),
            Self::File { bytes, text } => piece(bytes, size, *text, from),
        }
    }
}

fn records(size: usize, dice: &mut Dice) -> Vec<u8> {
    const NAMES: [&str; 8] =
        ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath"];
    let mut text = String::from("[");
    while text.len() < size {
        text += &format!(
            "{{\"id\":{},\"sensor\":\"{}-{}\",\"ok\":{},\"value\":{}.{:02},\
             \"at\":\"2025-0{}-1{}T{:02}:{:02}:00Z\"}},",
            dice.below(100_000),
            NAMES[dice.below(8) as usize],
            dice.below(40),
            dice.below(2) == 0,
            dice.below(900),
            dice.below(100),
            1 + dice.below(9),
            dice.below(10),
            dice.below(24),
            dice.below(60),
        );
    }
    text.truncate(size);
    text.into_bytes()
}

fn piece(bytes: &[u8], size: usize, text: bool, from: &mut usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size);
    while payload.len() < size {
        let rest = &bytes[*from..];
        let taken = rest.len().min(size - payload.len());
        payload.extend_from_slice(&rest[..taken]);
        *from = (*from + taken) % bytes.len();
    }
    if text {
        let cut = size - std::str::from_utf8(&payload).map_or_else(|e| e.valid_up_to(), str::len);
        payload.truncate(size - cut);
        *from = (*from + bytes.len() - cut % bytes.len()) % bytes.len();
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_size_and_kind() {
        let mut dice = Dice::new(1);
        for size in [0, 1, 5, 125, 4000] {
            for content in [Content::Text, Content::Binary, Content::Json] {
                let payload = content.payload(size, &mut 0, &mut dice);
                assert_eq!(payload.len(), size);
                assert!(!content.is_text() || payload.is_ascii());
            }
        }
    }

    #[test]
    fn a_file_comes_over_and_over_and_no_character_is_cut() {
        let mut dice = Dice::new(1);
        let bytes = "aé€".as_bytes().to_vec();
        let mut from = 0;
        let file = Content::File { bytes: bytes.clone(), text: false };
        assert_eq!(file.payload(8, &mut from, &mut dice), [&bytes[..], &bytes[..2]].concat());
        assert_eq!(from, 2);
        let (mut from, mut text) = (0, Vec::new());
        let file = Content::File { bytes: bytes.clone(), text: true };
        for _ in 0..50 {
            let payload = file.payload(4, &mut from, &mut dice);
            assert!(payload.len() <= 4 && std::str::from_utf8(&payload).is_ok(), "{payload:?}");
            text.extend(payload);
        }
        assert_eq!(text, bytes.repeat(50)[..text.len()], "nothing is left out");
    }
}
