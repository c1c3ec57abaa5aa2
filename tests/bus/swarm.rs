//! The fleet in bad weather: a slow bus, links that are cut, a bus that freezes or is gone,
//! processes that are killed and started, at any step. It is judged what everybody has heard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use wsecho::limits::Config;

use crate::dice::Dice;
use crate::fleet::{Client, Fleet, who};

/// What is done in one run, beside the weather.
const STEPS: usize = 60;

/// What somebody who wants to be heard says in a second at most. A chat hears ten messages a second
/// and twenty at once, of which ten may have been said before the clock went on.
const SECOND_MAX: usize = 10;

/// A room that nothing is said in.
const ELSEWHERE: &str = "/chat/hall";

/// Somebody, and what is known of what it did.
struct Member {
    client: Client,
    number: usize,
    said: usize,
    /// When it has sent something in the last second.
    sent_at: VecDeque<Duration>,
    /// What it has heard of each: how-manieth messages, in the order of coming.
    heard: BTreeMap<usize, Vec<usize>>,
}

impl Member {
    /// Whether it may send something now; then it does.
    fn takes_its_time(&mut self, now: Duration) -> bool {
        let second = Duration::from_secs(1);
        while self.sent_at.front().is_some_and(|at| now - *at >= second) {
            self.sent_at.pop_front();
        }
        let may = self.sent_at.len() < SECOND_MAX;
        if may {
            self.sent_at.push_back(now);
        }
        may
    }

    fn read(&mut self) {
        for text in self.client.texts() {
            let Some((number, at)) = stamp(&text) else { continue };
            self.heard.entry(number).or_default().push(at);
        }
    }
}

/// Who said it, and its how-manieth message it was.
fn stamp(text: &str) -> Option<(usize, usize)> {
    let (number, at) = text.split('#').nth(1)?.split_once('.')?;
    Some((number.parse().ok()?, at.parse().ok()?))
}

struct Swarm {
    fleet: Fleet,
    dice: Dice,
    members: Vec<Member>,
    /// One in another room at each process, so that it lives when the last one has left this one.
    elsewhere: Vec<Client>,
    /// How many have ever been there.
    came: usize,
    /// Nothing of the bus has failed.
    calm: bool,
    path: &'static str,
    hash: u64,
}

/// Runs a seed to its end, judges it, and says in a number what has happened.
pub fn run(seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let calm = dice.chance(250);
    let path = dice.pick(&["/chat/den", "/chat/den", "/draw/den", "/broadcast/den"]);
    let mut fleet = Fleet::new(2 + dice.below(2));
    for net in &fleet.nets {
        net.core().clock_ahead = Duration::from_millis(dice.below(5000) as u64);
    }
    fleet.broker.step = dice.pick(&[None, Some(7), Some(100), Some(1000)]);
    let elsewhere = (0..fleet.servers.len()).map(|node| fleet.join(node, ELSEWHERE)).collect();
    let (members, came) = (Vec::new(), 0);
    let mut swarm = Swarm { fleet, dice, members, elsewhere, came, calm, path, hash: seed };
    for _ in 0..STEPS {
        swarm.step();
    }
    swarm.recover();
    swarm.judge();
    swarm.part();
    swarm.hash
}

impl Swarm {
    fn step(&mut self) {
        match self.dice.below(10) {
            0 | 1 => self.join(),
            2 if self.members.len() > 1 => self.leave(),
            3 => self.rename(),
            4 if !self.calm => self.weather(),
            _ => self.say(),
        }
        // Somewhere between two turns, or after some time.
        match self.dice.below(4) {
            0 => {}
            1 => {
                for _ in 0..self.dice.below(6) {
                    self.fleet.turn();
                }
            }
            2 => self.fleet.settle(),
            _ => {
                let most = if self.dice.chance(100) { 12_000 } else { 700 };
                let time = Duration::from_millis(1 + self.dice.below(most) as u64);
                self.fleet.pass(time);
            }
        }
        self.members.iter_mut().for_each(Member::read);
        self.elsewhere.iter_mut().for_each(Client::read);
    }

    fn living(&mut self) -> usize {
        let servers = self.fleet.servers.iter().enumerate();
        let living: Vec<usize> =
            servers.filter(|(_, server)| server.is_some()).map(|(at, _)| at).collect();
        self.dice.pick(&living)
    }

    fn join(&mut self) {
        let node = self.living();
        let client = self.fleet.join(node, self.path);
        let (said, sent_at, heard) = (0, VecDeque::new(), BTreeMap::new());
        self.members.push(Member { client, number: self.came, said, sent_at, heard });
        self.came += 1;
        if self.calm {
            // What is said until a new room is whole reaches others only.
            self.fleet.settle();
        }
    }

    fn leave(&mut self) {
        let at = self.dice.below(self.members.len());
        self.members.swap_remove(at).client.leave();
    }

    /// Three names for all of them.
    fn rename(&mut self) {
        let name = self.dice.pick(&["ann", "bob", "cyd"]);
        let chats = self.path.starts_with("/chat");
        if let Some(at) = chats.then(|| self.speaker()).flatten() {
            self.members[at].client.take_name(name);
        }
    }

