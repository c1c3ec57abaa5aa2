//! Every message goes to everybody else in the room, as it came: broadcasts and drawing boards.
//!
//! A board differs in two points. Its members are told how many they are, as those of a broadcast
//! are who ask for it. And text is kept for those who come later, while what is binary is for the
//! moment; what is drawn nobody here looks into.

#[cfg(feature = "bus")]
mod elsewhere;

use std::rc::Rc;
use std::time::Duration;

use super::allowance::{Bucket, Rate};
use super::history::Histories;
use super::presence::{Presence, Told};
use super::processes::{Card, Word};
use super::rooms::{Full, Rooms};
use super::{Effects, Kind, Now, Population, Reach, Service, notice};
use crate::budget::Budget;
use crate::id::ConnId;
use crate::limits::RoomHistory;
use crate::ws::close::CloseCode;

/// Longest message in bytes: a stroke of a drawing, a small picture.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024;

/// Tokens of a member: one for a message and one for each whole KiB of it. A drawing page sends at
/// most 40 strokes a second for each finger; a stall of some seconds may come at once behind it.
const RATE: Rate = Rate { burst: 2000, interval: Duration::from_millis(2) };

/// The message behind which a board is empty: what was kept before it need not be kept. In any
/// other spelling it is a message like all others, and whoever is sent them all ends up the same.
const CLEAR: &[u8] = br#"{"clear":true}"#;

/// The service; text stays text and binary stays binary.
#[derive(Debug, Default)]
pub struct Broadcast {
    rooms: Rooms<Told, Member>,
    presence: Presence,
    /// The rooms are drawing boards, and this is what they keep.
    boards: Option<Histories>,
}

/// How the server's own messages to a board begin. From a member that is not passed on, so that no
/// board has to ask who says how many are there.
const OWN: &[u8] = br#"{"type":"#;

/// Somebody in a room.
#[derive(Debug)]
struct Member {
    bucket: Bucket,
    /// How many it knows to be here, if it wants to know.
    known: Option<usize>,
    /// It was told that the room is local for now.
    #[cfg_attr(not(feature = "bus"), allow(dead_code, reason = "it never ends"))]
    cut_off: bool,
}

impl Service for Broadcast {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    fn open(&mut self, id: ConnId, room: &str, query: &str, now: Now, effects: &mut Effects) {
        let wants_presence = self.boards.is_some() || asks_for_presence(query);
        let cut_off = wants_presence && effects.reach() == Reach::Cut;
        let bucket = Bucket::default();
        let member = Member { bucket, known: wants_presence.then_some(0), cut_off };
        if let Err(Full) = self.rooms.join(id, room, member) {
            return effects.close(id, CloseCode::TRY_AGAIN, "room is full");
        }
        if let (Some(room), Some(number)) = (self.rooms.room_of(id), self.rooms.number(id)) {
            effects.publish(self.name(), &room, &Word::Here(number, Card::default()));
        }
        if cut_off {
            effects.send([id], Kind::Text, notice::system(notice::CUT, now).as_bytes());
        }
        if let Some(boards) = &self.boards {
            boards.replay(room, id, now, effects);
        }
        if let Some(told) = self.rooms.own_mut(room) {
            told.listeners += usize::from(wants_presence);
            self.presence.note(room, told, now, effects);
        }
    }

    fn message(&mut self, id: ConnId, kind: Kind, payload: &[u8], now: Now, effects: &mut Effects) {
        let (Some(room), Some(member)) = (self.rooms.room_of(id), self.rooms.get_mut(id)) else {
            return;
        };
        let cost = 1 + u32::try_from(payload.len() / 1024).unwrap_or(u32::MAX);
        if !member.bucket.take(RATE, cost, now.monotonic) {
            // Nobody can be told here that a message is lost, so none is lost in silence.
            self.leave(id, now, effects);
            return effects.close(id, CloseCode::POLICY, "too many messages");
        }
        if self.boards.is_some() && kind == Kind::Text && payload.starts_with(OWN) {
            return;
        }
        let others = self.rooms.others(&room, id);
        pass_on(&mut self.boards, &room, others, kind, payload, effects);
        effects.publish(self.name(), &room, &Word::Said(kind, payload));
    }

