//! Who has not been heard, who has to tell its members anew, and who does not know that it was
//! given up.

use std::rc::Rc;
use std::time::Duration;

use super::{Fleet, LOOK_INTERVAL, Process};
use crate::limits::{PROCESS_TIME, PROCESSES_MAX};
use crate::service::processes::{ProcessId, round};

impl Fleet {
    /// Who has not been heard for too long, or not of its members, with each room that it was in.
    pub fn expire(&mut self, now: Duration) -> Vec<(usize, Rc<str>, ProcessId)> {
        if self.processes.is_empty() || now < self.look_at {
            return Vec::new();
        }
        self.look_at = now + LOOK_INTERVAL;
        let dead = |process: &Process| now.saturating_sub(process.heard_at) >= PROCESS_TIME;
        let all = self.processes.iter().filter(|(_, process)| dead(process));
        let mut dead: Vec<ProcessId> = all.map(|(id, _)| *id).collect();
        dead.sort_unstable();
        let mut gone = Vec::new();
        for id in dead {
            self.give_up(id);
            for room in self.rooms.values_mut() {
                if room.sharers.remove(id) {
                    gone.push((room.service, Rc::clone(&room.name), id));
                }
            }
        }
        self.drop_silent(now, &mut gone);
        gone
    }

    /// Adds those who have not told their members in time to those who are gone.
    fn drop_silent(&mut self, now: Duration, gone: &mut Vec<(usize, Rc<str>, ProcessId)>) {
        if self.doubts_until == Duration::ZERO {
            return;
        }
        let begun = |id| {
            let process: &Process = self.processes.get(&id)?;
            Some((round(process.number), process.tells_until))
        };
        for room in self.rooms.values_mut() {
            for id in room.sharers.take_silent(now, begun) {
                gone.push((room.service, Rc::clone(&room.name), id));
            }
        }
        if self.doubts_until <= now {
            self.doubts_until = Duration::ZERO;
        }
    }

    /// It has been given up.
    fn give_up(&mut self, id: ProcessId) {
        let Some(Process { number, .. }) = self.processes.remove(&id) else { return };
        self.too_many = false;
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
