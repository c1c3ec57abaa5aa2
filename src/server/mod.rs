//! The loop: wait, mark, accept, drive, sweep, reap.
//!
//! One thread, one poll, one read buffer. Every socket is registered once for both directions;
//! readiness is remembered in its entry until a call says `WouldBlock`. A connection that has
//! something to do stands in the queue `ready` once, gets its share of the turn, and goes to the
//! tail if that was not enough. Death is a state: whoever finds a connection ended notes its id,
//! and the reaper runs last, so that no event of the same turn meets a new tenant of its slot.

mod accept;
mod deadlines;
mod deliver;
mod drive;
mod registry;
mod run;
mod starved;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use log::info;

use crate::conn::area::Area;
use crate::conn::{Context, Watch};
use crate::ending::Ending;
use crate::id::ConnId;
use crate::limits::{Config, READ_BYTES_MIN, TURN_EFFECTS_MAX, TURN_EVENTS_MAX};
use crate::metrics::Metrics;
use crate::net::{Event, Net, Source};
use accept::Gate;
use deadlines::Deadlines;
use registry::Registry;
pub use run::{Failure, run};
use starved::Starved;

/// A server on some [`Net`].
#[derive(Debug)]
pub struct Server<N: Net> {
    net: N,
    registry: Registry<N::Stream>,
    deadlines: Deadlines,
    gate: Gate,
    area: Area,
    cx: Context,
    events: Vec<Event>,
    ready: VecDeque<ConnId>,
    starved: Starved,
    ended: Vec<(ConnId, Ending)>,
    drain_until: Option<Duration>,
}

impl<N: Net> Server<N> {
    /// A server with `listeners` listening sockets, which must be in `net`.
    pub fn new(net: N, listeners: usize, mut config: Config) -> Self {
        config.max_connections = config.max_connections.min(ConnId::COUNT_MAX / 2);
        let mut cx = Context::new(config);
        cx.utc_offset = net.utc().saturating_sub(net.now());
        Self {
            registry: Registry::new(),
            deadlines: Deadlines::new(&cx.config),
            gate: Gate::new(listeners),
            area: Area::new(),
            cx,
            events: Vec::with_capacity(TURN_EVENTS_MAX),
            ready: VecDeque::new(),
            starved: Starved::default(),
            ended: Vec::new(),
            drain_until: None,
            net,
        }
    }

    /// One turn. False when the server has drained and is done; errors are those of the poll.
    pub fn turn(&mut self) -> io::Result<bool> {
        self.net.wait(self.patience(), &mut self.events)?;
        self.cx.now = self.net.now();
        self.cx.metrics.turns += 1;
        let sweep_is_due = self.deadlines.advance(self.cx.now);
        self.mark();
        self.ring();
        self.accept();
        for _ in 0..self.ready.len() {
            if let Some(id) = self.ready.pop_front() {
                self.drive(id);
                if self.cx.effects.len() >= TURN_EFFECTS_MAX {
                    self.deliver();
                }
            }
        }
        if sweep_is_due {
            self.cx.utc_offset = self.net.utc().saturating_sub(self.cx.now);
            self.sweep();
        }
        // Who ends may have somebody to say goodbye to, and who is too slow for that ends too.
        while !self.ended.is_empty() || !self.cx.effects.is_empty() {
            self.reap();
            self.deliver();
        }
        // Last, because whoever has just ended has left something.
        if !self.starved.is_empty() {
            self.feed();
        }
        self.gauge();
        Ok(!self.has_drained())
    }

    /// The counters, for tests and at the end.
    pub fn metrics(&self) -> &Metrics {
        &self.cx.metrics
    }

    /// What the server runs on.
    pub fn net(&mut self) -> &mut N {
        &mut self.net
    }

    /// Panics if the books do not balance; for tests.
    pub fn check(&mut self) {
        let m = &self.cx.metrics;
        let ended: u64 = m.endings.iter().sum();
        assert_eq!(m.connections_accepted, ended + self.registry.len() as u64);
        assert_eq!(m.connections_open, self.registry.len() as u64);
        let store = &self.cx.store;
        assert_eq!(m.buffered_bytes, store.all_bytes() as u64);
        assert_eq!(m.endings[Ending::Internal as usize], 0);
        let (mut held, mut posted, mut kept, mut excess) = (0, 0, 0, 0);
        for id in self.registry.ids() {
            let Some(entry) = self.registry.get(id) else { continue };
            let (own, shared, waiting) = entry.connection.buffered();
            held += own;
            posted += shared;
            kept += waiting.unwrap_or(0);
            // Control frames are held whatever there is, and a talk notices after a piece that it
            // has kept too much.
            excess += waiting.map_or(256, |_| 4 * READ_BYTES_MIN);
            let times = self.ready.iter().filter(|other| **other == id).count();
            assert_eq!(times, usize::from(entry.queued), "ready once");
            assert_eq!(self.starved.count(id), usize::from(entry.starved), "starved once");
        }
        assert_eq!(held, self.cx.store.bytes());
        assert_eq!(kept, self.cx.store.kept_bytes());
        assert_eq!(posted == 0, self.cx.store.posted_bytes() == 0);
        assert!(held + kept <= self.cx.config.buffer_budget + excess);
    }

