//! The pool that lends send queues.

use std::rc::Rc;
use std::time::Duration;

use super::{Pace, SendQueue, Slot};
use crate::budget::Budget;
use crate::limits::{
    COMMIT_BYTES_MAX, FRAME_HEAD_BYTES_MAX, MEMBER_QUEUE_BYTES_MAX, READ_BYTES_MAX,
    SPARE_QUEUE_BYTES_MAX, SPARE_QUEUES_MAX,
};
use crate::service::SharedFrame;

/// Lends send queues and takes them back.
#[derive(Debug)]
pub struct SendQueues {
    #[expect(
        clippy::vec_box,
        reason = "connections own a send queue by its box, which is lent whole"
    )]
    spares: Vec<Box<SendQueue>>,
    /// Room for a whole read. It goes from one refused reply to the next, because an allocator
    /// that is asked for ever other lengths keeps several of them resident.
    /// There is one only: it is here, or in one queue.
    roomy: Option<Vec<u8>>,
    budget: Budget,
    /// The time of this turn.
    pub now: Duration,
}

impl SendQueues {
    /// A pool whose queues are charged to `budget`.
    pub fn new(budget: Budget) -> Self {
        Self { spares: Vec::new(), roomy: Some(Vec::new()), budget, now: Duration::ZERO }
    }

    /// True when the reply to a frame with `length` bytes of payload may be held back until it has
    /// been seen whole. That takes no more than half of the budget: who holds waits for its peer,
    /// and nobody else shall have to wait for that.
    pub fn may_hold(&self, length: u64) -> bool {
        let left = self.budget.half_left().saturating_sub(FRAME_HEAD_BYTES_MAX);
        length <= COMMIT_BYTES_MAX.min(left) as u64
    }

    /// Adds bytes that may be sent. They stand before a held reply, whose frame came later, but
    /// behind shared frames, which were there earlier.
    pub fn push(&mut self, slot: &mut Slot, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if slot.as_ref().is_some_and(|queue| !queue.frames.is_empty()) {
            let frame = Rc::new(SharedFrame::new(bytes.to_vec(), &self.budget));
            return self.append(slot, frame);
        }
        let is_long = bytes.len() > SPARE_QUEUE_BYTES_MAX;
        let roomy = if is_long { self.roomy.take() } else { None };
        let queue = self.lend(slot);
        let unused = match roomy {
            Some(mut roomy) if queue.bytes.is_empty() => {
                roomy.reserve_exact(READ_BYTES_MAX);
                queue.bytes = roomy;
                queue.roomy = true;
                None
            }
            unused => unused,
        };
        queue.bytes.reserve_exact(bytes.len());
        queue.bytes.extend_from_slice(bytes);
        queue.bytes[queue.committed..].rotate_right(bytes.len());
        queue.committed += bytes.len();
        queue.recharge();
        if unused.is_some() {
            self.roomy = unused;
        }
    }

    /// Adds bytes for a peer without an open connection: they stand in the reserve.
    pub fn push_reserved(&mut self, slot: &mut Slot, bytes: &[u8]) {
        if slot.is_none() {
            *slot = Some(Box::new(SendQueue::new(self.budget.reserve(size_of::<SendQueue>()))));
        }
        self.push(slot, bytes);
    }

    /// Adds a frame that other connections get too. False, and nothing is added, if more waits
    /// here already than a member may leave unsent, or than it would leave free for others.
    pub fn push_frame(&mut self, slot: &mut Slot, frame: &Rc<SharedFrame>) -> bool {
        let waiting = slot.as_ref().map_or(0, |queue| queue.unsent_bytes());
        let references = slot.as_ref().map_or(0, |queue| queue.frames.capacity());
        let growth = references * size_of::<Rc<SharedFrame>>();
        let most = MEMBER_QUEUE_BYTES_MAX.min(self.budget.free().saturating_sub(growth));
        let accepted = waiting == 0 || waiting + frame.len() <= most;
        if accepted {
            self.append(slot, Rc::clone(frame));
        }
        accepted
    }

    fn append(&mut self, slot: &mut Slot, frame: Rc<SharedFrame>) {
        let queue = self.lend(slot);
        queue.frames_bytes += frame.len();
        queue.frames.push_back(frame);
        queue.recharge();
    }

