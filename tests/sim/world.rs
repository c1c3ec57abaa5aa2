//! A run: one server, some clients, one network, and what must hold of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use allocation_counter::measure;
use wsecho::ending::Ending;
use wsecho::limits::{
    INFLATE_MESSAGE_EFFORT, READ_BYTES_MAX, READ_BYTES_MIN, TURN_EFFECT_BYTES_MAX,
    TURN_INFLATE_EFFORT,
};
use wsecho::server::Server;

use crate::bodies;
use crate::client::Client;
use crate::dice::Dice;
use crate::gatherings;
use crate::hostile;
use crate::net::{MemoryNet, Network};
use crate::packed;
use crate::profile::{MESSAGE_BYTES_MAX, Profile};
use crate::rooms;
use crate::script::{Owed, Script};
use crate::scripted;

/// More turns than any run needs: above it something spins.
const TURNS_MAX: u64 = 1_000_000;
/// Waits in a row without events and without sleep: above it the loop is busy with nothing.
const SPINS_MAX: u32 = 500;
/// What deadlines may be late by: two ticks, trouble with accept, and a slow network.
const SLACK: Duration = Duration::from_secs(4);
/// The longest that a connection stands in line for room: twice the stall timeout.
const STARVED_MAX: Duration = Duration::from_secs(120);
/// The longest that the rate of one who is metered keeps what it said from being read.
const METERED_MAX: Duration = Duration::from_secs(300);
/// Bytes that a server may take beside its budget and what it had at its start. It promises 16 MiB
/// to thousands of clients; these are dozens.
const BESIDE_BUDGET: usize = wsecho::limits::RESERVE_BYTES + (2 << 20);
/// Of that, what the ledger need not know of: the read buffer, spares, and the tables.
const BESIDE_LEDGER: usize = 1 << 20;
const BESIDE_LEDGER_EACH: usize = 1024;
/// By what the ledger may be overdrawn: a read is answered, and a turn's messages are handed out,
/// before the next one is put off.
const OVERDRAFT: usize = READ_BYTES_MAX + TURN_EFFECT_BYTES_MAX;
/// With so little left, two pieces of a message that are read at the least cannot be kept.
const NEARLY: usize = 4 * READ_BYTES_MIN;
/// Bytes that may be inflated in one turn for each client that compresses: four times the share.
const INFLATED_MAX: u64 = 512 * 1024;
/// Compressed messages that may end in one turn for each of them: as many as the share has effort
/// for, however short they are.
const UNPACKED_MAX: u64 = (TURN_INFLATE_EFFORT / INFLATE_MESSAGE_EFFORT + 1) as u64;
/// Sentences about those who left: a burst of them and a few more, however many they were.
const FAREWELLS_MAX: usize = 20;

/// What a run leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub hash: u64,
    pub turns: u64,
    /// What each client received.
    pub received: Vec<Vec<u8>>,
}

pub struct World {
    server: Server<MemoryNet>,
    wires: MemoryNet,
    net: Rc<RefCell<Network>>,
    arrivals: Vec<(Duration, Script)>,
    clients: Vec<Client>,
    drain_at: Option<Duration>,
    signalled: bool,
    drained_early: bool,
    memory: Memory,
}

/// What the server has allocated since its start, in bytes.
#[derive(Default)]
struct Memory {
    level: i64,
    budget: usize,
    /// The budget has been used up, or nearly.
    used_up: bool,
}

impl Memory {
    /// Runs `step` and holds it to the promise: the budget and a little more, whatever peers do.
    fn watch<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let mut outcome = None;
        let taken = measure(|| outcome = Some(step()));
        let peak = self.level + i64::try_from(taken.bytes_max).expect("below 2^63");
        self.level += taken.bytes_current;
        let promise = self.budget + BESIDE_BUDGET;
        assert!(peak <= promise as i64, "{peak} bytes, and {promise} are promised");
        outcome.expect("measured code is run")
    }

    /// Holds what is kept to what is charged for it.
    fn check(&self, charged: usize, clients: usize) {
        let known = charged + BESIDE_LEDGER + clients * BESIDE_LEDGER_EACH;
        assert!(self.level <= known as i64, "{} bytes, and {charged} are charged", self.level);
    }
}

impl World {
    /// Everything follows from the seed. `all`: also the kinds that wear a server out.
    pub fn of_seed(seed: u64, all: bool) -> Self {
        let (profile, arrivals, word) = Self::draw(seed, all);
        Self::new(profile, arrivals, word)
    }

