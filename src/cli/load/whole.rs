//! The options that are for a whole run.

use std::path::PathBuf;

use super::super::spec::{Spec, Takes};
use super::super::value;
use super::way::Fields;
use crate::load::report::Threshold;

pub(super) const RUN: &str = "Run";
const SERVER: &str = "Server";
const OUTPUT: &str = "Output";

/// What is for the whole run.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// A scenario instead of one phase.
    pub scenario: Option<PathBuf>,
    /// Search for the highest rate at which this holds.
    pub find_limit: Option<Threshold>,
    /// Further fields of the request.
    pub(super) fields: Fields,
    /// Those whose certificate one of these has signed are believed.
    #[cfg(feature = "tls")]
    pub ca: Option<PathBuf>,
    /// All are believed.
    #[cfg(feature = "tls")]
    pub insecure: bool,
    /// The server's process.
    pub server_pid: Option<u32>,
    /// One object on stdout instead of a report for people.
    pub json: bool,
    /// The latencies in a format of HdrHistogram, by what it ends in.
    pub hdr: Option<PathBuf>,
    /// The rows of each second.
    pub csv: Option<PathBuf>,
    /// A page.
    pub html: Option<PathBuf>,
    /// No progress on stderr.
    pub quiet: bool,
    /// Compare two reports instead.
    pub compare: Option<PathBuf>,
}

/// Options of the whole run.
pub const WHOLE_OPTIONS: &[Spec<Whole>] = &[
    Spec {
        name: "scenario",
        variable: "WSECHO_LOAD_SCENARIO",
        takes: Takes::One("FILE"),
        heading: RUN,
        help: "Phases one after the other, from a file in\n\
               TOML; flags win over what it says",
        default: |_| String::new(),
        apply: |whole, path| {
            whole.scenario = Some(path.into());
            Ok(())
        },
    },
    Spec {
        name: "find-limit",
        variable: "WSECHO_LOAD_FIND_LIMIT",
        takes: Takes::One("EXPR"),
        heading: RUN,
        help: "Search for the highest rate at which this\n\
               holds: \"p99 < 5ms\", or 5ms for short. Each\n\
               rate is tried for --duration",
        default: |_| String::new(),
        apply: |whole, text| find_limit(text).map(|bound| whole.find_limit = Some(bound)),
    },
    Spec {
        name: "header",
        variable: "WSECHO_LOAD_HEADER",
        takes: Takes::Many("LINE"),
        heading: SERVER,
        help: "\"Name: value\" to send with each request, as\n\
               \"Authorization: Bearer TOKEN\"; may be repeated.\n\
               Other users of the machine see flags, but not\n\
               variables. Reports do not show it",
        default: |_| String::new(),
        apply: |whole, line| whole.fields.add(line),
    },
    #[cfg(feature = "tls")]
    Spec {
        name: "ca",
        variable: "WSECHO_LOAD_CA",
        takes: Takes::One("FILE"),
        heading: SERVER,
        help: "Trust wss:// servers whose certificate an\n\
               authority in FILE has signed, PEM; for a\n\
               self-signed certificate, FILE is that one",
        default: |_| String::new(),
        apply: |whole, path| value::path(path).map(|path| whole.ca = Some(path)),
    },
    #[cfg(feature = "tls")]
    Spec {
        name: "insecure",
        variable: "WSECHO_LOAD_INSECURE",
        takes: Takes::Switch,
        heading: SERVER,
        help: "Trust any certificate of a wss:// server",
        default: |_| String::new(),
        apply: |whole, text| value::switch(text).map(|said| whole.insecure = said),
    },
    Spec {
        name: "server-pid",
        variable: "WSECHO_LOAD_SERVER_PID",
        takes: Takes::One("PID"),
        heading: SERVER,
        help: "Process whose CPU time, memory and switches\n\
               are read from /proc, with those that it has\n\
               started, such as workers",
        default: |_| String::new(),
        apply: |whole, text| value::count(text).map(|pid| whole.server_pid = Some(pid)),
    },
    Spec {
        name: "json",
        variable: "WSECHO_LOAD_JSON",
        takes: Takes::Switch,
        heading: OUTPUT,
        help: "Report as one JSON object",
        default: |_| String::new(),
        apply: |whole, text| value::switch(text).map(|said| whole.json = said),
    },
    Spec {
        name: "hdr",
        variable: "WSECHO_LOAD_HDR",
        takes: Takes::One("FILE"),
        heading: OUTPUT,
        help: "Write the latencies of each second as an\n\
               interval log of HdrHistogram; if FILE ends in\n\
               .hgrm, the percentiles of all as text",
        default: |_| String::new(),
        apply: |whole, path| {
            whole.hdr = Some(path.into());
            Ok(())
        },
    },
    Spec {
        name: "csv",
        variable: "WSECHO_LOAD_CSV",
        takes: Takes::One("FILE"),
        heading: OUTPUT,
        help: "Write a row for each second",
        default: |_| String::new(),
        apply: |whole, path| {
            whole.csv = Some(path.into());
            Ok(())
        },
    },
    Spec {
        name: "html",
        variable: "WSECHO_LOAD_HTML",
        takes: Takes::One("FILE"),
        heading: OUTPUT,
        help: "Write a page with charts",
        default: |_| String::new(),
        apply: |whole, path| {
            whole.html = Some(path.into());
            Ok(())
        },
    },
    Spec {
        name: "quiet",
        variable: "WSECHO_LOAD_QUIET",
        takes: Takes::Switch,
        heading: OUTPUT,
        help: "No progress on stderr",
        default: |_| String::new(),
        apply: |whole, text| value::switch(text).map(|said| whole.quiet = said),
    },
    Spec {
        name: "compare",
        variable: "WSECHO_LOAD_COMPARE",
        takes: Takes::One("FILE"),
        heading: OUTPUT,
        help: "Compare two reports made with --json, FILE\n\
               and the one in the place of the URL",
        default: |_| String::new(),
        apply: |whole, path| {
            whole.compare = Some(path.into());
            Ok(())
        },
    },
];

/// A threshold, or a bound of the 99th percentile alone.
fn find_limit(text: &str) -> Result<Threshold, String> {
    let whole = text.contains(['<', '>', '=']);
    if whole { Threshold::parse(text) } else { Threshold::parse(&format!("p99 < {text}")) }
}
