//! Which charts a page has, and what is in them.

use super::super::chart::{Axis, Band, Chart, Ink, Line, Mark};
use super::super::units::{count, time, trimmed};
use super::super::{Report, Second};

/// Points of a line at most: a long run has more seconds than a page has columns.
const POINTS_MAX: usize = 480;

/// Messages a second, over time.
pub(super) fn throughput(report: &Report) -> Chart {
    let mut lines = vec![Line {
        name: "messages".to_owned(),
        ink: Ink::First,
        filled: true,
        points: over_time(report, mean, |s| Some(s.messages_per_second())),
    }];
    if report.seconds.iter().any(|s| s.errors > 0) {
        let points = over_time(report, mean, |s| Some(s.errors as f64 / s.length_s));
        lines.push(Line { name: "errors".to_owned(), ink: Ink::Bad, filled: false, points });
    }
    let label = |value: f64| count(value);
    linear(report, "Messages a second over time", lines, label)
}

/// Percentiles of latency, over time.
pub(super) fn latency(report: &Report) -> Option<Chart> {
    const LINES: [(&str, Ink, fn(&Second) -> f64); 4] = [
        ("p50", Ink::P50, |s| s.p50_us),
        ("p99", Ink::P99, |s| s.p99_us),
        ("p99.9", Ink::P999, |s| s.p999_us),
        ("max", Ink::Max, |s| s.max_us),
    ];
    let lines: Vec<Line> = LINES
        .into_iter()
        .map(|(name, ink, figure)| {
            let points = over_time(report, highest, |s| (s.messages > 0).then(|| figure(s)));
            // What is too short for the clock has no place on a logarithmic axis.
            let points = points.into_iter().map(|(at, us)| (at, us.filter(|us| *us > 0.0)));
            Line { name: name.to_owned(), ink, filled: false, points: points.collect() }
        })
        .collect();
    let values = || lines.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
    let lowest = values().reduce(f64::min)?;
    let y = Axis::logarithmic(lowest, values().reduce(f64::max)?, time);
    let title = "Latency percentiles over time".to_owned();
    Some(Chart { title, x: seconds(report), y, bands: bands(report), lines, marks: Vec::new() })
}

/// The distribution of latencies over an axis of percentiles.
pub(super) fn distribution(report: &Report) -> Option<Chart> {
    let latency = &report.figures.latency_us;
    let shown = latency.distribution.iter().filter(|point| point.us > 0.0);
    let lowest = shown.clone().next()?.us;
    let end = (latency.count.max(10) as f64).log10();
    let place =
        |quantile: f64| if quantile < 1.0 { Axis::quantile(quantile).min(end) } else { end };
    let points = shown.map(|point| (place(point.quantile), Some(point.us))).collect();
    let marks = [
        ("p50", 0.5, latency.p50),
        ("p90", 0.9, latency.p90),
        ("p99", 0.99, latency.p99),
        ("p99.9", 0.999, latency.p999),
        ("p99.99", 0.9999, latency.p9999),
        ("max", 1.0, latency.max),
    ];
    // A percentile of which there is less than one message is the longest one again.
    let known = |quantile: f64| (1.0 - quantile) * latency.count as f64 > 1.0 || quantile == 1.0;
    let marks = marks.into_iter().filter(|mark| known(mark.1) && mark.2 > 0.0);
    Some(Chart {
        title: "Latency by percentile".to_owned(),
        x: Axis::percentiles(latency.count),
        y: Axis::logarithmic(lowest, latency.max, time),
        bands: Vec::new(),
        lines: vec![Line { name: String::new(), ink: Ink::P99, filled: true, points }],
        marks: marks
            .map(|(name, quantile, us)| Mark {
                at: (place(quantile), us),
                ink: Ink::Max,
                label: format!("{name}  {}", time(us)),
            })
            .collect(),
    })
}

/// CPU time of the generator and of the server, over time.
pub(super) fn processors(report: &Report) -> Option<Chart> {
    let mut lines = Vec::new();
    if report.seconds.iter().any(|s| s.server_cpu_percent.is_some()) {
        let points = over_time(report, mean, |s| s.server_cpu_percent);
        lines.push(Line { name: "server".to_owned(), ink: Ink::First, filled: false, points });
    }
    if report.seconds.iter().any(|s| s.client_cpu_percent > 0.0) {
        let points = over_time(report, mean, |s| Some(s.client_cpu_percent));
        lines.push(Line { name: "generator".to_owned(), ink: Ink::Second, filled: false, points });
    }
    let label = |value: f64| format!("{}%", trimmed(value, 1));
    (!lines.is_empty()).then(|| linear(report, "CPU over time, in percent of one", lines, label))
}

/// Open connections, over time, unless they are the same all the time.
pub(super) fn connections(report: &Report) -> Option<Chart> {
    let first = report.seconds.first()?.open;
    if report.seconds.iter().all(|s| s.open == first || s.length_s < 0.5) {
        return None;
    }
    let points = over_time(report, mean, |s| Some(s.open as f64));
    let line = Line { name: "open".to_owned(), ink: Ink::First, filled: true, points };
    Some(linear(report, "Open connections over time", vec![line], count))
}

/// A chart over time from 0 to the highest value.
fn linear(report: &Report, title: &str, lines: Vec<Line>, label: fn(f64) -> String) -> Chart {
    let values = lines.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
    let y = Axis::linear(values.fold(0.0, f64::max).max(1.0), label);
    let (x, bands) = (seconds(report), bands(report));
    Chart { title: title.to_owned(), x, y, bands, lines, marks: Vec::new() }
}

fn seconds(report: &Report) -> Axis {
    let end = report.seconds.last().map_or(report.figures.duration_s, |s| s.at_s + s.length_s);
    Axis::time(end)
}

fn bands(report: &Report) -> Vec<Band> {
    let phases = report.phases.iter();
    phases
        .map(|phase| Band {
            from: phase.at_s,
            to: phase.at_s + phase.figures.duration_s,
            name: phase.name.clone(),
        })
        .collect()
}

/// A figure of each second, in its middle. Neighbours are joined if there are too many.
fn over_time(
    report: &Report,
    join: fn(&[f64]) -> f64,
    figure: impl Fn(&Second) -> Option<f64>,
) -> Vec<(f64, Option<f64>)> {
    // The rest of a second at the end is too short to tell a rate.
    let whole = |s: &&Second| s.length_s >= 0.5 || report.seconds.len() == 1;
    let seconds: Vec<&Second> = report.seconds.iter().filter(whole).collect();
    let share = seconds.len().div_ceil(POINTS_MAX).max(1);
    let point = |part: &[&Second]| {
        let (first, last) = (part.first()?, part.last()?);
        let middle = (first.at_s + last.at_s + last.length_s) / 2.0;
        let values: Vec<f64> = part.iter().filter_map(|second| figure(second)).collect();
        Some((middle, (!values.is_empty()).then(|| join(&values))))
    };
    seconds.chunks(share).filter_map(point).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
