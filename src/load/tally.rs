//! What is counted while a load goes on, and the rows of each second that come of it.

use std::time::Duration;

use super::report::{Connections, Interval, Recorder, Second};

/// Counters that only grow while a window is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Messages that came back.
    pub messages: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Opening handshakes completed.
    pub opened: u64,
    /// Errors of all kinds. Those before the window count too.
    pub errors: u64,
}

/// What the processors did in a row, in percent of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Busy {
    /// This process.
    pub client_percent: f64,
    /// The server's.
    pub server_percent: Option<f64>,
    /// The server's resident memory.
    pub server_rss_kib: Option<u64>,
}

/// Counters and histograms of one phase.
pub struct Tally {
    /// What is measured, from and until; `None` before.
    window: Option<(Duration, Duration)>,
    /// A message belongs to the window if it was due in it, else if it came back in it.
    by_due: bool,
    /// Since the window began.
    pub counts: Counts,
    /// Connections since the phase began.
    pub connections: Connections,
    /// Connections that are open.
    pub open: u64,
    latency: Recorder,
    lateness: Recorder,
    handshake: Recorder,
    second: Recorder,
    row: Row,
    rows: Vec<Second>,
}

/// The row under way.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    since: Duration,
    before: Counts,
}

impl Tally {
    /// Nothing counted. `by_due` if messages count by when they were due: an open loop.
    pub fn new(by_due: bool) -> Self {
        Self {
            window: None,
            by_due,
            counts: Counts::default(),
            connections: Connections::default(),
            open: 0,
            latency: Recorder::new(),
            lateness: Recorder::new(),
            handshake: Recorder::new(),
            second: Recorder::new(),
            row: Row::default(),
            rows: Vec::new(),
        }
    }

    /// The measurement begins. In an open loop its end is known. In a closed one it is the moment
    /// at which it ends, so that no message is left out whose processor time is in.
    pub fn begin(&mut self, now: Duration, length: Duration) {
        let until = if self.by_due { now + length } else { Duration::MAX };
        self.window = Some((now, until));
        let errors = self.counts.errors;
        self.counts = Counts { errors, ..Counts::default() };
        self.latency.clear();
        self.lateness.clear();
        self.second.clear();
        self.rows.clear();
        self.row = Row { since: now, before: self.counts };
    }

    /// The measurement ends, or has ended when its time was over.
    pub fn cut(&mut self, now: Duration) {
        if let Some((from, until)) = &mut self.window {
            *until = (*until).min(now).max(*from);
        }
    }

    /// Seconds that are measured.
    pub fn seconds(&self) -> f64 {
        self.window.map_or(0.0, |(from, until)| (until - from).as_secs_f64())
    }

    #[inline]
    fn counts_at(&self, moment: Duration) -> bool {
        self.window.is_some_and(|(from, until)| from <= moment && moment < until)
    }

    /// Messages came back `now` that were sent, or due, at `due`.
    #[inline]
    pub fn answered(&mut self, due: Duration, messages: u64, now: Duration) {
        if self.counts_at(if self.by_due { due } else { now }) {
            self.counts.messages += messages;
            self.second.record_many(now.saturating_sub(due), messages);
        }
    }

    /// Messages with so much payload leave at a moment, or were due then.
    #[inline]
    pub fn sent(&mut self, messages: u64, bytes: u64, moment: Duration) {
        if self.counts_at(moment) {
            self.counts.sent += messages;
            self.counts.bytes_sent += bytes;
        }
    }

    /// A message of an open loop leaves `now` that was due before.
    #[inline]
    pub fn left(&mut self, due: Duration, bytes: u64, now: Duration) {
        self.sent(1, bytes, due);
        if self.counts_at(due) {
            self.lateness.record(now.saturating_sub(due));
        }
    }

    /// Payload came.
    #[inline]
    pub fn received(&mut self, bytes: u64, now: Duration) {
        if self.counts_at(now) {
            self.counts.bytes_received += bytes;
        }
    }

    /// An opening handshake is complete, `took` after connecting began.
    pub fn opened(&mut self, took: Duration) {
        self.handshake.record(took);
        self.counts.opened += 1;
        self.connections.opened += 1;
        self.open += 1;
        self.connections.open_max = self.connections.open_max.max(self.open);
    }

    /// When the row under way is a second long; `None` while nothing is measured.
    pub fn row_ends(&self) -> Option<Duration> {
        self.window.map(|_| self.row.since + Duration::from_secs(1))
    }

    /// Since when the row under way is.
    pub fn row_length(&self, now: Duration) -> Duration {
        now.saturating_sub(self.row.since)
    }

