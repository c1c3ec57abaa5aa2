//! Which names members at other processes have. Several may claim one for a while.

use std::collections::BTreeSet;

use super::names::{Name, Skeleton};
use crate::service::processes::{MemberId, ProcessId};

/// The claims of a room's guests: those to one name together, the oldest first, so that however
/// many claim it, nobody is looked for. Boxed, because a tree has places for eleven.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeSet<Box<(Skeleton, u64, MemberId)>>);

impl Claims {
    /// Who has this name. The oldest claim counts, as it does for their processes: the others are
    /// about to lose it.
    pub fn holder(&self, name: &Name) -> Option<MemberId> {
        let first = MemberId { process: ProcessId(0), number: 0 };
        let first = Box::new((name.skeleton().clone(), 0, first));
        let claim = self.0.range(first..).next()?;
        (claim.0 == *name.skeleton()).then_some(claim.2)
    }

    /// A guest has this name, if it has one, since this time.
    pub fn insert(&mut self, name: Option<&Name>, since: u64, id: MemberId) {
        self.0.extend(name.map(|name| Box::new((name.skeleton().clone(), since, id))));
    }

    /// It has it no longer.
    pub fn remove(&mut self, name: Option<&Name>, since: u64, id: MemberId) {
        if let Some(name) = name {
            self.0.remove(&(name.skeleton().clone(), since, id));
        }
    }
}
