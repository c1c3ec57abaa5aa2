//! When a worker that has died is started again.

use std::time::Duration;

use crate::limits::{RESTART_DELAY_MAX, RESTART_DELAY_MIN, RUN_WELL_TIME};

/// How often one has died in a short time.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    deaths: u32,
}

impl Restarts {
    /// It has died after it ran for so long. Returns how long to wait.
    pub fn delay(&mut self, ran: Duration) -> Duration {
        if ran >= RUN_WELL_TIME {
            self.deaths = 0;
        }
        let factor = 1_u32.checked_shl(self.deaths).unwrap_or(u32::MAX);
        self.deaths = self.deaths.saturating_add(1);
        RESTART_DELAY_MIN.saturating_mul(factor).min(RESTART_DELAY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_start_anew() {
        let mut restarts = Restarts::default();
        let short = RUN_WELL_TIME / 2;
        let delays: Vec<u128> = (0..9).map(|_| restarts.delay(short).as_millis()).collect();
        assert_eq!(delays, [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
        assert!((0..100).all(|_| restarts.delay(short) == RESTART_DELAY_MAX));
        assert_eq!(restarts.delay(RUN_WELL_TIME), RESTART_DELAY_MIN);
        assert_eq!(restarts.delay(short), 2 * RESTART_DELAY_MIN);
    }
}
