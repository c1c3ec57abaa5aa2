//! Counters of the one loop, and their Prometheus text. One table: name, help, field.

mod workers;

use std::fmt::Write;

use crate::ending::Ending;
pub use workers::{Sum, describe_worker};

/// Statuses that are counted on their own: 200, 204 and those registered from 400 on. Any other
/// counts as the last.
pub const STATUSES: [&str; 43] = [
    "200", "204", "400", "401", "402", "403", "404", "405", "406", "407", "408", "409", "410",
    "411", "412", "413", "414", "415", "416", "417", "418", "421", "422", "423", "424", "425",
    "426", "428", "429", "431", "451", "500", "501", "502", "503", "504", "505", "506", "507",
    "508", "510", "511", "other",
];

/// Plain HTTP answers, by [`STATUSES`].
#[derive(Clone, Debug)]
pub struct Answers([u64; STATUSES.len()]);

impl Default for Answers {
    fn default() -> Self {
        Self([0; STATUSES.len()])
    }
}

/// What open connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// An exact echo.
    Echo,
    /// An exact echo with permessage-deflate.
    CompressedEcho,
    /// An echo that behaves in some way.
    Behaviour,
    /// A service.
    Member,
    /// A request whose body is sent back, or goes to a mailbox.
    Body,
    /// A stream of events.
    Events,
    /// A request that waits for a message.
    Poll,
}

impl Purpose {
    /// All of them, in the order of their discriminants, with their labels.
    const ALL: [(Self, &str); 7] = [
        (Self::Echo, "echo"),
        (Self::CompressedEcho, "compressed"),
        (Self::Behaviour, "behaviour"),
        (Self::Member, "service"),
        (Self::Body, "body"),
        (Self::Events, "sse"),
        (Self::Poll, "poll"),
    ];
}

/// Plain numbers: one thread, no atomics.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections now in the registry.
    pub connections_open: u64,
    /// Opening handshakes completed.
    pub opens: u64,
    /// Connections open now, by [`Purpose`].
    pub open_for: [u64; Purpose::ALL.len()],
    /// Connections ended, by [`Ending`].
    pub endings: [u64; Ending::ALL.len()],
    /// Plain HTTP answers by status.
    pub answers: Answers,
    /// Frames received whole.
    pub frames: u64,
    /// Data messages received whole.
    pub messages: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
    /// Pings received.
    pub pings_received: u64,
    /// Pings sent to idle peers.
    pub pings_sent: u64,
    /// Bytes charged to open connections now.
    pub buffered_bytes: u64,
    /// Bytes kept of what was said in rooms; brought up to date when it is asked for.
    pub room_history_bytes: u64,
    /// Reads put off because the buffer budget was used up.
    pub budget_waits: u64,
    /// Connections that agreed on permessage-deflate.
    pub deflate_opens: u64,
    /// Compressed messages received whole.
    pub compressed_messages: u64,
    /// Compressed payload bytes inflated.
    pub compressed_bytes: u64,
    /// Bytes that came out of them.
    pub inflated_bytes: u64,
    /// Inflaters lent to messages now, those of takeover connections not counted.
    pub inflaters_in_use: u64,
    /// Reads put off because no inflater was free.
    pub inflater_waits: u64,
    /// Bodies sent back whole.
    pub bodies: u64,
    /// Messages put into mailboxes.
    pub mails: u64,
    /// Mailboxes there are now.
    pub mailboxes: u64,
    /// Failures of accept other than a peer that had gone already.
    pub accept_errors: u64,
    /// Connections shed for want of a descriptor or above the limit.
    pub shed: u64,
    /// TLS handshakes completed, with keys agreed on anew.
    pub tls_full_handshakes: u64,
    /// TLS handshakes that resumed an earlier session.
    pub tls_resumed_handshakes: u64,
    /// TLS sessions that failed: no handshake came of them, or something could not be opened.
    pub tls_failures: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Connections put to the end of the queue because their share of a turn was used up.
    pub yields: u64,
    /// Files reloaded.
    pub reloads: u64,
    /// Files that were to be reloaded, and could not be.
    pub reload_errors: u64,
    /// Connections refused because their address has as many as it may have.
    pub address_connections_refused: u64,
    /// Connections refused because their address connects too often.
    pub address_rate_refused: u64,
    /// Reads put off because a connection has sent more than its rate.
    pub rate_waits: u64,
    /// The bus can be reached now.
    pub bus_connected: u64,
    /// Other processes on the bus now.
    pub bus_processes: u64,
    /// What rooms have said over the bus.
    pub bus_published: u64,
    /// What rooms have heard over the bus.
    pub bus_received: u64,
    /// How often the bus was lost.
    pub bus_losses: u64,
}

