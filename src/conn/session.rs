//! An open connection: client frames in, replies out, and the closing handshake both ways.
//!
//! A session decodes frames for whoever listens behind it, its [`Handler`], and is the only place
//! that knows whether a frame of ours may stand at the end of what has been sent. The exact echo
//! is built in place, in the bytes of the read buffer that have been consumed:
//!
//! A client's frame head is four bytes longer than the server's for the same length. So the
//! reply to the first frame of a read ends where its payload ends, replies to the frames behind
//! it slide left to follow it closely, and one write sends them all. The write cursor never
//! passes the read cursor.
//!
//! Most frames arrive whole. Of one that does not, binary and long text pass through in parts.
//! Text of up to the commit limit and control frames are *held*: their reply waits in the send
//! queue until the last byte is here and valid, so that a Close can still be sent instead.

mod closing;
mod echo;
mod frames;

use std::ops::Range;

use super::Context;
use super::handler::Handler;
use super::read_buffer::{READ_AT, ReadBuffer};
use super::send_queue::Slot;
use crate::limits::{FRAME_HEAD_BYTES_MAX, MASKING_KEY_BYTES};
use crate::ws::Fault;
use crate::ws::close::CloseCode;
use crate::ws::decoder::{Bounds, Decoder};
pub use closing::Farewell;

/// State of an open connection between two reads.
///
/// Invariants: at most one of a partial head and `decoder.in_frame()`; `reply` only in a frame.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    partial: PartialHead,
    reply: Reply,
    closing: Closing,
    handler: Handler,
}

/// The start of a frame head whose end has not arrived.
#[derive(Clone, Copy, Debug, Default)]
struct PartialHead {
    bytes: [u8; FRAME_HEAD_BYTES_MAX - 1],
    length: u8,
}

/// What became of the reply to a frame that has arrived in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reply {
    /// No frame is incomplete, or one that gets no reply in place.
    #[default]
    None,
    /// It waits in the send queue, whole.
    Held,
    /// A part has been sent: no other frame may stand here, not even a Close.
    Streamed,
}

/// Our own closing handshake. One byte says both how far it is and why it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    /// Nobody has asked for it.
    #[default]
    No,
    /// The server goes: our Close goes out as soon as the frame being sent is complete.
    Wanted,
    /// The same, because the connection has lasted as long as one may.
    WantedExpired,
    /// Our Close is out. Data is ignored until the peer's.
    Sent,
    /// The same, because the connection has lasted as long as one may.
    SentExpired,
}

/// Whether a frame of ours may stand at the end of what has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    /// The last frame is complete.
    Here,
    /// The rest of the last frame is at hand, and has to go first.
    BehindRest,
    /// The rest of the last frame has not arrived yet.
    Nowhere,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The connection goes on.
    Continue,
    /// The peer closed; the reply ends with our Close, unless that went before.
    PeerClosed(Option<CloseCode>),
    /// The peer broke a rule; the reply ends with our Close.
    Fault(Fault),
    /// The peer broke a rule in a frame already answered in part: no Close can be sent.
    Dropped(Fault),
}

/// What one read brought.
#[derive(Debug)]
pub struct Outcome {
    /// Where the replies lie in the read buffer.
    pub reply: Range<usize>,
    /// How the read ended.
    pub verdict: Verdict,
    /// Frames received whole.
    pub frames: u32,
    /// Data messages received whole.
    pub messages: u32,
}

/// Positions in the read buffer during one read. Invariants: `reply <= frame <= write`; behind the
/// first head of the read `write <= read`.
struct Cursor {
    /// Where the replies begin.
    reply: usize,
    /// Where the reply to the current frame begins; between frames the same as `write`.
    frame: usize,
    /// The head of the current frame was read in this call.
    began: bool,
    /// Where the next byte of reply goes.
    write: usize,
    /// The first byte not consumed.
    read: usize,
    /// The end of what was read.
    end: usize,
}

impl Session {
    /// A connection whose 101 has been composed.
    pub fn new(handler: Handler) -> Self {
        Self {
            decoder: Decoder::new(handler.deflates()),
            partial: PartialHead::default(),
            reply: Reply::None,
            closing: Closing::No,
            handler,
        }
    }

