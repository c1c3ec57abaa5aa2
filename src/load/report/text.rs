//! The report as a person reads it: 80 columns, the most wanted first, warnings last.

use std::fmt::{self, Display, Formatter, Write};

use super::units::{bytes, count, grouped, significant, time};
use super::{Figures, Latency, Limit, Report, Server, per_second};
use crate::text::is_invisible;

/// Columns of a terminal.
const COLUMNS: usize = 80;

/// Columns of what stands at the left.
const LABEL: usize = 14;

/// Columns of one latency: six of them beside a label.
const CELL: usize = 11;

/// Most cells of a sparkline.
const SPARK_CELLS: usize = 40;

/// Most errors that are shown by kind.
const ERRORS_SHOWN: usize = 12;

/// Small bars for values from 0 to the highest of them, at most `cells` of them: neighbours share
/// one if there are more values.
pub fn sparkline(values: &[f64], cells: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let share = values.len().div_ceil(cells.max(1)).max(1);
    let means: Vec<f64> =
        values.chunks(share).map(|part| part.iter().sum::<f64>() / part.len() as f64).collect();
    let highest = means.iter().copied().fold(0.0, f64::max);
    let bar = |mean: &f64| match highest > 0.0 {
        true => BARS[((mean / highest * 7.0).round().max(0.0) as usize).min(7)],
        false => BARS[0],
    };
    means.iter().map(bar).collect()
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.heading(out)?;
        self.traffic(out)?;
        latencies(out, &self.figures)?;
        if let Some(server) = &self.figures.server {
            process(out, server)?;
        }
        row(out, "generator", &percent(self.figures.client_cpu_percent))?;
        self.phases(out)?;
        if let Some(limit) = &self.limit {
            found(out, limit)?;
        }
        errors(out, &self.figures)?;
        self.thresholds(out)?;
        self.warnings(out)
    }
}

impl Report {
    fn heading(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} {}", self.generator, self.url)?;
        let seconds = |s: f64| format!("{} s", significant(s, 3));
        let mut words = format!("{}, {}", self.shape, seconds(self.figures.duration_s));
        if self.warmup_s > 0.0 {
            let _ = write!(words, " after {} of warm-up", seconds(self.warmup_s));
        }
        words += if self.verified { ", every echo verified" } else { ", echoes NOT verified" };
        writeln!(out, "{words}")?;
        let settings: Vec<String> = self
            .settings
            .iter()
            .map(|setting| format!("{} {}", setting.name, setting.value))
            .collect();
        for line in wrapped(&settings, ", ", COLUMNS) {
            writeln!(out, "{line}")?;
        }
        writeln!(out)
    }

    fn traffic(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let figures = &self.figures;
        let rates: Vec<f64> = self.seconds.iter().map(|s| s.messages_per_second()).collect();
        let line = format!("{}/s", count(figures.messages_per_second));
        let spark = sparkline(&rates, SPARK_CELLS);
        row(out, "messages", &format!("{:<14}{line:<12}{spark}", grouped(figures.messages)))?;
        let rate = per_second(figures.bytes_received, figures.duration_s);
        let received = bytes(figures.bytes_received as f64);
        row(out, "payload", &format!("{received:<14}{}/s received", bytes(rate)))?;
        let all = &figures.connections;
        let mut words = format!("{} opened", grouped(all.opened));
        for (number, word) in [(all.failed, "failed"), (all.lost, "lost"), (all.closed, "closed")] {
            if number > 0 {
                let _ = write!(words, ", {} {word}", grouped(number));
            }
        }
        let _ = write!(words, ", {} at a time", grouped(all.open_max));
        row(out, "connections", &words)?;
        if figures.pings > 0 {
            row(out, "pings", &format!("{} answered", grouped(figures.pings)))?;
        }
        if let Some(room) = &figures.broadcast {
            let (expected, delivered) = (grouped(room.expected), grouped(room.delivered));
            row(
                out,
                "deliveries",
                &format!("{delivered} of {expected} to {} members", room.members),
            )?;
            let (lost, again) = (grouped(room.lost), grouped(room.repeated));
            let reordered = grouped(room.reordered);
            row(out, "", &format!("{lost} lost, {again} repeated, {reordered} out of order"))?;
        }
        if let Some(open) = &figures.open_loop {
            let (rate, sent) = (count(open.rate), count(open.sent_per_second));
            row(
                out,
                "rate",
                &format!("{rate}/s due, {sent}/s sent, {} unsent", grouped(open.unsent)),
            )?;
        }
        writeln!(out)
    }

    fn phases(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if self.phases.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<22}{:<8}{:>8}{:>11}{:>10}{:>11}{:>10}",
            "phase", "kind", "time", "messages/s", "p50", "p99", "errors"
        )?;
        for phase in &self.phases {
            let figures = &phase.figures;
            let name: String = phase.name.chars().take(21).collect();
            writeln!(
                out,
                "{name:<22}{:<8}{:>8}{:>11}{:>10}{:>11}{:>10}",
                phase.kind,
                time(figures.duration_s * 1e6),
                count(figures.messages_per_second),
                time(figures.latency_us.p50),
                time(figures.latency_us.p99),
                grouped(figures.errors_total()),
            )?;
        }
        Ok(())
    }

    fn thresholds(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (at, (phase, verdict)) in self.verdicts().enumerate() {
            let label = if at == 0 { "thresholds" } else { "" };
            let word = if verdict.passed { "kept  " } else { "BROKEN" };
            let place = phase.map_or(String::new(), |name| format!(" in {name}"));
            let words = format!("{word}  {}{place}: {}", verdict.threshold, verdict.measured);
            row(out, label, &words)?;
        }
        Ok(())
    }

    /// What a reader has to know before believing the figures.
    fn warnings(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let busy = format!(
            "warning: the generator was the bottleneck ({} of a CPU): these figures are its own, \
             and the server may well be faster",
            percent_only(self.figures.client_cpu_percent)
        );
        let warnings = [
            (self.client_was_bottleneck, busy.as_str()),
            (self.interrupted, "warning: ended early; these are the figures until then"),
        ];
        for (_, warning) in warnings.iter().filter(|(holds, _)| *holds) {
            let words: Vec<String> = warning.split(' ').map(str::to_owned).collect();
            writeln!(out)?;
            for line in wrapped(&words, " ", COLUMNS) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }
}

