//! All timeouts: one coarse tick and one watch per connection in two dense columns.
//!
//! There is no timing wheel. A pass over the columns takes tens of microseconds for a hundred
//! thousand connections, and it is made only when the earliest deadline may have come: traffic
//! moves deadlines away, never closer, so a loop full of idle connections sleeps.

use std::time::Duration;

use crate::conn::Watch;
use crate::limits::{Config, TICK};

/// "This timeout is off."
const NEVER: u16 = u16::MAX;

/// The columns. An index is a slot of the registry.
#[derive(Debug)]
pub struct Deadlines {
    since: Vec<u16>,
    watches: Vec<Watch>,
    timeouts: [u16; Watch::COUNT],
    now: u64,
    next: Option<u64>,
}

impl Deadlines {
    /// Empty columns.
    pub fn new(config: &Config) -> Self {
        let mut timeouts = [NEVER; Watch::COUNT];
        let mut set = |watch: Watch, timeout: Duration| {
            timeouts[watch as usize] = ticks(timeout);
        };
        set(Watch::Handshake, config.handshake_timeout);
        set(Watch::Idle, config.ping_interval);
        set(Watch::Pong, config.ping_timeout);
        set(Watch::Stall, config.stall_timeout);
        set(Watch::Slow, config.stall_timeout);
        // Long enough for whoever keeps the room to be ended as slow, and for some more in turn.
        set(Watch::Starved, 2 * config.stall_timeout);
        set(Watch::Close, config.close_timeout);
        Self { since: Vec::new(), watches: Vec::new(), timeouts, now: 0, next: None }
    }

    /// Moves the clock. True when a sweep is due.
    pub fn advance(&mut self, now: Duration) -> bool {
        self.now = tick_of(now);
        self.next.is_some_and(|next| next <= self.now)
    }

    /// How long the loop may sleep.
    pub fn sleep(&self, now: Duration) -> Option<Duration> {
        let next = u32::try_from(self.next?).unwrap_or(u32::MAX);
        Some((TICK * next).saturating_sub(now))
    }

    /// A connection has moved into slot `index`.
    pub fn insert(&mut self, index: usize, watch: Watch) {
        if index >= self.since.len() {
            self.since.resize(index + 1, 0);
            self.watches.resize(index + 1, Watch::Vacant);
        }
        self.watches[index] = Watch::Vacant;
        self.note(index, watch, true);
    }

    /// The slot is free.
    pub fn remove(&mut self, index: usize) {
        self.watches[index] = Watch::Vacant;
    }

    /// What the connection in slot `index` waits for.
    pub fn watch(&self, index: usize) -> Watch {
        self.watches[index]
    }

    /// The connection in slot `index` now waits as `watch` says; `traffic` if bytes have moved.
    #[inline]
    pub fn note(&mut self, index: usize, watch: Watch, traffic: bool) {
        if self.watches[index] != watch {
            self.watches[index] = watch;
            self.since[index] = low(self.now);
            self.expect(self.timeouts[watch as usize]);
        } else if traffic && watch.is_extended_by_traffic() {
            self.since[index] = low(self.now);
        }
    }

    /// Finds the slots whose time has run out and starts their timeouts anew.
    pub fn sweep(&mut self, due: &mut Vec<usize>) {
        let mut soonest = NEVER;
        let now = low(self.now);
        for (index, (since, watch)) in self.since.iter_mut().zip(&self.watches).enumerate() {
            let timeout = self.timeouts[*watch as usize];
            if timeout == NEVER {
                continue;
            }
            let passed = now.wrapping_sub(*since);
            if passed >= timeout {
                due.push(index);
                *since = now;
                soonest = soonest.min(timeout);
            } else {
                soonest = soonest.min(timeout - passed);
            }
        }
        self.next = None;
        self.expect(soonest);
    }

    fn expect(&mut self, ticks: u16) {
        if ticks != NEVER {
            let at = self.now + u64::from(ticks);
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        }
    }
}

/// Ticks after which `timeout` has passed for certain, one more than fit into it.
fn ticks(timeout: Duration) -> u16 {
    if timeout.is_zero() {
        return NEVER;
    }
    let whole = timeout.as_nanos().div_ceil(TICK.as_nanos()) + 1;
    u16::try_from(whole).unwrap_or(NEVER - 1)
}

fn tick_of(now: Duration) -> u64 {
    u64::try_from(now.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
}

/// What the columns keep of a tick: differences are taken modulo 2^16, and no timeout is longer.
fn low(tick: u64) -> u16 {
    (tick & 0xFFFF) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Deadlines {
        let config = Config {
            ping_interval: Duration::from_secs(60),
            stall_timeout: Duration::ZERO,
            ..Config::default()
        };
        Deadlines::new(&config)
    }

    fn due_at(columns: &mut Deadlines, seconds: u64) -> Vec<usize> {
        let mut due = Vec::new();
        if columns.advance(Duration::from_secs(seconds)) {
            columns.sweep(&mut due);
        }
        due
    }

    #[test]
    fn traffic_extends_idle_but_not_the_handshake() {
        let mut columns = columns();
        columns.insert(0, Watch::Handshake);
        columns.insert(1, Watch::Idle);
        assert!(due_at(&mut columns, 9).is_empty());
        columns.note(0, Watch::Handshake, true);
        columns.note(1, Watch::Idle, true);
        assert_eq!(due_at(&mut columns, 11), [0]);
        assert_eq!(due_at(&mut columns, 62), [0], "and again, as long as it is there");
        assert_eq!(due_at(&mut columns, 70), [1]);
    }

    #[test]
    fn a_loop_without_deadlines_sleeps_without_end() {
        let mut columns = columns();
        assert_eq!(columns.sleep(Duration::ZERO), None);
        columns.insert(3, Watch::Stall);
        assert_eq!(columns.sleep(Duration::ZERO), None, "turned off by zero");
        columns.note(3, Watch::Idle, false);
        let sleep = columns.sleep(Duration::ZERO);
        assert_eq!(sleep, Some(Duration::from_secs(60) + TICK));
        columns.remove(3);
        assert!(due_at(&mut columns, 100).is_empty());
        assert_eq!(columns.sleep(Duration::from_secs(100)), None);
    }

    /// The 16-bit column wraps every four and a half hours.
    #[test]
    fn r10_the_column_wraps() {
        let mut columns = columns();
        let start = 70_000;
        columns.advance(Duration::from_secs(start));
        columns.insert(0, Watch::Idle);
        assert!(due_at(&mut columns, start + 59).is_empty());
        assert_eq!(due_at(&mut columns, start + 61), [0]);
    }
}
