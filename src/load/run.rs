//! A whole run: its phases one after the other, or the rates of a search, and one report.

use std::io;

use super::engine::{Engine, Outcome, Target, Watch};
use super::plan::Plan;
use super::report::{
    CLIENT_CPU_PERCENT_MAX, Connections, Figures, Limit, Machine, Phase as Reported, Recorder,
    Report, SCHEMA, Second, Server, Setting, Threshold, Verdict, per_second, time_of_day,
};
use super::search::{Search, Step};
use crate::net::dial::Dial;

/// The rate that a search begins with, in messages a second, unless one is given.
const SEARCH_START: f64 = 1000.0;

/// The highest rate that a search tries.
const SEARCH_CEILING: f64 = 1e8;

/// One phase of a run.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Its name in a scenario; empty if it is the only one.
    pub name: String,
    /// What it does.
    pub plan: Plan,
    /// What has to hold for it alone.
    pub thresholds: Vec<Threshold>,
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The server's URL, as it was given, or those of several with commas.
    pub url: String,
    /// Where that is.
    pub targets: Vec<Target>,
    /// The server's process, if it is known.
    pub server_pid: Option<u32>,
    /// At least one.
    pub phases: Vec<Phase>,
    /// The name of the scenario that they come from.
    pub scenario: Option<String>,
    /// The bound of a search for the highest rate, with the first phase's plan.
    pub search: Option<Threshold>,
    /// What has to hold for the whole run.
    pub thresholds: Vec<Threshold>,
    /// What is shown of the options.
    pub settings: Vec<Setting>,
    /// Rows keep their latencies, for a log of them.
    pub keeps_intervals: bool,
}

/// Runs a job.
///
/// # Errors
///
/// A poll that fails. What is wrong with the server is in the report.
pub fn run<D: Dial>(job: &Job, net: D, watch: &mut dyn Watch) -> io::Result<Report> {
    let mut engine = Engine::new(net, job.targets.clone(), job.server_pid);
    if job.keeps_intervals {
        engine.keep_intervals();
    }
    let started = time_of_day(engine.utc());
    let mut sum = Sum::default();
    let mut limit = None;
    match &job.search {
        Some(bound) => limit = Some(search(job, bound, &mut engine, &mut sum, watch)?),
        None => {
            for phase in &job.phases {
                if !phase.name.is_empty() {
                    watch.begins(&phase.name);
                }
                let outcome = engine.run(&phase.plan, watch)?;
                sum.add(phase, outcome);
                if engine.was_interrupted() {
                    break;
                }
            }
        }
    }
    // Who does not wait for the connections to be closed has seen all of the load.
    let interrupted = engine.was_interrupted();
    engine.finish()?;
    Ok(sum.report(job, started, interrupted, limit))
}

/// Tries rates until the search is over.
fn search<D: Dial>(
    job: &Job,
    bound: &Threshold,
    engine: &mut Engine<D>,
    sum: &mut Sum,
    watch: &mut dyn Watch,
) -> io::Result<Limit> {
    let phase = &job.phases[0];
    let start = phase.plan.rate.unwrap_or(SEARCH_START);
    let mut search = Search::new(bound.clone(), start, SEARCH_CEILING);
    loop {
        let rate = search.rate();
        watch.begins(&format!("{rate:.0} messages a second"));
        let plan = Plan { rate: Some(rate), ..phase.plan.clone() };
        let outcome = engine.run(&plan, watch)?;
        if engine.was_interrupted() {
            return Ok(search.limit());
        }
        let nobody = outcome.figures.connections.open_max == 0;
        let step = search.tell(&outcome.figures);
        sum.add(phase, outcome);
        match step {
            Step::Found(limit) => return Ok(limit),
            Step::Try(_) if nobody => return Ok(search.limit()),
            Step::Try(_) => {}
        }
    }
}

/// What all phases came to.
#[derive(Default)]
struct Sum {
    phases: Vec<Reported>,
    seconds: Vec<Second>,
    latency: Recorder,
    handshake: Recorder,
    length_s: f64,
}

impl Sum {
    fn add(&mut self, phase: &Phase, outcome: Outcome) {
        let Outcome { figures, seconds, latency, handshake } = outcome;
        let at_s = self.length_s;
        self.length_s += figures.duration_s;
        let moved = |second: Second| Second { at_s: at_s + second.at_s, ..second };
        self.seconds.extend(seconds.into_iter().map(moved));
        self.latency.add(&latency);
        self.handshake.add(&handshake);
        let thresholds = phase.thresholds.iter().map(|threshold| threshold.judge(&figures));
        let thresholds = thresholds.collect();
        let kind = phase.plan.shape_in_words().to_owned();
        self.phases.push(Reported { name: phase.name.clone(), kind, at_s, figures, thresholds });
    }