    /// Adds bytes of a reply that may not be sent yet. `total` is the length that the reply will
    /// have, which is claimed at once.
    pub fn hold(&mut self, slot: &mut Slot, bytes: &[u8], total: usize) {
        let queue = self.lend(slot);
        if queue.claimed == 0 {
            queue.claimed = total;
            queue.bytes.reserve_exact(total);
        }
        queue.bytes.extend_from_slice(bytes);
        queue.pace.taken += bytes.len();
        assert!(queue.held().len() <= queue.claimed, "a reply is longer than was announced");
        queue.recharge();
    }

    /// Takes the held bytes out, to `to[..]`, which has exactly their length.
    pub fn take_held(&mut self, slot: &mut Slot, to: &mut [u8]) {
        let Some(queue) = slot else { return };
        to.copy_from_slice(queue.held());
        self.drop_held(slot);
    }

    /// Forgets the held bytes: the frame they answer will not be echoed.
    pub fn drop_held(&mut self, slot: &mut Slot) {
        let Some(queue) = slot else { return };
        queue.claimed = 0;
        queue.bytes.truncate(queue.committed);
        self.settle(slot);
    }

    /// Puts received bytes aside for the connection's next turn.
    pub fn put_aside(&mut self, slot: &mut Slot, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let queue = self.lend(slot);
        queue.unprocessed.reserve_exact(bytes.len());
        queue.unprocessed.extend_from_slice(bytes);
        queue.recharge();
    }

    /// Lays the unprocessed bytes to the front of `to` and returns how many there were.
    pub fn take_unprocessed(&mut self, slot: &mut Slot, to: &mut [u8]) -> usize {
        let Some(queue) = slot else { return 0 };
        let count = queue.unprocessed.len();
        to[..count].copy_from_slice(&queue.unprocessed);
        queue.unprocessed = Vec::new();
        self.settle(slot);
        count
    }

    /// Notes that the socket took `count` bytes of [`SendQueue::unsent`] or [`SendQueue::gather`].
    pub fn sent(&mut self, slot: &mut Slot, count: usize) {
        let Some(queue) = slot else { return };
        let own = count.min(queue.committed - queue.sent);
        queue.sent += own;
        queue.pace.taken += count;
        queue.frames_taken(count - own);
        if let Some(roomy) = queue.compact() {
            self.keep(roomy);
        }
        self.settle(slot);
    }

    /// Takes the queue of a connection that ended, whatever is in it.
    pub fn reclaim(&mut self, slot: &mut Slot) {
        let Some(mut queue) = slot.take() else { return };
        let mut bytes = std::mem::take(&mut queue.bytes);
        if queue.roomy {
            return self.keep(bytes);
        }
        if bytes.capacity() <= SPARE_QUEUE_BYTES_MAX && self.spares.len() < SPARE_QUEUES_MAX {
            bytes.clear();
            *queue = SendQueue { bytes, ..SendQueue::new(self.budget.charge(0)) };
            self.spares.push(queue);
        }
    }

