//! A chat room: JSON objects as text messages, a room for each path below `/chat`.
//!
//! The protocol is described, with examples that a test runs, in docs/protocols.md. What is said
//! is passed on as data; no page of ours takes it for HTML.

mod allowance;
mod words;

use serde_json::{Map, Value};

use super::rooms::Rooms;
use super::{Effects, Kind, Now, Service};
use crate::id::ConnId;
use crate::ws::close::CloseCode;
use allowance::{Allowance, Grant};
use words::{ANONYMOUS, clean, object, parse_name, same_name};

/// Longest message in bytes.
const MESSAGE_BYTES_MAX: u64 = 16 * 1024;

/// Most names in the answer to `who`.
const USERS_MAX: usize = 1000;

/// The service.
#[derive(Debug, Default)]
pub struct Chat {
    rooms: Rooms<User>,
}

/// Somebody in a room.
#[derive(Debug)]
struct User {
    /// Unique in its room.
    name: Option<String>,
    allowance: Allowance,
}

impl User {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(ANONYMOUS)
    }
}

impl Service for Chat {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    fn open(&mut self, id: ConnId, room: &str, now: Now, effects: &mut Effects) {
        let user = User { name: None, allowance: Allowance::new(now.monotonic) };
        self.rooms.join(id, room, user);
        let count = self.rooms.count(room);
        system(effects, [id], &format!("Welcome! {count} user(s) online"), now);
        let joined = format!("{ANONYMOUS} joined, {count} user(s) online");
        system(effects, self.rooms.others(room, id), &joined, now);
    }

    fn message(&mut self, id: ConnId, kind: Kind, payload: &[u8], now: Now, effects: &mut Effects) {
        let Some(user) = self.rooms.get_mut(id) else { return };
        match user.allowance.take(now.monotonic) {
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
        let left = format!("{} left, {} user(s) online", user.name(), self.rooms.count(&room));
        system(effects, self.rooms.members(&room).map(|(other, _)| other), &left, now);
    }
}

impl Chat {
    /// Acts on a message; the error is for whoever sent it.
    fn hear(
        &mut self,
        id: ConnId,
        kind: Kind,
        payload: &[u8],
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), &'static str> {
        if kind == Kind::Binary {
            return Err("binary messages are not understood here");
        }
        let object = match serde_json::from_slice(payload) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err("an object is expected"),
            Err(_) => {
                effects.send([id], Kind::Text, &[b"Echo: ", payload].concat());
                return Ok(());
            }
        };
        match object.get("type") {
            None => self.say(id, &object, now, effects),
            Some(Value::String(kind)) => match kind.as_str() {
                "chat" => self.say(id, &object, now, effects),
                "nick" => self.rename(id, &object, now, effects),
                "private" => self.whisper(id, &object, now, effects),
                "who" => {
                    self.list(id, now, effects);
                    Ok(())
                }
                _ => Err("type is none of chat, nick, private, who"),
            },
            Some(_) => Err("type is not a string"),
        }
    }

    /// Tells everybody, the sender included.
    fn say(
        &self,
        id: ConnId,
        object: &Map<String, Value>,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), &'static str> {
        let (Some(room), Some(user)) = (self.rooms.room_of(id), self.rooms.get(id)) else {
            return Ok(());
        };
        let message = message_of(object)?;
        let username = match object.get("username") {
            None | Some(Value::Null) => user.name(),
            Some(Value::String(name)) => {
                let name = name.trim();
                if name != ANONYMOUS {
                    parse_name(name)?;
                    self.check_free(id, room, name)?;
                }
                name
            }
            Some(_) => return Err("username is not a string"),
        };
        let fields = [("username", username.into()), ("message", message.into())];
        let text = self::object("chat", fields, now);
        effects.send(self.rooms.members(room).map(|(id, _)| id), Kind::Text, text.as_bytes());
        Ok(())
    }

    fn rename(
        &mut self,
        id: ConnId,
        object: &Map<String, Value>,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), &'static str> {
        let Some(Value::String(name)) = object.get("username") else {
            return Err("username is missing, or not a string");
        };
        let Some(room) = self.rooms.room_of(id).map(str::to_owned) else { return Ok(()) };
        let name = parse_name(name.trim())?.to_owned();
        self.check_free(id, &room, &name)?;
        let Some(user) = self.rooms.get_mut(id) else { return Ok(()) };
        let before = user.name().to_owned();
        user.name = Some(name.clone());
        let text = self::object("nick", [("username", name.as_str().into())], now);
        effects.send([id], Kind::Text, text.as_bytes());
        if before != name {
            let notice = format!("{before} is now {name}");
            system(effects, self.rooms.others(&room, id), &notice, now);
        }
        Ok(())
    }

    /// Tells one user, and the sender what has been told.
    fn whisper(
        &self,
        id: ConnId,
        object: &Map<String, Value>,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), &'static str> {
        let (Some(room), Some(user)) = (self.rooms.room_of(id), self.rooms.get(id)) else {
            return Ok(());
        };
        let message = message_of(object)?;
        let Some(Value::String(to)) = object.get("to") else {
            return Err("to is missing, or not a string");
        };
        let named = |user: &User| user.name.as_deref().is_some_and(|name| same_name(name, to));
        let mut members = self.rooms.members(room);
        let Some((other, listener)) = members.find(|(_, user)| named(user)) else {
            return Err("nobody here has that name");
        };
        let fields = [
            ("from", user.name().into()),
            ("to", listener.name().into()),
            ("message", message.into()),
        ];
        let text = self::object("private", fields, now);
        let both = [other, id];
        let distinct = if other == id { &both[..1] } else { &both[..] };
        effects.send(distinct.iter().copied(), Kind::Text, text.as_bytes());
        Ok(())
    }

    fn list(&self, id: ConnId, now: Now, effects: &mut Effects) {
        let Some(room) = self.rooms.room_of(id) else { return };
        let users = self.rooms.members(room).take(USERS_MAX);
        let users: Vec<Value> = users.map(|(_, user)| user.name().into()).collect();
        let fields = [("users", users.into()), ("count", self.rooms.count(room).into())];
        effects.send([id], Kind::Text, object("who", fields, now).as_bytes());
    }

    /// Whether nobody else in the room has this name.
    fn check_free(&self, id: ConnId, room: &str, name: &str) -> Result<(), &'static str> {
        let taken = self.rooms.members(room).any(|(other, user)| {
            other != id && user.name.as_deref().is_some_and(|other| same_name(other, name))
        });
        if taken { Err("that name is taken") } else { Ok(()) }
    }
}

/// What somebody has to say, without what would only disturb a terminal or a page.
fn message_of(object: &Map<String, Value>) -> Result<String, &'static str> {
    let Some(Value::String(message)) = object.get("message") else {
        return Err("message is missing, or not a string");
    };
    let message = clean(message);
    if message.trim().is_empty() { Err("message is empty") } else { Ok(message) }
}

fn system(effects: &mut Effects, to: impl IntoIterator<Item = ConnId>, message: &str, now: Now) {
    let text = object("system", [("message", message.into())], now);
    effects.send(to, Kind::Text, text.as_bytes());
}

fn error(effects: &mut Effects, id: ConnId, message: &str, now: Now) {
    let text = object("error", [("message", message.into())], now);
    effects.send([id], Kind::Text, text.as_bytes());
}

#[cfg(test)]
mod tests;