    fn report(self, job: &Job, started: String, interrupted: bool, limit: Option<Limit>) -> Report {
        let plan = &job.phases[0].plan;
        let figures = self.figures();
        let judge = |threshold: &Threshold| threshold.judge(&figures);
        let thresholds: Vec<Verdict> = job.thresholds.iter().map(judge).collect();
        let shape = match (&job.scenario, &limit) {
            (Some(name), _) => format!("scenario {name}"),
            (None, Some(_)) => "find limit".to_owned(),
            (None, None) => plan.shape_in_words().to_owned(),
        };
        let busiest = figures.client_cpu_percent;
        let phases = if job.scenario.is_some() { self.phases } else { Vec::new() };
        let of_phases = phases.iter().map(|phase| phase.figures.client_cpu_percent);
        let busiest = of_phases.fold(busiest, f64::max);
        Report {
            schema: SCHEMA,
            generator: concat!("wsecho ", env!("CARGO_PKG_VERSION")).to_owned(),
            started,
            url: job.url.clone(),
            shape,
            settings: job.settings.clone(),
            machine: Machine::here(),
            warmup_s: plan.warmup.as_secs_f64(),
            verified: job.phases.iter().all(|phase| phase.plan.verify),
            interrupted,
            client_was_bottleneck: busiest >= CLIENT_CPU_PERCENT_MAX,
            figures,
            seconds: self.seconds,
            phases,
            thresholds,
            limit,
        }
    }

    /// The figures of all phases together.
    fn figures(&self) -> Figures {
        if let [only] = &self.phases[..] {
            return only.figures.clone();
        }
        let all = || self.phases.iter().map(|phase| &phase.figures);
        let count = |of: fn(&Figures) -> u64| all().map(of).sum::<u64>();
        let mut sum = Figures {
            duration_s: self.length_s,
            messages: count(|f| f.messages),
            messages_per_second: per_second(count(|f| f.messages), self.length_s),
            messages_sent: count(|f| f.messages_sent),
            bytes_sent: count(|f| f.bytes_sent),
            bytes_received: count(|f| f.bytes_received),
            latency_us: self.latency.latency(),
            handshake_us: self.handshake.latency(),
            connections: Connections {
                opened: count(|f| f.connections.opened),
                failed: count(|f| f.connections.failed),
                closed: count(|f| f.connections.closed),
                lost: count(|f| f.connections.lost),
                open_max: all().map(|f| f.connections.open_max).max().unwrap_or(0),
            },
            pings: count(|f| f.pings),
            ..Figures::default()
        };
        for figures in all() {
            for (kind, count) in &figures.errors {
                *sum.errors.entry(kind.clone()).or_default() += count;
            }
            for (kind, words) in &figures.error_examples {
                sum.error_examples.entry(kind.clone()).or_insert_with(|| words.clone());
            }
            let share = figures.duration_s / self.length_s.max(f64::MIN_POSITIVE);
            sum.client_cpu_percent += figures.client_cpu_percent * share;
        }
        sum.server = self.server(sum.messages);
        sum
    }

    /// The server's process over all phases, each weighed by its messages or its time.
    fn server(&self, messages: u64) -> Option<Server> {
        let last = self.phases.last()?.figures.server.clone()?;
        let first = self.phases.first()?.figures.server.clone()?;
        let weighed = |of: fn(&Server) -> f64, weight: &dyn Fn(&Figures) -> f64| {
            let phases = self.phases.iter().map(|phase| &phase.figures);
            phases.filter_map(|f| Some(of(f.server.as_ref()?) * weight(f))).sum::<f64>()
        };
        let by_messages = |f: &Figures| f.messages.max(1) as f64 / messages.max(1) as f64;
        let by_time = |f: &Figures| f.duration_s / self.length_s.max(f64::MIN_POSITIVE);
        let switches = |of: fn(&Server) -> u64| {
            self.phases.iter().filter_map(|p| p.figures.server.as_ref()).map(of).sum()
        };
        Some(Server {
            cpu_us_per_message: weighed(|s| s.cpu_us_per_message, &by_messages),
            user_us_per_message: weighed(|s| s.user_us_per_message, &by_messages),
            system_us_per_message: weighed(|s| s.system_us_per_message, &by_messages),
            cpu_percent: weighed(|s| s.cpu_percent, &by_time),
            rss_start_kib: first.rss_start_kib,
            rss_bytes_per_connection: None,
            voluntary_switches: switches(|s| s.voluntary_switches),
            involuntary_switches: switches(|s| s.involuntary_switches),
            ..last
        })
    }
}
