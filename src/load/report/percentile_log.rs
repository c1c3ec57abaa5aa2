//! The percentile log of HdrHistogram, which its plotters read: milliseconds by percentile.

use std::fmt::Write;

use super::Report;
use super::latency::{BUCKETS, SUB_BUCKETS};

impl Report {
    /// The distribution of latencies in the percentile log format.
    pub fn percentile_log(&self) -> String {
        let latency = &self.figures.latency_us;
        let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
        // Writing to a `String` cannot fail, hence the results that are let go here.
        for point in &latency.distribution {
            let (ms, quantile, count) = (point.us / 1e3, point.quantile, point.count);
            let _ = write!(text, "{ms:12.3} {quantile:2.12} {count:10}");
            let _ = match quantile < 1.0 {
                true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
                // All have been seen, and nothing is left to take the reciprocal of.
                false => writeln!(text),
            };
        }
        let (mean, stddev) = (latency.mean / 1e3, latency.stddev / 1e3);
        let (max, count) = (latency.max / 1e3, latency.count);
        let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {stddev:12.3}]");
        let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {count:12}]");
        let _ = writeln!(text, "#[Buckets = {BUCKETS:12}, SubBuckets     = {SUB_BUCKETS:12}]");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Latency, Point};
    use super::*;

    #[test]
    fn the_form_is_that_of_hdr_histogram() {
        let distribution = vec![
            Point { quantile: 0.0, us: 12.0, count: 1 },
            Point { quantile: 0.5, us: 1_100.0, count: 2 },
            Point { quantile: 1.0, us: 20_000.0, count: 4 },
        ];
        let mut report = Report::default();
        report.figures.latency_us = Latency {
            count: 4,
            mean: 5_303.0,
            stddev: 8_500.1,
            max: 20_000.0,
            distribution,
            ..Latency::default()
        };
        assert_eq!(
            report.percentile_log(),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n\
             \n\
             \x20      0.012 0.000000000000          1           1.00\n\
             \x20      1.100 0.500000000000          2           2.00\n\
             \x20     20.000 1.000000000000          4\n\
             #[Mean    =        5.303, StdDeviation   =        8.500]\n\
             #[Max     =       20.000, Total count    =            4]\n\
             #[Buckets =           32, SubBuckets     =         2048]\n"
        );
    }
}
