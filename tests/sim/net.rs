//! The weather: faults of every kind, drawn from one seed, on the network of all tests.
//!
//! Faults never break the rules of edges: a read that is cut short or refused is followed by one,
//! as if the bytes had come a moment later.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use wsecho::net::{Event, Source};

use crate::dice::Dice;
use crate::link::Link;
pub use crate::memory::*;
use crate::profile::Profile;

const INTERRUPTED: ErrorKind = ErrorKind::Interrupted;
const WOULD_BLOCK: ErrorKind = ErrorKind::WouldBlock;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;
const ENOMEM: i32 = 12;

/// All connections of a run and the clock.
pub struct Network {
    pub now: Duration,
    pub links: Vec<Link>,
    pub profile: Profile,
    /// When the next client wants to act by itself.
    pub alarm: Option<Duration>,
    /// The process is asked to end.
    pub signal: bool,
    /// How far the clock has leapt.
    pub leapt: Duration,
    /// The server sleeps, and nothing would ever wake it.
    pub stuck: bool,
    /// Waits in a row that brought nothing and took no time.
    pub spins: u32,
    /// What has happened so far, as a number.
    pub hash: u64,
    pub accepted: u64,
    /// Who has been sent something behind the 101, in order.
    pub answered: Vec<usize>,
    acceptable: bool,
    accept_again: Option<Duration>,
    ghosts: Vec<usize>,
    dice: Dice,
}

impl Network {
    pub fn new(profile: Profile, seed: u64) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            now: Duration::from_secs(1),
            links: Vec::new(),
            profile,
            alarm: None,
            signal: false,
            leapt: Duration::ZERO,
            stuck: false,
            spins: 0,
            hash: 0xCBF2_9CE4_8422_2325,
            accepted: 0,
            answered: Vec::new(),
            acceptable: false,
            accept_again: None,
            ghosts: Vec::new(),
            dice: Dice::new(seed),
        }))
    }

    /// A client connects.
    pub fn connect(&mut self, net: &MemoryNet) -> usize {
        let id = self.links.len();
        let up = self.dice.pick(self.profile.up_pipes);
        let down = self.dice.pick(self.profile.pipes);
        let peer = net.connect_wire(0, up, down, up.max(down) + COMPACT_BYTES);
        let refused = peer.wire().dropped;
        self.links.push(Link::new(peer, down));
        self.acceptable = true;
        if refused {
            self.links[id].spoil(self.now);
        }
        id
    }

    pub fn note(&mut self, words: &[u64]) {
        for word in words {
            self.hash = (self.hash ^ word).wrapping_mul(0x0100_0000_01B3).rotate_left(5);
        }
    }

    fn soon(&mut self) -> Duration {
        self.now + Duration::from_micros(self.dice.below(3000) as u64)
    }

    fn collect(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if self.accept_again.is_some_and(|at| at <= self.now) {
            self.accept_again = None;
            self.acceptable = true;
        }
        core.others.clear();
        if std::mem::take(&mut self.acceptable) && !core.closed {
            events.push(event(Source::Listener(0), READ, false));
        }
        if std::mem::take(&mut self.signal) {
            events.push(event(Source::Signal, READ, false));
        }
        for at in 0..self.links.len() {
            if self.links[at].dropped.is_some() {
                continue;
            }
            let Some(token) = self.links[at].peer.wire().token else { continue };
            let again = self.soon();
            let late = self.dice.chance(self.profile.late);
            if self.dice.chance(self.profile.reset) {
                self.links[at].fail();
            }
            let link = &mut self.links[at];
            link.rearm(self.now);
            if late {
                let edges = std::mem::take(&mut link.peer.wire().edges);
                if edges != 0 {
                    link.again(edges, again);
                }
            }
            let told = link.peer.wire().take_event(self.profile.narrow);
            let spurious = told.is_none() && self.dice.chance(self.profile.spurious);
            events.extend(told);
            if spurious {
                let bits = self.dice.pick(&[READ, WRITE, READ | WRITE]);
                let wire = self.links[at].peer.wire();
                let event = event(Source::Connection(token), bits, wire.hangs_up());
                events.push(Event { failed: wire.has_failed(), ..event });
            }
        }
        if !self.ghosts.is_empty() && self.dice.chance(self.profile.spurious) {
            let token = self.dice.pick(&self.ghosts);
            events.push(event(Source::Connection(token), READ | WRITE, true));
        }
        if self.profile.shuffle {
            self.dice.shuffle(events);
        }
    }

    /// Lets the time pass until something happens.
    fn sleep(&mut self, timeout: Option<Duration>) {
        let rearms = self.links.iter().filter(|link| link.dropped.is_none());
        let rearms = rearms.filter_map(|link| link.again_at).chain(self.accept_again);
        let until = timeout.map(|timeout| self.now + timeout);
        match until.into_iter().chain(self.alarm).chain(rearms).min() {
            Some(target) if target > self.now => {
                self.now = target;
                self.spins = 0;
            }
            Some(_) => self.spins += 1,
            None => self.stuck = true,
        }
        if self.dice.chance(self.profile.leap) {
            let leap = Duration::from_millis(self.dice.below(100_000) as u64);
            self.now += leap;
            self.leapt += leap;
        }
    }
}

impl Weather for Network {
    fn wait(&mut self, core: &mut Core, timeout: Option<Duration>, events: &mut Vec<Event>) {
        self.now += Duration::from_micros(10);
        if !self.dice.chance(self.profile.interrupted) {
            self.collect(core, events);
            if events.is_empty() {
                self.sleep(timeout);
                self.collect(core, events);
            }
            self.note(&[1, events.len() as u64, self.now.as_micros() as u64]);
        }
        core.now = self.now;
    }

