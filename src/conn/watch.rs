//! What a connection waits for, and what becomes of it when that does not come in time.

use super::{Connection, Context, Phase, Talk};
use crate::ending::Ending;
use crate::ws::close::{CloseCode, FRAME_BYTES_MAX, write as write_close};

/// What a connection waits for, and so which timeout is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Watch {
    /// The request head; not extended by traffic.
    #[default]
    Handshake,
    /// Anything at all from an open connection.
    Idle,
    /// Life after a ping.
    Pong,
    /// The rest of a frame.
    Stall,
    /// The peer to take its replies.
    Slow,
    /// The end of a closing connection; not extended by traffic.
    Close,
    /// Us: it is not read for want of something.
    Starved,
    /// Its own behaviour: it is not read while so much waits for its time.
    Rest,
    /// Nothing: no connection is here.
    Vacant,
}

impl Watch {
    /// How many there are.
    pub const COUNT: usize = 9;

    /// Whether bytes in either direction start the timeout anew.
    pub fn is_extended_by_traffic(self) -> bool {
        !matches!(self, Self::Handshake | Self::Close | Self::Vacant)
    }

    /// The watch over a connection that is not read: what it says is not heard, so it cannot be
    /// late with it.
    pub fn while_starved(self) -> Self {
        match self {
            Self::Idle | Self::Pong | Self::Stall => Self::Starved,
            _ => self,
        }
    }
}

impl Connection {
    /// What the connection waits for.
    #[inline]
    pub fn watch(&self) -> Watch {
        match &self.phase {
            Phase::Head(_) => Watch::Handshake,
            Phase::Open(open) if open.is_leaving() => Watch::Close,
            Phase::Open(_) if !self.unsent().is_empty() => Watch::Slow,
            Phase::Open(_) if self.pinged => Watch::Pong,
            Phase::Open(open) if open.in_frame() => Watch::Stall,
            Phase::Talk(talk) => self.watch_talk(talk),
            Phase::Open(_) => Watch::Idle,
            Phase::Closing { .. } | Phase::Resetting | Phase::Ended(_) => Watch::Close,
        }
    }

    fn watch_talk(&self, talk: &Talk) -> Watch {
        match () {
            () if talk.is_leaving() => Watch::Close,
            () if !self.unsent().is_empty() => Watch::Slow,
            // It is not read until its replies have had their time.
            () if talk.is_full() => Watch::Rest,
            () if self.pinged => Watch::Pong,
            () if talk.in_frame() => Watch::Stall,
            () => Watch::Idle,
        }
    }

    /// The timeout that [`Self::watch`] named has run out.
    pub fn expire(&mut self, cx: &mut Context) {
        match (self.watch(), &self.phase) {
            (Watch::Idle, Phase::Open(_) | Phase::Talk(_)) if self.may_interject() => {
                // RFC 6455 §5.5.2: a ping may serve "as a keepalive". Only silent peers get one:
                // load generators count every frame as an echo.
                cx.store.keep(&mut self.outbox, &[0x89, 0]);
                cx.metrics.pings_sent += 1;
                self.pinged = true;
            }
            (Watch::Pong, Phase::Open(_) | Phase::Talk(_)) => {
                self.give_up(Ending::Idle, CloseCode::POLICY, "no pong", cx);
            }
            (Watch::Stall, Phase::Open(_) | Phase::Talk(_)) => {
                self.give_up(Ending::Stalled, CloseCode::POLICY, "stalled frame", cx);
            }
            (_, Phase::Head(opening)) => {
                cx.scratch.clear();
                if opening.time_out(cx) {
                    cx.store.keep(&mut self.outbox, &cx.scratch);
                }
                self.close(Ending::Handshake, cx);
            }
            (Watch::Slow, _) => self.abort(Ending::Slow, cx),
            (_, Phase::Closing { ending, .. }) => self.abort(*ending, cx),
            (_, Phase::Open(_) | Phase::Talk(_)) => self.abort(Ending::Shutdown, cx),
            (_, Phase::Resetting | Phase::Ended(_)) => {}
        }
    }

    /// It has waited in vain to be read: the room or the inflater that it needs has not come.
    pub fn starve(&mut self, cx: &mut Context) {
        self.give_up(Ending::Shed, CloseCode::TRY_AGAIN, "overloaded", cx);
    }

    /// Ends an open connection that has let its time pass, with a Close where one may stand.
    fn give_up(&mut self, ending: Ending, code: CloseCode, reason: &str, cx: &mut Context) {
        if self.may_interject() {
            let mut frame = [0; FRAME_BYTES_MAX];
            let length = write_close(&mut frame, Some((code, reason)));
            cx.store.drop_held(&mut self.outbox);
            cx.store.keep(&mut self.outbox, &frame[..length]);
        }
        self.close(ending, cx);
    }

    /// True when a frame of ours may stand behind what has been sent.
    fn may_interject(&self) -> bool {
        match &self.phase {
            Phase::Open(open) => open.may_interject(),
            Phase::Talk(talk) => !talk.is_leaving(),
            _ => false,
        }
    }
}
