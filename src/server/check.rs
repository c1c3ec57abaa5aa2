//! Whether the books of the loop balance; for tests.

use super::Server;
use crate::conn::Need;
use crate::ending::Ending;
use crate::net::Net;

impl<N: Net> Server<N> {
    /// Bytes that the ledger knows of, the reserve included; for tests.
    pub fn charged(&self) -> usize {
        self.cx.budget.used() + self.cx.budget.reserve_used() + self.cx.budget.sessions()
    }

    /// Panics if the books do not balance; for tests.
    pub fn check(&mut self) {
        let m = &self.cx.metrics;
        let ended: u64 = m.endings.iter().sum();
        assert_eq!(m.connections_accepted, ended + self.registry.len() as u64);
        assert_eq!(m.connections_open, self.registry.len() as u64);
        let open: u64 = m.open_for.iter().sum();
        assert!(open <= m.connections_open, "{open} are open of {}", m.connections_open);
        assert_eq!(m.buffered_bytes, self.cx.budget.used() as u64);
        assert_eq!(m.endings[Ending::Internal as usize], 0);
        assert!(self.cx.scratch.is_empty(), "nothing of a connection survives its turn");
        for id in self.registry.ids() {
            let Some(entry) = self.registry.get(id) else { continue };
            self.schedule.check(id, entry.standing);
            let forgotten = !entry.connection.is_flushed() && entry.writable;
            if forgotten && !entry.standing.is_ready() {
                assert!(self.held.has(id), "nothing that can be sent is forgotten");
            }
        }
        assert!(self.cx.addresses.seated() <= self.registry.len(), "nobody sits there twice");
        if self.registry.is_empty() {
            assert_eq!(self.cx.addresses.seated(), 0, "nobody has gone and kept a seat");
            assert_eq!(self.meters.next(), None, "nobody is woken who has gone");
            assert_eq!(self.acceptor.turned_away(), 0);
            assert_eq!(open, 0, "nobody counts who has gone");
            let bus = self.bus.as_ref().map_or(0, |seat| seat.charged());
            // What is polled outlives connections.
            let kept = self.cx.mailboxes.charged() + bus;
            assert_eq!(self.charged(), kept, "nothing is kept for who has gone");
            assert_eq!(self.cx.inflaters.lent(), 0);
            let waiting = [Need::Room, Need::Inflater].map(|need| self.schedule.waiting(need));
            assert_eq!(waiting, [0, 0], "nobody is waited for who has gone");
        }
    }
}
