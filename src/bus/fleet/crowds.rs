//! More processes, or more members elsewhere, than there is room for. Each is said once, until it
//! has changed.

use log::warn;

use super::Fleet;
use crate::limits::PROCESSES_MAX;

impl Fleet {
    /// A process is not heard, because too many others are.
    pub(super) fn turn_away(&mut self) {
        if !std::mem::replace(&mut self.too_many, true) {
            warn!("bus: more than {PROCESSES_MAX} other processes: those beyond are not heard");
        }
    }

    /// True when members elsewhere have found no room, and would by now: all are to be asked who
    /// their members are.
    pub(super) fn has_room_again(&mut self) -> bool {
        if !self.budget.guests_are_missed() {
            return false;
        }
        if !std::mem::replace(&mut self.crowded, true) {
            warn!("bus: no room for more members elsewhere: others are heard, and not shown");
        }
        let again = self.budget.forget_missed_guests();
        self.crowded = !again;
        again
    }
}
