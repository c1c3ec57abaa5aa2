//! Ends connections that hold what others wait for.

use super::Server;
use crate::conn::{Cause, Need};
use crate::limits::POLICE_INTERVAL;
use crate::net::{Net, Stream};

impl<N: Net> Server<N> {
    pub(super) fn somebody_waits(&self) -> bool {
        self.schedule.waiting(Need::Room) + self.schedule.waiting(Need::Inflater) > 0
    }

    /// While somebody waits: ends those who keep what is waited for, and take their time.
    #[inline(never)]
    pub(super) fn police(&mut self) {
        if self.cx.now < self.police_at {
            return;
        }
        self.police_at = self.cx.now + POLICE_INTERVAL;
        let room = self.schedule.waiting(Need::Room) > 0;
        let inflater = self.schedule.waiting(Need::Inflater) > 0;
        for id in self.registry.ids() {
            let Some(entry) = self.registry.get(id) else { continue };
            let (connection, cx) = (&mut entry.connection, &self.cx);
            // Whoever does not take its replies yet is not read.
            let looks = if room && connection.is_flushed() { entry.stream.look() } else { 0 };
            let cause = match () {
                () if room && connection.is_too_slow(cx) => Cause::Slow,
                // Later than those, for whom some may have to wait with a record that is begun.
                () if looks * POLICE_INTERVAL > cx.pace_window() * 3 / 2 => Cause::Stalled,
                () if inflater && connection.keeps_inflater_too_long(cx) => Cause::HoldsInflater,
                () => continue,
            };
            entry.connection.end(cause, &mut self.cx);
            self.schedule.wake(id, &mut entry.standing);
        }
    }
}
