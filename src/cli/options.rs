//! The server's options, in one table: a row is flag, variable, help, default and effect.

#[cfg(feature = "bus")]
use std::path::PathBuf;

use clap::ArgMatches;

use super::admission::{self, ADMISSION};
use super::behaviours::{self, BEHAVIOURS};
use super::bus::{self, BUS};
use super::general::GENERAL;
use super::log::Format;
use super::processes::{self, PROCESSES};
use super::spec::{self, Environment, Spec, Takes};
use super::tls::{self, TLS};
use super::value;
use crate::limits::Config;
use crate::net::listen::ListenAddress;
use crate::server::Asked;

/// What the server is to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen: at least one.
    pub listen: Vec<ListenAddress>,
    /// What is otherwise left to the limits of the process.
    pub asked: Asked,
    /// Processes to serve with, which this one supervises; `None`: this one serves.
    pub workers: Option<usize>,
    /// All ports are shared, before that is said of each.
    pub(super) reuse_port: bool,
    /// Subprotocols named, before they replace those of `config`.
    subprotocols: Option<Vec<String>>,
    /// How a bus with TLS is known, before it stands in `config`.
    #[cfg(feature = "bus")]
    pub(super) bus_authority: Option<PathBuf>,
    /// How often `-v` was said.
    pub verbosity: u8,
    /// How the log looks.
    pub log_format: Format,
    /// Everything that the server's own parts read, but what is `asked`.
    pub config: Config,
}

/// The tables of options, in the order of the help.
pub(super) const TABLES: &[&[Spec<Options>]] = &[
    OPTIONS,
    PROCESSES,
    #[cfg(feature = "deflate")]
    super::compression::COMPRESSION,
    TLS,
    #[cfg(feature = "rooms")]
    super::rooms::ROOMS,
    BUS,
    ADMISSION,
    GENERAL,
    BEHAVIOURS,
];

/// Every option of the server.
pub(super) fn all() -> impl Iterator<Item = &'static Spec<Options>> {
    TABLES.iter().copied().flatten()
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![ListenAddress::Everywhere(8080)],
            asked: Asked::default(),
            workers: None,
            reuse_port: false,
            subprotocols: None,
            #[cfg(feature = "bus")]
            bus_authority: None,
            verbosity: 0,
            log_format: Format::default(),
            config: Config::default(),
        }
    }
}

impl Options {
    /// Flags before variables before defaults.
    pub(super) fn from_matches(
        matches: &ArgMatches,
        environment: &Environment,
    ) -> Result<Self, String> {
        let defaults = Self::default();
        let mut options = Self { listen: Vec::new(), ..defaults.clone() };
        for table in TABLES {
            spec::apply(table, matches, environment, &mut options)?;
        }
        admission::check(&options)?;
        behaviours::check(&options)?;
        if let Some(mut named) = options.subprotocols.take() {
            named.retain(|name| name != "none");
            options.config.subprotocols = named;
        }
        if options.listen.is_empty() {
            options.listen = defaults.listen;
        }
        tls::check(&options)?;
        bus::check(&mut options)?;
        processes::check(&mut options)?;
        Ok(options)
    }
}

pub(super) const LISTENING: &str = "Listening";
pub(super) const PROTOCOL: &str = "Protocol";
pub(super) const LIMITS: &str = "Limits";
const TIMEOUTS: &str = "Timeouts";