    /// Processes the frames in `buffer[span]`. The span either starts at [`READ_AT`] or follows a
    /// request head, when nothing is partial or held.
    pub fn receive(
        &mut self,
        buffer: &mut ReadBuffer,
        span: Range<usize>,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Outcome {
        let bytes = buffer.bytes();
        let mut cursor = self.lay_in(bytes, span, slot, cx);
        let mut outcome =
            Outcome { reply: 0..0, verdict: Verdict::Continue, frames: 0, messages: 0 };
        let result = match self.closing {
            Closing::Sent | Closing::SentExpired => Ok(self.await_close(bytes, &mut cursor, cx)),
            _ => self.frames(bytes, &mut cursor, slot, cx, &mut outcome),
        };
        outcome.verdict = match result {
            Ok(verdict) => verdict,
            Err(fault) => self.fail(bytes, &mut cursor, fault, slot, cx),
        };
        if outcome.verdict == Verdict::Continue {
            self.partial.keep(&bytes[cursor.read..cursor.end]);
            self.close_in_place(bytes, &mut cursor, slot, cx);
        }
        assert!(cursor.reply <= cursor.write);
        outcome.reply = cursor.reply..cursor.write;
        outcome
    }

    /// What is spoken to.
    pub fn handler(&mut self) -> &mut Handler {
        &mut self.handler
    }

    /// As [`Self::handler`], to look at.
    pub fn handler_ref(&self) -> &Handler {
        &self.handler
    }

    /// True when the peer owes us the rest of a frame.
    pub fn in_frame(&self) -> bool {
        self.partial.length > 0 || self.decoder.in_frame()
    }

    /// How many bytes the message in progress wants next, at the least; 0 between messages. Of a
    /// frame whose head has arrived that is its rest, so nothing behind the message is read.
    pub fn wanted(&self) -> usize {
        if self.decoder.in_frame() {
            return usize::try_from(self.decoder.left()).unwrap_or(usize::MAX);
        }
        if self.decoder.is_between_messages() && self.partial.length == 0 {
            return 0;
        }
        self.partial.wanted()
    }

    /// True when our Close has been asked for.
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.closing != Closing::No
    }

    /// True when our Close is out and nothing but the peer's counts.
    #[inline]
    pub fn has_closed(&self) -> bool {
        matches!(self.closing, Closing::Sent | Closing::SentExpired)
    }

    /// The one answer to where a frame of ours may stand.
    pub(super) fn boundary(&self) -> Boundary {
        match self.reply {
            Reply::Streamed => Boundary::Nowhere,
            Reply::None | Reply::Held => self.handler.boundary(),
        }
    }

    /// Limits of the decoder.
    fn bounds(&self, cx: &Context) -> Bounds {
        match &self.handler {
            Handler::Member(member) => member.bounds(cx),
            Handler::Echo(_) | Handler::Script(_) => cx.bounds,
        }
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
        if self.partial.length > 0 {
            assert_eq!(span.start, READ_AT, "a head in parts has no request before it");
            read = self.partial.lay_before(bytes);
            reply = read;
            write = read;
        } else if self.reply == Reply::Held && self.decoder.left() <= span.len() as u64 {
            assert_eq!(span.start, READ_AT, "a held reply has no request before it");
            reply -= slot.as_ref().map_or(0, |queue| queue.held().len());
            cx.queues.take_held(slot, &mut bytes[reply..READ_AT]);
        }
        if !self.decoder.in_frame() {
            // The client's head has a masking key that ours has not, so the first reply ends where
            // its payload ends, and nothing of it moves.
            reply += MASKING_KEY_BYTES;
            write += MASKING_KEY_BYTES;
        }
        Cursor { reply, frame: reply, began: false, write, read, end: span.end }
    }
}

impl PartialHead {
    #[inline]
    fn keep(&mut self, rest: &[u8]) {
        self.length = u8::try_from(rest.len()).unwrap_or(0);
        if !rest.is_empty() {
            self.bytes[..rest.len()].copy_from_slice(rest);
        }
    }

    /// Lays the bytes in front of [`READ_AT`]; returns where they begin.
    fn lay_before(&mut self, bytes: &mut [u8]) -> usize {
        let length = usize::from(std::mem::take(&mut self.length));
        bytes[READ_AT - length..READ_AT].copy_from_slice(&self.bytes[..length]);
        READ_AT - length
    }

    /// Bytes that are missing of the head, as far as its beginning tells.
    fn wanted(&self) -> usize {
        let length = usize::from(self.length);
        let whole = match self.bytes[1] & 0x7F {
            _ if length < 2 => 2,
            127 => FRAME_HEAD_BYTES_MAX,
            126 => FRAME_HEAD_BYTES_MAX - 6,
            _ => 2 + MASKING_KEY_BYTES,
        };
        whole.saturating_sub(length).max(1)
    }
}
