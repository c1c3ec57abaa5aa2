//! What is said, and who comes and goes, at other processes.

use std::rc::Rc;

use super::names::{ANONYMOUS, Key, Name};
use super::news::Change;
use super::words::Content::Text;
use super::words::{error, object};
use super::{Chat, Guest, Holder};
use crate::id::ConnId;
use crate::limits::GUEST_BYTES;
use crate::service::processes::{Card, MemberId, ProcessId, Word};
use crate::service::{Effects, Kind, Now};

impl Chat {
    pub(super) fn hear_elsewhere(
        &mut self,
        room: &Rc<str>,
        process: ProcessId,
        word: Word<'_>,
        now: Now,
        effects: &mut Effects,
    ) {
        if self.rooms.own(room).is_none() {
            // The last one here has just left.
            return;
        }
        match word {
            Word::Said(kind, text) => {
                // Whoever speaks has come before, as here.
                let _ = self.tell(room, now, effects);
                let frame = effects.frame(kind, text);
                effects.send_frame(self.rooms.members(room).map(|(id, _)| id), &frame);
                self.histories.keep(room, frame);
            }
            Word::Private(to, text) => {
                effects.send(self.rooms.numbered(room, to.number), Kind::Text, text);
            }
            Word::Here(number, card) => {
                self.admit(room, MemberId { process, number }, card, Change::Joined, now, effects);
            }
            Word::Gone(number) => {
                self.part_with(room, MemberId { process, number }, now, effects);
            }
            Word::Roster { first, last, cards } => {
                let Some(hall) = self.rooms.own_mut(room) else { return };
                if first {
                    hall.guests.begin_roster(process);
                }
                for (number, card) in cards {
                    let id = MemberId { process, number };
                    self.admit(room, id, card, Change::Found, now, effects);
                }
                let hall = self.rooms.own_mut(room).filter(|_| last);
                for id in hall.map(|hall| hall.guests.missing(process)).unwrap_or_default() {
                    self.part_with(room, id, now, effects);
                }
            }
            Word::Hello | Word::Alive => {}
        }
    }

    /// Somebody is there, `new` if it was not known before. Without memory for it, it is not shown.
    fn admit(
        &mut self,
        room: &Rc<str>,
        id: MemberId,
        card: Card,
        new: Change,
        now: Now,
        effects: &mut Effects,
    ) {
        let name = card.name.and_then(|name| Name::parse(&name).ok());
        let (key, since) = (card.key.map(Key::from), card.since);
        let mut back = false;
        if let Some(name) = &name {
            back = self.yield_name(room, (id, since), (name, key), now, effects);
            if let Some(Holder::Elsewhere(other)) = self.holder(room, name) {
                let guest = self.rooms.own(room).and_then(|hall| hall.guests.get(other));
                let replaced = guest.is_some_and(|guest| {
                    other != id && key.is_some() && key == guest.key && since > guest.since
                });
                if replaced {
                    self.remove_guest(room, other);
                }
                back |= replaced;
            }
        }
        let Some(hall) = self.rooms.own_mut(room) else { return };
        match hall.guests.again(id) {
            Some(guest) => {
                let before = guest.name().to_owned();
                let old = (std::mem::replace(&mut guest.name, name), guest.since);
                (guest.key, guest.since) = (key, since);
                if back {
                    guest.change = Change::Back;
                } else if guest.change == Change::None && before != guest.name() {
                    guest.change = Change::Renamed(before);
                }
                let quiet = guest.change == Change::None;
                hall.guest_names.remove(old.0.as_ref(), old.1, id);
                hall.guest_names.insert(guest.name.as_ref(), since, id);
                if quiet {
                    return;
                }
            }
            None => {
                let Some(charge) = effects.try_guest(GUEST_BYTES) else { return };
                let change = if back { Change::Back } else { new };
                hall.guest_names.insert(name.as_ref(), since, id);
                hall.guests.insert(id, Guest { name, key, since, change }, charge);
            }
        }
        self.note(room, now, effects);
    }

    /// Somebody has gone elsewhere.
    fn part_with(&mut self, room: &str, id: MemberId, now: Now, effects: &mut Effects) {
        let Some(guest) = self.remove_guest(room, id) else { return };
        let Some(hall) = self.rooms.own_mut(room) else { return };
        match guest.change {
            // Nobody has heard of it.
            Change::Joined | Change::Found => return,
            Change::Renamed(before) => hall.news.left(&before),
            Change::None | Change::Back => hall.news.left(guest.name()),
        }
        self.note(room, now, effects);
    }

    /// A guest has this name. If a member here has it too, which happens when both have taken it at
    /// the same time or while the others could not be reached, one of them loses it: with the same
    /// key who had it before, because both are one client; otherwise who took it later. All
    /// processes come to the same verdict, by what the cards say. A guest that is to lose it is
    /// told of the member again, because its process may not know. True if the guest is the client
    /// of a connection here that it has come to replace.
    fn yield_name(
        &mut self,
        room: &Rc<str>,
        guest: (MemberId, u64),
        (name, key): (&Name, Option<Key>),
        now: Now,
        effects: &mut Effects,
    ) -> bool {
        let Some(own) = effects.own_process() else { return false };
        let Some(Holder::Here(id)) = self.holder(room, name) else { return false };
        let Some(user) = self.rooms.get_mut(id) else { return false };
        let ours = (user.since, own);
        let theirs = (guest.1, guest.0.process);
        let one_client = key.is_some() && key == user.key;
        if one_client && theirs > ours {
            self.dismiss(id, effects);
        } else if !one_client && theirs < ours {
            self.disown(id, room, now, effects);
        } else {
            self.publish_card(id, effects);
        }
        one_client && theirs > ours
    }

    /// Takes a member's name away.
    fn disown(&mut self, id: ConnId, room: &str, now: Now, effects: &mut Effects) {
        let Some(user) = self.rooms.get_mut(id) else { return };
        let Some(name) = user.name.take() else { return };
        user.key = None;
        if user.change == Change::None {
            user.change = Change::Renamed(name.as_str().to_owned());
        }
        if let Some(hall) = self.rooms.own_mut(room) {
            hall.names.remove(name.skeleton());
        }
        error(effects, id, "somebody elsewhere has taken that name before you", now);
        effects.send([id], Kind::Text, &object("nick", &[("username", Text(ANONYMOUS))], now));
        self.publish_card(id, effects);
        self.note(room, now, effects);
    }
}
