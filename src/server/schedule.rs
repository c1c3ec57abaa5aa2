//! Who runs next: one queue of connections that have something to do, and one for each thing that
//! a connection may have to wait for. All are first come, first served, and nobody overtakes.

use std::collections::VecDeque;

use super::registry::Registry;
use crate::conn::{Context, Need};
use crate::id::ConnId;
use crate::limits::{QUANTUM_BYTES_MAX, QUANTUM_BYTES_MIN, READ_BYTES_MIN, TURN_BYTES};

/// Connections called in one turn, so that they do not all find the same shortage again.
const CALLS_MAX: usize = 64;

/// Where a connection stands.
///
/// ```text
/// Parked       --something happened-->  Ready         --its turn-->  Parked, or Ready again
/// Parked       --needs something-->     Waiting       --called-->    Called  --its turn-->  Parked
/// Waiting      --something happened-->  WaitingReady  --its turn-->  Waiting
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// In no queue.
    #[default]
    Parked,
    /// In the queue of those that have something to do.
    Ready,
    /// In the queue for what it needs, with the number of its place there.
    Waiting(Need, u32),
    /// In both.
    WaitingReady(Need, u32),
    /// Ready, and what it has waited for is set aside for it.
    Called(Need),
}

impl Standing {
    /// What it stands in line for.
    pub(super) fn waits_for(self) -> Option<Need> {
        match self {
            Self::Waiting(need, _) | Self::WaitingReady(need, _) => Some(need),
            Self::Parked | Self::Ready | Self::Called(_) => None,
        }
    }

    /// The number of its place in line.
    fn ticket(self) -> Option<u32> {
        match self {
            Self::Waiting(_, ticket) | Self::WaitingReady(_, ticket) => Some(ticket),
            Self::Parked | Self::Ready | Self::Called(_) => None,
        }
    }

    /// True if it is in the queue of those that have something to do.
    pub(super) fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::WaitingReady(..) | Self::Called(_))
    }
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    ready: VecDeque<ConnId>,
    lines: [Line; 2],
    tickets: u32,
}

/// Places of a line that may be left over, beside as many as are taken.
const PLACES_LEFT_MAX: usize = 64;

/// Those that wait for one thing. A connection that has left the line is passed over when its place
/// comes up: nothing has to be searched for.
#[derive(Debug, Default)]
struct Line {
    places: VecDeque<(ConnId, u32)>,
    /// How many of the places are taken still.
    waiting: usize,
    /// Called, and not had their turn yet.
    called: usize,
    /// Called in vain since the last call: they stand at the head, in their old order.
    returned: usize,
}

impl Schedule {
    /// Something has happened to a connection.
    #[inline]
    pub(super) fn wake(&mut self, id: ConnId, standing: &mut Standing) {
        *standing = match *standing {
            Standing::Parked => Standing::Ready,
            Standing::Waiting(need, ticket) => Standing::WaitingReady(need, ticket),
            Standing::Ready | Standing::WaitingReady(..) | Standing::Called(_) => return,
        };
        self.ready.push_back(id);
    }

    /// How many have something to do.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Bytes that each may read in its turn: the more are ready, the less.
    pub(super) fn quantum(&self) -> usize {
        if self.ready.len() <= TURN_BYTES / QUANTUM_BYTES_MAX {
            return QUANTUM_BYTES_MAX;
        }
        (TURN_BYTES / self.ready.len()).max(QUANTUM_BYTES_MIN)
    }

    /// The next one that has something to do.
    #[inline]
    pub(super) fn next(&mut self) -> Option<ConnId> {
        self.ready.pop_front()
    }

    /// The turn of a connection begins; what it was called for, if it was.
    #[inline]
    pub(super) fn begin(&mut self, standing: &mut Standing) -> Option<Need> {
        let (next, called) = match *standing {
            Standing::Ready | Standing::Parked => (Standing::Parked, None),
            Standing::Called(need) => (Standing::Parked, Some(need)),
            Standing::WaitingReady(need, ticket) | Standing::Waiting(need, ticket) => {
                (Standing::Waiting(need, ticket), None)
            }
        };
        *standing = next;
        if let Some(need) = called {
            self.line(need).called -= 1;
        }
        called
    }

