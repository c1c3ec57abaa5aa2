//! The loop: wait, mark, accept, drive, deliver, sweep, reap.
//!
//! One thread, one poll, one read buffer. Every socket is registered once for both directions;
//! readiness is remembered in its entry until a call says `WouldBlock`. A connection that has
//! something to do stands in the queue of the ready once, gets its share of the turn, and goes to
//! the tail if that was not enough. Death is a state: whoever finds a connection ended notes its
//! id, and the reaper runs last, so that no event of the same turn meets a new tenant of its slot.

mod accept;
#[cfg_attr(not(feature = "bus"), path = "bus_absent.rs")]
mod bus;
mod capacity;
#[cfg(feature = "tls")]
mod certificates;
mod check;
mod deliver;
mod drain;
mod drive;
mod handed;
mod held;
#[cfg(feature = "jwt")]
mod keys;
mod mark;
mod meters;
mod police;
mod registry;
mod reload;
mod reserve;
mod run;
mod schedule;
mod socket;
mod supervisor;
mod timeouts;
mod worker;

use std::io;
use std::time::Duration;

use crate::conn::read_buffer::ReadBuffer;
use crate::conn::{Context, Timeout};
use crate::ending::Ending;
use crate::id::ConnId;
use crate::limits::{Config, TURN_EVENTS_MAX};
use crate::metrics::Metrics;
use crate::net::{Event, Net};
use accept::Acceptor;
pub use capacity::Asked;
use drain::Drain;
pub use handed::Handed;
use held::Held;
use meters::Meters;
use registry::Registry;
pub use reload::Reload;
pub use run::{Failure, Stopped, run};
use schedule::Schedule;
pub use supervisor::{Role, supervise};
use timeouts::Timeouts;

/// A server on some [`Net`].
#[derive(Debug)]
pub struct Server<N: Net> {
    net: N,
    registry: Registry<N::Stream>,
    timeouts: Timeouts,
    acceptor: Acceptor,
    buffer: ReadBuffer,
    cx: Context,
    events: Vec<Event>,
    schedule: Schedule,
    meters: Meters,
    held: Held,
    ended: Vec<(ConnId, Ending)>,
    drain: Drain,
    /// A second signal has cut the drain short.
    cut_short: bool,
    /// What SIGHUP reloads.
    reloads: Vec<Box<dyn Reload>>,
    /// When those who keep what others wait for are looked at next.
    police_at: Duration,
    /// What rooms share with other processes.
    bus: Option<Box<bus::Seat<N::Stream>>>,
}

impl<N: Net> Server<N> {
    /// A server with `listeners` listening sockets, which must be in `net`.
    pub fn new(mut net: N, listeners: usize, mut config: Config) -> Self {
        config.max_connections = config.max_connections.min(ConnId::COUNT_MAX / 2);
        let mut cx = Context::new(config);
        net.keep_accounts(&cx.budget);
        cx.utc_offset = net.utc().saturating_sub(net.now());
        let meters = Meters::new(&cx.config, u64::from(net.utc().subsec_nanos()));
        let held = Held::new(cx.config.coalesce);
        Self {
            registry: Registry::new(),
            timeouts: Timeouts::new(&cx.config),
            acceptor: Acceptor::new(listeners),
            buffer: ReadBuffer::new(),
            cx,
            events: Vec::with_capacity(TURN_EVENTS_MAX),
            schedule: Schedule::default(),
            meters,
            held,
            ended: Vec::new(),
            drain: Drain::No,
            cut_short: false,
            reloads: Vec::new(),
            police_at: Duration::ZERO,
            bus: None,
            net,
        }
    }