    /// The queue of a connection; its peer's pace is measured from when there is something to send,
    /// or to hold.
    fn lend<'a>(&mut self, slot: &'a mut Slot) -> &'a mut SendQueue {
        let Self { spares, budget, now, .. } = self;
        let queue = slot.get_or_insert_with(|| {
            spares.pop().unwrap_or_else(|| Box::new(SendQueue::new(budget.charge(0))))
        });
        if queue.is_flushed() && queue.claimed == 0 {
            queue.pace = Pace { since: *now, ..Pace::default() };
        }
        queue
    }

    /// Takes a queue back as soon as it is empty.
    fn settle(&mut self, slot: &mut Slot) {
        match slot {
            Some(queue) if queue.is_empty() => self.reclaim(slot),
            Some(queue) => queue.recharge(),
            None => {}
        }
    }

    /// The pool's own buffer comes back.
    fn keep(&mut self, mut roomy: Vec<u8>) {
        roomy.clear();
        roomy.shrink_to(READ_BYTES_MAX);
        self.roomy = Some(roomy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: usize = size_of::<SendQueue>();

    fn pool() -> (Budget, SendQueues) {
        let budget = Budget::new(1 << 20);
        (budget.clone(), SendQueues::new(budget))
    }

    fn shared(bytes: &[u8], budget: &Budget) -> Rc<SharedFrame> {
        Rc::new(SharedFrame::new(bytes.to_vec(), budget))
    }

    fn unsent(slot: &Slot) -> Vec<u8> {
        slot.as_ref().map(|queue| queue.unsent().to_vec()).unwrap_or_default()
    }

    #[test]
    fn a_shared_frame_is_charged_once_and_its_references_each() {
        let (budget, mut pool) = pool();
        let frame = shared(&[0; 1000], &budget);
        let alone = budget.used();
        assert!(alone > 1000, "its own overhead counts too");
        let mut slots: Vec<Slot> = (0..10).map(|_| None).collect();
        for slot in &mut slots {
            assert!(pool.push_frame(slot, &frame));
        }
        let each = (budget.used() - alone) / 10;
        assert!((BASE + 8..BASE + 100).contains(&each), "{each}");
        drop(frame);
        pool.sent(&mut slots[3], 1000);
        pool.reclaim(&mut slots[4]);
        assert_eq!(budget.used(), alone + 8 * each);
        slots.iter_mut().for_each(|slot| pool.reclaim(slot));
        assert_eq!(budget.used(), 0, "the last reference frees the frame");
    }

    #[test]
    fn charges_follow_every_step() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        pool.push(&mut slot, b"abcdef");
        pool.sent(&mut slot, 2);
        assert_eq!(unsent(&slot), b"cdef");
        pool.hold(&mut slot, b"xyz", 10);
        assert_eq!(budget.used(), BASE + 16, "a held reply counts with its whole length");
        pool.sent(&mut slot, 4);
        assert!(slot.is_some(), "held bytes keep the queue");
        let mut held = [0; 3];
        pool.take_held(&mut slot, &mut held);
        assert_eq!(&held, b"xyz");
        assert!(slot.is_none());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_refused_reply_stands_before_a_held_one() {
        let (_, mut pool) = pool();
        let mut slot = None;
        pool.hold(&mut slot, b"later", 5);
        pool.push(&mut slot, b"first ");
        pool.push(&mut slot, b"second ");
        let queue = slot.as_ref().map(|queue| (queue.unsent().to_vec(), queue.held().to_vec()));
        assert_eq!(queue, Some((b"first second ".to_vec(), b"later".to_vec())));
    }

    #[test]
    fn what_is_held_outlives_what_was_sent_before_it() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        pool.push(&mut slot, &vec![1; READ_BYTES_MAX]);
        pool.hold(&mut slot, b"held", 10);
        pool.sent(&mut slot, READ_BYTES_MAX);
        assert_eq!(budget.used(), BASE + 10, "what was sent takes no memory");
        pool.hold(&mut slot, b" back!", 10);
        let mut held = [0; 10];
        pool.take_held(&mut slot, &mut held);
        assert_eq!(&held, b"held back!");
        assert!(slot.is_none());
    }

    #[test]
    fn a_long_queue_gives_memory_back_as_it_is_sent() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        for _ in 0..8 {
            pool.push(&mut slot, &[7; 100_000]);
        }
        assert!(budget.used() >= 800_000);
        pool.sent(&mut slot, 500_000);
        assert_eq!(budget.used(), BASE + 300_000);
        pool.sent(&mut slot, 300_000);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_queue_comes_back_clean() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        pool.hold(&mut slot, b"secret", 6);
        pool.put_aside(&mut slot, b"input");
        assert_eq!(budget.used(), BASE + 6 + 5);
        pool.reclaim(&mut slot);
        pool.push(&mut slot, b"new");
        let queue = slot.expect("one was lent");
        assert_eq!(queue.unsent(), b"new");
        assert!(queue.held().is_empty() && queue.unprocessed().is_empty());
    }

    /// Nothing put aside is nothing kept.
    #[test]
    fn an_empty_push_lends_nothing() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        pool.put_aside(&mut slot, b"");
        pool.push(&mut slot, b"");
        assert!(slot.is_none());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn shared_frames_follow_what_was_there() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        let frames = [shared(b"shared", &budget), shared(b" twice", &budget)];
        pool.push(&mut slot, b"own ");
        for frame in &frames {
            assert!(pool.push_frame(&mut slot, frame));
        }
        pool.push(&mut slot, b" end");
        let mut buffer = [0; 100];
        let gather = |slot: &Slot, buffer: &mut [u8]| {
            slot.as_ref().map(|queue| queue.gather(buffer).to_vec()).unwrap_or_default()
        };
        assert_eq!(gather(&slot, &mut buffer), b"own shared twice end");
        assert_eq!(gather(&slot, &mut buffer[..7]), b"own sha");
        // Whatever the socket takes, what is left is right.
        for taken in [1, 5, 7] {
            pool.sent(&mut slot, taken);
        }
        assert_eq!(unsent(&slot), b"ice");
        assert_eq!(gather(&slot, &mut buffer), b"ice end");
        pool.sent(&mut slot, 7);
        assert!(slot.is_none());
        assert_eq!(Rc::strong_count(&frames[0]), 1);
    }

    #[test]
    fn a_slow_recipient_is_refused_more() {
        let (budget, mut pool) = pool();
        let mut slot = None;
        let frame = shared(&[0; MEMBER_QUEUE_BYTES_MAX / 2], &budget);
        assert!(pool.push_frame(&mut slot, &frame) && pool.push_frame(&mut slot, &frame));
        assert!(!pool.push_frame(&mut slot, &shared(b"!", &budget)));
        let mut other = None;
        let long = shared(&[0; 2 << 20], &budget);
        assert!(pool.push_frame(&mut other, &long), "alone it may be long");
        assert!(!pool.push_frame(&mut other, &shared(b"!", &budget)), "the budget is used up");
        let mut third = None;
        let short = shared(b"!", &budget);
        assert!(pool.push_frame(&mut third, &short), "one may always wait");
        assert!(!pool.push_frame(&mut third, &short), "the budget is used up");
    }

    /// Spares are for short replies; one buffer is kept for a long one.
    #[test]
    fn no_spare_is_long() {
        let (_, mut pool) = pool();
        let mut slots: Vec<Slot> = (0..2 * SPARE_QUEUES_MAX).map(|_| None).collect();
        for length in [100_000, READ_BYTES_MAX, 30_000, 100] {
            for slot in &mut slots {
                pool.push(slot, &vec![7; length]);
            }
            for slot in &mut slots {
                pool.sent(slot, length);
            }
            assert!(pool.spares.len() <= SPARE_QUEUES_MAX);
            let kept = pool.spares.iter().map(|queue| queue.bytes.capacity()).max();
            assert!(kept <= Some(SPARE_QUEUE_BYTES_MAX), "{length} bytes were kept");
        }
    }

    /// A long rest of a whole read needs no second buffer beside the first; a short one gives the
    /// first back.
    #[test]
    fn a_long_rest_stays_where_it_is() {
        let (_, mut pool) = pool();
        let mut slot = None;
        pool.push(&mut slot, &vec![7; READ_BYTES_MAX]);
        let before = slot.as_ref().unwrap().unsent().as_ptr();
        pool.sent(&mut slot, READ_BYTES_MAX / 2);
        assert_eq!(slot.as_ref().unwrap().unsent().as_ptr(), before, "moved to the front");
        assert_eq!(slot.as_ref().unwrap().unsent().len(), READ_BYTES_MAX / 2);
        assert!(pool.roomy.is_none());
        pool.sent(&mut slot, READ_BYTES_MAX / 2 - 100);
        assert_eq!(slot.as_ref().unwrap().unsent(), [7; 100]);
        assert!(pool.roomy.is_some(), "given back for a short rest");
    }

    /// A buffer with room for a whole read, in which little stands, is charged as what it is: only
    /// one of them is free.
    #[test]
    fn one_buffer_is_free_of_charge() {
        let (budget, mut pool) = pool();
        let mut slots: Vec<Slot> = (0..10).map(|_| None).collect();
        let mut memory = 0;
        for at in 0..10 {
            // Whoever had a whole read to send leaves a buffer to whoever has little.
            pool.push(&mut slots[at], &vec![7; READ_BYTES_MAX]);
            let mut before = slots[..at].iter_mut();
            if let Some(slot) = before.next_back() {
                pool.reclaim(slot);
                pool.push(slot, &vec![7; SPARE_QUEUE_BYTES_MAX + 1]);
            }
            memory = slots.iter().flatten().map(|queue| queue.bytes.capacity()).sum();
            assert!(memory <= budget.used() + READ_BYTES_MAX, "{memory} of {}", budget.used());
        }
        assert!(memory > 0);
    }

    #[test]
    fn a_peer_is_too_slow_below_the_least_rate() {
        let (_, mut pool) = pool();
        let window = Duration::from_secs(60);
        let mut slot = None;
        pool.now = Duration::from_secs(5);
        pool.push(&mut slot, &[0; 200_000]);
        let mut judge = |pool: &mut SendQueues, seconds, taken| {
            pool.sent(&mut slot, taken);
            let queue = slot.as_mut().expect("it has not taken all");
            queue.is_too_slow(Duration::from_secs(seconds), window)
        };
        assert!(!judge(&mut pool, 64, 1), "its time is not up");
        assert!(!judge(&mut pool, 65, 70_000), "fast enough");
        assert!(judge(&mut pool, 125, 1000), "a new measurement began");
    }
}
