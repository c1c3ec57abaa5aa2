//! Scenarios: phases one after the other, in TOML. Keys are the names of options, and their values
//! go through the same table, so that whatever can be said on the command line can be said here.
//!
//! ```toml
//! url = "ws://127.0.0.1:8080/"
//! connections = 100
//! threshold = "errors == 0"
//!
//! [[phase]]
//! name = "steady"
//! rate = 1000
//! threshold = ["p99 < 5ms"]
//! ```

use std::fs;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::super::spec::{Spec, Takes};
use super::draft::Draft;
use super::options::PLAN_OPTIONS;
use crate::text::is_invisible;

/// Most characters to change for a key to count as misspelt.
const DISTANCE_MAX: usize = 3;

/// A value as text for an option: more than one where it may be repeated.
type Values = Vec<(String, Value)>;

/// What stands behind a key.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    One(String),
    Many(Vec<String>),
}

/// A scenario, of which only the TOML has been checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file, for errors.
    file: String,
    /// Its name: that of the file without its ending.
    pub name: String,
    /// Where to connect to, if it says so.
    pub url: Option<String>,
    common: Values,
    phases: Vec<(String, Values)>,
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&file, &name, &text)
    }

    fn parse(file: &str, name: &str, text: &str) -> Result<Self, String> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("{file}: line {line}: {}", error.message().replace('\n', ", "))
        })?;
        let mut scenario = Self {
            file: file.to_owned(),
            name: name.to_owned(),
            url: None,
            common: Vec::new(),
            phases: Vec::new(),
        };
        for (key, value) in table.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("phase", DeValue::Array(phases)) => {
                    for phase in phases.iter() {
                        scenario.add_phase(phase.get_ref())?;
                    }
                }
                ("phase", _) => return Err(format!("{file}: phases are written [[phase]]")),
                ("url", DeValue::String(url)) => scenario.url = Some(url.to_string()),
                (key, value) => scenario.common.push(entry(file, key, value)?),
            }
        }
        if scenario.phases.is_empty() {
            return Err(format!("{file}: there is no [[phase]]"));
        }
        Ok(scenario)
    }

    fn add_phase(&mut self, phase: &DeValue<'_>) -> Result<(), String> {
        let nth = self.phases.len() + 1;
        let unnamed = format!("{}: phase {nth}", self.file);
        let DeValue::Table(table) = phase else {
            return Err(format!("{unnamed} is not a table: write [[phase]]"));
        };
        let name = table.iter().find(|(key, _)| key.get_ref() == "name");
        let name = match name.map(|(_, value)| value.get_ref()) {
            // It is shown on terminals, whoever has written the file.
            Some(DeValue::String(name)) if name.chars().any(is_invisible) => {
                return Err(format!("{unnamed}: nobody can read the name {name:?}"));
            }
            Some(DeValue::String(name)) if !name.is_empty() => name.to_string(),
            _ => return Err(format!("{unnamed} has no name")),
        };
        if self.phases.iter().any(|(known, _)| *known == name) {
            return Err(format!("{}: two phases are named {name:?}", self.file));
        }
        let place = format!("{}: phase {name:?}", self.file);
        let others = table.iter().filter(|(key, _)| key.get_ref() != "name");
        let values = others.map(|(key, value)| entry(&place, key.get_ref(), value.get_ref()));
        let values = values.collect::<Result<Values, String>>()?;
        self.phases.push((name, values));
        Ok(())
    }

    /// The names of its phases.
    pub fn phases(&self) -> impl Iterator<Item = &str> {
        self.phases.iter().map(|(name, _)| name.as_str())
    }

    /// Applies what stands above all phases.
    pub fn apply_common(&self, draft: &mut Draft) -> Result<(), String> {
        apply(&self.file, &self.common, draft)
    }

    /// Applies what one phase says.
    pub fn apply_phase(&self, nth: usize, draft: &mut Draft) -> Result<(), String> {
        let (name, values) = &self.phases[nth];
        apply(&format!("{}: phase {name:?}", self.file), values, draft)
    }

    /// Puts the place of a phase before what is wrong with it.
    pub fn blame(&self, nth: usize, wrong: &str) -> String {
        format!("{}: phase {:?}: {wrong}", self.file, self.phases[nth].0)
    }
}

/// Options are applied in the order of their table, as those of the command line are.
fn apply(place: &str, values: &Values, draft: &mut Draft) -> Result<(), String> {
    for spec in PLAN_OPTIONS {
        let Some((_, value)) = values.iter().find(|(key, _)| key == spec.name) else { continue };
        let values = match (value, spec.takes) {
            (Value::One(value), _) => std::slice::from_ref(value),
            (Value::Many(values), Takes::Many(_)) => values,
            _ => return Err(format!("{place}: {}: it takes one value", spec.name)),
        };
        spec.apply_values(&format!("{place}: {}", spec.name), values, draft)?;
    }
    Ok(())
}

fn entry(place: &str, key: &str, value: &DeValue<'_>) -> Result<(String, Value), String> {
    if !PLAN_OPTIONS.iter().any(|spec| spec.name == key) {
        return Err(unknown(place, key));
    }
    let wrong = || format!("{place}: {key}: it takes text, a number, true or a list of them");
    let value = match value {
        DeValue::Array(values) => {
            let texts = values.iter().map(|value| scalar(value.get_ref()));
            Value::Many(texts.collect::<Option<_>>().ok_or_else(wrong)?)
        }
        value => Value::One(scalar(value).ok_or_else(wrong)?),
    };
    Ok((key.to_owned(), value))
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string().replace('_', "")),
        DeValue::Boolean(yes) => Some(u8::from(*yes).to_string()),
        _ => None,
    }
}

