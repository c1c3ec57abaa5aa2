//! The options that make echoes behave: one for each parameter that a URL's query may name too.

use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;
use crate::behaviour::{Behaviour, NAMES};

const HEADING: &str = "Behaviour of all echoes; the query of a URL sets it for one";

const TEXT: Takes = Takes::One("TEXT");
const MS: Takes = Takes::One("MS");
const COUNT: Takes = Takes::One("N");

/// A row: the name is the parameter's, and its value is read as the parameter's is.
macro_rules! behaviour {
    ($name:literal, $variable:literal, $takes:expr, $help:literal) => {
        Spec {
            name: $name,
            variable: $variable,
            takes: $takes,
            heading: HEADING,
            help: $help,
            default: |_| String::new(),
            apply: |options, text| set(options, $name, text),
        }
    };
}

/// The options of behaviour, in the order of the help.
pub(super) const BEHAVIOURS: &[Spec<Options>] = &[
    behaviour!("welcome", "WSECHO_WELCOME", TEXT, "First message to each client"),
    behaviour!(
        "reply",
        "WSECHO_REPLY",
        TEXT,
        "Reply to text messages; may contain\n\
         {message}, {time}, {count}, {id} and {peer}"
    ),
    behaviour!("delay", "WSECHO_DELAY", MS, "Delay before each reply, at most 600000"),
    behaviour!("jitter", "WSECHO_JITTER", MS, "Random extra delay, at most this long"),
    behaviour!(
        "rate",
        "WSECHO_RATE",
        Takes::One("RATE"),
        "Bytes per second to each client, at most"
    ),
    behaviour!(
        "fragment",
        "WSECHO_FRAGMENT",
        COUNT,
        "Bytes in each frame of a reply, at most\n32768"
    ),
    behaviour!("ping", "WSECHO_PING", MS, "Interval between pings, at least 100"),
    behaviour!("no-pong", "WSECHO_NO_PONG", Takes::Switch, "Do not answer pings"),
    behaviour!("close", "WSECHO_CLOSE", COUNT, "Close with this code"),
    behaviour!("reason", "WSECHO_REASON", TEXT, "Reason to send with the close code"),
    behaviour!("drop", "WSECHO_DROP", Takes::One("HOW"), "Drop the TCP connection: rst or fin"),
    behaviour!("after", "WSECHO_AFTER", COUNT, "Close or drop after this many replies"),
    behaviour!("at", "WSECHO_AT", MS, "Close or drop this long after the handshake"),
    behaviour!("refuse", "WSECHO_REFUSE", COUNT, "Refuse the handshake with this status"),
    behaviour!("mirror", "WSECHO_MIRROR", Takes::Switch, "Send the handshake as the first message"),
    Spec {
        name: "allow-behaviour",
        variable: "WSECHO_ALLOW_BEHAVIOUR",
        takes: Takes::Many("PARAMETER"),
        heading: HEADING,
        help: "Parameter that a query may set, may be\n\
               repeated; none for no parameter. By default\n\
               all",
        default: |_| String::new(),
        apply: |options, text| allow(options, text),
    },
    Spec {
        name: "exact",
        variable: "WSECHO_EXACT",
        takes: Takes::Switch,
        heading: HEADING,
        help: "Ignore the queries of URLs: echo exactly",
        default: |_| String::new(),
        apply: |options, text| value::switch(text).map(|exact| options.config.exact = exact),
    },
];

fn set(options: &mut Options, name: &'static str, text: &str) -> Result<(), String> {
    Behaviour::default().set(name, text)?;
    options.config.behaviour.push((name, text.to_owned()));
    Ok(())
}

fn allow(options: &mut Options, text: &str) -> Result<(), String> {
    if text != "none" && !NAMES.contains(&text) {
        return Err(format!("{text:?} is none of {}", NAMES.join(", ")));
    }
    match (text, &mut options.config.allowed) {
        ("none", allowed @ None) => *allowed = Some(Vec::new()),
        ("none", Some(_)) => return Err("none stands alone".to_owned()),
        (_, Some(named)) if named.is_empty() => return Err("none stands alone".to_owned()),
        (_, allowed) => allowed.get_or_insert_default().push(text.to_owned()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_has_an_option() {
        let options: Vec<_> = BEHAVIOURS.iter().map(|spec| spec.name).collect();
        for name in NAMES {
            assert!(options.contains(&name), "{name}");
        }
    }

    #[test]
    fn allowed_are_those_that_are_named() {
        let mut options = Options::default();
        assert!(allow(&mut options, "delay").is_ok() && allow(&mut options, "close").is_ok());
        assert_eq!(options.config.allowed, Some(vec!["delay".to_owned(), "close".to_owned()]));
        let mut options = Options::default();
        assert!(allow(&mut options, "none").is_ok());
        assert_eq!(options.config.allowed, Some(vec![]));
        assert!(allow(&mut options, "all").is_err());
        // What is meant by both would be a guess, and this is a restriction.
        for [first, second] in [["none", "delay"], ["delay", "none"], ["none", "none"]] {
            let mut options = Options::default();
            assert!(allow(&mut options, first).is_ok());
            assert_eq!(allow(&mut options, second), Err("none stands alone".to_owned()));
        }
    }
}