type Row = (&'static str, &'static str, &'static str, fn(&Metrics) -> u64);

const TABLE: &[Row] = &[
    ("connections_accepted_total", "counter", "Connections accepted.", |m| m.connections_accepted),
    ("connections_open", "gauge", "Connections open now.", |m| m.connections_open),
    ("opens_total", "counter", "Opening handshakes completed.", |m| m.opens),
    ("frames_received_total", "counter", "Frames received whole.", |m| m.frames),
    ("messages_received_total", "counter", "Data messages received whole.", |m| m.messages),
    ("received_bytes_total", "counter", "Bytes read from sockets.", |m| m.bytes_received),
    ("sent_bytes_total", "counter", "Bytes written to sockets.", |m| m.bytes_sent),
    ("pings_received_total", "counter", "Pings received.", |m| m.pings_received),
    ("pings_sent_total", "counter", "Pings sent to idle peers.", |m| m.pings_sent),
    (
        "buffered_bytes",
        "gauge",
        "Bytes in all send queues, and kept for scripts, rooms and inflaters, now.",
        |m| m.buffered_bytes,
    ),
    ("room_history_bytes", "gauge", "Bytes kept for those who join rooms later, now.", |m| {
        m.room_history_bytes
    }),
    ("budget_waits_total", "counter", "Reads put off by the buffer budget.", |m| m.budget_waits),
    ("deflate_opens_total", "counter", "Connections with permessage-deflate.", |m| m.deflate_opens),
    ("compressed_messages_total", "counter", "Compressed messages received whole.", |m| {
        m.compressed_messages
    }),
    ("compressed_bytes_total", "counter", "Compressed bytes inflated.", |m| m.compressed_bytes),
    ("inflated_bytes_total", "counter", "Bytes that came out of them.", |m| m.inflated_bytes),
    ("inflaters_in_use", "gauge", "Inflaters lent to messages now.", |m| m.inflaters_in_use),
    ("inflater_waits_total", "counter", "Reads put off for an inflater.", |m| m.inflater_waits),
    ("bodies_echoed_total", "counter", "Request bodies echoed whole.", |m| m.bodies),
    ("mailbox_messages_total", "counter", "Messages sent to streams and polls.", |m| m.mails),
    ("mailboxes", "gauge", "Mailboxes of streams and polls, now.", |m| m.mailboxes),
    ("accept_errors_total", "counter", "Failures of accept.", |m| m.accept_errors),
    ("shed_total", "counter", "Connections turned away, too many open.", |m| m.shed),
    ("tls_full_handshakes_total", "counter", "TLS handshakes in full.", |m| m.tls_full_handshakes),
    ("tls_resumed_handshakes_total", "counter", "TLS handshakes that resumed a session.", |m| {
        m.tls_resumed_handshakes
    }),
    ("tls_failures_total", "counter", "TLS sessions that failed.", |m| m.tls_failures),
    ("loop_turns_total", "counter", "Turns of the loop.", |m| m.turns),
    ("yields_total", "counter", "Turns that used up their share.", |m| m.yields),
    ("reloads_total", "counter", "Files reloaded.", |m| m.reloads),
    ("reload_errors_total", "counter", "Files that could not be reloaded.", |m| m.reload_errors),
    (
        "address_connections_refused_total",
        "counter",
        "Connections refused, their address has as many as it may have.",
        |m| m.address_connections_refused,
    ),
    (
        "address_rate_refused_total",
        "counter",
        "Connections refused, their address connects too often.",
        |m| m.address_rate_refused,
    ),
    ("rate_waits_total", "counter", "Reads put off by the rate of a connection.", |m| m.rate_waits),
    (
        "bus_connected",
        "gauge",
        "1 while the bus can be reached; with ?all, by every worker.",
        |m| m.bus_connected,
    ),
    (
        "bus_processes",
        "gauge",
        "Other processes on the bus now; with ?all, the most that a worker knows.",
        |m| m.bus_processes,
    ),
    ("bus_published_total", "counter", "Messages of rooms to other processes.", |m| {
        m.bus_published
    }),
    ("bus_received_total", "counter", "Messages of rooms from other processes.", |m| {
        m.bus_received
    }),
    ("bus_losses_total", "counter", "Times that the bus was lost.", |m| m.bus_losses),
];

impl Metrics {
    /// Counts a read put off for want of room, or of an inflater.
    pub fn count_wait(&mut self, room: bool) {
        match room {
            true => self.budget_waits += 1,
            false => self.inflater_waits += 1,
        }
    }

    /// Counts one plain HTTP answer.
    pub fn count_answer(&mut self, status: &str) {
        let last = STATUSES.len() - 1;
        let at = STATUSES.iter().position(|known| *known == status).unwrap_or(last);
        self.answers.0[at] += 1;
    }

    /// Refused requests, by status, of those that there were.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = STATUSES.into_iter().zip(self.answers.0);
        counts.filter(|(status, count)| !status.starts_with('2') && *count > 0)
    }

    /// Everything as numbers, in the order in which it is rendered.
    pub fn values(&self) -> Vec<u64> {
        let rows = TABLE.iter().map(|(_, _, _, field)| field(self));
        rows.chain(self.open_for).chain(self.endings).chain(self.answers.0).collect()
    }

    /// Appends everything in the Prometheus text format, version 0.0.4.
    pub fn render(&self, out: &mut String) {
        render(&self.values(), out);
    }
}