    /// How long the poll may sleep.
    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() || self.gate.is_open() {
            return Some(Duration::ZERO);
        }
        let now = self.cx.now;
        let deadline = self.drain_until.map(|until| until.saturating_sub(now));
        let pause = self.gate.pause(now);
        let alarm = self.cx.alarms.next().map(|at| at.saturating_sub(now));
        [self.deadlines.sleep(now), deadline, pause, alarm].into_iter().flatten().min()
    }

    /// Remembers what the events said.
    fn mark(&mut self) {
        let mut signalled = false;
        for event in &self.events {
            match event.source {
                Source::Connection(token) => {
                    let id = ConnId::from_token(token);
                    let Some(entry) = self.registry.get(id) else { continue };
                    entry.readable |= event.readable;
                    entry.writable |= event.writable;
                    entry.hangup |= event.hangup;
                    if !entry.queued {
                        entry.queued = true;
                        self.ready.push_back(id);
                    }
                }
                Source::Listener(at) => self.gate.mark(at),
                Source::Signal => signalled = true,
            }
        }
        if signalled {
            self.shut_down();
        }
    }

    /// Wakes those whose time has come.
    fn ring(&mut self) {
        while let Some(id) = self.cx.alarms.ring(self.cx.now) {
            if let Some(entry) = self.registry.get(id) {
                entry.connection.wake(&mut self.cx);
                self.enqueue(id);
            }
        }
    }

    /// Stops accepting and says Close 1001 to everyone.
    fn shut_down(&mut self) {
        if self.drain_until.is_some() {
            return;
        }
        info!("draining {} connections", self.registry.len());
        self.net.close_listeners();
        self.gate.close();
        self.cx.draining = true;
        self.drain_until = Some(self.cx.now + self.cx.config.drain_timeout);
        for id in self.registry.ids() {
            if let Some(entry) = self.registry.get(id) {
                entry.connection.shut_down(&mut self.cx);
            }
            self.enqueue(id);
        }
    }

    fn has_drained(&mut self) -> bool {
        let Some(until) = self.drain_until else { return false };
        if self.cx.now >= until {
            for id in self.registry.ids() {
                self.ended.push((id, Ending::Shutdown));
            }
            self.reap();
            self.gauge();
        }
        self.registry.is_empty()
    }

    /// Acts on the deadlines that have passed.
    fn sweep(&mut self) {
        let mut due = Vec::new();
        self.deadlines.sweep(&mut due);
        for index in due {
            let Some(id) = self.registry.id_at(index) else { continue };
            if let Some(entry) = self.registry.get(id) {
                match self.deadlines.watch(index) {
                    Watch::Starved => entry.connection.starve(&mut self.cx),
                    _ => entry.connection.expire(&mut self.cx),
                }
            }
            self.enqueue(id);
        }
    }

    /// Lets those read again for whom there is something now.
    fn feed(&mut self) {
        for id in self.starved.fed(&self.cx) {
            let Some(entry) = self.registry.get(id) else { continue };
            entry.starved = false;
            if !entry.queued {
                entry.queued = true;
                self.ready.push_back(id);
            }
        }
    }

    fn enqueue(&mut self, id: ConnId) {
        if let Some(entry) = self.registry.get(id) {
            if !entry.queued {
                entry.queued = true;
                self.ready.push_back(id);
            }
        }
    }

    /// Drops the connections that have ended.
    fn reap(&mut self) {
        for (id, ending) in self.ended.drain(..) {
            let Some(entry) = self.registry.remove(id) else { continue };
            if entry.starved {
                self.starved.forget(id);
            }
            self.deadlines.remove(id.index());
            entry.connection.bury(ending, self.cx.now, &mut self.cx);
        }
    }

    /// Brings the gauges up to date.
    fn gauge(&mut self) {
        let store = &self.cx.store;
        self.cx.metrics.connections_open = self.registry.len() as u64;
        self.cx.metrics.buffered_bytes = store.all_bytes() as u64;
        self.cx.metrics.inflaters_in_use = self.cx.inflaters.lent() as u64;
    }
}
