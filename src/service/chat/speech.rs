//! What users say: to all, and to one.

use std::rc::Rc;

use super::names::{ANONYMOUS, Name};
use super::naming::TAKEN;
use super::words::Content::Text;
use super::words::{Field, Said, object};
use super::{Chat, Guest, Holder, Outcome, SERVICE};
use crate::id::ConnId;
use crate::service::processes::Word;
use crate::service::{Effects, Kind, Now};

impl Chat {
    /// Tells everybody, the sender included.
    pub(super) fn say(
        &mut self,
        id: ConnId,
        room: &Rc<str>,
        said: &Said,
        now: Now,
        effects: &mut Effects,
    ) -> Outcome {
        let message = said.message()?;
        let username = match &said.username {
            Field::Missing | Field::Null => self.name_of(id).to_owned(),
            Field::Text(name) if name.trim() == ANONYMOUS => ANONYMOUS.to_owned(),
            Field::Text(name) => {
                let name = Name::parse(name)?;
                if self.holder(room, &name).is_some_and(|holder| holder != Holder::Here(id)) {
                    return Err(TAKEN);
                }
                name.as_str().to_owned()
            }
            Field::Other => return Err("username is not a string"),
        };
        // Whoever speaks has come before, unless there is so much news that it has to wait.
        let _ = self.tell(room, now, effects);
        let fields = [("username", Text(&username)), ("message", Text(&message))];
        let text = object("chat", &fields, now);
        let frame = effects.frame(Kind::Text, &text);
        effects.send_frame(self.rooms.members(room).map(|(id, _)| id), &frame);
        self.histories.keep(room, frame);
        effects.publish(SERVICE, room, &Word::Said(Kind::Text, &text));
        Ok(())
    }

    /// Tells one user, and the sender what has been told.
    pub(super) fn whisper(
        &self,
        id: ConnId,
        room: &Rc<str>,
        said: &Said,
        now: Now,
        effects: &mut Effects,
    ) -> Outcome {
        let message = said.message()?;
        let to = said.to.text("to is missing, or not a string")?;
        let other = Name::parse(to).ok().and_then(|name| self.holder(room, &name));
        let other = other.ok_or("nobody here has that name")?;
        let name = match other {
            Holder::Here(other) => self.name_of(other),
            Holder::Elsewhere(other) => {
                let guest = self.rooms.own(room).and_then(|hall| hall.guests.get(other));
                guest.map_or(ANONYMOUS, Guest::name)
            }
        };
        let fields =
            [("from", Text(self.name_of(id))), ("to", Text(name)), ("message", Text(&message))];
        let text = object("private", &fields, now);
        match other {
            Holder::Here(other) if other != id => effects.send([other, id], Kind::Text, &text),
            Holder::Here(_) => effects.send([id], Kind::Text, &text),
            Holder::Elsewhere(other) => {
                effects.send([id], Kind::Text, &text);
                effects.publish(SERVICE, room, &Word::Private(other, &text));
            }
        }
        Ok(())
    }
}
