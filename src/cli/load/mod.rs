//! `wsecho load`: what was asked for, and what is said about it.

mod draft;
mod live;
mod options;
mod scenario;
mod sizes;
mod way;
mod whole;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};

use super::spec::{self, Environment};
use crate::http::shown_target;
use crate::limits::RESERVED_DESCRIPTORS;
use crate::load::report::{Report, Saved, Setting, Threshold, Verdict, compare};
use crate::load::run::{self, Job, Phase};
use crate::net::listen::DescriptorLimit;
use crate::net::mio_dial::MioDial;
use crate::net::signals;
use draft::Draft;
use live::Live;
pub(super) use options::PLAN_OPTIONS;
use scenario::Scenario;
use way::Way;
pub(super) use whole::WHOLE_OPTIONS;
use whole::Whole;

/// Exit status after a second signal.
const IMPATIENT_STATUS: i32 = 1;

/// What the files end in that HdrHistogram's plotter of percentiles reads.
const PERCENTILES: &str = "hgrm";

/// Closing words of `wsecho load --help`.
const NOTES: &str = "\
TIME ends in ms, s, m or h. SIZES are in bytes, or end in k or m. Variables are
named after the options: WSECHO_LOAD_RATE is --rate. Flags win. Exits 0 if all
thresholds hold, 1 if not or if no connection was made. No certificate is
trusted by default: wss:// needs --ca or --insecure.
docs/load.md is a tutorial.";

/// A load as it was asked for.
#[derive(Clone, Debug)]
pub struct Load {
    /// One, or those of several servers.
    urls: Vec<String>,
    phases: Vec<Phase>,
    scenario: Option<String>,
    thresholds: Vec<Threshold>,
    settings: Vec<Setting>,
    whole: Whole,
}

/// The subcommand.
pub(super) fn command() -> Command {
    // Its many options are not made for a server that has no use for them.
    Command::new("load")
        .about("Loads a WebSocket server with many clients and measures it")
        .defer(with_options)
}

fn with_options(command: Command) -> Command {
    command
        .arg(Arg::new("url").value_name("URL").num_args(1..).help(
            "ws://HOST[:PORT][/PATH] of an echo, or of a\n\
             room with --broadcast; wss:// with TLS,\n\
             unix:FILE[:/PATH] at a Unix socket,\n\
             tcp://HOST:PORT of a bare TCP echo, which\n\
             sends back each byte and knows no WebSocket.\n\
             Several take turns with the connections",
        ))
        .args(spec::arguments(PLAN_OPTIONS, &Draft::default()))
        .args(spec::arguments(WHOLE_OPTIONS, &Whole::default()))
        .disable_help_flag(true)
        .arg(super::help().help("Print this").help_heading("Output"))
        .after_help(NOTES)
}

/// Rows of both tables for the list of options.
#[cfg(test)]
pub(super) fn table() -> String {
    spec::table(PLAN_OPTIONS, &Draft::default(), "load ")
        + &spec::table(WHOLE_OPTIONS, &Whole::default(), "load ")
}

impl Load {
    /// What the command line asks for. Flags win over the scenario, whose phases win over what
    /// stands above them, and that over variables.
    pub(super) fn parse(matches: &ArgMatches, environment: &Environment) -> Result<Self, String> {
        let mut whole = Whole::default();
        spec::apply(WHOLE_OPTIONS, matches, environment, &mut whole)?;
        let given = matches.get_many::<String>("url").into_iter().flatten();
        let mut urls: Vec<String> = given.cloned().collect();
        let mut base = Draft::default();
        for option in PLAN_OPTIONS {
            option.apply_variable(environment, &mut base)?;
        }
        let scenario = whole.scenario.as_deref().map(Scenario::read).transpose()?;
        if let Some(scenario) = &scenario {
            base.next_level();
            scenario.apply_common(&mut base)?;
        }
        if urls.is_empty() {
            urls.extend(scenario.as_ref().and_then(|scenario| scenario.url.clone()));
        }
        base.plan.bare = way::bare(&urls)?;
        if whole.compare.is_some() && urls.len() > 1 {
            return Err("--compare takes one report beside its own".to_owned());
        }
        let mut thresholds = std::mem::take(&mut base.thresholds);
        let count = scenario.as_ref().map_or(1, |scenario| scenario.phases().count());
        let mut phases = Vec::new();
        for nth in 0..count {
            let (phase, named) = phase(scenario.as_ref(), nth, &base, matches)?;
            phases.push(phase);
            if nth == 0 {
                thresholds.extend(named);
            }
        }
        if whole.find_limit.is_some() && (scenario.is_some() || !thresholds.is_empty()) {
            return Err("--find-limit goes with neither --scenario nor --threshold".to_owned());
        }
        base.next_level();
        for option in PLAN_OPTIONS {
            option.apply_flags(matches, &mut base)?;
        }
        let settings = settings(&base);
        let scenario = scenario.map(|scenario| scenario.name);
        Ok(Self { urls, phases, scenario, thresholds, settings, whole })
    }

    fn job(&self, way: &Way) -> Result<Job, String> {
        if let Some(pid) = self.whole.server_pid.filter(|pid| !runs(*pid)) {
            return Err(format!("there is no process {pid}"));
        }
        let limit = DescriptorLimit::raise().now.and_then(|limit| usize::try_from(limit).ok());
        let room = limit.unwrap_or(usize::MAX).saturating_sub(RESERVED_DESCRIPTORS);
        let needed = self.phases.iter().map(|phase| phase.plan.connections).max().unwrap_or(0);
        if needed > room {
            return Err(format!("the limit on open files leaves room for {room} connections only"));
        }
        Ok(Job {
            url: self.shown(),
            targets: way.targets.clone(),
            server_pid: self.whole.server_pid,
            phases: self.phases.clone(),
            scenario: self.scenario.clone(),
            search: self.whole.find_limit.clone(),
            thresholds: self.thresholds.clone(),
            settings: self.settings.clone(),
            keeps_intervals: self.whole.hdr.is_some(),
        })
    }

