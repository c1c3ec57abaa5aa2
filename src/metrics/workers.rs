//! What several workers have counted, together.

use std::fmt::Write;
use std::rc::Rc;

use super::{Metrics, Purpose, TABLE, describe, render};

/// Appends which worker it is that tells all else.
pub fn describe_worker(number: u32, out: &mut String) {
    describe(out, "worker", "gauge", "1, with the id of the worker that answers.");
    let _ = writeln!(out, "wsecho_worker{{id=\"{number}\"}} 1");
}

/// The sum over all workers. Of one that does not answer it has what was last heard, and of one
/// that has ended what that had counted: counters never go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Workers that there should be.
    pub workers: u64,
    /// Those that have answered.
    pub answered: u64,
    /// How often one was restarted.
    pub restarts: u64,
    /// [`Metrics::values`], added up, but for what all workers have in common.
    pub values: Vec<u64>,
}

impl Sum {
    /// Of so many workers, without any counts.
    pub fn new(workers: u64) -> Self {
        let values = vec![0; Metrics::default().values().len()];
        Self { workers, answered: 0, restarts: 0, values }
    }

    /// Adds what the workers say now. One that says nothing is not there.
    pub fn add(&mut self, workers: &[Vec<u64>]) {
        for (at, sum) in self.values.iter_mut().enumerate() {
            let values = workers.iter().filter_map(|values| values.get(at).copied());
            *sum = match TABLE.get(at) {
                // Of what all share: the least and the most that one says.
                Some(("bus_connected", ..)) => values.min().unwrap_or(0),
                Some(("bus_processes", ..)) => values.max().unwrap_or(0),
                _ => values.fold(*sum, u64::saturating_add),
            };
        }
    }

    /// Adds what a worker has counted that has ended: what there is now of it is nothing.
    pub fn add_ended(&mut self, values: &[u64]) {
        for (at, (sum, value)) in self.values.iter_mut().zip(values).enumerate() {
            if is_counter(at) {
                *sum = sum.saturating_add(*value);
            }
        }
    }

    /// All of it as numbers.
    pub fn numbers(&self) -> Vec<u64> {
        let first = [self.workers, self.answered, self.restarts];
        first.into_iter().chain(self.values.iter().copied()).collect()
    }

    /// The sum that these numbers are of; `None` if they are of none.
    pub fn of_numbers(numbers: &[u64]) -> Option<Self> {
        let [workers, answered, restarts, values @ ..] = numbers else { return None };
        let (workers, answered, restarts) = (*workers, *answered, *restarts);
        Some(Self { workers, answered, restarts, values: values.to_vec() })
    }

    /// The text of the sum that these numbers are of.
    #[inline(never)]
    pub fn rendered(numbers: &[u64]) -> Option<Rc<str>> {
        let mut text = String::new();
        Self::of_numbers(numbers)?.render(&mut text);
        Some(text.into())
    }

    /// Appends everything in the Prometheus text format.
    pub fn render(&self, out: &mut String) {
        render(&self.values, out);
        let rows = [
            ("workers", "gauge", "Workers that there should be.", self.workers),
            ("workers_answered", "gauge", "Workers whose counts are of now.", self.answered),
            ("worker_restarts_total", "counter", "Restarts of workers.", self.restarts),
        ];
        for (name, kind, help, value) in rows {
            describe(out, name, kind, help);
            let _ = writeln!(out, "wsecho_{name} {value}");
        }
    }
}

/// True if the value at this place only grows.
fn is_counter(at: usize) -> bool {
    match TABLE.get(at) {
        Some((_, kind, ..)) => *kind == "counter",
        None => at >= TABLE.len() + Purpose::ALL.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stay_and_gauges_go() {
        let mut metrics = Metrics { opens: 5, connections_open: 3, ..Metrics::default() };
        metrics.open_for[0] = 2;
        metrics.endings[1] = 7;
        metrics.count_answer("404");
        let mut sum = Sum::new(2);
        sum.add(&[metrics.values(), Vec::new()]);
        sum.add_ended(&metrics.values());
        sum.add_ended(&[]);
        let mut text = String::new();
        sum.render(&mut text);
        for line in [
            "wsecho_opens_total 10",
            "wsecho_connections_open 3",
            "wsecho_open{purpose=\"echo\"} 2",
            "wsecho_http_answers_total{status=\"404\"} 2",
            "wsecho_workers 2",
            "wsecho_workers_answered 0",
            "wsecho_worker_restarts_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.contains("\"} 14\n"), "both endings");
        assert_eq!(Sum::of_numbers(&sum.numbers()), Some(sum));
        assert_eq!(Sum::of_numbers(&[1, 2]), None);
    }

    /// Whoever alerts on the bus wants to know of one worker that is cut off.
    #[test]
    fn a_bus_is_not_added_up() {
        let of = |bus_connected, bus_processes, bus_losses| {
            Metrics { bus_connected, bus_processes, bus_losses, ..Metrics::default() }.values()
        };
        let told = |workers: &[Vec<u64>]| {
            let mut sum = Sum::new(3);
            sum.add_ended(&of(1, 9, 1));
            sum.add(workers);
            let mut text = String::new();
            sum.render(&mut text);
            ["bus_connected", "bus_processes", "bus_losses_total"].map(|name| {
                let values = text.lines().filter_map(|line| {
                    line.strip_prefix("wsecho_")?.strip_prefix(name)?.strip_prefix(' ')
                });
                values.collect::<String>()
            })
        };
        assert_eq!(told(&[of(1, 2, 0), of(1, 3, 0), of(1, 2, 1)]), ["1", "3", "2"]);
        assert_eq!(told(&[of(1, 2, 0), of(0, 0, 2), of(1, 2, 0)]), ["0", "2", "3"]);
        assert_eq!(told(&[of(1, 2, 0), Vec::new()]), ["1", "2", "1"], "one is not there");
        assert_eq!(told(&[Vec::new()]), ["0", "0", "1"]);
    }

    /// A sum of one is what that says itself, and says so in the same words.
    #[test]
    fn a_sum_looks_like_its_parts() {
        let metrics = Metrics { frames: 9, ..Metrics::default() };
        let (mut own, mut summed) = (String::new(), String::new());
        metrics.render(&mut own);
        let mut sum = Sum::new(1);
        sum.add(&[metrics.values()]);
        sum.render(&mut summed);
        assert!(summed.starts_with(&own));
        describe_worker(3, &mut own);
        assert!(own.ends_with("wsecho_worker{id=\"3\"} 1\n"));
    }
}
