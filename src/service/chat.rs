//! A chat room: JSON objects as text messages, a room for each path below `/chat`.
//!
//! The protocol is described, with examples that a test runs, in docs/protocols.md. What is said
//! is passed on as data; no page of ours takes it for HTML.

mod names;
mod news;
mod patience;
mod speech;
mod words;

use std::collections::HashMap;
use std::rc::Rc;

use super::history::Histories;
use super::rooms::{Full, Rooms};
use super::{Effects, Kind, Now, Population, Service};
use crate::budget::Budget;
use crate::id::ConnId;
use crate::limits::RoomHistory;
use crate::ws::close::CloseCode;
use names::{ANONYMOUS, Key, Name, Skeleton};
use news::{Change, News};
use patience::{Grant, Patience};
use words::Content::{self, Text};
use words::{Field, NoObject, Said, error, object, system};

/// Longest message in bytes.
const MESSAGE_BYTES_MAX: u64 = 16 * 1024;

/// Most names in the answer to `who`.
const USERS_MAX: usize = 200;

/// What is wrong with a message, for whoever sent it.
type Outcome = Result<(), &'static str>;

const TAKEN: &str = "that name is taken";

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
    news: News,
}

/// Somebody in a room.
#[derive(Debug, Default)]
struct User {
    /// Unique in its room.
    name: Option<Name>,
    /// Who has it too may take the name over.
    key: Option<Key>,
    patience: Patience,
    /// What the others have not been told yet.
    change: Change,
}

impl User {
    fn name(&self) -> &str {
        self.name.as_ref().map_or(ANONYMOUS, Name::as_str)
    }
}

impl Service for Chat {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    fn open(&mut self, id: ConnId, room: &str, _: &str, now: Now, effects: &mut Effects) {
        let user = User { change: Change::Joined, ..User::default() };
        if let Err(Full) = self.rooms.join(id, room, user) {
            return effects.close(id, CloseCode::TRY_AGAIN, "room is full");
        }
        let count = self.rooms.count(room);
        system(effects, [id], &format!("Welcome! {count} user(s) online"), now);
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
        let Some((room, user)) = self.rooms.leave(id) else { return };
        let Some(hall) = self.rooms.own_mut(&room) else {
            return self.histories.forget(&room);
        };
        if let Some(name) = &user.name {
            hall.names.remove(name.skeleton());
        }
        match user.change {
            // Nobody has heard of it.
            Change::Joined => return,
            Change::Renamed(before) => hall.news.left(&before),
            Change::None | Change::Back => hall.news.left(user.name()),
        }
        self.note(&room, now, effects);
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

    fn rename(
        &mut self,
        id: ConnId,
        room: &str,
        said: &Said,
        now: Now,
        effects: &mut Effects,
    ) -> Outcome {
        let name = Name::parse(said.username.text("username is missing, or not a string")?)?;
        let key = match &said.key {
            Field::Missing | Field::Null => None,
            Field::Text(key) => Some(Key::parse(key)?),
            Field::Other => return Err("key is not a string"),
        };
        let ghost = self.holder(room, &name).filter(|holder| *holder != id);
        if let Some(ghost) = ghost {
            let theirs = self.rooms.get(ghost).and_then(|user| user.key);
            if key.is_none() || key != theirs {
                return Err(TAKEN);
            }
            self.rooms.leave(ghost);
            effects.close(ghost, CloseCode::NORMAL, "your name was taken over with its key");
        }
        let Some(user) = self.rooms.get_mut(id) else { return Ok(()) };
        let before = user.name.replace(name.clone());
        user.key = key;
        match &user.change {
            _ if ghost.is_some() => user.change = Change::Back,
            Change::None => {
                let before = before.as_ref().map_or(ANONYMOUS, Name::as_str);
                user.change = Change::Renamed(before.to_owned());
            }
            // It is told under the name that it has by then.
            Change::Joined | Change::Back | Change::Renamed(_) => {}
        }
        if let Some(hall) = self.rooms.own_mut(room) {
            if let Some(before) = before {
                hall.names.remove(before.skeleton());
            }
            hall.names.insert(name.skeleton().clone(), id);
        }
        let text = object("nick", &[("username", Text(name.as_str()))], now);
        effects.send([id], Kind::Text, &text);
        self.note(room, now, effects);
        Ok(())
    }

    fn list(&self, id: ConnId, room: &str, now: Now, effects: &mut Effects) -> Outcome {
        let users = self.rooms.members(room).take(USERS_MAX).map(|(_, user)| user.name());
        let count = Content::Number(self.rooms.count(room));
        let fields = [("users", Content::Texts(users.collect())), ("count", count)];
        effects.send([id], Kind::Text, &object("who", &fields, now));
        Ok(())
    }

    fn name_of(&self, id: ConnId) -> &str {
        self.rooms.get(id).map_or(ANONYMOUS, User::name)
    }

    /// Who has this name in the room.
    fn holder(&self, room: &str, name: &Name) -> Option<ConnId> {
        self.rooms.own(room)?.names.get(name.skeleton()).copied()
    }
}

#[cfg(test)]
mod tests;
