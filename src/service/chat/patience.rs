//! How long a member that sends too fast is tolerated.

use std::time::Duration;

use crate::service::allowance::{Bucket, Rate};

/// Messages that may come at once, and how often for long.
const RATE: Rate = Rate { burst: 20, interval: Duration::from_millis(100) };

/// Messages without an allowance that end the connection, counted until it has saved a burst
/// again: a steady flood has some messages heard in between and must not be forgiven for them.
const REFUSALS_MAX: u32 = 500;

/// What somebody has left.
#[derive(Debug, Default)]
pub(super) struct Patience {
    bucket: Bucket,
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

impl Patience {
    /// Asks for one message.
    pub(super) fn take(&mut self, now: Duration) -> Grant {
        if self.bucket.is_full(now) {
            self.refusals = 0;
        }
        if self.bucket.take(RATE, 1, now) {
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
    fn far_too_many_end_it_once() {
        let mut patience = Patience::default();
        let mut grants = (0..2 * REFUSALS_MAX).map(|_| patience.take(Duration::ZERO));
        let last = (RATE.burst + REFUSALS_MAX - 1) as usize;
        assert_eq!(grants.position(|grant| grant == Grant::Exhausted), Some(last));
        assert!(grants.all(|grant| grant == Grant::Refused));
    }

    #[test]
    fn a_steady_flood_ends_too() {
        let mut patience = Patience::default();
        let grants: Vec<Grant> =
            (0..2000).map(|count| patience.take(RATE.interval / 4 * count)).collect();
        let count = |grant| grants.iter().filter(|other| **other == grant).count();
        assert_eq!((count(Grant::Warned), count(Grant::Exhausted)), (1, 1));
    }

    #[test]
    fn a_rest_forgives() {
        let mut now = Duration::ZERO;
        let mut patience = Patience::default();
        for _ in 0..100 {
            let grants = (0..RATE.burst + REFUSALS_MAX / 2).map(|_| patience.take(now));
            assert!(grants.skip(RATE.burst as usize).take(1).eq([Grant::Warned]));
            now += RATE.interval * RATE.burst;
        }
    }
}