    /// The URLs without what is secret in them.
    fn shown(&self) -> String {
        let shown: Vec<_> = self.urls.iter().map(|url| shown_target(url)).collect();
        shown.join(", ")
    }

    /// What the report means for the exit status.
    fn verdict(&self, report: &Report) -> Result<(), String> {
        let figures = &report.figures;
        let of_phases = report.phases.iter().flat_map(|phase| {
            phase.thresholds.iter().map(move |verdict| (phase.name.as_str(), verdict))
        });
        let of_run = report.thresholds.iter().map(|verdict| ("", verdict));
        let all: Vec<(&str, &Verdict)> = of_run.chain(of_phases).collect();
        let broken = all.iter().filter(|(_, verdict)| !verdict.passed);
        let broken: Vec<String> =
            broken.map(|(phase, verdict)| broken_line(phase, verdict)).collect();
        if !broken.is_empty() {
            return Err(format!("threshold not met: {}", broken.join("; ")));
        }
        let connections = &figures.connections;
        if connections.lost > 0 && connections.lost >= connections.opened {
            return Err("the server ended all connections".to_owned());
        }
        if all.is_empty() && report.limit.is_none() && figures.errors_total() > 0 {
            let kinds = figures.errors.iter().map(|(kind, count)| format!("{count} {kind}"));
            let kinds: Vec<String> = kinds.collect();
            return Err(format!("{} errors: {}", figures.errors_total(), kinds.join(", ")));
        }
        match &report.limit {
            Some(limit) if limit.rate == 0.0 => Err("not even the lowest rate held".to_owned()),
            _ => Ok(()),
        }
    }

    fn write_files(&self, report: &Report) -> Result<(), String> {
        let write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| match path {
            Some(path) => {
                fs::write(path, text()).map_err(|error| format!("{}: {error}", path.display()))
            }
            None => Ok(()),
        };
        let percentiles = |path: &PathBuf| path.extension().is_some_and(|end| end == PERCENTILES);
        write(&self.whole.hdr, &|| match self.whole.hdr.as_ref().is_some_and(percentiles) {
            true => report.percentile_log(),
            false => report.interval_log(),
        })?;
        write(&self.whole.csv, &|| report.csv())?;
        write(&self.whole.html, &|| report.html())
    }
}

/// Whether a process can be looked at.
fn runs(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/stat")).is_ok()
}

fn broken_line(phase: &str, verdict: &Verdict) -> String {
    let of = if phase.is_empty() { String::new() } else { format!("phase {phase}: ") };
    format!("{of}{} (it is {})", verdict.threshold, verdict.measured)
}

/// One phase, and the thresholds that flags name, which are for the whole run.
fn phase(
    scenario: Option<&Scenario>,
    nth: usize,
    base: &Draft,
    matches: &ArgMatches,
) -> Result<(Phase, Vec<Threshold>), String> {
    let mut draft = base.clone();
    let mut name = String::new();
    if let Some(scenario) = scenario {
        name = scenario.phases().nth(nth).unwrap_or_default().to_owned();
        draft.next_level();
        scenario.apply_phase(nth, &mut draft)?;
    }
    let thresholds = std::mem::take(&mut draft.thresholds);
    draft.next_level();
    for option in PLAN_OPTIONS {
        option.apply_flags(matches, &mut draft)?;
    }
    let blame = |wrong: String| match scenario {
        Some(scenario) => scenario.blame(nth, &wrong),
        None => wrong,
    };
    draft.plan.check().map_err(blame)?;
    Ok((Phase { name, plan: draft.plan, thresholds }, draft.thresholds))
}

/// The options that have a value, as the report shows them.
fn settings(draft: &Draft) -> Vec<Setting> {
    let setting = |option: &spec::Spec<Draft>| {
        let value = (option.default)(draft);
        (!value.is_empty()).then(|| Setting { name: option.name.to_owned(), value })
    };
    PLAN_OPTIONS.iter().filter_map(setting).collect()
}

/// Loads a server, or compares two reports.
///
/// # Errors
///
/// One line: what could not be done, or what did not hold.
pub fn run(load: &Load) -> Result<(), String> {
    if let Some(before) = &load.whole.compare {
        let (before, after) = (Saved::read(before)?, Saved::read(Path::new(&load.urls[0]))?);
        return show(&compare(&before, &after));
    }
    let shown = load.shown();
    let named = |wrong: String| format!("load of {shown:?}: {wrong}");
    let way = Way::find(&load.urls, &load.whole).map_err(named)?;
    let job = load.job(&way).map_err(named)?;
    let failed = |error: io::Error| named(error.to_string());
    let net = signals::catch(IMPATIENT_STATUS).and_then(MioDial::new).map_err(failed)?;
    let net = way.network(net, &load.whole).map_err(named)?;
    let mut live = Live::on_stderr(load.whole.quiet);
    let report = run::run(&job, net, &mut live).map_err(failed)?;
    live.end();
    if report.figures.connections.open_max == 0 && !report.interrupted {
        let examples = report.figures.error_examples.iter().next();
        let wrong = examples.map(|(kind, words)| format!("{kind}: {words}"));
        return Err(named(wrong.unwrap_or_else(|| "no connection was opened".to_owned())));
    }
    show(&if load.whole.json { report.json() } else { report.to_string() })?;
    load.write_files(&report)?;
    load.verdict(&report).map_err(named)
}

fn show(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
}
