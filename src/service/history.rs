//! What was said in rooms of late, for those who come later.
//!
//! A history holds the very frames that were sent, so a message that still waits for somebody is
//! not kept twice, and a crowd that comes gets references. What goes first is the oldest: of a
//! room that has as much as it may, of the service when that has, and of all services while the
//! ledger is short. A room's history ends with its last member.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use super::{Effects, Kind, Now, SharedFrame, notice};
use crate::budget::{Budget, Charge};
use crate::id::ConnId;
use crate::limits::{ROOM_HISTORY_BYTES_MAX, RoomHistory};

/// What a message takes beside its frame: its entry, and as much again while a queue grows.
const ENTRY_BYTES: usize = 2 * size_of::<(u64, Rc<SharedFrame>)>();

/// What a room with a history takes beside that: its places in the tables.
const ROOM_BYTES: usize = 256;

/// The histories of a service's rooms.
#[derive(Debug)]
pub struct Histories {
    limits: RoomHistory,
    rooms: HashMap<Rc<str>, History>,
    /// Which room has the message that was said when; of each room its oldest stands here.
    by_age: BTreeMap<u64, Rc<str>>,
    /// Number of the next message.
    next: u64,
    /// How many messages there are in all, and the memory of all of them.
    messages: usize,
    bytes: usize,
    budget: Budget,
    /// For the entries; frames have charges of their own.
    charge: Charge,
}

/// What was said in one room, the oldest first.
#[derive(Debug, Default)]
struct History {
    /// Each with its number.
    frames: VecDeque<(u64, Rc<SharedFrame>)>,
    bytes: usize,
}

impl Histories {
    /// Nothing has been said. Of each room as much will be kept as `limits` say.
    pub fn new(limits: RoomHistory, budget: &Budget) -> Self {
        let charge = budget.charge(0);
        let (rooms, by_age) = (HashMap::new(), BTreeMap::new());
        let (next, messages, bytes) = (0, 0, 0);
        Self { limits, rooms, by_age, next, messages, bytes, budget: budget.clone(), charge }
    }

    /// Keeps a message that is said in `room`, and drops the oldest for it. Behind one that is
    /// longer than all that may be kept there is nothing: what is replayed has no gaps.
    pub fn keep(&mut self, room: &Rc<str>, frame: Rc<SharedFrame>) {
        let cost = cost(&frame);
        let most = self.limits.bytes.min(self.budget.history_limit());
        if self.limits.messages == 0 || cost > most {
            return self.forget(room);
        }
        let number = self.next;
        self.next += 1;
        let history = self.rooms.entry(Rc::clone(room)).or_default();
        if history.frames.is_empty() {
            self.by_age.insert(number, Rc::clone(room));
        }
        history.frames.push_back((number, frame));
        history.bytes += cost;
        self.messages += 1;
        self.bytes += cost;
        while self.is_too_long(room) {
            self.drop_oldest_of(room);
        }
        while self.bytes > self.budget.history_limit() {
            self.drop_oldest();
        }
        self.recharge();
    }

    /// Sends a new member what was said in its room: how many messages that are, and then these.
    /// What there is no room for is left out, from the oldest on.
    pub fn replay(&self, room: &str, to: ConnId, now: Now, effects: &mut Effects) -> usize {
        let frames = self.rooms.get(room).map(|history| &history.frames);
        let mut room_left = ROOM_HISTORY_BYTES_MAX.min(self.budget.free() / 2);
        let newest = frames.into_iter().flatten().rev().map(|(_, frame)| frame);
        let mut newest: Vec<_> = newest
            .take_while(|frame| {
                let fits = frame.len() <= room_left;
                room_left = room_left.saturating_sub(frame.len());
                fits
            })
            .collect();
        newest.reverse();
        effects.send([to], Kind::Text, notice::history(newest.len(), now).as_bytes());
        for frame in &newest {
            effects.send_frame([to], frame);
        }
        newest.len()
    }

    /// True if something has been kept of a room.
    pub fn has(&self, room: &str) -> bool {
        self.rooms.contains_key(room)
    }

