//! The processes that share rooms, as one of them sees it.
//!
//! - A process subscribes to the rooms that somebody is in here, and to nothing else but one
//!   channel on which all say that they live.
//! - Who comes to a room, and each who comes back after an outage, says hello there and tells who
//!   its members are; the others answer with theirs. From then on each tells what changes.
//! - Its own messages come back and are dropped, but for the hello: when that is heard, the room is
//!   whole.
//! - Of a process that has not been heard for a while the members leave. So they do in a room in
//!   which it does not say who they are, though it was asked or does so everywhere.
//! - Who may have been given up, or has given up somebody who lives, says hello in all rooms.

mod crowds;
mod doubts;
mod sharers;
mod speaking;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use log::warn;

use super::Bus;
use crate::budget::Budget;
use crate::limits::{PROCESS_TIME, PROCESSES_MAX};
use crate::service::processes::{Letter, ProcessId, Unread, VERSION, Word, next_round, round};
use crate::service::{MOUNTED, Post};
use sharers::Sharers;

/// How often it is looked who has not been heard.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The rooms that somebody is in here, and the other processes.
#[derive(Debug)]
pub struct Fleet {
    own: ProcessId,
    /// What the names of all channels begin with.
    prefix: String,
    /// Number of the last message.
    number: u64,
    /// By channel.
    rooms: HashMap<Rc<str>, Room>,
    /// Those of them in which something is due; some may be gone by now.
    due: VecDeque<Rc<str>>,
    processes: HashMap<ProcessId, Process>,
    connected: bool,
    /// It listens to who lives.
    listens: bool,
    beat_at: Duration,
    look_at: Duration,
    /// Until then it is looked who has not told its members anew.
    doubts_until: Duration,
    /// Those that have not been heard for too long, the latest last, and in which round that was.
    given_up: VecDeque<(ProcessId, u64)>,
    /// Those of them that live and do not know of it: with the next beat all are asked who their
    /// members are.
    unaware: BTreeSet<ProcessId>,
    /// Somebody speaks another version, and that has been said.
    warned: bool,
    /// There are more processes than are heard, and that has been said.
    too_many: bool,
    /// Members elsewhere found no room, and that has been said.
    crowded: bool,
    budget: Budget,
}

#[derive(Debug)]
struct Room {
    /// Its place in [`MOUNTED`].
    service: usize,
    name: Rc<str>,
    due: Due,
    sharers: Sharers,
}

/// What the others in a room are still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Nothing,
    /// Who is here.
    Roster,
    /// That somebody is here, who listens from now on; and who.
    Hello,
}

#[derive(Debug)]
struct Process {
    heard_at: Duration,
    number: u64,
    /// By when it has to have told its members in all its rooms, in the round that this number is
    /// of.
    tells_until: Duration,
}

/// What a message means for a service.
#[derive(Debug, PartialEq)]
pub enum Heard<'a> {
    /// Another process says something in a room.
    Word {
        /// Which service: its place in [`MOUNTED`].
        service: usize,
        /// Which room.
        room: Rc<str>,
        /// Which process.
        from: ProcessId,
        /// What it says.
        word: Word<'a>,
    },
    /// The room reaches all processes.
    Whole {
        /// Which service.
        service: usize,
        /// Which room.
        room: Rc<str>,
    },
}

impl Fleet {
    /// Nobody is anywhere. Only processes with the same `database` share rooms. What is kept of
    /// others is charged to `budget`.
    pub fn new(own: ProcessId, database: u32, budget: Budget) -> Self {
        Self {
            own,
            prefix: format!("wsecho/{database}/"),
            number: 0,
            rooms: HashMap::new(),
            due: VecDeque::new(),
            processes: HashMap::new(),
            connected: false,
            listens: false,
            beat_at: Duration::ZERO,
            look_at: Duration::ZERO,
            doubts_until: Duration::ZERO,
            given_up: VecDeque::new(),
            unaware: BTreeSet::new(),
            warned: false,
            too_many: false,
            crowded: false,
            budget,
        }
    }

    /// The bus has said welcome: everything is to be said anew.
    pub fn connected(&mut self, now: Duration) {
        (self.connected, self.listens, self.beat_at) = (true, false, now);
        self.begin_round();
    }

    /// All that it has said counts no more, and neither does what it knows of who was given up.
    fn begin_round(&mut self) {
        self.number = next_round(self.number);
        self.given_up.clear();
        self.announce_all();
    }

