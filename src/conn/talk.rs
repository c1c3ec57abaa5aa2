//! An open connection that is not an exact echo: frames in, and whatever its party says to them.
//!
//! Replies are not built in place. They stand in the outbox, where messages from others join
//! them, so there is one order that the peer sees.

mod member;

use std::ops::Range;

use super::Context;
use super::area::{Area, READ_AT};
use super::diary::escape;
use super::open::{Turned, Verdict};
use super::outbox::Slot;
use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEAD_BYTES_MAX, TURN_EFFECTS_MAX};
use crate::ws::Fault;
use crate::ws::close::{self, CloseCode, FRAME_BYTES_MAX};
use crate::ws::decoder::{Bounds, Decoder, Piece};
use crate::ws::head::{First, Opcode, write_server_head};
use crate::ws::mask::unmask;
pub use member::Member;

/// State of such a connection between two reads.
#[derive(Debug)]
pub struct Talk {
    decoder: Decoder,
    bounds: Bounds,
    /// The start of a frame head whose end has not arrived.
    carry: Vec<u8>,
    /// The payload, so far, of a Ping or Close.
    control: Vec<u8>,
    /// The party has been told that the connection is open.
    begun: bool,
    /// Our Close is out; only the peer's is waited for.
    leaving: bool,
    member: Member,
}

impl Talk {
    /// A connection whose 101 has been composed.
    pub fn new(member: Member, cx: &Context) -> Self {
        let message_bytes = member.message_bytes_max(cx).min(cx.bounds.message_bytes);
        Self {
            decoder: Decoder::new(false),
            bounds: Bounds { message_bytes, ..cx.bounds },
            carry: Vec::new(),
            control: Vec::new(),
            begun: false,
            leaving: false,
            member,
        }
    }

    /// True until [`Self::begin`], for which the 101 has to be out.
    pub fn is_new(&self) -> bool {
        !self.begun
    }

    /// Tells the party that the connection is open.
    pub fn begin(&mut self, cx: &mut Context) {
        self.begun = true;
        self.member.open(cx);
    }

    /// Takes the bytes `area[span]`. What is left of them when the party has had its share of the
    /// turn is parked.
    pub fn turn(
        &mut self,
        area: &mut Area,
        span: Range<usize>,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Turned {
        let end = span.end;
        let mut turned =
            Turned { reply: end..end, verdict: Verdict::Continue, frames: 0, messages: 0 };
        let bytes = area.bytes();
        if self.is_new() {
            cx.store.park(slot, &bytes[span]);
            return turned;
        }
        let start = self.lay_in(bytes, span.start);
        turned.verdict = match self.frames(bytes, start..end, slot, cx, &mut turned) {
            Ok(verdict) => verdict,
            Err(_) if self.leaving => Verdict::PeerClosed(None),
            Err(fault) => {
                self.say_close(fault.close_code(), fault.reason(), slot, cx);
                Verdict::Fault(fault)
            }
        };
        turned
    }

    /// Says Close; nothing of ours follows it (RFC 6455 §5.5.1).
    pub fn say_close(&mut self, code: CloseCode, reason: &str, slot: &mut Slot, cx: &mut Context) {
        if !std::mem::replace(&mut self.leaving, true) {
            let mut frame = [0; FRAME_BYTES_MAX];
            let length = close::write(&mut frame, Some((code, reason)));
            cx.store.keep(slot, &frame[..length]);
        }
    }

    /// True when the peer owes us the rest of a frame.
    pub fn in_frame(&self) -> bool {
        !self.carry.is_empty() || self.decoder.in_frame()
    }

    /// True when our Close is out.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// The connection is over, or will be within moments.
    pub fn part(&mut self, cx: &mut Context) {
        if self.begun {
            self.member.close(cx);
        }
    }

    /// Puts the start of a head in front of the new bytes; returns where they begin then.
    fn lay_in(&mut self, bytes: &mut [u8], start: usize) -> usize {
        if self.carry.is_empty() {
            return start;
        }
        assert_eq!(start, READ_AT, "a head in parts has no request before it");
        let from = start - self.carry.len();
        bytes[from..start].copy_from_slice(&self.carry);
        self.carry.clear();
        from
    }

    fn frames(
        &mut self,
        bytes: &mut [u8],
        span: Range<usize>,
        slot: &mut Slot,
        cx: &mut Context,
        turned: &mut Turned,
    ) -> Result<Verdict, Fault> {
        let mut at = span.start;
        while let Some(piece) = self.decoder.step(&bytes[..span.end], at, &self.bounds)? {
            at = piece.payload.end;
            let payload = piece.payload.clone();
            let beyond_ascii = unmask(bytes, payload.clone(), payload.start, piece.key);
            let plain = &bytes[payload];
            if piece.text {
                self.decoder.check_text(plain, beyond_ascii, piece.ends_message())?;
            }
            if let Some(verdict) = self.piece(&piece, plain, slot, cx)? {
                return Ok(verdict);
            }
            turned.frames += u32::from(piece.ends);
            turned.messages += u32::from(piece.ends_message());
            if cx.effects.len() >= TURN_EFFECTS_MAX {
                cx.store.park(slot, &bytes[at..span.end]);
                return Ok(Verdict::Continue);
            }
        }
        self.carry.reserve_exact(FRAME_HEAD_BYTES_MAX);
        self.carry.extend_from_slice(&bytes[at..span.end]);
        Ok(Verdict::Continue)
    }

    fn piece(
        &mut self,
        piece: &Piece,
        plain: &[u8],
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Result<Option<Verdict>, Fault> {
        match piece.first.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation if self.leaving => {}
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                self.member.data(piece, plain, cx);
            }
            Opcode::Pong => {}
            Opcode::Ping | Opcode::Close => {
                self.control.extend_from_slice(plain);
                if piece.ends {
                    let payload = std::mem::take(&mut self.control);
                    return self.control(piece.first.opcode, &payload, slot, cx);
                }
            }
        }
        Ok(None)
    }

    /// Answers a whole Ping or Close.
    fn control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Result<Option<Verdict>, Fault> {
        if opcode == Opcode::Ping {
            cx.metrics.pings_received += 1;
            if !self.leaving {
                let mut frame = [0; 2 + CONTROL_BYTES_MAX];
                let first = First { fin: true, compressed: false, opcode: Opcode::Pong };
                let head_bytes = write_server_head(&mut frame, first, payload.len() as u64);
                frame[head_bytes..head_bytes + payload.len()].copy_from_slice(payload);
                cx.store.keep(slot, &frame[..head_bytes + payload.len()]);
            }
            return Ok(None);
        }
        let content = close::parse(payload)?;
        let code = content.map(|(code, _)| code);
        if cx.logging {
            cx.reason = escape(content.map_or("", |(_, reason)| reason).as_bytes());
        }
        if !std::mem::replace(&mut self.leaving, true) {
            let mut frame = [0; FRAME_BYTES_MAX];
            let length = close::write(&mut frame, code.map(|code| (code, "")));
            cx.store.keep(slot, &frame[..length]);
        }
        Ok(Some(Verdict::PeerClosed(code)))
    }
}
