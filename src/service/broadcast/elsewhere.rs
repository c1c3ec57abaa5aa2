//! What is said, and who comes and goes, at other processes.

use std::rc::Rc;

use super::{Broadcast, pass_on};
use crate::limits::GUEST_BYTES;
use crate::service::guests::Guests;
use crate::service::processes::{MemberId, ProcessId, Word};
use crate::service::{Effects, Now};

impl Broadcast {
    pub(super) fn hear_elsewhere(
        &mut self,
        room: &Rc<str>,
        process: ProcessId,
        word: Word<'_>,
        now: Now,
        effects: &mut Effects,
    ) {
        // Otherwise the last one here has just left.
        let Some(told) = self.rooms.own_mut(room) else { return };
        if let Word::Said(kind, payload) = word {
            let all = self.rooms.members(room).map(|(id, _)| id);
            return pass_on(&mut self.boards, room, all, kind, payload, effects);
        }
        let guests = &mut told.guests;
        let before = guests.len();
        let id = |number| MemberId { process, number };
        // Without memory for it, it is not counted.
        let come = |guests: &mut Guests<()>, number| {
            if guests.again(id(number)).is_none() {
                let charge = effects.try_guest(GUEST_BYTES);
                charge.into_iter().for_each(|charge| guests.insert(id(number), (), charge));
            }
        };
        match word {
            Word::Here(number, _) => come(guests, number),
            Word::Gone(number) => drop(guests.remove(id(number))),
            Word::Roster { first, last, cards } => {
                if first {
                    guests.begin_roster(process);
                }
                cards.into_iter().for_each(|(number, _)| come(guests, number));
                for gone in if last { guests.missing(process) } else { Vec::new() } {
                    guests.remove(gone);
                }
            }
            Word::Said(..) | Word::Private(..) | Word::Hello | Word::Alive => {}
        }
        if told.guests.len() != before {
            self.presence.note(room, told, now, effects);
        }
    }
}
