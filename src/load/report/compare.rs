//! Two reports side by side: ratios, and whether they are more than noise.
//!
//! A figure of a whole run is one number and says nothing about chance; its seconds do. For each
//! figure the mean of the seconds is taken in both runs, with its standard error, times Student's
//! factor for 95 %. The relative errors of both are added in quadrature: that is the noise of the
//! ratio. A ratio that is no further from 1 than its noise is *within noise*.
//!
//! So the noise is that inside of each run. What differs from run to run (another placement in
//! memory, a warmer machine) shows only in repeated runs.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;

use super::saved::{Saved, number, rate};
use super::units::{bytes, count, significant, time};

/// Fewest whole seconds from which noise is told.
const SECONDS_MIN: usize = 3;

/// A line of the comparison.
struct Row {
    name: &'static str,
    /// Where it stands for the whole run.
    path: &'static str,
    /// The same of one second, if the seconds tell.
    second: Option<fn(&Value) -> Option<f64>>,
    /// How a value is written.
    show: fn(f64) -> String,
    /// What a larger ratio means, and a smaller one.
    words: (&'static str, &'static str),
}

const LATENCY: (&str, &str) = ("slower", "faster");
const SIZE: (&str, &str) = ("more", "less");

const TABLE: &[Row] = &[
    Row {
        name: "messages/s",
        path: "messages_per_second",
        second: Some(rate),
        show: count,
        words: ("faster", "slower"),
    },
    Row {
        name: "p50",
        path: "latency_us.p50",
        second: Some(|s| number(s, "p50_us")),
        show: time,
        words: LATENCY,
    },
    Row {
        name: "p99",
        path: "latency_us.p99",
        second: Some(|s| number(s, "p99_us")),
        show: time,
        words: LATENCY,
    },
    Row {
        name: "p99.9",
        path: "latency_us.p999",
        second: Some(|s| number(s, "p999_us")),
        show: time,
        words: LATENCY,
    },
    Row { name: "max", path: "latency_us.max", second: None, show: time, words: LATENCY },
    Row {
        name: "handshake p50",
        path: "handshake_us.p50",
        second: None,
        show: time,
        words: LATENCY,
    },
    Row {
        name: "server CPU/msg",
        path: "server.cpu_us_per_message",
        second: Some(|s| Some(number(s, "server_cpu_percent")? * 1e4 / rate(s)?)),
        show: cpu,
        words: SIZE,
    },
    Row { name: "server memory", path: "server.rss_kib", second: None, show: kib, words: SIZE },
];

/// What B is beside A, in lines of up to 80 columns.
pub fn compare(a: &Saved, b: &Saved) -> String {
    let mut text = String::new();
    for (letter, saved) in [("A", a), ("B", b)] {
        let [shape, url, started] = ["shape", "url", "started"].map(|path| saved.word(path));
        let name = &saved.name;
        // Writing to a `String` cannot fail, hence the results that are let go here.
        let _ = writeln!(text, "{letter}  {name}\n   {shape}, {url}, {started}");
    }
    let heading = ["", "A", "B", "B / A", "noise"];
    let [label, first, second, ratio, noise] = heading;
    let _ = writeln!(text, "\n{label:<16}{first:>11}{second:>11}{ratio:>9}{noise:>10}");
    for row in TABLE {
        if let Some(line) = line(row, a, b) {
            let _ = writeln!(text, "{line}");
        }
    }
    let errors = [a, b].map(Saved::errors);
    let _ = writeln!(text, "{:<16}{:>11}{:>11}", "errors", errors[0], errors[1]);
    for doubt in doubts(a, b) {
        let _ = writeln!(text, "\nwarning: {doubt}");
    }
    text
}

fn line(row: &Row, a: &Saved, b: &Saved) -> Option<String> {
    let (first, second) = (a.number(row.path)?, b.number(row.path)?);
    if first <= 0.0 || second <= 0.0 {
        return None;
    }
    let ratio = second / first;
    let noise = row.second.and_then(|figure| noise(&a.series(figure), &b.series(figure)));
    let shown = noise
        .map_or("not known".to_owned(), |noise| format!("±{}%", significant(noise * 100.0, 2)));
    let word = match noise {
        None => "",
        Some(noise) if (ratio - 1.0).abs() <= noise => "within noise",
        Some(_) if ratio > 1.0 => row.words.0,
        Some(_) => row.words.1,
    };
    let Row { name, show, .. } = row;
    let (first, second) = (show(first), show(second));
    let line = format!("{name:<16}{first:>11}{second:>11}{ratio:>9.3}{shown:>10}   {word}");
    Some(line.trim_end().to_owned())
}

/// The relative noise of the ratio of two means, or `None` if there are too few seconds.
fn noise(a: &[f64], b: &[f64]) -> Option<f64> {
    Some(relative_error(a)?.hypot(relative_error(b)?))
}

/// Half the 95 % confidence interval of a mean, as a share of it.
fn relative_error(values: &[f64]) -> Option<f64> {
    if values.len() < SECONDS_MIN {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean > 0.0).then(|| student(values.len() - 1) * (variance / n).sqrt() / mean)
}

/// Student's factor for 95 %, both sides, by degrees of freedom.
fn student(freedom: usize) -> f64 {
    const FACTORS: [f64; 14] =
        [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14];
    match freedom {
        0 => f64::INFINITY,
        1..=14 => FACTORS[freedom - 1],
        15..=30 => 2.09,
        _ => 2.0,
    }
}

/// What makes the two hard to compare.
fn doubts(a: &Saved, b: &Saved) -> Vec<String> {
    let mut doubts = Vec::new();
    let unset = || "unset".to_owned();
    let mut settings: Vec<(String, [String; 2])> = Vec::new();
    let mut places = HashMap::new();
    for (side, saved) in [a, b].into_iter().enumerate() {
        for (name, value) in saved.settings() {
            let place = *places.entry(name.clone()).or_insert(settings.len());
            if place == settings.len() {
                settings.push((name, [unset(), unset()]));
            }
            settings[place].1[side] = value;
        }
    }
    for (name, [first, second]) in settings {
        if first != second {
            doubts.push(format!("{name} is {first} in A and {second} in B"));
        }
    }
    let (first, second) = (a.word("shape"), b.word("shape"));
    if first != second {
        doubts.push(format!("A is a load of another shape: {first}, {second}"));
    }
    let differs = |path| a.field(path) != b.field(path);
    if differs("machine.cpu") || differs("machine.cpus") {
        doubts.push("the two were measured on different machines".to_owned());
    } else if differs("machine.kernel") {
        doubts.push("the two were measured with different kernels".to_owned());
    }
    for (letter, saved) in [("A", a), ("B", b)] {
        if saved.field("client_was_bottleneck") == Some(&Value::Bool(true)) {
            doubts.push(format!("in {letter} the generator was the bottleneck"));
        }
        if saved.whole_seconds().count() < SECONDS_MIN {
            doubts.push(format!("{letter} is shorter than {SECONDS_MIN} s: no noise is known"));
        }
    }
    doubts
}

fn cpu(us: f64) -> String {
    format!("{} us", significant(us, 3))
}

fn kib(kib: f64) -> String {
    bytes(kib * 1024.0)
}
