//! The closing handshake: the peer's Close, ours, and what a fault is answered with.

use super::{Boundary, Closing, Cursor, Reply, Session, Verdict};
use crate::conn::Context;
use crate::conn::connection_log::escape;
use crate::conn::handler::Handler;
use crate::conn::send_queue::Slot;
use crate::ending::Ending;
use crate::ws::Fault;
use crate::ws::close::{self, CloseCode, FRAME_BYTES_MAX};
use crate::ws::decoder::Piece;
use crate::ws::head::Opcode;
use crate::ws::mask::unmask;

/// Why a closing handshake of ours begins without a fault of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server goes.
    Shutdown,
    /// The connection has lasted as long as one may.
    Expired,
}

impl Farewell {
    /// The code of the Close.
    pub fn code(self) -> CloseCode {
        match self {
            Self::Shutdown => CloseCode::GOING_AWAY,
            Self::Expired => CloseCode::RESTART,
        }
    }

    /// What the connection counts as, if the peer answers or not.
    pub fn ending(self) -> Ending {
        match self {
            Self::Shutdown => Ending::Shutdown,
            Self::Expired => Ending::Expired,
        }
    }
}

impl Session {
    /// Starts our closing handshake, in which the peer is waited for. The Close goes to
    /// the send queue now, or later behind the frame that is being sent.
    pub fn start_closing(&mut self, farewell: Farewell, slot: &mut Slot, cx: &mut Context) {
        if self.closing == Closing::No {
            self.closing = match farewell {
                Farewell::Shutdown => Closing::Wanted,
                Farewell::Expired => Closing::WantedExpired,
            };
            self.say_close(farewell.code(), "", slot, cx);
        }
    }

    /// Why we have begun to close, if we have.
    pub fn farewell(&self) -> Option<Farewell> {
        match self.closing {
            Closing::No => None,
            Closing::Wanted | Closing::Sent => Some(Farewell::Shutdown),
            Closing::WantedExpired | Closing::SentExpired => Some(Farewell::Expired),
        }
    }

    /// Our Close is out.
    fn note_closed(&mut self) {
        self.closing = match self.closing {
            Closing::No | Closing::Wanted | Closing::Sent => Closing::Sent,
            Closing::WantedExpired | Closing::SentExpired => Closing::SentExpired,
        };
    }

    /// Puts a Close into the send queue, behind what is there, if it may stand there.
    pub fn say_close(&mut self, code: CloseCode, reason: &str, slot: &mut Slot, cx: &mut Context) {
        if !self.has_closed() && self.clear_boundary(slot, cx) {
            let mut frame = [0; FRAME_BYTES_MAX];
            let length = close::write(&mut frame, Some((code, reason)));
            cx.queues.push(slot, &frame[..length]);
            self.note_closed();
        }
    }

    /// Makes sure that a Close may follow: the rest of the frame that is being sent goes to the
    /// send queue, replies that are held or still to come are given up (RFC 6455 §5.5.1: after a
    /// Close nothing may follow). False if that frame cannot be completed.
    fn clear_boundary(&mut self, slot: &mut Slot, cx: &mut Context) -> bool {
        if self.boundary() == Boundary::Nowhere {
            return false;
        }
        cx.queues.drop_held(slot);
        self.reply = Reply::None;
        if let Handler::Script(script) = &mut self.handler {
            script.finish_frame(slot, cx);
        }
        true
    }

    /// Sends the Close that is wanted behind the replies in the read buffer, if it may stand there.
    pub(super) fn close_in_place(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        slot: &mut Slot,
        cx: &mut Context,
    ) {
        if self.closing == Closing::No {
            return;
        }
        let farewell = self.farewell().filter(|_| !self.has_closed());
        let Some(farewell) = farewell.filter(|_| self.clear_boundary(slot, cx)) else { return };
        cursor.write += close::write(&mut bytes[cursor.write..], Some((farewell.code(), "")));
        self.note_closed();
    }

    /// Reads on for nothing but the peer's answer to our Close (RFC 6455 §7.1.2). A fault is as
    /// good as an answer: the peer's words are over, and ours were when our Close went out.
    pub(super) fn await_close(
        &mut self,
        bytes: &[u8],
        cursor: &mut Cursor,
        cx: &Context,
    ) -> Verdict {
        let bounds = self.bounds(cx);
        loop {
            match self.decoder.step(&bytes[..cursor.end], cursor.read, &bounds) {
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

    /// The peer's Close: once it is whole, answers with its code. A reason is not sent back.
    pub(super) fn peer_close(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        piece: &Piece,
        slot: &mut Slot,
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
        self.reply = Reply::None;
        if self.clear_boundary(slot, cx) {
            cursor.write += close::write(&mut bytes[cursor.write..], code.map(|code| (code, "")));
        }
        Ok(Some(Verdict::PeerClosed(code)))
    }

    /// The peer broke a rule. What answers earlier frames goes out, then a Close; the reply to the
    /// frame at fault is taken back. If a part of it was sent by an earlier turn, no frame of ours
    /// can stand here, and RFC 6455 §7.1.7 leaves dropping TCP ("SHOULD send a Close frame").
    pub(super) fn fail(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        fault: Fault,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Verdict {
        cursor.write = cursor.frame;
        if !self.clear_boundary(slot, cx) {
            return Verdict::Dropped(fault);
        }
        let content = (fault.close_code(), fault.reason());
        cursor.write += close::write(&mut bytes[cursor.write..], Some(content));
        Verdict::Fault(fault)
    }
}