    fn close(&mut self, id: ConnId, now: Now, effects: &mut Effects) {
        self.leave(id, now, effects);
    }

    #[cfg(feature = "bus")]
    fn hear(
        &mut self,
        room: &Rc<str>,
        process: super::processes::ProcessId,
        word: Word<'_>,
        now: Now,
        effects: &mut Effects,
    ) {
        self.hear_elsewhere(room, process, word, now, effects);
    }

    #[cfg(feature = "bus")]
    fn rejoin(&mut self, room: &str, now: Now, effects: &mut Effects) {
        let members = self.rooms.members_mut(room);
        let told =
            members.filter_map(|(id, member)| std::mem::take(&mut member.cut_off).then_some(id));
        effects.send(told, Kind::Text, notice::system(notice::REJOINED, now).as_bytes());
    }

    #[cfg(feature = "bus")]
    fn roster(&self, room: &str) -> Vec<(u64, Card)> {
        self.rooms.numbers(room).map(|(number, _)| (number, Card::default())).collect()
    }

    fn end_of_turn(&mut self, now: Now, effects: &mut Effects) {
        for room in self.presence.take() {
            let told = self.rooms.own_mut(&room).map(|told| told.take(now.monotonic));
            match told {
                Some(Ok(true)) => self.tell(&room, now, effects),
                Some(Err(later)) => self.presence.put_off(room, later, effects),
                Some(Ok(false)) | None => {}
            }
        }
    }

    fn population(&self) -> Population {
        self.rooms.population()
    }

    fn shed_history(&mut self) -> bool {
        self.boards.as_mut().is_some_and(Histories::shed)
    }

    fn history_bytes(&self) -> usize {
        self.boards.as_ref().map_or(0, Histories::bytes)
    }
}

impl Broadcast {
    /// Drawing boards, each of which keeps as many bytes of what is drawn as `limits` say: the
    /// strokes of a picture are small and many.
    pub fn of_boards(limits: RoomHistory, budget: &Budget) -> Self {
        let messages = if limits.messages == 0 { 0 } else { usize::MAX };
        let boards = Histories::new(RoomHistory { messages, ..limits }, budget);
        Self { boards: Some(boards), ..Self::default() }
    }

    /// What other processes know the service by.
    fn name(&self) -> &'static str {
        if self.boards.is_some() { "draw" } else { "broadcast" }
    }

    fn leave(&mut self, id: ConnId, now: Now, effects: &mut Effects) {
        let Some(number) = self.rooms.number(id) else { return };
        let Some((room, member)) = self.rooms.leave(id) else { return };
        effects.publish(self.name(), &room, &Word::Gone(number));
        if self.rooms.own(&room).is_none() {
            effects.vacate(self.name(), &room);
        }
        match (self.rooms.own_mut(&room), &mut self.boards) {
            (Some(told), _) => {
                told.listeners -= usize::from(member.known.is_some());
                self.presence.note(&room, told, now, effects);
            }
            (None, Some(boards)) => boards.forget(&room),
            (None, None) => {}
        }
    }

    /// Tells how many are here, to those who want to know and do not yet.
    fn tell(&mut self, room: &str, now: Now, effects: &mut Effects) {
        let guests = self.rooms.own(room).map_or(0, |told| told.guests.len());
        let count = self.rooms.count(room) + guests;
        let members = self.rooms.members_mut(room);
        let listeners = members.filter_map(|(id, member)| {
            let known = member.known.as_mut().filter(|known| **known != count)?;
            *known = count;
            Some(id)
        });
        effects.send(listeners, Kind::Text, notice::presence(count, now).as_bytes());
    }
}

