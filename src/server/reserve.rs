//! What is given up when memory is short.

use super::Server;
use crate::limits::RESERVE_BYTES;
use crate::net::{Net, Stream};

/// What is left in the reserve when it has been short: more than just enough, because everybody is
/// looked at for it.
const RESERVE_BYTES_LEFT: usize = RESERVE_BYTES / 4 * 3;

impl<N: Net> Server<N> {
    /// Something is short: whatever can be given up for it is.
    #[cold]
    #[inline(never)]
    pub(super) fn relieve(&mut self) {
        if self.cx.budget.reserve_is_short() {
            self.relieve_reserve();
        }
        if self.cx.budget.is_short_for_histories() {
            self.cx.shed_histories();
        }
    }

    /// The reserve is short: those who have had a part of it for longest leave, so that whoever is
    /// new has a chance, however many half requests there are.
    fn relieve_reserve(&mut self) {
        let mut oldest: Vec<_> = Vec::new();
        for id in self.registry.ids() {
            let Some(entry) = self.registry.get(id) else { continue };
            let part = entry.connection.part_of_reserve(!entry.writable);
            let part = part + entry.stream.reserved();
            if part > 0 {
                oldest.push((self.timeouts.age(id.index()), part, id));
            }
        }
        oldest.sort_unstable_by_key(|(age, ..)| std::cmp::Reverse(*age));
        // Who is told to leave has an answer there until its turn comes: what it had counts.
        let mut excess = self.cx.budget.reserve_used().saturating_sub(RESERVE_BYTES_LEFT);
        for (_, part, id) in oldest {
            if excess == 0 {
                return;
            }
            excess = excess.saturating_sub(part);
            let Some(entry) = self.registry.get(id) else { continue };
            entry.connection.leave_reserve(&mut self.cx);
            self.cx.metrics.shed += 1;
            self.schedule.wake(id, &mut entry.standing);
        }
    }
}
