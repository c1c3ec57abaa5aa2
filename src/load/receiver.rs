//! What comes back on one connection, and whether it is what was sent: each byte, the type, the
//! boundary, the order.
//!
//! Nearly all that comes are whole messages that lie in the read buffer as they have to be; they
//! are compared in one go. Everything else goes frame by frame. A message is compared as its bytes
//! arrive, so none is ever stored; from its first wrong byte on it is hashed, and at its end
//! [`Unexpected`](super::unexpected) says by its hash what it is instead.

mod bare;
mod rest;

use super::desk::Desk;
use super::errors::Kind;
use super::script::{Script, add_frame};
use super::unexpected::{Unexpected, close_in_words, hash};
use crate::ws::deflate::WindowBits;
use crate::ws::head::{First, Opcode};
use crate::ws::incoming::{Incoming, Piece};
use crate::ws::inflate::Inflater;
pub use rest::Rest;

/// What some bytes brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Messages that were answered by them.
    pub messages: usize,
    /// Payload bytes, of any message.
    pub payload_bytes: u64,
    /// Why nothing can come any more, which has been counted: the server broke the protocol.
    pub broken: bool,
    /// A Close of the server, in words.
    pub close: Option<String>,
}

/// Overtaken messages that are still looked for: what comes behind so many others has been lost.
const OVERTAKEN_MAX: usize = 4096;

/// A message under way that is not what was expected.
struct Difference {
    /// Of all its bytes so far.
    hash: u64,
    /// Its first wrong byte.
    at: usize,
}

/// What only a few connections need.
#[derive(Default)]
struct Rare {
    /// Messages that later ones overtook.
    overtaken: Vec<usize>,
    /// How many of those are not looked for any more.
    lost: u64,
    /// The payload of a control frame that has not come whole.
    control: Vec<u8>,
    difference: Option<Difference>,
    /// The message under way began in an earlier phase.
    stale: bool,
    /// Of the message under way, or with takeover of the connection.
    inflater: Option<Inflater>,
}

/// The receiving side of one connection.
pub struct Receiver {
    incoming: Incoming,
    /// The message that is expected next.
    position: usize,
    /// Bytes of it that have come.
    got: usize,
    /// How many messages have come, as far as anybody looks back.
    past: u32,
    rare: Option<Box<Rare>>,
}

impl Receiver {
    /// The start of a connection whose first message is the one at `position`.
    pub fn new(position: usize, deflate: bool) -> Self {
        Self { incoming: Incoming::new(deflate), position, got: 0, past: 0, rare: None }
    }

