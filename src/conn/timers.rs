//! Times at which some connections want to be woken: those that behave, not those that echo.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::id::ConnId;

/// Bytes of memory that a timer takes, with its part of the tree.
pub const TIMER_BYTES: usize = 48;

/// Times with their connections, the earliest first; each connection has one at most.
#[derive(Debug, Default)]
pub struct Timers {
    set: BTreeSet<(Duration, usize)>,
}

impl Timers {
    /// Asks for `at` instead of `before`, what the connection asked for last.
    pub fn set(&mut self, before: Option<Duration>, at: Option<Duration>, id: ConnId) {
        if let Some(before) = before {
            self.set.remove(&(before, id.token()));
        }
        self.set.extend(at.map(|at| (at, id.token())));
    }

    /// The earliest time.
    #[inline]
    pub fn next(&self) -> Option<Duration> {
        self.set.first().map(|(at, _)| *at)
    }

    /// Takes out a connection whose time has come.
    pub fn ring(&mut self, now: Duration) -> Option<ConnId> {
        self.next().filter(|at| *at <= now)?;
        self.set.pop_first().map(|(_, token)| ConnId::from_token(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_rings_first() {
        let mut timers = Timers::default();
        let [a, b, c] = [1, 2, 3].map(|at| ConnId::new(at, 5));
        for (at, id) in [(30, a), (10, b), (20, c)] {
            timers.set(None, Some(Duration::from_millis(at)), id);
        }
        let now = Duration::from_millis(20);
        assert_eq!(
            [timers.ring(now), timers.ring(now), timers.ring(now)],
            [Some(b), Some(c), None]
        );
        let at = Some(Duration::from_millis(30));
        assert_eq!(timers.next(), at);
        timers.set(at, Some(Duration::from_millis(40)), a);
        assert_eq!(timers.next(), Some(Duration::from_millis(40)), "instead of the one before");
        timers.set(timers.next(), None, a);
        assert_eq!(timers.next(), None);
    }
}
