//! Compressed messages (RFC 7692): echoed as they came, and inflated to be sure of them.
//!
//! What the client compressed is a valid compressed message for the client itself, so the frames
//! pass like any other. The inflated bytes are validated, counted and thrown away.

use super::{Cursor, Open};
use crate::conn::{Context, Shortage};
use crate::limits::{INFLATE_READ_BYTES, INFLATE_SLICE_BYTES_MIN, READ_BYTES_MIN};
use crate::ws::Fault;
use crate::ws::decoder::Piece;

/// Compressed bytes to inflate between two looks at the effort. It grows as long as the data does
/// not expand much, so that ordinary messages pay for few looks and a bomb cannot hold the loop.
pub(super) struct Slice {
    bytes: usize,
    effort: usize,
}

impl Slice {
    pub(super) fn new() -> Self {
        Self { bytes: INFLATE_SLICE_BYTES_MIN, effort: 0 }
    }

    /// Where the bytes to decode next end.
    pub(super) fn end(&self, cursor: &Cursor) -> usize {
        cursor.end.min(cursor.read + self.bytes)
    }

    /// The slice is too short for what stands here, a frame head.
    pub(super) fn grow(&mut self) {
        self.bytes = (2 * self.bytes).min(INFLATE_READ_BYTES);
    }

    /// Takes note of the effort that the last slice cost.
    pub(super) fn adapt(&mut self, effort: usize) {
        const EFFORT_PER_BYTE_USUAL: usize = 64;
        let spent = effort - self.effort;
        self.effort = effort;
        if spent <= EFFORT_PER_BYTE_USUAL * self.bytes {
            self.grow();
        } else {
            self.bytes = INFLATE_SLICE_BYTES_MIN;
        }
    }
}

impl Open {
    /// How much of `grant` a read may take. What does not get inflated in a turn has to be kept,
    /// so that compressed connections are read in smaller bites.
    ///
    /// Who holds an inflater reads whatever there is room for: others may wait for its end.
    #[inline]
    pub fn appetite(&self, grant: Option<usize>, cx: &Context) -> Result<usize, Shortage> {
        let Some(deflated) = &self.deflated else { return grant.ok_or(Shortage::Buffers) };
        if deflated.holds_lease() {
            return Ok(grant.map_or(READ_BYTES_MIN, |grant| grant.min(INFLATE_READ_BYTES)));
        }
        self.may_resume(cx)?;
        grant.map(|grant| grant.min(INFLATE_READ_BYTES)).ok_or(Shortage::Buffers)
    }

    /// Whether there is what the next bytes may need, wherever they come from.
    #[inline]
    pub fn may_resume(&self, cx: &Context) -> Result<(), Shortage> {
        match &self.deflated {
            Some(deflated) if deflated.may_borrow() && !cx.inflaters.has_free() => {
                Err(Shortage::Inflaters)
            }
            _ => Ok(()),
        }
    }

    /// Inflates `plain`, the unmasked payload of a piece of a compressed message, and validates
    /// what comes out.
    pub(super) fn validate(
        &mut self,
        plain: &[u8],
        piece: &Piece,
        cx: &mut Context,
    ) -> Result<(), Fault> {
        let Self { decoder, deflated: Some(deflated), .. } = self else { return Ok(()) };
        let Context { inflaters, metrics, bounds, .. } = cx;
        let last = piece.ends_message();
        let limit = bounds.message_bytes;
        deflated.inflate(plain, last, limit, inflaters, metrics, |inflated| {
            if piece.text { decoder.check_text(inflated, true, false) } else { Ok(()) }
        })?;
        if piece.text { decoder.check_text(&[], false, last) } else { Ok(()) }
    }
}
