//! Latencies: recorded in nanoseconds with three significant digits, kept as percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::interval_log;

/// Highest latency that is told from a higher one: an hour.
const NANOS_MAX: u64 = 3_600_000_000_000;

/// Significant digits of a recorded value.
const DIGITS: u8 = 3;

/// What the histogram is made of with these bounds: 2048 steps, and as many again for each doubling
/// beyond them. The percentile log quotes it.
pub(super) const SUB_BUCKETS: u32 = 2048;
pub(super) const BUCKETS: u8 = 32;

/// Points of a distribution for each halving of what is left above: what the log format of
/// HdrHistogram takes too.
const POINTS_PER_HALF: u32 = 5;

/// A histogram of latencies. 240 KiB, whatever is recorded.
#[derive(Clone, Debug)]
pub struct Recorder {
    histogram: Histogram<u64>,
    /// The longest, which the histogram only knows to its three digits.
    nanos_max: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// An empty histogram.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, NANOS_MAX, DIGITS);
        Self { histogram: histogram.expect("the bounds are in order"), nanos_max: 0 }
    }

    /// Records one latency. What is longer than an hour counts as an hour.
    #[inline]
    pub fn record(&mut self, latency: Duration) {
        self.record_many(latency, 1);
    }

    /// Records `count` equal latencies.
    #[inline]
    pub fn record_many(&mut self, latency: Duration, count: u64) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(NANOS_MAX).min(NANOS_MAX);
        self.nanos_max = self.nanos_max.max(nanos);
        self.histogram.saturating_record_n(nanos, count);
    }

    /// All of it, as it stands in the interval log.
    pub fn encoded(&self) -> String {
        interval_log::encode(&self.histogram)
    }

    /// The longest, in nanoseconds.
    pub fn nanos_max(&self) -> u64 {
        self.nanos_max
    }

    /// Adds what another has recorded.
    pub fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("both have the same bounds");
        self.nanos_max = self.nanos_max.max(other.nanos_max);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.nanos_max = 0;
    }

    /// How many have been recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Microseconds at a quantile, from 0 to 1; 0 if nothing has been recorded.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        // The upper end of the histogram's slot may lie beyond the longest that was recorded.
        micros(self.histogram.value_at_quantile(quantile).min(self.nanos_max))
    }

    /// What is kept of it.
    pub fn latency(&self) -> Latency {
        if self.histogram.is_empty() {
            return Latency::default();
        }
        Latency {
            count: self.histogram.len(),
            min: micros(self.histogram.min()),
            mean: tenths(self.histogram.mean() / 1e3),
            stddev: tenths(self.histogram.stdev() / 1e3),
            p50: self.quantile_us(0.5),
            p90: self.quantile_us(0.9),
            p99: self.quantile_us(0.99),
            p999: self.quantile_us(0.999),
            p9999: self.quantile_us(0.9999),
            max: micros(self.nanos_max),
            distribution: self.distribution(),
        }
    }

    fn distribution(&self) -> Vec<Point> {
        let mut points = Vec::new();
        let mut count = 0;
        for step in self.histogram.iter_quantiles(POINTS_PER_HALF) {
            count += step.count_since_last_iteration();
            let us = micros(step.value_iterated_to().min(self.nanos_max));
            points.push(Point { quantile: step.quantile_iterated_to(), us, count });
        }
        points
    }
}

/// Latencies in microseconds, to a tenth.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many were measured. If there were none, all others are 0.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The standard deviation.
    pub stddev: f64,
    /// The median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// 99.99th percentile.
    pub p9999: f64,
    /// The longest.
    pub max: f64,
    /// The whole distribution, ascending.
    pub distribution: Vec<Point>,
}

/// One point of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// From 0 to 1.
    pub quantile: f64,
    /// The latency at it, in microseconds.
    pub us: f64,
    /// How many took so long or less.
    pub count: u64,
}

fn micros(nanos: u64) -> f64 {
    tenths(nanos as f64 / 1e3)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three significant digits.
    fn near(measured: f64, expected: f64) -> bool {
        (measured - expected).abs() <= expected * 0.001 + 0.1
    }

    #[test]
    fn percentiles_of_a_thousand() {
        let mut recorder = Recorder::new();
        for us in 1..=1000 {
            recorder.record(Duration::from_micros(us));
        }
        let latency = recorder.latency();
        assert_eq!((latency.count, latency.min, latency.max), (1000, 1.0, 1000.0));
        for (found, expected) in [
            (latency.p50, 500.0),
            (latency.p90, 900.0),
            (latency.p99, 990.0),
            (latency.p999, 999.0),
            (latency.p9999, 1000.0),
            (latency.mean, 500.5),
            (latency.stddev, 288.7),
        ] {
            assert!(near(found, expected), "{found} is not {expected}");
        }
    }

    #[test]
    fn the_distribution_ends_with_all_of_them() {
        let mut recorder = Recorder::new();
        recorder.record_many(Duration::from_micros(10), 9_999);
        recorder.record(Duration::from_millis(20));
        let points = recorder.latency().distribution;
        assert_eq!(points.last(), Some(&Point { quantile: 1.0, us: 20_000.0, count: 10_000 }));
        assert_eq!(points.first().map(|point| point.us), Some(10.0));
        for pair in points.windows(2) {
            assert!(pair[0].quantile <= pair[1].quantile && pair[0].us <= pair[1].us, "{pair:?}");
            assert!(pair[0].count <= pair[1].count, "{pair:?}");
        }
    }

    #[test]
    fn the_buckets_are_those_of_the_histogram() {
        assert_eq!(Recorder::new().histogram.buckets(), BUCKETS);
        assert_eq!(Recorder::new().histogram.distinct_values() / 1024, usize::from(BUCKETS) + 1);
    }

    #[test]
    fn nothing_recorded_is_all_zero() {
        let mut recorder = Recorder::new();
        assert_eq!(recorder.latency(), Latency::default());
        recorder.record(Duration::from_secs(1));
        recorder.clear();
        assert_eq!(recorder.latency(), Latency::default());
    }

    #[test]
    fn an_hour_is_the_longest() {
        let mut recorder = Recorder::new();
        recorder.record(Duration::MAX);
        assert!(near(recorder.latency().max, 3.6e9), "{}", recorder.latency().max);
    }

    #[test]
    fn two_are_as_good_as_one() {
        let (mut a, mut b, mut both) = (Recorder::new(), Recorder::new(), Recorder::new());
        for us in 1..200 {
            let half = if us % 3 == 0 { &mut a } else { &mut b };
            half.record(Duration::from_micros(us));
            both.record(Duration::from_micros(us));
        }
        a.add(&b);
        assert_eq!(a.latency(), both.latency());
    }
}
