//! All timeouts: one coarse tick and one timeout per connection in two dense columns.
//!
//! There is no timing wheel. A pass over the columns takes tens of microseconds for a hundred
//! thousand connections, and it is made only when the earliest deadline may have come: traffic
//! moves timeouts away, never closer, so a loop full of idle connections sleeps.

use std::time::Duration;

use crate::conn::Timeout;
use crate::limits::{Config, TICK, TIMEOUT_MAX};

/// "This timeout is off."
const NEVER: u16 = u16::MAX;

/// The columns. An index is a slot of the registry.
#[derive(Debug)]
pub struct Timeouts {
    since: Vec<u16>,
    kinds: Vec<Timeout>,
    timeouts: [u16; Timeout::COUNT],
    now: u64,
    /// When the next sweep is due, in ticks and as a time.
    next: Option<(u64, Duration)>,
}

impl Timeouts {
    /// Empty columns.
    pub fn new(config: &Config) -> Self {
        let mut timeouts = [NEVER; Timeout::COUNT];
        let mut set = |kind: Timeout, timeout: Duration| {
            timeouts[kind as usize] = ticks(timeout);
        };
        set(Timeout::Handshake, config.handshake_timeout);
        set(Timeout::Idle, config.ping_interval);
        set(Timeout::Pong, config.ping_timeout);
        set(Timeout::Stall, config.stall_timeout);
        set(Timeout::Slow, config.stall_timeout);
        // Long enough for whoever keeps the room to be ended as slow, and for some more in turn.
        set(Timeout::Starved, 2 * config.stall_timeout);
        set(Timeout::Blocked, TICK);
        set(Timeout::Reset, TICK);
        set(Timeout::Close, config.close_timeout);
        Self { since: Vec::new(), kinds: Vec::new(), timeouts, now: 0, next: None }
    }

    /// Moves the clock. True when a sweep is due.
    pub fn advance(&mut self, now: Duration) -> bool {
        self.now = tick_of(now);
        self.next.is_some_and(|(next, _)| next <= self.now)
    }

    /// When the next sweep is due.
    pub fn next_sweep(&self) -> Option<Duration> {
        self.next.map(|(_, at)| at)
    }

    /// A connection has moved into slot `index`.
    pub fn insert(&mut self, index: usize, kind: Timeout) {
        if index >= self.since.len() {
            self.since.resize(index + 1, 0);
            self.kinds.resize(index + 1, Timeout::Vacant);
        }
        self.kinds[index] = Timeout::Vacant;
        self.note(index, kind, true);
    }

    /// The slot is free.
    pub fn remove(&mut self, index: usize) {
        self.kinds[index] = Timeout::Vacant;
    }

    /// The connection in slot `index` now waits as `kind` says; `traffic` if bytes have moved.
    #[inline]
    pub fn note(&mut self, index: usize, kind: Timeout, traffic: bool) {
        if self.kinds[index] != kind {
            self.kinds[index] = kind;
            self.since[index] = low(self.now);
            self.expect(self.timeouts[kind as usize]);
        } else if traffic && kind.is_extended_by_traffic() {
            self.since[index] = low(self.now);
        }
    }

    /// For how many ticks the connection in slot `index` has waited for the same thing.
    pub fn age(&self, index: usize) -> u16 {
        low(self.now).wrapping_sub(self.since[index])
    }

    /// Finds the slots whose time has run out and starts their timeouts anew.
    pub fn sweep(&mut self, due: &mut Vec<(usize, Timeout)>) {
        let mut soonest = NEVER;
        let now = low(self.now);
        for (index, (since, kind)) in self.since.iter_mut().zip(&self.kinds).enumerate() {
            let timeout = self.timeouts[*kind as usize];
            let passed = now.wrapping_sub(*since);
            if timeout == NEVER {
                continue;
            }
            let left = timeout.saturating_sub(passed);
            if left > 0 {
                soonest = soonest.min(left);
                continue;
            }
            due.push((index, *kind));
            *since = now;
            soonest = soonest.min(timeout);
        }
        self.next = None;
        self.expect(soonest);
    }

