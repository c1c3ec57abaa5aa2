//! The ledger of memory that is kept for peers.
//!
//! Whoever keeps memory for a peer holds a [`Charge`] for it, taken before the memory is
//! allocated; dropping the charge gives it back, however the connection ends. So the promise is
//! one inequality: what is resident stays below what the process had at its start, plus the
//! budget, plus a constant ([`crate::limits::RESIDENT_SLACK_BYTES`]), whatever peers do.
//!
//! What waits for something else than the peer's reading is *kept*: replies for later, members of
//! rooms. Nobody is slow with it, so it has no more than a quarter of the budget, and inflaters
//! have another; in the half that is left, whoever makes others wait can be told by its pace, and
//! ended. Half of what is kept may be of members at other processes, so that those here find room
//! however many these are. Where TLS is spoken a quarter is set aside for its sessions before that.
//!
//! A part beside the budget is *reserved* for peers that have no open connection: partial request
//! heads, and answers that a socket would not take. Connections that are open cannot use it, so
//! handshakes, `/healthz` and `/metrics` are answered however full the budget is.

mod guests;
mod reserve;
mod sessions;

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::{BUFFERED_BYTES_SOFT, READ_BYTES_MAX, READ_BYTES_MIN, RESERVE_BYTES};

/// The ledger; clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Rc<Ledger>);

#[derive(Debug)]
struct Ledger {
    limit: Cell<usize>,
    /// What is set aside of the budget, and no part of the limit any more.
    aside: Cell<usize>,
    /// From here on reads shrink.
    soft_limit: usize,
    /// From here on no histories are kept.
    histories_limit: usize,
    used: Cell<usize>,
    /// The part of `used` that is kept.
    kept: Cell<usize>,
    /// The part of `kept` that is kept of members at other processes.
    guests: Cell<usize>,
    /// Some of them were turned away.
    guests_missed: Cell<bool>,
    /// The part of `used` that inflaters have.
    inflaters: Cell<usize>,
    /// What TLS sessions have, beside `used`.
    sessions: Cell<usize>,
    reserve_used: Cell<usize>,
    /// Something has to be given up: a word for each turn of the loop to look at, kept up to date
    /// where charges change.
    short: Cell<bool>,
}

impl Ledger {
    fn cell(&self, account: Account) -> &Cell<usize> {
        match account {
            Account::Open => &self.used,
            Account::Kept => &self.kept,
            Account::Guests => &self.guests,
            Account::Inflaters => &self.inflaters,
            Account::Sessions => &self.sessions,
            Account::Reserve => &self.reserve_used,
        }
    }

    #[inline]
    fn exchange(&self, account: Account, old: usize, new: usize) {
        let book = |cell: &Cell<usize>| cell.set(cell.get() - old + new);
        book(self.cell(account));
        if matches!(account, Account::Kept | Account::Guests | Account::Inflaters) {
            book(&self.used);
            if account == Account::Guests {
                book(&self.kept);
            }
        }
        let histories = self.used.get() > self.histories_limit;
        self.short.set(histories || self.reserve_used.get() > RESERVE_BYTES);
    }

    /// The most that one may have of an account of which others have `others`: as much as it
    /// leaves free.
    fn most(limit: usize, others: usize) -> usize {
        limit.saturating_sub(others) / 2
    }
}

/// Which part of the ledger a charge stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Open,
    Kept,
    Guests,
    Inflaters,
    Sessions,
    Reserve,
}

/// Memory that is accounted for; dropping it gives the memory back to the budget.
#[derive(Debug)]
pub struct Charge {
    ledger: Rc<Ledger>,
    account: Account,
    bytes: usize,
}

impl Budget {
    /// A ledger for `limit` bytes, and the reserve beside it.
    pub fn new(limit: usize) -> Self {
        let (used, kept, inflaters, sessions, reserve_used, short) = Default::default();
        let (guests, guests_missed) = Default::default();
        let soft_limit = limit.min(BUFFERED_BYTES_SOFT);
        let histories_limit = limit / 8 * 3;
        Self(Rc::new(Ledger {
            limit: Cell::new(limit),
            aside: Cell::new(0),
            soft_limit,
            histories_limit,
            used,
            kept,
            guests,
            guests_missed,
            inflaters,
            sessions,
            reserve_used,
            short,
        }))
    }

