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
mod restarts;
mod tell;

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use log::{error, info, warn};

#[cfg(feature = "tls")]
use super::capacity::sessions_warning;
use super::capacity::{Asked, Capacity};
use super::run::{Failure, IMPATIENT_STATUS, Stopped, announce, limits, system};
use crate::limits::{Config, LAST_REQUESTS_TIME, LEAVE_TIME, WORKER_END_TIME};
use crate::net::children::{self, Worker};
use crate::net::control::Word;
use crate::net::listen::{DescriptorLimit, ListenAddress, Listener, Passed, Place};
use crate::net::mio_net::LISTENERS_MAX;
use crate::net::service_manager::ServiceManager;
use crate::net::signals::{self, Asked as Hung, Hangup, Signals};
use crate::units::{about_duration, counted, show_bytes};
use counts::Counts;
use restarts::Restarts;

/// Serves on `addresses` with so many workers until a signal ends them.
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
) -> Result<Stopped, Failure> {
    let descriptors = DescriptorLimit::raise();
    let listeners = Listeners::open(addresses, count)?;
    let mut limits = limits(descriptors);
    // They are all in the same control group, and each has the descriptors of a process.
    limits.memory = limits.memory.map(|memory| memory / count as u64);
    let capacity = Capacity::new(asked, limits, listeners.0.len());
    let (connections, budget) = (capacity.connections, capacity.budget);
    let mut warnings = capacity.warnings;
    #[cfg(feature = "tls")]
    if addresses.iter().any(ListenAddress::is_secure) {
        warnings.extend(sessions_warning(asked, budget));
    }
    for warning in warnings {
        warn!("of each worker: {warning}");
    }
    info!(
        "{} with at most {connections} connections and --buffer-budget {} each; a room or a \
         private URL is one worker's",
        counted(count as u64, "worker"),
        show_bytes(budget as u64)
    );
    let signals = signals::catch(IMPATIENT_STATUS).map_err(system("signals"))?;
    let hangup = signals.hear_hangup().map_err(system("signals"))?;
    let places = listeners.places(addresses).map_err(system("listener"))?;
    let now = children::now();
    let mut slots = Vec::new();
    slots.resize_with(count, Slot::default);
    let drain = config.drain_delay + config.drain_timeout + LEAVE_TIME + LAST_REQUESTS_TIME;
    let supervisor = Supervisor {
        listeners,
        places,
        begin: [connections as u64, budget as u64],
        slots,
        signals,
        hangup,
        manager: ServiceManager::from_environment(),
        counts: Counts::new(count),
        phase: Phase::Starting,
        drain_time: drain + WORKER_END_TIME,
        outcome: Ok(Stopped::Drained),
        reloading: false,
        now,
    };
    supervisor.run()
}

struct Supervisor {
    listeners: Listeners,
    places: Vec<Place>,
    /// What each worker takes on: connections, and bytes for them.
    begin: [u64; 2],
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
    /// When it is to be started again.
    restart_at: Option<Duration>,
    restarts: Restarts,
}

/// Each listener with the number of its address: a socket for each worker, or one for all.
struct Listeners(Vec<(usize, Vec<Listener>)>);

impl Listeners {
    fn open(addresses: &[ListenAddress], count: usize) -> Result<Self, Failure> {
        let mut passed = Passed::from_environment();
        let mut listeners = Vec::new();
        for (at, address) in addresses.iter().enumerate() {
            let opened = address.open_for(count, &mut passed);
            let opened = opened.map_err(|error| Failure::Listen(address.clone(), error))?;
            listeners.extend(opened.into_iter().map(|sockets| (at, sockets)));
        }
        match listeners.len() {
            ..=LISTENERS_MAX => Ok(Self(listeners)),
            count => Err(Failure::Listeners(count)),
        }
    }

    fn places(&self, addresses: &[ListenAddress]) -> io::Result<Vec<Place>> {
        let places = self.0.iter().map(|(address, sockets)| {
            let place = sockets[0].place()?;
            Ok(if addresses[*address].is_secure() { place.secured() } else { place })
        });
        places.collect()
    }

    /// Those for a worker, with the numbers of their addresses.
    fn of(&self, worker: usize) -> impl Iterator<Item = (usize, &Listener)> {
        self.0.iter().map(move |(address, sockets)| (*address, &sockets[worker % sockets.len()]))
    }

