//! A rate limit: a bucket of tokens that fills up again with time.

use std::time::Duration;

/// How large a bucket is, and how fast it fills.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Tokens in a full bucket.
    pub burst: u32,
    /// One token more comes after each of these.
    pub interval: Duration,
}

/// What is left of a burst. It is kept as the time at which the bucket will be full again, so that
/// there is nothing to count while nobody asks; a new one is full.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// Takes `cost` tokens out, if there are as many.
    pub(super) fn take(&mut self, rate: Rate, cost: u32, now: Duration) -> bool {
        let full_at = self.full_at.max(now) + rate.interval * cost;
        let enough = full_at <= now + rate.interval * rate.burst;
        if enough {
            self.full_at = full_at;
        }
        enough
    }

    /// When there will be a token; `now` if there is one.
    pub(super) fn ready_at(&self, rate: Rate, now: Duration) -> Duration {
        (self.full_at + rate.interval).saturating_sub(rate.interval * rate.burst).max(now)
    }

    /// True if nothing is missing.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 20, interval: Duration::from_millis(100) };

    #[test]
    fn a_burst_and_then_as_fast_as_it_fills() {
        let mut bucket = Bucket::default();
        let mut now = Duration::ZERO;
        let mut take = |now| bucket.take(RATE, 1, now);
        assert!((0..RATE.burst).all(|_| take(now)));
        for _ in 0..2 * RATE.burst {
            assert!(!take(now));
            now += RATE.interval;
            assert!(take(now));
        }
        now += Duration::from_secs(3600);
        assert!((0..RATE.burst).all(|_| take(now)));
        assert!(!take(now), "no more than a burst is saved");
    }

    #[test]
    fn it_is_known_when_there_will_be_a_token() {
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(1);
        assert_eq!(bucket.ready_at(RATE, now), now);
        assert!(!bucket.take(RATE, RATE.burst + 1, now), "more than it ever holds");
        assert!(bucket.is_full(now) && bucket.take(RATE, RATE.burst, now));
        let ready_at = bucket.ready_at(RATE, now);
        assert_eq!(ready_at, now + RATE.interval);
        assert!(!bucket.take(RATE, 1, ready_at - Duration::from_millis(1)));
        assert!(bucket.take(RATE, 1, ready_at) && !bucket.is_full(ready_at));
    }
}
