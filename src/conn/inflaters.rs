//! Inflaters for messages that are being validated, and what a connection keeps of
//! permessage-deflate.
//!
//! A message borrows an inflater when its first compressed bytes arrive and gives it back at its
//! end, so within a turn one serves all. Only a message that spans turns holds one for longer;
//! when as many are lent as the operator allows, or as the budget has room for, the next message
//! waits for one in order. With context takeover the window is the connection's own, and so is its
//! inflater, which is charged from the handshake on.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::{Context, read_buffer};
use crate::budget::{Budget, Charge};
use crate::limits::{
    INFLATE_MESSAGE_EFFORT, INFLATE_SCRATCH_BYTES, INFLATER_BYTES, SPARE_INFLATERS_MAX,
    TURN_INFLATE_EFFORT_MIN,
};
use crate::metrics::Metrics;
use crate::ws::Fault;
use crate::ws::deflate::{Agreement, WindowBits};
use crate::ws::inflate::Inflater;

/// What a connection that agreed on permessage-deflate keeps.
#[derive(Debug)]
pub struct Deflate {
    agreement: Agreement,
    /// The next bytes to be processed are compressed, and no inflater was free for them.
    waits: bool,
    work: Option<Box<Work>>,
}

/// A message on its way through an inflater, or the window of a takeover connection.
struct Work {
    /// None before the first message of a takeover connection.
    inflater: Option<Inflater>,
    /// Bytes of the current message that have come out.
    inflated: u64,
    /// When the message began.
    since: Duration,
    /// None while it is nobody's.
    lease: Option<Lease>,
}

/// The right to an inflater, given back however the connection ends.
struct Lease {
    /// How many are lent; none for a takeover connection's own.
    lent: Option<Rc<Cell<usize>>>,
    _charge: Charge,
}

/// What became of input that was to be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// Bytes of it that were taken, from the front: all, unless the share of the turn is used up.
    pub consumed: usize,
}

impl Lease {
    fn of_pool(lent: &Rc<Cell<usize>>, budget: &Budget) -> Self {
        // One may always be lent, so it is no part of the budget: whoever has it must be read.
        let bytes = if lent.get() == 0 { 0 } else { INFLATER_BYTES };
        lent.set(lent.get() + 1);
        Self { lent: Some(Rc::clone(lent)), _charge: budget.inflater(bytes) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lent.iter().for_each(|lent| lent.set(lent.get() - 1));
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("inflated", &self.inflated).finish_non_exhaustive()
    }
}

impl Deflate {
    /// As agreed in the opening handshake. With takeover the window is charged at once.
    pub fn new(agreement: Agreement, budget: &Budget) -> Self {
        let work = agreement.context_takeover().then(|| {
            let lease = Lease { lent: None, _charge: budget.inflater(INFLATER_BYTES) };
            let since = Duration::ZERO;
            Box::new(Work { inflater: None, inflated: 0, since, lease: Some(lease) })
        });
        Self { agreement, waits: false, work }
    }

    /// What was agreed on, as the response says it.
    pub fn extension(&self) -> String {
        self.agreement.to_string()
    }

    /// Whether `length` bytes of a compressed message can be inflated now: there is an inflater,
    /// or one may be lent.
    #[inline]
    pub fn may_inflate(&mut self, length: usize, cx: &Context) -> bool {
        let may = self.work.is_some() || length == 0 || cx.inflaters.may_lend();
        self.waits = !may;
        may
    }

    /// True while a message, or a window, has an inflater.
    #[inline]
    pub fn has_inflater(&self) -> bool {
        self.work.is_some()
    }

    /// True when what was put aside waits for an inflater.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Since when a message holds an inflater that others may be waiting for.
    pub fn holds_since(&self) -> Option<Duration> {
        let work = self.work.as_ref()?;
        work.lease.as_ref().is_some_and(|lease| lease.lent.is_some()).then_some(work.since)
    }