    /// Drops all that was said in a room.
    pub fn forget(&mut self, room: &str) {
        let Some(history) = self.rooms.remove(room) else { return };
        if let Some((oldest, _)) = history.frames.front() {
            self.by_age.remove(oldest);
        }
        self.messages -= history.frames.len();
        self.bytes -= history.bytes;
        self.recharge();
    }

    /// Memory is short: drops the older half of all. False if there is nothing to drop.
    pub fn shed(&mut self) -> bool {
        let (had, half) = (self.messages > 0, self.bytes / 2);
        while self.bytes > half {
            self.drop_oldest();
        }
        self.recharge();
        had
    }

    /// Bytes of memory that all of it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_too_long(&self, room: &str) -> bool {
        let RoomHistory { messages, bytes } = self.limits;
        let history = self.rooms.get(room);
        history.is_some_and(|history| history.frames.len() > messages || history.bytes > bytes)
    }

    fn drop_oldest(&mut self) {
        if let Some(room) = self.by_age.first_key_value().map(|(_, room)| Rc::clone(room)) {
            self.drop_oldest_of(&room);
        }
    }

    fn drop_oldest_of(&mut self, room: &Rc<str>) {
        let Some(history) = self.rooms.get_mut(room) else { return };
        let Some((number, frame)) = history.frames.pop_front() else { return };
        let cost = cost(&frame);
        history.bytes -= cost;
        self.bytes -= cost;
        self.messages -= 1;
        self.by_age.remove(&number);
        if history.frames.len() < history.frames.capacity() / 4 {
            history.frames.shrink_to_fit();
        }
        match history.frames.front() {
            Some((oldest, _)) => drop(self.by_age.insert(*oldest, Rc::clone(room))),
            None => drop(self.rooms.remove(room)),
        }
    }

    fn recharge(&mut self) {
        assert_eq!(self.by_age.len(), self.rooms.len(), "each room has one oldest message");
        self.charge.set(self.messages * ENTRY_BYTES + self.rooms.len() * ROOM_BYTES);
    }
}

impl Default for Histories {
    fn default() -> Self {
        Self::new(RoomHistory::default(), &Budget::default())
    }
}

