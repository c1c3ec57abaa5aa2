//! How connections end: one transition, with its cause.

use std::time::Duration;

use super::exchange::Exchange;
use super::handler::Handler;
use super::session::{Farewell, Session};
use super::{Connection, Context, Phase};
use crate::ending::Ending;
use crate::http::{BodyFault, write_refusal};
use crate::ws::Fault;
use crate::ws::close::CloseCode;

/// Why a connection comes to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The peer sent a Close, and ours is among the replies.
    PeerClosed(Option<CloseCode>),
    /// The peer finished its side of the stream.
    PeerFinished,
    /// The stream was cut off, without the end that TLS has for it.
    PeerTruncated,
    /// TLS failed, for this reason.
    TlsFailed(String),
    /// The peer broke a rule, and our Close is among the replies.
    Fault(Fault),
    /// The peer broke a rule where no Close can be sent.
    Dropped(Fault),
    /// A body is malformed, of which a part has been sent back.
    BodyDropped(BodyFault),
    /// The socket failed.
    SocketFailed,
    /// A plain request was answered, or refused.
    Answered(Ending),
    /// There are as many connections as there may be.
    TurnedAway,
    /// The reserve is short, and its socket does not take an answer that stands there.
    NoReserve,
    /// The request head did not arrive in time.
    NoRequest,
    /// No answer came to a ping.
    NoPong,
    /// A frame stopped in its middle.
    Stalled,
    /// A compressed message held an inflater for too long.
    HoldsInflater,
    /// The peer did not take its replies.
    Slow,
    /// There was no room, or no inflater, for what the peer said.
    Starved,
    /// A closing connection, or the drain, has run out of time.
    TimeIsUp,
    /// A service ends the connection.
    Dismissed(CloseCode, &'static str),
    /// A script sends Close.
    ScriptCloses(CloseCode, String),
    /// A script finishes the stream without a Close.
    ScriptFinishes,
    /// A script resets the connection.
    ScriptResets,
}

impl Cause {
    /// The Close that the cause has, where it is not among the replies already.
    pub(super) fn farewell(&self) -> Option<(CloseCode, &str)> {
        match self {
            Self::NoPong => Some((CloseCode::POLICY, "no pong")),
            Self::Stalled => Some((CloseCode::POLICY, "stalled frame")),
            Self::HoldsInflater => Some((CloseCode::POLICY, "compressed message takes too long")),
            Self::Starved => Some((CloseCode::TRY_AGAIN, "overloaded")),
            Self::Dismissed(code, reason) => Some((*code, reason)),
            Self::ScriptCloses(code, reason) => Some((*code, reason.as_str())),
            _ => None,
        }
    }
}

/// What is still done for a connection that comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// What is owed is sent, our side is shut, the peer's rest is thrown away.
    Orderly,
    /// The same; the peer has finished already.
    Finished,
    /// The socket is reset.
    Reset,
    /// Nothing.
    AtOnce,
}

impl Connection {
    /// The one way from any phase to the end. A connection that is ending already goes on as it
    /// was, unless its peer finishes, the socket fails or its time is up.
    pub fn end(&mut self, cause: Cause, cx: &mut Context) {
        match (&mut self.phase, &cause) {
            (Phase::Ended(_), _) => return,
            (
                Phase::Closing { ending, shut: true, .. },
                Cause::PeerFinished | Cause::PeerTruncated,
            )
            | (
                Phase::Closing { ending, .. },
                Cause::SocketFailed | Cause::TimeIsUp | Cause::Slow,
            ) => {
                let ending = *ending;
                return self.turn_into(Phase::Ended(ending), cx);
            }
            (Phase::Closing { peer_finished, .. }, Cause::PeerFinished | Cause::PeerTruncated) => {
                *peer_finished = true;
                return;
            }
            (Phase::Closing { .. }, Cause::NoReserve) => {}
            (Phase::Closing { .. }, _) => return,
            (Phase::Resetting { .. }, Cause::SocketFailed | Cause::TimeIsUp) => {
                return self.turn_into(Phase::Ended(Ending::Scripted), cx);
            }
            (Phase::Resetting { now }, _) => {
                *now = true;
                return;
            }
            (Phase::Head(_) | Phase::Open(_) | Phase::Exchange(_), _) => {}
        }
        self.note(&cause, cx);
        let (ending, manner) = self.judge(&cause);
        self.say_last(&cause, cx);
        let phase = match manner {
            Manner::Orderly => Phase::Closing { ending, shut: false, peer_finished: false },
            Manner::Finished => Phase::Closing { ending, shut: false, peer_finished: true },
            Manner::Reset => Phase::Resetting { now: self.has_heard_since_open() },
            Manner::AtOnce => Phase::Ended(ending),
        };
        self.turn_into(phase, cx);
    }

