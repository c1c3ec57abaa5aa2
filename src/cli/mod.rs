//! The command line: what was asked for, the log on stderr, and the health check.
//!
//! [`parse`] takes arguments and environment as values, so that all of it is tested without a
//! process. What it finds wrong is one line that names the flag or the variable.

mod admission;
mod behaviours;
mod bus;
#[cfg(feature = "deflate")]
mod compression;
mod general;
pub mod healthcheck;
#[cfg(feature = "load")]
pub mod load;
pub mod log;
#[cfg(all(test, feature = "load"))]
mod manual;
mod options;
mod processes;
#[cfg(feature = "rooms")]
mod rooms;
mod spec;
mod tls;
mod url;
mod value;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

pub use crate::net::listen::ListenAddress;
pub use options::Options;
pub use variables::unknown_variables;

use options::TABLES;
use spec::{Environment, Spec, Takes};

/// Closing words of `wsecho --help`.
const NOTES: &str = "\
ADDR is IP:PORT or [IPV6]:PORT; PORT or :PORT for all addresses; with wss:// in
front of it for TLS, see --tls-cert; unix:/path or unix:/path,mode=0660; fd:N
for a socket that the process was started with; systemd or systemd:NAME for
those that systemd passes on. With ,proxy-protocol behind it, each connection
there has to begin with a header of the PROXY protocol, ahead of TLS. With
,reuse-port other processes of the same user may listen on the port as well.
{URL}BYTES may end in k, m or g (or KiB, MiB, GiB): powers of 1024.
TIME is a number with its unit: ms, s, m or h, such as 500ms or 2m. Timeouts are
at most 4h, in steps of 250ms.
Each option has a variable: WSECHO_MAX_CONNECTIONS is --max-connections, and so
on. Flags win. Where an option may be repeated, its variable holds a list with
commas. RUST_LOG, if set, decides what is logged.";

/// What stands among them in a program with a bus.
const URL_NOTE: &str = "\
URL is redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// with TLS, or
redis+unix:///PATH. Rooms are shared by those that name the same DB.
";

/// Most letters to change for a word to count as misspelt.
const DISTANCE_MAX: usize = 3;

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Serve until a signal comes.
    Serve(Box<Options>),
    /// Check a running server once.
    Healthcheck(Check),
    /// Load a server.
    #[cfg(feature = "load")]
    Load(Box<load::Load>),
    /// Print this (help or version) on stdout and do nothing else.
    Show(String),
}

/// One health check, as asked for.
#[derive(Debug)]
pub struct Check {
    /// The server's URL.
    pub url: String,
    /// From the start of the process to its verdict.
    pub timeout: Duration,
    /// Nothing is said of what goes well.
    pub quiet: bool,
    /// Of `wss://` URLs: every certificate is believed.
    pub insecure: bool,
    /// Of `wss://` URLs: certificates that these have signed are believed.
    pub ca: Option<PathBuf>,
}

/// Reads the command line (without the program's name) and the environment.
///
/// # Errors
///
/// One line without the program's name, ready to be printed: which flag or variable, and what
/// is wrong with it.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Invocation, String> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return shown_or_wrong(&error),
    };
    match matches.subcommand() {
        Some(("healthcheck", matches)) => check(matches, environment).map(Invocation::Healthcheck),
        #[cfg(feature = "load")]
        Some(("load", matches)) => {
            let load = load::Load::parse(matches, environment);
            load.map(|load| Invocation::Load(Box::new(load)))
        }
        _ => Options::from_matches(&matches, environment)
            .map(|options| Invocation::Serve(Box::new(options))),
    }
}

/// Options of the health check. Their variables have a prefix of their own.
const CHECK_OPTIONS: &[Spec<Check>] = &[
    Spec {
        name: "timeout",
        variable: "WSECHO_HEALTHCHECK_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: "Options",
        help: "Time for the whole check",
        default: |check| value::show_duration(check.timeout),
        apply: |check, text| value::positive_duration(text).map(|value| check.timeout = value),
    },
    Spec {
        name: "quiet",
        variable: "WSECHO_HEALTHCHECK_QUIET",
        takes: Takes::ShortSwitch('q'),
        heading: "Options",
        help: "Print nothing, unless the check fails",
        default: |_| String::new(),
        apply: |check, text| value::switch(text).map(|quiet| check.quiet = quiet),
    },
    #[cfg(feature = "tls")]
    Spec {
        name: "insecure",
        variable: "WSECHO_HEALTHCHECK_INSECURE",
        takes: Takes::Switch,
        heading: "Options",
        help: "Trust any certificate of a wss:// server",
        default: |_| String::new(),
        apply: |check, text| value::switch(text).map(|insecure| check.insecure = insecure),
    },
    #[cfg(feature = "tls")]
    Spec {
        name: "ca",
        variable: "WSECHO_HEALTHCHECK_CA",
        takes: Takes::One("FILE"),
        heading: "Options",
        help: "Trust wss:// servers whose certificate an\n\
               authority in FILE has signed, PEM; for a\n\
               self-signed certificate, FILE is that one",
        default: |_| String::new(),
        apply: |check, text| value::path(text).map(|path| check.ca = Some(path)),
    },
];

