//! What arrives on a connection, and how much of it may.

use std::ops::Range;

use super::area::{Area, READ_AT};
use super::open::{Open, Turned, Verdict};
use super::{Connection, Context, Phase, Received, Reply, Shortage, opening};
use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};

impl Connection {
    /// The most that a read may bring now: no more than can be stored should the socket refuse all
    /// of the reply.
    #[inline]
    pub fn appetite(&self, cx: &Context) -> Result<usize, Shortage> {
        let grant = cx.store.read_grant();
        match &self.phase {
            Phase::Open(open) if !open.has_left() => open.appetite(grant, cx),
            Phase::Head(_) => grant.ok_or(Shortage::Buffers),
            // What is said to a talk goes elsewhere, and what waits for it has a limit of its own.
            // What is thrown away needs no room.
            _ => Ok(grant.unwrap_or(READ_BYTES_MIN)),
        }
    }

    /// True when what arrives is thrown away, for which there is always room.
    #[inline]
    pub fn is_discarding(&self) -> bool {
        match &self.phase {
            Phase::Open(open) => open.has_left(),
            phase => matches!(phase, Phase::Closing { .. }),
        }
    }

    /// True when bytes wait that were read but not looked at.
    #[inline]
    pub fn has_parked(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| !outbox.parked().is_empty())
    }

    /// Whether the parked bytes may be looked at now.
    pub fn may_resume(&self, cx: &Context) -> Result<(), Shortage> {
        if let Phase::Open(open) = &self.phase { open.may_resume(cx) } else { Ok(()) }
    }

    /// Lays the parked bytes into the area, to be received, and returns where they end.
    pub fn resume(&mut self, area: &mut Area, cx: &mut Context) -> Range<usize> {
        let count = cx.store.unpark(&mut self.outbox, area.window(READ_BYTES_MAX));
        READ_AT..READ_AT + count
    }

    /// Takes the bytes `area[span]` that the peer sent.
    #[inline]
    pub fn receive(&mut self, area: &mut Area, span: Range<usize>, cx: &mut Context) -> Received {
        self.pinged = false;
        let end = span.end;
        let Phase::Open(open) = &mut self.phase else {
            return self.receive_unopened(area, span, cx);
        };
        let turned = open.turn(area, span, &mut self.outbox, cx);
        self.account(turned, end, cx)
    }

    fn receive_unopened(
        &mut self,
        area: &mut Area,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Received {
        let end = span.end;
        let opening = match &mut self.phase {
            Phase::Head(opening) => opening,
            Phase::Talk(talk) => {
                let turned = talk.turn(area, span, &mut self.outbox, cx);
                let received = self.account(turned, end, cx);
                if !matches!(&self.phase, Phase::Talk(talk) if talk.is_new()) {
                    self.speak(cx);
                }
                return received;
            }
            // RFC 6455 §1.4: "After receiving a control frame indicating the connection should
            // be closed, a peer discards any further data received."
            _ => return Received { reply: Reply::Area(end..end), rest: end..end },
        };
        cx.scratch.clear();
        let outcome = opening.turn(area, span, self.diary.as_deref(), cx);
        let behind = match outcome {
            opening::Outcome::Partial => {
                return Received { reply: Reply::Area(end..end), rest: end..end };
            }
            opening::Outcome::Answered(ending) => {
                self.close(ending, cx);
                end
            }
            opening::Outcome::Opened { behind, agreement } => {
                self.phase = Phase::Open(Open::new(agreement));
                cx.metrics.opens += 1;
                behind
            }
            opening::Outcome::Joined { behind, talk } => {
                self.phase = Phase::Talk(talk);
                cx.metrics.opens += 1;
                behind
            }
        };
        Received { reply: Reply::Scratch, rest: behind..end }
    }

    #[inline]
    fn account(&mut self, turned: Turned, end: usize, cx: &mut Context) -> Received {
        cx.metrics.frames += u64::from(turned.frames);
        cx.metrics.messages += u64::from(turned.messages);
        if let Some(diary) = &mut self.diary {
            diary.frames += u64::from(turned.frames);
            diary.messages += u64::from(turned.messages);
        }
        if turned.verdict != Verdict::Continue {
            self.conclude(turned.verdict, cx);
        }
        Received { reply: Reply::Area(turned.reply), rest: end..end }
    }
}