    /// The same clients, of whom no more than a rate is read.
    pub fn metered(seed: u64) -> Self {
        let (profile, arrivals, word) = Self::draw(seed, false);
        Self::new(Profile { metered: true, ..profile }, arrivals, word)
    }

    fn draw(seed: u64, all: bool) -> (Profile, Vec<(Duration, Script)>, u64) {
        let mut dice = Dice::new(seed);
        let mut profile = Profile::draw(&mut dice);
        let mut arrivals = Vec::new();
        for _ in 0..2 + dice.below(9) {
            dice.speaker += 1;
            let at = Duration::from_millis(1000 + dice.pick(&[0, 0, 5, 40, 700, 20_000]));
            arrivals.push((at, Script::draw(&mut dice)));
        }
        // What came later has dice of its own: the others' scripts stay as they were.
        let mut more = Dice::new(!seed);
        more.speaker = 100;
        profile.takeover = more.chance(500) && !profile.tight;
        // One keeps the only inflater there is, somebody else wants it, and nothing excuses that.
        let held = all && more.chance(150);
        if all {
            // They stay for long, and with an event in every wait time would stand.
            profile.spurious = profile.spurious.min(20);
        }
        if held {
            profile = Profile { drain: false, reset: 0, leap: 0, aborted: 0, ..profile };
            profile = Profile { takeover: false, tight: false, crowded: false, ..profile };
        }
        for _ in 0..more.below(3) {
            more.speaker += 1;
            let at = Duration::from_millis(1000 + more.pick(&[0, 5, 700]));
            arrivals.push((at, packed::draw(profile.takeover, &mut more)));
        }
        if more.chance(400) {
            let mut members = rooms::draw(&mut more);
            let mut late = Dice::new(seed.rotate_left(32));
            late.speaker = 200;
            if late.chance(500) {
                let latecomers = rooms::draw_late(&mut members, &mut late);
                arrivals.extend(latecomers);
                // As above: others wait for them.
                profile.spurious = profile.spurious.min(20);
            }
            arrivals.extend(members);
        }
        arrivals.extend(rooms::lookers(seed));
        for _ in 0..more.below(3) {
            more.speaker += 1;
            let at = Duration::from_millis(1000 + more.pick(&[0, 5, 700]));
            arrivals.push((at, scripted::draw(&mut more)));
        }
        profile.scarce = more.chance(300);
        for _ in 0..if all { more.below(5) } else { 0 } {
            more.speaker += 1;
            let at = Duration::from_millis(1000 + more.pick(&[0, 5, 700]));
            arrivals.push((at, hostile::draw_one(&mut more)));
        }
        if all && more.chance(250) {
            // One after the other, so that what is left of one comes to the next.
            for at in [1000, 1001, 1003, 1500] {
                more.speaker += 1;
                arrivals.push((Duration::from_millis(at), packed::draw_narrow(&mut more)));
            }
        }
        if held {
            more.speaker += 1;
            arrivals.push((Duration::from_secs(1), packed::draw_holder(&mut more)));
            more.speaker += 1;
            arrivals.push((Duration::from_secs(3), packed::draw(false, &mut more)));
            profile.scarce = true;
        }
        let windows = [0, 0, 1, 20, 100].map(Duration::from_millis);
        profile.coalesce = Dice::new(seed.rotate_left(48)).pick(&windows);
        (profile, arrivals, dice.word())
    }

    /// One client, whose bytes arrive and leave in pieces that the seed chooses.
    pub fn alone(script: Script, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let profile = Profile::draw_gentle(&mut dice);
        Self::new(profile, vec![(Duration::ZERO, script)], dice.word())
    }

    /// A population of one hostile kind or two, and some who want to be served among them.
    pub fn hostile(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (profile, arrivals) = hostile::draw(&mut dice);
        Self::new(profile, arrivals, dice.word())
    }

    /// Some who send bodies, or listen to streams.
    pub fn bodies(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (profile, arrivals) = bodies::draw(&mut dice);
        Self::new(profile, arrivals, dice.word())
    }

    /// Some who do one thing at one time.
    pub fn gathering(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (profile, arrivals) = gatherings::draw(seed, &mut dice);
        Self::new(profile, arrivals, dice.word())
    }

