//! What a load run found out, as plain data, and the forms in which it is shown.
//!
//! A [`Report`] is made once, when the run is over. While it goes on, the engine records into
//! [`Recorder`]s; [`Latency`] is what is kept of one: the percentiles that people quote, and the
//! whole distribution as a few hundred points. So a report needs no histogram any more, and each
//! form of it (text, JSON, percentile log, CSV, page) is a function of the same figures.
//!
//! The structures are the schema of `--json`; docs/load-report.md describes it, and a test holds
//! one to the other. Fields may be added. None changes its meaning or goes while `schema` stays.

mod latency;
mod machine;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::latency::{Latency, Point, Recorder};
pub use self::machine::Machine;

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

/// Share of one CPU in percent from which on the generator counts as the bottleneck.
pub const CLIENT_CPU_PERCENT_MAX: f64 = 95.0;

/// An option and its value, as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The option without its dashes, such as `connections`.
    pub name: String,
    /// Its value, such as `64`.
    pub value: String,
}

/// What was measured, in a whole run or in one phase of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Seconds that were measured.
    pub duration_s: f64,
    /// Messages that came back whole, and right if that was verified.
    pub messages: u64,
    /// The same for each second.
    pub messages_per_second: f64,
    /// Messages that were sent.
    pub messages_sent: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// From when a message was sent, or should have been with a given rate, to its last byte.
    pub latency_us: Latency,
    /// From the start of connecting to the end of the opening handshake.
    pub handshake_us: Latency,
    /// What became of connections.
    pub connections: Connections,
    /// Pings of the server, which have been answered.
    pub pings: u64,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// The first error of each kind, in its own words.
    pub error_examples: BTreeMap<String, String>,
    /// A rate that was asked for, and what the generator made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_loop: Option<OpenLoop>,
    /// Deliveries to the members of a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Broadcast>,
    /// The server's process, if its id was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// CPU time of the generator, in percent of one CPU.
    pub client_cpu_percent: f64,
}

impl Figures {
    /// Errors of all kinds.
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// What became of connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    /// Opening handshakes that were completed.
    pub opened: u64,
    /// Attempts that did not get so far.
    pub failed: u64,
    /// Closed as the load asks for it (churn), or at its end.
    pub closed: u64,
    /// Ended by the server or by an error.
    pub lost: u64,
    /// The most that were open at one time.
    pub open_max: u64,
}

/// An open loop: a rate that does not wait for the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenLoop {
    /// Messages a second that were asked for, over all connections.
    pub rate: f64,
    /// Messages a second that were sent.
    pub sent_per_second: f64,
    /// Messages that were due and had not been sent at the end.
    pub unsent: u64,
    /// By how much messages left later than they were due. It is a part of their latency.
    pub lateness_us: Latency,
}

/// Deliveries to the members of a room: each message is expected by each of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Broadcast {
    /// Members of the room.
    pub members: u64,
    /// Deliveries that should have come.
    pub expected: u64,
    /// Deliveries that came.
    pub delivered: u64,
    /// Deliveries that did not come.
    pub lost: u64,
    /// Deliveries that came again.
    pub repeated: u64,
    /// Deliveries that came in another order than the first member saw.
    pub reordered: u64,
}

/// The server's process during the measurement, from /proc.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Its process id.
    pub pid: u32,
    /// CPU time for each message: user and system.
    pub cpu_us_per_message: f64,
    /// The part of it in user mode.
    pub user_us_per_message: f64,
    /// The part of it in the kernel.
    pub system_us_per_message: f64,
    /// CPU time in percent of one CPU.
    pub cpu_percent: f64,
    /// Resident memory at the end.
    pub rss_kib: u64,
    /// Resident memory before the first connection.
    pub rss_start_kib: u64,
    /// The most resident memory since the process started.
    pub rss_peak_kib: u64,
    /// Resident memory for each open connection, beside what there was at start, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes_per_connection: Option<f64>,
    /// Context switches because it waited for something.
    pub voluntary_switches: u64,
    /// Context switches because its time was up.
    pub involuntary_switches: u64,
}

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Where it begins, in seconds from the start of the measurement.
    pub at_s: f64,
    /// How long it was. The last row may be shorter than a second.
    pub length_s: f64,
    /// Messages that came back.
    pub messages: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Errors of all kinds.
    pub errors: u64,
    /// Connections that are open at its end.
    pub open: u64,
    /// Opening handshakes completed.
    pub opened: u64,
    /// Median latency of the messages that came back in it.
    pub p50_us: f64,
    /// 99th percentile of the same.
    pub p99_us: f64,
    /// 99.9th percentile of the same.
    pub p999_us: f64,
    /// The longest of the same.
    pub max_us: f64,
    /// CPU time of the generator, in percent of one CPU.
    pub client_cpu_percent: f64,
    /// CPU time of the server, in percent of one CPU, if its process is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_percent: Option<f64>,
    /// Resident memory of the server at its end, if its process is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_rss_kib: Option<u64>,
}

impl Second {
    /// Messages for each second of its length.
    pub fn messages_per_second(&self) -> f64 {
        per_second(self.messages, self.length_s)
    }
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The bound that was searched for, such as `p99 < 5ms`.
    pub bound: String,
    /// The highest rate that was held, in messages a second; 0 if not even the lowest was.
    pub rate: f64,
    /// Why there is no higher one: `latency`, `errors`, `rate` (the server answered fewer), `client`
    /// (the generator was the bottleneck, so the server may well hold more), `ceiling` (the highest
    /// rate that was to be tried was held).
    pub reason: String,
    /// Each rate that was tried, in order.
    pub trials: Vec<Trial>,
}

/// One rate of a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Messages a second that were asked for.
    pub rate: f64,
    /// Messages a second that came back.
    pub achieved: f64,
    /// The percentile that is bounded.
    pub latency_us: f64,
    /// Errors of all kinds.
    pub errors: u64,
    /// CPU time of the generator, in percent of one CPU.
    pub client_cpu_percent: f64,
    /// True if the rate was held.
    pub held: bool,
}

/// `count` for each second of `seconds`; 0 of no time.
pub fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
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
    fn no_time_has_no_rate() {
        assert_eq!(per_second(7, 0.0), 0.0);
        assert_eq!(per_second(7, 2.0), 3.5);
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
}