/// A message, to those here who are to get it, and to those who come later to a board.
fn pass_on(
    boards: &mut Option<Histories>,
    room: &Rc<str>,
    to: impl Iterator<Item = ConnId>,
    kind: Kind,
    payload: &[u8],
    effects: &mut Effects,
) {
    match boards {
        Some(boards) if kind == Kind::Text => {
            let frame = effects.frame(kind, payload);
            effects.send_frame(to, &frame);
            if payload == CLEAR {
                boards.forget(room);
            }
            boards.keep(room, frame);
        }
        _ => effects.send(to, kind, payload),
    }
}

/// Whether a query names `presence`, with a value or without.
fn asks_for_presence(query: &str) -> bool {
    query.split('&').any(|part| part.split('=').next() == Some("presence"))
}

#[cfg(test)]
mod tests {
    use super::super::Effect;
    use super::*;

    #[test]
    fn everybody_else_in_the_room_hears_it_as_it_came() {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| ConnId::new(at, 0));
        let mut service = Broadcast::default();
        let mut effects = Effects::default();
        let now = Now::default();
        for (id, room) in [(a, "den"), (b, "den"), (c, "hall"), (d, "den")] {
            service.open(id, room, "", now, &mut effects);
        }
        assert!(effects.is_empty(), "nobody is told who comes");
        service.message(b, Kind::Binary, &[0, 255], now, &mut effects);
        service.close(d, now, &mut effects);
        service.message(a, Kind::Text, b"\xC3\xA9", now, &mut effects);
        let heard: Vec<(ConnId, Vec<u8>)> = effects
            .take()
            .into_iter()
            .map(|effect| match effect {
                Effect::Send(id, frame) => (id, frame.to_vec()),
                Effect::Close(..) | Effect::Wake(_) => unreachable!(),
            })
            .collect();
        let binary = vec![0x82, 2, 0, 255];
        let text = vec![0x81, 2, 0xC3, 0xA9];
        assert_eq!(heard, [(a, binary.clone()), (d, binary), (b, text)]);
    }

    /// What is sent, without heads.
    fn sent(effects: &mut Effects) -> Vec<(ConnId, String)> {
        let sent = effects.take().into_iter().map(|effect| match effect {
            Effect::Send(id, frame) => (id, String::from_utf8_lossy(&frame[2..]).into_owned()),
            Effect::Close(id, code, reason) => (id, format!("{} {reason}", code.number())),
            Effect::Wake(_) => unreachable!(),
        });
        sent.map(|(id, text)| (id, text.replace(r#","time":"1970-01-01T00:00:00.000Z""#, "")))
            .collect()
    }

    fn end_turn(service: &mut Broadcast, now: Now, effects: &mut Effects) {
        if effects.take_due(now.monotonic) {
            service.end_of_turn(now, effects);
        }
    }

    #[test]
    fn a_board_tells_how_many_are_there_and_what_was_drawn() {
        let [a, b, c] = [0, 1, 2].map(|at| ConnId::new(at, 0));
        let mut service = Broadcast::of_boards(RoomHistory::default(), &Budget::default());
        let mut effects = Effects::default();
        let now = Now::default();
        let none = r#"{"type":"history","count":0}"#;
        let here = |count| format!(r#"{{"type":"presence","count":{count}}}"#);
        service.open(a, "den", "", now, &mut effects);
        end_turn(&mut service, now, &mut effects);
        assert_eq!(sent(&mut effects), [(a, none.to_owned()), (a, here(1))]);
        for (kind, text) in [(Kind::Text, "one"), (Kind::Binary, "moment"), (Kind::Text, "two")] {
            service.message(a, kind, text.as_bytes(), now, &mut effects);
        }
        assert!(effects.is_empty(), "alone, and kept all the same");
        service.open(b, "den", "", now, &mut effects);
        let two = r#"{"type":"history","count":2}"#;
        assert_eq!(sent(&mut effects), [two, "one", "two"].map(|text| (b, text.to_owned())));
        end_turn(&mut service, now, &mut effects);
        assert_eq!(sent(&mut effects), [(a, here(2)), (b, here(2))]);
        let pretended = br#"{"type":"presence","count":9}"#;
        service.message(b, Kind::Text, pretended, now, &mut effects);
        assert!(effects.is_empty(), "these are the server's own words");
        service.message(b, Kind::Text, CLEAR, now, &mut effects);
        service.message(b, Kind::Text, b"three", now, &mut effects);
        sent(&mut effects);
        service.open(c, "den", "", now, &mut effects);
        service.close(b, now, &mut effects);
        end_turn(&mut service, now, &mut effects);
        let told: Vec<String> = sent(&mut effects).into_iter().map(|(_, text)| text).collect();
        assert_eq!(told, [two, r#"{"clear":true}"#, "three", &here(2)], "two were and are here");
        for id in [a, c] {
            service.close(id, now, &mut effects);
        }
        assert_eq!(service.history_bytes(), 0, "it ends with its last member");
        service.open(a, "den", "", now, &mut effects);
        assert_eq!(sent(&mut effects), [(a, none.to_owned())]);
    }

    #[test]
    fn a_broadcast_keeps_nothing_and_tells_its_number_to_who_asks() {
        let [a, b, c] = [0, 1, 2].map(|at| ConnId::new(at, 0));
        let mut service = Broadcast::default();
        let mut effects = Effects::default();
        let mut now = Now::default();
        service.open(a, "den", "x=1&presence", now, &mut effects);
        service.open(b, "den", "presences", now, &mut effects);
        service.message(a, Kind::Text, b"one", now, &mut effects);
        effects.take();
        end_turn(&mut service, now, &mut effects);
        let here = |count| (a, format!(r#"{{"type":"presence","count":{count}}}"#));
        assert_eq!(sent(&mut effects), [here(2)]);
        // A crowd that comes and goes is told of ten times at once and five times a second.
        let mut told = 0;
        for _ in 0..50 {
            service.open(c, "den", "", now, &mut effects);
            end_turn(&mut service, now, &mut effects);
            service.close(c, now, &mut effects);
            end_turn(&mut service, now, &mut effects);
            told += sent(&mut effects).len();
        }
        assert_eq!(told, 9);
        now.monotonic += Duration::from_secs(1);
        service.close(b, now, &mut effects);
        end_turn(&mut service, now, &mut effects);
        assert!(effects.take().len() == 1 && effects.due().is_none());
        service.close(a, now, &mut effects);
        end_turn(&mut service, now, &mut effects);
        assert!(effects.is_empty() && effects.due().is_none(), "nobody is left to be told");
    }

    #[test]
    fn a_room_that_comes_and_goes_in_a_turn_stands_in_line_once() {
        let [a, b] = [0, 1].map(|at| ConnId::new(at, 0));
        let mut service = Broadcast::default();
        let mut effects = Effects::default();
        let now = Now::default();
        for _ in 0..1000 {
            service.open(a, "den", "presence", now, &mut effects);
            service.close(a, now, &mut effects);
        }
        service.open(b, "den", "presence", now, &mut effects);
        end_turn(&mut service, now, &mut effects);
        assert_eq!(effects.due(), None, "it has been told");
        assert!(service.presence.take().is_empty(), "nothing is left of those before");
    }

    #[test]
    fn who_says_far_too_much_is_ended_and_not_heard_in_part() {
        let [a, b] = [0, 1].map(|at| ConnId::new(at, 0));
        for (bytes, messages) in [(0, 2000), (1023, 2000), (1024, 1000), (64 * 1024, 30)] {
            let mut service = Broadcast::default();
            let mut effects = Effects::default();
            let mut now = Now::default();
            for id in [a, b] {
                service.open(id, "den", "", now, &mut effects);
            }
            let mut say = |now| {
                service.message(a, Kind::Binary, &vec![7; bytes], now, &mut effects);
                effects.take()
            };
            for _ in 0..messages {
                assert!(matches!(say(now)[..], [Effect::Send(id, _)] if id == b));
            }
            now.monotonic += RATE.interval * (1 + bytes as u32 / 1024);
            assert!(matches!(say(now)[..], [Effect::Send(..)]), "time brings more");
            assert_eq!(say(now), [Effect::Close(a, CloseCode::POLICY, "too many messages")]);
            assert_eq!(say(now), [], "it is out of the room");
        }
    }
}