/// What the server does, in the order of the help.
const OPTIONS: &[Spec<Options>] = &[
    Spec {
        name: "listen",
        variable: "WSECHO_LISTEN",
        takes: Takes::Many("ADDR"),
        heading: LISTENING,
        help: "Where to listen, may be repeated: see ADDR\n\
               below; port 0 lets the system choose. By\n\
               default all addresses, IPv6 and IPv4",
        default: |_| ":8080".to_owned(),
        apply: |options, text| value::listen(text, &mut options.listen),
    },
    Spec {
        name: "subprotocol",
        variable: "WSECHO_SUBPROTOCOL",
        takes: Takes::Many("NAME"),
        heading: PROTOCOL,
        help: "Subprotocol to accept, may be repeated; the\n\
               first of the client's that is named is chosen.\n\
               * accepts any; none, alone, accepts none",
        default: |options| options.config.subprotocols.join(","),
        apply: |options, text| subprotocol(options, text),
    },
    Spec {
        name: "origin",
        variable: "WSECHO_ORIGIN",
        takes: Takes::Many("ORIGIN"),
        heading: PROTOCOL,
        help: "Origin of web pages to allow, such as\n\
               https://example.org, may be repeated; others\n\
               get 403. By default all are allowed",
        default: |_| String::new(),
        apply: |options, text| value::origin(text).map(|value| options.config.origins.push(value)),
    },
    Spec {
        name: "max-connections",
        variable: "WSECHO_MAX_CONNECTIONS",
        takes: Takes::One("N"),
        heading: LIMITS,
        help: "Maximum number of connections; others get\n\
               503. By default what the limits on descriptors\n\
               and memory allow",
        default: |_| String::new(),
        apply: |options, text| {
            value::count(text).map(|value| options.asked.connections = Some(value))
        },
    },
    Spec {
        name: "max-message-size",
        variable: "WSECHO_MAX_MESSAGE_SIZE",
        takes: Takes::One("BYTES"),
        heading: LIMITS,
        help: "Maximum length of a message, 0 for no limit;\n\
               a longer one is answered with Close 1009",
        default: |options| value::show_bytes(options.config.max_message_size),
        apply: |options, text| {
            options.config.max_message_size = match value::bytes(text)? {
                0 => u64::MAX,
                bytes => bytes,
            };
            Ok(())
        },
    },
    Spec {
        name: "max-fragments",
        variable: "WSECHO_MAX_FRAGMENTS",
        takes: Takes::One("N"),
        heading: LIMITS,
        help: "Maximum number of frames in a message; more\n\
               are answered with Close 1008",
        default: |options| options.config.max_fragments.to_string(),
        apply: |options, text| value::count(text).map(|value| options.config.max_fragments = value),
    },
    Spec {
        name: "buffer-budget",
        variable: "WSECHO_BUFFER_BUDGET",
        takes: Takes::One("BYTES"),
        heading: LIMITS,
        help: "Maximum memory for what is kept for all\n\
               clients together, at least 232KiB; less by\n\
               default where the cgroup has little",
        default: |options| value::show_bytes(options.config.buffer_budget as u64),
        apply: |options, text| {
            value::buffer_budget(text).map(|value| options.asked.budget = Some(value))
        },
    },
    Spec {
        name: "handshake-timeout",
        variable: "WSECHO_HANDSHAKE_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Time for a request to arrive, counted from\n\
               accept, 0 for no limit",
        default: |options| value::show_duration(options.config.handshake_timeout),
        apply: |options, text| {
            value::duration(text).map(|value| options.config.handshake_timeout = value)
        },
    },
    Spec {
        name: "ping-interval",
        variable: "WSECHO_PING_INTERVAL",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Time without traffic after which the server\n\
               sends a ping, 0 for no pings",
        default: |options| value::show_duration(options.config.ping_interval),
        apply: |options, text| {
            value::duration(text).map(|value| options.config.ping_interval = value)
        },
    },
    Spec {
        name: "ping-timeout",
        variable: "WSECHO_PING_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Time to wait for the answer to a ping of\n\
               --ping-interval, 0 for no limit",
        default: |options| value::show_duration(options.config.ping_timeout),
        apply: |options, text| {
            value::duration(text).map(|value| options.config.ping_timeout = value)
        },
    },
    Spec {
        name: "stall-timeout",
        variable: "WSECHO_STALL_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Maximum time without progress inside a frame\n\
               or in a blocked write, 0 for no limit",
        default: |options| value::show_duration(options.config.stall_timeout),
        apply: |options, text| {
            value::duration(text).map(|value| options.config.stall_timeout = value)
        },
    },
    Spec {
        name: "close-timeout",
        variable: "WSECHO_CLOSE_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Maximum time for the client to close after\n\
               the server's Close frame or HTTP response",
        default: |options| value::show_duration(options.config.close_timeout),
        apply: |options, text| {
            value::positive_duration(text).map(|value| options.config.close_timeout = value)
        },
    },
    Spec {
        name: "drain-delay",
        variable: "WSECHO_DRAIN_DELAY",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Time from SIGTERM or SIGINT to the drain; open\n\
               connections go on, /healthz and handshakes\n\
               get 503",
        default: |options| value::show_duration(options.config.drain_delay),
        apply: |options, text| {
            value::duration(text).map(|value| options.config.drain_delay = value)
        },
    },
    Spec {
        name: "drain-timeout",
        variable: "WSECHO_DRAIN_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: TIMEOUTS,
        help: "Maximum time for connections to close once the\n\
               drain has begun; then the process ends",
        default: |options| value::show_duration(options.config.drain_timeout),
        apply: |options, text| {
            value::positive_duration(text).map(|value| options.config.drain_timeout = value)
        },
    },
];

