//! Readable connections that are not read because something their bytes need is used up.

use std::collections::VecDeque;

use crate::conn::{Context, Shortage};
use crate::id::ConnId;
use crate::metrics::Metrics;

/// Connections let go in one turn, so that they do not all find the same shortage again.
const WAKES_MAX: usize = 64;

/// One queue for each [`Shortage`], first come first served.
#[derive(Debug, Default)]
pub(super) struct Starved {
    buffers: VecDeque<ConnId>,
    inflaters: VecDeque<ConnId>,
}

impl Starved {
    /// Puts a connection to the end of its queue.
    pub(super) fn wait(&mut self, id: ConnId, shortage: Shortage, metrics: &mut Metrics) {
        match shortage {
            Shortage::Buffers => {
                metrics.budget_waits += 1;
                self.buffers.push_back(id);
            }
            Shortage::Inflaters => {
                metrics.inflater_waits += 1;
                self.inflaters.push_back(id);
            }
        }
    }

    /// True when nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.inflaters.is_empty()
    }

    /// Those that may find what they need now.
    pub(super) fn fed(&mut self, cx: &Context) -> impl Iterator<Item = ConnId> {
        let room = if cx.store.has_room() { WAKES_MAX } else { 0 };
        let free = cx.inflaters.free().min(WAKES_MAX);
        let buffers = self.buffers.drain(..room.min(self.buffers.len()));
        buffers.chain(self.inflaters.drain(..free.min(self.inflaters.len())))
    }

    /// Forgets a connection that has ended.
    pub(super) fn forget(&mut self, id: ConnId) {
        self.buffers.retain(|other| *other != id);
        self.inflaters.retain(|other| *other != id);
    }

    /// How often `id` waits; for checks.
    pub(super) fn count(&self, id: ConnId) -> usize {
        self.buffers.iter().chain(&self.inflaters).filter(|other| **other == id).count()
    }
}