    fn accept(&mut self, core: &mut Core) -> io::Result<()> {
        if self.dice.chance(self.profile.interrupted) {
            return Err(INTERRUPTED.into());
        }
        if self.dice.chance(self.profile.would_block) {
            self.accept_again = Some(self.soon());
            return Err(WOULD_BLOCK.into());
        }
        let Some(backlog) = core.backlogs.first_mut() else { return Err(WOULD_BLOCK.into()) };
        let Some(first) = backlog.front() else { return Err(WOULD_BLOCK.into()) };
        let id = first.borrow().number;
        if self.dice.chance(self.profile.out_of_descriptors) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        if self.dice.chance(self.profile.accept_trouble) {
            return Err(io::Error::from_raw_os_error(ENOBUFS));
        }
        if self.dice.chance(self.profile.aborted) {
            backlog.pop_front();
            self.links[id].spoil(self.now);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.accepted += 1;
        Ok(())
    }

    fn register(&mut self, wire: &mut Wire) -> io::Result<()> {
        if self.dice.chance(self.profile.aborted) {
            self.links[wire.number].spoiled = true;
            return Err(io::Error::from_raw_os_error(ENOMEM));
        }
        Ok(())
    }

    fn shed(&mut self) -> io::Result<()> {
        if self.dice.chance(self.profile.accept_trouble) {
            return Err(io::Error::from_raw_os_error(ENOBUFS));
        }
        Ok(())
    }

    fn read(&mut self, wire: &mut Wire, most: usize) -> Option<io::Result<usize>> {
        let again = self.soon();
        if self.dice.chance(self.profile.interrupted) {
            return Some(Err(INTERRUPTED.into()));
        }
        let refused = self.dice.chance(self.profile.would_block);
        let short = self.dice.chance(self.profile.short_read);
        if wire.reset {
            return None;
        }
        if refused {
            self.links[wire.number].again(READ, again);
            return Some(Err(WOULD_BLOCK.into()));
        }
        let most = most.min(wire.up.unread().len());
        if !short || most == 0 {
            return None;
        }
        let count = self.dice.pick(&[1, 2, 3, 5, 14, 100, 5000]).min(most);
        wire.edges |= if count < most { READ } else { 0 };
        Some(Ok(count))
    }

    fn write(&mut self, wire: &mut Wire, most: usize) -> Option<io::Result<usize>> {
        let again = self.soon();
        if self.dice.chance(self.profile.interrupted) {
            return Some(Err(INTERRUPTED.into()));
        }
        let refused = self.dice.chance(self.profile.would_block);
        let short = self.dice.chance(self.profile.short_write);
        if wire.reset || self.links[wire.number].deserted || wire.room == 0 {
            return None;
        }
        if refused {
            wire.refused = true;
            self.links[wire.number].again(WRITE, again);
            return Some(Err(WOULD_BLOCK.into()));
        }
        short.then(|| Ok(self.dice.pick(&[1, 2, 3, 5, 100, 5000]).min(most)))
    }

    /// Some sockets are not ready for it at once, as a stream over TLS is not. No dice: the others'
    /// seeds stay what they were.
    fn shut(&mut self, wire: &mut Wire) -> io::Result<()> {
        let link = &mut self.links[wire.number];
        let ready = self.profile.would_block == 0 || wire.number % 3 != 0 || wire.room == 0;
        if ready || link.shut_later || wire.reset || link.deserted {
            return Ok(());
        }
        link.shut_later = true;
        link.again(WRITE, self.now + Duration::from_millis(1));
        Err(WOULD_BLOCK.into())
    }

    fn note(&mut self, wire: &mut Wire, call: Call, outcome: &io::Result<usize>) {
        let number = wire.number;
        let count = outcome.as_ref().map_or(u64::MAX, |count| *count as u64);
        if call == Call::Write && outcome.is_ok() {
            self.links[number].writes += 1;
            if self.links[number].writes == 2 {
                self.answered.push(number);
            }
        }
        Network::note(self, &[2 + call as u64, number as u64, count]);
        self.links[number].news |= outcome.is_ok();
        if self.links[number].deserted && call == Call::Write && outcome.is_ok() {
            // Nobody is there: the answer to these bytes is a reset.
            wire.down.clear();
            wire.reset = true;
            wire.edges |= READ | WRITE;
        }
    }

    fn turned_away(&mut self, wire: &mut Wire) {
        wire.reset = true;
        wire.down.clear();
        let link = &mut self.links[wire.number];
        (link.cut, link.spoiled, link.news) = (true, true, true);
        link.dropped = Some(self.now);
    }

    fn dropped(&mut self, wire: &mut Wire) {
        let kept = wire.down.taken + self.dice.below(wire.down.unread().len() + 1);
        let link = &mut self.links[wire.number];
        if wire.reset || wire.reset_by_server || !wire.up.unread().is_empty() {
            // Closing with unread input is a reset, which overtakes what was on its way.
            wire.down.bytes.truncate(kept);
            link.cut = true;
        }
        link.dropped = Some(self.now);
        link.news = true;
        self.ghosts.extend(wire.token);
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a network of {} links", self.links.len())
    }
}

fn event(source: Source, bits: u8, hangup: bool) -> Event {
    let readable = bits & READ != 0 || hangup;
    Event { source, readable, writable: bits & WRITE != 0, hangup, failed: false }
}
