//! A report that was saved, as far as a comparison looks into it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::SCHEMA;
use crate::text::is_invisible;

/// Seconds shorter than this are the rest of a run, and left out.
const WHOLE_S: f64 = 0.9;

/// What a comparison cannot do without.
const NEEDED: [&str; 9] = [
    "started",
    "url",
    "shape",
    "settings",
    "machine.cpu",
    "messages_per_second",
    "latency_us.p99",
    "errors",
    "seconds",
];

/// A report that `--json` once printed. It stays JSON: what is compared are a few of its fields,
/// and structures that are read back would cost the binary 80 KiB.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The file that it came from.
    pub(super) name: String,
    report: Value,
}

impl Saved {
    /// Reads a report from a file. The error is one line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&name, &text)
    }

    /// Takes a report from the text of the file called `name`. The error is one line.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let fail = |why: String| Err(format!("{name}: {why}"));
        if text.trim().is_empty() {
            return fail("the file is empty".to_owned());
        }
        let report: Value = match serde_json::from_str(text) {
            Ok(report) => report,
            Err(error) => return fail(format!("this is not one JSON object: {error}")),
        };
        let lacks = |field| format!("not a report of `wsecho load --json`: it has no `{field}`");
        match report.get("schema").and_then(Value::as_u64) {
            None => return fail(lacks("schema")),
            Some(schema) if schema != u64::from(SCHEMA) => {
                return fail(format!("has schema {schema}; this version reads {SCHEMA}"));
            }
            Some(_) => {}
        }
        let saved = Self { name: name.to_owned(), report };
        match NEEDED.iter().find(|field| saved.field(field).is_none()) {
            None => Ok(saved),
            Some(field) => fail(lacks(field)),
        }
    }

    /// What stands at a path such as `latency_us.p99`.
    pub(super) fn field(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.report, |value, name| value.get(name))
    }

    pub(super) fn number(&self, path: &str) -> Option<f64> {
        self.field(path)?.as_f64()
    }

    pub(super) fn word(&self, path: &str) -> String {
        harmless(self.field(path).and_then(Value::as_str).unwrap_or_default())
    }

    pub(super) fn rows(&self, path: &str) -> &[Value] {
        self.field(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn whole_seconds(&self) -> impl Iterator<Item = &Value> {
        let whole = |second: &&Value| number(second, "length_s") >= Some(WHOLE_S);
        self.rows("seconds").iter().filter(whole)
    }

    /// A figure of each whole second in which something came back.
    pub(super) fn series(&self, figure: fn(&Value) -> Option<f64>) -> Vec<f64> {
        self.whole_seconds().filter(|second| rate(second) > Some(0.0)).filter_map(figure).collect()
    }

    pub(super) fn errors(&self) -> u64 {
        let kinds = self.field("errors").and_then(Value::as_object);
        kinds.map_or(0, |kinds| kinds.values().filter_map(Value::as_u64).sum())
    }

    /// The options of the run, by name and value.
    pub(super) fn settings(&self) -> impl Iterator<Item = (String, String)> {
        let word = |setting: &Value, name| Some(harmless(setting.get(name)?.as_str()?));
        let named = move |setting| Some((word(setting, "name")?, word(setting, "value")?));
        self.rows("settings").iter().filter_map(named)
    }
}

/// Words of a file as they can neither forge a line nor steer a terminal.
fn harmless(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        if is_invisible(c) { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

/// A figure of one second.
pub(super) fn number(second: &Value, name: &str) -> Option<f64> {
    second.get(name)?.as_f64()
}

/// Messages a second in one second.
pub(super) fn rate(second: &Value) -> Option<f64> {
    Some(number(second, "messages")? / number(second, "length_s")?)
}
