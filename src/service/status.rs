//! What the server is doing, sent once a second to those who watch `/status`.
//!
//! All figures are counted where things happen, so a frame costs the same however many connections
//! there are. It is made once for all watchers, and not at all while there are none. A watcher is a
//! member like any other: one that does not read is ended as slow.

use std::time::Duration;

use super::rooms::{Full, Rooms};
use super::{Effects, Facts, Kind, MOUNTED, Now, Population, Service};
use crate::ending::Ending;
use crate::id::ConnId;
use crate::limits::RESERVE_BYTES;
use crate::metrics::{Metrics, Purpose};
use crate::ws::close::CloseCode;

/// How often it is told.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is further back than that is no rate any more: nobody has looked in between.
const RATE_WINDOW_MAX: Duration = Duration::from_secs(3);

/// Longest message from somebody who looks. There is nothing to say here, and nobody listens.
const MESSAGE_BYTES_MAX: u64 = 1024;

/// The service.
#[derive(Debug, Default)]
pub struct Status {
    lookers: Rooms<(), ()>,
    /// What was told last.
    frame: String,
    /// The counters of that time.
    sample: Option<Sample>,
    /// When there is something new to tell.
    next: Duration,
}

/// What rates are made of.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    messages: u64,
    received: u64,
    sent: u64,
    turns: u64,
}

impl Service for Status {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    /// Who comes while others look gets what they have, and the next frame with them.
    fn open(&mut self, id: ConnId, _: &str, _: &str, now: Now, effects: &mut Effects) {
        if let Err(Full) = self.lookers.join(id, "", ()) {
            return effects.close(id, CloseCode::TRY_AGAIN, "too many look already");
        }
        if now.monotonic < self.next {
            effects.send([id], Kind::Text, self.frame.as_bytes());
        }
        effects.call_at(self.next.max(now.monotonic));
    }

    fn message(&mut self, _: ConnId, _: Kind, _: &[u8], _: Now, _: &mut Effects) {}

    fn close(&mut self, id: ConnId, _: Now, _: &mut Effects) {
        self.lookers.leave(id);
    }

    fn look(&mut self, facts: &Facts<'_>, now: Now, effects: &mut Effects) {
        if self.lookers.count("") == 0 {
            return;
        }
        if now.monotonic >= self.next {
            let sample = Sample::of(facts.metrics, now.monotonic);
            self.frame = describe(facts, now, self.sample.replace(sample), sample);
            self.next = now.monotonic + INTERVAL;
            let lookers = self.lookers.members("").map(|(id, ())| id);
            effects.send(lookers, Kind::Text, self.frame.as_bytes());
        }
        effects.call_at(self.next);
    }

    fn population(&self) -> Population {
        self.lookers.population()
    }
}

impl Sample {
    fn of(metrics: &Metrics, at: Duration) -> Self {
        Self {
            at,
            messages: metrics.messages,
            received: metrics.bytes_received,
            sent: metrics.bytes_sent,
            turns: metrics.turns,
        }
    }
}

/// The whole frame; `docs/protocols.md` says what is in it.
fn describe(facts: &Facts<'_>, now: Now, before: Option<Sample>, sample: Sample) -> String {
    let Facts { metrics: m, config, .. } = facts;
    let before = before.filter(|before| sample.at - before.at <= RATE_WINDOW_MAX);
    let listeners: Vec<String> = config.listeners.iter().map(|url| quoted(url)).collect();
    object([
        ("version", quoted(env!("CARGO_PKG_VERSION"))),
        ("time", quoted(&now.timestamp())),
        ("uptime_seconds", now.monotonic.as_secs().to_string()),
        ("draining", facts.draining.to_string()),
        ("listeners", format!("[{}]", listeners.join(","))),
        ("connections", connections(facts)),
        ("rooms", object(populations(facts).map(|(name, there)| (name, there.rooms.to_string())))),
        ("totals", totals(m)),
        ("per_second", before.map_or("null".to_owned(), |before| rates(before, sample))),
        ("endings", object(Ending::ALL.map(|e| (e.word(), m.endings[e as usize].to_string())))),
        ("refusals", object(m.refusals().map(|(status, count)| (status, count.to_string())))),
        ("memory", memory(facts)),
        (
            "inflaters",
            numbers([
                ("in_use", m.inflaters_in_use),
                ("limit", config.inflaters as u64),
                ("waits", m.inflater_waits),
            ]),
        ),
    ])
}

