//! What all connections of a loop share.

use std::rc::Rc;
use std::time::Duration;

use super::inflaters::Inflaters;
use super::mailboxes::Mailboxes;
use super::send_queue::SendQueues;
use super::sums::Sums;
use super::timers::Timers;
use crate::admission::{Addresses, Excess, Recognize};
use crate::behaviour::Behaviours;
use crate::budget::Budget;
use crate::http::{Refusal, Rules, write_refusal};
use crate::limits::{
    Config, INFLATER_TIME_MAX, PACE_WINDOW_MAX, QUANTUM_BYTES_MAX, TURN_EFFECTS_MAX,
    TURN_INFLATE_EFFORT,
};
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::service::{Effects, Facts, MOUNTED, Now, Population, Service, mounted};
use crate::ws::decoder::Bounds;

/// Mailboxes that have run out of time are looked for at most this often.
const MAILBOXES_INTERVAL: Duration = Duration::from_secs(1);

/// The shared state that a connection works with during its turn.
#[derive(Debug)]
pub struct Context {
    /// What the operator chose.
    pub config: Config,
    /// The counters.
    pub metrics: Metrics,
    /// The ledger of what is kept for peers.
    pub budget: Budget,
    /// The send queues.
    pub queues: SendQueues,
    /// The inflaters.
    pub inflaters: Inflaters,
    /// Limits for the decoders.
    pub bounds: Bounds,
    /// Which opening handshakes are wanted.
    pub rules: Rules,
    /// What the addresses of peers have.
    pub addresses: Addresses,
    /// Who know the tokens of those who may come; nobody if all may.
    pub tokens: Vec<Rc<dyn Recognize>>,
    /// The whole 503 for a peer that is turned away.
    pub busy: Rc<[u8]>,
    /// Where HTTP answers are composed.
    pub scratch: Vec<u8>,
    /// The reason of a Close just received, or of a refusal; only filled for the log.
    pub reason: String,
    /// The server is shutting down.
    pub draining: bool,
    /// Connections are logged.
    pub logging: bool,
    /// Frames are logged.
    pub tracing: bool,
    /// The services, in the order of [`MOUNTED`].
    pub services: Vec<Box<dyn Service>>,
    /// What was sent with requests.
    pub mailboxes: Mailboxes,
    /// Who waits for what all workers have counted.
    pub sums: Sums,
    /// How echoes behave.
    pub behaviours: Behaviours,
    /// Who wants to be woken when.
    pub timers: Timers,
    /// What the services want done to connections.
    pub effects: Effects,
    /// The time of this turn.
    pub now: Duration,
    /// Bytes that each connection may read in this turn.
    pub quantum: usize,
    /// What has to be added to `now` for the time of day, UTC since 1970.
    pub utc_offset: Duration,
}

impl Context {
    /// A context for a loop that has just started.
    pub fn new(config: Config) -> Self {
        let bounds =
            Bounds { message_bytes: config.max_message_size, fragments: config.max_fragments };
        let budget = Budget::new(config.buffer_budget);
        let mut busy = Vec::new();
        write_refusal(&mut busy, Refusal::Busy, false);
        let rules = Rules {
            subprotocols: config.subprotocols.clone(),
            origins: config.origins.clone(),
            tokens: config.auth_tokens.is_some() || config.auth_jwt_key.is_some(),
            services: mounted(&config).iter().map(|mounted| mounted.path).collect(),
            fallback: config.fallback,
            workers: config.worker.is_some(),
        };
        Self {
            rules,
            addresses: Addresses::new(&config),
            tokens: Vec::new(),
            busy: busy.into(),
            metrics: Metrics::default(),
            queues: SendQueues::new(budget.clone()),
            inflaters: Inflaters::new(config.inflaters, budget.clone()),
            effects: Effects::new(budget.clone()),
            mailboxes: Mailboxes::new(budget.clone()).of_worker(config.worker),
            sums: Sums::default(),
            bounds,
            scratch: Vec::new(),
            reason: String::new(),
            draining: false,
            logging: log::log_enabled!(log::Level::Debug),
            tracing: log::log_enabled!(log::Level::Trace),
            services: MOUNTED
                .iter()
                .map(|mounted| (mounted.make)(config.room_history, &budget))
                .collect(),
            budget,
            behaviours: Behaviours::new(&config),
            timers: Timers::default(),
            now: Duration::ZERO,
            quantum: 0,
            utc_offset: Duration::ZERO,
            config,
        }
    }

