//! The load generator on a network in memory and a clock that is moved by hand, against servers
//! that do wrong in one way each. Nothing here takes real time.
#![cfg(feature = "load")]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use wsecho::http::AcceptKey;
use wsecho::load::engine::{Engine, Outcome, Target, Watch};
use wsecho::load::errors::Errors;
use wsecho::load::plan::{Audience, Plan, Shape};
use wsecho::load::report::Second;
use wsecho::load::sizes::Sizes;
use wsecho::net::dial::{Dial, Place};
use wsecho::net::{Event, Incoming, Source, Stream};

/// What a server does beside echoing, with the messages of a connection by their number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Flip(usize),
    Swap(usize),
    Repeat(usize),
    Drop(usize),
    Binary(usize),
    Cut(usize),
    Close(usize),
    Finish(usize),
    Reset(usize),
    Ping(usize),
    Welcome,
    Refuse,
    Forbid,
    Deaf,
    /// Nothing is answered from one moment to another; then all of it.
    Stall(Duration, Duration),
    /// Each message goes to all connections.
    Room,
    /// The answer to a Close comes behind a lot of what nobody has asked for, and meanwhile a
    /// signal.
    LastWords {
        signal: bool,
    },
    /// So many pings come with the first message, and nothing more is read.
    Pings(usize),
    /// A message comes that has no end.
    Endless,
    /// As a room, but of one connection nothing is read.
    DeafTo(usize),
    /// A lot comes that nobody has asked for, with a message of this number.
    Loud(usize),
    /// Behind the first echo comes the start of a ping, and behind that a message that nobody has
    /// asked for, whose rest is late.
    Torn,
    /// As a room, but of the first message the rest is late for all.
    TornRoom,
    /// No WebSocket server: all bytes come back, that of this number in the stream a wrong one.
    Bare(Option<usize>),
}

/// One connection, seen from the server.
#[derive(Default)]
struct Wire {
    /// The request, then frames, as far as they have not been looked at.
    heard: Vec<u8>,
    open: bool,
    messages: usize,
    /// Those that a bare echo has heard.
    bytes: usize,
    held: Option<Vec<u8>>,
    pongs: usize,
    /// Bytes written by the client, less those that it has read: about what lies between the two.
    unread: usize,
    /// What the client can read.
    down: VecDeque<u8>,
    /// Nothing more is taken from the client.
    full: bool,
    /// The client has been told that there is no room, and is to hear when there is again.
    refused: bool,
    /// How often it asked while it knew that.
    asked_in_vain: usize,
    /// The client has sent its Close.
    closed: bool,
    finished: bool,
    failed: bool,
    gone: bool,
    /// Edges that have not been told.
    readable: bool,
    writable: bool,
}

struct World {
    now: Duration,
    fault: Fault,
    /// From a message to its answer.
    delay: Duration,
    wires: BTreeMap<usize, Wire>,
    /// What happens at what time, in order of its number there.
    later: BTreeMap<(Duration, u64), (usize, Action)>,
    next: u64,
    sources: Vec<Option<IpAddr>>,
    signal_at: Option<Duration>,
    /// What it takes to look at the clock.
    tick: Duration,
    /// Who has read in which order; `None` for each wait.
    trail: Vec<Option<usize>>,
}

enum Action {
    Bytes(Vec<u8>),
    Finish,
    Fail,
}

impl World {
    fn schedule(&mut self, at: Duration, wire: usize, action: Action) {
        self.next += 1;
        self.later.insert((at, self.next), (wire, action));
    }

    /// When an answer goes out that is ready now.
    fn answer_time(&self) -> Duration {
        let ready = self.now + self.delay;
        match self.fault {
            Fault::Stall(from, until) if from <= ready && ready < until => until,
            _ => ready,
        }
    }

    fn answer(&mut self, wire: usize, bytes: Vec<u8>) {
        let at = self.answer_time();
        self.schedule(at, wire, Action::Bytes(bytes));
    }

    fn happen(&mut self, wire: usize, action: Action) {
        let lives = |wire: &&mut Wire| !(wire.gone || wire.finished || wire.failed);
        let Some(wire) = self.wires.get_mut(&wire).filter(lives) else { return };
        match action {
            Action::Bytes(bytes) => wire.down.extend(bytes),
            Action::Finish => wire.finished = true,
            Action::Fail => wire.failed = true,
        }
        wire.readable = true;
    }

    /// The client has written.
    fn hear(&mut self, id: usize, bytes: &[u8]) {
        let wire = self.wires.get_mut(&id).expect("it is connected");
        if let Fault::Bare(wrong) = self.fault {
            let (mut bytes, before) = (bytes.to_vec(), wire.bytes);
            wire.bytes += bytes.len();
            let wrong = wrong.and_then(|at| bytes.get_mut(at.checked_sub(before)?));
            wrong.into_iter().for_each(|byte| *byte ^= 4);
            return self.answer(id, bytes);
        }
        wire.heard.extend_from_slice(bytes);
        if !wire.open {
            let head = String::from_utf8_lossy(&wire.heard).into_owned();
            assert!(head.ends_with("\r\n\r\n"), "the request comes at once");
            wire.heard.clear();
            wire.open = true;
            self.shake_hands(id, &head);
            return;
        }
        while let Some((first, payload)) =
            next_frame(&mut self.wires.get_mut(&id).expect("it is").heard)
        {
            self.frame(id, first, payload);
        }
    }