    /// A connection goes to the end of the line, or back to its place at the head if it has been
    /// `called` in vain.
    pub(super) fn wait(&mut self, id: ConnId, standing: &mut Standing, need: Need, called: bool) {
        assert_eq!(*standing, Standing::Parked, "who waits has nothing else to do");
        self.tickets = self.tickets.wrapping_add(1);
        let ticket = self.tickets;
        *standing = Standing::Waiting(need, ticket);
        let line = self.line(need);
        line.waiting += 1;
        if called {
            line.places.insert(line.returned, (id, ticket));
            line.returned += 1;
        } else {
            line.places.push_back((id, ticket));
        }
    }

    /// A connection no longer needs what it stands in line for, or has ended.
    pub(super) fn leave(&mut self, standing: &mut Standing) {
        let next = match *standing {
            Standing::Waiting(need, _) => {
                self.line(need).waiting -= 1;
                Standing::Parked
            }
            Standing::WaitingReady(need, _) => {
                self.line(need).waiting -= 1;
                Standing::Ready
            }
            Standing::Called(need) => {
                self.line(need).called -= 1;
                Standing::Ready
            }
            Standing::Parked | Standing::Ready => return,
        };
        *standing = next;
    }

    /// How many come first when there is something to be had: those in line, and those that were
    /// called and have not had their turn.
    #[inline]
    pub(super) fn waiting(&self, need: Need) -> usize {
        let line = &self.lines[need as usize];
        line.waiting + line.called
    }

    /// Calls those for whom there is something now.
    pub(super) fn call<S>(&mut self, registry: &mut Registry<S>, cx: &Context) {
        self.forget_those_who_left(registry);
        let room = (cx.budget.free() / READ_BYTES_MIN).min(CALLS_MAX);
        self.call_line(Need::Room, room, registry);
        self.call_line(Need::Inflater, cx.inflaters.free().min(CALLS_MAX), registry);
    }

    /// Drops the places of those who have left, once they are most of a line.
    fn forget_those_who_left<S>(&mut self, registry: &mut Registry<S>) {
        for line in &mut self.lines {
            if line.places.len() > 2 * line.waiting + PLACES_LEFT_MAX {
                line.places.retain(|(id, ticket)| {
                    let standing = registry.get(*id).map(|entry| entry.standing);
                    standing.and_then(Standing::ticket) == Some(*ticket)
                });
            }
        }
    }

    fn call_line<S>(&mut self, need: Need, most: usize, registry: &mut Registry<S>) {
        self.line(need).returned = 0;
        while self.line(need).called < most {
            let Some((id, ticket)) = self.line(need).places.pop_front() else { return };
            let Some(entry) = registry.get(id) else { continue };
            match entry.standing {
                Standing::Waiting(_, place) if place == ticket => self.ready.push_back(id),
                Standing::WaitingReady(_, place) if place == ticket => {}
                _ => continue,
            }
            entry.standing = Standing::Called(need);
            let line = self.line(need);
            line.waiting -= 1;
            line.called += 1;
        }
    }

    fn line(&mut self, need: Need) -> &mut Line {
        &mut self.lines[need as usize]
    }

