//! What TLS sessions have of the budget.

use super::{Account, Budget, Charge};

impl Budget {
    /// From now on a quarter of the budget is for TLS sessions alone. They last as long as their
    /// connections and wait for nobody. Like the reserve, their part cannot be used up by others:
    /// whoever asks for `/healthz` gets a session however full the budget is.
    pub fn set_aside_for_sessions(&self) {
        if self.0.aside.get() == 0 {
            let aside = Self::sessions_of(self.limit());
            self.0.limit.set(self.limit() - aside);
            self.0.aside.set(aside);
        }
    }

    /// The part of a budget that is for sessions.
    pub fn sessions_of(limit: usize) -> usize {
        limit / 4
    }

    /// Bytes charged to TLS sessions.
    pub fn sessions(&self) -> usize {
        self.0.sessions.get()
    }

    /// True if a TLS session of so many bytes may begin.
    pub fn has_room_for_session(&self, bytes: usize) -> bool {
        self.sessions() + bytes <= self.0.aside.get()
    }

    /// A charge for a TLS session, whose room has been made sure of.
    pub fn session(&self, bytes: usize) -> Charge {
        self.open(Account::Sessions, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_a_quarter_that_nobody_else_uses() {
        let budget = Budget::new(100_000);
        assert!(!budget.has_room_for_session(1), "nobody speaks TLS");
        budget.set_aside_for_sessions();
        budget.set_aside_for_sessions();
        assert_eq!((budget.limit(), budget.free()), (100_000, 75_000));
        let full = budget.charge(80_000);
        let session = budget.session(20_000);
        assert!(budget.has_room_for_session(5000) && !budget.has_room_for_session(5001));
        assert_eq!((budget.used(), budget.sessions()), (80_000, 20_000));
        drop((full, session));
        assert_eq!((budget.free(), budget.sessions()), (75_000, 0));
    }
}
