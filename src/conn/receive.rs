//! What arrives on a connection, and how much of it may.

use std::ops::Range;

use super::handler::Handler;
use super::read_buffer::{READ_AT, ReadBuffer};
use super::session::{Outcome, Verdict};
use super::{Cause, Connection, Context, Need, Phase, Received, Reply, exchange, handshake};
use crate::limits::{
    HEAD_BYTES_MAX, INFLATE_READ_BYTES, MEMBER_READ_BYTES, READ_BYTES_MAX, READ_BYTES_MIN,
};

impl Connection {
    /// The most that a read may bring now: no more than can be kept should the socket refuse all
    /// of the reply. `others_wait` says that some stand in line for room.
    #[inline]
    pub fn read_limit(&self, others_wait: bool, cx: &Context) -> Result<usize, Need> {
        let session = match &self.phase {
            Phase::Open(session) if !session.has_closed() => session,
            // What is kept of a request stands in the reserve, which nobody else uses.
            Phase::Head(_) => return Ok(HEAD_BYTES_MAX + 1),
            Phase::Exchange(exchange) if !exchange.is_discarding() => {
                let limit = if others_wait { None } else { cx.budget.read_limit() };
                let most = if exchange.is_echo() { READ_BYTES_MAX } else { MEMBER_READ_BYTES };
                return limit.map(|limit| limit.min(most)).ok_or(Need::Room);
            }
            // What is thrown away needs no room.
            _ => return Ok(READ_BYTES_MAX),
        };
        let limit = cx.budget.read_limit().filter(|_| !others_wait);
        match session.handler_ref() {
            Handler::Echo(None) => limit.ok_or(Need::Room),
            handler => read_limit_of(handler, limit, cx),
        }
    }

    /// How much may be read although the peer does not take its replies: clients that send the
    /// whole of their message before they read any of its echo would wait for ever otherwise. No
    /// more than that message, while its connection keeps no more than it leaves free.
    pub fn finishing(&self, cx: &Context) -> Option<usize> {
        let (kept, wanted) = match &self.phase {
            Phase::Open(session) if !session.is_closing() => {
                (session.handler_ref().charged(), session.wanted())
            }
            Phase::Exchange(exchange) => (exchange.charged(), exchange.wanted()),
            _ => return None,
        };
        let queue = self.queue.as_ref().filter(|queue| queue.is_stuck())?;
        let left = cx.budget.share_left(queue.charged() + kept);
        // A read is kept once by the script that answers it and once on its way out.
        let limit = (left / 2).min(wanted).min(READ_BYTES_MAX);
        (limit > 0 && left >= READ_BYTES_MIN).then_some(limit)
    }

    /// True when what arrives counts for the rates of the connection.
    pub fn is_metered(&self) -> bool {
        match &self.phase {
            Phase::Open(session) => !session.has_closed(),
            Phase::Exchange(_) => true,
            _ => false,
        }
    }

    /// Bytes that complete what is wanted next of a message in progress; 0 between messages.
    pub fn wanted(&self) -> usize {
        match &self.phase {
            Phase::Open(session) => session.wanted(),
            // The bytes of a body are no messages.
            Phase::Exchange(_) => usize::MAX,
            _ => 0,
        }
    }

    /// True when what arrives is thrown away, for which there is always room.
    #[inline]
    pub fn is_discarding(&self) -> bool {
        match &self.phase {
            Phase::Open(session) => session.has_closed(),
            Phase::Exchange(exchange) => exchange.is_discarding(),
            phase => matches!(phase, Phase::Closing { .. }),
        }
    }

