//! What the service manager is told: that the server is ready, reloads its files, still turns,
//! is about to stop (sd_notify(3)). Without a service manager nothing is said. The one of a worker
//! is its supervisor.

use std::rc::Rc;
use std::time::{Duration, Instant};

use log::warn;
use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;

use super::control::{Control, Word};

/// Tells the service manager, if there is one, and keeps its watchdog quiet.
#[derive(Debug)]
pub struct ServiceManager {
    watchdog: Option<Watchdog>,
    supervisor: Option<Rc<Control>>,
}

/// It has to hear something within twice this interval.
#[derive(Debug)]
struct Watchdog {
    interval: Duration,
    due: Instant,
}

impl Watchdog {
    fn of(silence: Duration) -> Self {
        Self { interval: silence / 2, due: Instant::now() }
    }
}

impl ServiceManager {
    /// Asks the environment (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled().map(Watchdog::of), supervisor: None }
    }

    /// The supervisor of a worker, which it wants to hear of before it has been silent for so long.
    pub fn supervisor(control: Rc<Control>, silence: Option<Duration>) -> Self {
        Self { watchdog: silence.map(Watchdog::of), supervisor: Some(control) }
    }

    /// How long nothing may be heard of the process; `None` without a limit.
    pub fn silence(&self) -> Option<Duration> {
        self.watchdog.as_ref().map(|watchdog| watchdog.interval * 2)
    }

    /// Connections are accepted, and files that were to be reloaded have been.
    pub fn ready(&self) {
        self.tell(Some(Word::Ready), &[NotifyState::Ready]);
    }

    /// Files are reloaded: [`Self::ready`] follows. With the time, without which
    /// `Type=notify-reload` would not know which reload is meant.
    pub fn reloading(&self) {
        // Not by the crate's own look at the clock, which overflows where a long has 32 bits.
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        let states = [NotifyState::Reloading, NotifyState::MonotonicUsec(microseconds)];
        self.tell(None, &states);
    }

    /// The drain has begun.
    pub fn stopping(&self) {
        self.tell(None, &[NotifyState::Stopping]);
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
            self.tell(Some(Word::Alive), &[NotifyState::Watchdog]);
        }
    }

    /// A supervisor is told less, since it knows the rest.
    fn tell(&self, word: Option<Word>, states: &[NotifyState<'_>]) {
        match &self.supervisor {
            Some(supervisor) => {
                if let Some(word) = word {
                    supervisor.say(word, &[]);
                }
            }
            None => tell(states),
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        let words: Vec<String> = states.iter().map(NotifyState::to_string).collect();
        warn!("the service manager cannot be told {}: {error}", words.join(" "));
    }
}
