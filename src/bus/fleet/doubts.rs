//! Who has to tell its members anew, and who does not know that it was given up.

use std::rc::Rc;
use std::time::Duration;

use super::{Fleet, Process};
use crate::limits::{PROCESS_TIME, PROCESSES_MAX};
use crate::service::processes::{ProcessId, round};

impl Fleet {
    /// It has begun a round: in all its rooms it has to tell its members.
    pub(super) fn doubt(&mut self, id: ProcessId, now: Duration) {
        self.unaware.remove(&id);
        self.doubts_until = now + PROCESS_TIME;
        let rooms = self.rooms.values_mut();
        rooms
            .filter_map(|room| room.processes.get_mut(&id))
            .for_each(|until| *until = now + PROCESS_TIME);
    }

    /// Adds those who have not told their members in time to those who are gone.
    pub(super) fn drop_silent(
        &mut self,
        now: Duration,
        gone: &mut Vec<(usize, Rc<str>, ProcessId)>,
    ) {
        if self.doubts_until == Duration::ZERO {
            return;
        }
        for room in self.rooms.values_mut() {
            room.processes.retain(|id, until| {
                if *until <= now {
                    gone.push((room.service, Rc::clone(&room.name), *id));
                }
                *until > now
            });
        }
        if self.doubts_until <= now {
            self.doubts_until = Duration::ZERO;
        }
    }

    /// It has been given up.
    pub(super) fn give_up(&mut self, id: ProcessId) {
        let Some(Process { number, .. }) = self.processes.remove(&id) else { return };
        if self.given_up.len() == PROCESSES_MAX {
            self.given_up.pop_front();
        }
        self.given_up.push_back((id, round(number)));
    }

    /// It is heard for the first time, or again. If it goes on with the round in which it was given
    /// up, it does not know that, and is asked who its members are; else it tells all by itself.
    pub(super) fn welcome(&mut self, id: ProcessId, number: u64) {
        let Some(at) = self.given_up.iter().position(|(other, _)| *other == id) else { return };
        let before = self.given_up.remove(at);
        if before == Some((id, round(number))) {
            self.unaware.insert(id);
        }
    }
}