    fn new(profile: Profile, mut arrivals: Vec<(Duration, Script)>, seed: u64) -> Self {
        if !profile.tight {
            arrivals.iter_mut().for_each(|(_, script)| script.expect_holding());
        }
        for (_, script) in arrivals.iter_mut().filter(|(_, script)| script.reads_last) {
            // Its message is kept as far as there is room: in a small budget there is not.
            if profile.config().buffer_budget < 4 * MESSAGE_BYTES_MAX as usize {
                script.owed = Owed::Mercy;
            }
        }
        arrivals.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let last = Duration::from_millis(1000 + seed % 3000);
        let drain_at = profile.drain.then_some(last);
        let config = profile.config();
        let memory = Memory { level: 0, budget: config.buffer_budget, used_up: false };
        let net = Network::new(profile, seed);
        let weather = Rc::clone(&net);
        let wires = MemoryNet::with_weather(weather);
        wires.core().now = net.borrow().now;
        let server = Server::new(wires.clone(), 1, config);
        Self {
            server,
            wires,
            net,
            arrivals,
            clients: Vec::new(),
            drain_at,
            signalled: false,
            drained_early: false,
            memory,
        }
    }

    /// Runs to the end and judges.
    pub fn run(mut self) -> Outcome {
        let mut turns = 0;
        loop {
            self.let_clients_act();
            let goes_on = self.turn();
            turns += 1;
            assert!(turns < TURNS_MAX, "the run does not end: {}", self.open());
            assert!(self.net.borrow().spins < SPINS_MAX, "the loop spins");
            if !goes_on {
                break;
            }
            assert!(!self.net.borrow().stuck, "the server sleeps for ever: {}", self.open());
        }
        self.let_clients_act();
        self.settle();
        self.judge();
        self.judge_rooms();
        self.judge_line();
        let net = self.net.borrow();
        let received = self.clients.into_iter().map(|client| client.raw).collect();
        Outcome { hash: net.hash, turns, received }
    }

    /// One turn, and what must hold of each.
    fn turn(&mut self) -> bool {
        let before = self.server.metrics().inflated_bytes;
        let unpacked_before = self.server.metrics().compressed_messages;
        let server = &mut self.server;
        let goes_on = self.memory.watch(|| server.turn().expect("the fake poll does not fail"));
        self.memory.check(self.server.charged(), self.clients.len());
        let used = self.server.metrics().buffered_bytes as usize;
        assert!(used <= self.memory.budget + OVERDRAFT, "the ledger is overdrawn: {used}");
        self.memory.used_up |= used + NEARLY > self.memory.budget;
        // It looks at all pairs of connections.
        if self.clients.len() < 40 || self.server.metrics().turns % 8 == 0 {
            self.server.check();
        }
        let inflated = self.server.metrics().inflated_bytes - before;
        let packing = self.clients.iter().filter(|client| client.script.packs).count() as u64;
        assert!(inflated <= INFLATED_MAX * packing, "{inflated} bytes inflated in one turn");
        let unpacked = self.server.metrics().compressed_messages - unpacked_before;
        assert!(unpacked <= UNPACKED_MAX * packing, "{unpacked} messages inflated in one turn");
        goes_on
    }

    fn let_clients_act(&mut self) {
        let net = &mut *self.net.borrow_mut();
        while self.arrivals.last().is_some_and(|(at, _)| *at <= net.now) {
            let Some((_, script)) = self.arrivals.pop() else { break };
            let link = net.connect(&self.wires);
            self.clients.push(Client::new(script, link, net.now));
        }
        let mut alarm = self.arrivals.last().map(|(at, _)| *at);
        for client in self.clients.iter_mut().filter(|client| !client.done) {
            let link = &mut net.links[client.link];
            if client.is_due(link, net.now) {
                client.act(link, net.now);
            }
            if !client.done {
                alarm = alarm.into_iter().chain(client.wake).min();
            }
        }
        let is_over = self.arrivals.is_empty() && self.clients.iter().all(|client| client.done);
        let is_over = is_over && net.links.iter().all(|link| link.dropped.is_some());
        let drain_now = self.drain_at.is_some_and(|at| at <= net.now);
        if (is_over || drain_now) && !self.signalled {
            net.signal = true;
            self.signalled = true;
            self.drained_early = !is_over;
        }
        if !self.signalled {
            alarm = alarm.into_iter().chain(self.drain_at).min();
        }
        net.alarm = alarm;
    }

