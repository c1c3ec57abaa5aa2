//! The search for the highest rate that a server holds.
//!
//! Rates double until one is not held, and the gap is then halved until it is within five percent.
//! What was found is tried once more, and lowered until it is held again: a limit that holds only
//! at the second look is none. A rate that is not held gets a second chance at once, because one
//! hiccup of the machine is no limit of the server.
//!
//! It runs nothing itself: whoever drives it asks for a rate, loads the server with it, and tells
//! the figures. It sees no clock.

use super::report::{CLIENT_CPU_PERCENT_MAX, Figures, Limit, Threshold, Trial};

/// The highest rate held and the lowest not held are at most this far apart in the end.
const RESOLUTION: f64 = 1.05;

/// Share of a rate that has to come back for it to count as held.
const ACHIEVED_MIN: f64 = 0.98;

/// The lowest rate worth trying, in messages a second.
const RATE_MIN: f64 = 1.0;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Load the server with so many messages a second, and [`Search::tell`] what came of it.
    Try(f64),
    /// The search is over.
    Found(Limit),
}

/// Where the search stands.
///
/// | state    | held                          | not held                     |
/// |----------|-------------------------------|------------------------------|
/// | climb    | climb to twice the rate       | again, then narrow or sink   |
/// | sink     | narrow                        | again, then sink to half     |
/// | narrow   | narrow, in the end confirm    | again, then narrow or confirm|
/// | confirm  | found                         | again, then confirm lower    |
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Climb,
    Sink,
    Narrow,
    Confirm,
}

/// A search in progress.
#[derive(Clone, Debug)]
pub struct Search {
    bound: Threshold,
    ceiling: f64,
    state: State,
    /// The rate that is being tried.
    rate: f64,
    /// The highest rate that was held.
    low: f64,
    /// The lowest rate that was not held, and why.
    high: Option<(f64, &'static str)>,
    /// True if the rate has failed once and is being tried again.
    again: bool,
    trials: Vec<Trial>,
}

impl Search {
    /// Begins a search for the highest rate, in messages a second, at which `bound` is kept:
    /// from `start` on, and not beyond `ceiling`.
    pub fn new(bound: Threshold, start: f64, ceiling: f64) -> Self {
        let ceiling = ceiling.max(RATE_MIN);
        let rate = start.clamp(RATE_MIN, ceiling);
        let (low, high, again, trials) = (0.0, None, false, Vec::new());
        Self { bound, ceiling, state: State::Climb, rate, low, high, again, trials }
    }

    /// The rate to try now, in messages a second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// What has been tried so far.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Takes the figures of a run at [`Self::rate`], and says what to do next.
    pub fn tell(&mut self, figures: &Figures) -> Step {
        let fault = self.fault(figures);
        self.trials.push(Trial {
            rate: self.rate,
            achieved: figures.messages_per_second,
            p99_us: figures.latency_us.p99,
            errors: figures.errors_total(),
            client_cpu_percent: figures.client_cpu_percent,
            held: fault.is_none(),
        });
        match fault {
            None => self.held(),
            Some(_) if !self.again => {
                self.again = true;
                Step::Try(self.rate)
            }
            Some(reason) => self.not_held(reason),
        }
    }

    /// What has been found, as far as the search has come: for a run that is ended early.
    pub fn limit(&self) -> Limit {
        Limit {
            bound: self.bound.text().to_owned(),
            rate: self.low,
            reason: self.high.map_or("ceiling", |(_, reason)| reason).to_owned(),
            trials: self.trials.clone(),
        }
    }

    /// Why the rate was not held. A generator at its own limit comes first: then nothing is known
    /// about the server.
    fn fault(&self, figures: &Figures) -> Option<&'static str> {
        let late = !self.bound.judge(figures).passed;
        let short = figures.messages_per_second < self.rate * ACHIEVED_MIN;
        let failed = figures.errors_total() > 0;
        if !(late || short || failed) {
            return None;
        }
        Some(match figures.client_cpu_percent >= CLIENT_CPU_PERCENT_MAX {
            true => "client",
            false if failed => "errors",
            false if late => "latency",
            false => "rate",
        })
    }

    fn held(&mut self) -> Step {
        self.again = false;
        self.low = self.rate;
        match self.state {
            State::Confirm => return Step::Found(self.limit()),
            State::Climb if self.rate >= self.ceiling => return Step::Found(self.limit()),
            State::Climb => self.rate = (self.rate * 2.0).min(self.ceiling),
            State::Sink | State::Narrow => self.narrow(),
        }
        Step::Try(self.rate)
    }

    fn not_held(&mut self, reason: &'static str) -> Step {
        self.again = false;
        self.high = Some((self.rate, reason));
        match self.state {
            State::Climb | State::Narrow if self.low > 0.0 => self.narrow(),
            _ if self.rate <= RATE_MIN => {
                self.low = 0.0;
                return Step::Found(self.limit());
            }
            State::Climb | State::Sink | State::Narrow => self.sink(2.0, State::Sink),
            State::Confirm => self.sink(RESOLUTION, State::Confirm),
        }
        Step::Try(self.rate)
    }

    /// Goes to a lower rate, of which nothing is known.
    fn sink(&mut self, by: f64, state: State) {
        self.low = 0.0;
        self.state = state;
        self.rate = (self.rate / by).max(RATE_MIN);
    }

