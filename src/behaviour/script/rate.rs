//! How fast a script may send: `rate`, in bytes a second, in steps.

use std::time::Duration;

use super::{RATE_STEP, Script};

impl Script {
    /// True if the rate lets something be sent now.
    pub(super) fn line_is_free(&self, now: Duration) -> bool {
        self.behaviour.rate.is_none() || self.line_free <= now || self.line_free < self.step_end
    }

    /// How many bytes the rate lets be sent at once, while the line is free.
    pub(super) fn step_bytes_max(&self, now: Duration) -> Option<usize> {
        let rate = f64::from(self.behaviour.rate?);
        let ahead = match self.line_free <= now {
            true => RATE_STEP,
            false => self.step_end.saturating_sub(self.line_free),
        };
        Some(((ahead.as_secs_f64() * rate) as usize).max(1))
    }

    /// Notes that `count` bytes were sent: with a rate, they take their time.
    pub(super) fn occupy_line(&mut self, now: Duration, count: usize) {
        let Some(rate) = self.behaviour.rate.map(f64::from) else { return };
        if self.line_free <= now {
            self.line_free = now;
            self.step_end = now + RATE_STEP;
        }
        self.line_free += Duration::from_secs_f64(count as f64 / rate);
    }
}