    /// True when bytes wait that were read but not processed.
    #[inline]
    pub fn has_unprocessed(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.unprocessed().is_empty())
    }

    fn unprocessed(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.unprocessed().len())
    }

    /// Whether the unprocessed bytes may be looked at now.
    pub fn may_resume(&self, cx: &Context) -> Result<(), Need> {
        match &self.phase {
            Phase::Open(session) if !session.has_closed() => match session.handler_ref() {
                Handler::Echo(Some(deflate)) if deflate.waits() && !cx.inflaters.may_lend() => {
                    Err(Need::Inflater)
                }
                Handler::Member(_) if cx.effects.turn_is_used_up() => Err(Need::Room),
                // What it has put aside makes room for what comes of it.
                Handler::Member(_) if cx.budget.free() + self.unprocessed() < READ_BYTES_MIN => {
                    Err(Need::Room)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Lays the unprocessed bytes into the buffer, to be received, and returns where they end.
    pub fn resume(&mut self, buffer: &mut ReadBuffer, cx: &mut Context) -> Range<usize> {
        let count = cx.queues.take_unprocessed(&mut self.queue, buffer.window(READ_BYTES_MAX));
        READ_AT..READ_AT + count
    }

    /// Takes the bytes `buffer[span]` that the peer sent.
    #[inline]
    pub fn receive(
        &mut self,
        buffer: &mut ReadBuffer,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Received {
        self.pinged = false;
        let end = span.end;
        let Phase::Open(session) = &mut self.phase else {
            return self.receive_unopened(buffer, span, cx);
        };
        if session.handler_ref().is_echo() {
            let outcome = session.receive(buffer, span, &mut self.queue, cx);
            return self.account(outcome, end, cx);
        }
        if session.handler_ref().is_new() {
            // The 101 has been given to the socket, or waits in front of all else.
            session.handler().begin(cx);
        }
        let reads_on = self.queue.as_ref().is_some_and(|queue| queue.is_stuck());
        if let Handler::Script(script) = session.handler() {
            script.hear(reads_on);
        }
        let outcome = session.receive(buffer, span, &mut self.queue, cx);
        let received = self.account(outcome, end, cx);
        self.speak(cx);
        received
    }

    fn receive_unopened(
        &mut self,
        buffer: &mut ReadBuffer,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Received {
        let end = span.end;
        let nothing = Received { reply: Reply::Buffer(end..end), rest: end..end };
        let handshake = match &mut self.phase {
            Phase::Head(handshake) => handshake,
            Phase::Exchange(exchange) => {
                let outcome = exchange.receive(buffer, span, cx);
                return self.go_on(outcome, end, cx);
            }
            Phase::Resetting { now } => {
                *now = true;
                return nothing;
            }
            // RFC 6455 §1.4: "After receiving a control frame indicating the connection should
            // be closed, a peer discards any further data received."
            _ => return nothing,
        };
        cx.scratch.clear();
        let outcome = handshake.receive(buffer, span, self.log.as_deref_mut(), cx);
        let behind = match outcome {
            handshake::Outcome::Partial => return nothing,
            handshake::Outcome::Answered(ending) => {
                self.end(Cause::Answered(ending), cx);
                end
            }
            handshake::Outcome::Opened { behind, handler } => {
                if let Some(log) = &mut self.log {
                    log.begin(cx.tracing, cx.scratch.len());
                    log.trace_received(buffer.part_of(behind..end));
                }
                self.open(handler, cx);
                behind
            }
            handshake::Outcome::Begun { behind, exchange } => {
                if let Some(log) = &mut self.log {
                    log.go_on();
                }
                self.begin(exchange, cx);
                behind
            }
        };
        Received { reply: Reply::Scratch, rest: behind..end }
    }

    /// What a part of a body came to.
    fn go_on(&mut self, outcome: exchange::Outcome, end: usize, cx: &mut Context) -> Received {
        let reply = match outcome {
            exchange::Outcome::Reply(reply) => Reply::Buffer(reply),
            exchange::Outcome::Answered(ending) => {
                self.end(Cause::Answered(ending), cx);
                Reply::Scratch
            }
            exchange::Outcome::Dropped(fault) => {
                self.end(Cause::BodyDropped(fault), cx);
                Reply::Buffer(end..end)
            }
        };
        Received { reply, rest: end..end }
    }

    #[inline]
    fn account(&mut self, outcome: Outcome, end: usize, cx: &mut Context) -> Received {
        cx.metrics.frames += u64::from(outcome.frames);
        cx.metrics.messages += u64::from(outcome.messages);
        if let Some(log) = &mut self.log {
            log.frames += u64::from(outcome.frames);
            log.messages += u64::from(outcome.messages);
        }
        match outcome.verdict {
            Verdict::Continue => {}
            Verdict::PeerClosed(code) => self.end(Cause::PeerClosed(code), cx),
            Verdict::Fault(fault) => self.end(Cause::Fault(fault), cx),
            Verdict::Dropped(fault) => self.end(Cause::Dropped(fault), cx),
        }
        Received { reply: Reply::Buffer(outcome.reply), rest: end..end }
    }
}

/// What a read may bring to a handler that is more than a plain echo, of what there is room for.
#[inline(never)]
fn read_limit_of(handler: &Handler, limit: Option<usize>, cx: &Context) -> Result<usize, Need> {
    match handler {
        Handler::Echo(None) => limit.ok_or(Need::Room),
        // What does not get inflated in a turn has to be kept: smaller bites, and the smallest if
        // it is to wait for an inflater. That leaves half of the budget to those who do not.
        Handler::Echo(Some(deflate)) => {
            let may_inflate = deflate.has_inflater() || cx.inflaters.may_lend();
            if !may_inflate && cx.budget.half_left() < READ_BYTES_MIN {
                return Err(Need::Inflater);
            }
            let most = if may_inflate { INFLATE_READ_BYTES } else { READ_BYTES_MIN };
            limit.map(|limit| limit.min(most)).ok_or(Need::Room)
        }
        Handler::Member(_) if cx.effects.turn_is_used_up() => Err(Need::Room),
        // What it has others sent has to be kept as well.
        Handler::Member(_) => limit.map(|limit| limit.min(MEMBER_READ_BYTES)).ok_or(Need::Room),
        // What it keeps has a limit of its own, beyond which it ends: a message that can be
        // answered piece by piece must not come to that because it was read at once.
        Handler::Script(script) => {
            let limit = limit.unwrap_or(READ_BYTES_MIN);
            Ok(limit.min(script.read_limit().max(READ_BYTES_MIN)))
        }
    }
}
