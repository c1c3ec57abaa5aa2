//! What processes that share rooms tell each other, and how it is written.
//!
//! ```text
//! version | kind | process, 8 bytes | number, 8 bytes | body
//! ```
//!
//! Numbers are big-endian. The number of a process's message is larger than that of the one before,
//! so that what comes twice, or late, is known. It counts rounds as well: in each, after an outage
//! for one, a process tells the members of all its rooms, and in a room where it tells none, it has
//! none.

use super::Kind;

/// The form of messages that this version speaks.
pub const VERSION: u8 = 1;

/// So many numbers has a round, more than a process uses up.
const ROUND: u64 = 1 << 40;

/// In which round a message has this number.
pub fn round(number: u64) -> u64 {
    number / ROUND
}

/// The number before the first one of the next round. The last round of all has no end.
pub fn next_round(number: u64) -> u64 {
    (number + 1).checked_next_multiple_of(ROUND).unwrap_or(number)
}

/// A process that has rooms in common with others. Each start of one makes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u64);

/// A member of a room, at whichever process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// Where it is connected.
    pub process: ProcessId,
    /// Which one it is there.
    pub number: u64,
}

/// What other processes are told of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// What proves that the name is its own.
    pub key: Option<[u8; 20]>,
    /// When it took the name, in milliseconds since 1970.
    pub since: u64,
}

/// One message to the others in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// Somebody has said this to all. Text is UTF-8.
    Said(Kind, &'a [u8]),
    /// Somebody has said this to one member. It is UTF-8.
    Private(MemberId, &'a [u8]),
    /// A member is here; it has come, or its card is another one now.
    Here(u64, Card),
    /// A member has gone.
    Gone(u64),
    /// The sender has just come to the room and wants to know who is there.
    Hello,
    /// A part of the sender's members: the first of the parts, the last.
    Roster {
        /// No other part comes before.
        first: bool,
        /// No other part follows: who was in none is not there.
        last: bool,
        /// These are there.
        cards: Vec<(u64, Card)>,
    },
    /// The sender lives.
    Alive,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const PRIVATE: u8 = 3;
const HERE: u8 = 4;
const GONE: u8 = 5;
const HELLO: u8 = 6;
const ROSTER: u8 = 7;
const ALIVE: u8 = 8;

/// Flags of a card.
const NAMED: u8 = 1;
const KEYED: u8 = 2;

/// Flags of a part of a roster.
const FIRST: u8 = 1;
const LAST: u8 = 2;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter<'a> {
    /// Whose it is.
    pub from: ProcessId,
    /// Its place among all of that process.
    pub number: u64,
    /// What it says.
    pub word: Word<'a>,
}

/// Why a message says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is written in another form.
    Version(u8),
    /// It is cut, or not what it claims to be.
    Malformed,
}

impl Word<'_> {
    /// Writes it without who it is from, which [`seal`] puts in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Said(Kind::Text, text) => put(out, TEXT, text),
            Self::Said(Kind::Binary, bytes) => put(out, BINARY, bytes),
            Self::Private(to, text) => {
                put(out, PRIVATE, &to.process.0.to_be_bytes());
                out.extend_from_slice(&to.number.to_be_bytes());
                out.extend_from_slice(text);
            }
            Self::Here(number, card) => {
                out.push(HERE);
                put_card(out, *number, card);
            }
            Self::Gone(number) => put(out, GONE, &number.to_be_bytes()),
            Self::Hello => out.push(HELLO),
            Self::Roster { first, last, cards } => {
                let flags = if *first { FIRST } else { 0 } | if *last { LAST } else { 0 };
                put(out, ROSTER, &[flags]);
                cards.iter().for_each(|(number, card)| put_card(out, *number, card));
            }
            Self::Alive => out.push(ALIVE),
        }
    }
}

fn put(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    out.extend_from_slice(body);
}

fn put_card(out: &mut Vec<u8>, number: u64, card: &Card) {
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&card.since.to_be_bytes());
    let named = if card.name.is_some() { NAMED } else { 0 };
    out.push(named | if card.key.is_some() { KEYED } else { 0 });
    if let Some(name) = &card.name {
        // A name has 32 characters at most.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&name.as_bytes()[..name.len().min(u8::MAX.into())]);
    }
    if let Some(key) = &card.key {
        out.extend_from_slice(key);
    }
}

/// What stands in front of an encoded word; `kind` is its first byte.
pub fn seal(from: ProcessId, number: u64, kind: u8) -> [u8; 18] {
    let mut head = [0; 18];
    (head[0], head[1]) = (VERSION, kind);
    head[2..10].copy_from_slice(&from.0.to_be_bytes());
    head[10..].copy_from_slice(&number.to_be_bytes());
    head
}

