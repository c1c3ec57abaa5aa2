//! Who takes which name, here and elsewhere.

use super::names::{ANONYMOUS, Key, Name};
use super::news::Change;
use super::words::Content::Text;
use super::words::{Field, Said, object};
use super::{Chat, Guest, Holder, Outcome, SERVICE};
use crate::id::ConnId;
use crate::service::processes::{MemberId, Word};
use crate::service::{Effects, Kind, Now};
use crate::ws::close::CloseCode;

pub(super) const TAKEN: &str = "that name is taken";

/// What a connection is closed with whose name is another one's now.
const TAKEN_OVER: &str = "your name was taken over with its key";

impl Chat {
    /// Gives a member the name that it asks for.
    pub(super) fn rename(
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
        let mut since = milliseconds(now);
        let ghost = self.holder(room, &name).filter(|holder| *holder != Holder::Here(id));
        match ghost {
            None => {}
            Some(Holder::Here(ghost)) => {
                let theirs = self.rooms.get(ghost).and_then(|user| user.key);
                if key.is_none() || key != theirs {
                    return Err(TAKEN);
                }
                self.dismiss(ghost, effects);
            }
            Some(Holder::Elsewhere(ghost)) => {
                let guest = self.rooms.own(room).and_then(|hall| hall.guests.get(ghost));
                let (theirs, claimed) = guest.map_or((None, 0), |guest| (guest.key, guest.since));
                if key.is_none() || key != theirs {
                    return Err(TAKEN);
                }
                // Its process hears of a younger claim with the same key, whatever clocks say.
                since = since.max(claimed.saturating_add(1));
                self.remove_guest(room, ghost);
            }
        }
        let Some(user) = self.rooms.get_mut(id) else { return Ok(()) };
        let before = user.name.replace(name.clone());
        (user.key, user.since) = (key, since);
        match &user.change {
            _ if ghost.is_some() => user.change = Change::Back,
            Change::None => {
                let before = before.as_ref().map_or(ANONYMOUS, Name::as_str);
                user.change = Change::Renamed(before.to_owned());
            }
            // It is told under the name that it has by then.
            Change::Joined | Change::Found | Change::Back | Change::Renamed(_) => {}
        }
        if let Some(hall) = self.rooms.own_mut(room) {
            if let Some(before) = before {
                hall.names.remove(before.skeleton());
            }
            hall.names.insert(name.skeleton().clone(), id);
        }
        let text = object("nick", &[("username", Text(name.as_str()))], now);
        effects.send([id], Kind::Text, &text);
        self.publish_card(id, effects);
        self.note(room, now, effects);
        Ok(())
    }

    /// Tells other processes who a member is.
    pub(super) fn publish_card(&self, id: ConnId, effects: &mut Effects) {
        if effects.own_process().is_none() {
            return;
        }
        let (room, user) = (self.rooms.room_of(id), self.rooms.get(id));
        if let (Some(room), Some(user), Some(number)) = (room, user, self.rooms.number(id)) {
            effects.publish(SERVICE, &room, &Word::Here(number, user.card()));
        }
    }

    /// The owner of this connection is here with another one.
    pub(super) fn dismiss(&mut self, ghost: ConnId, effects: &mut Effects) {
        if let Some((room, user)) = self.leave(ghost, effects) {
            if let (Some(hall), Some(name)) = (self.rooms.own_mut(&room), user.name) {
                hall.names.remove(name.skeleton());
            }
        }
        effects.close(ghost, CloseCode::NORMAL, TAKEN_OVER);
    }

    /// Forgets a guest without a word.
    pub(super) fn remove_guest(&mut self, room: &str, id: MemberId) -> Option<Guest> {
        let hall = self.rooms.own_mut(room)?;
        let guest = hall.guests.remove(id)?;
        hall.guest_names.remove(guest.name.as_ref(), guest.since, id);
        Some(guest)
    }
}

fn milliseconds(now: Now) -> u64 {
    u64::try_from(now.utc.as_millis()).unwrap_or(u64::MAX)
}
