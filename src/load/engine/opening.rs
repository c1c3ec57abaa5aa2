//! How far the opening of connections has come, and when the next may begin.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::client::Client;
use super::super::pace::Allowance;
use super::super::plan::Plan;

/// Connections that are being opened at a time, so that a server's backlog does not overflow.
const OPENING_MAX: usize = 128;

/// How far the opening of connections has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening {
    allowance: Allowance,
    /// The same for those that come again: a ramp is over then.
    again: Allowance,
    start: Duration,
    /// The earliest time for traffic.
    pub(super) ramp_ends: Duration,
    /// Connections that were there.
    pub(super) kept: usize,
    /// Connections that have been begun, those kept included.
    pub(super) begun: usize,
    /// Those that are over and come again (churn), in the order of their ends.
    pub(super) vacant: VecDeque<usize>,
    /// How often that was so.
    begun_again: usize,
    /// Of all.
    pub(super) of: usize,
    /// Those under way.
    pub(super) underway: usize,
    /// Those of them for which the server's backlog was full, with the time of their first try.
    pub(super) waiting: Vec<(usize, Duration)>,
    /// When those try again.
    pub(super) retry_at: Duration,
}

impl Opening {
    /// Where a phase has lost one of its `clients`, the next opens another.
    pub(super) fn new<S>(plan: &Plan, clients: &[Option<Client<S>>], now: Duration) -> Self {
        let kept = clients.iter().position(Option::is_none).unwrap_or(clients.len());
        Self {
            allowance: plan.connecting(),
            again: plan.connect_rate.map_or(Allowance::All, Allowance::PerSecond),
            start: now,
            ramp_ends: now + plan.ramp,
            kept,
            begun: kept,
            of: plan.connections,
            retry_at: now,
            ..Self::default()
        }
    }

    /// When the next connection may begin.
    pub(super) fn next(&self) -> Option<Duration> {
        let allowance = match () {
            () if self.underway >= OPENING_MAX => return None,
            () if self.begun < self.of => self.allowance,
            () if !self.vacant.is_empty() => self.again,
            () => return None,
        };
        Some(self.start + allowance.next(self.begun - self.kept + self.begun_again))
    }

    /// The number of the next connection: of one that never was, or comes again.
    pub(super) fn take_next(&mut self) -> Option<usize> {
        if self.begun < self.of {
            self.begun += 1;
            return Some(self.begun - 1);
        }
        self.begun_again += 1;
        self.vacant.pop_front()
    }

    /// Somebody is still to come.
    pub(super) fn expects_more(&self) -> bool {
        !self.waiting.is_empty() || !self.vacant.is_empty()
    }

    /// Nobody tries again.
    pub(super) fn give_up(&mut self) {
        self.underway -= self.waiting.len();
        self.waiting.clear();
        self.vacant.clear();
    }

    /// When those try again for which the server's backlog was full.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(self.retry_at)
    }
}
