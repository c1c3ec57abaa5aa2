//! The loop: one poll, one buffer, any number of connections; and the stages that a run goes
//! through.
//!
//! ```text
//! Opening --all open, ramp over--> Warming --warm-up over--> Measuring --time over--> Draining
//! Draining --nothing awaited, or no patience left--> Over
//! ```

mod arrival;
mod connect;
mod figures;
mod members;
mod opening;
mod stages;
mod traffic;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::client::Client;
use super::desk::Desk;
use super::errors::Errors;
use super::pace::Pace;
use super::plan::{Plan, Shape};
use super::report::Second;
use super::room::Room;
use super::script::Script;
use super::tally::Tally;
use crate::net::dial::{Dial, Place};
use crate::net::{Event, Source};
use figures::Gauges;
pub use figures::Outcome;
use members::Member;
use opening::Opening;

/// What is read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// How long connections that we close may take, at the end or between two phases.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// How long answers are waited for when the run was interrupted.
const INTERRUPTED_DRAIN_TIME: Duration = Duration::from_millis(500);

/// Where the clients connect to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server's.
    pub place: Place,
    /// The `Host` field.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Further fields of the request, each a line with its end.
    pub fields: String,
}

/// Somebody who looks on.
pub trait Watch {
    /// A phase of a scenario, or a rate of a search, begins.
    fn begins(&mut self, what: &str);

    /// Once a second while connections are opened: how many of how many are open.
    fn opening(&mut self, open: u64, of: usize);

    /// Once a second while the load goes on.
    fn second(&mut self, row: &Second, errors: &Errors);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Opening,
    Warming(Duration),
    Measuring(Duration),
    Draining(Duration),
    Over,
}

/// The connections of a load, and the loop that drives them.
pub struct Engine<D: Dial> {
    net: D,
    /// At least one; connections take turns with them.
    targets: Vec<Target>,
    plan: Plan,
    clients: Vec<Option<Client<D::Stream>>>,
    desk: Desk,
    tally: Tally,
    /// Members by the number of their connection, in a broadcast.
    room: Option<(Room, Vec<Member>)>,
    buffer: Vec<u8>,
    events: Vec<Event>,
    /// Connections with more to read, and whether the peer has finished.
    again: Vec<(usize, bool)>,
    stage: Stage,
    /// Messages are sent, or answered with new ones.
    sending: bool,
    pace: Option<Pace>,
    /// Open connections in the order of their turns, in an open loop.
    turns: VecDeque<u32>,
    /// Who sends how many messages again at what time, in order.
    thinking: VecDeque<(Duration, usize, usize)>,
    opening: Opening,
    sweep_at: Duration,
    told_at: Duration,
    gauges: Gauges,
    interrupted: bool,
    /// Each row has its latencies.
    keeps_intervals: bool,
}

impl<D: Dial> Engine<D> {
    /// A loop without connections, to one or more targets. `pid` is the server's process, if it is
    /// known.
    pub fn new(net: D, targets: Vec<Target>, pid: Option<u32>) -> Self {
        assert!(!targets.is_empty(), "a load goes somewhere");
        let plan = Plan::default();
        let desk = Desk::new(Script::new(&plan.recipe(), None), plan.verify);
        let now = net.now();
        Self {
            net,
            targets,
            clients: Vec::new(),
            desk,
            tally: Tally::new(false),
            room: None,
            buffer: vec![0; BUFFER_BYTES],
            events: Vec::new(),
            again: Vec::new(),
            stage: Stage::Over,
            sending: false,
            pace: None,
            turns: VecDeque::new(),
            thinking: VecDeque::new(),
            opening: Opening::default(),
            sweep_at: now,
            told_at: now,
            gauges: Gauges::new(pid),
            interrupted: false,
            keeps_intervals: false,
            plan,
        }
    }

    /// Runs one phase. Connections that the next phase can use stay open.
    ///
    /// # Errors
    ///
    /// A poll that fails. What is wrong with the server is in the figures.
    pub fn run(&mut self, plan: &Plan, watch: &mut dyn Watch) -> io::Result<Outcome> {
        self.begin(plan)?;
        while self.stage != Stage::Over {
            self.turn()?;
            self.tick(watch);
        }
        Ok(self.end_phase())
    }

    /// Closes all connections in order, as far as the server lets it.
    ///
    /// # Errors
    ///
    /// A poll that fails.
    pub fn finish(&mut self) -> io::Result<()> {
        self.close_from(0)
    }

    /// From now on each row keeps its latencies.
    pub fn keep_intervals(&mut self) {
        self.keeps_intervals = true;
    }

    /// The run was ended before its time.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Time of day: UTC since 1970.
    pub fn utc(&self) -> Duration {
        self.net.utc()
    }

    fn begin(&mut self, plan: &Plan) -> io::Result<()> {
        let kept = if self.plan.leaves_connections_to(plan) { plan.connections } else { 0 };
        self.close_from(kept)?;
        self.plan = plan.clone();
        let agreed = self.desk.agreed.filter(|_| plan.deflate.is_some());
        self.desk = Desk::new(Script::new(&plan.recipe(), agreed), plan.verify);
        self.desk.agreed = agreed;
        let open = self.clients.iter().flatten().count() as u64;
        self.tally = Tally::new(plan.rate.is_some() || matches!(plan.shape, Shape::Broadcast(_)));
        self.tally.open = open;
        self.tally.connections.open_max = open;
        let before = std::mem::replace(&mut self.room, members::room(plan));
        (self.pace, self.thinking, self.turns) = (None, VecDeque::new(), VecDeque::new());
        let now = self.net.now();
        self.gauges.begin();
        (self.sweep_at, self.told_at) = (now, now);
        self.opening = Opening::new(plan, &self.clients, now);
        self.clients.resize_with(plan.connections, || None);
        self.hand_over(before, now);
        self.stage = Stage::Opening;
        let ramps = plan.ramp > Duration::ZERO && self.room.is_none();
        if ramps || plan.touch > 0 || matches!(plan.shape, Shape::Churn(_)) {
            self.begin_traffic(now);
        }
        Ok(())
    }

    /// Connections that were there before this phase begin it, each where it stands: in the middle
    /// of a frame maybe.
    fn hand_over(&mut self, mut before: Option<(Room, Vec<Member>)>, now: Duration) {
        for at in 0..self.clients.len() {
            let Some(client) = &mut self.clients[at] else { continue };
            let rest = match &mut before {
                Some((_, members)) => members[at].leave(),
                None => client.receiver.leave(),
            };
            client.open(self.desk.script.start(at), self.desk.agreed.is_some(), now);
            match &mut self.room {
                Some((_, members)) => members[at].take_up(rest),
                None => client.receiver.take_up(rest),
            }
            self.take_turns(at);
        }
    }

    /// One wait, and what it brings.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.net.now();
        let until = if self.again.is_empty() { self.deadline(now) } else { now };
        let again = std::mem::take(&mut self.again);
        let mut events = std::mem::take(&mut self.events);
        self.net.wait(Some(until), &mut events)?;
        for event in &events {
            match event.source {
                Source::Connection(at) => self.event(at, *event),
                Source::Signal => self.interrupted = true,
                Source::Listener(_) | Source::Reload | Source::Bus | Source::Supervisor => {}
            }
        }
        self.events = events;
        for (at, hangup) in again {
            self.read_on(at, hangup);
        }
        let now = self.net.now();
        self.connect_more(now);
        self.advance(now);
        self.send_due(now);
        self.sweep(now);
        Ok(())
    }
}