    /// One turn. False when the server has drained and is done; errors are those of the poll.
    pub fn turn(&mut self) -> io::Result<bool> {
        self.net.wait(self.patience(), &mut self.events)?;
        let now = self.net.now();
        self.cx.set_now(now);
        self.cx.metrics.turns += 1;
        let sweep_is_due = self.timeouts.advance(now);
        self.mark();
        if self.cx.timers.next().is_some() {
            self.ring();
        }
        if self.meters.next().is_some() {
            self.ring_meters();
        }
        if self.drain != Drain::No {
            self.advance_drain();
        }
        if self.acceptor.has_something() {
            self.accept();
        }
        let quantum = self.schedule.quantum();
        if quantum != self.cx.quantum {
            self.cx.set_quantum(quantum);
        }
        for _ in 0..self.schedule.ready() {
            let Some(id) = self.schedule.next() else { break };
            self.drive(id, quantum);
            if !self.cx.effects.is_empty() && self.cx.effects.is_full() {
                self.deliver();
            }
        }
        if sweep_is_due {
            self.cx.utc_offset = self.net.utc().saturating_sub(now);
            self.sweep();
        }
        self.settle();
        self.cx.effects.end_turn();
        if self.cx.effects.take_due(self.cx.now) {
            self.ask_for_sum();
            self.release();
            self.gauge();
            self.cx.call_services();
            self.settle();
        }
        if cfg!(feature = "bus") && self.bus.is_some() {
            self.attend_bus();
            // What came from there takes nothing from the share of those who are here.
            self.cx.effects.end_turn();
        }
        // By now those who were told to leave last time have left.
        if self.cx.budget.is_short() {
            self.relieve();
        }
        // Last, because whoever has just ended has left something.
        if self.somebody_waits() {
            self.police();
            self.schedule.call(&mut self.registry, &self.cx);
        }
        self.gauge();
        Ok(self.drain == Drain::No || !self.has_drained())
    }

    /// True if a second signal has cut the drain short.
    pub fn was_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Makes private URLs of `secret`, so that nobody can guess them.
    pub fn set_secret(&mut self, secret: [u64; 4]) {
        self.cx.mailboxes.set_secret(secret);
    }

    /// The counters, for tests and at the end.
    pub fn metrics(&self) -> &Metrics {
        &self.cx.metrics
    }

    /// What the server runs on.
    pub fn net(&mut self) -> &mut N {
        &mut self.net
    }

    /// How long the poll may sleep.
    fn patience(&self) -> Option<Duration> {
        if self.schedule.ready() > 0 || self.acceptor.is_open() {
            return Some(Duration::ZERO);
        }
        let mut next = self.timeouts.next_sweep();
        let mut or_at = |at: Option<Duration>| {
            if at.is_some() {
                next = next.into_iter().chain(at).min();
            }
        };
        or_at(self.drain.next(self.cx.now));
        or_at(self.acceptor.paused_until());
        or_at(self.cx.timers.next());
        or_at(self.meters.next());
        or_at(self.cx.effects.due());
        or_at(self.somebody_waits().then_some(self.police_at));
        next.map(|at| at.saturating_sub(self.cx.now))
    }

    /// Wakes those whose timers have come.
    #[inline(never)]
    fn ring(&mut self) {
        while let Some(id) = self.cx.timers.ring(self.cx.now) {
            if let Some(entry) = self.registry.get(id) {
                entry.connection.wake(&mut self.cx);
                self.schedule.wake(id, &mut entry.standing);
            }
        }
    }

    /// Acts on the timeouts that have run out.
    #[inline(never)]
    fn sweep(&mut self) {
        let mut due = Vec::new();
        self.timeouts.sweep(&mut due);
        for (index, timeout) in due {
            let Some(id) = self.registry.id_at(index) else { continue };
            let Some(entry) = self.registry.get(id) else { continue };
            match timeout {
                Timeout::Starved if entry.standing.waits_for().is_some() => {
                    entry.connection.starve(&mut self.cx);
                }
                _ => entry.connection.expire(timeout, &mut self.cx),
            }
            self.schedule.wake(id, &mut entry.standing);
        }
    }

    fn wake(&mut self, id: ConnId) {
        if let Some(entry) = self.registry.get(id) {
            self.schedule.wake(id, &mut entry.standing);
        }
    }

    /// Hands out what is to be said. Who is too slow for it ends, and may leave words of its own.
    fn settle(&mut self) {
        while !self.ended.is_empty() || !self.cx.effects.is_empty() {
            self.reap();
            self.deliver();
        }
    }

    /// Drops the connections that have ended.
    #[inline(never)]
    fn reap(&mut self) {
        for (id, ending) in self.ended.drain(..) {
            let Some(mut entry) = self.registry.remove(id) else { continue };
            self.acceptor.forget(entry.connection.was_turned_away());
            self.cx.addresses.leave(id.index());
            self.meters.leave(id);
            self.schedule.leave(&mut entry.standing);
            self.timeouts.remove(id.index());
            entry.connection.bury(ending, self.cx.now, &mut self.cx);
        }
        self.cx.metrics.connections_open = self.registry.len() as u64;
    }

    /// Brings the gauges that change within a turn up to date.
    fn gauge(&mut self) {
        self.cx.metrics.buffered_bytes = self.cx.budget.used() as u64;
        self.cx.metrics.inflaters_in_use = self.cx.inflaters.lent() as u64;
        self.net.count(&mut self.cx.metrics);
    }
}
