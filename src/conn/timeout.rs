//! What a connection waits for, and what becomes of it when that does not come in time.

use super::end::Cause;
use super::exchange::Exchange;
use super::handler::Handler;
use super::session::{Boundary, Session};
use super::{Connection, Context, Phase};

/// What a connection waits for, and so which timeout is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Timeout {
    /// The request head; not extended by traffic.
    #[default]
    Handshake,
    /// Anything at all from an open connection.
    Idle,
    /// Life after a ping.
    Pong,
    /// The rest of a frame.
    Stall,
    /// The peer to take a part of its replies, before it is clear that it sends all of its message
    /// first.
    Blocked,
    /// The peer to take its replies.
    Slow,
    /// The end of a closing connection; not extended by traffic.
    Close,
    /// The peer to have read the 101, before a reset eats it.
    Reset,
    /// Room or an inflater: what the peer says is not read.
    Starved,
    /// Its own script: it is not read while so much waits for its time. Or its rate.
    Rest,
    /// Nothing: no connection is here.
    Vacant,
}

impl Timeout {
    /// How many there are.
    pub const COUNT: usize = 11;

    /// Whether bytes in either direction start the timeout anew.
    pub fn is_extended_by_traffic(self) -> bool {
        !matches!(self, Self::Handshake | Self::Close | Self::Reset | Self::Vacant)
    }

    /// The timeout of a connection that is not read: what it says is not heard, so it cannot be
    /// late with it.
    pub fn while_starved(self) -> Self {
        match self {
            Self::Idle | Self::Pong | Self::Stall => Self::Starved,
            _ => self,
        }
    }

    /// The same, of a connection that is not read because it has sent more than its rate.
    pub fn while_held(self) -> Self {
        match self {
            Self::Idle | Self::Pong | Self::Stall => Self::Rest,
            _ => self,
        }
    }
}

impl Connection {
    /// What the connection waits for.
    #[inline]
    pub fn timeout(&self) -> Timeout {
        match &self.phase {
            Phase::Head(_) => Timeout::Handshake,
            Phase::Open(session) if session.is_closing() => Timeout::Close,
            Phase::Open(session) if !self.is_flushed() => self.timeout_blocked(session),
            Phase::Open(session) if is_resting(session) => Timeout::Rest,
            Phase::Open(_) if self.pinged => Timeout::Pong,
            Phase::Open(session) if session.in_frame() => Timeout::Stall,
            Phase::Open(_) => Timeout::Idle,
            Phase::Exchange(exchange) => self.timeout_of(exchange),
            Phase::Resetting { .. } => Timeout::Reset,
            Phase::Closing { .. } | Phase::Ended(_) => Timeout::Close,
        }
    }

    #[inline(never)]
    fn timeout_of(&self, exchange: &Exchange) -> Timeout {
        let stuck = self.queue.as_ref().is_some_and(|queue| queue.is_stuck());
        match (self.is_flushed(), exchange.wanted()) {
            (true, 0) => Timeout::Idle,
            (true, _) => Timeout::Stall,
            (false, 0) => Timeout::Slow,
            (false, _) if stuck => Timeout::Slow,
            (false, _) => Timeout::Blocked,
        }
    }

    fn timeout_blocked(&self, session: &Session) -> Timeout {
        let stuck = self.queue.as_ref().is_some_and(|queue| queue.is_stuck());
        if stuck || session.wanted() == 0 { Timeout::Slow } else { Timeout::Blocked }
    }

    /// A timeout has run out. It acts only if that is still what is waited for: in the same turn
    /// the connection may have gone on to something else.
    pub fn expire(&mut self, timeout: Timeout, cx: &mut Context) {
        if self.timeout() != timeout {
            return;
        }
        let cause = match timeout {
            Timeout::Idle => return self.ping(cx),
            Timeout::Blocked => {
                self.queue.iter_mut().for_each(|queue| queue.set_stuck());
                return;
            }
            Timeout::Handshake => {
                self.answer_late_request(cx);
                Cause::NoRequest
            }
            Timeout::Pong => Cause::NoPong,
            Timeout::Stall => Cause::Stalled,
            Timeout::Slow => Cause::Slow,
            Timeout::Close => Cause::TimeIsUp,
            Timeout::Reset => {
                cx.queues.reclaim(&mut self.queue);
                Cause::ScriptResets
            }
            Timeout::Starved | Timeout::Rest | Timeout::Vacant => return,
        };
        self.end(cause, cx);
    }

    /// It has waited in vain to be read: the room or the inflater that it needs has not come.
    pub fn starve(&mut self, cx: &mut Context) {
        if self.timeout().while_starved() == Timeout::Starved {
            self.end(Cause::Starved, cx);
        }
    }

    /// RFC 6455 §5.5.2: a ping may serve "as a keepalive". Only silent peers get one: load
    /// generators count every frame as an echo.
    fn ping(&mut self, cx: &mut Context) {
        if let Phase::Exchange(exchange) = &mut self.phase {
            return exchange.idle(&mut self.queue, cx);
        }
        let Phase::Open(session) = &self.phase else { return };
        if session.boundary() == Boundary::Here {
            cx.queues.push(&mut self.queue, &[0x89, 0]);
            cx.metrics.pings_sent += 1;
            self.pinged = true;
        }
    }

    fn answer_late_request(&mut self, cx: &mut Context) {
        let Phase::Head(handshake) = &self.phase else { return };
        cx.scratch.clear();
        if handshake.time_out(cx) {
            cx.queues.push_reserved(&mut self.queue, &cx.scratch);
            cx.scratch.clear();
        }
    }
}

/// True while a script has so much to say later that nothing more is read.
fn is_resting(session: &Session) -> bool {
    matches!(session.handler_ref(), Handler::Script(script) if script.is_full())
}
