//! What a load run found out, as plain data, and the forms in which it is shown.
//!
//! A [`Report`] is made once, when the run is over. While it goes on, the engine records into
//! [`Recorder`]s; [`Latency`] is what is kept of one: the percentiles that people quote, and the
//! whole distribution as a few hundred points. So a report needs no histogram any more, and each
//! form of it (text, JSON, percentile log, CSV, page) is a function of the same figures. Only for
//! the log of intervals, if one is wanted, each second keeps its own, encoded.
//!
//! The structures are the schema of `--json`; docs/load-report.md describes it, and a test holds
//! one to the other. Fields may be added. None changes its meaning or goes while `schema` stays.

mod chart;
mod compare;
mod csv;
mod figures;
mod interval_log;
mod latency;
mod machine;
mod page;
mod percentile_log;
mod saved;
mod text;
mod threshold;
pub(super) mod units;

use std::time::Duration;

use serde::Serialize;

pub use self::compare::compare;
pub use self::figures::{Broadcast, Connections, Figures, OpenLoop, Second, Server, per_second};
pub use self::interval_log::Interval;
pub use self::latency::{Latency, Point, Recorder};
pub use self::machine::Machine;
pub use self::saved::Saved;
pub use self::text::sparkline;
pub use self::threshold::Threshold;

/// The number of the schema. It grows if a field ever changes its meaning.
pub const SCHEMA: u32 = 1;

/// One run, from its first measured second to its last.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `wsecho` and its version.
    pub generator: String,
    /// When the measurement began: RFC 3339, UTC, whole seconds. See [`time_of_day`].
    pub started: String,
    /// Where the clients connected to.
    pub url: String,
    /// The shape of the load in a few words: `closed loop`, `open loop`, `idle`, `churn`,
    /// `broadcast`, `scenario NAME`, `find limit`.
    pub shape: String,
    /// Options as they were given or hold by default, in the order in which they should be shown.
    pub settings: Vec<Setting>,
    /// Where the generator ran.
    pub machine: Machine,
    /// Seconds of warm-up before the measurement, which are in none of the figures.
    pub warmup_s: f64,
    /// True if each echo was compared with what had been sent.
    pub verified: bool,
    /// True if the run was ended before its time (Ctrl-C).
    pub interrupted: bool,
    /// True if the generator had hardly any CPU left, so that the figures are about it and not
    /// about the server. See [`CLIENT_CPU_PERCENT_MAX`].
    pub client_was_bottleneck: bool,
    /// The figures of the whole run.
    #[serde(flatten)]
    pub figures: Figures,
    /// One row for each second of the run.
    pub seconds: Vec<Second>,
    /// The phases of a scenario, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Each threshold that was given, with its verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Verdict>,
    /// What a search for the highest rate found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

impl Report {
    /// The report as one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// All verdicts, each with the name of the phase that it is about, or `None` for the whole run.
    pub fn verdicts(&self) -> impl Iterator<Item = (Option<&str>, &Verdict)> {
        let of_phases = self.phases.iter().flat_map(|phase| {
            phase.thresholds.iter().map(move |verdict| (Some(phase.name.as_str()), verdict))
        });
        of_phases.chain(self.thresholds.iter().map(|verdict| (None, verdict)))
    }

    /// True if no threshold was broken.
    pub fn passed(&self) -> bool {
        self.verdicts().all(|(_, verdict)| verdict.passed)
    }
}

/// Share of one CPU in percent from which on the generator counts as the bottleneck.
pub const CLIENT_CPU_PERCENT_MAX: f64 = 95.0;

/// An option and its value, as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Setting {
    /// The option without its dashes, such as `connections`.
    pub name: String,
    /// Its value, such as `64`.
    pub value: String,
}

/// One phase of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Phase {
    /// Its name in the scenario.
    pub name: String,
    /// What kind it is: `ramp`, `steady`, `burst`, `churn`, `idle`, `spike`.
    pub kind: String,
    /// Where it begins, in seconds from the start of the measurement.
    pub at_s: f64,
    /// Its own figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Its own thresholds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Verdict>,
}

/// A threshold, and whether it was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// As it was written, such as `p99 < 5ms`.
    pub threshold: String,
    /// What was measured, in the unit of the threshold, such as `4.2ms`; `none` if there is no such
    /// figure, which breaks it.
    pub measured: String,
    /// True if the threshold was kept.
    pub passed: bool,
}

/// What a search for the highest rate found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limit {
    /// The bound that was searched for, such as `p99 < 5ms`.
    pub bound: String,
    /// The highest rate that was held, in messages a second; 0 if not even the lowest was.
    pub rate: f64,
    /// Why there is no higher one: `latency`, `errors`, `rate` (fewer came back than were due),
    /// `client` (the generator was the bottleneck, so the server may hold more), `ceiling` (nothing
    /// higher was to be tried).
    pub reason: String,
    /// Each rate that was tried, in order.
    pub trials: Vec<Trial>,
}

/// One rate of a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trial {
    /// Messages a second that were asked for.
    pub rate: f64,
    /// Messages a second that came back.
    pub achieved: f64,
    /// 99th percentile of the latency.
    pub p99_us: f64,
    /// Errors of all kinds.
    pub errors: u64,
    /// CPU time of the generator, in percent of one CPU.
    pub client_cpu_percent: f64,
    /// True if the rate was held.
    pub held: bool,
}

/// A time since the Unix epoch as RFC 3339 in UTC, whole seconds.
pub fn time_of_day(since_epoch: Duration) -> String {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time_of_day(Duration::ZERO), "1970-01-01T00:00:00Z");
        assert_eq!(time_of_day(Duration::from_millis(1_800_000_000_999)), "2027-01-15T08:00:00Z");
    }

    #[test]
    fn figures_stand_beside_what_surrounds_them() {
        let mut report = Report { schema: SCHEMA, ..Report::default() };
        report.figures.errors.insert("payload".to_owned(), 2);
        let json = serde_json::to_value(&report).expect("plain data");
        assert_eq!(json["schema"], 1);
        assert_eq!(json["errors"]["payload"], 2);
        assert_eq!(json["latency_us"]["p99"], 0.0);
        assert_eq!(json.get("server"), None, "it was not asked for");
        assert_eq!(report.figures.errors_total(), 2);
    }

    #[test]
    fn one_broken_threshold_of_a_phase_is_enough() {
        let verdict = |passed| Verdict { passed, ..Verdict::default() };
        let mut report = Report { thresholds: vec![verdict(true)], ..Report::default() };
        assert!(report.passed() && Report::default().passed());
        report.phases.push(Phase { thresholds: vec![verdict(false)], ..Phase::default() });
        assert!(!report.passed());
    }
}
