//! How fast somebody may speak: a bucket of tokens.

use std::time::Duration;

/// Messages that may come at once.
const BURST: u32 = 20;

/// One more message is allowed after each of these.
const INTERVAL: Duration = Duration::from_millis(100);

/// Messages without an allowance that end the connection, counted until it has saved a burst
/// again: a steady flood has some messages heard in between and must not be forgiven for them.
const REFUSALS_MAX: u32 = 500;

/// What somebody has left.
#[derive(Debug)]
pub(super) struct Allowance {
    tokens: u32,
    /// When the last token was added.
    since: Duration,
    refusals: u32,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// It is heard.
    Granted,
    /// It is not, and that has not been said yet.
    Warned,
    /// It is not.
    Refused,
    /// There have been far too many.
    Exhausted,
}

impl Allowance {
    pub(super) fn new(now: Duration) -> Self {
        Self { tokens: BURST, since: now, refusals: 0 }
    }

    /// Asks for one message.
    pub(super) fn take(&mut self, now: Duration) -> Grant {
        let earned = now.saturating_sub(self.since).as_millis() / INTERVAL.as_millis();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned >= BURST - self.tokens {
            *self = Self::new(now);
        } else {
            self.tokens += earned;
            self.since += INTERVAL * earned;
        }
        if self.tokens > 0 {
            self.tokens -= 1;
            return Grant::Granted;
        }
        self.refusals = self.refusals.saturating_add(1);
        match self.refusals {
            1 => Grant::Warned,
            REFUSALS_MAX => Grant::Exhausted,
            _ => Grant::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_rate() {
        let mut now = Duration::from_secs(7);
        let mut allowance = Allowance::new(now);
        for _ in 0..BURST {
            assert_eq!(allowance.take(now), Grant::Granted);
        }
        assert_eq!(allowance.take(now), Grant::Warned, "once");
        assert_eq!(allowance.take(now), Grant::Refused);
        for _ in 0..50 {
            now += INTERVAL;
            assert_eq!(allowance.take(now), Grant::Granted);
        }
        assert_eq!(allowance.take(now), Grant::Refused, "not once for each that was heard");
        now += INTERVAL * 3 / 2;
        assert_eq!(allowance.take(now), Grant::Granted);
        now += INTERVAL / 2;
        assert_eq!(allowance.take(now), Grant::Granted, "halves are not lost");
        now += Duration::from_secs(3600);
        assert!((0..BURST).all(|_| allowance.take(now) == Grant::Granted));
        assert_eq!(allowance.take(now), Grant::Warned, "no more than a burst is saved");
    }

    #[test]
    fn far_too_many_end_it_once() {
        let mut allowance = Allowance::new(Duration::ZERO);
        let mut grants = (0..2 * REFUSALS_MAX).map(|_| allowance.take(Duration::ZERO));
        let last = (BURST + REFUSALS_MAX - 1) as usize;
        assert_eq!(grants.position(|grant| grant == Grant::Exhausted), Some(last));
        assert!(grants.all(|grant| grant == Grant::Refused));
    }

    #[test]
    fn a_steady_flood_ends_too() {
        let mut allowance = Allowance::new(Duration::ZERO);
        let grants: Vec<Grant> =
            (0..2000).map(|count| allowance.take(INTERVAL / 4 * count)).collect();
        let count = |grant| grants.iter().filter(|other| **other == grant).count();
        assert_eq!((count(Grant::Warned), count(Grant::Exhausted)), (1, 1));
    }

    #[test]
    fn a_rest_forgives() {
        let mut now = Duration::ZERO;
        let mut allowance = Allowance::new(now);
        for _ in 0..100 {
            let grants = (0..BURST + REFUSALS_MAX / 2).map(|_| allowance.take(now));
            assert!(grants.skip(BURST as usize).take(1).eq([Grant::Warned]));
            now += INTERVAL * BURST;
        }
    }
}
