//! Thresholds: what a figure has to be, such as `p99 < 5ms` or `errors == 0`.
//!
//! A threshold is read before the run, so that a mistake in it costs no time, and judged on the
//! figures of the run or of one phase. A figure that was not measured breaks its threshold: a
//! build must not pass because nothing came back.

use super::units::{significant, trimmed};
use super::{Figures, Latency, Verdict};

/// What a figure has to be.
#[derive(Clone, Debug)]
pub struct Threshold {
    text: String,
    figure: &'static Row,
    comparison: Comparison,
    /// In the unit of the figure's row.
    bound: f64,
    /// The unit that the bound was written in, and what it is worth.
    unit: (&'static str, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// Longer ones first: `<` is the beginning of `<=`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl Comparison {
    fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Less => measured < bound,
            Self::AtMost => measured <= bound,
            Self::Equal => measured == bound,
            Self::AtLeast => measured >= bound,
            Self::More => measured > bound,
        }
    }
}

/// What kind of number a figure is, and so which units may follow it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Time,
    Count,
    Rate,
    Memory,
    Percent,
}

impl Kind {
    /// Units with their worth in the figure's own: microseconds, one, one a second, KiB, percent.
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Time => &[("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)],
            Self::Count => &[("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)],
            Self::Rate => {
                &[("", 1.0), ("k", 1e3), ("M", 1e6), ("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6)]
            }
            Self::Memory => &[("KiB", 1.0), ("MiB", 1024.0), ("GiB", 1024.0 * 1024.0)],
            Self::Percent => &[("%", 1.0), ("", 1.0)],
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Time => "a time takes us, ms or s",
            Self::Count => "a count takes no unit, or k, M or G",
            Self::Rate => "a rate takes no unit, or k or M, with or without /s",
            Self::Memory => "memory takes KiB, MiB or GiB",
            Self::Percent => "a share takes %",
        }
    }
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    kind: Kind,
    figure: fn(&Figures) -> Option<f64>,
}

const fn row(name: &'static str, kind: Kind, figure: fn(&Figures) -> Option<f64>) -> Row {
    Row { name, kind, figure }
}

/// A figure of latencies, if there were any.
fn of(latency: &Latency, figure: f64) -> Option<f64> {
    (latency.count > 0).then_some(figure)
}

const TABLE: &[Row] = &[
    row("min", Kind::Time, |f| of(&f.latency_us, f.latency_us.min)),
    row("mean", Kind::Time, |f| of(&f.latency_us, f.latency_us.mean)),
    row("p50", Kind::Time, |f| of(&f.latency_us, f.latency_us.p50)),
    row("p90", Kind::Time, |f| of(&f.latency_us, f.latency_us.p90)),
    row("p99", Kind::Time, |f| of(&f.latency_us, f.latency_us.p99)),
    row("p999", Kind::Time, |f| of(&f.latency_us, f.latency_us.p999)),
    row("p9999", Kind::Time, |f| of(&f.latency_us, f.latency_us.p9999)),
    row("max", Kind::Time, |f| of(&f.latency_us, f.latency_us.max)),
    row("handshake_p50", Kind::Time, |f| of(&f.handshake_us, f.handshake_us.p50)),
    row("handshake_p99", Kind::Time, |f| of(&f.handshake_us, f.handshake_us.p99)),
    row("handshake_max", Kind::Time, |f| of(&f.handshake_us, f.handshake_us.max)),
    row("errors", Kind::Count, |f| Some(f.errors_total() as f64)),
    row("messages", Kind::Count, |f| Some(f.messages as f64)),
    row("messages_per_second", Kind::Rate, |f| Some(f.messages_per_second)),
    row("pings", Kind::Count, |f| Some(f.pings as f64)),
    row("connections_opened", Kind::Count, |f| Some(f.connections.opened as f64)),
    row("connections_failed", Kind::Count, |f| Some(f.connections.failed as f64)),
    row("connections_lost", Kind::Count, |f| Some(f.connections.lost as f64)),
    row("connections_open_max", Kind::Count, |f| Some(f.connections.open_max as f64)),
    row("deliveries_lost", Kind::Count, |f| Some(f.broadcast.as_ref()?.lost as f64)),
    row("deliveries_repeated", Kind::Count, |f| Some(f.broadcast.as_ref()?.repeated as f64)),
    row("deliveries_reordered", Kind::Count, |f| Some(f.broadcast.as_ref()?.reordered as f64)),
    row("server_cpu_per_message", Kind::Time, |f| Some(f.server.as_ref()?.cpu_us_per_message)),
    row("server_rss", Kind::Memory, |f| Some(f.server.as_ref()?.rss_kib as f64)),
    row("client_cpu", Kind::Percent, |f| Some(f.client_cpu_percent)),
];

/// Other names that people write.
const ALIASES: [(&str, &str); 4] =
    [("median", "p50"), ("p99.9", "p999"), ("p99.99", "p9999"), ("p100", "max")];

impl Threshold {
    /// Reads a threshold. The error is one line that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let fail = |why: String| Err(format!("threshold `{text}`: {why}"));
        let found = text.find(['<', '>', '=', '!']).and_then(|at| {
            let sign = COMPARISONS.iter().find(|(sign, _)| text[at..].starts_with(sign))?;
            Some((text[..at].trim(), sign.1, text[at + sign.0.len()..].trim()))
        });
        let Some((name, comparison, bound)) = found else {
            return fail("write it as `p99 < 5ms`, with one of <, <=, ==, >=, >".to_owned());
        };
        let named = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |alias| alias.1);
        let Some(figure) = TABLE.iter().find(|row| row.name == named) else {
            return fail(unknown(name));
        };
        let end = bound.find(|c: char| !c.is_ascii_digit() && !"+-._".contains(c));
        let (number, unit) = bound.split_at(end.unwrap_or(bound.len()));
        let value = number.replace('_', "").parse::<f64>().ok().filter(|value| value.is_finite());
        let Some(value) = value else {
            return fail(format!("`{bound}` does not begin with a number"));
        };
        if value < 0.0 {
            return fail(format!("`{}` is never negative", figure.name));
        }
        let unit = unit.trim();
        let Some(unit) = figure.kind.units().iter().find(|known| known.0 == unit) else {
            return fail(match unit {
                "" => format!("`{number}` has no unit: {}", figure.kind.help()),
                _ => format!("`{unit}` does not fit: {}", figure.kind.help()),
            });
        };
        let bound = value * unit.1;
        Ok(Self { text: text.to_owned(), figure, comparison, bound, unit: *unit })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the figures keep it.
    pub fn judge(&self, figures: &Figures) -> Verdict {
        let measured = (self.figure.figure)(figures);
        Verdict {
            threshold: self.text.clone(),
            measured: measured.map_or("none".to_owned(), |value| self.show(value)),
            passed: measured.is_some_and(|value| self.comparison.holds(value, self.bound)),
        }
    }

    /// A measured value in the unit of the threshold. Counts are shown whole: 1 error is not `0k`.
    fn show(&self, value: f64) -> String {
        let (unit, worth) = self.unit;
        match self.figure.kind {
            Kind::Count => trimmed(value, 0),
            _ => format!("{}{unit}", significant(value / worth, 3)),
        }
    }
}

/// What is said of a name that no figure has.
fn unknown(name: &str) -> String {
    let names = || TABLE.iter().map(|row| row.name);
    let near = names()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 4));
    match near {
        Some((_, known)) => format!("no figure is called `{name}`; did you mean `{known}`?"),
        None => {
            let all: Vec<&str> = names().collect();
            format!("no figure is called `{name}`; there are {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Broadcast, Server};
    use super::*;

    fn figures() -> Figures {
        let mut figures = Figures { messages: 50_000, ..Figures::default() };
        figures.messages_per_second = 10_000.0;
        figures.latency_us =
            Latency { count: 50_000, p50: 800.0, p99: 4_210.4, max: 2e6, ..Latency::default() };
        figures.client_cpu_percent = 71.26;
        figures
    }

    fn verdict(text: &str) -> (bool, String) {
        let verdict = Threshold::parse(text).expect("a threshold").judge(&figures());
        assert_eq!(verdict.threshold, text.trim());
        (verdict.passed, verdict.measured)
    }

    #[test]
    fn figures_are_compared_in_any_unit() {
        for (text, passed, measured) in [
            ("p99 < 5ms", true, "4.21ms"),
            ("p99<4ms", false, "4.21ms"),
            ("p99 <= 4210.4us", true, "4210us"),
            ("p99 > 0.001 s", true, "0.00421s"),
            ("median < 1ms", true, "0.8ms"),
            ("max < 1s", false, "2s"),
            ("errors == 0", true, "0"),
            ("messages >= 50k", true, "50000"),
            ("messages > 50_000", false, "50000"),
            ("messages_per_second > 10k", false, "10k"),
            ("messages_per_second >= 0.01M/s", true, "0.01M/s"),
            ("client_cpu < 80%", true, "71.3%"),
        ] {
            assert_eq!(verdict(text), (passed, measured.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_breaks_its_threshold() {
        for text in ["server_rss < 1GiB", "handshake_p99 < 1s", "deliveries_lost == 0"] {
            assert_eq!(verdict(text), (false, "none".to_owned()), "{text}");
        }
        let nothing = Threshold::parse("p99 < 5ms").expect("a threshold");
        assert!(!nothing.judge(&Figures::default()).passed, "no message came back");
        let mut measured = figures();
        measured.server = Some(Server { rss_kib: 3072, ..Server::default() });
        measured.broadcast = Some(Broadcast::default());
        let judged = Threshold::parse("server_rss < 4MiB").expect("a threshold").judge(&measured);
        assert_eq!((judged.passed, judged.measured.as_str()), (true, "3MiB"));
        assert!(Threshold::parse("deliveries_lost == 0").expect("one").judge(&measured).passed);
    }

    #[test]
    fn one_error_is_an_error() {
        let mut figures = figures();
        figures.errors.insert("payload".to_owned(), 1);
        figures.errors.insert("closed".to_owned(), 2);
        let verdict = Threshold::parse("errors < 0.002k").expect("a threshold").judge(&figures);
        assert_eq!((verdict.passed, verdict.measured.as_str()), (false, "3"));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("p99 5ms", "`p99 5ms`: write it as `p99 < 5ms`"),
            ("p99 = 5ms", "with one of <, <=, ==, >=, >"),
            ("p99 != 5ms", "with one of"),
            ("", "write it as"),
            ("p98 < 5ms", "no figure is called `p98`; did you mean `p9"),
            ("error == 0", "did you mean `errors`?"),
            ("happiness > 5", "there are min, mean, p50"),
            ("< 5ms", "no figure is called ``"),
            ("p99 <", "`` does not begin with a number"),
            ("p99 < fast", "`fast` does not begin with a number"),
            ("p99 < 1.2.3ms", "does not begin with a number"),
            ("p99 < 5", "`5` has no unit: a time takes us, ms or s"),
            ("errors == 0ms", "`ms` does not fit: a count takes"),
            ("p99 < 5 parsecs", "`parsecs` does not fit"),
            ("errors > -1", "`errors` is never negative"),
            ("server_rss < 5MB", "memory takes KiB, MiB or GiB"),
        ] {
            let error = Threshold::parse(text).expect_err(text);
            assert!(error.contains(says) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn every_name_can_be_written() {
        for row in TABLE {
            let unit = row.kind.units()[0].0;
            let text = format!("{} >= 0{unit}", row.name);
            assert_eq!(Threshold::parse(&text).expect("a threshold").figure.name, row.name);
        }
        for (alias, name) in ALIASES {
            assert!(TABLE.iter().any(|row| row.name == name), "{alias} means {name}");
        }
    }
}