impl Default for Check {
    fn default() -> Self {
        Self {
            url: "ws://127.0.0.1:8080/healthz".to_owned(),
            timeout: Duration::from_secs(2),
            quiet: false,
            insecure: false,
            ca: None,
        }
    }
}

fn check(matches: &ArgMatches, environment: &Environment) -> Result<Check, String> {
    let mut check = Check::default();
    spec::apply(CHECK_OPTIONS, matches, environment, &mut check)?;
    if let Some(url) = matches.get_one::<String>("url") {
        check.url.clone_from(url);
        return Ok(check);
    }
    // In a container the server and its health check share their environment.
    if let Some(listen) = spec::variable(environment, "WSECHO_LISTEN")? {
        check.url = first_url(&listen).map_err(|wrong| format!("WSECHO_LISTEN: {wrong}"))?;
    }
    Ok(check)
}

/// Where a server that listens there is asked for its health.
fn first_url(listen: &str) -> Result<String, String> {
    let mut places = Vec::new();
    spec::list(listen)?.into_iter().try_for_each(|text| value::listen(text, &mut places))?;
    let address = &places[0];
    if let ListenAddress::Unix(path, _) = address {
        return Ok(format!("unix:{}", path.display()));
    }
    match address.loopback() {
        Some(address) if address.port() == 0 => {
            Err("port 0 does not say where to check".to_owned())
        }
        Some(at) if address.is_secure() => Ok(format!("wss://{at}/healthz")),
        Some(at) => Ok(format!("ws://{at}/healthz")),
        None => Err(format!("{address} does not say where to check; name a URL")),
    }
}

fn help() -> Arg {
    Arg::new("help").short('h').long("help").action(ArgAction::Help)
}

fn command() -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let healthcheck = Command::new("healthcheck")
        .about("Checks a server with one echoed message; exits 0 or 1")
        .arg(Arg::new("url").value_name("URL").help(
            "ws://HOST[:PORT][/PATH] or wss://, or\n\
             unix:/path[:/PATH]; without a path /healthz,\n\
             which no behaviour touches. By default the\n\
             first WSECHO_LISTEN, else\n\
             ws://127.0.0.1:8080/healthz",
        ))
        .args(spec::arguments(CHECK_OPTIONS, &Check::default()))
        .disable_help_flag(true)
        .arg(help().help("Print this").help_heading("Options"))
        .after_help(
            "TIME is a number with its unit: ms, s, m or h. Each option has a variable,\n\
             such as WSECHO_HEALTHCHECK_TIMEOUT. No certificate is trusted by\n\
             default: wss:// needs --ca or --insecure.",
        );
    let wsecho = Command::new("wsecho")
        .bin_name("wsecho")
        .no_binary_name(true)
        .version(env!("CARGO_PKG_VERSION"))
        .about("A WebSocket echo server for small machines")
        .after_help(NOTES.replace("{URL}", if cfg!(feature = "bus") { URL_NOTE } else { "" }))
        .args(TABLES.iter().flat_map(|table| spec::arguments(table, &Options::default())))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(help().help("Print this").help_heading("General"))
        .arg(version.help("Print the version").help_heading("General"))
        .args_conflicts_with_subcommands(true)
        .subcommand(healthcheck);
    #[cfg(feature = "load")]
    let wsecho = wsecho.subcommand(load::command());
    wsecho
}

/// Help and version come as "errors" too. Of a real error only the first line is of use here.
fn shown_or_wrong(error: &clap::Error) -> Result<Invocation, String> {
    let text = error.to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(Invocation::Show(text));
    }
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let unknown = match error.kind() {
        ErrorKind::UnknownArgument => error.get(ContextKind::InvalidArg),
        ErrorKind::InvalidSubcommand => error.get(ContextKind::InvalidSubcommand),
        _ => None,
    };
    let meant = match unknown {
        Some(ContextValue::String(unknown)) => nearest(unknown, words()),
        _ => None,
    };
    match meant {
        Some(known) => Err(format!("{line}; did you mean {known}? See wsecho --help")),
        None => Err(format!("{line}; see wsecho --help")),
    }
}

/// What may stand on a command line, but for values.
fn words() -> impl Iterator<Item = String> {
    let names = options::all().map(|spec| spec.name);
    let names = names.chain(CHECK_OPTIONS.iter().map(|spec| spec.name)).chain(["help", "version"]);
    let flags = names.map(|name| format!("--{name}"));
    flags.chain(["healthcheck", "help"].map(str::to_owned))
}

