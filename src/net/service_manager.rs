//! What the service manager is told: that the server is ready, still turns, is about to stop
//! (sd_notify(3)). Where nobody asks for it nothing is said.

use std::time::{Duration, Instant};

use log::warn;
use sd_notify::NotifyState;

/// Tells the service manager, if there is one, and keeps its watchdog quiet.
#[derive(Debug)]
pub struct ServiceManager {
    watchdog: Option<Watchdog>,
}

/// It has to hear something within twice this interval.
#[derive(Debug)]
struct Watchdog {
    interval: Duration,
    due: Instant,
}

impl ServiceManager {
    /// Asks the environment (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    pub fn from_environment() -> Self {
        let interval = sd_notify::watchdog_enabled().map(|longest| longest / 2);
        let watchdog = interval.map(|interval| Watchdog { interval, due: Instant::now() });
        Self { watchdog }
    }

    /// Connections are accepted.
    pub fn ready(&self) {
        tell(NotifyState::Ready);
    }

    /// The drain has begun.
    pub fn stopping(&self) {
        tell(NotifyState::Stopping);
    }

    /// The longest that a wait of at most `timeout` may take.
    pub fn patience(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(watchdog) = &self.watchdog else { return timeout };
        let left = watchdog.due.saturating_duration_since(Instant::now());
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    /// The loop turns.
    pub fn turns(&mut self) {
        let Some(watchdog) = &mut self.watchdog else { return };
        let now = Instant::now();
        if now >= watchdog.due {
            watchdog.due = now + watchdog.interval;
            tell(NotifyState::Watchdog);
        }
    }
}

fn tell(state: NotifyState) {
    let state = [state];
    if let Err(error) = sd_notify::notify(&state) {
        let [state] = state;
        warn!("the service manager cannot be told {state}: {error}");
    }
}