    /// Goes to the middle of what is open, or back to what was held if that is little.
    fn narrow(&mut self) {
        let high = self.high.map_or(self.ceiling, |(rate, _)| rate);
        if high / self.low <= RESOLUTION {
            self.state = State::Confirm;
            self.rate = self.low;
        } else {
            self.state = State::Narrow;
            self.rate = (self.low * high).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Latency;
    use super::*;

    /// A server that holds `capacity` messages a second. Beyond it, latency grows with the queue.
    fn server(capacity: f64) -> impl Fn(f64) -> Figures {
        move |rate| {
            let mut figures =
                Figures { messages_per_second: rate.min(capacity), ..Figures::default() };
            let p99 = if rate <= capacity { 900.0 } else { 900.0 + 1e6 * (rate / capacity - 1.0) };
            figures.latency_us = Latency { count: 1000, p99, ..Latency::default() };
            figures
        }
    }

    fn bound() -> Threshold {
        Threshold::parse("p99 < 5ms").expect("a threshold")
    }

    fn run(mut search: Search, mut server: impl FnMut(f64) -> Figures) -> Limit {
        for _ in 0..200 {
            let figures = server(search.rate());
            match search.tell(&figures) {
                Step::Try(rate) => assert_eq!(rate, search.rate()),
                Step::Found(limit) => return limit,
            }
        }
        panic!("no end: {:?}", search.trials());
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for capacity in [1.0, 7.0, 999.0, 12_345.0, 1_000_000.0, 9_999_999.0] {
            for start in [1.0, 1000.0, 3_000_000.0] {
                let limit = run(Search::new(bound(), start, 1e7), server(capacity));
                let found = limit.rate;
                assert!(
                    found <= capacity * 1.005 && found * RESOLUTION * 1.01 >= capacity,
                    "{capacity} from {start}: {found}"
                );
                let ceiling = if capacity * RESOLUTION > 1e7 { "ceiling" } else { "latency" };
                assert!(limit.reason == "latency" || limit.reason == ceiling, "{}", limit.reason);
                assert!(limit.trials.len() < 60, "{} trials", limit.trials.len());
            }
        }
    }

    #[test]
    fn the_last_trial_confirms_the_limit() {
        let limit = run(Search::new(bound(), 1000.0, 1e6), server(12_345.0));
        let last = limit.trials.last().expect("there were some");
        assert_eq!((last.rate, last.held), (limit.rate, true));
        let before = &limit.trials[..limit.trials.len() - 1];
        assert!(before.iter().any(|trial| trial.rate == limit.rate && trial.held), "twice held");
    }

    #[test]
    fn one_hiccup_is_no_limit() {
        let mut runs = 0;
        let limit = run(Search::new(bound(), 1000.0, 1e6), |rate| {
            runs += 1;
            // Each third run is disturbed, and never twice in a row.
            server(if runs % 3 == 2 { 1.0 } else { 50_000.0 })(rate)
        });
        assert!((50_000.0 / 1.06..=50_300.0).contains(&limit.rate), "{}", limit.rate);
    }

    #[test]
    fn a_limit_that_fades_is_lowered_until_it_is_held() {
        let mut runs = 0;
        let limit = run(Search::new(bound(), 10_000.0, 1e6), |rate| {
            runs += 1;
            server(if runs < 12 { 50_000.0 } else { 30_000.0 })(rate)
        });
        assert!((30_000.0 / 1.06..=30_200.0).contains(&limit.rate), "{}", limit.rate);
        assert!(limit.trials.last().expect("some").held);
    }

    #[test]
    fn the_reason_is_told() {
        let reason = |change: fn(&mut Figures, f64)| {
            let limit = run(Search::new(bound(), 1000.0, 1e6), |rate| {
                let mut figures = server(1e9)(rate);
                if rate > 10_000.0 {
                    change(&mut figures, rate);
                }
                figures
            });
            assert!((9_400.0..=10_000.0).contains(&limit.rate), "{limit:?}");
            limit.reason
        };
        let wrong = |figures: &mut Figures, _| {
            figures.errors.insert("payload".to_owned(), 1);
        };
        assert_eq!(reason(wrong), "errors");
        assert_eq!(reason(|figures, _| figures.messages_per_second = 10_000.0 * 0.97), "rate");
        assert_eq!(reason(|figures, _| figures.latency_us.p99 = 5000.0), "latency");
        assert_eq!(reason(|figures, _| figures.latency_us.count = 0), "latency");
        let busy = |figures: &mut Figures, _| {
            figures.client_cpu_percent = 99.0;
            figures.messages_per_second = 10_000.0 * 0.9;
        };
        assert_eq!(reason(busy), "client");
    }

    #[test]
    fn a_server_beyond_the_ceiling_is_not_asked_for_more() {
        let limit = run(Search::new(bound(), 1000.0, 6_000.0), |rate| {
            assert!(rate <= 6_000.0);
            server(1e9)(rate)
        });
        assert_eq!((limit.rate, limit.reason.as_str()), (6_000.0, "ceiling"));
    }

    #[test]
    fn a_server_that_holds_nothing_has_no_limit() {
        let limit = run(Search::new(bound(), 1_000_000.0, 1e7), server(0.1));
        assert_eq!((limit.rate, limit.reason.as_str()), (0.0, "latency"));
    }

    #[test]
    fn a_search_that_is_cut_short_tells_what_it_knows() {
        let mut search = Search::new(bound(), 1000.0, 1e6);
        assert_eq!(search.limit().rate, 0.0);
        let figures = server(1e9)(search.rate());
        assert_eq!(search.tell(&figures), Step::Try(2000.0));
        assert_eq!(search.limit().rate, 1000.0);
    }
}