impl<'a> Letter<'a> {
    /// Reads a whole message.
    ///
    /// # Errors
    ///
    /// Why it says nothing.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Unread> {
        match bytes.first() {
            Some(&VERSION) => {}
            Some(version) => return Err(Unread::Version(*version)),
            None => return Err(Unread::Malformed),
        }
        Self::read(Reader(&bytes[1..])).ok_or(Unread::Malformed)
    }

    fn read(mut reader: Reader<'a>) -> Option<Self> {
        let kind = reader.byte()?;
        let (from, number) = (ProcessId(reader.number()?), reader.number()?);
        let word = match kind {
            TEXT => Word::Said(Kind::Text, reader.text()?),
            BINARY => Word::Said(Kind::Binary, reader.0),
            PRIVATE => {
                let (process, number) = (ProcessId(reader.number()?), reader.number()?);
                Word::Private(MemberId { process, number }, reader.text()?)
            }
            HERE => {
                let (number, card) = reader.card()?;
                Word::Here(number, card)
            }
            GONE => Word::Gone(reader.number()?),
            HELLO => Word::Hello,
            ROSTER => {
                let flags = reader.byte()?;
                let mut cards = Vec::new();
                while !reader.0.is_empty() {
                    cards.push(reader.card()?);
                }
                Word::Roster { first: flags & FIRST != 0, last: flags & LAST != 0, cards }
            }
            ALIVE => Word::Alive,
            _ => return None,
        };
        Some(Self { from, number, word })
    }
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// All that is left, if it is UTF-8.
    fn text(&mut self) -> Option<&'a [u8]> {
        std::str::from_utf8(self.0).ok().map(str::as_bytes)
    }

    fn card(&mut self) -> Option<(u64, Card)> {
        let (number, since, flags) = (self.number()?, self.number()?, self.byte()?);
        let mut card = Card { since, ..Card::default() };
        if flags & NAMED != 0 {
            let length = self.byte()?;
            let name = std::str::from_utf8(self.take(length.into())?).ok()?;
            card.name = Some(name.into());
        }
        if flags & KEYED != 0 {
            card.key = self.take(20)?.try_into().ok();
        }
        Some((number, card))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<Word<'static>> {
        let card = Card { name: Some("ann é".into()), key: Some([7; 20]), since: 1 << 40 };
        let to = MemberId { process: ProcessId(u64::MAX - 1), number: 3 };
        vec![
            Word::Said(Kind::Text, "é".as_bytes()),
            Word::Said(Kind::Binary, &[0, 255]),
            Word::Said(Kind::Binary, &[]),
            Word::Private(to, b"psst"),
            Word::Here(9, card.clone()),
            Word::Here(10, Card::default()),
            Word::Gone(u64::MAX),
            Word::Hello,
            Word::Roster { first: true, last: false, cards: vec![(1, card), (2, Card::default())] },
            Word::Roster { first: false, last: true, cards: vec![] },
            Word::Alive,
        ]
    }

    fn sealed(word: &Word<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        word.encode(&mut body);
        [&seal(ProcessId(5), 6, body[0])[..], &body[1..]].concat()
    }

    #[test]
    fn what_is_written_is_read() {
        for word in words() {
            let bytes = sealed(&word);
            let letter = Letter { from: ProcessId(5), number: 6, word };
            assert_eq!(Letter::parse(&bytes), Ok(letter));
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_not_read_and_harms_nothing() {
        for word in words() {
            let bytes = sealed(&word);
            for end in 0..bytes.len() {
                if let Ok(letter) = Letter::parse(&bytes[..end]) {
                    let open_ended = matches!(
                        letter.word,
                        Word::Said(..) | Word::Private(..) | Word::Roster { .. }
                    );
                    assert!(open_ended, "{word:?} cut to {end}");
                }
                for damage in [0, 1, 127, 255] {
                    let mut bytes = bytes.clone();
                    bytes[end] = damage;
                    let _ = Letter::parse(&bytes);
                }
            }
        }
        let not_text = sealed(&Word::Said(Kind::Text, &[0xFF]));
        assert_eq!(Letter::parse(&not_text), Err(Unread::Malformed));
        assert_eq!(Letter::parse(b""), Err(Unread::Malformed));
    }

    #[test]
    fn numbers_grow_from_round_to_round() {
        let mut number = 0;
        for at in 1..5 {
            let before = number + at;
            number = next_round(before);
            assert!(number > before && round(number) == at);
        }
        assert_eq!(next_round(u64::MAX - 1), u64::MAX - 1);
    }

    #[test]
    fn another_version_is_told_from_rubbish() {
        let mut bytes = sealed(&Word::Alive);
        bytes[0] = VERSION + 1;
        assert_eq!(Letter::parse(&bytes), Err(Unread::Version(VERSION + 1)));
    }
}
