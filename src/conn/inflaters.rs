//! Inflaters for messages that are being validated, and what a connection keeps of
//! permessage-deflate.
//!
//! A message borrows an inflater at its first byte and gives it back at its last, so within a turn
//! one serves all. Only a message that spans turns holds one for longer; when as many are lent as
//! the operator allows, connections that may need one are not read. With context takeover the
//! window is the connection's own, and so is its inflater.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::limits::{INFLATE_SCRATCH_BYTES, SPARE_INFLATERS_MAX, TURN_INFLATE_EFFORT};
use crate::metrics::Metrics;
use crate::ws::Fault;
use crate::ws::deflate::{Agreement, WindowBits};
use crate::ws::inflate::Inflater;

/// What a connection that agreed on permessage-deflate keeps.
#[derive(Debug)]
pub struct Deflated {
    agreement: Agreement,
    work: Option<Box<Work>>,
}

/// A message on its way through an inflater.
struct Work {
    inflater: Inflater,
    /// Bytes of the current message that have come out.
    inflated: u64,
    /// Its place among those that may be lent; none for a takeover connection's own.
    lease: Option<Lease>,
}

/// A place in the pool, given back however the connection ends.
struct Lease(Rc<Cell<usize>>);

impl Lease {
    fn new(lent: &Rc<Cell<usize>>) -> Self {
        lent.set(lent.get() + 1);
        Self(Rc::clone(lent))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("inflated", &self.inflated).finish_non_exhaustive()
    }
}

impl Deflated {
    /// As agreed in the opening handshake.
    pub fn new(agreement: Agreement) -> Self {
        Self { agreement, work: None }
    }

    /// True when the next read may need an inflater that is not the connection's already.
    pub fn may_borrow(&self) -> bool {
        self.work.is_none() && !self.agreement.context_takeover()
    }

    /// True while it holds an inflater that others may wait for.
    pub fn holds_lease(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.lease.is_some())
    }

    /// Feeds payload of the current message. Every piece of what it inflates to is counted against
    /// `limit` and given to `look`; the message ends with `last`.
    pub fn inflate(
        &mut self,
        input: &[u8],
        last: bool,
        limit: u64,
        pool: &mut Inflaters,
        metrics: &mut Metrics,
        mut look: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let window = self.agreement.client_window();
        let takeover = self.agreement.context_takeover();
        let work = self.work.get_or_insert_with(|| pool.lend(window, takeover));
        let mut rest = input;
        loop {
            let step = work.inflater.step(rest, &mut pool.scratch).map_err(|_| Fault::Corrupt)?;
            rest = &rest[step.consumed..];
            work.inflated += step.produced as u64;
            metrics.inflated_bytes += step.produced as u64;
            pool.spend(step.consumed, step.produced, window);
            if work.inflated > limit {
                return Err(Fault::TooLarge);
            }
            look(&pool.scratch[..step.produced])?;
            if step.drained {
                break;
            }
        }
        metrics.compressed_bytes += input.len() as u64;
        if last {
            work.inflater.finish().map_err(|_| Fault::Corrupt)?;
            work.inflated = 0;
            metrics.compressed_messages += 1;
            if !takeover {
                self.work.take().into_iter().for_each(|work| pool.take_back(work));
            }
        }
        Ok(())
    }
}

/// The pool, the scratch buffer, and the effort spent in the current turn.
pub struct Inflaters {
    #[expect(clippy::vec_box, reason = "connections own their work by its box, lent whole")]
    spares: Vec<Box<Work>>,
    lent: Rc<Cell<usize>>,
    most: usize,
    scratch: Box<[u8]>,
    effort: usize,
}

impl Inflaters {
    /// A pool that lends at most `most` inflaters, apart from those of takeover connections.
    pub fn new(most: usize) -> Self {
        let scratch = vec![0; INFLATE_SCRATCH_BYTES].into_boxed_slice();
        Self { spares: Vec::new(), lent: Rc::default(), most, scratch, effort: 0 }
    }

    /// Inflaters that are lent.
    pub fn lent(&self) -> usize {
        self.lent.get()
    }

    /// How many more may be lent.
    pub fn free(&self) -> usize {
        self.most.saturating_sub(self.lent())
    }

    /// True when one more may be lent.
    pub fn has_free(&self) -> bool {
        self.free() > 0
    }

    /// A connection's turn begins.
    pub fn begin_turn(&mut self) {
        self.effort = 0;
    }

    /// How much effort the current turn has spent.
    pub fn effort(&self) -> usize {
        self.effort
    }

    /// True when the current turn should end.
    pub fn is_exhausted(&self) -> bool {
        self.effort >= TURN_INFLATE_EFFORT
    }

    fn spend(&mut self, consumed: usize, produced: usize, window: WindowBits) {
        let weight = if window == WindowBits::MAX { 32 } else { 256 };
        self.effort += weight * consumed + 2 * produced;
    }

    fn lend(&mut self, window: WindowBits, takeover: bool) -> Box<Work> {
        let lease = (!takeover).then(|| Lease::new(&self.lent));
        match self.spares.pop() {
            Some(mut work) => {
                work.inflater.reset(window);
                work.inflated = 0;
                work.lease = lease;
                work
            }
            None => Box::new(Work { inflater: Inflater::new(window), inflated: 0, lease }),
        }
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
