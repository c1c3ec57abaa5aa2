//! What a session keeps between two calls, and where that is charged.

use super::desk::Desk;
use super::records::NO_ROOM;
use super::session::{Session, State};
use super::wrong::Wrong;
use crate::limits::TLS_SESSION_BYTES;
use crate::net::Stream;

impl<S: Stream> Session<S> {
    /// There is no room for what the peer says: an alert tells it so.
    #[cold]
    pub(super) fn find_no_room(&mut self, desk: &mut Desk) -> Wrong {
        desk.counts.refused += 1;
        self.outgoing.words().extend_from_slice(&NO_ROOM);
        Wrong::NoRoom
    }

    /// So many bytes of the handshake have been opened. Until it is done rustls may keep them, for
    /// their hash, and as certificates.
    pub(super) fn note_handshake(&mut self, bytes: usize) {
        if let (State::Shaking(_), Some(own)) = (&self.state, &mut self.charges.0) {
            own.set(own.bytes() + bytes);
        }
    }

    /// The handshake is done: what it took is given back, and what stays is charged.
    pub(super) fn settle_in(&mut self, desk: &Desk) {
        let State::Shaking(session) = std::mem::replace(&mut self.state, State::Deaf) else {
            return;
        };
        let chain = session.peer_certificates().unwrap_or_default();
        let certificates: usize = chain.iter().map(|one| size_of_val(one) + one.len()).sum();
        self.state = State::Open(session);
        self.charges = (Some(desk.budget.session(TLS_SESSION_BYTES + certificates)), None);
        self.in_reserve = false;
    }

    /// Nothing that arrives is understood from now on, and nothing is kept for it.
    pub(super) fn become_deaf(&mut self) {
        self.state = State::Deaf;
        (self.rest, self.spill) = (Vec::new(), Vec::new());
        self.opened = 0;
        self.charges.0 = None;
    }

    /// Brings the charge for what is kept up to date.
    pub(super) fn recharge(&mut self, desk: &Desk) {
        let bytes = self.rest.capacity() + self.spill.capacity() + self.outgoing.capacity();
        match &mut self.charges.1 {
            Some(_) if bytes == 0 => self.charges.1 = None,
            Some(charge) => charge.set(bytes),
            None if bytes == 0 => {}
            kept @ None => {
                *kept = Some(match self.in_reserve {
                    true => desk.budget.reserve(bytes),
                    false => desk.budget.charge(bytes),
                });
            }
        }
    }
}
