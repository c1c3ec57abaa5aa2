//! An open connection: client frames in, the same frames back, built in bytes already consumed.
//!
//! A client's frame head is four bytes longer than the server's for the same length. So the
//! reply to the first frame of a read ends where its payload ends, replies to the frames behind
//! it slide left to follow it closely, and one write sends them all. The write cursor never
//! passes the read cursor.
//!
//! Most frames arrive whole. Of one that does not, binary and long text pass through in parts.
//! Text of up to the commit limit and control frames are *held*: their reply waits in the outbox
//! until the last byte is here and valid, so that a Close can still be sent instead.

mod closing;
mod deflated;
mod frames;

use std::ops::Range;

use super::Context;
use super::area::{Area, READ_AT};
use super::inflaters::Deflated;
use super::outbox::Slot;
use crate::limits::{FRAME_HEAD_BYTES_MAX, MASKING_KEY_BYTES};
use crate::ws::Fault;
use crate::ws::close::CloseCode;
use crate::ws::decoder::Decoder;
use crate::ws::deflate::Agreement;
use closing::fail;

/// State of an open connection between two reads.
///
/// Invariants: at most one of `carried > 0` and `decoder.in_frame()`; `midway` only in a frame.
#[derive(Debug)]
pub struct Open {
    decoder: Decoder,
    /// The start of a frame head whose end has not arrived.
    carry: [u8; FRAME_HEAD_BYTES_MAX - 1],
    carried: u8,
    midway: Midway,
    leaving: Leaving,
    /// What was agreed on of permessage-deflate.
    deflated: Option<Deflated>,
}

/// What became of the reply to a frame that has arrived in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Midway {
    /// No frame is incomplete, or one that gets no reply.
    #[default]
    Nothing,
    /// It waits in the outbox, whole.
    Held,
    /// A part has been sent: no other frame may stand here, not even a Close.
    Streamed,
}

/// Our own closing handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leaving {
    /// Nobody has asked for it.
    #[default]
    No,
    /// Our Close goes out as soon as the frame being streamed is complete.
    Asked(CloseCode),
    /// Our Close is out. Data is ignored until the peer's.
    Said,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The connection goes on.
    Continue,
    /// The peer closed; the reply ends with our Close.
    PeerClosed(Option<CloseCode>),
    /// The peer broke a rule; the reply ends with our Close.
    Fault(Fault),
    /// The peer broke a rule in a frame already echoed in part: no Close can be sent.
    Dropped(Fault),
}

/// What one read brought.
#[derive(Debug)]
pub struct Turned {
    /// Where the replies lie in the area.
    pub reply: Range<usize>,
    /// How the read ended.
    pub verdict: Verdict,
    /// Frames received whole.
    pub frames: u32,
    /// Data messages received whole.
    pub messages: u32,
}

/// Positions in the area during one read. Invariants: `reply <= frame <= write`; behind the first
/// head of the read `write <= read`.
struct Cursor {
    /// Where the replies begin.
    reply: usize,
    /// Where the reply to the current frame begins; between frames the same as `write`.
    frame: usize,
    /// The head of the current frame was read in this turn.
    began: bool,
    /// The start of that reply was sent by an earlier turn.
    exposed: bool,
    /// Where the next byte of reply goes.
    write: usize,
    /// The first byte not consumed.
    read: usize,
    /// The end of what was read.
    end: usize,
}

impl Open {
    /// A connection whose 101 has been composed.
    pub fn new(agreement: Option<Agreement>) -> Self {
        Self {
            decoder: Decoder::new(agreement.is_some()),
            carry: [0; FRAME_HEAD_BYTES_MAX - 1],
            carried: 0,
            midway: Midway::Nothing,
            leaving: Leaving::No,
            deflated: agreement.map(Deflated::new),
        }
    }

    /// Echoes the frames in `area[span]`. The span either starts at [`READ_AT`] or follows a
    /// request head, when nothing is carried or held.
    pub fn turn(
        &mut self,
        area: &mut Area,
        span: Range<usize>,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Turned {
        let bytes = area.bytes();
        let mut cursor = self.lay_in(bytes, span, slot, cx);
        let mut turned = Turned { reply: 0..0, verdict: Verdict::Continue, frames: 0, messages: 0 };
        let outcome = match self.leaving {
            Leaving::Said => Ok(self.await_close(bytes, &mut cursor, cx)),
            _ => self.frames(bytes, &mut cursor, slot, cx, &mut turned),
        };
        turned.verdict = match outcome {
            Ok(verdict) => verdict,
            Err(fault) => {
                cx.store.drop_held(slot);
                fail(bytes, &mut cursor, fault)
            }
        };
        if turned.verdict == Verdict::Continue {
            self.carry_over(&bytes[cursor.read..cursor.end]);
            cursor.write += self.leave(&mut bytes[cursor.write..], slot, cx);
        }
        assert!(cursor.reply <= cursor.write);
        turned.reply = cursor.reply..cursor.write;
        turned
    }

    /// True when the peer owes us the rest of a frame.
    pub fn in_frame(&self) -> bool {
        self.carried > 0 || self.decoder.in_frame()
    }

    /// True when our Close has been asked for.
    pub fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// True when our Close is out and nothing but the peer's counts.
    pub fn has_left(&self) -> bool {
        self.leaving == Leaving::Said
    }

    /// True when a frame of ours may stand behind what has been sent.
    pub fn may_interject(&self) -> bool {
        self.midway != Midway::Streamed && self.leaving == Leaving::No
    }

    /// Puts what was left over from the last read in front of the new bytes.
    fn lay_in(
        &mut self,
        bytes: &mut [u8],
        span: Range<usize>,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Cursor {
        let mut reply = span.start;
        let mut write = span.start;
        let mut read = span.start;
        if self.carried > 0 {
            assert_eq!(span.start, READ_AT, "a head in parts has no request before it");
            read -= usize::from(self.carried);
            bytes[read..READ_AT].copy_from_slice(&self.carry[..READ_AT - read]);
            self.carried = 0;
            reply = read;
            write = read;
        } else if self.midway == Midway::Held && self.decoder.left() <= span.len() as u64 {
            assert_eq!(span.start, READ_AT, "a held reply has no request before it");
            reply -= slot.as_ref().map_or(0, |outbox| outbox.held().len());
            cx.store.take_held(slot, &mut bytes[reply..READ_AT]);
        }
        if !self.decoder.in_frame() {
            // The client's head has a masking key that ours has not, so the first reply ends where
            // its payload ends, and nothing of it moves.
            reply += MASKING_KEY_BYTES;
            write += MASKING_KEY_BYTES;
        }
        let exposed = self.midway == Midway::Streamed;
        Cursor { reply, frame: reply, began: false, exposed, write, read, end: span.end }
    }

    fn carry_over(&mut self, rest: &[u8]) {
        self.carry[..rest.len()].copy_from_slice(rest);
        self.carried = u8::try_from(rest.len()).unwrap_or(0);
    }
}
