//! What is measured: in a run, in one phase of it, in one second.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Interval, Latency};

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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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

/// The server's process during the measurement, with those that it has started, from /proc.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// Memory at the end that belongs to no file: what the process has claimed for itself.
    pub anon_kib: u64,
    /// The same before the first connection.
    pub anon_start_kib: u64,
    /// Resident memory for each open connection, beside what there was at start, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes_per_connection: Option<f64>,
    /// Context switches because it waited for something.
    pub voluntary_switches: u64,
    /// Context switches because its time was up.
    pub involuntary_switches: u64,
}

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// The latencies themselves, if a log of them is wanted.
    #[serde(skip)]
    pub interval: Option<Interval>,
}

impl Second {
    /// Messages for each second of its length.
    pub fn messages_per_second(&self) -> f64 {
        per_second(self.messages, self.length_s)
    }
}

/// `count` for each second of `seconds`; 0 of no time.
pub fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_has_no_rate() {
        assert_eq!(per_second(7, 0.0), 0.0);
        assert_eq!(per_second(7, 2.0), 3.5);
    }
}