    /// The table: cause -> what the connection counts as, and what is still done for it.
    fn judge(&self, cause: &Cause) -> (Ending, Manner) {
        let farewell = || self.farewell().map(Farewell::ending);
        match cause {
            Cause::PeerClosed(_) => (farewell().unwrap_or(Ending::Closed), Manner::Orderly),
            Cause::PeerFinished | Cause::PeerTruncated => {
                (farewell().unwrap_or(Ending::Gone), Manner::Finished)
            }
            Cause::TlsFailed(_) => (Ending::Tls, Manner::Orderly),
            Cause::Fault(_) | Cause::Dismissed(..) => (Ending::Fault, Manner::Orderly),
            Cause::Dropped(_) | Cause::BodyDropped(_) => (Ending::Dropped, Manner::Orderly),
            Cause::SocketFailed => (Ending::Io, Manner::AtOnce),
            Cause::Answered(ending) => (*ending, Manner::Orderly),
            Cause::TurnedAway | Cause::Starved => (Ending::Shed, Manner::Orderly),
            Cause::NoReserve => (Ending::Shed, Manner::AtOnce),
            Cause::NoRequest => (Ending::Handshake, Manner::Orderly),
            Cause::NoPong => (Ending::Idle, Manner::Orderly),
            Cause::Stalled | Cause::HoldsInflater => (Ending::Stalled, Manner::Orderly),
            Cause::Slow => (Ending::Slow, Manner::AtOnce),
            Cause::TimeIsUp => (farewell().unwrap_or(Ending::Shutdown), Manner::AtOnce),
            Cause::ScriptCloses(..) | Cause::ScriptFinishes => (Ending::Scripted, Manner::Orderly),
            Cause::ScriptResets => (Ending::Scripted, Manner::Reset),
        }
    }

    /// A Close, where one may stand, or a refusal, where nothing has been answered.
    fn say_last(&mut self, cause: &Cause, cx: &mut Context) {
        if let Phase::Exchange(exchange) = &self.phase {
            let Some(refusal) = exchange.last_words(cause) else { return };
            cx.scratch.clear();
            write_refusal(&mut cx.scratch, refusal, false);
            cx.metrics.count_answer(refusal.status().label());
            cx.queues.push(&mut self.queue, &cx.scratch);
            return cx.scratch.clear();
        }
        let Phase::Open(session) = &mut self.phase else { return };
        if let Some((code, reason)) = cause.farewell() {
            session.say_close(code, reason, &mut self.queue, cx);
        }
    }

    /// Notes for the log.
    fn note(&mut self, cause: &Cause, cx: &mut Context) {
        if self.log.is_none() {
            return;
        }
        let farewell = self.farewell();
        if let Some(log) = &mut self.log {
            log.note_end(cause, farewell, std::mem::take(&mut cx.reason));
        }
    }

    fn farewell(&self) -> Option<Farewell> {
        match &self.phase {
            Phase::Open(session) => session.farewell(),
            _ => None,
        }
    }

    /// Our sending side has been shut down.
    pub fn has_shut(&mut self) {
        if let Phase::Closing { ending, shut, peer_finished } = &mut self.phase {
            *shut = true;
            if *peer_finished {
                self.phase = Phase::Ended(*ending);
            }
        }
    }

    /// The server shuts down: Close 1001 to open connections, an end to the others.
    pub fn shut_down(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::Head(_) => self.end(Cause::Answered(Ending::Shutdown), cx),
            Phase::Open(session) => {
                session.start_closing(Farewell::Shutdown, &mut self.queue, cx);
            }
            Phase::Exchange(exchange) => {
                exchange.say_goodbye(Ending::Shutdown, &mut self.queue, cx);
            }
            Phase::Closing { .. } | Phase::Resetting { .. } | Phase::Ended(_) => {}
        }
    }

    /// The connection has lasted as long as one may: Close 1012, as soon as it may stand, or the
    /// end of a stream. False if it is not open yet: the request has a time of its own.
    pub fn expire_life(&mut self, cx: &mut Context) -> bool {
        match &mut self.phase {
            Phase::Head(_) => return false,
            Phase::Open(session) => {
                session.start_closing(Farewell::Expired, &mut self.queue, cx);
            }
            Phase::Exchange(exchange) if exchange.is_stream() => {
                exchange.say_goodbye(Ending::Expired, &mut self.queue, cx);
            }
            // A poll is answered, as one in vain. A body that has not come to its end by now is one
            // that dribbles.
            Phase::Exchange(exchange) => {
                exchange.idle(&mut self.queue, cx);
                self.end(Cause::Answered(Ending::Expired), cx);
            }
            Phase::Closing { .. } | Phase::Resetting { .. } | Phase::Ended(_) => {}
        }
        true
    }

    /// Gives everything back; the log line if a log was kept.
    pub fn bury(mut self, ending: Ending, now: Duration, cx: &mut Context) {
        self.turn_into(Phase::Ended(ending), cx);
        cx.queues.reclaim(&mut self.queue);
        cx.metrics.endings[ending as usize] += 1;
        if let Some(log) = self.log {
            log.close(ending, now);
        }
    }

    /// A reset eats what the peer has not read of the 101, unless it was heard from since.
    fn has_heard_since_open(&self) -> bool {
        let Phase::Open(session) = &self.phase else { return true };
        matches!(session.handler_ref(), Handler::Script(script) if script.has_heard())
    }

    /// A handler is told that its connection goes.
    fn turn_into(&mut self, phase: Phase, cx: &mut Context) {
        match std::mem::replace(&mut self.phase, phase) {
            Phase::Open(mut session) => {
                cx.metrics.open_for[session.handler_ref().purpose() as usize] -= 1;
                session.handler().end(cx);
            }
            Phase::Exchange(mut exchange) => {
                cx.metrics.open_for[exchange.purpose() as usize] -= 1;
                exchange.end(cx);
            }
            _ => {}
        }
    }

    /// The request takes longer than its answer.
    pub(super) fn begin(&mut self, exchange: Box<Exchange>, cx: &mut Context) {
        cx.metrics.open_for[exchange.purpose() as usize] += 1;
        self.phase = Phase::Exchange(exchange);
    }

    /// The request was upgraded.
    pub(super) fn open(&mut self, handler: Handler, cx: &mut Context) {
        cx.metrics.open_for[handler.purpose() as usize] += 1;
        self.phase = Phase::Open(Session::new(handler));
        cx.metrics.opens += 1;
    }
}
