//! The report as one page that needs nothing from outside: figures, charts, settings, machine.

mod charts;
mod markup;

use self::markup::{Page, escaped};
use super::units::{bytes, count, grouped, significant, time};
use super::{Figures, Latency, Report};

/// Light and dark, and the colours of the charts.
const STYLE: &str = include_str!("page.css");

impl Report {
    /// The report as a page.
    pub fn html(&self) -> String {
        let mut page = Page::default();
        let title = escaped(&self.url);
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw(&format!("<title>Load of {title}</title>\n<style>\n{STYLE}</style>\n</head>\n"));
        page.raw("<body>\n<main>\n");
        self.masthead(&mut page);
        self.notes(&mut page);
        self.tiles(&mut page);
        self.charts(&mut page);
        self.percentiles(&mut page);
        self.phase_table(&mut page);
        self.threshold_table(&mut page);
        self.limit_table(&mut page);
        self.error_table(&mut page);
        self.circumstances(&mut page);
        page.raw("</main>\n</body>\n</html>\n");
        page.0
    }

    fn masthead(&self, page: &mut Page) {
        let figures = &self.figures;
        let warmup = match self.warmup_s > 0.0 {
            true => format!(" after {} s of warm-up", significant(self.warmup_s, 3)),
            false => String::new(),
        };
        let checked = if self.verified { "every echo verified" } else { "echoes not verified" };
        page.raw(&format!(
            "<header>\n<h1>{}</h1>\n<p>{}, {} s{warmup}, {checked}; {}</p>\n</header>\n",
            escaped(&self.url),
            escaped(&self.shape),
            significant(figures.duration_s, 3),
            escaped(&self.started),
        ));
    }

    /// What a reader has to know before believing the figures.
    fn notes(&self, page: &mut Page) {
        let broken = self.verdicts().filter(|(_, verdict)| !verdict.passed).count();
        if broken > 0 {
            let words = if broken == 1 { "threshold is" } else { "thresholds are" };
            page.note("note bad", &format!("{broken} {words} broken."));
        }
        if self.client_was_bottleneck {
            page.note(
                "note",
                "The generator was the bottleneck: these figures are its own, and the server may \
                 well be faster.",
            );
        }
        if self.interrupted {
            page.note("note", "The run was ended early; these are the figures until then.");
        }
    }

    fn tiles(&self, page: &mut Page) {
        let figures = &self.figures;
        let latency = &figures.latency_us;
        page.raw("<dl class=\"tiles\">\n");
        let all = format!("{} in all", grouped(figures.messages));
        page.tile("messages/s", &count(figures.messages_per_second), &all);
        if latency.count > 0 {
            page.tile("median", &time(latency.p50), &format!("mean {}", time(latency.mean)));
            let further = format!("p99.9 {}", time(latency.p999));
            page.tile("p99", &time(latency.p99), &further);
            page.tile("longest", &time(latency.max), "");
        }
        let opened = format!("{} opened", grouped(figures.connections.opened));
        page.tile("connections", &grouped(figures.connections.open_max), &opened);
        let kinds = format!("of {} kinds", figures.errors.len());
        let kinds = if figures.errors.is_empty() { "" } else { &kinds };
        page.tile("errors", &grouped(figures.errors_total()), kinds);
        if let Some(server) = &figures.server {
            let each = format!("{} us", significant(server.cpu_us_per_message, 3));
            let memory = bytes(server.rss_kib as f64 * 1024.0);
            let resident = format!("a message; {memory} resident");
            page.tile("server CPU", &each, &resident);
        }
        page.raw("</dl>\n");
    }

    fn charts(&self, page: &mut Page) {
        if !self.seconds.is_empty() {
            page.chart("Throughput", "messages a second", &charts::throughput(self).svg());
        }
        if let Some(chart) = charts::latency(self) {
            let hint = "of the messages that came back in each second, logarithmic";
            page.chart("Latency over time", hint, &chart.svg());
        }
        if let Some(chart) = charts::distribution(self) {
            let hint = "the share of messages that took so long or less; each mark further right \
                        is ten times as rare";
            page.chart("Latency by percentile", hint, &chart.svg());
        }
        if let Some(chart) = charts::connections(self) {
            page.chart("Connections", "open at the end of each second", &chart.svg());
        }
        if let Some(chart) = charts::processors(self) {
            page.chart("CPU", "percent of one processor", &chart.svg());
        }
    }