    /// Ends the row under way, and returns it. `utc` is the time of day, if the row keeps its
    /// latencies.
    pub fn end_row(&mut self, now: Duration, utc: Option<Duration>, busy: Busy) -> Option<&Second> {
        let (from, _) = self.window?;
        let (counts, before) = (self.counts, self.row.before);
        let second = &self.second;
        let length = now.saturating_sub(self.row.since);
        let interval = utc.map(|utc| Interval {
            utc: utc.saturating_sub(length),
            length,
            nanos_max: second.nanos_max(),
            histogram: second.encoded(),
        });
        self.rows.push(Second {
            at_s: (self.row.since - from).as_secs_f64(),
            length_s: length.as_secs_f64(),
            messages: counts.messages - before.messages,
            sent: counts.sent - before.sent,
            bytes_received: counts.bytes_received - before.bytes_received,
            errors: counts.errors.saturating_sub(before.errors),
            open: self.open,
            opened: counts.opened - before.opened,
            p50_us: second.quantile_us(0.5),
            p99_us: second.quantile_us(0.99),
            p999_us: second.quantile_us(0.999),
            max_us: second.quantile_us(1.0),
            client_cpu_percent: busy.client_percent,
            server_cpu_percent: busy.server_percent,
            server_rss_kib: busy.server_rss_kib,
            interval,
        });
        self.latency.add(&self.second);
        self.second.clear();
        self.row = Row { since: now, before: counts };
        self.rows.last()
    }

    /// True if something came since the last row.
    pub fn row_has_messages(&self) -> bool {
        self.counts.messages > self.row.before.messages
    }

    /// Latencies of the rows that have ended.
    pub fn latency(&self) -> &Recorder {
        &self.latency
    }

    /// By how much messages left later than they were due.
    pub fn lateness(&self) -> &Recorder {
        &self.lateness
    }

    /// Latencies of opening handshakes.
    pub fn handshake(&self) -> &Recorder {
        &self.handshake
    }

    /// The rows, which are taken out.
    pub fn take_rows(&mut self) -> Vec<Second> {
        std::mem::take(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_was_due_in_the_window_counts_whenever_it_comes() {
        for (by_due, expected) in [(true, 2), (false, 1)] {
            let mut tally = Tally::new(by_due);
            tally.answered(at(500), 1, at(600));
            tally.begin(at(1000), at(1000));
            tally.answered(at(1500), 1, at(1600));
            tally.cut(at(2000));
            tally.answered(at(1900), 1, at(2600));
            tally.answered(at(2000), 1, at(2600));
            assert_eq!(tally.counts.messages, expected);
            tally.end_row(at(2600), None, Busy::default());
            assert_eq!(tally.latency().count(), expected);
        }
    }

    #[test]
    fn rows_add_up() {
        let mut tally = Tally::new(false);
        tally.counts.errors = 3;
        tally.begin(at(1000), at(2000));
        tally.answered(at(1000), 2, at(1010));
        tally.sent(2, 10, at(1000));
        tally.counts.errors += 1;
        assert_eq!(tally.row_ends(), Some(at(2000)));
        tally.end_row(at(2000), None, Busy::default());
        tally.answered(at(2000), 5, at(2020));
        tally.end_row(at(2500), None, Busy::default());
        let rows = tally.take_rows();
        let of = |get: fn(&Second) -> u64| rows.iter().map(get).collect::<Vec<_>>();
        assert_eq!(of(|row| row.messages), [2, 5]);
        assert_eq!(of(|row| row.sent), [2, 0]);
        assert_eq!(of(|row| row.errors), [1, 0]);
        assert_eq!((rows[1].at_s, rows[1].length_s), (1.0, 0.5));
        assert!((rows[0].p50_us - 10_000.0).abs() < 10.0 && rows[1].max_us > 19_900.0);
    }

    #[test]
    fn a_closed_loop_is_measured_until_it_ends() {
        let mut tally = Tally::new(false);
        tally.begin(at(1000), at(1000));
        tally.answered(at(1900), 1, at(2004));
        tally.cut(at(2004));
        tally.answered(at(1900), 1, at(2004));
        assert_eq!((tally.counts.messages, tally.seconds()), (1, 1.004));
    }

    #[test]
    fn a_measurement_that_is_cut_has_the_time_it_had() {
        let mut tally = Tally::new(true);
        tally.begin(at(1000), at(9000));
        tally.cut(at(3500));
        assert!((tally.seconds() - 2.5).abs() < 1e-9);
        tally.answered(at(3600), 1, at(3700));
        assert_eq!(tally.counts.messages, 0);
    }
}
