//! A process that serves nobody itself: it opens the listeners, starts workers and keeps them
//! running.
//!
//! Each worker is a whole server on one thread, which knows nothing of the others. On a port each
//! has a socket of its own, between which the kernel divides connections (SO_REUSEPORT); the
//! supervisor keeps them open, so that whoever waits at the socket of a worker that has died is
//! served by the next one. Other listeners are the same for all. What is said between a worker and
//! its supervisor goes over one socket (`net/control.rs`), whose end tells each of the other's.
//!
//! ```text
//! phase     event                              next phase
//! Starting  the first worker serves            Starting: the others are started
//! Starting  all serve                          Serving
//! Starting  one ends                           Ending: what it has said is why
//! Serving   one ends                           Serving: it is started again, later and later
//! any       a signal                           Ending: all drain
//! Ending    all have gone                      the end
//! Ending    another signal                     Ending: nobody is waited for
//! ```

mod counts;
mod life;
mod listeners;
mod restarts;
mod tell;

use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::time::Duration;

use log::{error, info, warn};

use super::Handed;
#[cfg(feature = "tls")]
use super::capacity::sessions_warning;
use super::capacity::{Asked, Capacity, Limits};
use super::run::{Failure, IMPATIENT_STATUS, Stopped, limits, system};
use crate::limits::{Config, LAST_REQUESTS_TIME, LEAVE_TIME, WORKER_END_TIME};
use crate::net::children::{self, Worker};
use crate::net::control::Word;
use crate::net::listen::{DescriptorLimit, ListenAddress, Place};
use crate::net::service_manager::ServiceManager;
use crate::net::signals::{self, Asked as Hung, Hangup, Signals};
use crate::units::{about_duration, counted, show_bytes};
use counts::Counts;
use listeners::Listeners;
use restarts::Restarts;

/// What a process goes on as.
#[derive(Debug)]
pub enum Role {
    /// Its workers have ended, and it ends as well.
    Supervisor(Stopped),
    /// A worker, which is to serve with what it is handed.
    Worker(Handed),
}

/// Serves on `addresses` with so many workers until a signal ends them. It returns in each of them
/// as well, as one of those.
///
/// # Errors
///
/// An address that cannot be used; or what kept a worker from being ready, if that has not said so
/// itself.
pub fn supervise(
    addresses: &[ListenAddress],
    asked: Asked,
    config: &Config,
    count: usize,
) -> Result<Role, Failure> {
    let descriptors = DescriptorLimit::raise();
    let listeners = Listeners::open(addresses, count)?;
    let secure = addresses.iter().any(ListenAddress::is_secure);
    let asked = share(asked, limits(descriptors), count, listeners.count(), secure);
    info!(
        "{} is one worker's",
        if has_bus(config) { "a private URL" } else { "a room or a private URL" }
    );
    let mut signals = signals::catch(IMPATIENT_STATUS).map_err(system("signals"))?;
    signals.hear_children().map_err(system("signals"))?;
    let hangup = signals.hear_hangup().map_err(system("signals"))?;
    let places = listeners.places(addresses).map_err(system("listener"))?;
    let now = children::now();
    let mut slots = Vec::new();
    slots.resize_with(count, Slot::default);
    slots[0].start_at = Some(now);
    let drain = config.drain_delay + config.drain_timeout + LEAVE_TIME + LAST_REQUESTS_TIME;
    let manager = ServiceManager::from_environment();
    let supervisor = Supervisor {
        listeners,
        places,
        asked,
        slots,
        signals,
        hangup,
        manager,
        counts: Counts::new(count),
        phase: Phase::Starting,
        drain_time: drain + WORKER_END_TIME,
        outcome: Ok(Stopped::Drained),
        reloading: false,
        now,
    };
    supervisor.run()
}

/// Whether rooms go over all workers.
fn has_bus(config: &Config) -> bool {
    #[cfg(feature = "bus")]
    let has = config.bus.is_some();
    #[cfg(not(feature = "bus"))]
    let has = {
        let _ = config;
        false
    };
    has
}

