//! Who has members in a room elsewhere, and has to say so again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use crate::budget::{Budget, Charge};
use crate::limits::SHARER_BYTES;
use crate::service::processes::{Letter, ProcessId, Word, round};

/// The processes that have told of members in a room.
#[derive(Debug, Default)]
pub(super) struct Sharers(BTreeMap<ProcessId, Box<Sharer>>);

#[derive(Debug)]
struct Sharer {
    /// In which round it has told all of them, or has come.
    round: u64,
    /// By when it has to answer the hello of this process.
    answers_until: Option<Duration>,
    #[expect(dead_code, reason = "kept to be dropped")]
    charge: Charge,
}

impl Sharers {
    /// Notes what a message says of its sender. False if it says nothing that anybody here has to
    /// know, or there is no memory for the first members of a process, who are not shown then.
    pub fn follow(&mut self, letter: &Letter<'_>, budget: &Budget) -> bool {
        let round = round(letter.number);
        let (last, nobody) = match &letter.word {
            Word::Roster { first: true, last: true, cards } if cards.is_empty() => {
                return self.remove(letter.from);
            }
            Word::Roster { last, cards, .. } => (*last, cards.is_empty()),
            Word::Here(..) => (false, false),
            _ => return true,
        };
        match self.0.entry(letter.from) {
            Entry::Vacant(_) if nobody => return false,
            Entry::Vacant(place) => {
                let Some(charge) = budget.try_guest(SHARER_BYTES) else { return false };
                place.insert(Box::new(Sharer { round, answers_until: None, charge }));
            }
            Entry::Occupied(sharer) if last => {
                let sharer = sharer.into_mut();
                (sharer.round, sharer.answers_until) = (round, None);
            }
            Entry::Occupied(_) => {}
        }
        true
    }

    /// All have been asked who their members are. False if there is nobody.
    pub fn expect_answers(&mut self, until: Duration) -> bool {
        self.0.values_mut().for_each(|sharer| sharer.answers_until = Some(until));
        !self.0.is_empty()
    }

    /// It has nobody here any more. False if it had nobody before.
    pub fn remove(&mut self, id: ProcessId) -> bool {
        self.0.remove(&id).is_some()
    }

    /// Removes and returns those who have not told their members in time. `begun` says in which
    /// round a process is, and by when it has to have told them.
    pub fn take_silent(
        &mut self,
        now: Duration,
        begun: impl Fn(ProcessId) -> Option<(u64, Duration)>,
    ) -> Vec<ProcessId> {
        let mut silent = Vec::new();
        self.0.retain(|id, sharer| {
            let begun = begun(*id).filter(|(round, _)| sharer.round < *round);
            let until = sharer.answers_until.max(begun.map(|(_, until)| until));
            let late = until.is_some_and(|until| until <= now);
            if late {
                silent.push(*id);
            }
            !late
        });
        silent
    }
}
