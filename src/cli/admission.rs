//! The options for who may come, and how much of it.

use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;

const HEADING: &str = "Admission";

/// Who is believed, and who is admitted.
pub(super) const ADMISSION: &[Spec<Options>] = &[Spec {
    name: "trust-proxy",
    variable: "WSECHO_TRUST_PROXY",
    takes: Takes::Many("NETWORK"),
    heading: HEADING,
    help: "Proxies whose Forwarded or X-Forwarded-For\n\
               says who the client is, such as 10.0.0.0/8,\n\
               or unix for those on Unix sockets; may be\n\
               repeated. By default none is believed",
    default: |_| String::new(),
    apply: |options, text| {
        value::network(text).map(|network| options.config.trust_proxy.push(network))
    },
}];
