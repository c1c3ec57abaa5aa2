//! Who is in a room by way of other processes.

use std::collections::BTreeMap;

use super::processes::{MemberId, ProcessId};
use crate::budget::Charge;

/// The members that a room has elsewhere, each with a `T`.
#[derive(Debug)]
pub struct Guests<T>(BTreeMap<MemberId, Guest<T>>);

#[derive(Debug)]
struct Guest<T> {
    own: T,
    /// A roster has begun in which it has not been named yet.
    stale: bool,
    #[expect(dead_code, reason = "kept to be dropped")]
    charge: Charge,
}

impl<T> Default for Guests<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Guests<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, those of one process together.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, &T)> {
        self.0.iter().map(|(id, guest)| (*id, &guest.own))
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (MemberId, &mut T)> {
        self.0.iter_mut().map(|(id, guest)| (*id, &mut guest.own))
    }

    /// What is kept of one.
    pub fn get(&self, id: MemberId) -> Option<&T> {
        self.0.get(&id).map(|guest| &guest.own)
    }

    /// What is kept of one, to be changed.
    pub fn get_mut(&mut self, id: MemberId) -> Option<&mut T> {
        self.0.get_mut(&id).map(|guest| &mut guest.own)
    }

    /// What is kept of one that has been named again, to be changed.
    pub fn again(&mut self, id: MemberId) -> Option<&mut T> {
        let guest = self.0.get_mut(&id)?;
        guest.stale = false;
        Some(&mut guest.own)
    }

    /// Somebody is new.
    pub fn insert(&mut self, id: MemberId, own: T, charge: Charge) {
        self.0.insert(id, Guest { own, stale: false, charge });
    }

    /// Somebody has gone.
    pub fn remove(&mut self, id: MemberId) -> Option<T> {
        self.0.remove(&id).map(|guest| guest.own)
    }

    /// A roster of this process begins.
    pub fn begin_roster(&mut self, process: ProcessId) {
        self.of_mut(process).for_each(|(_, guest)| guest.stale = true);
    }

    /// It has ended: who has not been named, and is to be removed.
    pub fn missing(&mut self, process: ProcessId) -> Vec<MemberId> {
        self.of_mut(process).filter(|(_, guest)| guest.stale).map(|(id, _)| *id).collect()
    }

    fn of_mut(&mut self, process: ProcessId) -> impl Iterator<Item = (&MemberId, &mut Guest<T>)> {
        let first = MemberId { process, number: 0 };
        let last = MemberId { process, number: u64::MAX };
        self.0.range_mut(first..=last)
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
            let charge = budget.try_keep(1).expect("room");
            guests.insert(id(process, number), (), charge);
        }
        guests.begin_roster(a);
        assert!(guests.again(id(a, 2)).is_some() && guests.again(id(a, 3)).is_none());
        let charge = budget.try_keep(1).expect("room");
        guests.insert(id(a, 3), (), charge);
        assert_eq!(guests.missing(a), [id(a, 1), id(a, u64::MAX)]);
        assert!(guests.missing(b).is_empty());
        for gone in guests.missing(a) {
            guests.remove(gone);
        }
        assert_eq!((guests.len(), budget.kept()), (3, 3));
        drop(guests);
        assert_eq!(budget.kept(), 0);
    }
}
