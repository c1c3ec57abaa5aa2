//! The store that lends outboxes and keeps the budget.

use std::rc::Rc;

use super::{Outbox, Slot, cost_of};
use crate::limits::{
    COMMIT_BYTES_MAX, FRAME_HEAD_BYTES_MAX, MEMBER_OUTBOX_BYTES_MAX, OUTBOX_BYTES_SOFT,
    READ_BYTES_MAX, READ_BYTES_MIN, SPARE_OUTBOX_BYTES_MAX, SPARE_OUTBOXES_MAX,
};
use crate::service::Shared;

/// Lends outboxes and keeps the sum of what they hold.
#[derive(Debug)]
pub struct Store {
    #[expect(
        clippy::vec_box,
        reason = "connections own an outbox by its box, which is lent whole"
    )]
    spares: Vec<Box<Outbox>>,
    /// Room for a whole read. It goes from one refused reply to the next, because an allocator
    /// that is asked for ever other lengths keeps several of them resident.
    roomy: Option<Vec<u8>>,
    bytes: usize,
    posted_bytes: usize,
    kept_bytes: usize,
    budget: usize,
}

impl Store {
    /// A store whose outboxes may hold `budget` bytes in all.
    pub fn new(budget: usize) -> Self {
        Self {
            spares: Vec::new(),
            roomy: Some(Vec::new()),
            bytes: 0,
            posted_bytes: 0,
            kept_bytes: 0,
            budget,
        }
    }

    /// Bytes in all outboxes, or claimed there.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Memory of the shared frames in all outboxes, each counted once, and of references to them.
    pub fn posted_bytes(&self) -> usize {
        self.posted_bytes
    }

    /// All of these together.
    pub fn all_bytes(&self) -> usize {
        self.bytes + self.posted_bytes + self.kept_bytes
    }

    /// Bytes that talks keep beside their outboxes.
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Counts `kept` bytes for a talk of which `counted` were counted so far. False if that is more
    /// than it was, and more than there is room for.
    pub fn count_kept(&mut self, counted: &mut usize, kept: usize) -> bool {
        let before = std::mem::replace(counted, kept);
        self.kept_bytes = self.kept_bytes - before + kept;
        kept <= before || self.bytes + self.kept_bytes <= self.budget
    }

    /// How much one connection may read now: no more than can be stored should the socket refuse
    /// all of the reply. Reads shrink while others are blocked, so that many blocked peers
    /// together hold little. `None` when the budget is used up.
    pub fn read_grant(&self) -> Option<usize> {
        let left = self.budget.saturating_sub(self.bytes);
        if left < READ_BYTES_MIN {
            return None;
        }
        let share = OUTBOX_BYTES_SOFT.min(self.budget).saturating_sub(self.bytes) / 4;
        Some(share.clamp(READ_BYTES_MIN, READ_BYTES_MAX).min(left))
    }

    /// True when there is room again for a whole read, or for a reply that is longer than what it
    /// answers by as much. Of a small budget a quarter has to do: what is held must leave that.
    pub fn has_room(&self) -> bool {
        let left = self.budget.saturating_sub(self.bytes);
        left >= READ_BYTES_MAX.min(self.budget / 4)
    }

    /// True when the reply to a frame with `length` bytes of payload may be held back until it has
    /// been seen whole. That takes no more than half of the budget: who holds waits for its peer,
    /// and nobody else shall have to wait for that.
    pub fn may_hold(&self, length: u64) -> bool {
        let left = (self.budget / 2).saturating_sub(self.bytes + FRAME_HEAD_BYTES_MAX);
        length <= COMMIT_BYTES_MAX.min(left) as u64
    }

