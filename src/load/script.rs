//! The messages of a load: built once, shared by all connections, sent over and over.
//!
//! A cycle of messages stands back to back as masked frames, so that a connection sends a batch of
//! them with one write and no copy. Beside it stand the frames that a plain echo of the cycle
//! consists of, so that whole messages are verified with one comparison for all of them.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

use super::dice::Dice;
use super::payload::Content;
use super::sizes::Sizes;
use super::unexpected::hash;
use crate::limits::FRAME_HEAD_BYTES_MAX;
use crate::ws::deflater::Deflater;
use crate::ws::head::{First, Opcode, write_client_head, write_server_head};
use crate::ws::mask::unmask;
use crate::ws::offer::Agreed;

/// Payload of a cycle: enough messages to tell them apart, few enough to stay in a core's cache
/// beside what the kernel needs there.
const CYCLE_BYTES: f64 = 64.0 * 1024.0;

/// So many bytes of frames stand once more behind the cycle, for a batch that goes on at its start.
const BEHIND_BYTES_MAX: usize = 128 * 1024;

/// Most messages of a cycle, since their places are to be at hand as well.
const MESSAGES_MAX: f64 = 128.0;

/// Most of them when a rare size needs more.
const RARE_MESSAGES_MAX: f64 = 1024.0;

/// Fewest messages of a cycle, as long as two of them are no burden.
const MESSAGES_MIN: f64 = 2.0;

/// From here on one message is a cycle: two, each masked and plain, drive one another out of a
/// core's cache, and what is measured is memory.
const LONG_BYTES: usize = 1 << 20;

/// What messages are like.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How long.
    pub sizes: Sizes,
    /// What they say.
    pub content: Content,
    /// In how many frames each is sent, at least 1.
    pub fragments: usize,
    /// The frames come back as they were sent.
    pub bare: bool,
    /// The same seed gives the same messages.
    pub seed: u64,
}

/// A cycle of messages.
pub struct Script {
    /// The cycle, and the first of its messages once more.
    sent: Vec<u8>,
    /// Where each message starts in `sent`; one entry more than messages in it.
    sent_at: Vec<usize>,
    echo: Vec<u8>,
    /// The same for `echo`.
    echo_at: Vec<usize>,
    /// The same for payloads, without the heads of frames, as far as `sent_at` goes.
    payload_at: Vec<usize>,
    text: bool,
    /// `echo` is `sent`.
    bare: bool,
    /// A message may refer to those before it, so every connection starts with the first one.
    in_order: bool,
    /// What messages are told apart by, once there is one that was not expected.
    marks: OnceCell<Marks>,
}

/// What a message is known by: its length, and the hash of its payload.
pub type Mark = (usize, u64);

/// The marks of a cycle. A server that sends nothing but what is wrong must not have every message
/// of it hashed each time.
struct Marks {
    of: Vec<Mark>,
    known: HashSet<Mark>,
}

impl Script {
    /// Builds the messages, compressed as was agreed on, if it was.
    pub fn new(recipe: &Recipe, agreed: Option<Agreed>) -> Self {
        let mut dice = Dice::new(recipe.seed);
        let sizes = recipe.sizes.draw(messages(&recipe.sizes), &mut dice);
        let text = recipe.content.is_text();
        let mut script = Self {
            sent: Vec::new(),
            sent_at: vec![0],
            echo: Vec::new(),
            echo_at: vec![0],
            payload_at: vec![0],
            text,
            bare: recipe.bare,
            in_order: agreed.is_some_and(|agreed| agreed.client_takeover),
            marks: OnceCell::new(),
        };
        let mut deflater = agreed.map(|agreed| Deflater::new(agreed.client_window));
        let mut from = 0;
        for size in sizes {
            let payload = recipe.content.payload(size, &mut from, &mut dice);
            match &mut deflater {
                Some(deflater) => {
                    if !script.in_order {
                        deflater.reset();
                    }
                    let compressed = deflater.message(&payload);
                    script.add_sent(&compressed, true, recipe.fragments, &mut dice);
                }
                None => script.add_sent(&payload, false, recipe.fragments, &mut dice),
            }
            script.add_echo(&payload);
        }
        if script.bare {
            script.echo.clone_from(&script.sent);
            script.echo_at.clone_from(&script.sent_at);
        }
        script.go_round();
        script
    }

    /// Lets a batch go on where the cycle ends: with one write, as anywhere else.
    fn go_round(&mut self) {
        let cycle = self.sent.len();
        for nth in 0..self.count() {
            let (from, to) = (self.sent_at[nth], self.sent_at[nth + 1]);
            if to > BEHIND_BYTES_MAX {
                return;
            }
            self.sent.extend_from_within(from..to);
            self.sent_at.push(cycle + to);
            self.payload_at.push(self.payload_at[self.count()] + self.payload_at[nth + 1]);
        }
    }