    /// The workers decide when their ports are closed. What stands in the file system goes last.
    fn leave(&mut self) {
        self.0.retain(|(_, sockets)| matches!(sockets[..], [Listener::Unix(_, Some(_))]));
    }
}

impl Supervisor {
    fn run(mut self) -> Result<Stopped, Failure> {
        self.start(0)?;
        loop {
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
            self.restart();
            if let Phase::Ending { until, .. } = self.phase {
                if self.slots.iter().all(|slot| slot.worker.is_none()) {
                    return self.end();
                }
                if self.now >= until {
                    self.give_up();
                }
            }
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
        let restarts = self.slots.iter().filter_map(|slot| slot.restart_at);
        let next = restarts.chain(end).chain(self.counts.next()).min();
        next.map(|at| at.saturating_sub(children::now()))
    }

    /// Starts a worker and hands it what it needs.
    fn start(&mut self, at: usize) -> Result<(), Failure> {
        let started = Worker::start(at + 1).and_then(|worker| {
            for (address, listener) in self.listeners.of(at) {
                let number = [address as u64];
                worker.control.send(Word::Listen, &number, Some(listener.as_fd()))?;
            }
            worker.control.send(Word::Begin, &self.begin, None)?;
            Ok(worker)
        });
        let worker = started.map_err(system("worker"))?;
        let slot = &mut self.slots[at];
        (slot.started, slot.heard) = (self.now, self.now);
        slot.worker = Some(worker);
        Ok(())
    }

    /// Starts those again whose time has come.
    fn restart(&mut self) {
        for at in 0..self.slots.len() {
            if self.slots[at].restart_at.is_some_and(|due| self.now >= due) {
                self.slots[at].restart_at = None;
                self.counts.restart();
                if let Err(failure) = self.start(at) {
                    self.put_off(at, Duration::ZERO, &failure.to_string());
                }
            }
        }
    }

    /// A worker that ran for so long is not there any more, and why.
    fn put_off(&mut self, at: usize, ran: Duration, why: &str) {
        let slot = &mut self.slots[at];
        let delay = slot.restarts.delay(ran);
        slot.restart_at = Some(self.now + delay);
        let delay = about_duration(delay);
        error!("worker {}: {why}; it is started again in {delay}", at + 1);
    }

    /// A worker serves.
    fn note_ready(&mut self, at: usize) {
        self.slots[at].ready = true;
        self.slots[at].reloads = false;
        if self.phase != Phase::Starting {
            return self.end_reload();
        }
        // What is wrong with the options the first one has said, alone.
        let started = self.slots.iter().filter(|slot| slot.worker.is_some()).count();
        for other in started..self.slots.len() {
            if let Err(failure) = self.start(other) {
                return self.fail(Err(failure));
            }
        }
        if self.slots.iter().all(|slot| slot.ready) {
            self.phase = Phase::Serving;
            announce(&self.places);
            self.manager.ready();
        }
    }

    /// A worker has ended, or its end of the socket is of no use.
    fn lose(&mut self, at: usize, mut worker: Worker) {
        worker.kill();
        let status = worker.status();
        let slot = &mut self.slots[at];
        (slot.ready, slot.reloads) = (false, false);
        let ran = self.now.saturating_sub(slot.started);
        self.counts.end(at);
        self.end_reload();
        let status = match status {
            Ok(status) => status,
            Err(error) => return self.fail(Err(Failure::System("worker", error))),
        };
        match self.phase {
            Phase::Starting if status.code().is_some() => self.fail(Ok(Stopped::Failed)),
            Phase::Starting => self.fail(Err(Failure::Worker(at + 1, status))),
            Phase::Serving => self.put_off(at, ran, &format!("ended ({status})")),
            Phase::Ending { cut: false, .. } if !status.success() => {
                error!("worker {}: ended ({status})", at + 1);
                self.outcome = Ok(Stopped::Failed);
            }
            Phase::Ending { .. } => {}
        }
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
        self.slots.iter_mut().for_each(|slot| slot.restart_at = None);
    }

    /// Those who have not gone in time never will.
    fn give_up(&mut self) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if let Some(worker) = &mut slot.worker {
                error!("worker {}: does not end, and is killed", at + 1);
                worker.kill();
            }
        }
        self.outcome = Ok(Stopped::Failed);
        self.phase = Phase::Ending { until: Duration::MAX, cut: true };
    }
}