    fn shake_hands(&mut self, id: usize, head: &str) {
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = AcceptKey::derive(key.expect("a key").as_bytes()).expect("16 bytes");
        let accept = accept.as_bytes().escape_ascii();
        let answer = match self.fault {
            Fault::Forbid => "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned(),
            Fault::Deaf => return,
            _ => format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            ),
        };
        self.answer(id, answer.into_bytes());
        let is_deaf = self.fault == Fault::DeafTo(id);
        self.wires.get_mut(&id).expect("connected").full = is_deaf;
        if self.fault == Fault::Welcome {
            self.answer(id, frame(0x81, b"welcome"));
        }
    }

    fn frame(&mut self, id: usize, first: u8, payload: Vec<u8>) {
        let at = self.answer_time();
        let wire = self.wires.get_mut(&id).expect("it is connected");
        match first {
            0x88 => {
                wire.closed = true;
                if let Fault::LastWords { signal } = self.fault {
                    let words = long_frame(LAST_WORDS_BYTES as u64, LAST_WORDS_BYTES);
                    self.signal_at = signal.then_some(at + 3 * MILLI);
                    self.schedule(at, id, Action::Bytes(words));
                }
                self.schedule(at, id, Action::Bytes(frame(0x88, &payload)));
                self.schedule(at, id, Action::Finish);
            }
            0x8A => wire.pongs += 1,
            _ => {
                let nth = wire.messages;
                wire.messages += 1;
                self.message(id, nth, first, payload);
            }
        }
    }

    fn message(&mut self, id: usize, nth: usize, first: u8, mut payload: Vec<u8>) {
        let mut first = first;
        let at = self.answer_time();
        let mut out = Vec::new();
        match self.fault {
            Fault::Flip(at) if at == nth => payload[3] ^= 4,
            Fault::Cut(at) if at == nth => payload.truncate(3),
            Fault::Binary(at) if at == nth => first = 0x82,
            Fault::Drop(at) if at == nth => return,
            Fault::Swap(at) if at == nth => {
                self.wires.get_mut(&id).expect("connected").held = Some(frame(first, &payload));
                return;
            }
            Fault::Ping(at) if at == nth => out.extend(frame(0x89, b"tick")),
            Fault::Repeat(at) if at == nth => out.extend(frame(first, &payload)),
            Fault::Close(at) if at == nth => {
                self.schedule(self.answer_time(), id, Action::Bytes(frame(0x88, b"\x03\xe9bye")));
                return;
            }
            Fault::Finish(n) if n == nth => return self.schedule(at, id, Action::Finish),
            Fault::Reset(n) if n == nth => return self.schedule(at, id, Action::Fail),
            Fault::Pings(count) => {
                let pings = frame(0x89, &[b'?'; 125]).repeat(count);
                self.wires.get_mut(&id).expect("connected").full = true;
                return self.answer(id, pings);
            }
            Fault::Endless => {
                return self.answer(id, long_frame(1 << 40, LAST_WORDS_BYTES));
            }
            Fault::Loud(at) if at == nth => out.extend(long_frame(LOUD_BYTES as u64, LOUD_BYTES)),
            Fault::Torn if nth == 0 => {
                let torn = [frame(first, &payload), frame(0x89, b"tick")[..3].to_vec()].concat();
                self.answer(id, torn);
                let rest = [&frame(0x89, b"tick")[3..], &frame(0x01, b"half")[..4]].concat();
                self.schedule(at + LATE, id, Action::Bytes(rest));
                let rest = [&frame(0x01, b"half")[4..], &frame(0x80, b" and half")].concat();
                self.schedule(at + 2 * LATE, id, Action::Bytes(rest));
                return;
            }
            Fault::TornRoom if nth == 0 => {
                for other in self.wires.keys().copied().collect::<Vec<_>>() {
                    let whole = frame(first, &payload);
                    self.answer(other, whole[..20].to_vec());
                    self.schedule(at + 2 * LATE, other, Action::Bytes(whole[20..].to_vec()));
                }
                return;
            }
            Fault::TornRoom | Fault::Room | Fault::DeafTo(_) => {
                for other in self.wires.keys().copied().collect::<Vec<_>>() {
                    self.answer(other, frame(first, &payload));
                }
                return;
            }
            _ => {}
        }
        out.extend(frame(first, &payload));
        out.extend(self.wires.get_mut(&id).expect("connected").held.take().unwrap_or_default());
        self.answer(id, out);
    }
}