    /// After the server's end: the clients read what is left on the wire.
    fn settle(&mut self) {
        let net = &mut *self.net.borrow_mut();
        for _ in 0..1_000_000 {
            let mut all_done = true;
            for client in self.clients.iter_mut().filter(|client| !client.done) {
                let link = &mut net.links[client.link];
                client.act(link, net.now);
                client.done |= link.is_dry() || client.script.takes == 0;
                all_done &= client.done;
            }
            if all_done {
                return;
            }
        }
        panic!("clients do not come to an end");
    }

    fn judge(&self) {
        let metrics = self.server.metrics();
        let net = self.net.borrow();
        assert_eq!(metrics.connections_accepted, net.accepted);
        assert_eq!(metrics.connections_accepted, metrics.endings.iter().sum::<u64>());
        assert_eq!(metrics.connections_open, 0);
        assert_eq!(metrics.buffered_bytes, 0);
        assert_eq!(metrics.endings[Ending::Internal as usize], 0);
        let profile = &net.profile;
        let shed = profile.crowded || profile.out_of_descriptors > 0;
        let starving = profile.tight && self.has("glutton");
        let hoarded = self.is_small() || self.has("hoarder") || self.memory.used_up;
        for client in &self.clients {
            let link = &net.links[client.link];
            // Too slow for its room, or no room to keep what it waits for.
            let talks = client.script.seat.is_some()
                || client.script.kind.starts_with("scripted")
                || client.script.reads_last;
            let refused = talks && (profile.tight || client.was_refused() && hoarded);
            // Its room is louder than its line is fast.
            let deafened = client.script.seat.is_some_and(|seat| seat.late.is_some())
                && self.has("loud member");
            let excused =
                link.spoiled || starving || refused || deafened || net.leapt > Duration::ZERO;
            // Nobody is taken for whom something is kept, where all that may be kept is.
            let is_kept_for = talks || client.script.looks || client.script.kind == "hoarder";
            let full = is_kept_for && (profile.tight || hoarded);
            client.judge(excused, self.drained_early, shed || full);
            let dropped = link.dropped.expect("the server has let go of everyone");
            let held = dropped.saturating_sub(client.spoke);
            // What it said last may have stood in line for room until then.
            let line = if profile.tight { STARVED_MAX } else { Duration::ZERO };
            // Or for its rate.
            let rate = if profile.metered { METERED_MAX } else { Duration::ZERO };
            let limit = client.script.limit + SLACK + net.leapt + line + rate;
            assert!(held <= limit, "{} was held for {held:?}", client.script.kind);
        }
    }

    /// Whether one message as long as may be uses the budget up.
    fn is_small(&self) -> bool {
        self.memory.budget < 4 * MESSAGE_BYTES_MAX as usize
    }

    /// Rooms: one order for all, and everything for whoever was there all the time.
    fn judge_rooms(&self) {
        let net = self.net.borrow();
        let profile = &net.profile;
        let calm = !self.drained_early && net.leapt == Duration::ZERO && !profile.tight;
        let welcome = !profile.crowded && profile.out_of_descriptors + profile.accept_trouble == 0;
        let all_sound = |client: &&Client| !net.links[client.link].spoiled;
        let members = self.clients.iter().filter(|client| client.script.seat.is_some());
        let members: Vec<&Client> = members.collect();
        let whole = calm && welcome && members.iter().all(all_sound);
        rooms::judge(&members, whole);
        for member in members {
            assert!(member.farewells <= FAREWELLS_MAX, "each who leaves together is told of");
        }
    }

    /// First come, first served: nobody overtakes who stands in line.
    fn judge_line(&self) {
        let net = self.net.borrow();
        let place =
            |link: &usize| self.clients.iter().find(|client| client.link == *link)?.script.place;
        let places: Vec<usize> = net.answered.iter().filter_map(place).collect();
        assert!(places.is_sorted(), "somebody was overtaken: {places:?}");
    }

    fn has(&self, kind: &str) -> bool {
        self.clients.iter().any(|client| client.script.kind == kind)
    }

    fn open(&self) -> String {
        let mut kinds = std::collections::BTreeMap::new();
        for client in self.clients.iter().filter(|client| !client.done) {
            *kinds.entry(client.script.kind).or_insert(0) += 1;
        }
        let now = self.net.borrow().now;
        format!("{kinds:?} after {now:?}")
    }
}