    /// Feeds payload of the current message. Every piece of what it inflates to is counted against
    /// `limit` and given to `look`; the message ends with `last`, if all of `input` is taken.
    pub fn inflate(
        &mut self,
        input: &[u8],
        last: bool,
        limit: u64,
        cx: &mut Context,
        mut look: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<Inflated, Fault> {
        if input.is_empty() && !last {
            return Ok(Inflated { consumed: 0 });
        }
        let window = self.agreement.client_window();
        let now = cx.now;
        let Context { inflaters: pool, metrics, .. } = cx;
        let work = self.work.get_or_insert_with(|| pool.lend(window, now));
        let inflater = work.inflater.get_or_insert_with(|| Inflater::new(window));
        let mut consumed = 0;
        loop {
            let step =
                inflater.step(&input[consumed..], &mut pool.scratch).map_err(|_| Fault::Corrupt)?;
            consumed += step.consumed;
            work.inflated += step.produced as u64;
            count(metrics, step.consumed, step.produced);
            pool.spend(step.consumed, step.produced, window);
            if work.inflated > limit {
                return Err(Fault::TooLarge);
            }
            look(&pool.scratch[..step.produced])?;
            if step.drained {
                break;
            }
            if pool.is_exhausted() && consumed < input.len() {
                return Ok(Inflated { consumed });
            }
        }
        if last {
            inflater.finish().map_err(|_| Fault::Corrupt)?;
            work.inflated = 0;
            metrics.compressed_messages += 1;
            if !self.agreement.context_takeover() {
                self.work.take().into_iter().for_each(|work| pool.take_back(work));
            }
        }
        Ok(Inflated { consumed })
    }
}

fn count(metrics: &mut Metrics, consumed: usize, produced: usize) {
    metrics.compressed_bytes += consumed as u64;
    metrics.inflated_bytes += produced as u64;
}

/// The pool, the scratch buffer, and the effort spent in the current turn of a connection.
pub struct Inflaters {
    #[expect(clippy::vec_box, reason = "connections own their work by its box, lent whole")]
    spares: Vec<Box<Work>>,
    lent: Rc<Cell<usize>>,
    most: usize,
    budget: Budget,
    scratch: Box<[u8]>,
    effort: usize,
    effort_max: usize,
    /// Connections that wait for an inflater, and so come before any other.
    pub waiting: usize,
    /// The connection whose turn it is has waited for its inflater.
    called: bool,
}

impl Inflaters {
    /// A pool that lends at most `most` inflaters, apart from those of takeover connections.
    pub fn new(most: usize, budget: Budget) -> Self {
        let scratch = vec![0; INFLATE_SCRATCH_BYTES].into_boxed_slice();
        let (lent, waiting) = (Rc::default(), 0);
        let (effort, effort_max) = (0, TURN_INFLATE_EFFORT_MIN);
        let spares = Vec::new();
        Self { spares, lent, most, budget, scratch, effort, effort_max, waiting, called: false }
    }

    /// Inflaters that are lent.
    pub fn lent(&self) -> usize {
        self.lent.get()
    }

    /// How many more may be lent: up to a quarter of the budget, and one however full that is.
    pub fn free(&self) -> usize {
        let room = self.budget.inflaters_left() / INFLATER_BYTES;
        let room = room.max(usize::from(self.lent() == 0));
        self.most.saturating_sub(self.lent()).min(room)
    }

    /// True when one more may be lent to the connection whose turn it is.
    #[inline]
    pub fn may_lend(&self) -> bool {
        let before = if self.called { 0 } else { self.waiting };
        self.free() > before
    }

    /// True when a connection may be given a window of its own.
    pub fn may_keep_window(&self) -> bool {
        self.budget.inflaters_left() >= INFLATER_BYTES
    }

    /// A turn of the loop begins, in which each connection may spend `effort`. With a small one
    /// most of a read would be put aside and laid in again.
    pub fn set_share(&mut self, effort: usize) {
        self.effort_max = effort.max(TURN_INFLATE_EFFORT_MIN);
    }

    /// A connection's turn begins; `called` if it has waited for its inflater.
    #[inline]
    pub fn begin_turn(&mut self, called: bool) {
        self.effort = 0;
        self.called = called;
    }

    /// True when the current turn should end.
    #[inline]
    pub fn is_exhausted(&self) -> bool {
        self.effort >= self.effort_max
    }

    /// Overwrites the scratch buffer, so that nothing of one connection is there for the next.
    pub fn poison(&mut self) {
        read_buffer::poison(&mut self.scratch);
    }

    fn spend(&mut self, consumed: usize, produced: usize, window: WindowBits) {
        let weight = if window == WindowBits::MAX { 32 } else { 256 };
        self.effort += weight * consumed + 2 * produced;
    }

    fn lend(&mut self, window: WindowBits, now: Duration) -> Box<Work> {
        self.effort += INFLATE_MESSAGE_EFFORT;
        self.called = false;
        let lease = Some(Lease::of_pool(&self.lent, &self.budget));
        let Some(mut work) = self.spares.pop() else {
            let inflater = Some(Inflater::new(window));
            return Box::new(Work { inflater, inflated: 0, since: now, lease });
        };
        work.inflater.iter_mut().for_each(|inflater| inflater.reset(window));
        *work = Work { inflater: work.inflater.take(), inflated: 0, since: now, lease };
        work
    }

    fn take_back(&mut self, mut work: Box<Work>) {
        work.lease = None;
        if self.spares.len() < SPARE_INFLATERS_MAX {
            self.spares.push(work);
        }
    }
}

impl fmt::Debug for Inflaters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflaters").field("lent", &self.lent()).finish_non_exhaustive()
    }
}
