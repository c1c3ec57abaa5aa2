//! The options for what the server shows: in mirrors, at `/status`, and in the log.

use super::log::Format;
use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;

const HEADING: &str = "General";

/// What is said beside serving.
pub(super) const GENERAL: &[Spec<Options>] = &[
    Spec {
        name: "mirror-secrets",
        variable: "WSECHO_MIRROR_SECRETS",
        takes: Takes::Switch,
        heading: "Protocol",
        help: "Show the values of Cookie, Authorization,\n\
               Proxy-Authorization and X-Api-Key at /info\n\
               and in mirrors, instead of their lengths",
        default: |_| String::new(),
        apply: |options, text| {
            value::switch(text).map(|shown| options.config.mirror_secrets = shown)
        },
    },
    #[cfg(feature = "rooms")]
    Spec {
        name: "no-status",
        variable: "WSECHO_NO_STATUS",
        takes: Takes::Switch,
        heading: "Protocol",
        help: "Do not show at /status what the server does",
        default: |_| String::new(),
        apply: |options, text| value::switch(text).map(|off| options.config.status = !off),
    },
    Spec {
        name: "no-fallback",
        variable: "WSECHO_NO_FALLBACK",
        takes: Takes::Switch,
        heading: "Protocol",
        help: "Do not serve the echoes for networks without\n\
               WebSocket: POST /echo, /sse and /poll",
        default: |_| String::new(),
        apply: |options, text| value::switch(text).map(|off| options.config.fallback = !off),
    },
    Spec {
        name: "verbose",
        variable: "WSECHO_VERBOSE",
        takes: Takes::Count('v'),
        heading: HEADING,
        help: "Log a line for each connection that opens or\n\
               ends; given twice, for each frame too",
        default: |_| String::new(),
        apply: |options, text| verbosity(text).map(|value| options.verbosity = value),
    },
    Spec {
        name: "log-format",
        variable: "WSECHO_LOG_FORMAT",
        takes: Takes::One("FORMAT"),
        heading: HEADING,
        help: "Format of the log on stderr: text, or json\n\
               for one object a line",
        default: |_| "text".to_owned(),
        apply: |options, text| Format::parse(text).map(|format| options.log_format = format),
    },
];

fn verbosity(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number from 0"))
}
