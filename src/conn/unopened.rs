//! Peers that have no open connection: what they use of the reserve, and who is turned away.

use super::{Cause, Connection, ConnectionLog, Context, Phase};
use crate::ending::Ending;
use crate::http::Refusal;
use crate::id::ConnId;
use crate::peer::Peer;

impl Connection {
    /// True before the handshake, and after a plain answer.
    pub fn is_unopened(&self) -> bool {
        use Ending::{Answered, Handshake, Refused, Shed, Tls};
        match &self.phase {
            Phase::Head(_) => true,
            Phase::Closing { ending, .. } => {
                matches!(ending, Answered | Refused | Handshake | Shed | Tls)
            }
            _ => false,
        }
    }

    /// True before the handshake.
    pub fn is_new(&self) -> bool {
        matches!(self.phase, Phase::Head(_))
    }

    /// A connection above a limit: it is told so and closed in order.
    pub fn turned_away(
        id: ConnId,
        peer: Peer,
        refusal: Refusal,
        log: Option<Box<ConnectionLog>>,
        cx: &mut Context,
    ) -> Self {
        let mut connection = Self { turned_away: true, ..Self::new(id, peer, log) };
        let reason = match refusal {
            Refusal::Busy => "too many connections",
            refusal => refusal.reason(),
        };
        connection.turn_away(refusal, reason, cx);
        connection
    }

    /// True if it was turned away as soon as it came.
    pub fn was_turned_away(&self) -> bool {
        self.turned_away
    }

    /// There is no room for a peer that has no open connection.
    fn turn_away(&mut self, refusal: Refusal, reason: &str, cx: &mut Context) {
        if cx.logging && matches!(self.phase, Phase::Head(_)) {
            cx.reason = format!("a connection with {}: {reason}", refusal.status().code());
        }
        let answer = cx.turning_away(refusal);
        cx.queues.push_reserved(&mut self.queue, &answer);
        self.end(Cause::TurnedAway, cx);
    }

    /// Bytes of the reserve that it could give up: those of a half request, and those of an answer
    /// if its socket is `full`.
    pub fn part_of_reserve(&self, full: bool) -> usize {
        match &self.phase {
            Phase::Head(handshake) => handshake.charged(),
            _ if full && self.is_unopened() => self.queue.as_ref().map_or(0, |q| q.charged()),
            _ => 0,
        }
    }

    /// Gives up its part of the reserve, for those who came later: a half request is answered
    /// with a 503, and an answer that the peer does not take is dropped.
    pub fn leave_reserve(&mut self, cx: &mut Context) {
        if matches!(self.phase, Phase::Head(_)) {
            return self.turn_away(Refusal::Busy, "too many unfinished requests", cx);
        }
        cx.queues.reclaim(&mut self.queue);
        self.end(Cause::NoReserve, cx);
    }
}
