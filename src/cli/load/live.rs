//! Progress on stderr while a load runs: on a terminal one line that is rewritten, elsewhere a line
//! each second.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};

use crate::load::engine::Watch;
use crate::load::errors::{Errors, Kind};
use crate::load::report::Second;
use crate::load::report::sparkline;

/// Seconds that the sparkline shows.
const SPARK_SECONDS: usize = 20;

/// Columns of a line that is written over: longer ones would wrap, and stay.
const COLUMNS: usize = 79;

/// The progress of a run, for somebody who looks on.
pub struct Live<W> {
    out: W,
    terminal: bool,
    quiet: bool,
    rates: VecDeque<f64>,
    /// Kinds of errors whose first has been told.
    told: Vec<Kind>,
    /// A line stands there that is to be written over.
    dirty: bool,
}

impl Live<io::Stderr> {
    /// On stderr.
    pub fn on_stderr(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        Self::new(io::stderr(), terminal, quiet)
    }
}

impl<W: Write> Live<W> {
    fn new(out: W, terminal: bool, quiet: bool) -> Self {
        let (rates, told) = (VecDeque::new(), Vec::new());
        Self { out, terminal, quiet, rates, told, dirty: false }
    }

    /// Nothing more is to come; what comes next begins on a line of its own.
    pub fn end(&mut self) {
        if self.dirty {
            self.write("\r\x1b[K");
            self.dirty = false;
        }
    }

    /// A line that the next one may write over.
    fn passing(&mut self, line: &str) {
        if self.quiet {
            return;
        }
        if self.terminal {
            let cut: String = line.chars().take(COLUMNS).collect();
            self.write(&format!("\r\x1b[K{cut}"));
            self.dirty = true;
        } else {
            self.write(&format!("{line}\n"));
        }
    }

    /// A line that stays.
    fn lasting(&mut self, line: &str) {
        if !self.quiet {
            self.end();
            self.write(&format!("{line}\n"));
        }
    }

    fn write(&mut self, text: &str) {
        // A stderr that nobody reads is no reason not to measure.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write> Watch for Live<W> {
    fn begins(&mut self, what: &str) {
        self.rates.clear();
        self.lasting(&format!("-- {what}"));
    }

    fn opening(&mut self, open: u64, of: usize) {
        self.passing(&format!("{open} of {of} connections open"));
    }

    fn second(&mut self, row: &Second, errors: &Errors) {
        for (kind, _, words) in errors.kinds() {
            if !self.told.contains(&kind) {
                self.told.push(kind);
                self.lasting(&format!("first error of kind {}: {words}", kind.name()));
            }
        }
        if self.rates.len() == SPARK_SECONDS {
            self.rates.pop_front();
        }
        self.rates.push_back(row.messages_per_second());
        let mut line = format!(
            "{:4.0} s  {:>9.0} messages/s  p99 {:>9}  {} open",
            row.at_s + row.length_s,
            row.messages_per_second(),
            shown_us(row.p99_us),
            row.open,
        );
        if errors.total() > 0 {
            line += &format!("  {} errors", errors.total());
        }
        if self.terminal {
            let rates: Vec<f64> = self.rates.iter().copied().collect();
            line += &format!("  {}", sparkline(&rates, SPARK_SECONDS));
        }
        self.passing(&line);
    }
}

fn shown_us(us: f64) -> String {
    if us < 1000.0 { format!("{us:.0} us") } else { format!("{:.2} ms", us / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(messages: u64) -> Second {
        Second { at_s: 1.0, length_s: 1.0, messages, p99_us: 1234.0, open: 2, ..Second::default() }
    }

    fn shown(terminal: bool, quiet: bool, errors: &Errors) -> String {
        let mut live = Live::new(Vec::new(), terminal, quiet);
        live.begins("steady");
        live.opening(1, 2);
        live.second(&second(1000), errors);
        live.second(&second(2000), errors);
        live.end();
        String::from_utf8(live.out).expect("UTF-8")
    }

    #[test]
    fn plain_lines_where_there_is_no_terminal() {
        let expected = "-- steady\n1 of 2 connections open\n   \
                        2 s       1000 messages/s  p99   1.23 ms  2 open\n   \
                        2 s       2000 messages/s  p99   1.23 ms  2 open\n";
        assert_eq!(shown(false, false, &Errors::default()), expected);
        assert_eq!(shown(false, true, &Errors::default()), "");
    }

    #[test]
    fn one_line_that_is_written_over_on_a_terminal() {
        let text = shown(true, false, &Errors::default());
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.ends_with("\r\x1b[K") && text.contains('\u{2588}'), "{text:?}");
    }

    #[test]
    fn half_a_million_errors_are_one_line_for_each_kind() {
        let mut errors = Errors::default();
        errors.add_many(Kind::Payload, 500_000, || "byte 3 is wrong".to_owned());
        let text = shown(false, false, &errors);
        assert_eq!(text.matches("first error of kind payload: byte 3 is wrong\n").count(), 1);
        assert_eq!(text.matches("  500000 errors\n").count(), 2, "{text}");
    }
}