/// What each worker takes on, which is said.
fn share(asked: Asked, mut limits: Limits, count: usize, listeners: usize, secure: bool) -> Asked {
    // They are all in the same control group, and each has the descriptors of a process.
    limits.memory = limits.memory.map(|memory| memory / count as u64);
    let Capacity { connections, budget, warnings } = Capacity::new(asked, limits, listeners);
    #[cfg(feature = "tls")]
    let warnings = warnings.into_iter().chain(sessions_warning(asked, budget).filter(|_| secure));
    #[cfg(not(feature = "tls"))]
    let _ = secure;
    for warning in warnings {
        warn!("of each worker: {warning}");
    }
    let workers = counted(count as u64, "worker");
    let bytes = show_bytes(budget as u64);
    info!("{workers} with at most {connections} connections and --buffer-budget {bytes} each");
    Asked { connections: Some(connections), budget: Some(budget) }
}

struct Supervisor {
    listeners: Listeners,
    places: Vec<Place>,
    /// What each worker takes on.
    asked: Asked,
    slots: Vec<Slot>,
    signals: Signals,
    hangup: Hangup,
    manager: ServiceManager,
    counts: Counts,
    phase: Phase,
    /// What a drain may take.
    drain_time: Duration,
    /// How all of it ends, unless something goes wrong from here on.
    outcome: Result<Stopped, Failure>,
    /// Workers are reloading files, and the service manager waits for them.
    reloading: bool,
    /// When the last turn was.
    now: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    /// Those who have not gone by then are killed.
    Ending {
        until: Duration,
        cut: bool,
    },
}

/// A worker's place.
#[derive(Debug, Default)]
struct Slot {
    worker: Option<Worker>,
    /// It serves.
    ready: bool,
    /// It has been told to reload, and has not said that it has.
    reloads: bool,
    /// When it was started, and when it last said something.
    started: Duration,
    heard: Duration,
    /// When it is to be started, maybe again.
    start_at: Option<Duration>,
    restarts: Restarts,
}

impl Supervisor {
    fn run(mut self) -> Result<Role, Failure> {
        loop {
            if let Some((at, control)) = self.start() {
                return Ok(Role::Worker(self.hand(at, control)));
            }
            if let Phase::Ending { until, .. } = self.phase {
                if self.slots.iter().all(|slot| slot.worker.is_none()) {
                    return self.end().map(Role::Supervisor);
                }
                if self.now >= until {
                    self.give_up();
                }
            }
            let workers = self.slots.iter().filter_map(|slot| slot.worker.as_ref());
            let patience = self.manager.patience(self.patience());
            children::wait(&self.signals, workers, patience).map_err(system("poll"))?;
            self.manager.turns();
            let before = std::mem::replace(&mut self.now, children::now());
            self.hear_signals();
            for at in 0..self.slots.len() {
                self.hear(at);
            }
            self.tell_sums();
            self.look_for_the_silent(before);
        }
    }

    fn end(self) -> Result<Stopped, Failure> {
        if matches!(self.outcome, Ok(Stopped::Drained)) {
            info!("all workers have drained");
        }
        self.outcome
    }

    /// How long nothing has to be done.
    fn patience(&self) -> Option<Duration> {
        let end = match self.phase {
            Phase::Ending { until, .. } => Some(until),
            _ => None,
        };
        let restarts = self.slots.iter().filter_map(|slot| slot.start_at);
        let next = restarts.chain(end).chain(self.counts.next()).min();
        next.map(|at| at.saturating_sub(children::now()))
    }

    /// It cannot go on.
    fn fail(&mut self, outcome: Result<Stopped, Failure>) {
        self.stop();
        self.stop();
        self.outcome = outcome;
    }

    /// A signal has come, or something as grave: all drain. Who asks twice means at once.
    fn stop(&mut self) {
        let until = match self.phase {
            Phase::Ending { cut: true, .. } => self.now,
            Phase::Ending { .. } => {
                self.outcome = Ok(Stopped::CutShort);
                self.now + WORKER_END_TIME
            }
            _ => self.now + self.drain_time,
        };
        let cut = matches!(self.phase, Phase::Ending { .. });
        self.phase = Phase::Ending { until, cut };
        self.listeners.leave();
        if !cut {
            self.manager.stopping();
        }
        self.tell_all(if cut { Word::Cut } else { Word::Drain });
        self.slots.iter_mut().for_each(|slot| slot.start_at = None);
    }

    /// Those who have not gone in time never will.
    fn give_up(&mut self) {
        for (at, slot) in self.slots.iter().enumerate() {
            if let Some(worker) = &slot.worker {
                error!("worker {}: does not end, and is killed", at + 1);
                worker.kill();
            }
        }
        self.outcome = Ok(Stopped::Failed);
        self.phase = Phase::Ending { until: Duration::MAX, cut: true };
    }
}