    fn say(&mut self) {
        let Some(at) = self.speaker() else { return };
        let member = &mut self.members[at];
        let padding = "x".repeat(self.dice.pick(&[0, 20, 300, 5000]));
        let stamp = format!("#{}.{}#", member.number, member.said);
        // A board takes what begins with a type for the server's own words.
        member.client.say(&format!(r#"{{"message":"{stamp}{padding}"}}"#));
        member.said += 1;
        if self.calm {
            self.fleet.settle();
        }
    }

    /// Somebody, unless it has just said a lot.
    fn speaker(&mut self) -> Option<usize> {
        let at = (!self.members.is_empty()).then(|| self.dice.below(self.members.len()))?;
        self.members[at].takes_its_time(self.fleet.now).then_some(at)
    }

    fn weather(&mut self) {
        let node = self.living();
        match self.dice.below(7) {
            0 | 1 => self.fleet.broker.cut(node),
            2 => self.fleet.broker.frozen = !self.fleet.broker.frozen,
            3 => {
                let away = self.dice.chance(500);
                self.fleet.nets[node].core().unreachable = away;
                self.fleet.broker.cut(node);
            }
            4 => (0..self.fleet.nets.len()).for_each(|node| self.fleet.broker.cut(node)),
            5 if self.fleet.servers.iter().flatten().count() > 1 => {
                self.fleet.kill(node);
                self.members.retain(|member| member.client.node != node);
                self.elsewhere.retain(|client| client.node != node);
            }
            _ if self.fleet.servers.len() < 6 => {
                self.fleet.add(Config::default());
                let node = self.fleet.servers.len() - 1;
                self.elsewhere.push(self.fleet.join(node, ELSEWHERE));
            }
            _ => {}
        }
    }

    /// The weather clears up, and time passes.
    fn recover(&mut self) {
        self.fleet.broker.frozen = false;
        for net in &self.fleet.nets {
            net.core().unreachable = false;
        }
        self.fleet.pass(Duration::from_secs(25));
        self.members.iter_mut().for_each(Member::read);
    }

    fn judge(&mut self) {
        for member in &self.members {
            for (number, heard) in &member.heard {
                let once: BTreeSet<&usize> = heard.iter().collect();
                assert_eq!(once.len(), heard.len(), "twice: {heard:?} of {number}");
                assert!(heard.is_sorted(), "out of order: {heard:?} of {number}");
                let first = heard[0];
                let whole = heard.iter().copied().eq(first..first + heard.len());
                let speaker = self.members.iter().find(|other| other.number == *number);
                let here = speaker.is_some_and(|one| one.client.node == member.client.node);
                assert!(whole || !here && !self.calm, "lost: {heard:?} of {number}");
                let all = speaker.is_none_or(|speaker| heard.last() == Some(&(speaker.said - 1)));
                assert!(all || !here && !self.calm, "the last is lost: {heard:?} of {number}");
            }
        }
        // All agree on who is there, and no name is there twice.
        if self.path.starts_with("/chat") {
            let mut lists = BTreeSet::new();
            for member in &mut self.members {
                let names = who(&mut self.fleet, &mut member.client);
                let own: BTreeSet<&String> = names.iter().filter(|n| *n != "Anonymous").collect();
                assert_eq!(own.len(), names.iter().filter(|n| *n != "Anonymous").count());
                lists.insert(names);
            }
            assert!(lists.len() <= 1, "they do not agree: {lists:?}");
            let count = lists.first().map_or(0, Vec::len);
            assert_eq!(count, self.members.len(), "ghosts, or somebody unseen: {lists:?}");
        }
        // And what is said now all hear, once.
        self.fleet.pass(Duration::from_secs(10));
        for at in 0..self.members.len() {
            self.members.iter_mut().for_each(Member::read);
            let (number, last) = (self.members[at].number, self.members[at].said);
            self.members[at].client.say(&format!(r##"{{"message":"#{number}.{last}#"}}"##));
            self.members[at].said += 1;
            self.fleet.settle();
            self.members.iter_mut().for_each(Member::read);
            for other in &self.members {
                let own = other.number == number && !self.path.starts_with("/chat");
                let heard = other.heard.get(&number).and_then(|heard| heard.last());
                assert!(own || heard == Some(&last), "{} did not hear {number}", other.number);
                self.hash = self.hash.rotate_left(7) ^ other.heard.len() as u64;
            }
        }
    }

    /// All leave, and nothing is left of them.
    fn part(&mut self) {
        self.members.drain(..).for_each(|member| member.client.leave());
        self.elsewhere.drain(..).for_each(|client| client.leave());
        self.fleet.pass(Duration::from_secs(1));
        for server in self.fleet.servers.iter().flatten() {
            let metrics = server.metrics();
            assert_eq!((metrics.buffered_bytes, metrics.bus_connected), (0, 1));
            self.hash = self.hash.rotate_left(7) ^ metrics.bus_published ^ metrics.turns;
        }
        for node in 0..self.fleet.servers.len() {
            assert!(self.fleet.broker.channels(node).is_empty(), "nobody is anywhere");
        }
    }
}