    /// Adds bytes that may be sent. They stand before a held reply, whose frame came later, but
    /// behind shared frames, which were there earlier.
    pub fn keep(&mut self, slot: &mut Slot, bytes: &[u8]) {
        let outbox = self.lend(slot);
        if !outbox.posted.is_empty() {
            self.posted_bytes += outbox.push_posted(Rc::new(Shared::new(bytes.to_vec())));
            return;
        }
        let is_long = bytes.len() > SPARE_OUTBOX_BYTES_MAX && outbox.bytes.is_empty();
        if let Some(roomy) = self.roomy.take_if(|_| is_long) {
            outbox.bytes = roomy;
            outbox.bytes.reserve_exact(READ_BYTES_MAX);
        }
        outbox.bytes.reserve_exact(bytes.len());
        outbox.bytes.extend_from_slice(bytes);
        outbox.bytes[outbox.committed..].rotate_right(bytes.len());
        outbox.committed += bytes.len();
        self.bytes += bytes.len();
    }

    /// Adds a frame that other connections get too. False, and nothing is added, if too much waits
    /// here already, or if shared frames together have used up the budget.
    pub fn post(&mut self, slot: &mut Slot, frame: &Rc<Shared>) -> bool {
        let budget = self.budget;
        let all = self.posted_bytes + cost_of(frame);
        let outbox = self.lend(slot);
        let waiting = outbox.len() + outbox.posted_bytes;
        let refused =
            waiting > 0 && (waiting + frame.len() > MEMBER_OUTBOX_BYTES_MAX || all > budget);
        if !refused {
            self.posted_bytes += outbox.push_posted(Rc::clone(frame));
        }
        !refused
    }

    /// Adds bytes of a reply that may not be sent yet. `total` is the length that the reply will
    /// have, which is claimed at once.
    pub fn hold(&mut self, slot: &mut Slot, bytes: &[u8], total: usize) {
        let outbox = self.lend(slot);
        if outbox.claimed == 0 {
            outbox.claimed = total;
            outbox.bytes.reserve_exact(total);
            self.bytes += total;
        }
        outbox.bytes.extend_from_slice(bytes);
        assert!(outbox.held().len() <= outbox.claimed, "a reply is longer than was announced");
    }

    /// Takes the held bytes out, to `to[..]`, which has exactly their length.
    pub fn take_held(&mut self, slot: &mut Slot, to: &mut [u8]) {
        let Some(outbox) = slot else { return };
        to.copy_from_slice(outbox.held());
        self.drop_held(slot);
    }

    /// Forgets the held bytes: the frame they answer will not be echoed.
    pub fn drop_held(&mut self, slot: &mut Slot) {
        let Some(outbox) = slot else { return };
        self.bytes -= std::mem::take(&mut outbox.claimed);
        outbox.bytes.truncate(outbox.committed);
        self.settle(slot);
    }

    /// Puts received bytes aside for the connection's next turn.
    pub fn park(&mut self, slot: &mut Slot, bytes: &[u8]) {
        self.lend(slot).parked.extend_from_slice(bytes);
        self.bytes += bytes.len();
    }

    /// Lays parked bytes to the front of `to` and returns how many there were.
    pub fn unpark(&mut self, slot: &mut Slot, to: &mut [u8]) -> usize {
        let Some(outbox) = slot else { return 0 };
        let count = outbox.parked.len();
        to[..count].copy_from_slice(&outbox.parked);
        outbox.parked.clear();
        self.bytes -= count;
        self.settle(slot);
        count
    }

    /// Notes that the socket took `count` bytes of [`Outbox::unsent`] or [`Outbox::gather`].
    pub fn sent(&mut self, slot: &mut Slot, count: usize) {
        let Some(outbox) = slot else { return };
        let own = count.min(outbox.committed - outbox.sent);
        outbox.sent += own;
        if own < count {
            self.posted_bytes -= outbox.posted_sent(count - own);
            assert!(
                outbox.posted_sent == 0 || !outbox.posted.is_empty(),
                "a socket took more than it was given"
            );
        }
        if outbox.claimed > 0 && outbox.sent > 0 && outbox.sent == outbox.committed {
            let held = outbox.detach_held();
            self.bytes -= outbox.bytes.len();
            let gone = std::mem::replace(&mut outbox.bytes, held);
            (outbox.sent, outbox.committed) = (0, 0);
            self.retire(gone);
        }
        self.settle(slot);
    }

