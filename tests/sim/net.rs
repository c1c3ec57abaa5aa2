//! A network in memory with the rules of epoll's edge-triggered mode.
//!
//! An event is told once for each *edge*: bytes or the end of the stream arriving, a failure,
//! room after a write that was refused, and whatever is ready at registration. Between two edges
//! nothing is repeated, whatever was left unread. Faults never break these rules: a read that is
//! cut short or refused is followed by an edge, as if the bytes had come a moment later.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use wsecho::net::{Event, Net, Source, Stream};

use crate::dice::Dice;
use crate::link::{Link, READ, WRITE};
use crate::profile::Profile;

const INTERRUPTED: ErrorKind = ErrorKind::Interrupted;
const WOULD_BLOCK: ErrorKind = ErrorKind::WouldBlock;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;
const ENOMEM: i32 = 12;

/// All connections of a run, both ends of each, and the clock.
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
    pub listening: bool,
    backlog: VecDeque<usize>,
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
            listening: true,
            backlog: VecDeque::new(),
            acceptable: false,
            accept_again: None,
            ghosts: Vec::new(),
            dice: Dice::new(seed),
        }))
    }

    /// A client connects.
    pub fn connect(&mut self) -> usize {
        let id = self.links.len();
        let (up, down) = (self.dice.pick(self.profile.pipes), self.dice.pick(self.profile.pipes));
        self.links.push(Link::new(up, down));
        if self.listening {
            self.backlog.push_back(id);
            self.acceptable = true;
        } else {
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

    fn collect(&mut self, events: &mut Vec<Event>) {
        if self.accept_again.is_some_and(|at| at <= self.now) {
            self.accept_again = None;
            self.acceptable = true;
        }
        if std::mem::take(&mut self.acceptable) && self.listening {
            events.push(event(Source::Listener(0), READ, false));
        }
        if std::mem::take(&mut self.signal) {
            events.push(event(Source::Signal, READ, false));
        }
        for at in 0..self.links.len() {
            if self.links[at].dropped.is_some() {
                continue;
            }
            let Some(token) = self.links[at].token else { continue };
            let again = self.soon();
            let late = self.dice.chance(self.profile.late);
            if self.dice.chance(self.profile.reset) {
                self.links[at].fail();
            }
            let link = &mut self.links[at];
            link.rearm(self.now);
            if link.edges != 0 && late {
                link.again(link.edges, again);
                link.edges = 0;
            }
            if let Some(bits) = link.take_event(self.profile.narrow) {
                let hangup = link.hangs_up();
                events.push(event(Source::Connection(token), bits, hangup));
            } else if self.dice.chance(self.profile.spurious) {
                let bits = self.dice.pick(&[READ, WRITE, READ | WRITE]);
                let hangup = self.links[at].hangs_up();
                events.push(event(Source::Connection(token), bits, hangup));
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

    fn accept(&mut self) -> io::Result<usize> {
        if self.dice.chance(self.profile.interrupted) {
            return Err(INTERRUPTED.into());
        }
        if self.dice.chance(self.profile.would_block) {
            self.accept_again = Some(self.soon());
            return Err(WOULD_BLOCK.into());
        }
        let Some(id) = self.backlog.front().copied() else { return Err(WOULD_BLOCK.into()) };
        if self.dice.chance(self.profile.out_of_descriptors) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        if self.dice.chance(self.profile.accept_trouble) {
            return Err(io::Error::from_raw_os_error(ENOBUFS));
        }
        self.backlog.pop_front();
        if self.dice.chance(self.profile.aborted) {
            self.links[id].spoil(self.now);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.accepted += 1;
        Ok(id)
    }

    fn read(&mut self, id: usize, into: &mut [u8]) -> io::Result<usize> {
        let again = self.soon();
        if self.dice.chance(self.profile.interrupted) {
            return Err(INTERRUPTED.into());
        }
        let refused = self.dice.chance(self.profile.would_block);
        let short = self.dice.chance(self.profile.short_read);
        let link = &mut self.links[id];
        if let Some(failure) = link.failure() {
            return failure;
        }
        if refused {
            link.again(READ, again);
            return Err(WOULD_BLOCK.into());
        }
        let most = into.len().min(link.up.len());
        if most == 0 {
            return if link.finished { Ok(0) } else { Err(WOULD_BLOCK.into()) };
        }
        let count =
            if short { self.dice.pick(&[1, 2, 3, 5, 14, 100, 5000]).min(most) } else { most };
        for (byte, from) in into.iter_mut().zip(link.up.drain(..count)) {
            *byte = from;
        }
        if count < most {
            link.edges |= READ;
        }
        link.news = true;
        Ok(count)
    }

    fn write(&mut self, id: usize, bytes: &[u8]) -> io::Result<usize> {
        let again = self.soon();
        if self.dice.chance(self.profile.interrupted) {
            return Err(INTERRUPTED.into());
        }
        let refused = self.dice.chance(self.profile.would_block);
        let short = self.dice.chance(self.profile.short_write);
        let link = &mut self.links[id];
        assert!(!link.shut, "a write after the end of the stream");
        assert!(!bytes.is_empty(), "a write of nothing");
        if link.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if link.deserted {
            // Nobody is there: the answer to these bytes is a reset.
            link.reset = true;
            link.edges |= READ | WRITE;
            return Ok(bytes.len());
        }
        let most = bytes.len().min(link.down_room());
        if refused || most == 0 {
            link.refused = true;
            if most > 0 {
                link.again(WRITE, again);
            }
            return Err(WOULD_BLOCK.into());
        }
        let count = if short { self.dice.pick(&[1, 2, 3, 5, 100, 5000]).min(most) } else { most };
        link.down.extend(&bytes[..count]);
        link.news = true;
        Ok(count)
    }

    fn drop_stream(&mut self, id: usize) {
        let kept = self.dice.below(self.links[id].down.len() + 1);
        let link = &mut self.links[id];
        if link.reset || !link.up.is_empty() {
            // Closing with unread input is a reset, which overtakes what was on its way.
            link.down.truncate(kept);
            link.cut = true;
        }
        link.shut = true;
        link.dropped = Some(self.now);
        link.news = true;
        self.ghosts.extend(link.token);
    }
}

/// The server's view of the network.
pub struct SimNet(pub Rc<RefCell<Network>>);

/// One accepted connection.
pub struct SimStream(Rc<RefCell<Network>>, usize);

impl Net for SimNet {
    type Stream = SimStream;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let net = &mut *self.0.borrow_mut();
        net.now += Duration::from_micros(10);
        if net.dice.chance(net.profile.interrupted) {
            return Ok(());
        }
        net.collect(events);
        if events.is_empty() {
            net.sleep(timeout);
            net.collect(events);
        }
        net.note(&[1, events.len() as u64, net.now.as_micros() as u64]);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn accept(&mut self, _: usize) -> io::Result<(SimStream, SocketAddr)> {
        let outcome = self.0.borrow_mut().accept();
        let id = outcome?;
        Ok((SimStream(Rc::clone(&self.0), id), SocketAddr::from(([127, 0, 0, 1], id as u16))))
    }

    fn register(&mut self, stream: &mut SimStream, token: usize) -> io::Result<()> {
        let net = &mut *self.0.borrow_mut();
        let fails = net.dice.chance(net.profile.aborted);
        let link = &mut net.links[stream.1];
        if fails {
            link.spoiled = true;
            return Err(io::Error::from_raw_os_error(ENOMEM));
        }
        link.token = Some(token);
        link.edges = READ | WRITE;
        Ok(())
    }

    fn shed(&mut self, _: usize, answer: &[u8]) -> io::Result<()> {
        let net = &mut *self.0.borrow_mut();
        if net.dice.chance(net.profile.accept_trouble) {
            return Err(io::Error::from_raw_os_error(ENOBUFS));
        }
        let id = net.backlog.pop_front().ok_or(WOULD_BLOCK)?;
        let link = &mut net.links[id];
        link.down.extend(answer);
        link.shut = true;
        link.dropped = Some(net.now);
        link.news = true;
        Ok(())
    }

    fn close_listeners(&mut self) {
        let net = &mut *self.0.borrow_mut();
        net.listening = false;
        for id in std::mem::take(&mut net.backlog) {
            net.links[id].spoil(net.now);
        }
    }
}

impl Stream for SimStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let net = &mut *self.0.borrow_mut();
        let outcome = net.read(self.1, into);
        net.note(&[2, self.1 as u64, outcome.as_ref().map_or(u64::MAX, |count| *count as u64)]);
        outcome
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let net = &mut *self.0.borrow_mut();
        let outcome = net.write(self.1, bytes);
        net.note(&[3, self.1 as u64, outcome.as_ref().map_or(u64::MAX, |count| *count as u64)]);
        outcome
    }

    fn shut(&mut self) -> io::Result<()> {
        let link = &mut self.0.borrow_mut().links[self.1];
        link.shut = true;
        link.news = true;
        Ok(())
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.0.borrow_mut().drop_stream(self.1);
    }
}

fn event(source: Source, bits: u8, hangup: bool) -> Event {
    let readable = bits & READ != 0 || hangup;
    Event { source, readable, writable: bits & WRITE != 0, hangup }
}