    /// Bytes charged to open connections.
    #[inline]
    pub fn used(&self) -> usize {
        self.0.used.get()
    }

    /// The budget itself.
    pub fn limit(&self) -> usize {
        self.0.limit.get() + self.0.aside.get()
    }

    /// Bytes of [`Self::used`] that are kept.
    pub fn kept(&self) -> usize {
        self.0.kept.get()
    }

    /// Bytes of [`Self::used`] that inflaters have.
    pub fn inflaters(&self) -> usize {
        self.0.inflaters.get()
    }

    /// Bytes that open connections may still be charged.
    #[inline]
    pub fn free(&self) -> usize {
        self.0.limit.get().saturating_sub(self.used())
    }

    /// A charge that cannot be refused: for bytes that are here already, whose room was made sure
    /// of by [`Self::read_limit`] before they were read.
    pub fn charge(&self, bytes: usize) -> Charge {
        self.open(Account::Open, bytes)
    }

    /// A charge for an inflater, which cannot be refused: its room has been made sure of.
    pub fn inflater(&self, bytes: usize) -> Charge {
        self.open(Account::Inflaters, bytes)
    }

    /// A charge for what is kept, if there is room.
    pub fn try_keep(&self, bytes: usize) -> Option<Charge> {
        (bytes <= self.left(Account::Kept)).then(|| self.open(Account::Kept, bytes))
    }

    fn open(&self, account: Account, bytes: usize) -> Charge {
        let mut charge = Charge { ledger: Rc::clone(&self.0), account, bytes: 0 };
        charge.set(bytes);
        charge
    }

    /// True when [`Self::reserve_is_short`] or [`Self::is_short_for_histories`].
    #[inline]
    pub fn is_short(&self) -> bool {
        self.0.short.get()
    }

    /// How many bytes one connection may read now: no more than can be kept should its socket
    /// refuse all of the reply. Reads shrink while others are blocked, so that many blocked peers
    /// together hold little. `None` when the budget is used up.
    #[inline]
    pub fn read_limit(&self) -> Option<usize> {
        let used = self.used();
        // Nearly always: there is room for four such reads.
        if used + 4 * READ_BYTES_MAX <= self.0.soft_limit {
            return Some(READ_BYTES_MAX);
        }
        let free = self.free();
        let share = self.0.soft_limit.saturating_sub(used) / 4;
        (free >= READ_BYTES_MIN).then(|| share.clamp(READ_BYTES_MIN, READ_BYTES_MAX).min(free))
    }

    /// How many bytes may be added for a connection that is charged `own` bytes already: it keeps
    /// at most as much as it leaves free, the dynamic threshold of shared-memory switches
    /// (Choudhury and Hahne, 1998), so that `n` such connections leave the next one an `n+1`th.
    #[inline]
    pub fn share_left(&self, own: usize) -> usize {
        self.free().saturating_sub(own)
    }

    /// How many more bytes inflaters may have: up to a quarter of the budget, and no more than is
    /// free.
    pub fn inflaters_left(&self) -> usize {
        self.left(Account::Inflaters)
    }

    fn left(&self, account: Account) -> usize {
        (self.0.limit.get() / 4).saturating_sub(self.0.cell(account).get()).min(self.free())
    }

    /// The most that one service may keep of what was said in its rooms: a sixteenth of the budget.
    pub fn history_limit(&self) -> usize {
        self.0.limit.get() / 16
    }

    /// True when so much is used that nothing of that may be kept any longer. It stops short of
    /// half of the budget, so that nobody is refused anything for it.
    pub fn is_short_for_histories(&self) -> bool {
        self.used() > self.0.histories_limit
    }

    /// How many bytes may be added until half of the budget is used: for what waits on its own
    /// peer, and would otherwise make everybody else wait for it too.
    pub fn half_left(&self) -> usize {
        (self.0.limit.get() / 2).saturating_sub(self.used())
    }
}

impl Default for Budget {
    /// Without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Charge {
    /// Bytes charged.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Brings the charge up to date with what is kept now.
    #[inline]
    pub fn set(&mut self, bytes: usize) {
        self.ledger.exchange(self.account, self.bytes, bytes);
        self.bytes = bytes;
    }

