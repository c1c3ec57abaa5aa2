//! How an open connection ends: the peer's Close, ours, and what a fault is answered with.

use super::{Cursor, Leaving, Midway, Open, Verdict};
use crate::conn::Context;
use crate::conn::diary::escape;
use crate::conn::outbox::Slot;
use crate::ws::Fault;
use crate::ws::close::{self, CloseCode};
use crate::ws::decoder::Piece;
use crate::ws::head::Opcode;
use crate::ws::mask::unmask;

impl Open {
    /// Starts our closing handshake; writes the Close to `out` if it may stand here, and returns
    /// its length. Otherwise it follows the frame that is being streamed.
    pub fn say_goodbye(
        &mut self,
        code: CloseCode,
        out: &mut [u8],
        slot: &mut Slot,
        cx: &mut Context,
    ) -> usize {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Asked(code);
        }
        self.leave(out, slot, cx)
    }

    /// Reads on for nothing but the peer's answer to our Close (RFC 6455 §7.1.2). A fault is as
    /// good as an answer: the peer's words are over, and ours were when our Close went out.
    pub(super) fn await_close(
        &mut self,
        bytes: &[u8],
        cursor: &mut Cursor,
        cx: &Context,
    ) -> Verdict {
        loop {
            match self.decoder.step(&bytes[..cursor.end], cursor.read, &cx.bounds) {
                Ok(Some(piece)) => {
                    cursor.read = piece.payload.end;
                    if piece.first.opcode == Opcode::Close && piece.ends {
                        return Verdict::PeerClosed(None);
                    }
                }
                Ok(None) => return Verdict::Continue,
                Err(_) => return Verdict::PeerClosed(None),
            }
        }
    }

    /// Writes the Close that was asked for, if it may stand here. The reply to a frame that is
    /// held back is given up: after a Close nothing may follow (§5.5.1).
    pub(super) fn leave(&mut self, out: &mut [u8], slot: &mut Slot, cx: &mut Context) -> usize {
        match self.leaving {
            Leaving::Asked(code) if self.midway != Midway::Streamed => {
                cx.store.drop_held(slot);
                self.midway = Midway::Nothing;
                self.leaving = Leaving::Said;
                close::write(out, Some((code, "")))
            }
            _ => 0,
        }
    }
}

/// The peer's Close: once it is whole, answers with its code. A reason is not sent back.
pub(super) fn close(
    bytes: &mut [u8],
    cursor: &mut Cursor,
    piece: &Piece,
    cx: &mut Context,
) -> Result<Option<Verdict>, Fault> {
    unmask(bytes, piece.payload.clone(), cursor.write, piece.key);
    cursor.write += piece.payload.len();
    if !piece.ends {
        return Ok(None);
    }
    let content = close::parse(&bytes[cursor.frame..cursor.write])?;
    let code = content.map(|(code, _)| code);
    if cx.logging {
        let reason = content.map_or("", |(_, reason)| reason);
        cx.reason = escape(reason.as_bytes());
    }
    cursor.write = cursor.frame;
    cursor.write += close::write(&mut bytes[cursor.write..], code.map(|code| (code, "")));
    Ok(Some(Verdict::PeerClosed(code)))
}

/// The peer broke a rule. What answers earlier frames goes out, then a Close; the reply to the
/// frame at fault is taken back. If a part of it was sent by an earlier turn, no frame of ours
/// can stand here, and RFC 6455 §7.1.7 leaves dropping TCP ("SHOULD send a Close frame").
pub(super) fn fail(bytes: &mut [u8], cursor: &mut Cursor, fault: Fault) -> Verdict {
    cursor.write = cursor.frame;
    if cursor.exposed {
        return Verdict::Dropped(fault);
    }
    let content = (fault.close_code(), fault.reason());
    cursor.write += close::write(&mut bytes[cursor.write..], Some(content));
    Verdict::Fault(fault)
}
