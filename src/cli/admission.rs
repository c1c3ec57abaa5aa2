//! The options for who may come, and how much of it.

use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;

const HEADING: &str = "Admission";

/// Who is believed, who is admitted, and how much of it.
pub(super) const ADMISSION: &[Spec<Options>] = &[
    Spec {
        name: "trust-proxy",
        variable: "WSECHO_TRUST_PROXY",
        takes: Takes::Many("NETWORK"),
        heading: HEADING,
        help: "Network of proxies whose Forwarded or\n\
               X-Forwarded-For names the client, such as\n\
               10.0.0.0/8, or unix for Unix sockets; may be\n\
               repeated. By default there is none",
        default: |_| String::new(),
        apply: |options, text| {
            value::network(text).map(|network| options.config.trust_proxy.push(network))
        },
    },
    Spec {
        name: "auth-tokens",
        variable: "WSECHO_AUTH_TOKENS",
        takes: Takes::One("FILE"),
        heading: HEADING,
        help: "Admit only clients with a token: a line of\n\
               FILE is a name and the SHA-256 of a token in\n\
               hex. SIGHUP reloads it. /healthz stays open",
        default: |_| String::new(),
        apply: |options, text| {
            options.config.auth_tokens = Some(text.into());
            Ok(())
        },
    },
    #[cfg(feature = "jwt")]
    Spec {
        name: "auth-jwt-key",
        variable: "WSECHO_AUTH_JWT_KEY",
        takes: Takes::One("FILE"),
        heading: HEADING,
        help: "Admit clients with a JSON Web Token of the\n\
               key in FILE: the PEM of a public key for\n\
               RS256 or EdDSA, or a secret for HS256.\n\
               SIGHUP reloads it",
        default: |_| String::new(),
        apply: |options, text| {
            options.config.auth_jwt_key = Some(text.into());
            Ok(())
        },
    },
    #[cfg(feature = "jwt")]
    Spec {
        name: "auth-jwt-audience",
        variable: "WSECHO_AUTH_JWT_AUDIENCE",
        takes: Takes::Many("AUD"),
        heading: HEADING,
        help: "Audience such a token has to name (aud); may\n\
               be repeated. By default it has to name none",
        default: |_| String::new(),
        apply: |options, text| {
            options.config.auth_jwt_audience.push(text.to_owned());
            Ok(())
        },
    },
    Spec {
        name: "metrics-open",
        variable: "WSECHO_METRICS_OPEN",
        takes: Takes::Switch,
        heading: HEADING,
        help: "Answer /metrics without a token as well",
        default: |_| String::new(),
        apply: |options, text| value::switch(text).map(|open| options.config.metrics_open = open),
    },
    Spec {
        name: "max-connections-per-ip",
        variable: "WSECHO_MAX_CONNECTIONS_PER_IP",
        takes: Takes::One("N"),
        heading: HEADING,
        help: "Maximum number of connections from one\n\
               address, IPv6 by its first 64 bits; more get\n\
               429. By default there is no limit",
        default: |_| String::new(),
        apply: |options, text| {
            let limit = &mut options.config.max_connections_per_ip;
            value::count(text).map(|value| *limit = Some(value))
        },
    },
    Spec {
        name: "handshake-rate",
        variable: "WSECHO_HANDSHAKE_RATE",
        takes: Takes::One("RATE"),
        heading: HEADING,
        help: "Maximum rate of connections of one address,\n\
               such as 10 (a second) or 30/m; more get 429.\n\
               By default there is no limit",
        default: |_| String::new(),
        apply: |options, text| {
            value::rate(text).map(|value| options.config.handshake_rate = Some(value))
        },
    },
    Spec {
        name: "message-rate",
        variable: "WSECHO_MESSAGE_RATE",
        takes: Takes::One("RATE"),
        heading: HEADING,
        help: "Maximum rate of messages from a connection,\n\
               such as 100 (a second) or 30/m; further ones\n\
               are read later. By default there is no limit",
        default: |_| String::new(),
        apply: |options, text| {
            value::rate(text).map(|value| options.config.message_rate = Some(value))
        },
    },
    Spec {
        name: "byte-rate",
        variable: "WSECHO_BYTE_RATE",
        takes: Takes::One("BYTES"),
        heading: HEADING,
        help: "Maximum bytes a second from a connection;\n\
               further ones are read later. By default\n\
               there is no limit",
        default: |_| String::new(),
        apply: |options, text| {
            value::byte_rate(text).map(|value| options.config.byte_rate = Some(value))
        },
    },
    Spec {
        name: "max-lifetime",
        variable: "WSECHO_MAX_LIFETIME",
        takes: Takes::One("TIME"),
        heading: HEADING,
        help: "Maximum age of a connection, less up to a\n\
               tenth at random; then it gets Close 1012.\n\
               0 for no limit",
        default: |options| value::show_duration(options.config.max_lifetime),
        apply: |options, text| {
            value::lifetime(text).map(|value| options.config.max_lifetime = value)
        },
    },
];

/// Refuses an audience of tokens that nobody may have.
pub(super) fn check(options: &Options) -> Result<(), String> {
    let config = &options.config;
    match config.auth_jwt_key {
        None if !config.auth_jwt_audience.is_empty() => {
            Err("--auth-jwt-audience needs --auth-jwt-key".to_owned())
        }
        _ => Ok(()),
    }
}
