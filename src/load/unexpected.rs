//! A message came that is not the one expected. What is it instead: a damaged one, a later one, one
//! that was overtaken, one that has come already, one of another connection, or nothing known?

use super::errors::Kind;
use super::script::Script;
use crate::limits::LOGGED_BYTES_MAX;
use crate::ws::close;

/// How far back a message is looked for that comes again.
const PAST_MAX: usize = 256;

/// Where in the script a connection stood when it came.
pub struct Unexpected<'a> {
    /// The messages that are sent.
    pub script: &'a Script,
    /// The one that was expected.
    pub position: usize,
    /// How many have come before it.
    pub past: usize,
    /// How many have been sent from `position` on.
    pub in_flight: usize,
    /// Those that later ones overtook.
    pub overtaken: &'a mut Vec<usize>,
}

impl Unexpected<'_> {
    /// Tells what a message is: the error, if it is one by itself, and how many of the messages in
    /// flight it settles. It has `length` bytes with this [`hash()`]; the one at `wrong_at`
    /// is the first that differs from the one expected.
    pub fn explain(
        self,
        length: usize,
        hash: u64,
        wrong_at: usize,
    ) -> (Option<(Kind, String)>, usize) {
        let Self { script, position, past, in_flight, overtaken } = self;
        let error = |kind, words| Some((kind, words));
        let mark = (length, hash);
        let known = script.has(mark);
        if known {
            let is = |at: usize| script.mark(at) == mark;
            let sent_later = in_flight.min(script.count());
            if let Some(ahead) = (1..sent_later).find(|ahead| is(script.after(position, *ahead))) {
                // Those that it overtook are counted when they come, or when they never did.
                overtaken.extend((0..ahead).map(|behind| script.after(position, behind)));
                return (None, ahead + 1);
            }
            if let Some(at) = overtaken.iter().position(|at| is(*at)) {
                overtaken.swap_remove(at);
                let words = "a message came after one that was sent later".to_owned();
                return (error(Kind::Order, words), 0);
            }
            let back = past.min(PAST_MAX).min(script.count() - usize::from(in_flight > 0));
            let before = |back: usize| script.after(position, script.count() - back);
            if let Some(back) = (1..=back).find(|back| is(before(*back))) {
                let words = format!("the message {back} before came again");
                return (error(Kind::Duplicate, words), 0);
            }
        }
        if in_flight == 0 {
            let words = format!("{length} bytes that answer nothing");
            return (error(Kind::Unsolicited, words), 0);
        }
        if known {
            let words = format!("{length} bytes that were sent elsewhere");
            return (error(Kind::Foreign, words), 1);
        }
        let expected = script.payload(position).len();
        if length != expected && wrong_at >= length.min(expected) {
            let words = format!("{length} bytes instead of {expected}");
            return (error(Kind::Boundary, words), 1);
        }
        let words = format!("byte {wrong_at} of {length} bytes, instead of {expected}, is wrong");
        (error(Kind::Payload, words), 1)
    }
}

/// FNV-1a, continued from `hash`; 0 begins. It only has to tell a cycle's messages apart.
pub fn hash(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A peer's words, escaped and cut, so that they stay part of one line.
pub fn quoted(words: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&words[..words.len().min(LOGGED_BYTES_MAX)]))
}

/// A Close of the server.
pub fn close_in_words(body: &[u8]) -> String {
    match close::parse(body) {
        Ok(None) => "Close without a code".to_owned(),
        Ok(Some((code, reason))) => {
            format!("Close {} {}", code.number(), quoted(reason.as_bytes()))
        }
        Err(fault) => format!("a bad Close: {}", fault.reason()),
    }
}
