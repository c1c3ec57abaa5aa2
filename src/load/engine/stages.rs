//! The stages of a phase, and what is told of each second.

use std::time::Duration;

use super::super::pace::Pace;
use super::super::state::State;
use super::{Engine, Stage, Watch};
use crate::net::dial::Dial;

impl<D: Dial> Engine<D> {
    /// When something has to be done even if nothing comes.
    pub(super) fn deadline(&self, now: Duration) -> Duration {
        let stage = match self.stage {
            Stage::Warming(until) | Stage::Measuring(until) | Stage::Draining(until) => Some(until),
            Stage::Opening | Stage::Over => None,
        };
        // A look ten times a second is enough, but at the end.
        let patience = if matches!(self.stage, Stage::Draining(_)) { 2 } else { 100 };
        let due = self.pace.as_ref().filter(|_| self.sending).map(Pace::next);
        let thought = self.thinking.front().map(|(at, ..)| *at);
        let row = self.tally.row_ends();
        let moments = [stage, due, thought, row, self.opening.next(), self.opening.retry_at()];
        let earliest = moments.into_iter().flatten().min();
        let patient = now + Duration::from_millis(patience);
        earliest.map_or(patient, |moment| moment.clamp(now, patient))
    }

    /// Goes to the next stage when it is time.
    pub(super) fn advance(&mut self, now: Duration) {
        match self.stage {
            Stage::Opening if self.interrupted => self.stage = Stage::Over,
            Stage::Opening if self.all_are_open(now) => {
                if self.clients.iter().all(Option::is_none) {
                    self.stage = Stage::Over;
                    return;
                }
                if !self.sending {
                    self.begin_traffic(now);
                }
                self.gauges.connected();
                self.stage = Stage::Warming(now + self.plan.warmup);
                self.advance(now);
            }
            Stage::Warming(_) if self.interrupted => self.drain(now),
            Stage::Warming(until) if now >= until => {
                self.tally.begin(now, self.plan.duration);
                self.desk.pings = 0;
                self.gauges.measure();
                self.stage = Stage::Measuring(now + self.plan.duration);
            }
            Stage::Measuring(until) if now >= until || self.interrupted || self.is_forsaken() => {
                // What became due since the last look belongs to the measurement.
                self.send_due(now.min(until));
                self.tally.cut(now);
                self.drain(now);
            }
            Stage::Draining(until) if now >= until || self.is_at_rest() => {
                self.stage = Stage::Over;
            }
            _ => {}
        }
    }

    /// Rows, once a second.
    pub(super) fn tick(&mut self, watch: &mut dyn Watch) {
        let now = self.net.now();
        self.tally.counts.errors = self.desk.errors.total();
        if self.tally.row_ends().is_some_and(|ends| now >= ends) || self.row_is_the_last() {
            let busy = self.gauges.busy(self.tally.row_length(now));
            let utc = self.keeps_intervals.then(|| self.net.utc());
            if let Some(row) = self.tally.end_row(now, utc, busy) {
                watch.second(row, &self.desk.errors);
            }
        } else if self.tally.row_ends().is_none() && now >= self.told_at + Duration::from_secs(1) {
            self.told_at = now;
            watch.opening(self.tally.open, self.plan.connections);
        }
    }

    /// What came after the last whole second gets a row of its own.
    fn row_is_the_last(&self) -> bool {
        let length = self.tally.row_length(self.net.now());
        self.stage == Stage::Over
            && self.tally.row_ends().is_some()
            && (self.tally.row_has_messages() || length > Duration::from_millis(100))
    }

    /// From now on messages are sent.
    pub(super) fn begin_traffic(&mut self, now: Duration) {
        self.sending = true;
        // In a room nothing is said before all have come.
        let ramp = if self.room.is_some() { Duration::ZERO } else { self.plan.ramp };
        self.pace = self.plan.rate.map(|rate| Pace::new(rate, now, ramp));
        for at in 0..self.clients.len() {
            if self.clients[at].as_ref().is_some_and(|client| client.state() == State::Open) {
                self.start(at, now);
            }
        }
    }
}
