//! Joins, leaves and new names, told to the room in one sentence.

use std::time::Duration;

use super::Chat;
use super::words::system;
use crate::id::ConnId;
use crate::service::allowance::{Bucket, Rate};
use crate::service::{Effects, Now};

/// Sentences that may come at once, and how often for long. Each goes to everybody in the room, and
/// a crowd that reconnects would otherwise be told of each of its members.
const RATE: Rate = Rate { burst: 10, interval: Duration::from_millis(200) };

/// Most names of one kind in a sentence.
const NAMES_MAX: usize = 3;

impl Chat {
    /// Has the room told at the end of the turn.
    pub(super) fn note(&mut self, room: &str, now: Now, effects: &mut Effects) {
        if self.rooms.own_mut(room).is_some_and(|hall| hall.news.note()) {
            self.with_news.push(room.into());
            effects.call_at(now.monotonic);
        }
    }

    /// Tells a room what is new, in one message for all. The error is when that may be done.
    pub(super) fn tell(
        &mut self,
        room: &str,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), Duration> {
        let Some(hall) = self.rooms.own_mut(room) else { return Ok(()) };
        let Some(mut sentence) = hall.news.begin(now.monotonic)? else { return Ok(()) };
        for (id, user) in self.rooms.members_mut(room) {
            let change = std::mem::take(&mut user.change);
            sentence.add(Some(id), change, user.name());
        }
        let guests = self.rooms.own_mut(room).into_iter().flat_map(|hall| hall.guests.iter_mut());
        for (_, guest) in guests {
            let change = std::mem::take(&mut guest.change);
            sentence.add(None, change, guest.name());
        }
        let only_about = sentence.only_about();
        let Some(words) = sentence.words(self.count(room)) else { return Ok(()) };
        let listeners = self.rooms.members(room).map(|(id, _)| id);
        let listeners: Vec<_> = listeners.filter(|id| Some(*id) != only_about).collect();
        if let Some(hall) = self.rooms.own_mut(room).filter(|_| !listeners.is_empty()) {
            hall.news.spend(now.monotonic);
        }
        system(effects, listeners, &words, now);
        Ok(())
    }
}

/// What has become of a member since the others were last told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    #[default]
    None,
    /// It has come.
    Joined,
    /// It has been elsewhere all the time, and is known of only now.
    #[cfg_attr(not(feature = "bus"), allow(dead_code, reason = "nobody is elsewhere"))]
    Found,
    /// It has taken its name over from a connection of its own.
    Back,
    /// It had this name.
    Renamed(String),
}

/// What the members of a room have not been told yet, beside their own changes.
#[derive(Debug, Default)]
pub(super) struct News {
    left: Crowd,
    told: Bucket,
    waiting: bool,
}

impl News {
    /// There is something to tell. False if that was so before.
    fn note(&mut self) -> bool {
        !std::mem::replace(&mut self.waiting, true)
    }

    /// Somebody has left who was known by this name.
    pub(super) fn left(&mut self, name: &str) {
        self.left.add(name);
    }

    /// Begins the sentence, if there is something to tell. The error is when it may be told.
    fn begin(&mut self, now: Duration) -> Result<Option<Sentence>, Duration> {
        if !self.waiting {
            return Ok(None);
        }
        let ready_at = self.told.ready_at(RATE, now);
        if ready_at > now {
            return Err(ready_at);
        }
        self.waiting = false;
        Ok(Some(Sentence { left: std::mem::take(&mut self.left), ..Sentence::default() }))
    }

    /// The sentence has been told.
    fn spend(&mut self, now: Duration) {
        self.told.take(RATE, 1, now);
    }
}

/// What is told to a room.
#[derive(Debug, Default)]
struct Sentence {
    joined: Crowd,
    found: Crowd,
    back: Crowd,
    /// Who was who, of the first few.
    renamed: Vec<String>,
    /// How many have another name, all in all.
    renamed_count: usize,
    left: Crowd,
    /// The last that was added, if it is a member here.
    member: Option<ConnId>,
}

impl Sentence {
    /// Adds what a member, now called `name`, has done. It is not here if it has no id.
    fn add(&mut self, id: Option<ConnId>, change: Change, name: &str) {
        match change {
            Change::None => return,
            Change::Joined => self.joined.add(name),
            Change::Found => self.found.add(name),
            Change::Back => self.back.add(name),
            Change::Renamed(before) if before == name => return,
            Change::Renamed(before) => {
                self.renamed_count += 1;
                if self.renamed.len() < NAMES_MAX {
                    self.renamed.push(format!("{before} is now {name}"));
                }
            }
        }
        self.member = id;
    }