/// The one of `known` that was probably meant by a misspelt word: a few letters away, and most of
/// them right.
fn nearest<T: AsRef<str> + Ord>(word: &str, known: impl Iterator<Item = T>) -> Option<T> {
    let distances = known.map(|known| (strsim::osa_distance(word, known.as_ref()), known));
    let most = DISTANCE_MAX.min(word.len() / 2);
    distances.min().filter(|(distance, _)| *distance <= most).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &Environment = &|_| None;

    fn parsed(line: &str, environment: &Environment) -> Result<Invocation, String> {
        parse(line.split_whitespace().map(OsString::from), environment)
    }

    fn shown(line: &str) -> String {
        match parsed(line, EMPTY) {
            Ok(Invocation::Show(text)) => text,
            other => panic!("{line:?} should show something, not {other:?}"),
        }
    }

    fn checked(line: &str, listen: &'static str) -> Result<Check, String> {
        let environment = move |name: &str| (name == "WSECHO_LISTEN").then(|| listen.into());
        parsed(line, &environment).map(|invocation| match invocation {
            Invocation::Healthcheck(check) => check,
            other => panic!("{line:?} should be a check, not {other:?}"),
        })
    }

    #[test]
    fn help_fits_into_eighty_columns() {
        let load = if cfg!(feature = "load") { "load --help" } else { "-h" };
        for text in [shown("--help"), shown("-h"), shown("healthcheck --help"), shown(load)] {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
                assert_eq!(line.trim_end(), line, "no trailing blanks");
            }
        }
    }

    #[test]
    fn version_is_the_crate_version() {
        assert_eq!(shown("--version"), format!("wsecho {}\n", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn help_is_a_command_too() {
        assert_eq!(shown("help"), shown("--help"));
        assert_eq!(shown("help healthcheck"), shown("healthcheck --help"));
    }

    #[test]
    fn a_misspelt_word_gets_a_suggestion() {
        let cases = [
            ("--lisen 1", Some("--listen")),
            ("--max-connection=3", Some("--max-connections")),
            ("--no-pogn", Some("--no-pong")),
            ("healthceck", Some("healthcheck")),
            ("healthcheck --timout 1s", Some("--timeout")),
            ("--ssl", None),
            ("elsewhere", None),
        ];
        for (line, known) in cases {
            let error = parsed(line, EMPTY).expect_err(line);
            let suggestion = error.split("did you mean ").nth(1).and_then(|s| s.split('?').next());
            assert_eq!(suggestion, known, "{line:?} gave {error:?}");
        }
    }

    #[test]
    fn every_usage_error_is_one_line_that_names_its_cause() {
        let cases = [
            ("--nonsense", "--nonsense"),
            ("--listen", "--listen"),
            ("--max-connections 1 --max-connections 2", "--max-connections"),
            ("elsewhere", "elsewhere"),
            ("--listen 1 healthcheck", "healthcheck"),
            ("healthcheck one two", "two"),
            ("healthcheck --timeout soon", "--timeout"),
            ("healthcheck --timeout 0", "--timeout"),
        ];
        for (line, cause) in cases {
            let error = parsed(line, EMPTY).expect_err(line);
            assert!(error.contains(cause), "{line:?} gave {error:?}");
            assert!(!error.contains('\n'), "{line:?} gave {error:?}");
        }
    }

    #[test]
    fn healthcheck_asks_where_the_server_listens() {
        let cases = [
            ("", "ws://127.0.0.1:8080/healthz"),
            ("9000", "ws://127.0.0.1:9000/healthz"),
            (":9000", "ws://127.0.0.1:9000/healthz"),
            ("0.0.0.0:9000,1.2.3.4:1", "ws://127.0.0.1:9000/healthz"),
            ("[::]:9000", "ws://[::1]:9000/healthz"),
            ("192.0.2.1:9000", "ws://192.0.2.1:9000/healthz"),
            ("unix:/run/ws,mode=0660,9000", "unix:/run/ws"),
        ];
        for (listen, url) in cases {
            assert_eq!(checked("healthcheck", listen).expect(listen).url, url, "{listen:?}");
        }
        assert!(checked("healthcheck", ":0").expect_err("port 0").contains("WSECHO_LISTEN"));
        assert!(checked("healthcheck", "x").expect_err("not one").contains("WSECHO_LISTEN"));
        assert!(checked("healthcheck", " , ").expect_err("no one").contains("names nothing"));
        let check = checked("healthcheck ws://a/ --timeout 300ms", "x").expect("a URL wins");
        assert_eq!((check.url.as_str(), check.timeout), ("ws://a/", Duration::from_millis(300)));
    }

    #[cfg(feature = "load")]
    #[test]
    fn docs_options_md_is_what_help_says() {
        // The page shows the features that are on by default.
        if cfg!(any(feature = "jwt", not(feature = "bus"))) {
            return;
        }
        let mut text = format!(
            "# Options\n\nThis page is `--help` itself; `UPDATE=1 cargo test options_md` rewrites \
             it.\n\n```text\n{}```\n\n```text\n{}```\n\n```text\n{}```\n\n## Variables\n\n\
             | option | variable | default |\n|---|---|---|\n",
            shown("--help"),
            shown("healthcheck --help"),
            shown("load --help"),
        );
        for table in TABLES {
            text.push_str(&spec::table(table, &Options::default(), ""));
        }
        text.push_str(&spec::table(CHECK_OPTIONS, &Check::default(), "healthcheck "));
        text.push_str(&load::table());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &text).expect("docs/ is writable");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == text, "docs/options.md is stale: run UPDATE=1 cargo test options_md");
    }
}
