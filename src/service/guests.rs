//! Who is in a room by way of other processes.
//!
//! A roster that says nothing costs nothing: who was named when is told by the number of the last
//! roster that had begun, and nobody is looked for unless one ends that has begun. So each guest
//! that is looked at was named in that roster, or is removed.

use std::collections::BTreeMap;

use super::processes::{MemberId, ProcessId};
use crate::budget::Charge;

/// The members that a room has elsewhere, each with a `T`.
#[derive(Debug)]
pub struct Guests<T> {
    /// Boxed, because a tree has places for eleven, and many rooms have one.
    guests: BTreeMap<MemberId, Box<Guest<T>>>,
    /// Number of the last roster that has begun.
    rosters: u64,
    /// Those that have not ended, by whose they are.
    open: BTreeMap<ProcessId, u64>,
    /// How many were looked at for the end of a roster.
    #[cfg(test)]
    looked_at: usize,
}

#[derive(Debug)]
struct Guest<T> {
    own: T,
    /// Which roster had begun last when it was named last.
    roster: u64,
    #[expect(dead_code, reason = "kept to be dropped")]
    charge: Charge,
}

impl<T> Default for Guests<T> {
    fn default() -> Self {
        Self {
            guests: BTreeMap::new(),
            rosters: 0,
            open: BTreeMap::new(),
            #[cfg(test)]
            looked_at: 0,
        }
    }
}

impl<T> Guests<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.guests.len()
    }

    /// All of them, those of one process together.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, &T)> {
        self.guests.iter().map(|(id, guest)| (*id, &guest.own))
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (MemberId, &mut T)> {
        self.guests.iter_mut().map(|(id, guest)| (*id, &mut guest.own))
    }

    /// What is kept of one.
    pub fn get(&self, id: MemberId) -> Option<&T> {
        self.guests.get(&id).map(|guest| &guest.own)
    }

    /// What is kept of one that has been named again, to be changed.
    pub fn again(&mut self, id: MemberId) -> Option<&mut T> {
        let guest = self.guests.get_mut(&id)?;
        guest.roster = self.rosters;
        Some(&mut guest.own)
    }

    /// Somebody is new.
    pub fn insert(&mut self, id: MemberId, own: T, charge: Charge) {
        self.guests.insert(id, Box::new(Guest { own, roster: self.rosters, charge }));
    }

    /// Somebody has gone.
    pub fn remove(&mut self, id: MemberId) -> Option<T> {
        self.guests.remove(&id).map(|guest| guest.own)
    }

    /// A roster of this process begins.
    pub fn begin_roster(&mut self, process: ProcessId) {
        if self.of(process).next().is_some() {
            self.rosters += 1;
            self.open.insert(process, self.rosters);
        }
    }

    /// It has ended: who has not been named, and is to be removed.
    pub fn missing(&mut self, process: ProcessId) -> Vec<MemberId> {
        let Some(roster) = self.open.remove(&process) else { return Vec::new() };
        #[cfg(test)]
        {
            self.looked_at += self.of(process).count();
        }
        let missing = self.of(process).filter(|(_, guest)| guest.roster < roster);
        missing.map(|(id, _)| *id).collect()
    }

    fn of(&self, process: ProcessId) -> impl Iterator<Item = (&MemberId, &Guest<T>)> {
        let first = MemberId { process, number: 0 };
        let last = MemberId { process, number: u64::MAX };
        self.guests.range(first..=last).map(|(id, guest)| (id, &**guest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn who_is_not_in_the_roster_has_gone() {
        let budget = Budget::default();
        let mut guests = Guests::default();
        let [a, b] = [1, 2].map(ProcessId);
        let id = |process, number| MemberId { process, number };
        for (process, number) in [(a, 1), (a, 2), (a, u64::MAX), (b, 1)] {
            let charge = budget.try_guest(1).expect("room");
            guests.insert(id(process, number), (), charge);
        }
        guests.begin_roster(a);
        assert!(guests.again(id(a, 2)).is_some() && guests.again(id(a, 3)).is_none());
        let charge = budget.try_guest(1).expect("room");
        guests.insert(id(a, 3), (), charge);
        let missing = guests.missing(a);
        assert_eq!(missing, [id(a, 1), id(a, u64::MAX)]);
        assert!(guests.missing(b).is_empty());
        for gone in missing {
            guests.remove(gone);
        }
        assert_eq!((guests.len(), budget.kept()), (3, 3));
        drop(guests);
        assert_eq!(budget.kept(), 0);
    }

    /// However many there are, and however often one begins and ends.
    #[test]
    fn a_roster_costs_no_more_than_whom_it_names_or_removes() {
        let budget = Budget::default();
        let mut guests = Guests::default();
        let [a, b] = [1, 2].map(ProcessId);
        let id = |process, number| MemberId { process, number };
        for number in 0..1000 {
            let charge = budget.try_guest(1).expect("room");
            guests.insert(id(a, number), (), charge);
        }
        for _ in 0..1000 {
            assert!(guests.missing(a).is_empty(), "none has begun");
            guests.begin_roster(b);
            assert!(guests.missing(b).is_empty(), "nobody is there");
        }
        (0..1000).for_each(|_| guests.begin_roster(a));
        assert_eq!((guests.looked_at, guests.open.len()), (0, 1));
        for number in 0..990 {
            assert!(guests.again(id(a, number)).is_some());
        }
        let missing = guests.missing(a);
        assert!(missing.iter().copied().eq((990..1000).map(|number| id(a, number))));
        for gone in missing {
            guests.remove(gone);
        }
        for _ in 0..1000 {
            assert!(guests.missing(a).is_empty());
        }
        assert_eq!((guests.looked_at, guests.open.len()), (1000, 0));
    }
}
