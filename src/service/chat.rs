//! A chat room: JSON objects as text messages, a room for each path below `/chat`.
//!
//! The protocol is described, with examples that a test runs, in docs/protocols.md. What is said
//! is passed on as data; no page of ours takes it for HTML.

#[cfg_attr(not(feature = "bus"), allow(dead_code, reason = "nobody comes from elsewhere"))]
mod claims;
#[cfg(feature = "bus")]
mod elsewhere;
mod names;
mod naming;
mod news;
mod patience;
mod speech;
mod words;

use std::collections::HashMap;
use std::rc::Rc;

use super::guests::Guests;
use super::history::Histories;
use super::processes::{Card, MemberId, Word};
use super::rooms::{Full, Rooms};
use super::{Effects, Kind, Now, Population, Reach, Service, notice};
use crate::budget::Budget;
use crate::id::ConnId;
use crate::limits::RoomHistory;
use crate::ws::close::CloseCode;
use claims::Claims;
use names::{ANONYMOUS, Key, Name, Skeleton};
use news::{Change, News};
use patience::{Grant, Patience};
use words::Content;
use words::{Field, NoObject, Said, error, object, system};

/// Longest message in bytes.
const MESSAGE_BYTES_MAX: u64 = 16 * 1024;

/// What other processes know the service by.
const SERVICE: &str = "chat";

/// Most names in the answer to `who`.
const USERS_MAX: usize = 200;

/// What is wrong with a message, for whoever sent it.
type Outcome = Result<(), &'static str>;

/// The service.
#[derive(Debug, Default)]
pub struct Chat {
    rooms: Rooms<Hall, User>,
    /// Rooms with something to tell; some may have told it by now.
    with_news: Vec<Rc<str>>,
    /// What was said to all.
    histories: Histories,
}

/// What a room knows beside its members.
#[derive(Debug, Default)]
struct Hall {
    /// Who has a name.
    names: HashMap<Skeleton, ConnId>,
    /// Who is here by way of other processes, and which names they have.
    guests: Guests<Guest>,
    guest_names: Claims,
    news: News,
}

/// Somebody in the room by way of another process.
#[derive(Debug, Default)]
struct Guest {
    name: Option<Name>,
    key: Option<Key>,
    since: u64,
    change: Change,
}

/// Who has a name: a member here, or one elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Here(ConnId),
    Elsewhere(MemberId),
}

/// Somebody in a room.
#[derive(Debug, Default)]
struct User {
    /// Unique in its room.
    name: Option<Name>,
    /// Who has it too may take the name over.
    key: Option<Key>,
    /// When it took the name, in milliseconds since 1970.
    since: u64,
    /// It was told that the room is local for now.
    #[cfg_attr(not(feature = "bus"), allow(dead_code, reason = "it never ends"))]
    cut_off: bool,
    patience: Patience,
    /// What the others have not been told yet.
    change: Change,
}

impl User {
    fn name(&self) -> &str {
        self.name.as_ref().map_or(ANONYMOUS, Name::as_str)
    }

    /// What other processes are told of it.
    fn card(&self) -> Card {
        let name = self.name.as_ref().map(|name| name.as_str().into());
        Card { name, key: self.key.map(Key::bytes), since: self.since }
    }
}

impl Guest {
    fn name(&self) -> &str {
        self.name.as_ref().map_or(ANONYMOUS, Name::as_str)
    }
}

impl Service for Chat {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    fn open(&mut self, id: ConnId, room: &str, _: &str, now: Now, effects: &mut Effects) {
        let cut_off = effects.reach() == Reach::Cut;
        let user = User { change: Change::Joined, cut_off, ..User::default() };
        if let Err(Full) = self.rooms.join(id, room, user) {
            return effects.close(id, CloseCode::TRY_AGAIN, "room is full");
        }
        self.publish_card(id, effects);
        let count = self.count(room);
        system(effects, [id], &format!("Welcome! {count} user(s) online"), now);
        if cut_off {
            system(effects, [id], notice::CUT, now);
        }
        if self.histories.has(room) {
            self.histories.replay(room, id, now, effects);
        }
        self.note(room, now, effects);
    }

    fn message(&mut self, id: ConnId, kind: Kind, payload: &[u8], now: Now, effects: &mut Effects) {
        let Some(user) = self.rooms.get_mut(id) else { return };
        match user.patience.take(now.monotonic) {
            Grant::Granted => {}
            Grant::Warned => return error(effects, id, "slow down: 10 messages a second", now),
            Grant::Refused => return,
            Grant::Exhausted => return effects.close(id, CloseCode::POLICY, "too many messages"),
        }
        if let Err(fault) = self.hear(id, kind, payload, now, effects) {
            error(effects, id, fault, now);
        }
    }