fn row(out: &mut Formatter<'_>, label: &str, words: &str) -> fmt::Result {
    writeln!(out, "{}", format!("{label:<LABEL$}{words}").trim_end())
}

fn latencies(out: &mut Formatter<'_>, figures: &Figures) -> fmt::Result {
    let late = figures.open_loop.as_ref().map(|open| &open.lateness_us);
    let rows = [
        ("latency", Some(&figures.latency_us)),
        ("sent late by", late),
        ("handshake", Some(&figures.handshake_us)),
    ];
    let rows = rows.into_iter().filter_map(|(label, latency)| Some((label, latency?)));
    let shown: Vec<(&str, &Latency)> = rows.filter(|(_, latency)| latency.count > 0).collect();
    if shown.is_empty() {
        return Ok(());
    }
    write!(out, "{:LABEL$}", "")?;
    for name in ["p50", "p90", "p99", "p99.9", "p99.99", "max"] {
        write!(out, "{name:>CELL$}")?;
    }
    writeln!(out)?;
    for (label, latency) in shown {
        write!(out, "{label:<LABEL$}")?;
        let Latency { p50, p90, p99, p999, p9999, max, .. } = latency;
        for us in [p50, p90, p99, p999, p9999, max] {
            write!(out, "{:>CELL$}", time(*us))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn process(out: &mut Formatter<'_>, server: &Server) -> fmt::Result {
    let us = |value: f64| significant(value, 3);
    let cpu = format!(
        "{} us of CPU a message ({} user, {} system), {}",
        us(server.cpu_us_per_message),
        us(server.user_us_per_message),
        us(server.system_us_per_message),
        percent(server.cpu_percent),
    );
    row(out, "server", &cpu)?;
    let kib = |kib: u64| bytes(kib as f64 * 1024.0);
    let each = server
        .rss_bytes_per_connection
        .map_or(String::new(), |each| format!(", {} a connection", bytes(each.max(0.0))));
    let (now, start) = (kib(server.rss_kib), kib(server.rss_start_kib));
    row(out, "", &format!("{now} resident, {start} at start{each}"))?;
    let switches = [server.voluntary_switches, server.involuntary_switches].map(grouped);
    let [voluntary, involuntary] = switches;
    row(out, "", &format!("context switches: {voluntary} voluntary, {involuntary} involuntary"))
}

fn found(out: &mut Formatter<'_>, limit: &Limit) -> fmt::Result {
    let beyond = match limit.reason.as_str() {
        "latency" => "beyond it, latency passes the bound",
        "errors" => "beyond it, there are errors",
        "rate" => "beyond it, the server answers fewer than it is sent",
        "client" => "beyond it, the generator is the bottleneck",
        _ => "the highest rate that was to be tried",
    };
    writeln!(out)?;
    row(out, "limit", &format!("{}/s with {}", count(limit.rate), limit.bound))?;
    row(out, "", beyond)
}

fn errors(out: &mut Formatter<'_>, figures: &Figures) -> fmt::Result {
    writeln!(out)?;
    if figures.errors.is_empty() {
        return row(out, "errors", "none");
    }
    row(out, "errors", &grouped(figures.errors_total()))?;
    for (kind, number) in figures.errors.iter().take(ERRORS_SHOWN) {
        row(out, "", &format!("{:>8}  {kind}", grouped(*number)))?;
        if let Some(example) = figures.error_examples.get(kind) {
            let shown: String = example.chars().filter(|c| !is_invisible(*c)).take(50).collect();
            row(out, "", &format!("{:>8}  first: {shown}", ""))?;
        }
    }
    let hidden = figures.errors.len().saturating_sub(ERRORS_SHOWN);
    if hidden > 0 { row(out, "", &format!("and {hidden} kinds more")) } else { Ok(()) }
}

fn percent(value: f64) -> String {
    format!("{} of a CPU", percent_only(value))
}

fn percent_only(value: f64) -> String {
    format!("{}%", significant(value, 2))
}

/// Pieces in lines of at most so many columns. A longer piece has a line of its own.
fn wrapped(pieces: &[String], between: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line)
                if line.chars().count() + between.len() + piece.chars().count() < columns =>
            {
                line.push_str(between);
                line.push_str(piece);
            }
            _ => lines.push(piece.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_goes_from_nothing_to_the_highest() {
        assert_eq!(sparkline(&[0.0, 7.0, 3.5], 40), "▁█▅");
        assert_eq!(sparkline(&[1.0, 1.0, 4.0, 4.0, 0.0], 3), "▃█▁", "two share a bar");
        assert_eq!(sparkline(&[0.0, 0.0], 9), "▁▁");
        assert_eq!(sparkline(&[], 9), "");
    }

    #[test]
    fn pieces_are_wrapped() {
        let pieces: Vec<String> = ["ab", "cd", "efghijkl", "m"].map(str::to_owned).to_vec();
        assert_eq!(wrapped(&pieces, ", ", 8), ["ab, cd", "efghijkl", "m"]);
    }
}
