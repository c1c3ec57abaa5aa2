//! The options of permessage-deflate.

use super::options::{LIMITS, Options, PROTOCOL};
use super::spec::{Spec, Takes};
use super::value;
use crate::limits::Deflate;

/// What is agreed to, and how much it may take.
pub(super) const COMPRESSION: &[Spec<Options>] = &[
    Spec {
        name: "deflate",
        variable: "WSECHO_DEFLATE",
        takes: Takes::One("CHOICE"),
        heading: PROTOCOL,
        help: "permessage-deflate: on, takeover or off.\n\
               With takeover a connection that has sent a\n\
               compressed message keeps an inflater, 47 KiB;\n\
               otherwise it keeps nothing",
        default: |options| name(options.config.deflate).to_owned(),
        apply: |options, text| choice(text).map(|value| options.config.deflate = value),
    },
    Spec {
        name: "inflaters",
        variable: "WSECHO_INFLATERS",
        takes: Takes::One("N"),
        heading: LIMITS,
        help: "Maximum number of compressed messages in\n\
               progress at one time, 47 KiB each; further\n\
               ones wait",
        default: |options| options.config.inflaters.to_string(),
        apply: |options, text| value::count(text).map(|value| options.config.inflaters = value),
    },
];

const NAMES: [(&str, Deflate); 3] =
    [("on", Deflate::On), ("takeover", Deflate::Takeover), ("off", Deflate::Off)];

/// `on`, `takeover` or `off`.
fn choice(text: &str) -> Result<Deflate, String> {
    let known = NAMES.iter().find(|(name, _)| *name == text);
    known.map(|(_, choice)| *choice).ok_or_else(|| format!("{text:?} is not on, takeover or off"))
}

/// What [`choice`] reads.
fn name(choice: Deflate) -> &'static str {
    NAMES.iter().find(|(_, known)| *known == choice).map_or("", |(name, _)| name)
}
