//! The frames of a read, for whom they are.

use std::ops::Range;

use super::{Party, Talk};
use crate::conn::Context;
use crate::conn::area::READ_AT;
use crate::conn::diary::escape;
use crate::conn::open::{Turned, Verdict};
use crate::conn::outbox::Slot;
use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEAD_BYTES_MAX, TURN_EFFECTS_MAX};
use crate::ws::Fault;
use crate::ws::close;
use crate::ws::decoder::Piece;
use crate::ws::head::{First, Opcode, write_server_head};
use crate::ws::mask::unmask;

impl Talk {
    /// Puts the start of a head in front of the new bytes; returns where they begin then.
    pub(super) fn lay_in(&mut self, bytes: &mut [u8], start: usize) -> usize {
        if self.carry.is_empty() {
            return start;
        }
        assert_eq!(start, READ_AT, "a head in parts has no request before it");
        let from = start - self.carry.len();
        bytes[from..start].copy_from_slice(&self.carry);
        self.carry.clear();
        from
    }

    pub(super) fn frames(
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
            let verdict = self.piece(&piece, plain, slot, cx)?;
            if !self.count_kept(cx) {
                return Err(Fault::NoRoom);
            }
            turned.frames += u32::from(piece.ends);
            turned.messages += u32::from(piece.ends_message());
            if let Some(verdict) = verdict {
                return Ok(verdict);
            }
            if cx.effects.len() >= TURN_EFFECTS_MAX || self.is_full() {
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
            Opcode::Text | Opcode::Binary | Opcode::Continuation => match &mut self.party {
                Party::Member(member) => member.data(piece, plain, cx),
                Party::Scripted(scripted) => scripted.data(piece, plain, cx),
            },
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
            if let Party::Scripted(scripted) = &mut self.party {
                scripted.ping(payload);
            } else if !self.leaving {
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
        self.leave(code.map(|code| (code, "")), slot, cx);
        Ok(Some(Verdict::PeerClosed(code)))
    }
}