/// The first one replaces the default, which a browser that offers any needs: it fails a connection
/// whose server has chosen none (WHATWG WebSockets, "establish a WebSocket connection").
fn subprotocol(options: &mut Options, text: &str) -> Result<(), String> {
    let name = value::subprotocol(text)?;
    let named = options.subprotocols.get_or_insert_default();
    if !named.is_empty() && (name == "none" || named[0] == "none") {
        return Err("none stands alone".to_owned());
    }
    named.push(name);
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::super::{Invocation, parse};
    use super::*;

    /// What a line and variables ask for, if that is to serve.
    pub(in crate::cli) fn parsed(
        line: &str,
        variables: &[(&str, &str)],
    ) -> Result<Options, String> {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        let environment = move |name: &str| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let arguments = line.split_whitespace().map(OsString::from);
        parse(arguments, &environment).map(|invocation| match invocation {
            Invocation::Serve(options) => *options,
            other => panic!("{line:?} should serve, not {other:?}"),
        })
    }

    /// A value that differs from the default of every option that takes one.
    fn sample(spec: &Spec<Options>) -> &'static str {
        match spec.takes {
            // These are held to a range.
            _ if spec.name == "close" => "1000",
            _ if spec.name == "refuse" => "500",
            _ if spec.name == "coalesce" => "7ms",
            Takes::One("N[,BYTES]") => "7,1KiB",
            Takes::One("N" | "RATE") | Takes::Count(_) => "7",
            Takes::One("TEXT") => "words",
            Takes::One("HOW") => "fin",
            Takes::One("FILE") => "tokens",
            Takes::Many("PARAMETER") => "delay",
            Takes::Switch | Takes::ShortSwitch(_) => "1",
            Takes::One("BYTES") => "1GiB",
            Takes::One("TIME") => "7s",
            Takes::One("CHOICE") => "off",
            Takes::One("FORMAT") => "json",
            Takes::One("COUNT") => "7",
            Takes::Many("ADDR") => "127.0.0.1:7",
            Takes::Many("NAME") => "chat",
            Takes::Many("AUD") => "echo",
            Takes::Many("ORIGIN") => "https://example.org",
            Takes::Many("NETWORK") => "10.0.0.0/8",
            Takes::One(other)
            | Takes::Short(_, other)
            | Takes::Many(other)
            | Takes::Maybe(other, _) => {
                panic!("no sample for {other}")
            }
        }
    }

    fn dump(options: &Options) -> String {
        format!("{options:?}")
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(dump(&parsed("", &[]).expect("defaults")), dump(&Options::default()));
    }

    #[test]
    fn every_option_has_a_variable_that_does_the_same() {
        // Those of TLS and the bus do not stand alone; `tls.rs` and `bus.rs` look at them.
        for spec in all().filter(|spec| !["TLS", "Bus"].contains(&spec.heading)) {
            let twin = format!("WSECHO_{}", spec.name.to_uppercase().replace('-', "_"));
            // What says when, or why, goes with what.
            let goes_with = match spec.name {
                "after" | "at" | "reason" => "--close 1000",
                "auth-jwt-audience" => "--auth-jwt-key key",
                _ => "",
            };
            let parsed = |line: &str, variables: &[(&str, &str)]| {
                parsed(&format!("{line} {goes_with}"), variables)
            };
            let default = dump(&parsed("", &[]).expect("nothing but what it goes with"));
            assert_eq!(spec.variable, twin, "the variable is named after the flag");
            let flag = match spec.takes {
                Takes::Count(short) => format!("-{}", short.to_string().repeat(7)),
                Takes::Switch => format!("--{}", spec.name),
                _ => format!("--{} {}", spec.name, sample(spec)),
            };
            let by_flag = dump(&parsed(&flag, &[]).expect(&flag));
            let by_variable = parsed("", &[(&twin, sample(spec))]).expect(&twin);
            assert_eq!(by_flag, dump(&by_variable), "{flag}");
            assert_ne!(by_flag, default, "{flag} must change something");
            let emptied = parsed("", &[(&twin, "")]).expect("empty is unset");
            assert_eq!(dump(&emptied), default, "{twin}=");
        }
    }

    #[test]
    fn a_time_or_a_reason_needs_something_to_do() {
        for (line, cause) in [
            ("--after 3", "--after says when to close or drop: it needs --close or --drop"),
            ("--at 3s", "--at says when to close or drop: it needs --close or --drop"),
            ("--reason x", "--reason says why to close: it needs --close"),
            ("--reason x --drop rst", "--reason says why to close: it needs --close"),
        ] {
            assert_eq!(parsed(line, &[]).map(drop), Err(cause.to_owned()), "{line}");
        }
        for line in ["--after 3 --drop fin", "--at 1s --close 1000 --reason x"] {
            parsed(line, &[]).expect(line);
        }
        let by_variables = [("WSECHO_AFTER", "3"), ("WSECHO_CLOSE", "1000")];
        parsed("", &by_variables).expect("variables");
    }

    #[test]
    fn flags_win_over_variables() {
        let variables =
            [("WSECHO_LISTEN", "1,2"), ("WSECHO_PING_INTERVAL", "bad"), ("WSECHO_VERBOSE", "0")];
        let options = parsed("--listen 3 --ping-interval 4s -vv", &variables).expect("flags");
        assert_eq!(options.listen, [ListenAddress::Everywhere(3)]);
        assert_eq!(options.config.ping_interval, Duration::from_secs(4));
        assert_eq!(options.verbosity, 2);
    }

    #[test]
    fn lists_come_repeated_or_with_commas() {
        let flags = parsed("--subprotocol a --subprotocol=* --listen 1 --listen [::1]:2", &[]);
        let variables =
            [("WSECHO_SUBPROTOCOL", "a, *"), ("WSECHO_LISTEN", " 1 ,, [::1]:2"), ("OTHER", "x")];
        let variables = parsed("", &variables).expect("lists");
        assert_eq!(variables.config.subprotocols, ["a", "*"]);
        assert_eq!(variables.listen.len(), 2);
        assert_eq!(dump(&flags.expect("flags")), dump(&variables));
    }

    #[test]
    fn a_list_that_names_nothing_is_an_error() {
        let lists = all();
        for spec in lists.filter(|spec| matches!(spec.takes, Takes::Many(_))) {
            for list in [",", " ", " , ,"] {
                let error = parsed("", &[(spec.variable, list)]).expect_err(spec.variable);
                assert_eq!(error, format!("{}: {list:?} names nothing", spec.variable));
            }
        }
    }

    #[test]
    fn origins_are_kept_in_one_form() {
        let options = parsed("--origin HTTPS://Example.org:443", &[]).expect("an origin");
        assert_eq!(options.config.origins, ["https://example.org"]);
    }

    #[test]
    fn subprotocols_are_those_named_else_any() {
        let chosen = |line| parsed(line, &[]).map(|options| options.config.subprotocols);
        assert_eq!(chosen(""), Ok(vec!["*".to_owned()]));
        assert_eq!(chosen("--subprotocol a --subprotocol b"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(chosen("--subprotocol none"), Ok(vec![]));
        for line in ["--subprotocol none --subprotocol a", "--subprotocol a --subprotocol none"] {
            assert_eq!(chosen(line), Err("--subprotocol: none stands alone".to_owned()), "{line}");
        }
    }

    #[test]
    fn zero_means_none_only_where_something_else_ends_it() {
        let options = parsed("--max-message-size 0 --ping-interval 0 --stall-timeout 0ms", &[]);
        let config = options.expect("zeros").config;
        assert_eq!(config.max_message_size, u64::MAX);
        assert_eq!((config.ping_interval, config.stall_timeout), Default::default());
        for name in ["max-connections", "max-fragments", "close-timeout", "drain-timeout"] {
            parsed(&format!("--{name} 0"), &[]).expect_err(name);
        }
    }

    #[test]
    fn o04_errors_name_the_flag_or_the_variable() {
        let free = [Takes::One("TEXT"), Takes::One("FILE"), Takes::Many("AUD")];
        // What the options of TLS say, they say together; and nobody repeats a password.
        let spoken = |spec: &&Spec<Options>| !["TLS", "Bus"].contains(&spec.heading);
        for spec in all().filter(spoken).filter(|spec| !free.contains(&spec.takes)) {
            let flag = format!("--{}", spec.name);
            if !matches!(spec.takes, Takes::Count(_) | Takes::Switch) {
                let error = parsed(&format!("{flag}=a/b"), &[]).expect_err(&flag);
                assert!(error.starts_with(&format!("{flag}: ")), "{error}");
                assert!(error.contains("\"a/b\""), "{error}");
            }
            let error = parsed("", &[(spec.variable, "a/b")]).expect_err(spec.variable);
            assert!(error.starts_with(&format!("{}: ", spec.variable)), "{error}");
        }
        let error = parsed("--stall-timeout 5h", &[]).expect_err("too long");
        assert_eq!(error, "--stall-timeout: \"5h\" is longer than the maximum, 4h");
        let error = parsed("--buffer-budget 231k", &[]).expect_err("too small");
        assert_eq!(error, "--buffer-budget: \"231k\" is less than 232KiB");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_a_usage_error() {
        use std::os::unix::ffi::OsStringExt;
        let wrong = || OsString::from_vec(b"\xff".to_vec());
        let error = parse(["--origin".into(), wrong()], &|_| None).expect_err("flag");
        assert!(error.starts_with("--origin: "), "{error}");
        let environment = move |name: &str| (name == "WSECHO_ORIGIN").then(wrong);
        let error = parse([], &environment).expect_err("variable");
        assert!(error.starts_with("WSECHO_ORIGIN: "), "{error}");
    }
}
