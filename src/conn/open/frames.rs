//! The frames of a read, one piece after the other.

use log::trace;

use super::closing::close;
use super::deflated::Slice;
use super::{Cursor, Midway, Open, Turned, Verdict};
use crate::conn::Context;
use crate::conn::outbox::Slot;
use crate::limits::FRAME_HEAD_BYTES_MAX;
use crate::ws::Fault;
use crate::ws::decoder::{Bounds, Piece, WholeMessage};
use crate::ws::head::{First, Opcode, write_server_head};
use crate::ws::mask::unmask;
use crate::ws::utf8;

impl Open {
    /// Answers what lies between `cursor.read` and `cursor.end`.
    pub(super) fn frames(
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
            if let Some(verdict) = self.piece(bytes, cursor, &piece, cx)? {
                turned.frames += 1; // the Close
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
        cx: &mut Context,
    ) -> Result<Option<Verdict>, Fault> {
        cursor.began |= piece.starts;
        if cx.tracing && piece.starts {
            trace!("{:?}, {} bytes", piece.first, piece.length);
        }
        match piece.first.opcode {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                self.echo(bytes, cursor, piece, piece.first, cx)?;
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
        if piece.first.opcode == Opcode::Pong {
            return;
        }
        if cursor.began {
            let checked = piece.text || piece.compressed;
            let whole = checked && cx.store.may_hold(piece.length);
            let held = whole || piece.first.opcode.is_control();
            self.midway = if held { Midway::Held } else { Midway::Streamed };
        }
        if self.midway == Midway::Held {
            let total = usize::try_from(piece.length).unwrap_or(0) + FRAME_HEAD_BYTES_MAX;
            cx.store.hold(slot, &bytes[cursor.frame..cursor.write], total);
            cursor.write = cursor.frame;
        }
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
