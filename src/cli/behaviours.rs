//! The options that make echoes behave: one for each parameter that a URL's query may name too.

use super::options::Options;
use super::spec::{Spec, Takes};
use super::value;
use crate::behaviour::{Behaviour, NAMES, PARAMETERS, Parameter, Value};
use crate::units;

const HEADING: &str =
    "Behaviour of all echoes, none by default; the query of a URL sets it for one";

/// The options of behaviour, in the order of the help: a row for each parameter, and two more.
pub(super) const BEHAVIOURS: &[Spec<Options>] = &[
    row::<0>(),
    row::<1>(),
    row::<2>(),
    row::<3>(),
    row::<4>(),
    row::<5>(),
    row::<6>(),
    row::<7>(),
    row::<8>(),
    row::<9>(),
    row::<10>(),
    row::<11>(),
    row::<12>(),
    row::<13>(),
    row::<14>(),
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
        help: "Ignore all of these, in flags and URLs:\n\
               echo exactly",
        default: |_| String::new(),
        apply: |options, text| value::switch(text).map(|exact| options.config.exact = exact),
    },
];

const _: () = assert!(BEHAVIOURS.len() == PARAMETERS.len() + 2, "each parameter has its row");

/// The option for the parameter at `AT`.
const fn row<const AT: usize>() -> Spec<Options> {
    let Parameter { name, variable, value, help, .. } = PARAMETERS[AT];
    let takes = match value {
        Value::Nothing => Takes::Switch,
        Value::Text => Takes::One("TEXT"),
        Value::Time => Takes::One("TIME"),
        Value::Count => Takes::One("N"),
        Value::Rate => Takes::One("RATE"),
        Value::How => Takes::One("HOW"),
    };
    let apply = |options: &mut Options, text: &str| set(options, &PARAMETERS[AT], text);
    Spec { name, variable, takes, heading: HEADING, help, default: |_| String::new(), apply }
}

/// Takes a parameter over as the query of a URL would, but for plain numbers as times: beside
/// `--ping-interval` nobody could tell what they mean.
fn set(options: &mut Options, parameter: &Parameter, text: &str) -> Result<(), String> {
    if parameter.value == Value::Time {
        units::duration(text)?;
    }
    (parameter.set)(&mut Behaviour::default(), text)?;
    options.config.behaviour.push((parameter.name, text.to_owned()));
    Ok(())
}

/// Refuses what says when or why to end, where nothing says that it is to end.
pub(super) fn check(options: &Options) -> Result<(), String> {
    let given = |name| options.config.behaviour.iter().any(|(known, _)| *known == name);
    for name in ["after", "at"] {
        if given(name) && !given("close") && !given("drop") {
            return Err(format!("--{name} says when to close or drop: it needs --close or --drop"));
        }
    }
    match given("reason") && !given("close") {
        true => Err("--reason says why to close: it needs --close".to_owned()),
        false => Ok(()),
    }
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
