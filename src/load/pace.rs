//! When messages are due. Pure: the time is handed in, and nothing here knows a socket.
//!
//! In a closed loop the answers set the pace: whatever was answered is sent again, at once or after
//! a pause. In an open loop the clock does, whatever the server makes of it: each message has a
//! time at which it is due, and its latency counts from there. A server that stalls for a second
//! then shows a second in as many messages as were due in it, where a closed loop would have waited
//! with it and counted one.

use std::time::Duration;

/// The times at which the messages of an open loop are due.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Messages a second, above 0.
    rate: f64,
    start: Duration,
    /// While this lasts, from the start, the rate grows from 0.
    ramp: Duration,
    issued: u64,
}

impl Pace {
    /// `rate` messages a second from `start` on; over `ramp` the rate grows to it evenly.
    pub fn new(rate: f64, start: Duration, ramp: Duration) -> Self {
        Self { rate, start, ramp, issued: 0 }
    }

    /// When the next message is due.
    pub fn next(&self) -> Duration {
        let nth = self.issued as f64;
        let ramp = self.ramp.as_secs_f64();
        // A rate that grows evenly to r over a time of t has made r * x² / 2t messages after x.
        let ramped = self.rate * ramp / 2.0;
        let after = if nth < ramped {
            (2.0 * nth * ramp / self.rate).sqrt()
        } else {
            ramp + (nth - ramped) / self.rate
        };
        self.start + Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX / 2)
    }

    /// When the next message was due, if that is not after `now`; then the one behind it is next.
    pub fn take(&mut self, now: Duration) -> Option<Duration> {
        let due = self.next();
        if due > now {
            return None;
        }
        self.issued += 1;
        Some(due)
    }
}

/// How many of something, such as connections, may have begun after some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Allowance {
    /// All at once.
    #[default]
    All,
    /// So many each second, the first at once.
    PerSecond(f64),
}

impl Allowance {
    /// How many may have begun `after` the start.
    pub fn allowed(self, after: Duration) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::PerSecond(rate) => (after.as_secs_f64() * rate) as usize + 1,
        }
    }

    /// How long after the start the next may begin, when `begun` have.
    pub fn next(self, begun: usize) -> Duration {
        match self {
            Self::All => Duration::ZERO,
            Self::PerSecond(rate) => {
                Duration::try_from_secs_f64(begun as f64 / rate).unwrap_or(Duration::MAX / 2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn due(pace: &mut Pace, now: Duration) -> Vec<u128> {
        std::iter::from_fn(|| pace.take(now)).map(|due| (due - START).as_millis()).collect()
    }

    #[test]
    fn messages_are_due_evenly_whenever_somebody_looks() {
        let mut pace = Pace::new(1000.0, START, Duration::ZERO);
        assert_eq!(pace.next(), START);
        assert!(due(&mut pace, START - millis(1)).is_empty());
        assert_eq!(due(&mut pace, START), [0]);
        assert!(due(&mut pace, START + Duration::from_micros(999)).is_empty());
        // Nobody looked for five of them: they are due when they were.
        assert_eq!(due(&mut pace, START + millis(5)), [1, 2, 3, 4, 5]);
        assert_eq!(pace.next(), START + millis(6));
    }

    #[test]
    fn a_rate_is_kept_for_hours() {
        let mut pace = Pace::new(3.0, START, Duration::ZERO);
        let hour = Duration::from_secs(3600);
        assert_eq!(due(&mut pace, START + hour - millis(1)).len(), 3 * 3600);
        assert_eq!(pace.next(), START + hour);
    }

    #[test]
    fn a_ramp_sends_half_and_ends_at_the_rate() {
        let mut pace = Pace::new(1000.0, START, millis(2000));
        let ramp = due(&mut pace, START + millis(2000) - millis(1));
        assert_eq!(ramp.len(), 1000, "half of what the rate would make");
        let early = ramp.iter().filter(|at| **at < 1000).count();
        assert_eq!(early, 250, "a quarter of them in the first half");
        assert_eq!(due(&mut pace, START + millis(2004)), [2000, 2001, 2002, 2003, 2004]);
    }

    #[test]
    fn allowances() {
        assert_eq!(Allowance::All.allowed(Duration::ZERO), usize::MAX);
        let slow = Allowance::PerSecond(10.0);
        assert_eq!(slow.allowed(Duration::ZERO), 1);
        assert_eq!(slow.allowed(millis(250)), 3);
        assert_eq!(slow.next(3), millis(300));
        assert_eq!(slow.allowed(slow.next(3)), 4);
    }
}