    fn expect(&mut self, ticks: u16) {
        if ticks != NEVER {
            let at = self.now + u64::from(ticks);
            if self.next.is_none_or(|(next, _)| at < next) {
                self.next = Some((at, TICK * u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
    }
}

/// Ticks after which `timeout` has passed for certain, one more than fit into it.
fn ticks(timeout: Duration) -> u16 {
    if timeout.is_zero() {
        return NEVER;
    }
    let timeout = timeout.min(TIMEOUT_MAX);
    let whole = timeout.as_nanos().div_ceil(TICK.as_nanos()) + 1;
    u16::try_from(whole).unwrap_or(NEVER - 1)
}

fn tick_of(now: Duration) -> u64 {
    const TICKS_PER_SECOND: u64 = 1_000_000_000 / TICK.subsec_nanos() as u64;
    now.as_secs() * TICKS_PER_SECOND + u64::from(now.subsec_nanos() / TICK.subsec_nanos())
}

/// What the columns keep of a tick: differences are taken modulo 2^16, and no timeout is longer.
fn low(tick: u64) -> u16 {
    (tick & 0xFFFF) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Timeouts {
        let config = Config {
            ping_interval: Duration::from_secs(60),
            stall_timeout: Duration::ZERO,
            ..Config::default()
        };
        Timeouts::new(&config)
    }

    fn due_at(columns: &mut Timeouts, seconds: u64) -> Vec<usize> {
        let mut due: Vec<(usize, Timeout)> = Vec::new();
        if columns.advance(Duration::from_secs(seconds)) {
            columns.sweep(&mut due);
        }
        due.into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn traffic_extends_idle_but_not_the_handshake() {
        let mut columns = columns();
        columns.insert(0, Timeout::Handshake);
        columns.insert(1, Timeout::Idle);
        assert!(due_at(&mut columns, 9).is_empty());
        columns.note(0, Timeout::Handshake, true);
        columns.note(1, Timeout::Idle, true);
        assert_eq!(due_at(&mut columns, 11), [0]);
        assert_eq!(due_at(&mut columns, 62), [0], "and again, as long as it is there");
        assert_eq!(due_at(&mut columns, 70), [1]);
    }

    #[test]
    fn a_loop_without_timeouts_sleeps_without_end() {
        let mut columns = columns();
        assert_eq!(columns.next_sweep(), None);
        columns.insert(3, Timeout::Stall);
        assert_eq!(columns.next_sweep(), None, "turned off by zero");
        columns.note(3, Timeout::Idle, false);
        let sleep = columns.next_sweep();
        assert_eq!(sleep, Some(Duration::from_secs(60) + TICK));
        columns.remove(3);
        assert!(due_at(&mut columns, 100).is_empty());
        assert_eq!(columns.next_sweep(), None);
    }

    /// Twice the longest stall timeout is more than the column can tell from none.
    #[test]
    fn the_longest_timeouts_do_not_wrap() {
        let config = Config { stall_timeout: TIMEOUT_MAX, ..Config::default() };
        let mut columns = Timeouts::new(&config);
        columns.insert(0, Timeout::Starved);
        assert!(due_at(&mut columns, TIMEOUT_MAX.as_secs() - 1).is_empty());
        assert_eq!(due_at(&mut columns, TIMEOUT_MAX.as_secs() + 1), [0]);
    }

    /// The 16-bit column wraps every four and a half hours.
    #[test]
    fn r10_the_column_wraps() {
        let mut columns = columns();
        let start = 70_000;
        columns.advance(Duration::from_secs(start));
        columns.insert(0, Timeout::Idle);
        assert!(due_at(&mut columns, start + 59).is_empty());
        assert_eq!(due_at(&mut columns, start + 61), [0]);
    }
}