/// The services by name, with who is there.
fn populations<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'static str, Population)> + 'a {
    let names = MOUNTED.iter().map(|mounted| mounted.path.path.trim_start_matches('/'));
    names.zip(facts.populations.iter().copied())
}

/// How many connections there are, and what for.
fn connections(facts: &Facts<'_>) -> String {
    let Facts { metrics: m, config, .. } = facts;
    let of = |purpose| m.open_for[purpose as usize];
    let echoes = [
        ("echo", of(Purpose::Echo)),
        ("compressed", of(Purpose::CompressedEcho)),
        ("behaviour", of(Purpose::Behaviour)),
        ("fallback", of(Purpose::Body) + of(Purpose::Events) + of(Purpose::Poll)),
    ];
    let members = populations(facts).map(|(name, there)| (name, there.members as u64));
    let kinds: Vec<(&str, u64)> = echoes.into_iter().chain(members).collect();
    let known: u64 = kinds.iter().map(|(_, count)| count).sum();
    // Those whose handshake has not come, or whose end has.
    let others = m.connections_open.saturating_sub(known);
    let all = [("open", m.connections_open), ("limit", config.max_connections as u64)];
    numbers(all.into_iter().chain(kinds).chain([("others", others)]))
}

fn totals(m: &Metrics) -> String {
    numbers([
        ("accepted", m.connections_accepted),
        ("opened", m.opens),
        ("shed", m.shed),
        ("messages", m.messages),
        ("frames", m.frames),
        ("received_bytes", m.bytes_received),
        ("sent_bytes", m.bytes_sent),
        ("loop_turns", m.turns),
        ("yields", m.yields),
        ("budget_waits", m.budget_waits),
    ])
}

fn rates(before: Sample, now: Sample) -> String {
    let seconds = (now.at - before.at).as_secs_f64().max(0.001);
    let rate = |now: u64, before: u64| ((now - before) as f64 / seconds).round() as u64;
    numbers([
        ("messages", rate(now.messages, before.messages)),
        ("received_bytes", rate(now.received, before.received)),
        ("sent_bytes", rate(now.sent, before.sent)),
        ("loop_turns", rate(now.turns, before.turns)),
    ])
}

/// The ledger, in bytes.
fn memory(facts: &Facts<'_>) -> String {
    let budget = facts.budget;
    numbers([
        ("budget", budget.limit() as u64),
        ("used", budget.used() as u64),
        ("kept", budget.kept() as u64),
        ("inflaters", budget.inflaters() as u64),
        ("reserve", RESERVE_BYTES as u64),
        ("reserve_used", budget.reserve_used() as u64),
    ])
}