    fn add_sent(&mut self, body: &[u8], compressed: bool, fragments: usize, dice: &mut Dice) {
        let step = body.len().div_ceil(fragments).max(1);
        for nth in 0..fragments {
            let from = (nth * step).min(body.len());
            let to = (from + step).min(body.len());
            let opcode = match (nth, self.text) {
                (0, true) => Opcode::Text,
                (0, false) => Opcode::Binary,
                _ => Opcode::Continuation,
            };
            let fin = nth + 1 == fragments;
            let first = First { fin, compressed: compressed && nth == 0, opcode };
            add_frame(&mut self.sent, first, &body[from..to], dice.key());
        }
        self.sent_at.push(self.sent.len());
    }

    fn add_echo(&mut self, payload: &[u8]) {
        let opcode = if self.text { Opcode::Text } else { Opcode::Binary };
        let first = First { fin: true, compressed: false, opcode };
        let mut head = [0; FRAME_HEAD_BYTES_MAX];
        let length = write_server_head(&mut head, first, payload.len() as u64);
        self.echo.extend_from_slice(&head[..length]);
        self.echo.extend_from_slice(payload);
        self.echo_at.push(self.echo.len());
        self.payload_at.push(self.payload_at[self.payload_at.len() - 1] + payload.len());
    }

    /// Messages in a cycle, at least one.
    #[inline]
    pub fn count(&self) -> usize {
        self.echo_at.len() - 1
    }

    /// Whether messages are text.
    pub fn is_text(&self) -> bool {
        self.text
    }

    /// Whether the frames come back as they were sent.
    #[inline]
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// The message with which the connection of this number starts. They start at different ones,
    /// so that an echo that went to the wrong connection is recognised.
    pub fn start(&self, connection: usize) -> usize {
        if self.in_order { 0 } else { connection.wrapping_mul(7919) % self.count() }
    }

    /// The message behind `position`.
    #[inline]
    pub fn after(&self, position: usize, messages: usize) -> usize {
        let next = position + messages;
        if next < self.count() { next } else { next % self.count() }
    }

    /// Where the frames of up to `messages` messages from `position` on lie in [`Self::frames`], as
    /// far as they lie together, and how many messages that is.
    pub fn batch(&self, position: usize, messages: usize) -> (Range<usize>, usize) {
        let end = (self.sent_at.len() - 1).min(position + messages);
        (self.sent_at[position]..self.sent_at[end], end - position)
    }

    /// All frames of a cycle, masked, and its first ones again.
    #[inline]
    pub fn frames(&self) -> &[u8] {
        &self.sent
    }

    /// All that a plain echo of a message consists of.
    pub fn echo(&self, position: usize) -> &[u8] {
        &self.echo[self.echo_at[position]..self.echo_at[position + 1]]
    }

    /// The payload of a message, before compression; of one that is not bare.
    pub fn payload(&self, position: usize) -> &[u8] {
        debug_assert!(!self.bare, "it is masked");
        let frame = self.echo(position);
        let head = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        &frame[head..]
    }

    /// What the message at `position` is known by.
    pub fn mark(&self, position: usize) -> Mark {
        self.marks().of[position]
    }

    /// Whether there is a message that is known by `mark`.
    pub fn has(&self, mark: Mark) -> bool {
        self.marks().known.contains(&mark)
    }

    fn marks(&self) -> &Marks {
        self.marks.get_or_init(|| {
            let mark = |at| (self.payload(at).len(), hash(0, self.payload(at)));
            let of: Vec<Mark> = (0..self.count()).map(mark).collect();
            let known = of.iter().copied().collect();
            Marks { of, known }
        })
    }

    /// How many of the next `messages` from `position` on stand at the start of `bytes` as a plain
    /// echo in one frame each, and their length in bytes.
    #[inline]
    pub fn whole_echoes(&self, position: usize, messages: usize, bytes: &[u8]) -> (usize, usize) {
        let base = self.echo_at[position];
        let last = self.count().min(position + messages);
        let mut end = position;
        while end < last && self.echo_at[end + 1] - base <= bytes.len() {
            end += 1;
        }
        let length = self.echo_at[end] - base;
        let same = bytes[..length] == self.echo[base..base + length];
        if same { (end - position, length) } else { (0, 0) }
    }

    /// The bytes of payload of `messages` messages from `position` on, as far as a batch may go.
    #[inline]
    pub fn payload_bytes(&self, position: usize, messages: usize) -> u64 {
        (self.payload_at[position + messages] - self.payload_at[position]) as u64
    }
}

/// Appends one masked frame.
pub fn add_frame(out: &mut Vec<u8>, first: First, payload: &[u8], key: [u8; 4]) {
    let mut head = [0; FRAME_HEAD_BYTES_MAX];
    let length = write_client_head(&mut head, first, payload.len() as u64, key);
    out.extend_from_slice(&head[..length]);
    let at = out.len();
    out.extend_from_slice(payload);
    // Masking and unmasking are one operation (RFC 6455 §5.3).
    let end = out.len();
    unmask(out, at..end, at, key);
}

/// How many messages a cycle has.
fn messages(sizes: &Sizes) -> usize {
    if sizes.most() >= LONG_BYTES {
        return 1;
    }
    let that_fit = (CYCLE_BYTES / (sizes.mean() + 16.0)).clamp(MESSAGES_MIN, MESSAGES_MAX);
    that_fit.max((1.0 / sizes.share_min()).ceil().min(RARE_MESSAGES_MAX)) as usize
}