/// The start of a binary frame whose head says `length`.
fn long_frame(length: u64, bytes: usize) -> Vec<u8> {
    [&[0x82, 127][..], &length.to_be_bytes(), &vec![0; bytes]].concat()
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126);
    [&[first, length], payload].concat()
}

/// Takes one masked frame of up to 125 bytes from the front, unmasked.
fn next_frame(heard: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let length = usize::from(*heard.get(1)? & 0x7F);
    assert!(heard[1] & 0x80 != 0, "clients mask (RFC 6455 §5.3)");
    assert!(length < 126, "messages of these tests are short");
    if heard.len() < 6 + length {
        return None;
    }
    let rest = heard.split_off(6 + length);
    let frame = std::mem::replace(heard, rest);
    let key = &frame[2..6];
    let plain = frame[6..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    Some((frame[0], plain.collect()))
}

struct FakeNet(Rc<RefCell<World>>);

struct FakeStream {
    world: Rc<RefCell<World>>,
    id: usize,
}

impl Dial for FakeNet {
    type Stream = FakeStream;

    fn wait(&mut self, until: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let mut world = self.0.borrow_mut();
        world.trail.push(None);
        let until = until.expect("the loop always knows when to look again");
        if !world.wires.values().any(|wire| wire.readable || wire.writable) {
            let next = world.later.keys().next().map_or(until, |(at, _)| (*at).min(until));
            world.now = world.now.max(next);
        }
        let now = world.now;
        while let Some(entry) = world.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (wire, action) = entry.remove();
            world.happen(wire, action);
        }
        if world.signal_at.take_if(|at| *at <= now).is_some() {
            events.push(event(Source::Signal, true, false, false));
        }
        for (id, wire) in &mut world.wires {
            let (readable, writable) =
                (std::mem::take(&mut wire.readable), std::mem::take(&mut wire.writable));
            if (readable || writable) && !wire.gone {
                let mut event = event(Source::Connection(*id), readable, writable, wire.failed);
                event.hangup = wire.finished || wire.failed;
                events.push(event);
            }
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        let mut world = self.0.borrow_mut();
        let tick = world.tick;
        world.now += tick;
        world.now
    }

    fn connect(
        &mut self,
        _: &Place,
        source: Option<IpAddr>,
        token: usize,
    ) -> io::Result<FakeStream> {
        let mut world = self.0.borrow_mut();
        let failed = world.fault == Fault::Refuse;
        world.sources.push(source);
        let wire = Wire { writable: true, readable: failed, failed, ..Wire::default() };
        world.wires.insert(token, wire);
        Ok(FakeStream { world: Rc::clone(&self.0), id: token })
    }
}

fn event(source: Source, readable: bool, writable: bool, failed: bool) -> Event {
    Event { source, readable, writable, hangup: failed, failed }
}

impl Stream for FakeStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        let mut world = self.world.borrow_mut();
        world.trail.push(Some(self.id));
        let wire = world.wires.get_mut(&self.id).expect("connected");
        let count = wire.down.len().min(into.len());
        if count == 0 && wire.failed {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        if count == 0 && !wire.finished {
            return Err(ErrorKind::WouldBlock.into());
        }
        wire.unread = wire.unread.saturating_sub(count);
        if wire.unread <= UNREAD_MAX / 2 && std::mem::take(&mut wire.refused) {
            wire.writable = true;
        }
        for byte in &mut into[..count] {
            *byte = wire.down.pop_front().expect("counted");
        }
        Ok(Incoming::of_socket(count, into.len()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.world.borrow_mut();
        let wire = world.wires.get_mut(&self.id).expect("connected");
        wire.asked_in_vain += usize::from(wire.refused);
        let room = UNREAD_MAX.saturating_sub(wire.unread);
        if room == 0 || wire.full {
            wire.refused = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(room);
        wire.unread += count;
        world.hear(self.id, &bytes[..count]);
        Ok(count)
    }

    fn shut(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        // Another connection may have the number by now.
        if let Ok(mut world) = self.world.try_borrow_mut() {
            if let Some(wire) = world.wires.get_mut(&self.id) {
                wire.gone = true;
            }
        }
    }
}

#[derive(Default)]
struct Rows(Vec<Second>);

impl Watch for Rows {
    fn begins(&mut self, _: &str) {}

    fn opening(&mut self, _: u64, _: usize) {}

    fn second(&mut self, row: &Second, _: &Errors) {
        self.0.push(row.clone());
    }
}

/// A server that is full of what its client has not read reads no more from it.
const UNREAD_MAX: usize = 64 * 1024;

/// More than a connection's share of a turn.
const LAST_WORDS_BYTES: usize = 5 << 20;

/// When the rest of something comes that is torn.
const LATE: Duration = Duration::from_secs(5);

/// Less than that in bytes.
const LOUD_BYTES: usize = 3 << 20;

const MILLI: Duration = Duration::from_millis(1);

fn world(fault: Fault, delay: Duration) -> Rc<RefCell<World>> {
    Rc::new(RefCell::new(World {
        now: Duration::from_secs(1000),
        fault,
        delay,
        wires: BTreeMap::new(),
        later: BTreeMap::new(),
        next: 0,
        sources: Vec::new(),
        signal_at: None,
        tick: Duration::ZERO,
        trail: Vec::new(),
    }))
}

fn engine(world: &Rc<RefCell<World>>) -> Engine<FakeNet> {
    let target = Target {
        place: Place::Address("127.0.0.1:80".parse().expect("an address")),
        authority: "127.0.0.1".to_owned(),
        path: "/".to_owned(),
        fields: String::new(),
    };
    Engine::new(FakeNet(Rc::clone(world)), vec![target], None)
}

fn run(world: &Rc<RefCell<World>>, plan: &Plan) -> Outcome {
    let mut engine = engine(world);
    let outcome = engine.run(plan, &mut Rows::default()).expect("the poll does not fail");
    engine.finish().expect("nor now");
    outcome
}

fn plan(connections: usize) -> Plan {
    Plan {
        connections,
        duration: MILLI * 10_000,
        warmup: MILLI * 1000,
        sizes: Some(Sizes::one(40)),
        timeout: MILLI * 2000,
        ..Plan::default()
    }
}

fn errors(outcome: &Outcome) -> Vec<(&str, u64)> {
    outcome.figures.errors.iter().map(|(kind, count)| (kind.as_str(), *count)).collect()
}

/// The classic: for a tenth of the time the server answers nothing. A closed loop waits with it,
/// and has one late answer per connection. An open loop knows what was due meanwhile.
#[test]
fn a_stall_shows_in_an_open_loop_and_not_in_a_closed_one() {
    let stall = Fault::Stall(MILLI * 1_005_000, MILLI * 1_006_000);
    let closed = run(&world(stall, MILLI * 10), &plan(1)).figures;
    assert!(closed.latency_us.p99 < 11_000.0, "{}", closed.latency_us.p99);
    assert!(closed.latency_us.max > 900_000.0, "one of them was late");
    let rate = Some(100.0);
    let open = run(&world(stall, MILLI * 10), &Plan { rate, ..plan(10) }).figures;
    assert_eq!(open.messages, 1000);
    assert!(open.latency_us.p90 > 10_000.0, "{}", open.latency_us.p90);
    assert!(open.latency_us.p99 > 850_000.0, "{}", open.latency_us.p99);
    assert!(open.latency_us.p50 < 11_000.0);
    assert!(closed.errors.is_empty() && open.errors.is_empty());
}

#[test]
fn a_closed_loop_has_so_many_in_flight_and_no_more() {
    for (pipeline, per_second) in [(1, 1000), (4, 4000)] {
        let outcome = run(&world(Fault::None, MILLI * 10), &Plan { pipeline, ..plan(10) });
        let figures = outcome.figures;
        let expected = per_second * 10;
        assert!(figures.messages.abs_diff(expected) <= expected / 100, "{}", figures.messages);
        assert!((figures.latency_us.p50 - 10_000.0).abs() < 20.0);
        assert_eq!(figures.connections.opened, 10);
        let rows: u64 = outcome.seconds.iter().map(|row| row.messages).sum();
        assert_eq!((outcome.seconds.len(), rows), (10, figures.messages));
        assert_eq!(figures.bytes_received, figures.messages * 40);
    }
}

#[test]
fn a_pause_is_kept_between_an_answer_and_the_next_message() {
    let plan = Plan { think: MILLI * 90, ..plan(10) };
    let figures = run(&world(Fault::None, MILLI * 10), &plan).figures;
    assert!(figures.messages.abs_diff(1000) <= 10, "{}", figures.messages);
    assert!(figures.latency_us.max < 11_000.0, "a pause is no latency");
}

#[test]
fn a_rate_is_kept_over_all_connections() {
    let plan = Plan { rate: Some(500.0), ramp: MILLI * 2000, ..plan(7) };
    let figures = run(&world(Fault::None, MILLI * 10), &plan).figures;
    assert_eq!((figures.messages, figures.messages_sent), (5000, 5000));
    let open_loop = figures.open_loop.expect("it is one");
    assert_eq!(open_loop.unsent, 0);
    assert!(open_loop.lateness_us.max < 1000.0, "{:?}", open_loop.lateness_us.max);
}

#[test]
fn each_fault_of_a_server_is_told_apart() {
    let cases: [(Fault, &[(&str, u64)]); 13] = [
        (Fault::None, &[]),
        (Fault::Flip(50), &[("payload", 1)]),
        (Fault::Swap(50), &[("order", 1)]),
        (Fault::Repeat(50), &[("duplicate", 1)]),
        (Fault::Drop(50), &[("lost", 1)]),
        (Fault::Binary(50), &[("type", 1)]),
        (Fault::Cut(50), &[("boundary", 1)]),
        (Fault::Close(50), &[("closed", 1)]),
        (Fault::Finish(50), &[("closed", 1)]),
        (Fault::Reset(50), &[("reset", 1)]),
        (Fault::Ping(1000), &[]),
        (Fault::Forbid, &[("handshake", 1)]),
        (Fault::Deaf, &[("handshake", 1)]),
    ];
    for (fault, expected) in cases {
        let outcome = run(&world(fault, MILLI * 10), &Plan { pipeline: 4, ..plan(1) });
        assert_eq!(errors(&outcome), expected, "{fault:?}");
        assert_eq!(outcome.figures.pings, u64::from(fault == Fault::Ping(1000)), "{fault:?}");
        let examples: Vec<&String> = outcome.figures.error_examples.keys().collect();
        assert_eq!(examples, outcome.figures.errors.keys().collect::<Vec<_>>());
    }
}

/// Nothing comes any more: with nothing behind it, a lost message is only known by the time.
#[test]
fn an_answer_that_never_comes_is_a_timeout() {
    let outcome = run(&world(Fault::Drop(50), MILLI * 10), &plan(2));
    assert_eq!(errors(&outcome), [("timeout", 2)]);
    assert_eq!(outcome.figures.connections.lost, 2);
    let last = world(Fault::Drop(100), MILLI * 100);
    assert_eq!(errors(&run(&last, &plan(1))), [("timeout", 1)], "after the end too");
}

#[test]
fn a_message_that_answers_nothing_is_unsolicited() {
    let plan = Plan { shape: Shape::Idle, ..plan(3) };
    let outcome = run(&world(Fault::Welcome, MILLI), &plan);
    assert_eq!(errors(&outcome), [("unsolicited", 3)]);
}

#[test]
fn nobody_there_ends_the_run_at_once() {
    let world = world(Fault::Refuse, MILLI);
    let outcome = run(&world, &plan(1000));
    assert_eq!((outcome.figures.connections.opened, outcome.figures.messages), (0, 0));
    let failed = outcome.figures.connections.failed;
    assert!((1..1000).contains(&failed), "{failed}");
    assert!(outcome.figures.error_examples["connect"].contains("refused"));
    assert!(world.borrow().now < MILLI * 1_001_000);
}

#[test]
fn connections_are_opened_at_their_rate_and_from_further_addresses() {
    let world = world(Fault::None, MILLI);
    let connect_rate = Some(10.0);
    let sources: Vec<IpAddr> =
        vec!["127.0.0.8".parse().expect("IP"), "127.0.0.9".parse().expect("IP")];
    let plan = Plan { connect_rate, sources, shape: Shape::Idle, ..plan(21) };
    let outcome = run(&world, &plan);
    assert_eq!(outcome.figures.connections.opened, 21);
    // Twenty tenths of a second to open, a second of warm-up, ten to measure.
    let took = world.borrow().now - MILLI * 1_000_000;
    assert!((MILLI * 13_000..MILLI * 13_200).contains(&took), "{took:?}");
    let from_eight =
        world.borrow().sources.iter().filter(|ip| **ip == Some(plan.sources[0])).count();
    assert_eq!(from_eight, 11);
}

/// A port is one of 28 232, so beyond 20 000 connections this host's further addresses are used.
#[test]
fn more_connections_than_an_address_has_ports_come_from_several() {
    for (connections, addresses) in [(20_000, 1), (40_001, 3)] {
        let world = world(Fault::None, MILLI);
        let plan = Plan {
            shape: Shape::Idle,
            duration: MILLI * 100,
            warmup: Duration::ZERO,
            ..plan(connections)
        };
        let figures = run(&world, &plan).figures;
        assert_eq!(figures.connections.open_max, connections as u64);
        let mut from = BTreeMap::new();
        for source in &world.borrow().sources {
            *from.entry(*source).or_insert(0) += 1;
        }
        assert_eq!(from.len(), addresses, "{from:?}");
        assert!(from.values().all(|count| *count <= 20_000), "{from:?}");
        let loopback = |ip: &Option<IpAddr>| ip.is_none_or(|ip| ip.is_loopback());
        assert!(from.keys().all(loopback), "{from:?}");
    }
}

#[test]
fn churn_opens_and_closes_over_and_over() {
    for (messages, ramp) in [(0, Duration::ZERO), (3, Duration::ZERO), (3, MILLI * 2000)] {
        let plan = Plan { shape: Shape::Churn(messages), ramp, ..plan(5) };
        let outcome = run(&world(Fault::None, MILLI * 10), &plan);
        assert_eq!(errors(&outcome), []);
        // A handshake, the messages one by one, and a close, each 10 ms.
        let rounds = 10_000 / (20 + 10 * u64::from(messages)) * 5;
        let figures = outcome.figures;
        assert!(
            figures.messages.abs_diff(rounds * u64::from(messages)) <= 60,
            "{}",
            figures.messages
        );
        let opened: u64 = outcome.seconds.iter().map(|row| row.opened).sum();
        assert!(opened.abs_diff(rounds) <= 20, "{opened} of {rounds}");
    }
}

#[test]
fn churn_opens_no_more_a_second_than_it_may() {
    let plan = Plan { shape: Shape::Churn(1), connect_rate: Some(50.0), ..plan(5) };
    let outcome = run(&world(Fault::None, MILLI * 10), &plan);
    assert_eq!(errors(&outcome), []);
    for row in &outcome.seconds {
        assert!(row.opened.abs_diff(50) <= 1, "{} in a second", row.opened);
    }
}

#[test]
fn idle_connections_may_exchange_some_messages_before() {
    let idle = Plan { shape: Shape::Idle, touch: 3, warmup: Duration::ZERO, ..plan(7) };
    let world = world(Fault::None, MILLI * 100);
    let outcome = run(&world, &idle);
    assert_eq!((errors(&outcome), outcome.figures.connections.open_max), (vec![], 7));
    assert_eq!(outcome.figures.messages, 7 * 3);
    let messages: Vec<usize> = world.borrow().wires.values().map(|wire| wire.messages).collect();
    assert_eq!(messages, [3; 7]);
    let refused = Plan { shape: Shape::Echo, ..idle }.check();
    assert!(refused.is_err_and(|wrong| wrong.starts_with("only idle connections")));
}

#[test]
fn a_bare_echo_is_loaded_without_handshakes() {
    let bare = || world(Fault::Bare(None), MILLI * 10);
    let plan = |connections| Plan { bare: true, ..plan(connections) };
    let closed = run(&bare(), &Plan { pipeline: 4, ..plan(10) }).figures;
    assert!(closed.messages.abs_diff(40_000) <= 400, "{}", closed.messages);
    assert_eq!(closed.bytes_received, closed.messages * 40);
    assert!((closed.latency_us.p50 - 10_000.0).abs() < 20.0);
    let open = run(&bare(), &Plan { rate: Some(500.0), fragments: 3, ..plan(7) }).figures;
    assert_eq!((open.messages, open.connections.lost), (5000, 0));
    let churn = run(&bare(), &Plan { shape: Shape::Churn(3), ..plan(5) });
    let opened: u64 = churn.seconds.iter().map(|row| row.opened).sum();
    // Nothing takes time but the messages.
    assert!(opened.abs_diff(10_000 / 30 * 5) <= 20, "{opened}");
    assert!(churn.figures.messages.abs_diff(opened * 3) <= 30, "{}", churn.figures.messages);
    assert_eq!(churn.figures.connections.closed, churn.figures.connections.opened - 5);
    let idle = run(&bare(), &Plan { shape: Shape::Idle, ..plan(9) }).figures;
    assert_eq!((idle.messages, idle.connections.open_max), (0, 9));
    for figures in [closed, open, churn.figures, idle] {
        assert!(figures.errors.is_empty(), "{:?}", figures.errors);
    }
}

/// The answer to the first half of a long message comes in many pieces, while the second waits.
#[test]
fn a_full_socket_is_asked_again_when_it_has_room() {
    let world = world(Fault::Bare(None), MILLI);
    let plan = Plan { bare: true, sizes: Some(Sizes::one(4 << 20)), ..plan(1) };
    let outcome = run(&world, &plan);
    assert!(outcome.figures.messages > 0 && outcome.figures.errors.is_empty());
    assert!(world.borrow().wires.values().all(|wire| wire.asked_in_vain == 0));
}

#[test]
fn a_wrong_byte_of_a_bare_echo_ends_its_connection() {
    // A frame has 6 bytes before its 40.
    let outcome = run(&world(Fault::Bare(Some(100)), MILLI), &Plan { bare: true, ..plan(3) });
    assert_eq!(errors(&outcome), [("payload", 3)]);
    assert_eq!(outcome.figures.connections.lost, 3);
    let said = &outcome.figures.error_examples["payload"];
    assert_eq!(said, "byte 8 of the 46 of message 3 is wrong");
}

#[test]
fn slow_readers_never_read_and_are_no_errors() {
    let plan = Plan { slow_readers: 2, ..plan(5) };
    let outcome = run(&world(Fault::Finish(400), MILLI * 10), &plan);
    assert_eq!(errors(&outcome), [("closed", 3)], "those that read notice");
    assert_eq!(outcome.figures.connections.lost, 5);
}

#[test]
fn a_broadcast_is_complete_when_all_have_it() {
    for (rate, messages) in [(None, 1000), (Some(20.0), 200)] {
        let shape = Shape::Broadcast(Audience::All);
        let outcome = run(&world(Fault::Room, MILLI * 10), &Plan { shape, rate, ..plan(4) });
        assert_eq!(errors(&outcome), []);
        let sent = if rate.is_some() { messages } else { messages * 4 };
        let room = outcome.figures.broadcast.expect("a room");
        assert_eq!((room.expected, room.lost), (room.delivered, 0));
        let figures = outcome.figures.messages;
        assert!(figures.abs_diff(sent * 4) <= sent * 4 / 50, "{figures} deliveries");
    }
}

#[test]
fn connections_are_closed_in_order_at_the_end() {
    let world = world(Fault::None, MILLI * 10);
    run(&world, &plan(10));
    let world = world.borrow();
    let closed = world.wires.values().filter(|wire| wire.closed && wire.finished && wire.gone);
    assert_eq!(closed.count(), 10, "a Close was sent, and the end of the stream waited for");
}

#[test]
fn a_signal_ends_the_run_with_what_there_is() {
    let world = world(Fault::None, MILLI * 10);
    world.borrow_mut().signal_at = Some(MILLI * 1_004_500);
    let mut engine = engine(&world);
    let outcome = engine.run(&plan(10), &mut Rows::default()).expect("no failure");
    assert!(engine.was_interrupted());
    let figures = outcome.figures;
    assert!((3.4..3.6).contains(&figures.duration_s), "{}", figures.duration_s);
    assert!(figures.messages.abs_diff(3500) < 50, "{}", figures.messages);
    assert!(figures.errors.is_empty());
}

#[test]
fn the_next_phase_takes_over_the_connections() {
    let world = world(Fault::None, MILLI * 10);
    let mut engine = engine(&world);
    let mut phase = |connections, shape, rate| {
        let plan = Plan { shape, rate, ..plan(connections) };
        engine.run(&plan, &mut Rows::default()).expect("no failure").figures
    };
    let opened = [
        phase(10, Shape::Echo, None),
        phase(10, Shape::Echo, Some(100.0)),
        phase(15, Shape::Idle, None),
        phase(3, Shape::Echo, None),
    ]
    .map(|figures| {
        assert!(figures.errors.is_empty(), "{:?}", figures.errors);
        (figures.connections.opened, figures.connections.open_max)
    });
    assert_eq!(opened, [(10, 10), (0, 10), (5, 15), (0, 3)]);
}

#[test]
fn what_a_phase_leaves_unread_is_not_read_by_the_next() {
    let world = world(Fault::LastWords { signal: false }, MILLI * 10);
    let mut engine = engine(&world);
    let mut phase = |connections| {
        let plan = Plan { duration: MILLI * 100, ..plan(connections) };
        engine.run(&plan, &mut Rows::default()).expect("no failure").figures
    };
    phase(4);
    assert!(phase(2).errors.is_empty());
    drop(engine);
    let world = world.borrow();
    let closed = world.wires.values().filter(|wire| wire.closed && wire.down.is_empty());
    assert_eq!(closed.count(), 2, "all that came was read, to the end of the stream");
}

#[test]
fn a_server_that_takes_no_pongs_is_given_up() {
    for shape in [Shape::Echo, Shape::Broadcast(Audience::All)] {
        let world = world(Fault::Pings(10_000), MILLI * 10);
        let outcome = run(&world, &Plan { shape, ..plan(2) });
        let figures = outcome.figures;
        assert_eq!(figures.connections.lost, 2);
        assert!(figures.pings < 1000, "{} pongs wait to be sent", figures.pings);
        assert!(figures.error_examples["timeout"].contains("pongs"), "{figures:?}");
    }
}

#[test]
fn a_message_to_a_room_that_has_no_end_is_given_up() {
    let world = world(Fault::Endless, MILLI * 10);
    let outcome = run(&world, &Plan { shape: Shape::Broadcast(Audience::All), ..plan(2) });
    let figures = outcome.figures;
    assert_eq!(figures.connections.lost, 2);
    let words = &figures.error_examples["boundary"];
    assert!(words.contains("longer than"), "{words}");
    let unread: Vec<usize> = world.borrow().wires.values().map(|wire| wire.down.len()).collect();
    assert!(unread.iter().all(|left| *left > 0), "most of it was not even read: {unread:?}");
}

/// What is due for a member that the server does not hear waits as a time, not as bytes, and is
/// lost in the end.
#[test]
fn what_is_due_in_a_room_is_not_built_before_it_can_leave() {
    let world = world(Fault::DeafTo(0), MILLI);
    let plan = Plan {
        shape: Shape::Broadcast(Audience::All),
        rate: Some(10_000.0),
        duration: MILLI * 3000,
        warmup: Duration::ZERO,
        ..plan(2)
    };
    let figures = run(&world, &plan).figures;
    let room = figures.broadcast.expect("a room");
    assert_eq!(room.expected, room.delivered + room.lost);
    assert_eq!(figures.errors.get("lost"), Some(&room.lost));
    // It is given up after two seconds, or half a second later, and until then every second message
    // is its own: 64 KiB of them and one more are built.
    let built = 64 * 1024 / 46 + 1;
    let of_the_other = 30_000 - 12_600..=30_000 - 10_000;
    let sent = usize::try_from(figures.messages_sent).expect("few") - built;
    assert!(of_the_other.contains(&sent), "{sent} beside {built}");
}

#[test]
fn a_member_of_whom_nothing_is_read_is_given_up() {
    let world = world(Fault::DeafTo(0), MILLI * 10);
    let shape = Shape::Broadcast(Audience::All);
    let outcome = run(&world, &Plan { shape, rate: Some(30.0), ..plan(3) });
    let figures = outcome.figures;
    assert_eq!(figures.connections.lost, 1, "the others go on");
    assert_eq!(figures.error_examples["timeout"], "nothing was taken in 2s");
    assert!(figures.messages > 300, "{} deliveries", figures.messages);
}

#[test]
fn who_takes_long_to_be_read_lets_others_have_their_turn() {
    let world = world(Fault::Loud(5), MILLI * 10);
    world.borrow_mut().tick = MILLI;
    run(&world, &Plan { duration: MILLI * 1000, verify: false, ..plan(2) });
    let trail = &world.borrow().trail;
    let by_one = trail.chunk_by(|one, next| one.is_some() && one == next);
    let longest = by_one.map(<[_]>::len).max();
    let longest = longest.expect("there were reads");
    // All that is loud is twelve reads.
    assert!(longest <= 8, "{longest} reads in a row");
}

/// A frame that one phase has begun to read is read to its end by the next, and its ping answered;
/// of a message the rest is nobody's.
#[test]
fn a_phase_goes_on_in_the_middle_of_a_frame() {
    let world = world(Fault::Torn, MILLI * 10);
    let mut engine = engine(&world);
    let mut phase = |shape, rate, millis| {
        let plan =
            Plan { shape, rate, duration: MILLI * millis, warmup: Duration::ZERO, ..plan(2) };
        let figures = engine.run(&plan, &mut Rows::default()).expect("no failure").figures;
        assert!(figures.errors.is_empty(), "{:?}", figures.errors);
        (figures.messages, figures.pings, figures.connections.opened)
    };
    // Ping and message are whole in the phases behind those that they began in.
    assert_eq!(phase(Shape::Echo, Some(2.0), 900), (2, 0, 2));
    assert_eq!(phase(Shape::Idle, None, 6000), (0, 2, 0));
    assert_eq!(phase(Shape::Idle, None, 5000), (0, 0, 0));
    assert_eq!(phase(Shape::Echo, Some(10.0), 1000), (10, 0, 0));
    assert!(world.borrow().wires.values().all(|wire| wire.pongs == 1));
}

#[test]
fn a_room_goes_on_in_the_middle_of_a_frame() {
    let world = world(Fault::TornRoom, MILLI * 10);
    let mut engine = engine(&world);
    let mut phase = |shape, rate, millis| {
        let plan =
            Plan { shape, rate, duration: MILLI * millis, warmup: Duration::ZERO, ..plan(2) };
        engine.run(&plan, &mut Rows::default()).expect("no failure").figures
    };
    let room = Shape::Broadcast(Audience::All);
    let first = phase(room, Some(1.0), 900);
    assert_eq!(first.errors.get("lost"), Some(&2), "{:?}", first.errors);
    // The rest comes in the second of these.
    for millis in [3000, 6000] {
        let idle = phase(Shape::Idle, None, millis);
        assert!(idle.errors.is_empty(), "{:?}", idle.errors);
    }
    world.borrow_mut().fault = Fault::Room;
    let last = phase(room, Some(10.0), 2000);
    assert!(last.errors.is_empty(), "{:?}", last.errors);
    assert_eq!((last.messages, last.connections.opened), (40, 0));
}

#[test]
fn the_next_phase_opens_what_the_last_has_lost() {
    let world = world(Fault::Finish(5), MILLI * 10);
    let mut engine = engine(&world);
    let mut phase = |fault, duration| {
        world.borrow_mut().fault = fault;
        let plan = Plan { duration: MILLI * duration, ..plan(10) };
        engine.run(&plan, &mut Rows::default()).expect("no failure").figures
    };
    assert_eq!(phase(Fault::Finish(5), 100).connections.lost, 10);
    let figures = phase(Fault::None, 1000);
    assert_eq!((figures.connections.opened, figures.connections.open_max), (10, 10));
    assert!(figures.messages > 900 && figures.errors.is_empty(), "{figures:?}");
}

#[test]
fn a_signal_between_two_phases_lets_go_of_who_still_talks() {
    let world = world(Fault::LastWords { signal: true }, MILLI * 10);
    world.borrow_mut().tick = MILLI;
    let mut engine = engine(&world);
    for connections in [4, 2] {
        assert!(!engine.was_interrupted(), "all was quiet so far");
        let plan = Plan { duration: MILLI * 100, ..plan(connections) };
        engine.run(&plan, &mut Rows::default()).expect("no failure");
    }
    assert!(engine.was_interrupted());
    let left = world.borrow().wires.values().filter(|wire| !wire.down.is_empty()).count();
    assert_eq!(left, 2, "nobody waited for the end of their words");
}
