//! Members of rooms for whom messages wait, so that those that come soon leave in the same write.
//!
//! A message stands in its member's send queue from the start, charged and in order; only the write
//! waits. When the loop drives the member for another reason (it sends something, it ends, it is
//! pinged), that writes the message too. Then the member is still listed here, and is woken once
//! for nothing. The time is one of the services' own calls, which the loop knows anyway: while
//! nobody is listed, no turn pays for this.

use std::collections::VecDeque;
use std::time::Duration;

use super::Server;
use crate::id::ConnId;
use crate::limits::HELD_MAX;
use crate::net::Net;

/// Who is held until when, the earliest first: all wait for the same time.
#[derive(Debug)]
pub(super) struct Held {
    window: Duration,
    queue: VecDeque<(Duration, ConnId)>,
}

impl Held {
    /// A message waits for `window`, or leaves at once if that is zero.
    pub(super) fn new(window: Duration) -> Self {
        Self { window, queue: VecDeque::new() }
    }

    /// True if messages wait at all.
    pub(super) fn is_on(&self) -> bool {
        !self.window.is_zero()
    }

    /// Holds a member that nothing has waited for. False if that cannot be: too many are held.
    pub(super) fn hold(&mut self, id: ConnId, now: Duration) -> bool {
        let held = self.is_on() && self.queue.len() < HELD_MAX;
        if held {
            self.queue.push_back((now + self.window, id));
        }
        held
    }

    /// When the next one is let go.
    fn next(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// True if a member is held; for checks.
    pub(super) fn has(&self, id: ConnId) -> bool {
        self.queue.iter().any(|(_, held)| *held == id)
    }

    fn release(&mut self, now: Duration) -> Option<ConnId> {
        self.next().filter(|at| *at <= now)?;
        self.queue.pop_front().map(|(_, id)| id)
    }
}

impl<N: Net> Server<N> {
    /// Lets those go who have been held for long enough.
    pub(super) fn release(&mut self) {
        while let Some(id) = self.held.release(self.cx.now) {
            self.wake(id);
        }
        self.call_for_held();
    }

    /// Has the loop come here when the next one is to be let go.
    pub(super) fn call_for_held(&mut self) {
        if let Some(at) = self.held.next() {
            self.cx.effects.call_at(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_held_is_let_go_in_time_and_in_order() {
        let ms = Duration::from_millis;
        let mut held = Held::new(ms(5));
        let [a, b] = [1, 2].map(|at| ConnId::new(at, 0));
        assert!(held.hold(a, ms(10)) && held.hold(b, ms(12)));
        assert_eq!((held.next(), held.has(a), held.has(b)), (Some(ms(15)), true, true));
        assert_eq!(held.release(ms(14)), None);
        assert_eq!((held.release(ms(15)), held.release(ms(15))), (Some(a), None));
        assert_eq!((held.has(a), held.release(ms(17)), held.next()), (false, Some(b), None));
    }

    #[test]
    fn nobody_is_held_without_a_window_or_beyond_the_limit() {
        let id = ConnId::new(1, 0);
        assert!(!Held::new(Duration::ZERO).hold(id, Duration::ZERO));
        let mut held = Held::new(Duration::from_millis(1));
        assert!((0..HELD_MAX).all(|_| held.hold(id, Duration::ZERO)));
        assert!(!held.hold(id, Duration::ZERO), "the table does not grow for ever");
    }
}