    fn close(&mut self, id: ConnId, now: Now, effects: &mut Effects) {
        let Some((room, user)) = self.leave(id, effects) else { return };
        let Some(hall) = self.rooms.own_mut(&room) else { return };
        if let Some(name) = &user.name {
            hall.names.remove(name.skeleton());
        }
        match user.change {
            // Nobody has heard of it.
            Change::Joined | Change::Found => return,
            Change::Renamed(before) => hall.news.left(&before),
            Change::None | Change::Back => hall.news.left(user.name()),
        }
        self.note(&room, now, effects);
    }

    #[cfg(feature = "bus")]
    fn hear(
        &mut self,
        room: &Rc<str>,
        from: super::processes::ProcessId,
        word: Word<'_>,
        now: Now,
        effects: &mut Effects,
    ) {
        self.hear_elsewhere(room, from, word, now, effects);
    }

    #[cfg(feature = "bus")]
    fn rejoin(&mut self, room: &str, now: Now, effects: &mut Effects) {
        let members = self.rooms.members_mut(room);
        let told = members.filter_map(|(id, user)| std::mem::take(&mut user.cut_off).then_some(id));
        system(effects, told.collect::<Vec<_>>(), notice::REJOINED, now);
    }

    #[cfg(feature = "bus")]
    fn roster(&self, room: &str) -> Vec<(u64, Card)> {
        self.rooms.numbers(room).map(|(number, user)| (number, user.card())).collect()
    }

    fn end_of_turn(&mut self, now: Now, effects: &mut Effects) {
        for room in std::mem::take(&mut self.with_news) {
            if let Err(later) = self.tell(&room, now, effects) {
                effects.call_at(later);
                self.with_news.push(room);
            }
        }
    }

    fn population(&self) -> Population {
        self.rooms.population()
    }

    fn shed_history(&mut self) -> bool {
        self.histories.shed()
    }

    fn history_bytes(&self) -> usize {
        self.histories.bytes()
    }
}

impl Chat {
    /// A chat whose rooms keep as much of what is said as `limits` say.
    pub fn new(limits: RoomHistory, budget: &Budget) -> Self {
        Self { histories: Histories::new(limits, budget), ..Self::default() }
    }

    /// Acts on a message.
    fn hear(
        &mut self,
        id: ConnId,
        kind: Kind,
        payload: &[u8],
        now: Now,
        effects: &mut Effects,
    ) -> Outcome {
        if kind == Kind::Binary {
            return Err("binary messages are not understood here");
        }
        let said = match Said::parse(payload) {
            Ok(said) => said,
            Err(NoObject::OtherJson) => return Err("an object is expected"),
            Err(NoObject::NoJson) => {
                effects.send([id], Kind::Text, &[b"Echo: ", payload].concat());
                return Ok(());
            }
        };
        let Some(room) = self.rooms.room_of(id) else { return Ok(()) };
        match &said.kind {
            Field::Missing => self.say(id, &room, &said, now, effects),
            Field::Text(kind) => match kind.as_str() {
                "chat" => self.say(id, &room, &said, now, effects),
                "nick" => self.rename(id, &room, &said, now, effects),
                "private" => self.whisper(id, &room, &said, now, effects),
                "who" => self.list(id, &room, now, effects),
                _ => Err("type is none of chat, nick, private, who"),
            },
            Field::Null | Field::Other => Err("type is not a string"),
        }
    }

    fn list(&self, id: ConnId, room: &str, now: Now, effects: &mut Effects) -> Outcome {
        let users = self.rooms.members(room).map(|(_, user)| user.name());
        let guests = self.rooms.own(room).into_iter().flat_map(|hall| hall.guests.iter());
        let users = users.chain(guests.map(|(_, guest)| guest.name())).take(USERS_MAX);
        let count = Content::Number(self.count(room));
        let fields = [("users", Content::Texts(users.collect())), ("count", count)];
        effects.send([id], Kind::Text, &object("who", &fields, now));
        Ok(())
    }

    fn name_of(&self, id: ConnId) -> &str {
        self.rooms.get(id).map_or(ANONYMOUS, User::name)
    }

    /// How many are in the room, here and elsewhere.
    fn count(&self, room: &str) -> usize {
        self.rooms.count(room) + self.rooms.own(room).map_or(0, |hall| hall.guests.len())
    }

    /// Who has this name in the room.
    fn holder(&self, room: &str, name: &Name) -> Option<Holder> {
        let hall = self.rooms.own(room)?;
        let here = hall.names.get(name.skeleton()).map(|id| Holder::Here(*id));
        here.or_else(|| hall.guest_names.holder(name).map(Holder::Elsewhere))
    }

    /// Somebody leaves, and the room with it if that was the last one here.
    fn leave(&mut self, id: ConnId, effects: &mut Effects) -> Option<(Rc<str>, User)> {
        let number = self.rooms.number(id)?;
        let (room, user) = self.rooms.leave(id)?;
        effects.publish(SERVICE, &room, &Word::Gone(number));
        if self.rooms.own(&room).is_none() {
            self.histories.forget(&room);
            effects.vacate(SERVICE, &room);
        }
        Some((room, user))
    }
}

#[cfg(test)]
mod tests;