fn numbers(fields: impl IntoIterator<Item = (&'static str, u64)>) -> String {
    object(fields.into_iter().map(|(name, number)| (name, number.to_string())))
}

/// An object with its fields in this order. Names are ours, and need no escape.
fn object(fields: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let fields = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::Value;

    use super::super::Effect;
    use super::*;
    use crate::budget::Budget;
    use crate::limits::{Config, ROOM_MEMBERS_MAX};

    fn at(millis: u64) -> Now {
        Now { monotonic: Duration::from_millis(millis), utc: Duration::from_millis(millis) }
    }

    /// What is told at the end of a turn, if a call was due.
    fn end_turn(
        service: &mut Status,
        metrics: &Metrics,
        now: Now,
        effects: &mut Effects,
    ) -> Vec<Effect> {
        if effects.take_due(now.monotonic) {
            let populations = [Population::default(); MOUNTED.len()];
            let (budget, config) = (Budget::new(1 << 20), Config::default());
            let (budget, config, draining) = (&budget, &config, false);
            let facts = Facts { metrics, budget, config, draining, populations };
            service.look(&facts, now, effects);
        }
        effects.take()
    }

    #[test]
    fn one_frame_a_second_is_made_for_all_and_none_for_nobody() {
        let [a, b] = [1, 2].map(|at| ConnId::new(at, 0));
        let (mut service, mut effects) = (Status::default(), Effects::default());
        let metrics = Metrics::default();
        service.open(a, "", "", at(0), &mut effects);
        let first = end_turn(&mut service, &metrics, at(0), &mut effects);
        assert!(matches!(&first[..], [Effect::Send(id, _)] if *id == a), "at once");
        assert_eq!(effects.due(), Some(INTERVAL));
        service.open(b, "", "", at(400), &mut effects);
        let [Effect::Send(id, same)] = &effects.take()[..] else { panic!("what the other has") };
        assert!(*id == b && matches!(&first[..], [Effect::Send(_, frame)] if frame == same));
        assert_eq!(end_turn(&mut service, &metrics, at(999), &mut effects), []);
        let both = end_turn(&mut service, &metrics, at(1000), &mut effects);
        let [Effect::Send(_, one), Effect::Send(_, other)] = &both[..] else { panic!("{both:?}") };
        assert!(Rc::ptr_eq(one, other), "encoded once");
        assert_eq!(effects.due(), Some(2 * INTERVAL));
        service.close(a, at(1500), &mut effects);
        service.close(b, at(1500), &mut effects);
        assert_eq!(end_turn(&mut service, &metrics, at(2000), &mut effects), []);
        assert_eq!(effects.due(), None, "nobody looks");
        // Who comes and goes all the time has nothing made before its time.
        for _ in 0..10 {
            service.open(a, "", "", at(1600), &mut effects);
            assert_eq!(effects.take().len(), 1);
            assert_eq!(effects.due(), Some(2 * INTERVAL));
            service.close(a, at(1600), &mut effects);
        }
        // Nor because another service asks to be called.
        service.open(a, "", "", at(1600), &mut effects);
        effects.take();
        effects.call_at(at(1700).monotonic);
        assert_eq!(end_turn(&mut service, &metrics, at(1700), &mut effects), []);
        assert_eq!(effects.due(), Some(2 * INTERVAL));
    }

    #[test]
    fn rates_are_those_since_the_last_frame() {
        let a = ConnId::new(1, 0);
        let (mut service, mut effects) = (Status::default(), Effects::default());
        let mut metrics = Metrics::default();
        service.open(a, "", "", at(0), &mut effects);
        let mut told = |metrics: &Metrics, millis| {
            let told = end_turn(&mut service, metrics, at(millis), &mut effects);
            let [Effect::Send(_, frame)] = &told[..] else { panic!("{told:?}") };
            let start = frame.iter().position(|byte| *byte == b'{').unwrap();
            serde_json::from_slice::<Value>(&frame[start..]).unwrap()
        };
        assert_eq!(told(&metrics, 0)["per_second"], Value::Null);
        metrics.messages = 300;
        metrics.bytes_sent = 1000;
        let frame = told(&metrics, 2000);
        assert_eq!(frame["per_second"]["messages"], 150);
        assert_eq!(frame["per_second"]["sent_bytes"], 500);
        assert_eq!(frame["totals"]["messages"], 300);
        assert_eq!(frame["time"], "1970-01-01T00:00:02.000Z");
        assert_eq!(told(&metrics, 3000)["per_second"]["messages"], 0);
        assert_eq!(told(&metrics, 60_000)["per_second"], Value::Null, "too long ago");
    }

    #[test]
    fn there_are_seats_for_so_many() {
        let (mut service, mut effects) = (Status::default(), Effects::default());
        for index in 0..=ROOM_MEMBERS_MAX {
            service.open(ConnId::new(index, 0), "", "", at(0), &mut effects);
        }
        let last = ConnId::new(ROOM_MEMBERS_MAX, 0);
        let refused = Effect::Close(last, CloseCode::TRY_AGAIN, "too many look already");
        assert_eq!(effects.take(), [refused]);
    }
}
