//! The part beside the budget for peers that have no open connection.

use super::{Account, Budget, Charge};
use crate::limits::RESERVE_BYTES;

impl Budget {
    /// Bytes charged to the reserve.
    pub fn reserve_used(&self) -> usize {
        self.0.reserve_used.get()
    }

    /// A charge against the reserve, for a peer without an open connection. It cannot be refused:
    /// whoever has been there longest makes room for the newest.
    pub fn reserve(&self, bytes: usize) -> Charge {
        self.open(Account::Reserve, bytes)
    }

    /// True when more of the reserve is used than there is.
    pub fn reserve_is_short(&self) -> bool {
        self.reserve_used() > RESERVE_BYTES
    }

    /// True when so much of it is used that this cannot wait for the end of a turn.
    pub fn reserve_is_far_too_short(&self) -> bool {
        self.reserve_used() > 2 * RESERVE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_apart_from_the_budget() {
        let budget = Budget::new(10);
        let full = budget.charge(1000);
        let mut partial = budget.reserve(8000);
        assert_eq!((budget.used(), budget.reserve_used()), (1000, 8000));
        partial.set(RESERVE_BYTES);
        assert!(!budget.reserve_is_short());
        partial.set(RESERVE_BYTES + 1);
        assert!(budget.reserve_is_short());
        drop((full, partial));
        assert_eq!((budget.used(), budget.reserve_used()), (0, 0));
    }
}
