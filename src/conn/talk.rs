//! An open connection that is not an exact echo: frames in, and whatever its party says to them.
//!
//! Replies are not built in place. They stand in the outbox, where messages from others join
//! them, so there is one order that the peer sees.

mod frames;
mod member;
mod scripted;

use std::ops::Range;
use std::time::Duration;

use super::Context;
use super::area::Area;
use super::open::{Turned, Verdict};
use super::outbox::Slot;
use crate::ending::Ending;
use crate::limits::SCRIPT_BYTES_SOFT;
use crate::service::behaviour::Step;
use crate::ws::close::{self, CloseCode, FRAME_BYTES_MAX};
use crate::ws::decoder::{Bounds, Decoder};
pub use member::Member;
pub use scripted::Scripted;

/// State of such a connection between two reads.
#[derive(Debug)]
pub struct Talk {
    decoder: Decoder,
    bounds: Bounds,
    /// The start of a frame head whose end has not arrived.
    carry: Vec<u8>,
    /// The payload, so far, of a Ping or Close.
    control: Vec<u8>,
    /// The party has been told that the connection is open.
    begun: bool,
    /// Our Close is out; only the peer's is waited for.
    leaving: bool,
    /// It was not an answer to the peer's.
    left_first: bool,
    /// Bytes that the party keeps, as the store has counted them.
    kept: usize,
    party: Party,
}

/// Who is spoken to.
#[derive(Debug)]
pub enum Party {
    /// A service.
    Member(Member),
    /// An echo that behaves in some way.
    Scripted(Scripted),
}

/// What a talk wants to become of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It goes on.
    Stay,
    /// It ends behind what has been said.
    Close(Ending),
    /// It ends with a reset.
    Reset,
}

impl Talk {
    /// A connection whose 101 has been composed.
    pub fn new(party: Party, cx: &Context) -> Self {
        let most = match &party {
            Party::Member(member) => member.message_bytes_max(cx),
            Party::Scripted(_) => u64::MAX,
        };
        let message_bytes = most.min(cx.bounds.message_bytes);
        Self {
            decoder: Decoder::new(false),
            bounds: Bounds { message_bytes, ..cx.bounds },
            carry: Vec::new(),
            control: Vec::new(),
            begun: false,
            leaving: false,
            left_first: false,
            kept: 0,
            party,
        }
    }

    /// True until [`Self::begin`], for which the 101 has to be out.
    pub fn is_new(&self) -> bool {
        !self.begun
    }

    /// Tells the party that the connection is open.
    pub fn begin(&mut self, cx: &mut Context) {
        self.begun = true;
        match &mut self.party {
            Party::Member(member) => member.open(cx),
            Party::Scripted(scripted) => scripted.open(cx),
        }
    }

    /// Says what has fallen due, and asks to be woken for what has not.
    pub fn speak(&mut self, slot: &mut Slot, cx: &mut Context) -> Wish {
        let wish = self.say(slot, cx);
        self.count_kept(cx);
        wish
    }

    fn say(&mut self, slot: &mut Slot, cx: &mut Context) -> Wish {
        let Party::Scripted(scripted) = &mut self.party else { return Wish::Stay };
        let has_room =
            |slot: &Slot| slot.as_ref().is_none_or(|o| o.unsent().len() < SCRIPT_BYTES_SOFT);
        while !self.leaving && has_room(slot) {
            match scripted.next(cx) {
                None => {
                    scripted.ask_to_be_woken(cx);
                    return Wish::Stay;
                }
                Some(Step::Send(bytes)) => cx.store.keep(slot, &bytes),
                Some(Step::Close(code, reason)) => {
                    self.say_close(code, &reason, slot, cx);
                    return Wish::Close(Ending::Scripted);
                }
                Some(Step::Finish) => return Wish::Close(Ending::Scripted),
                Some(Step::Reset) => return Wish::Reset,
            }
        }
        scripted.pause();
        Wish::Stay
    }

    /// Bytes that the party keeps for later: replies, or a message that is not whole.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// False if the party keeps more than before, and there is no room for that.
    fn count_kept(&mut self, cx: &mut Context) -> bool {
        let kept = match &self.party {
            Party::Member(member) => member.kept(),
            Party::Scripted(scripted) => scripted.queued(),
        };
        cx.store.count_kept(&mut self.kept, kept)
    }

    /// True when what was due was more than the outbox should take at once.
    pub fn has_paused(&self) -> bool {
        match &self.party {
            Party::Scripted(scripted) => scripted.has_paused() && !self.leaving,
            Party::Member(_) => false,
        }
    }

    /// True when so much is queued that no more should be read.
    pub fn is_full(&self) -> bool {
        match &self.party {
            Party::Scripted(scripted) => scripted.queued() >= SCRIPT_BYTES_SOFT && !self.leaving,
            Party::Member(_) => false,
        }
    }

    /// The time that was asked for has come.
    pub fn wake(&mut self, at: Duration) {
        if let Party::Scripted(scripted) = &mut self.party {
            scripted.wake(at);
        }
    }

    /// Takes the bytes `area[span]`. What is left of them when the party has had its share of the
    /// turn is parked.
    pub fn turn(
        &mut self,
        area: &mut Area,
        span: Range<usize>,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> Turned {
        let end = span.end;
        let mut turned =
            Turned { reply: end..end, verdict: Verdict::Continue, frames: 0, messages: 0 };
        let bytes = area.bytes();
        if self.is_new() {
            cx.store.park(slot, &bytes[span]);
            return turned;
        }
        let start = self.lay_in(bytes, span.start);
        turned.verdict = match self.frames(bytes, start..end, slot, cx, &mut turned) {
            Ok(verdict) => verdict,
            Err(_) if self.leaving => Verdict::PeerClosed(None),
            Err(fault) => match self.say_close(fault.close_code(), fault.reason(), slot, cx) {
                true => Verdict::Fault(fault),
                false => Verdict::Dropped(fault),
            },
        };
        turned
    }

    /// Says Close; nothing of ours follows it (RFC 6455 §5.5.1). False if the frame that is on its
    /// way out cannot be completed, so that no other can stand behind it.
    pub fn say_close(
        &mut self,
        code: CloseCode,
        reason: &str,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> bool {
        self.left_first |= !self.leaving;
        self.leave(Some((code, reason)), slot, cx)
    }

    /// True when our Close was the first.
    pub fn left_first(&self) -> bool {
        self.left_first
    }

    /// Says the last thing; see [`Self::say_close`].
    fn leave(
        &mut self,
        content: Option<(CloseCode, &str)>,
        slot: &mut Slot,
        cx: &mut Context,
    ) -> bool {
        if std::mem::replace(&mut self.leaving, true) {
            return true;
        }
        if let Party::Scripted(scripted) = &mut self.party {
            let Some(rest) = scripted.hasten() else { return false };
            cx.store.keep(slot, &rest);
        }
        let mut frame = [0; FRAME_BYTES_MAX];
        let length = close::write(&mut frame, content);
        cx.store.keep(slot, &frame[..length]);
        true
    }

    /// True when the peer owes us the rest of a frame.
    pub fn in_frame(&self) -> bool {
        !self.carry.is_empty() || self.decoder.in_frame()
    }

    /// True when our Close is out.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// The connection is over, or will be within moments.
    pub fn part(&mut self, cx: &mut Context) {
        cx.store.count_kept(&mut self.kept, 0);
        if let (true, Party::Member(member)) = (self.begun, &mut self.party) {
            member.close(cx);
        }
    }
}