/// Appends [`Metrics::values`] in the Prometheus text format.
fn render(values: &[u64], out: &mut String) {
    let mut values = values.iter();
    let mut next = || values.next().copied().unwrap_or(0);
    for (name, kind, help, _) in TABLE {
        describe(out, name, kind, help);
        let _ = writeln!(out, "wsecho_{name} {}", next());
    }
    describe(out, "open", "gauge", "WebSockets, bodies, streams and polls now, by purpose.");
    for (_, label) in Purpose::ALL {
        let _ = writeln!(out, "wsecho_open{{purpose=\"{label}\"}} {}", next());
    }
    describe(out, "endings_total", "counter", "Connections ended, by cause.");
    for ending in Ending::ALL {
        let _ = writeln!(out, "wsecho_endings_total{{ending=\"{}\"}} {}", ending.word(), next());
    }
    describe(out, "http_answers_total", "counter", "Plain HTTP answers, by status.");
    for status in STATUSES {
        let _ = writeln!(out, "wsecho_http_answers_total{{status=\"{status}\"}} {}", next());
    }
}

// Writing to a `String` cannot fail, hence the results that are let go here and above.
fn describe(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP wsecho_{name} {help}");
    let _ = writeln!(out, "# TYPE wsecho_{name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row shows the field that it is named for.
    #[test]
    fn every_row_shows_its_own_field() {
        let metrics = Metrics {
            connections_accepted: 1,
            connections_open: 2,
            opens: 3,
            frames: 4,
            messages: 5,
            bytes_received: 6,
            bytes_sent: 7,
            pings_received: 8,
            pings_sent: 9,
            buffered_bytes: 10,
            room_history_bytes: 11,
            budget_waits: 12,
            deflate_opens: 13,
            compressed_messages: 14,
            compressed_bytes: 15,
            inflated_bytes: 16,
            inflaters_in_use: 17,
            inflater_waits: 18,
            bodies: 19,
            mails: 20,
            mailboxes: 21,
            accept_errors: 22,
            shed: 23,
            tls_full_handshakes: 24,
            tls_resumed_handshakes: 25,
            tls_failures: 26,
            turns: 27,
            yields: 28,
            reloads: 29,
            reload_errors: 30,
            address_connections_refused: 31,
            address_rate_refused: 32,
            rate_waits: 33,
            bus_connected: 34,
            bus_processes: 35,
            bus_published: 36,
            bus_received: 37,
            bus_losses: 38,
            ..Metrics::default()
        };
        for (at, (name, _, _, field)) in TABLE.iter().enumerate() {
            assert_eq!(field(&metrics), at as u64 + 1, "{name} stands where its field does");
        }
    }

    #[test]
    fn every_sample_has_help_and_type() {
        let mut metrics = Metrics { opens: 7, ..Metrics::default() };
        metrics.count_answer("404");
        metrics.count_answer("299");
        metrics.count_answer("511");
        let mut text = String::new();
        metrics.render(&mut text);
        assert!(text.contains("\nwsecho_opens_total 7\n"));
        assert!(text.contains("\nwsecho_http_answers_total{status=\"404\"} 1\n"));
        assert!(text.contains("\nwsecho_http_answers_total{status=\"other\"} 1\n"));
        assert!(text.contains("\nwsecho_http_answers_total{status=\"511\"} 1\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            assert!(text.contains(&format!("# HELP {name} ")), "{line}");
            assert!(text.contains(&format!("# TYPE {name} ")), "{line}");
        }
        assert!(text.ends_with('\n'));
    }
}
