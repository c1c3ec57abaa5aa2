//! The frames of a read, one piece after the other.

use super::echo::whole_messages;
use super::{Cursor, Outcome, Reply, Session, Verdict};
use crate::conn::Context;
use crate::conn::handler::Handler;
use crate::conn::send_queue::Slot;
use crate::limits::FRAME_HEAD_BYTES_MAX;
use crate::ws::Fault;
use crate::ws::decoder::{Bounds, Piece};
use crate::ws::head::{First, Opcode, write_server_head};
use crate::ws::mask::unmask;

/// What there is to answer next.
pub(super) enum NextPiece {
    /// A piece of a frame; compressed ones have been unmasked and inflated.
    Piece(Piece),
    /// Nothing: the read has ended, or ends in the middle of a head.
    NeedMore,
    /// Compressed bytes that cannot be inflated in this turn.
    Wait,
}

impl Session {
    /// Answers what lies between `cursor.read` and `cursor.end`.
    pub(super) fn frames(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        slot: &mut Slot,
        cx: &mut Context,
        outcome: &mut Outcome,
    ) -> Result<Verdict, Fault> {
        let bounds = self.bounds(cx);
        loop {
            if self.decoder.is_between_messages() && self.handler.is_echo() {
                whole_messages(bytes, cursor, &bounds, outcome)?;
                if cursor.read == cursor.end {
                    return Ok(Verdict::Continue);
                }
            }
            let piece = match self.next_piece(bytes, cursor, &bounds, cx)? {
                NextPiece::Piece(piece) => piece,
                NextPiece::NeedMore => return Ok(Verdict::Continue),
                NextPiece::Wait => {
                    self.hold_back(bytes, cursor, slot, cx);
                    break;
                }
            };
            cursor.read = piece.payload.end;
            if let Some(verdict) = self.piece(bytes, cursor, &piece, slot, cx)? {
                outcome.frames += 1; // the Close
                return Ok(verdict);
            }
            let share_is_used_up = self.handler.has_had_its_share(cx);
            if piece.ends {
                self.complete(cursor, &piece, outcome);
            } else if cursor.read == cursor.end || share_is_used_up {
                self.pause(bytes, cursor, &piece, slot, cx);
            }
            if share_is_used_up {
                break;
            }
        }
        cx.queues.put_aside(slot, &bytes[cursor.read..cursor.end]);
        cursor.end = cursor.read;
        Ok(Verdict::Continue)
    }

    /// The next piece of a frame.
    #[inline]
    fn next_piece(
        &mut self,
        bytes: &mut [u8],
        cursor: &Cursor,
        bounds: &Bounds,
        cx: &mut Context,
    ) -> Result<NextPiece, Fault> {
        if self.decoder.may_deflate() {
            if let Some(next) = self.compressed_piece(bytes, cursor, bounds, cx)? {
                return Ok(next);
            }
        }
        let piece = self.decoder.step(&bytes[..cursor.end], cursor.read, bounds)?;
        Ok(piece.map_or(NextPiece::NeedMore, NextPiece::Piece))
    }

    /// Answers one piece of a frame.
    fn piece(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        piece: &Piece,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Result<Option<Verdict>, Fault> {
        cursor.began |= piece.starts;
        match piece.first.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                self.data(bytes, cursor, piece, cx)?;
            }
            Opcode::Ping => {
                let pong = First { opcode: Opcode::Pong, ..piece.first };
                self.echo(bytes, cursor, piece, pong)?;
                cx.metrics.pings_received += u64::from(piece.ends);
                if let (Handler::Script(script), true) = (&mut self.handler, piece.ends) {
                    script.pong(&bytes[cursor.frame..cursor.write])?;
                    cursor.write = cursor.frame;
                }
            }
            Opcode::Pong => {}
            Opcode::Close => return self.peer_close(bytes, cursor, piece, slot, cx),
        }
        Ok(None)
    }

    /// Gives a piece of a message to the handler.
    #[inline]
    fn data(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        piece: &Piece,
        cx: &mut Context,
    ) -> Result<(), Fault> {
        if self.handler.is_echo() {
            return self.echo(bytes, cursor, piece, piece.first);
        }
        let payload = piece.payload.clone();
        let beyond_ascii = unmask(bytes, payload.clone(), payload.start, piece.key);
        let plain = &bytes[payload];
        if piece.text {
            self.decoder.check_text(plain, beyond_ascii, piece.ends_message())?;
        }
        match &mut self.handler {
            Handler::Member(member) => member.data(piece, plain, cx),
            Handler::Script(script) => script.data(piece, plain, cx),
            Handler::Echo(_) => Ok(()),
        }
    }

    fn complete(&mut self, cursor: &mut Cursor, piece: &Piece, outcome: &mut Outcome) {
        outcome.frames += 1;
        outcome.messages += u32::from(piece.ends_message());
        cursor.frame = cursor.write;
        cursor.began = false;
        self.reply = Reply::None;
    }

    /// A frame that is not complete: its reply so far is either held or let through.
    fn pause(
        &mut self,
        bytes: &[u8],
        cursor: &mut Cursor,
        piece: &Piece,
        slot: &mut Slot,
        cx: &mut Context,
    ) {
        let control = piece.first.opcode.is_control();
        if piece.first.opcode == Opcode::Pong || !(control || self.handler.is_echo()) {
            return;
        }
        if cursor.began {
            let checked = piece.text || piece.compressed;
            let whole = checked && cx.queues.may_hold(piece.length);
            self.reply = if whole || control { Reply::Held } else { Reply::Streamed };
        }
        self.hold_back(bytes, cursor, slot, cx);
    }

    /// Puts what there is of a reply that is held into the send queue.
    fn hold_back(&self, bytes: &[u8], cursor: &mut Cursor, slot: &mut Slot, cx: &mut Context) {
        if self.reply == Reply::Held && cursor.write > cursor.frame {
            let length = usize::try_from(self.decoder.length()).unwrap_or(0);
            let reply = &bytes[cursor.frame..cursor.write];
            cx.queues.hold(slot, reply, length + FRAME_HEAD_BYTES_MAX);
            cursor.write = cursor.frame;
        }
    }

    /// Unmasks a piece behind the replies so far, with a head before it if it starts its frame.
    #[inline]
    fn echo(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        piece: &Piece,
        first: First,
    ) -> Result<(), Fault> {
        if piece.starts {
            cursor.write += write_server_head(&mut bytes[cursor.write..], first, piece.length);
        }
        let from = cursor.write;
        let length = piece.payload.len();
        cursor.write += length;
        if piece.compressed {
            // It has been unmasked to be inflated.
            bytes.copy_within(piece.payload.clone(), from);
            return Ok(());
        }
        let beyond_ascii = unmask(bytes, piece.payload.clone(), from, piece.key);
        if piece.text {
            let plain = &bytes[from..from + length];
            self.decoder.check_text(plain, beyond_ascii, piece.ends_message())?;
        }
        Ok(())
    }
}
