//! What workers have counted: asked for when one of them wants to know, and waited for a while.
//!
//! One round at a time serves all who ask meanwhile. A worker that has not answered the last
//! question is not asked another: what it has counted last stands for it.

use std::time::Duration;

use crate::limits::COUNT_TIME_MAX;
use crate::metrics::Sum;

/// What is known of the counts.
#[derive(Debug)]
pub(super) struct Counts {
    /// What each worker has said last.
    last: Vec<Vec<u64>>,
    /// Which of them have been asked and have not answered.
    asked: Vec<bool>,
    /// Which have been started before.
    started: Vec<bool>,
    /// Those that have ended.
    ended: Sum,
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    until: Duration,
    /// Workers that want to know.
    askers: Vec<usize>,
    /// Which have been heard in this round.
    heard: Vec<bool>,
}

impl Counts {
    /// Of so many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            last: vec![Vec::new(); workers],
            asked: vec![false; workers],
            started: vec![false; workers],
            ended: Sum::new(workers as u64),
            round: None,
        }
    }

    /// A worker wants to know. Returns which have to be asked.
    pub fn want(&mut self, asker: usize, now: Duration) -> Vec<usize> {
        if let Some(round) = &mut self.round {
            if !round.askers.contains(&asker) {
                round.askers.push(asker);
            }
            return Vec::new();
        }
        let heard = vec![false; self.last.len()];
        self.round = Some(Round { until: now + COUNT_TIME_MAX, askers: vec![asker], heard });
        let unasked = (0..self.asked.len()).filter(|at| !self.asked[*at]).collect();
        self.asked.fill(true);
        unasked
    }

    /// The question has not reached a worker.
    pub fn pass_over(&mut self, worker: usize) {
        self.asked[worker] = false;
    }

    /// A worker says what it has counted.
    pub fn note(&mut self, worker: usize, values: Vec<u64>) {
        self.last[worker] = values;
        self.asked[worker] = false;
        self.round.iter_mut().for_each(|round| round.heard[worker] = true);
    }

    /// A worker has ended.
    pub fn end(&mut self, worker: usize) {
        self.ended.add_ended(&std::mem::take(&mut self.last[worker]));
        self.asked[worker] = false;
    }

    /// A worker is started, maybe in the place of another one.
    pub fn start(&mut self, worker: usize) {
        let again = std::mem::replace(&mut self.started[worker], true);
        self.ended.restarts += u64::from(again);
    }

    /// Until when is waited.
    pub fn next(&self) -> Option<Duration> {
        self.round.as_ref().map(|round| round.until)
    }

    /// The sum, with the workers that want to know it, when all have answered or the time is up.
    pub fn take(&mut self, now: Duration) -> Option<(Vec<usize>, Sum)> {
        let over = |round: &mut Round| now >= round.until || !self.asked.contains(&true);
        let round = self.round.take_if(over)?;
        let mut sum = self.ended.clone();
        sum.add(&self.last);
        sum.answered = round.heard.iter().filter(|heard| **heard).count() as u64;
        Some((round.askers, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    const START: Duration = Duration::from_secs(100);

    fn values(opens: u64, open: u64) -> Vec<u64> {
        Metrics { opens, connections_open: open, ..Metrics::default() }.values()
    }

    fn opens(sum: &Sum) -> (u64, u64) {
        let at = |opens, open| values(opens, open).iter().position(|value| *value == 1);
        let at = [at(1, 0), at(0, 1)].map(|at| sum.values[at.expect("a row")]);
        (at[0], at[1])
    }

    #[test]
    fn one_round_is_for_all_who_ask() {
        let mut counts = Counts::new(3);
        assert!(counts.take(START).is_none() && counts.next().is_none());
        assert_eq!(counts.want(1, START), [0, 1, 2]);
        assert!(counts.want(2, START).is_empty());
        for worker in 0..3 {
            assert!(counts.take(START).is_none(), "{worker} has not answered");
            counts.note(worker, values(10, 1));
        }
        let (askers, sum) = counts.take(START).expect("all have answered");
        assert_eq!((askers, sum.answered, opens(&sum)), (vec![1, 2], 3, (30, 3)));
        assert!(counts.take(START).is_none() && counts.next().is_none());
    }

    #[test]
    fn whoever_asks_often_is_told_once_and_who_was_not_reached_is_asked_again() {
        let mut counts = Counts::new(2);
        (0..100).for_each(|_| drop(counts.want(0, START)));
        counts.note(0, values(1, 1));
        counts.pass_over(1);
        let (askers, sum) = counts.take(START).expect("nobody else was asked");
        assert_eq!((askers, sum.answered), (vec![0], 1));
        assert_eq!(counts.want(0, START), [0, 1]);
    }

    #[test]
    fn nobody_waits_for_a_stuck_worker_and_it_is_asked_once() {
        let mut counts = Counts::new(2);
        counts.want(0, START);
        counts.note(0, values(1, 1));
        counts.note(1, values(5, 2));
        assert!(counts.take(START).is_some());
        assert_eq!(counts.want(0, START), [0, 1]);
        counts.note(0, values(2, 1));
        let late = START + COUNT_TIME_MAX;
        assert_eq!(counts.next(), Some(late));
        assert!(counts.take(late - Duration::from_millis(1)).is_none());
        let (_, sum) = counts.take(late).expect("the time is up");
        assert_eq!((sum.answered, opens(&sum)), (1, (7, 3)), "what it said before stands for it");
        assert_eq!(counts.want(0, late), [0], "it has not answered the first");
        counts.note(1, values(6, 2));
        counts.note(0, values(2, 1));
        let (_, sum) = counts.take(late).expect("both have answered");
        assert_eq!((sum.answered, opens(&sum)), (2, (8, 3)));
    }

    #[test]
    fn what_the_dead_have_counted_stays() {
        let mut counts = Counts::new(2);
        counts.want(0, START);
        counts.note(0, values(1, 1));
        counts.note(1, values(5, 2));
        counts.take(START).expect("all have answered");
        counts.want(0, START);
        counts.note(0, values(1, 1));
        counts.end(1);
        (0..3).for_each(|at| counts.start(at % 2));
        let (_, sum) = counts.take(START).expect("nobody is left to be waited for");
        assert_eq!((sum.answered, sum.restarts, opens(&sum)), (1, 1, (6, 1)));
        assert_eq!(counts.want(0, START), [0, 1], "the new one has not been asked");
    }
}