    /// Reads on. `in_flight` messages have been sent and not been answered; frames that answer
    /// pings are appended to `pongs`.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        in_flight: usize,
        desk: &mut Desk,
        pongs: &mut Vec<u8>,
    ) -> Heard {
        if desk.script.is_bare() {
            return self.feed_bare(bytes, in_flight, desk);
        }
        let mut heard = Heard::default();
        let mut at = 0;
        while at < bytes.len() {
            if desk.verify && self.incoming.is_between_messages() {
                let left = in_flight - heard.messages.min(in_flight);
                let (messages, length) =
                    desk.script.whole_echoes(self.position, left, &bytes[at..]);
                if messages > 0 {
                    heard.payload_bytes += desk.script.payload_bytes(self.position, messages);
                    heard.messages += messages;
                    self.answered(messages, &desk.script);
                    at += length;
                    continue;
                }
            }
            match self.incoming.step(bytes, at) {
                Ok(Some(piece)) => {
                    at = piece.payload.end;
                    self.piece(&piece, bytes, in_flight, desk, pongs, &mut heard);
                    if heard.broken || heard.close.is_some() {
                        break;
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    desk.errors.add(Kind::Protocol, || fault.reason().to_owned());
                    heard.broken = true;
                    break;
                }
            }
        }
        heard
    }

    fn piece(
        &mut self,
        piece: &Piece,
        bytes: &[u8],
        in_flight: usize,
        desk: &mut Desk,
        pongs: &mut Vec<u8>,
        heard: &mut Heard,
    ) {
        let payload = &bytes[piece.payload.clone()];
        if piece.first.opcode.is_control() {
            self.control(piece, payload, desk, pongs, heard);
            return;
        }
        if let Some(rare) = self.rare.as_mut().filter(|rare| rare.stale) {
            rare.stale = !piece.ends_message();
            return;
        }
        if !piece.compressed {
            heard.payload_bytes += payload.len() as u64;
            self.compare(payload, desk);
        } else if let Err(wrong) = self.inflate(payload, piece.ends_message(), desk, heard) {
            desk.errors.add(Kind::Inflate, || wrong.to_owned());
            heard.broken = true;
            return;
        }
        if piece.ends_message() {
            let left = in_flight - heard.messages.min(in_flight);
            heard.messages += self.end_message(piece.text, left, desk);
        }
    }

    fn control(
        &mut self,
        piece: &Piece,
        payload: &[u8],
        desk: &mut Desk,
        pongs: &mut Vec<u8>,
        heard: &mut Heard,
    ) {
        let control = &mut self.rare.get_or_insert_default().control;
        control.extend_from_slice(payload);
        if !piece.ends {
            return;
        }
        let body = std::mem::take(control);
        match piece.first.opcode {
            Opcode::Ping => {
                desk.pings += 1;
                let first = First { fin: true, compressed: false, opcode: Opcode::Pong };
                let [a, b, c, d, ..] = hash(1, &body).to_le_bytes();
                add_frame(pongs, first, &body, [a, b, c, d]);
            }
            Opcode::Close => heard.close = Some(close_in_words(&body)),
            // RFC 6455 §5.5.3: "A response to an unsolicited Pong frame is not expected."
            _ => {}
        }
    }

    /// Compares bytes of a message, or hashes them once one was wrong.
    fn compare(&mut self, plain: &[u8], desk: &Desk) {
        let before = self.got;
        self.got += plain.len();
        if !desk.verify {
            return;
        }
        if let Some(difference) = self.rare.as_mut().and_then(|rare| rare.difference.as_mut()) {
            difference.hash = hash(difference.hash, plain);
            return;
        }
        let payload = desk.script.payload(self.position);
        let expected = payload.get(before..).unwrap_or_default();
        if expected.get(..plain.len()) == Some(plain) {
            return;
        }
        let same = expected.iter().zip(plain).take_while(|(a, b)| a == b).count();
        let hash = hash(hash(0, &payload[..before]), plain);
        let difference = Some(Difference { hash, at: before + same });
        self.rare.get_or_insert_default().difference = difference;
    }

    fn inflate(
        &mut self,
        mut input: &[u8],
        ends: bool,
        desk: &mut Desk,
        heard: &mut Heard,
    ) -> Result<(), &'static str> {
        let takeover = desk.agreed.is_some_and(|agreed| agreed.server_takeover);
        let kept = self.rare.get_or_insert_default().inflater.take();
        let mut inflater = kept.unwrap_or_else(|| {
            let spare = desk.spare.pop();
            spare.unwrap_or_else(|| Inflater::new(WindowBits::MAX))
        });
        let mut scratch = std::mem::take(&mut desk.scratch);
        let outcome = loop {
            match inflater.step(input, &mut scratch) {
                Ok(step) => {
                    heard.payload_bytes += step.produced as u64;
                    self.compare(&scratch[..step.produced], desk);
                    input = &input[step.consumed..];
                    if step.drained {
                        break Ok(());
                    }
                }
                Err(_) => break Err("corrupt compressed data"),
            }
        };
        desk.scratch = scratch;
        outcome?;
        if ends {
            inflater.finish().map_err(|_| "the end of a compressed message is missing")?;
        }
        if ends && !takeover {
            inflater.reset(WindowBits::MAX);
            desk.spare.push(inflater);
        } else {
            self.rare.get_or_insert_default().inflater = Some(inflater);
        }
        Ok(())
    }

    /// A message has come; returns how many of those in flight that settles.
    fn end_message(&mut self, text: bool, in_flight: usize, desk: &mut Desk) -> usize {
        let got = std::mem::take(&mut self.got);
        let difference = self.rare.as_mut().and_then(|rare| rare.difference.take());
        if !desk.verify {
            let settled = in_flight.min(1);
            if settled == 0 {
                desk.errors.add(Kind::Unsolicited, || format!("{got} bytes"));
            }
            self.answered(settled, &desk.script);
            return settled;
        }
        let expected = desk.script.payload(self.position);
        if difference.is_none() && got == expected.len() && in_flight > 0 {
            if text != desk.script.is_text() {
                let came = if text { "text for binary" } else { "binary for text" };
                desk.errors.add(Kind::Type, || format!("{got} bytes came as {came}"));
            }
            self.answered(1, &desk.script);
            return 1;
        }
        let Rare { overtaken, lost, .. } = &mut **self.rare.get_or_insert_default();
        if overtaken.len() > OVERTAKEN_MAX {
            *lost += overtaken.drain(..OVERTAKEN_MAX / 2).len() as u64;
        }
        let (position, past, script) = (self.position, self.past as usize, &desk.script);
        let unexpected = Unexpected { script, position, past, in_flight, overtaken };
        let (hash, wrong_at) = match difference {
            Some(Difference { hash, at }) => (hash, at),
            None => (hash(0, &expected[..got]), got),
        };
        let (error, settled) = unexpected.explain(got, hash, wrong_at);
        if let Some((kind, words)) = error {
            desk.errors.add(kind, || words);
        }
        self.answered(settled, &desk.script);
        settled
    }

    #[inline]
    fn answered(&mut self, messages: usize, script: &Script) {
        self.position = script.after(self.position, messages);
        self.past = self.past.saturating_add(u32::try_from(messages).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests;