    fn percentiles(&self, page: &mut Page) {
        let figures = &self.figures;
        let late = figures.open_loop.as_ref().map(|open| &open.lateness_us);
        let rows = [
            ("latency", Some(&figures.latency_us)),
            ("sent late by", late),
            ("handshake", Some(&figures.handshake_us)),
        ];
        let rows: Vec<(&str, &Latency)> = rows
            .into_iter()
            .filter_map(|(name, latency)| Some((name, latency.filter(|l| l.count > 0)?)))
            .collect();
        if rows.is_empty() {
            return;
        }
        page.begin("Percentiles");
        let names = ["", "count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
        page.table(&names, 1, |table| {
            for (name, of) in rows {
                let mut cells = vec![name.to_owned(), grouped(of.count)];
                let values = [of.min, of.p50, of.p90, of.p99, of.p999, of.p9999, of.max];
                cells.extend(values.map(time));
                table.row(&cells, 1);
            }
        });
        page.end();
    }

    fn phase_table(&self, page: &mut Page) {
        if self.phases.is_empty() {
            return;
        }
        page.begin("Phases");
        let names = ["phase", "kind", "time", "messages/s", "p50", "p99", "max", "errors"];
        page.table(&names, 2, |table| {
            for phase in &self.phases {
                let Figures { duration_s, latency_us, .. } = &phase.figures;
                let cells = [
                    phase.name.clone(),
                    phase.kind.clone(),
                    time(duration_s * 1e6),
                    count(phase.figures.messages_per_second),
                    time(latency_us.p50),
                    time(latency_us.p99),
                    time(latency_us.max),
                    grouped(phase.figures.errors_total()),
                ];
                table.row(&cells, 2);
            }
        });
        page.end();
    }

    fn threshold_table(&self, page: &mut Page) {
        if self.verdicts().next().is_none() {
            return;
        }
        page.begin("Thresholds");
        page.table(&["threshold", "of", "measured", ""], 4, |table| {
            for (of, verdict) in self.verdicts() {
                let (threshold, measured) =
                    (escaped(&verdict.threshold), escaped(&verdict.measured));
                let word = match verdict.passed {
                    true => "<td class=\"good\">✓ kept",
                    false => "<td class=\"bad\">✗ broken",
                };
                let of = escaped(of.unwrap_or("whole run"));
                let cells = format!("<td>{threshold}</td><td>{of}</td><td>{measured}</td>{word}");
                table.raw(&format!("<tr>{cells}</td></tr>\n"));
            }
        });
        page.end();
    }

    fn limit_table(&self, page: &mut Page) {
        let Some(limit) = &self.limit else { return };
        page.begin("Highest rate");
        let words =
            format!("{}/s with {}; what ends it: {}", count(limit.rate), limit.bound, limit.reason);
        page.hint(&words);
        page.table(&["asked for", "came back", "p99", "errors", "generator", "held"], 0, |table| {
            for trial in &limit.trials {
                let cells = [
                    format!("{}/s", count(trial.rate)),
                    format!("{}/s", count(trial.achieved)),
                    time(trial.p99_us),
                    grouped(trial.errors),
                    format!("{}%", significant(trial.client_cpu_percent, 2)),
                    if trial.held { "yes".to_owned() } else { "no".to_owned() },
                ];
                table.row(&cells, 0);
            }
        });
        page.end();
    }

    fn error_table(&self, page: &mut Page) {
        let figures = &self.figures;
        if figures.errors.is_empty() {
            return;
        }
        page.begin("Errors");
        page.table(&["kind", "first of them", "count"], 2, |table| {
            for (kind, number) in &figures.errors {
                let example = figures.error_examples.get(kind).cloned().unwrap_or_default();
                table.row(&[kind.clone(), example, grouped(*number)], 2);
            }
        });
        page.end();
    }

    fn circumstances(&self, page: &mut Page) {
        page.raw("<div class=\"pair\">\n");
        page.begin("Settings");
        page.table(&[], 2, |table| {
            for setting in &self.settings {
                table.row(&[setting.name.clone(), setting.value.clone()], 2);
            }
        });
        page.end();
        page.begin("Machine of the generator");
        let machine = &self.machine;
        let memory = bytes(machine.memory_kib as f64 * 1024.0);
        let mut rows = vec![
            ("processor", machine.cpu.clone()),
            ("processors", machine.cpus.to_string()),
            ("memory", memory),
            ("kernel", machine.kernel.clone()),
            ("generator", self.generator.clone()),
            ("its CPU", format!("{}%", significant(self.figures.client_cpu_percent, 2))),
        ];
        if let Some(server) = &self.figures.server {
            let parts = [server.user_us_per_message, server.system_us_per_message];
            let [user, system] = parts.map(|us| significant(us, 3));
            rows.push(("server CPU", format!("{}%", significant(server.cpu_percent, 2))));
            rows.push(("for each message", format!("{user} us user, {system} us system")));
        }
        page.table(&[], 2, |table| {
            for (name, value) in rows {
                table.row(&[name.to_owned(), value], 2);
            }
        });
        page.end();
        page.raw("</div>\n");
    }
}
