//! What is kept of members of rooms at other processes: a part of its own, within what is kept.

use super::{Account, Budget, Charge};

impl Budget {
    /// A charge for what is kept of members elsewhere, if there is room: they have an eighth of the
    /// budget at most, half of what is kept. That some had none is noted.
    pub fn try_guest(&self, bytes: usize) -> Option<Charge> {
        let fits = bytes <= self.guests_left();
        if !fits {
            self.0.guests_missed.set(true);
        }
        fits.then(|| self.open(Account::Guests, bytes))
    }

    /// Bytes of [`Self::kept`] that are kept of members elsewhere.
    pub fn guests(&self) -> usize {
        self.0.guests.get()
    }

    /// True if some found no room since [`Self::forget_missed_guests`].
    pub fn guests_are_missed(&self) -> bool {
        self.0.guests_missed.get()
    }

    /// When a quarter of their part is free again, it is time to ask for those who found no room:
    /// then they are no longer noted. False until then.
    pub fn forget_missed_guests(&self) -> bool {
        let free = self.guests_left() >= self.guests_limit() / 4;
        if free {
            self.0.guests_missed.set(false);
        }
        free
    }

    fn guests_limit(&self) -> usize {
        self.0.limit.get() / 8
    }

    fn guests_left(&self) -> usize {
        self.guests_limit().saturating_sub(self.guests()).min(self.left(Account::Kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(budget: &Budget, one: impl Fn(&Budget) -> Option<Charge>) -> Vec<Charge> {
        std::iter::from_fn(|| one(budget)).collect()
    }

    #[test]
    fn guests_leave_half_of_what_is_kept() {
        let budget = Budget::new(80_000);
        let mut guests = fill(&budget, |budget| budget.try_guest(100));
        assert_eq!((budget.guests(), budget.kept(), budget.used()), (10_000, 10_000, 10_000));
        let kept = fill(&budget, |budget| budget.try_keep(100));
        assert_eq!((kept.len(), budget.kept()), (100, 20_000), "the other half");
        assert!(budget.guests_are_missed() && !budget.forget_missed_guests());
        guests.truncate(76);
        assert!(!budget.forget_missed_guests() && budget.guests_are_missed());
        guests.truncate(75);
        assert!(budget.forget_missed_guests() && !budget.guests_are_missed());
        drop((guests, kept));
        assert_eq!((budget.guests(), budget.kept(), budget.used()), (0, 0, 0));
    }

    /// Who is here comes first.
    #[test]
    fn guests_have_what_others_leave_of_what_is_kept() {
        let budget = Budget::new(80_000);
        let kept = budget.try_keep(15_000).expect("room");
        assert_eq!(fill(&budget, |budget| budget.try_guest(1000)).len(), 5);
        assert!(budget.try_guest(5000).is_some() && budget.try_guest(5001).is_none());
        drop(kept);
    }
}