    /// Panics if `standing` is not what the queues say of a connection; for checks.
    pub(super) fn check(&self, id: ConnId, standing: Standing) {
        let ready = self.ready.iter().filter(|other| **other == id).count();
        assert_eq!(ready, usize::from(standing.is_ready()), "ready once");
        for need in [Need::Room, Need::Inflater] {
            let taken = |(other, place): &&(ConnId, u32)| {
                *other == id
                    && [Standing::Waiting(need, *place), Standing::WaitingReady(need, *place)]
                        .contains(&standing)
            };
            let places = self.lines[need as usize].places.iter().filter(taken).count();
            assert_eq!(places, usize::from(standing.waits_for() == Some(need)), "in line once");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Connection;
    use crate::limits::Config;
    use crate::peer::tests::somebody;

    fn registry(count: usize) -> (Registry<()>, Vec<ConnId>) {
        let mut registry = Registry::new();
        let peer = somebody();
        let ids =
            (0..count).map(|_| registry.insert((), |id| Connection::new(id, peer, None))).collect();
        (registry, ids)
    }

    fn standing(registry: &mut Registry<()>, id: ConnId) -> &mut Standing {
        &mut registry.get(id).expect("it is there").standing
    }

    #[test]
    fn a_line_is_served_in_order_and_nobody_is_forgotten() {
        let (mut registry, ids) = registry(4);
        let mut schedule = Schedule::default();
        for id in &ids {
            schedule.wait(*id, standing(&mut registry, *id), Need::Room, false);
        }
        // One leaves, one has something else to do, and stays in line.
        schedule.leave(standing(&mut registry, ids[0]));
        schedule.wake(ids[2], standing(&mut registry, ids[2]));
        assert_eq!((schedule.waiting(Need::Room), schedule.ready()), (3, 1));
        let cx = Context::new(Config { buffer_budget: 2 * READ_BYTES_MIN, ..Config::default() });
        schedule.call(&mut registry, &cx);
        assert_eq!(*standing(&mut registry, ids[1]), Standing::Called(Need::Room));
        assert_eq!(*standing(&mut registry, ids[2]), Standing::Called(Need::Room));
        assert_eq!(schedule.waiting(Need::Room), 3, "there was room for two");
        for id in &ids {
            schedule.check(*id, *standing(&mut registry, *id));
        }
        assert_eq!([schedule.next(), schedule.next()], [Some(ids[2]), Some(ids[1])]);
        assert_eq!(schedule.begin(standing(&mut registry, ids[1])), Some(Need::Room));
        schedule.wait(ids[1], standing(&mut registry, ids[1]), Need::Room, true);
        assert_eq!(schedule.begin(standing(&mut registry, ids[2])), Some(Need::Room));
        schedule.call(&mut registry, &cx);
        assert_eq!([schedule.next(), schedule.next()], [Some(ids[1]), Some(ids[3])]);
        assert_eq!(schedule.next(), None);
    }

    /// However somebody leaves, the others are the next; and who comes again comes behind them.
    #[test]
    fn who_has_left_is_not_waited_for() {
        let (mut registry, ids) = registry(4);
        let mut schedule = Schedule::default();
        for id in &ids {
            schedule.wait(*id, standing(&mut registry, *id), Need::Room, false);
        }
        let cx = Context::new(Config { buffer_budget: READ_BYTES_MIN, ..Config::default() });
        schedule.call(&mut registry, &cx);
        schedule.wake(ids[1], standing(&mut registry, ids[1]));
        for (left, id) in ids[..3].iter().enumerate() {
            assert_eq!(schedule.waiting(Need::Room), 4 - left);
            schedule.leave(standing(&mut registry, *id));
        }
        assert_eq!(schedule.waiting(Need::Room), 1);
        schedule.wait(ids[2], standing(&mut registry, ids[2]), Need::Room, false);
        schedule.call(&mut registry, &cx);
        assert_eq!([schedule.next(), schedule.next()], [Some(ids[0]), Some(ids[1])]);
        assert_eq!([schedule.next(), schedule.next()], [Some(ids[3]), None], "once more behind it");
    }

    /// All that some were called for may be taken by the first of them.
    #[test]
    fn who_is_called_in_vain_keeps_its_place() {
        let (mut registry, ids) = registry(4);
        let mut schedule = Schedule::default();
        for id in &ids {
            schedule.wait(*id, standing(&mut registry, *id), Need::Room, false);
        }
        let room = |count| {
            let buffer_budget = count * READ_BYTES_MIN;
            Context::new(Config { buffer_budget, ..Config::default() })
        };
        schedule.call(&mut registry, &room(3));
        for id in &ids[..3] {
            assert_eq!(schedule.next(), Some(*id));
            assert_eq!(schedule.begin(standing(&mut registry, *id)), Some(Need::Room));
            schedule.wait(*id, standing(&mut registry, *id), Need::Room, true);
        }
        schedule.call(&mut registry, &room(4));
        assert!(ids.iter().all(|id| schedule.next() == Some(*id)));
    }

    #[test]
    fn who_comes_and_goes_leaves_no_places() {
        let (mut registry, ids) = registry(1);
        let mut schedule = Schedule::default();
        let cx = Context::new(Config { buffer_budget: 0, ..Config::default() });
        for _ in 0..10_000 {
            schedule.wait(ids[0], standing(&mut registry, ids[0]), Need::Room, false);
            schedule.call(&mut registry, &cx);
            assert!(schedule.lines[0].places.len() <= PLACES_LEFT_MAX + 3);
            schedule.check(ids[0], *standing(&mut registry, ids[0]));
            schedule.leave(standing(&mut registry, ids[0]));
        }
    }

    #[test]
    fn the_quantum_shrinks_as_more_are_ready() {
        let (mut registry, ids) = registry(2000);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.quantum(), QUANTUM_BYTES_MAX);
        for id in &ids[..100] {
            schedule.wake(*id, standing(&mut registry, *id));
        }
        assert_eq!(schedule.quantum(), TURN_BYTES / 100);
        for id in &ids {
            schedule.wake(*id, standing(&mut registry, *id));
        }
        assert_eq!(schedule.quantum(), QUANTUM_BYTES_MIN);
    }
}