    /// Whom it is about, if it is about one member and nobody else.
    fn only_about(&self) -> Option<ConnId> {
        let came = self.joined.count + self.found.count + self.back.count;
        self.member.filter(|_| came + self.renamed_count + self.left.count == 1)
    }

    /// The whole sentence, unless there is nothing to tell. `online` is how many are in the room.
    fn words(mut self, online: usize) -> Option<String> {
        let mut parts = Vec::new();
        if self.joined.count > 0 {
            parts.push(format!("{} joined", self.joined.words()));
        }
        for (crowd, what) in [(&self.found, "here"), (&self.back, "back")] {
            let verb = if crowd.count == 1 { "is" } else { "are" };
            if crowd.count > 0 {
                parts.push(format!("{} {verb} {what}", crowd.words()));
            }
        }
        let others = self.renamed_count - self.renamed.len();
        parts.append(&mut self.renamed);
        if others > 0 {
            parts.push(format!("{others} more took other names"));
        }
        if self.left.count > 0 {
            parts.push(format!("{} left", self.left.words()));
        }
        let text = parts.join("; ");
        let came = self.joined.count + self.found.count + self.back.count;
        let moved = came + self.left.count > 0;
        let count = if moved { format!(", {online} user(s) online") } else { String::new() };
        (!text.is_empty()).then(|| text + &count)
    }
}

/// Several of whom the same is told.
#[derive(Debug, Default)]
struct Crowd {
    /// The first few different names.
    names: Vec<String>,
    count: usize,
}

impl Crowd {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < NAMES_MAX && self.names.iter().all(|other| other != name) {
            self.names.push(name.to_owned());
        }
    }

    /// "ann", "ann and bob", "ann, bob and cyd", "ann, bob and 2 others".
    fn words(&self) -> String {
        let all = self.names.len() == self.count;
        let shown = if all { self.count } else { self.names.len().min(NAMES_MAX - 1) };
        let mut parts = self.names[..shown].to_vec();
        match self.count - shown {
            0 => {}
            1 => parts.push("1 other".to_owned()),
            others => parts.push(format!("{others} others")),
        }
        match parts.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => parts.concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowds_are_named_as_far_as_they_are_short() {
        let words = |names: &[&str]| {
            let mut crowd = Crowd::default();
            names.iter().for_each(|name| crowd.add(name));
            crowd.words()
        };
        assert_eq!(words(&["ann"]), "ann");
        assert_eq!(words(&["ann", "bob"]), "ann and bob");
        assert_eq!(words(&["ann", "bob", "cyd"]), "ann, bob and cyd");
        assert_eq!(words(&["ann", "bob", "cyd", "dan"]), "ann, bob and 2 others");
        assert_eq!(words(&["Anonymous", "Anonymous"]), "Anonymous and 1 other");
        assert_eq!(words(&["Anonymous"; 9]), "Anonymous and 8 others");
        assert_eq!(words(&["Anonymous", "ann", "Anonymous"]), "Anonymous, ann and 1 other");
    }

    #[test]
    fn a_sentence_tells_all_there_is() {
        let id = |at| ConnId::new(at, 0);
        let mut sentence = Sentence::default();
        assert_eq!(sentence.only_about(), None);
        sentence.add(Some(id(0)), Change::None, "ann");
        sentence.add(Some(id(1)), Change::Renamed("bob".to_owned()), "bob");
        assert_eq!(sentence.only_about(), None, "a name that is the old one again");
        sentence.add(Some(id(2)), Change::Joined, "cyd");
        assert_eq!(sentence.only_about(), Some(id(2)));
        for (at, name) in ["dan", "eve", "fay", "gus"].iter().enumerate() {
            sentence.add(Some(id(3 + at)), Change::Renamed("x".to_owned()), name);
        }
        sentence.add(Some(id(7)), Change::Back, "hal");
        sentence.add(None, Change::Found, "joe");
        sentence.left.add("ida");
        assert_eq!(sentence.only_about(), None);
        let words = "cyd joined; joe is here; hal is back; x is now dan; x is now eve; \
            x is now fay; 1 more took other names; ida left, 7 user(s) online";
        assert_eq!(sentence.words(7).as_deref(), Some(words));
        assert_eq!(Sentence::default().words(7), None);
    }
}