    /// As [`Self::set`]; false, and nothing changes, if that is more than before and more than that
    /// leaves free.
    pub fn try_set(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.bytes.max(self.most());
        if fits {
            self.set(bytes);
        }
        fits
    }

    /// How many bytes may be added by [`Self::try_set`].
    pub fn left(&self) -> usize {
        self.most().saturating_sub(self.bytes)
    }

    fn most(&self) -> usize {
        let limit = self.ledger.limit.get();
        let others = |account| self.ledger.cell(account).get() - self.bytes;
        match self.account {
            Account::Open => Ledger::most(limit, others(Account::Open)),
            Account::Kept => Ledger::most(limit, others(Account::Open))
                .min(Ledger::most(limit / 4, others(Account::Kept))),
            Account::Guests | Account::Inflaters | Account::Sessions | Account::Reserve => {
                usize::MAX
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_charge_is_given_back() {
        let budget = Budget::new(100_000);
        let mut charge = budget.charge(60_000);
        assert!(!charge.try_set(60_001) && charge.try_set(40_000) && charge.try_set(50_000));
        assert!(!charge.try_set(50_001), "as much as that leaves free");
        charge.set(100_000);
        assert_eq!((budget.used(), budget.free()), (100_000, 0));
        assert_eq!(budget.read_limit(), None);
        charge.set(70_000);
        assert_eq!(budget.share_left(20_000), 10_000);
        drop(charge);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_kept_leaves_half_of_the_budget() {
        let budget = Budget::new(200_000);
        let inflater = budget.inflater(20_000);
        assert_eq!(budget.inflaters_left(), 30_000);
        let mut kept = budget.try_keep(1000).expect("there is room");
        assert!(kept.try_set(25_000) && !kept.try_set(25_001), "as much as it leaves of a quarter");
        let others: Vec<Charge> = std::iter::from_fn(|| budget.try_keep(1000)).collect();
        assert_eq!((budget.used(), others.len()), (70_000, 25));
        assert_eq!(budget.inflaters_left(), 30_000, "inflaters have a quarter of their own");
        let slow = budget.charge(129_500);
        drop((others, inflater));
        assert!(budget.try_keep(26_000).is_none() && !kept.try_set(47_000));
        assert_eq!(budget.inflaters_left(), 45_500, "no more than is free");
        drop((kept, slow));
        assert_eq!((budget.used(), budget.inflaters_left()), (0, 50_000));
    }

    /// One word says whether anything is.
    #[test]
    fn what_is_short_is_known_without_looking() {
        let budget = Budget::new(8000);
        let (mut open, mut partial) = (budget.charge(3000), budget.reserve(RESERVE_BYTES));
        assert!(!budget.is_short());
        open.set(3001);
        assert!(budget.is_short() && budget.is_short_for_histories());
        open.set(0);
        assert!(!budget.is_short());
        partial.set(RESERVE_BYTES + 1);
        assert!(budget.is_short() && budget.reserve_is_short());
        drop(partial);
        assert!(!budget.is_short());
    }

    /// However many are greedy, there is something left for one more.
    #[test]
    fn the_greedy_leave_room() {
        let budget = Budget::new(64 << 20);
        let mut charges: Vec<Charge> = (0..100).map(|_| budget.charge(0)).collect();
        for _ in 0..1000 {
            for charge in &mut charges {
                let own = charge.bytes();
                charge.set(own + budget.share_left(own).min(4096));
            }
        }
        assert!(budget.free() >= (64 << 20) / 102, "{}", budget.free());
    }

    #[test]
    fn r01_read_limits_shrink_and_end_with_the_budget() {
        let budget = Budget::new(BUFFERED_BYTES_SOFT + READ_BYTES_MIN);
        assert_eq!(budget.read_limit(), Some(READ_BYTES_MAX));
        let mut charges = Vec::new();
        while let Some(limit) = budget.read_limit() {
            charges.push(budget.charge(limit));
        }
        assert!(budget.used() <= BUFFERED_BYTES_SOFT + READ_BYTES_MIN);
        assert_eq!(budget.half_left(), 0);
        charges.clear();
        assert_eq!(budget.read_limit(), Some(READ_BYTES_MAX));
        let charge = budget.charge(BUFFERED_BYTES_SOFT - 400_000);
        assert_eq!(budget.read_limit(), Some(100_000), "a quarter of what is left");
        drop(charge);
    }
}