fn cost(frame: &SharedFrame) -> usize {
    frame.charged() + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::super::Effect;
    use super::*;

    fn ann() -> ConnId {
        ConnId::new(1, 0)
    }

    struct Stage {
        budget: Budget,
        effects: Effects,
        histories: Histories,
    }

    impl Stage {
        fn new(limit: usize, messages: usize, bytes: usize) -> Self {
            let budget = Budget::new(limit);
            let histories = Histories::new(RoomHistory { messages, bytes }, &budget);
            Self { effects: Effects::new(budget.clone()), budget, histories }
        }

        fn say(&mut self, room: &str, payload: &[u8]) -> Rc<SharedFrame> {
            let frame = self.effects.frame(Kind::Binary, payload);
            self.histories.keep(&room.into(), Rc::clone(&frame));
            frame
        }

        /// First bytes of the messages that somebody who comes is sent.
        fn replayed(&mut self, room: &str) -> Vec<u8> {
            let count = self.histories.replay(room, ann(), Now::default(), &mut self.effects);
            let sent = self.effects.take().into_iter().map(|effect| match effect {
                Effect::Send(to, frame) if to == ann() => frame,
                other => panic!("{other:?}"),
            });
            let frames: Vec<_> = sent.collect();
            let notice = format!(r#"{{"type":"history","count":{count},"#);
            assert!(frames[0][2..].starts_with(notice.as_bytes()), "how many come first");
            let first = |frame: &Rc<SharedFrame>| frame[if frame[1] < 126 { 2 } else { 4 }];
            let frames: Vec<u8> = frames[1..].iter().map(first).collect();
            assert_eq!(frames.len(), count);
            frames
        }
    }

    #[test]
    fn the_last_messages_are_kept_and_the_oldest_go() {
        let mut stage = Stage::new(1 << 20, 3, 1 << 16);
        assert_eq!(stage.replayed("den"), b"");
        for byte in b'a'..=b'e' {
            stage.say("den", &[byte]);
        }
        stage.say("hall", b"x");
        assert_eq!((stage.replayed("den"), stage.replayed("hall")), (b"cde".into(), b"x".into()));
        stage.histories.forget("den");
        assert_eq!((stage.replayed("den"), stage.replayed("hall")), (b"".into(), b"x".into()));
        assert!(stage.histories.has("hall") && !stage.histories.has("den"));
    }

    #[test]
    fn bytes_bound_a_room_too_with_all_that_a_message_takes() {
        let mut stage = Stage::new(1 << 24, 1000, 4000);
        let cost = cost(&stage.say("den", &[0; 1000]));
        assert!((1050..1200).contains(&cost), "{cost}");
        for byte in b'a'..=b'e' {
            stage.say("den", &[[byte; 1000], [0; 1000]].concat()[..1000]);
        }
        assert_eq!(stage.replayed("den"), b"cde");
        stage.say("den", &[b'x'; 4000]);
        assert_eq!(stage.replayed("den"), b"", "longer than all that may be kept");
        let empty = self::cost(&stage.say("den", b""));
        for _ in 0..1000 {
            stage.say("den", b"");
        }
        assert!(stage.histories.messages <= 4000 / empty, "an empty message is memory too");
    }

    #[test]
    fn a_service_keeps_no_more_than_its_share_and_drops_the_oldest_of_any_room() {
        let mut stage = Stage::new(160_000, 100, 1 << 16);
        for byte in b'a'..=b'z' {
            stage.say(&format!("room {byte}"), &[byte; 1000]);
            assert!(stage.histories.bytes() <= 10_000);
        }
        assert!(!stage.histories.has("room 97") && stage.histories.has("room 122"));
        // The shorter words are, the more there is room for.
        assert!((8..=9).contains(&stage.histories.rooms.len()));
        let kept = stage.histories.bytes();
        assert!(stage.histories.shed() && stage.histories.bytes() <= kept / 2);
        assert!(stage.histories.has("room 122") && !stage.histories.has("room 115"));
        while stage.histories.shed() {}
        assert_eq!((stage.histories.bytes(), stage.budget.used()), (0, 0));
    }

    #[test]
    fn a_message_is_charged_once_however_many_have_it() {
        let mut stage = Stage::new(1 << 20, 50, 1 << 16);
        let frame = stage.say("den", &[b'a'; 1000]);
        let alone = stage.budget.used();
        assert_eq!(alone, frame.charged() + ENTRY_BYTES + ROOM_BYTES);
        for _ in 0..100 {
            stage.histories.replay("den", ann(), Now::default(), &mut stage.effects);
        }
        let replayed = stage.effects.take();
        let frames = replayed.iter().filter(|effect| match effect {
            Effect::Send(_, sent) => Rc::ptr_eq(sent, &frame),
            Effect::Close(..) | Effect::Wake(_) => false,
        });
        assert_eq!(frames.count(), 100, "the very same");
        drop(replayed);
        assert_eq!(stage.budget.used(), alone);
        drop(frame);
        stage.histories.forget("den");
        assert_eq!(stage.budget.used(), 0);
    }

    #[test]
    fn a_replay_leaves_room_for_what_is_said_next() {
        let mut stage = Stage::new(1 << 20, 50, 1 << 16);
        for byte in b'a'..=b'f' {
            stage.say("den", &[byte; 1000]);
        }
        let full = stage.budget.charge(stage.budget.free() - 6000);
        assert_eq!(stage.replayed("den"), b"ef", "as much as half of what is free");
        drop(full);
        assert_eq!(stage.replayed("den"), b"abcdef");
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let mut stage = Stage::new(1 << 20, 0, 1 << 16);
        stage.say("den", b"a");
        assert_eq!((stage.replayed("den"), stage.budget.used()), (vec![], 0));
    }
}
