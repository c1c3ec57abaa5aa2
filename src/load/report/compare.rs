//! Two reports side by side: ratios, and whether they are more than noise.
//!
//! A figure of a whole run is one number and says nothing about chance; its seconds do. For each
//! figure the mean of the seconds is taken in both runs, with its standard error, times Student's
//! factor for 95 %. The relative errors of both are added in quadrature: that is the noise of the
//! ratio. A ratio that is no further from 1 than its noise is *within noise*.
//!
//! So the noise is that inside of each run. What differs from run to run (another placement in
//! memory, a warmer machine) shows only in repeated runs.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::units::{bytes, count, significant, time};
use super::{Latency, Machine, SCHEMA, Second, Server, Setting};

/// Fewest whole seconds from which noise is told.
const SECONDS_MIN: usize = 3;

/// Seconds shorter than this are the rest of a run, and left out.
const WHOLE_S: f64 = 0.9;

/// A report that `--json` once printed: what a comparison needs of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Saved {
    started: String,
    url: String,
    shape: String,
    settings: Vec<Setting>,
    machine: Machine,
    client_was_bottleneck: bool,
    messages_per_second: f64,
    latency_us: Latency,
    handshake_us: Latency,
    errors: std::collections::BTreeMap<String, u64>,
    server: Option<Server>,
    seconds: Vec<Second>,
    /// The file that it came from.
    #[serde(skip)]
    name: String,
}

impl Saved {
    /// Reads a report from a file. The error is one line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&name, &text)
    }

    /// Takes a report from the text of the file called `name`. The error is one line.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let fail = |why: String| Err(format!("{name}: {why}"));
        if text.trim().is_empty() {
            return fail("the file is empty".to_owned());
        }
        let value: serde_json::Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return fail(format!("this is not one JSON object: {error}")),
        };
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            None => return fail("not a report of `wsecho load --json`: it has no `schema`".into()),
            Some(schema) if schema != u64::from(SCHEMA) => {
                return fail(format!("has schema {schema}; this version reads {SCHEMA}"));
            }
            Some(_) => {}
        }
        match serde_json::from_value::<Self>(value) {
            Ok(saved) => Ok(Self { name: name.to_owned(), ..saved }),
            Err(error) => fail(format!("not a report of `wsecho load --json`: {error}")),
        }
    }

    /// A figure of each whole second in which something came back.
    fn series(&self, figure: fn(&Second) -> Option<f64>) -> Vec<f64> {
        let whole = self.seconds.iter().filter(|s| s.length_s >= WHOLE_S && s.messages > 0);
        whole.filter_map(figure).collect()
    }
}

/// A line of the comparison.
struct Row {
    name: &'static str,
    /// Of the whole run.
    figure: fn(&Saved) -> Option<f64>,
    /// The same of one second, if the seconds tell.
    second: Option<fn(&Second) -> Option<f64>>,
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
        figure: |r| Some(r.messages_per_second),
        second: Some(|s| Some(s.messages_per_second())),
        show: count,
        words: ("faster", "slower"),
    },
    Row {
        name: "p50",
        figure: |r| Some(r.latency_us.p50),
        second: Some(|s| Some(s.p50_us)),
        show: time,
        words: LATENCY,
    },
    Row {
        name: "p99",
        figure: |r| Some(r.latency_us.p99),
        second: Some(|s| Some(s.p99_us)),
        show: time,
        words: LATENCY,
    },
    Row {
        name: "p99.9",
        figure: |r| Some(r.latency_us.p999),
        second: Some(|s| Some(s.p999_us)),
        show: time,
        words: LATENCY,
    },
    Row {
        name: "max",
        figure: |r| Some(r.latency_us.max),
        second: None,
        show: time,
        words: LATENCY,
    },
    Row {
        name: "handshake p50",
        figure: |r| Some(r.handshake_us.p50),
        second: None,
        show: time,
        words: LATENCY,
    },
    Row {
        name: "server CPU/msg",
        figure: |r| Some(r.server.as_ref()?.cpu_us_per_message),
        second: Some(|s| Some(s.server_cpu_percent? * 1e4 / s.messages_per_second())),
        show: cpu,
        words: SIZE,
    },
    Row {
        name: "server memory",
        figure: |r| Some(r.server.as_ref()?.rss_kib as f64 * 1024.0),
        second: None,
        show: bytes,
        words: SIZE,
    },
];

/// What B is beside A, in lines of up to 80 columns.
pub fn compare(a: &Saved, b: &Saved) -> String {
    let mut text = String::new();
    for (letter, saved) in [("A", a), ("B", b)] {
        let Saved { name, shape, url, started, .. } = saved;
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
    let errors = [a, b].map(|saved| saved.errors.values().sum::<u64>());
    let _ = writeln!(text, "{:<16}{:>11}{:>11}", "errors", errors[0], errors[1]);
    for doubt in doubts(a, b) {
        let _ = writeln!(text, "\nwarning: {doubt}");
    }
    text
}

fn line(row: &Row, a: &Saved, b: &Saved) -> Option<String> {
    let (first, second) = ((row.figure)(a)?, (row.figure)(b)?);
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
    let value = |saved: &Saved, name: &str| {
        let found = saved.settings.iter().find(|setting| setting.name == name);
        found.map_or("unset".to_owned(), |setting| setting.value.clone())
    };
    let mut names: Vec<&str> = Vec::new();
    for setting in a.settings.iter().chain(&b.settings) {
        if !names.contains(&setting.name.as_str()) {
            names.push(&setting.name);
        }
    }
    for name in names {
        let (first, second) = (value(a, name), value(b, name));
        if first != second {
            doubts.push(format!("{name} is {first} in A and {second} in B"));
        }
    }
    if a.shape != b.shape {
        doubts.push(format!("A is a load of another shape: {}, {}", a.shape, b.shape));
    }
    if (&a.machine.cpu, a.machine.cpus) != (&b.machine.cpu, b.machine.cpus) {
        doubts.push("the two were measured on different machines".to_owned());
    } else if a.machine.kernel != b.machine.kernel {
        doubts.push("the two were measured with different kernels".to_owned());
    }
    for (letter, saved) in [("A", a), ("B", b)] {
        if saved.client_was_bottleneck {
            doubts.push(format!("in {letter} the generator was the bottleneck"));
        }
        if saved.seconds.iter().filter(|s| s.length_s >= WHOLE_S).count() < SECONDS_MIN {
            doubts.push(format!("{letter} is shorter than {SECONDS_MIN} s: no noise is known"));
        }
    }
    doubts
}

fn cpu(us: f64) -> String {
    format!("{} us", significant(us, 3))
}
