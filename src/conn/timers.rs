//! Times at which some connections want to be woken: those that behave, not those that echo.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::id::ConnId;

/// Times with their connections, the earliest first. An entry may outlive its connection.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Duration, usize)>>,
}

impl Timers {
    /// Asks for `at`.
    pub fn set(&mut self, at: Duration, id: ConnId) {
        self.heap.push(Reverse((at, id.token())));
    }

    /// The earliest time.
    #[inline]
    pub fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a connection whose time has come.
    pub fn ring(&mut self, now: Duration) -> Option<ConnId> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse((_, token))| ConnId::from_token(token))
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
            timers.set(Duration::from_millis(at), id);
        }
        let now = Duration::from_millis(20);
        assert_eq!(
            [timers.ring(now), timers.ring(now), timers.ring(now)],
            [Some(b), Some(c), None]
        );
        assert_eq!(timers.next(), Some(Duration::from_millis(30)));
    }
}