    /// The whole answer for a peer that is turned away.
    pub fn turning_away(&self, refusal: Refusal) -> Rc<[u8]> {
        if refusal == Refusal::Busy {
            return Rc::clone(&self.busy);
        }
        let mut answer = Vec::new();
        write_refusal(&mut answer, refusal, false);
        answer.into()
    }

    /// Whether there may be another connection of this peer, as far as its address goes.
    ///
    /// # Errors
    /// What it is refused with. That has been counted.
    pub fn admit(&mut self, peer: Peer) -> Result<(), Refusal> {
        match self.addresses.admit(peer, self.now) {
            Ok(()) => Ok(()),
            Err(Excess::Connections) => {
                self.metrics.address_connections_refused += 1;
                Err(Refusal::AddressConnections)
            }
            Err(Excess::Rate) => {
                self.metrics.address_rate_refused += 1;
                Err(Refusal::AddressRate)
            }
        }
    }

    /// A turn of the loop begins.
    pub fn set_now(&mut self, now: Duration) {
        self.now = now;
        self.queues.now = now;
    }

    /// In this turn each connection may read `quantum` bytes: what else it may cause shrinks with
    /// them.
    pub fn set_quantum(&mut self, quantum: usize) {
        self.quantum = quantum;
        // In KiB, so that the products fit into words of 32 bits.
        let share = |whole: usize| whole * (quantum / 1024) / (QUANTUM_BYTES_MAX / 1024);
        self.effects.set_share(share(TURN_EFFECTS_MAX));
        self.inflaters.set_share(share(TURN_INFLATE_EFFORT));
    }

    /// Memory is short: drops what rooms keep for those who come later, the oldest first, until it
    /// is not.
    #[cold]
    pub fn shed_histories(&mut self) {
        let mut some = true;
        while some && self.budget.is_short_for_histories() {
            some = false;
            for service in &mut self.services {
                some |= service.shed_history();
            }
        }
    }

    /// Brings what is kept of rooms up to date, for the counters.
    pub fn count_histories(&mut self) {
        let kept = self.services.iter().map(|service| service.history_bytes() as u64);
        self.metrics.room_history_bytes = kept.sum();
    }

    /// For how long a peer's pace is measured before it can be too slow.
    pub fn pace_window(&self) -> Duration {
        let timeout = self.config.stall_timeout;
        if timeout.is_zero() { PACE_WINDOW_MAX } else { timeout.min(PACE_WINDOW_MAX) }
    }

    /// For how long a message may hold an inflater while others wait for one.
    pub fn inflater_time(&self) -> Duration {
        let timeout = self.config.stall_timeout;
        if timeout.is_zero() { INFLATER_TIME_MAX } else { timeout.min(INFLATER_TIME_MAX) }
    }

    /// Between two connections: nothing of the one is left for the other. In debug builds what
    /// they share is overwritten, so that a mistake shows.
    pub fn part(&mut self) {
        debug_assert!(self.scratch.is_empty(), "an answer has been sent or kept");
        debug_assert!(self.reason.is_empty(), "a reason is in its connection's log");
        if cfg!(debug_assertions) {
            self.inflaters.poison();
        }
    }

    /// A turn ends for the services, some of which have asked to be called now.
    #[inline(never)]
    pub fn call_services(&mut self) {
        let now = self.clocks();
        if let Some(at) = self.mailboxes.expire(self.now) {
            self.effects.call_at(at.max(self.now + MAILBOXES_INTERVAL));
        }
        self.metrics.mailboxes = self.mailboxes.len() as u64;
        for service in &mut self.services {
            service.end_of_turn(now, &mut self.effects);
        }
        let mut populations = [Population::default(); MOUNTED.len()];
        for (population, service) in populations.iter_mut().zip(&self.services) {
            *population = service.population();
        }
        let Self { metrics, budget, config, draining, services, effects, .. } = self;
        let facts = Facts { metrics, budget, config, draining: *draining, populations };
        for service in services {
            service.look(&facts, now, effects);
        }
    }

    /// Both clocks, for services.
    pub fn clocks(&self) -> Now {
        Now { monotonic: self.now, utc: self.now + self.utc_offset }
    }
}
