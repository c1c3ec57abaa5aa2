//! How fast somebody may speak: a bucket of tokens.

use std::time::Duration;

/// Messages that may come at once.
const BURST: u32 = 20;

/// One more message is allowed after each of these.
const INTERVAL: Duration = Duration::from_millis(100);

/// Messages without an allowance, in a row, that end the connection.
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
            self.tokens = BURST;
            self.since = now;
        } else {
            self.tokens += earned;
            self.since += INTERVAL * earned;
        }
        if self.tokens > 0 {
            self.tokens -= 1;
            self.refusals = 0;
            return Grant::Granted;
        }
        self.refusals += 1;
        match self.refusals {
            1 => Grant::Warned,
            REFUSALS_MAX.. => Grant::Exhausted,
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
        assert_eq!(allowance.take(now), Grant::Warned, "and once more after a good one");
        now += INTERVAL * 3 / 2;
        assert_eq!(allowance.take(now), Grant::Granted);
        now += INTERVAL / 2;
        assert_eq!(allowance.take(now), Grant::Granted, "halves are not lost");
        now += Duration::from_secs(3600);
        assert!((0..BURST).all(|_| allowance.take(now) == Grant::Granted));
        assert_eq!(allowance.take(now), Grant::Warned, "no more than a burst is saved");
    }

    #[test]
    fn far_too_many_end_it() {
        let mut allowance = Allowance::new(Duration::ZERO);
        let grants = (0..BURST + REFUSALS_MAX).map(|_| allowance.take(Duration::ZERO));
        assert_eq!(grants.last(), Some(Grant::Exhausted));
    }
}
