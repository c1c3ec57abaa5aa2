//! What came of a phase: counters, histograms and processes, put into figures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::errors::Kind;
use super::super::process::{Snapshot, own_cpu};
use super::super::report::{Figures, OpenLoop, Recorder, Second, Server, per_second};
use super::super::state::State;
use super::super::tally::Busy;
use super::Engine;
use crate::net::dial::Dial;

/// What came of a phase.
#[derive(Debug)]
pub struct Outcome {
    /// Its figures.
    pub figures: Figures,
    /// Its rows.
    pub seconds: Vec<Second>,
    /// Latencies of its messages.
    pub latency: Recorder,
    /// Latencies of its opening handshakes.
    pub handshake: Recorder,
}

/// What the processes did, at the moments that matter.
#[derive(Debug)]
pub(super) struct Gauges {
    pid: Option<u32>,
    /// Before the first connection.
    at_start: Option<Snapshot>,
    /// When all connections were open.
    at_connected: Option<Snapshot>,
    /// Start and end of the measurement: our own time, and the server.
    from: (Duration, Option<Snapshot>),
    until: (Duration, Option<Snapshot>),
    /// At the row before.
    row: (Duration, Option<Snapshot>),
}

impl Gauges {
    pub(super) fn new(pid: Option<u32>) -> Self {
        let nothing = (Duration::ZERO, None);
        let (from, until, row) = (nothing, nothing, nothing);
        Self { pid, at_start: None, at_connected: None, from, until, row }
    }

    fn now(&self) -> (Duration, Option<Snapshot>) {
        (own_cpu(), self.pid.and_then(Snapshot::take))
    }

    pub(super) fn begin(&mut self) {
        if self.at_start.is_none() {
            self.at_start = self.pid.and_then(Snapshot::take);
        }
    }

    pub(super) fn connected(&mut self) {
        self.at_connected = self.pid.and_then(Snapshot::take);
    }

    pub(super) fn measure(&mut self) {
        self.from = self.now();
        self.row = self.from;
        self.until = self.from;
    }

    pub(super) fn measured(&mut self) {
        self.until = self.now();
    }

    /// Since the row before.
    pub(super) fn busy(&mut self, length: Duration) -> Busy {
        let (before, server_before) = self.row;
        self.row = self.now();
        let (now, server) = self.row;
        let percent = |used: Duration| percent(used, length.as_secs_f64());
        let server_cpu =
            server.zip(server_before).map(|(now, before)| now.cpu.saturating_sub(before.cpu));
        Busy {
            client_percent: percent(now.saturating_sub(before)),
            server_percent: server_cpu.map(percent),
            server_rss_kib: server.map(|server| server.rss_kib),
        }
    }

    fn client_percent(&self, seconds: f64) -> f64 {
        percent(self.until.0.saturating_sub(self.from.0), seconds)
    }

    fn server(&self, messages: u64, open: u64, seconds: f64) -> Option<Server> {
        let (from, until) = (self.from.1?, self.until.1?);
        let cpu = until.cpu.saturating_sub(from.cpu);
        let user = until.user_ticks.saturating_sub(from.user_ticks) as f64;
        let system = until.system_ticks.saturating_sub(from.system_ticks) as f64;
        // The time is exact, its split is the system's estimate.
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        let us = cpu.as_secs_f64() * 1e6 / messages.max(1) as f64;
        let connected = self.at_connected.unwrap_or(until).rss_kib;
        let start = self.at_start.unwrap_or_default();
        let rss_start_kib = start.rss_kib;
        let grown = (connected as f64 - rss_start_kib as f64) * 1024.0;
        Some(Server {
            pid: self.pid?,
            cpu_us_per_message: us,
            user_us_per_message: us * share,
            system_us_per_message: us * (1.0 - share),
            cpu_percent: percent(cpu, seconds),
            rss_kib: until.rss_kib,
            rss_start_kib,
            rss_peak_kib: until.rss_peak_kib,
            anon_kib: until.anon_kib,
            anon_start_kib: start.anon_kib,
            rss_bytes_per_connection: (open > 0).then(|| grown / open as f64),
            voluntary_switches: until.voluntary.saturating_sub(from.voluntary),
            involuntary_switches: until.involuntary.saturating_sub(from.involuntary),
        })
    }
}

/// Of one processor.
fn percent(used: Duration, seconds: f64) -> f64 {
    if seconds > 0.0 { used.as_secs_f64() * 100.0 / seconds } else { 0.0 }
}

impl<D: Dial> Engine<D> {
    /// What is left unanswered becomes errors, and all that was counted the figures of the phase.
    pub(super) fn end_phase(&mut self) -> Outcome {
        let unsent = self.give_up();
        let seconds = self.tally.seconds();
        let counts = self.tally.counts;
        let mut errors = BTreeMap::new();
        let mut error_examples = BTreeMap::new();
        for (kind, count, words) in self.desk.errors.kinds() {
            errors.insert(kind.name().to_owned(), count);
            error_examples.insert(kind.name().to_owned(), words.to_owned());
        }
        let open_loop = self.plan.rate.map(|rate| OpenLoop {
            rate,
            sent_per_second: per_second(counts.sent, seconds),
            unsent,
            lateness_us: self.tally.lateness().latency(),
        });
        let open_max = self.tally.connections.open_max;
        let figures = Figures {
            duration_s: seconds,
            messages: counts.messages,
            messages_per_second: per_second(counts.messages, seconds),
            messages_sent: counts.sent,
            bytes_sent: counts.bytes_sent,
            bytes_received: counts.bytes_received,
            latency_us: self.tally.latency().latency(),
            handshake_us: self.tally.handshake().latency(),
            connections: self.tally.connections.clone(),
            pings: self.desk.pings,
            errors,
            error_examples,
            open_loop,
            broadcast: self.room.as_ref().map(|(room, _)| room.figures.clone()),
            server: self.gauges.server(counts.messages, open_max, seconds),
            client_cpu_percent: self.gauges.client_percent(seconds),
        };
        Outcome {
            figures,
            seconds: self.tally.take_rows(),
            latency: self.tally.latency().clone(),
            handshake: self.tally.handshake().clone(),
        }
    }

    /// Ends the connections that still wait for something; returns how many messages were due and
    /// never sent. Whoever interrupts a run does not wait, so that nothing is wrong then.
    fn give_up(&mut self) -> u64 {
        let mut unsent = 0;
        let (mut unanswered, mut lost) = (0, 0);
        for slot in &mut self.clients {
            let Some(client) = slot.as_mut().filter(|client| client.state() == State::Open) else {
                continue;
            };
            lost += client.receiver.take_lost();
            if client.slow || client.is_at_rest() {
                continue;
            }
            unsent += client.pending as u64;
            unanswered += client.in_flight as u64;
            self.tally.open -= 1;
            self.tally.connections.lost += 1;
            *slot = None;
        }
        let errors = &mut self.desk.errors;
        errors.add_many(Kind::Lost, lost, || format!("{lost} messages never came back"));
        if !self.interrupted {
            let timeout = self.plan.timeout;
            let words = || format!("{unanswered} messages had no answer {timeout:?} after the end");
            errors.add_many(Kind::Timeout, unanswered, words);
            let far = self.net.now() + Duration::from_secs(1);
            if let Some((room, _)) = &mut self.room {
                let unsent = std::mem::take(&mut room.waiting);
                room.lose(unsent as u64, errors);
                room.give_up(far, errors);
            }
        }
        unsent
    }
}