fn unknown(place: &str, key: &str) -> String {
    let distance = |spec: &Spec<Draft>| (strsim::osa_distance(key, spec.name), spec.name);
    let near = PLAN_OPTIONS.iter().map(distance).min();
    match near.filter(|(distance, _)| *distance <= DISTANCE_MAX) {
        Some((_, known)) => format!("{place}: {key:?} is not known; did you mean {known:?}?"),
        None => format!("{place}: {key:?} is not the name of an option"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parsed(text: &str) -> Result<Vec<Draft>, String> {
        let scenario = Scenario::parse("x.toml", "x", text)?;
        let mut common = Draft::default();
        scenario.apply_common(&mut common)?;
        (0..scenario.phases().count())
            .map(|nth| {
                let mut draft = common.clone();
                draft.next_level();
                scenario.apply_phase(nth, &mut draft)?;
                Ok(draft)
            })
            .collect()
    }

    #[test]
    fn phases_take_over_what_stands_above_them() {
        let text = "url = \"ws://a/\"\nconnections = 1_000\nbinary = true\n\
                    source = [\"127.0.0.2\", \"127.0.0.3\"]\n\
                    [[phase]]\nname = \"one\"\nrate = 50\nduration = \"3s\"\n\
                    [[phase]]\nname = \"two\"\ntext = true\nidle = true\nsource = \"127.0.0.9\"\n\
                    threshold = [\"p99 < 5ms\", \"errors == 0\"]\n";
        let drafts = parsed(text).expect("right");
        let [one, two] = &drafts[..] else { panic!("{drafts:?}") };
        assert_eq!((one.plan.connections, one.plan.rate), (1000, Some(50.0)));
        assert_eq!(one.plan.duration, Duration::from_secs(3));
        assert_eq!((one.plan.content.is_text(), two.plan.content.is_text()), (false, true));
        assert_eq!((one.plan.sources.len(), two.plan.sources.len()), (2, 1));
        assert_eq!((one.thresholds.len(), two.thresholds.len()), (0, 2));
        let scenario = Scenario::parse("x.toml", "x", text).expect("right");
        assert_eq!(scenario.url.as_deref(), Some("ws://a/"));
        assert_eq!(scenario.phases().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_phase_and_key() {
        let cases = [
            ("", "x.toml: there is no [[phase]]"),
            ("a b", "x.toml: line 1: "),
            ("connections = 1\nrate = \"\n", "x.toml: line 2: "),
            ("phase = 1", "x.toml: phases are written [[phase]]"),
            ("phase = [1]", "x.toml: phase 1 is not a table"),
            ("[[phase]]\nrate = 1", "x.toml: phase 1 has no name"),
            ("conections = 1\n[[phase]]\nname = \"a\"", "did you mean \"connections\"?"),
            ("nonsense = 1\n[[phase]]\nname = \"a\"", "\"nonsense\" is not the name of an option"),
            ("[[phase]]\nname = \"a\"\nrate = 1.5", "x.toml: phase \"a\": rate: it takes"),
            ("[[phase]]\nname = \"a\"\nrate = \"x\"", "x.toml: phase \"a\": rate: \"x\" is not"),
            ("[[phase]]\nname = \"a\"\nrate = [1, 2]", "phase \"a\": rate: it takes one value"),
            ("[[phase]]\nname = \"a\"\nidle = true\nchurn = 3", "phase \"a\": churn: it does not"),
            ("[[phase]]\nname = \"a\"\nthreshold = \"p98\"", "phase \"a\": threshold: "),
            ("[[phase]]\nname = \"\\u001b[2J\"", "nobody can read the name \"\\u{1b}[2J\""),
            ("[[phase]]\nname = \"a\"\n[[phase]]\nname = \"a\"", "two phases are named \"a\""),
        ];
        for (text, words) in cases {
            let wrong = parsed(text).expect_err(text);
            assert!(wrong.contains(words) && !wrong.contains('\n'), "{text:?} gave {wrong:?}");
        }
    }

    /// Every option of a plan works in a scenario.
    #[test]
    fn every_option_is_a_key() {
        for spec in PLAN_OPTIONS {
            let value = match spec.takes {
                Takes::Switch => "true",
                Takes::Short(_, "TIME") | Takes::One("TIME") => "\"7s\"",
                Takes::Short(_, "SIZES") => "\"64-128\"",
                Takes::One("CHOICE") => "\"on\"",
                Takes::One("WHO") => "\"others\"",
                Takes::One("FILE") => "\"Cargo.toml\"",
                Takes::One("TEXT") => "\"a {message}\"",
                Takes::Many("IP") => "[\"127.0.0.2\"]",
                Takes::Many("EXPR") => "\"errors == 0\"",
                _ => "7",
            };
            let text = format!("[[phase]]\nname = \"a\"\n{} = {value}\n", spec.name);
            let drafts = parsed(&text).expect(&text);
            let changed = format!("{:?}", drafts[0]) != format!("{:?}", Draft::default());
            assert!(changed, "{text}");
        }
    }
}
