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

mod deflated;

use std::ops::Range;

use log::trace;

use super::Context;
use super::area::{Area, READ_AT};
use super::diary::escape;
use super::inflaters::Deflated;
use super::outbox::Slot;
use crate::limits::FRAME_HEAD_BYTES_MAX;
use crate::ws::Fault;
use crate::ws::close::{self, CloseCode};
use crate::ws::decoder::{Bounds, Decoder, Piece, WholeMessage};
use crate::ws::deflate::Agreement;
use crate::ws::head::{First, Opcode, write_server_head};
use crate::ws::mask::unmask;
use crate::ws::utf8;
use deflated::Slice;

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
    /// A message is being answered uncompressed, and its first frame is out.
    expanding: bool,
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

/// Positions in the area during one read. Invariant: `reply <= frame <= write <= read`.
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
            expanding: false,
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

    /// True when the peer owes us the rest of a frame.
    pub fn in_frame(&self) -> bool {
        self.carried > 0 || self.decoder.in_frame()
    }

    /// True when our Close has been asked for.
    pub fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
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
        let exposed = self.midway == Midway::Streamed;
        Cursor { reply, frame: reply, began: false, exposed, write, read, end: span.end }
    }

    fn frames(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        slot: &mut Slot,
        cx: &mut Context,
        turned: &mut Turned,
    ) -> Result<Verdict, Fault> {
        let bounds = cx.bounds;
        let mut slice = self.deflated.is_some().then(Slice::new);
        cx.inflaters.begin_turn();
        loop {
            if self.decoder.is_between_messages() && !cx.tracing {
                whole_messages(bytes, cursor, &bounds, turned)?;
            }
            let end = slice.as_ref().map_or(cursor.end, |slice| slice.end(cursor));
            let Some(piece) = self.decoder.step(&bytes[..end], cursor.read, &bounds)? else {
                match &mut slice {
                    Some(slice) if end < cursor.end => slice.grow(),
                    _ => break,
                }
                continue;
            };
            cursor.read = piece.payload.end;
            if let Some(verdict) = self.piece(bytes, cursor, &piece, slot, cx)? {
                return Ok(verdict);
            }
            if let Some(slice) = &mut slice {
                slice.adapt(cx.inflaters.effort());
                if cx.inflaters.is_exhausted() {
                    cx.store.park(slot, &bytes[cursor.read..cursor.end]);
                    cursor.end = cursor.read;
                }
            }
            if piece.ends {
                self.complete(cursor, &piece, turned);
            } else if cursor.read == cursor.end {
                self.pause(bytes, cursor, &piece, slot, cx);
            }
        }
        Ok(Verdict::Continue)
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
        if cx.tracing && piece.starts {
            trace!("{:?}, {} bytes", piece.first, piece.length);
        }
        match piece.first.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                if piece.compressed && self.expands() {
                    self.expand(bytes, cursor, piece, slot, cx)?;
                } else {
                    self.echo(bytes, cursor, piece, piece.first, cx)?;
                }
            }
            Opcode::Ping => {
                let pong = First { opcode: Opcode::Pong, ..piece.first };
                self.echo(bytes, cursor, piece, pong, cx)?;
                cx.metrics.pings_received += u64::from(piece.ends);
            }
            Opcode::Pong => {}
            Opcode::Close => return close(bytes, cursor, piece, cx),
        }
        Ok(None)
    }

    fn complete(&mut self, cursor: &mut Cursor, piece: &Piece, turned: &mut Turned) {
        turned.frames += 1;
        turned.messages += u32::from(piece.ends_message());
        cursor.frame = cursor.write;
        cursor.began = false;
        cursor.exposed = false;
        self.midway = Midway::Nothing;
    }

    /// Unmasks a piece behind the replies so far, with a head before it if it starts its frame.
    #[inline]
    fn echo(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        piece: &Piece,
        first: First,
        cx: &mut Context,
    ) -> Result<(), Fault> {
        if piece.starts {
            cursor.write += write_server_head(&mut bytes[cursor.write..], first, piece.length);
        }
        let from = cursor.write;
        let beyond_ascii = unmask(bytes, piece.payload.clone(), from, piece.key);
        cursor.write += piece.payload.len();
        let plain = &bytes[from..cursor.write];
        if piece.compressed {
            self.validate(plain, piece, cx)?;
        } else if piece.text {
            self.decoder.check_text(plain, beyond_ascii, piece.ends_message())?;
        }
        Ok(())
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
        if piece.first.opcode == Opcode::Pong || piece.compressed && self.expands() {
            return;
        }
        if cursor.began {
            let checked = piece.text || piece.compressed;
            let whole = checked && piece.length <= cx.store.commit_limit();
            let held = whole || piece.first.opcode.is_control();
            self.midway = if held { Midway::Held } else { Midway::Streamed };
        }
        if self.midway == Midway::Held {
            let total = usize::try_from(piece.length).unwrap_or(0) + FRAME_HEAD_BYTES_MAX;
            cx.store.hold(slot, &bytes[cursor.frame..cursor.write], total);
            cursor.write = cursor.frame;
        }
    }

    /// Reads on for nothing but the peer's answer to our Close (RFC 6455 §7.1.2). A fault is as
    /// good as an answer: the peer's words are over, and ours were when our Close went out.
    fn await_close(&mut self, bytes: &[u8], cursor: &mut Cursor, cx: &Context) -> Verdict {
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
    fn leave(&mut self, out: &mut [u8], slot: &mut Slot, cx: &mut Context) -> usize {
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

    fn carry_over(&mut self, rest: &[u8]) {
        self.carry[..rest.len()].copy_from_slice(rest);
        self.carried = u8::try_from(rest.len()).unwrap_or(0);
    }
}

/// Echoes the whole messages that come next. This is the loop that most bytes go through, so it
/// keeps its cursors in registers and leaves everything else to [`Open::frames`].
#[inline]
fn whole_messages(
    bytes: &mut [u8],
    cursor: &mut Cursor,
    bounds: &Bounds,
    turned: &mut Turned,
) -> Result<(), Fault> {
    let Cursor { mut read, mut write, end, .. } = *cursor;
    let mut count = 0;
    let mut valid = true;
    while let Some(message) = WholeMessage::parse(&bytes[..end], read, bounds) {
        let WholeMessage { text, payload, key } = message;
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let length = payload.len();
        let head = &mut bytes[write..];
        let from = write
            + write_server_head(
                head,
                First { fin: true, compressed: false, opcode },
                length as u64,
            );
        read = payload.end;
        let beyond_ascii = unmask(bytes, payload, from, key);
        if text && beyond_ascii && !utf8::is_valid(&bytes[from..from + length]) {
            valid = false;
            break;
        }
        write = from + length;
        count += 1;
    }
    turned.frames += count;
    turned.messages += count;
    cursor.read = read;
    cursor.write = write;
    cursor.frame = write;
    if valid { Ok(()) } else { Err(Fault::Utf8) }
}

/// The peer's Close: once it is whole, answers with its code. A reason is not sent back.
fn close(
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
fn fail(bytes: &mut [u8], cursor: &mut Cursor, fault: Fault) -> Verdict {
    cursor.write = cursor.frame;
    if cursor.exposed {
        return Verdict::Dropped(fault);
    }
    let content = (fault.close_code(), fault.reason());
    cursor.write += close::write(&mut bytes[cursor.write..], Some(content));
    Verdict::Fault(fault)
}