    /// Says hello in all rooms, which asks who is there as well.
    fn announce_all(&mut self) {
        self.unaware.clear();
        self.rooms.values_mut().for_each(|room| room.due = Due::Hello);
        let mut channels: Vec<_> = self.rooms.keys().cloned().collect();
        channels.sort_unstable();
        self.due = channels.into();
    }

    /// The bus is gone. What services say until it is back, is not said to others.
    pub fn disconnected(&mut self) {
        self.connected = false;
        self.due.clear();
    }

    /// Publishes what a service says, and follows who is in which room.
    pub fn post(&mut self, post: &Post, bus: &mut dyn Bus, out: &mut Vec<u8>) {
        let channel = format!("{}{}/{}", self.prefix, post.service, post.room);
        let Some(word) = &post.word else {
            let announced = self.rooms.remove(&*channel).is_some_and(|room| room.due < Due::Hello);
            if announced && self.connected {
                bus.unsubscribe(&channel, out);
            }
            return;
        };
        if !self.rooms.contains_key(&*channel) {
            let path = |path: &str| path.strip_prefix('/') == Some(post.service);
            let Some(service) = MOUNTED.iter().position(|mounted| path(mounted.path.path)) else {
                return;
            };
            let channel: Rc<str> = channel.as_str().into();
            let (name, sharers) = (Rc::clone(&post.room), Sharers::default());
            let room = Room { service, name, due: Due::Hello, sharers };
            self.rooms.insert(Rc::clone(&channel), room);
            if self.connected {
                self.due.push_back(channel);
            }
        }
        if self.connected {
            self.publish(&channel, word, bus, out);
        }
    }

    /// What a message on a channel means.
    pub fn hear<'a>(
        &mut self,
        channel: &[u8],
        payload: &'a [u8],
        now: Duration,
    ) -> Option<Heard<'a>> {
        let letter = match Letter::parse(payload) {
            Ok(letter) => letter,
            Err(Unread::Version(version)) => {
                if !std::mem::replace(&mut self.warned, true) {
                    warn!("bus: somebody speaks version {version}, and this is {VERSION}");
                }
                return None;
            }
            Err(Unread::Malformed) => return None,
        };
        let from = letter.from;
        if from != self.own && !self.note(&letter, now) {
            return None;
        }
        let room = self.rooms.get_mut(std::str::from_utf8(channel).ok()?)?;
        let (service, name) = (room.service, Rc::clone(&room.name));
        if from == self.own {
            let hello = letter.word == Word::Hello;
            if hello && room.sharers.expect_answers(now + PROCESS_TIME) {
                self.doubts_until = now + PROCESS_TIME;
            }
            return hello.then_some(Heard::Whole { service, room: name });
        }
        if !room.sharers.follow(&letter, &self.budget) {
            return None;
        }
        match &letter.word {
            Word::Private(to, _) if to.process != self.own => return None,
            Word::Hello => {
                if room.due == Due::Nothing {
                    room.due = Due::Roster;
                    self.due.push_back(std::str::from_utf8(channel).ok()?.into());
                }
                return None;
            }
            _ => {}
        }
        Some(Heard::Word { service, room: name, from, word: letter.word })
    }

    /// Notes that a process lives. False if this is nothing new of it.
    fn note(&mut self, letter: &Letter<'_>, now: Duration) -> bool {
        let (known, number) = (self.processes.len(), letter.number);
        match self.processes.get_mut(&letter.from) {
            Some(process) if process.number >= number => return false,
            Some(process) => {
                if round(process.number) < round(number) {
                    // In all its rooms it has to tell its members.
                    process.tells_until = now + PROCESS_TIME;
                    self.doubts_until = process.tells_until;
                    self.unaware.remove(&letter.from);
                }
                (process.heard_at, process.number) = (now, number);
            }
            None if known >= PROCESSES_MAX => {
                self.turn_away();
                return false;
            }
            None => {
                if known == 0 {
                    self.look_at = now + LOOK_INTERVAL;
                }
                self.welcome(letter.from, number);
                let process = Process { heard_at: now, number, tells_until: now };
                self.processes.insert(letter.from, process);
            }
        }
        true
    }

    /// When there is something to do, if nothing is heard until then.
    pub fn next(&self) -> Option<Duration> {
        let beat = (self.connected && !self.rooms.is_empty()).then_some(self.beat_at);
        let look = (!self.processes.is_empty()).then_some(self.look_at);
        beat.into_iter().chain(look).min()
    }

    /// How many other processes are known.
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }
}
