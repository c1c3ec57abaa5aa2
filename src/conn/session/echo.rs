//! What only an exact echo does: the loop over whole messages, and compressed messages (RFC 7692).
//!
//! What the client compressed is a valid compressed message for the client itself, so its frames
//! pass like any other. They are only inflated, to be validated and counted, and what comes out is
//! thrown away.

use super::frames::NextPiece;
use super::{Cursor, Outcome, Session};
use crate::conn::Context;
use crate::conn::handler::Handler;
use crate::conn::inflaters::Inflated;
use crate::limits::INFLATE_SLICE_BYTES;
use crate::ws::Fault;
use crate::ws::decoder::{Bounds, WholeMessage};
use crate::ws::head::{First, Opcode, write_server_head};
use crate::ws::mask::{rotate, unmask};
use crate::ws::utf8;

impl Session {
    /// Inflates and validates the next piece, if it is compressed. `None` if it is not, and then
    /// nothing has happened.
    ///
    /// A piece is as long as the share of the turn allows. What is left of its bytes is masked
    /// again, so that it can be put aside as it came.
    pub(super) fn compressed_piece(
        &mut self,
        bytes: &mut [u8],
        cursor: &Cursor,
        bounds: &Bounds,
        cx: &mut Context,
    ) -> Result<Option<NextPiece>, Fault> {
        let Handler::Echo(Some(deflate)) = &mut self.handler else { return Ok(None) };
        let end = cursor.end.min(cursor.read.saturating_add(INFLATE_SLICE_BYTES));
        let mut ahead = self.decoder.clone();
        let Some(piece) = ahead.step(&bytes[..end], cursor.read, bounds)? else {
            return Ok(None);
        };
        if !piece.compressed {
            return Ok(None);
        }
        if !deflate.may_inflate(piece.payload.len(), cx) {
            return Ok(Some(NextPiece::Wait));
        }
        let payload = piece.payload.clone();
        unmask(bytes, payload.clone(), payload.start, piece.key);
        let last = piece.ends_message();
        let limit = bounds.message_bytes;
        let Inflated { consumed } =
            deflate.inflate(&bytes[payload.clone()], last, limit, cx, |plain| {
                if piece.text { ahead.check_text(plain, true, false) } else { Ok(()) }
            })?;
        if consumed == payload.len() {
            if piece.text {
                ahead.check_text(&[], false, last)?;
            }
            self.decoder = ahead;
            return Ok(Some(NextPiece::Piece(piece)));
        }
        let rest = payload.start + consumed..payload.end;
        unmask(bytes, rest.clone(), rest.start, rotate(piece.key, consumed));
        let part = self.decoder.step(&bytes[..rest.start], cursor.read, bounds)?;
        self.decoder.adopt_text_state(&ahead);
        Ok(Some(part.map_or(NextPiece::Wait, NextPiece::Piece)))
    }
}

/// Echoes the whole messages that come next. This is the loop that most bytes go through, so it
/// keeps its cursors in registers and leaves everything else to [`Session::frames`].
#[inline]
pub(super) fn whole_messages(
    bytes: &mut [u8],
    cursor: &mut Cursor,
    bounds: &Bounds,
    outcome: &mut Outcome,
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
    outcome.frames += count;
    outcome.messages += count;
    cursor.read = read;
    cursor.write = write;
    cursor.frame = write;
    if valid { Ok(()) } else { Err(Fault::Utf8) }
}