    /// Takes the outbox of a connection that ended, whatever is in it.
    pub fn reclaim(&mut self, slot: &mut Slot) {
        if let Some(mut outbox) = slot.take() {
            self.bytes -= outbox.len();
            while !outbox.posted.is_empty() {
                self.posted_bytes -= outbox.pop_posted();
            }
            self.shelve(outbox);
        }
    }

    fn lend<'a>(&mut self, slot: &'a mut Slot) -> &'a mut Outbox {
        slot.get_or_insert_with(|| self.spares.pop().unwrap_or_default())
    }

    /// Takes an outbox back as soon as it is empty.
    fn settle(&mut self, slot: &mut Slot) {
        if slot.as_ref().is_some_and(|outbox| outbox.is_empty()) {
            self.reclaim(slot);
        }
    }

    /// Keeps the memory of `bytes` if it has room for a whole read and there is no such other.
    fn retire(&mut self, mut bytes: Vec<u8>) {
        if self.roomy.is_none() && bytes.capacity() >= READ_BYTES_MAX {
            bytes.clear();
            self.roomy = Some(bytes);
        }
    }

    fn shelve(&mut self, mut outbox: Box<Outbox>) {
        if outbox.bytes.capacity() >= READ_BYTES_MAX {
            self.retire(std::mem::take(&mut outbox.bytes));
        }
        if self.spares.len() < SPARE_OUTBOXES_MAX
            && outbox.bytes.capacity() <= SPARE_OUTBOX_BYTES_MAX
        {
            outbox.bytes.clear();
            outbox.parked.clear();
            outbox.sent = 0;
            outbox.committed = 0;
            outbox.claimed = 0;
            outbox.posted_sent = 0;
            self.spares.push(outbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: usize = size_of::<Rc<Shared>>();

    fn shared(bytes: &[u8]) -> Rc<Shared> {
        Rc::new(Shared::new(bytes.to_vec()))
    }

    #[test]
    fn a_shared_frame_counts_once() {
        let mut store = Store::new(1 << 20);
        let frame = shared(&[0; 1000]);
        let mut slots: Vec<Slot> = (0..10).map(|_| None).collect();
        for slot in &mut slots {
            assert!(store.post(slot, &frame));
        }
        assert_eq!(store.posted_bytes(), 1000 + 10 * REFERENCE);
        store.sent(&mut slots[3], 1000);
        store.reclaim(&mut slots[4]);
        assert_eq!(store.posted_bytes(), 1000 + 8 * REFERENCE);
        slots.iter_mut().for_each(|slot| store.reclaim(slot));
        assert_eq!(store.posted_bytes(), 0);
    }

    #[test]
    fn sums_follow_every_step() {
        let mut store = Store::new(1 << 20);
        let mut slot = None;
        store.keep(&mut slot, b"abcdef");
        store.sent(&mut slot, 2);
        assert_eq!(slot.as_ref().map(|o| o.unsent().to_vec()), Some(b"cdef".to_vec()));
        store.hold(&mut slot, b"xyz", 10);
        assert_eq!(store.bytes(), 16, "a held reply counts with its whole length");
        store.sent(&mut slot, 4);
        assert!(slot.is_some(), "held bytes keep the outbox");
        let mut held = [0; 3];
        store.take_held(&mut slot, &mut held);
        assert_eq!(&held, b"xyz");
        assert!(slot.is_none());
        assert_eq!(store.bytes(), 0);
    }

    #[test]
    fn a_refused_reply_stands_before_a_held_one() {
        let mut store = Store::new(1 << 20);
        let mut slot = None;
        store.hold(&mut slot, b"later", 5);
        store.keep(&mut slot, b"first ");
        store.keep(&mut slot, b"second ");
        let outbox = slot.as_ref().map(|o| (o.unsent().to_vec(), o.held().to_vec()));
        assert_eq!(outbox, Some((b"first second ".to_vec(), b"later".to_vec())));
        assert_eq!(store.bytes(), 18);
    }

    #[test]
    fn what_is_held_outlives_what_was_sent_before_it() {
        let mut store = Store::new(1 << 20);
        let mut slot = None;
        store.keep(&mut slot, &vec![1; READ_BYTES_MAX]);
        store.hold(&mut slot, b"held", 10);
        store.sent(&mut slot, READ_BYTES_MAX);
        assert_eq!(store.bytes(), 10, "what was sent takes no part of the budget");
        let capacity = slot.as_ref().map(|outbox| outbox.bytes.capacity());
        assert_eq!(capacity, Some(10), "nor memory");
        store.hold(&mut slot, b" back!", 10);
        let mut held = [0; 10];
        store.take_held(&mut slot, &mut held);
        assert_eq!(&held, b"held back!");
        assert!(slot.is_none());
    }

    #[test]
    fn an_outbox_comes_back_clean() {
        let mut store = Store::new(1 << 20);
        let mut slot = None;
        store.hold(&mut slot, b"secret", 6);
        store.reclaim(&mut slot);
        store.keep(&mut slot, b"new");
        assert_eq!(slot.as_ref().map(|o| o.unsent().to_vec()), Some(b"new".to_vec()));
        assert_eq!(store.bytes(), 3);
    }

    #[test]
    fn shared_frames_follow_what_was_there() {
        let mut store = Store::new(1 << 20);
        let mut slot = None;
        let frames = [shared(b"shared"), shared(b" twice")];
        store.keep(&mut slot, b"own ");
        for frame in &frames {
            assert!(store.post(&mut slot, frame));
        }
        store.keep(&mut slot, b" end");
        assert_eq!((store.bytes(), store.posted_bytes()), (4, 16 + 3 * REFERENCE));
        let mut area = [0; 100];
        let outbox = |slot: &Slot, area: &mut [u8]| {
            slot.as_ref().map(|outbox| outbox.gather(area).to_vec()).unwrap_or_default()
        };
        assert_eq!(outbox(&slot, &mut area), b"own shared twice end");
        assert_eq!(outbox(&slot, &mut area[..7]), b"own sha");
        // Whatever the socket takes, what is left is right.
        for taken in [1, 5, 7] {
            store.sent(&mut slot, taken);
        }
        assert_eq!(slot.as_ref().map(|outbox| outbox.unsent().to_vec()), Some(b"ice".to_vec()));
        assert_eq!(outbox(&slot, &mut area), b"ice end");
        store.sent(&mut slot, 7);
        assert!(slot.is_none());
        assert_eq!((store.bytes(), store.posted_bytes()), (0, 0));
        assert_eq!(Rc::strong_count(&frames[0]), 1);
    }

    #[test]
    fn a_slow_recipient_is_refused_more() {
        let mut store = Store::new(1 << 20);
        let mut slot = None;
        let frame = shared(&[0; MEMBER_OUTBOX_BYTES_MAX / 2]);
        assert!(store.post(&mut slot, &frame) && store.post(&mut slot, &frame));
        assert!(!store.post(&mut slot, &shared(b"!")));
        let mut other = None;
        assert!(store.post(&mut other, &shared(&[0; 2 << 20])), "alone it may be long");
        assert!(!store.post(&mut other, &shared(b"!")), "the budget is used up");
        store.reclaim(&mut slot);
        store.reclaim(&mut other);
        assert_eq!(store.posted_bytes(), 0);
    }

    #[test]
    fn r01_grants_shrink_and_end_with_the_budget() {
        let mut store = Store::new(OUTBOX_BYTES_SOFT + READ_BYTES_MIN);
        assert_eq!(store.read_grant(), Some(READ_BYTES_MAX));
        let mut slots: Vec<Slot> = Vec::new();
        while let Some(grant) = store.read_grant() {
            let mut slot = None;
            store.keep(&mut slot, &vec![0; grant]);
            slots.push(slot);
        }
        assert!(store.bytes() <= OUTBOX_BYTES_SOFT + READ_BYTES_MIN);
        assert!(!store.may_hold(1));
        for slot in &mut slots {
            store.reclaim(slot);
        }
        assert_eq!(store.bytes(), 0);
        assert_eq!(store.read_grant(), Some(READ_BYTES_MAX));
    }
}
