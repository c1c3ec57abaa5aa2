//! How often something may happen, and how much of that is left.

use std::time::Duration;

/// So many in so long: all at once, or one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u64,
    /// In how long; not zero.
    pub per: Duration,
}

impl Rate {
    /// So many in each second.
    pub fn per_second(count: u64) -> Self {
        Self { count, per: Duration::from_secs(1) }
    }

    /// The time in which `count` of them become free, multiplied by the rate's count.
    fn nanos_of(self, count: u64) -> u128 {
        u128::from(count) * self.per.as_nanos()
    }
}

/// A token bucket, as the one time at which it is full again (GCRA): what has been taken beyond the
/// rate is a debt, which only time pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// How many may be taken now.
    pub fn left(self, rate: Rate, now: Duration) -> u64 {
        let missing = self.full_at.saturating_sub(now);
        let there = rate.per.saturating_sub(missing).as_nanos();
        let left = there * u128::from(rate.count) / rate.per.as_nanos();
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    /// Takes so many, be they there or not.
    pub fn take(&mut self, count: u64, rate: Rate, now: Duration) {
        // Rounded down, so that a whole rate can be taken one by one.
        let time = nanos(rate.nanos_of(count) / u128::from(rate.count));
        self.full_at = self.full_at.max(now).saturating_add(time);
    }

    /// When `count` of them, which is no more than the rate's, can be taken.
    pub fn ready_at(self, count: u64, rate: Rate) -> Duration {
        // Rounded up, so that they are there.
        let time = nanos(rate.nanos_of(count).div_ceil(u128::from(rate.count)));
        self.full_at.saturating_add(time).saturating_sub(rate.per)
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_as_time_passes() {
        let rate = Rate { count: 3, per: Duration::from_secs(1) };
        let at = Duration::from_millis;
        let mut bucket = Bucket::default();
        assert_eq!(bucket.left(rate, at(0)), 3);
        (0..3).for_each(|_| bucket.take(1, rate, at(5000)));
        assert_eq!(bucket.left(rate, at(5000)), 0);
        assert_eq!(bucket.left(rate, at(5333)), 0);
        assert_eq!(bucket.left(rate, at(5334)), 1);
        assert_eq!(bucket.left(rate, at(6000)), 3);
        assert_eq!(bucket.left(rate, at(60_000)), 3, "and no more");
    }

    #[test]
    fn what_was_taken_beyond_the_rate_is_a_debt() {
        let rate = Rate::per_second(1000);
        let mut bucket = Bucket::default();
        bucket.take(5000, rate, Duration::ZERO);
        assert_eq!(bucket.left(rate, Duration::from_secs(4)), 0);
        assert_eq!(bucket.left(rate, Duration::from_millis(4100)), 100);
        assert_eq!(bucket.ready_at(100, rate), Duration::from_millis(4100));
    }

    /// Whoever sleeps until then finds as many as it wants, whatever does not divide evenly.
    #[test]
    fn nobody_wakes_too_early() {
        for count in [1, 3, 7, 999, 1_000_003, u64::MAX / 3] {
            let rate = Rate { count, per: Duration::from_secs(60) };
            let mut bucket = Bucket::default();
            bucket.take(count.min(1 << 40), rate, Duration::from_nanos(12_345));
            for wanted in [1, count / 2 + 1, count] {
                let at = bucket.ready_at(wanted, rate);
                assert!(bucket.left(rate, at) >= wanted, "{wanted} of {count}");
            }
        }
    }
}
