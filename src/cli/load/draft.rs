//! A plan as it is put together from options, and how single values of it are read and shown.

use std::fs;
use std::time::Duration;

use super::super::value;
use crate::load::payload::Content;
use crate::load::plan::{Audience, Plan, Shape};
use crate::load::report::Threshold;
use crate::ws::offer::Offer;

/// A plan as it is put together, one value after the other.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The plan so far.
    pub plan: Plan,
    /// What has to hold in the end.
    pub thresholds: Vec<Threshold>,
    /// Options of which only one may be named at a time, as named: shape and content.
    shape: Option<&'static str>,
    content: Option<&'static str>,
    /// Addresses named here replace those that were named before.
    sources: bool,
}

impl Draft {
    /// The next values come from somewhere else, and win over those before.
    pub fn next_level(&mut self) {
        (self.shape, self.content, self.sources) = (None, None, false);
    }

    /// One more address to connect from.
    pub(super) fn source(&mut self, text: &str) -> Result<(), String> {
        let address = text.parse().map_err(|_| format!("{text:?} is not an IP address"))?;
        if !self.sources {
            self.plan.sources.clear();
        }
        self.sources = true;
        self.plan.sources.push(address);
        Ok(())
    }

    /// True if text was named, which is the default too.
    pub(super) fn names_text(&self) -> bool {
        self.content == Some("text")
    }

    pub(super) fn shape(&mut self, name: &'static str, shape: Shape) -> Result<(), String> {
        only(&mut self.shape, name)?;
        self.plan.shape = shape;
        Ok(())
    }

    pub(super) fn content(
        &mut self,
        name: &'static str,
        yes: &str,
        content: Content,
    ) -> Result<(), String> {
        if value::switch(yes)? {
            only(&mut self.content, name)?;
            self.plan.content = content;
        }
        Ok(())
    }

    /// A file is sent as text if it is named with `text`, or is UTF-8 and not named with `binary`.
    pub(super) fn file(&mut self, path: &str) -> Result<(), String> {
        let bytes = fs::read(path).map_err(|error| format!("{path:?}: {error}"))?;
        if bytes.is_empty() {
            return Err(format!("{path:?} is empty"));
        }
        let text = std::str::from_utf8(&bytes).is_ok();
        self.plan.content = Content::File { bytes, text };
        Ok(())
    }

    /// `--text` and `--binary` say how a file is sent, if there is one.
    pub(super) fn kind(
        &mut self,
        name: &'static str,
        yes: &str,
        as_text: bool,
    ) -> Result<(), String> {
        let usual = if as_text { Content::Text } else { Content::Binary };
        let content = match &self.plan.content {
            Content::File { bytes, .. } => {
                if as_text && std::str::from_utf8(bytes).is_err() {
                    return Err("the file is not UTF-8".to_owned());
                }
                Content::File { bytes: bytes.clone(), text: as_text }
            }
            _ => usual,
        };
        self.content(name, yes, content)
    }
}

fn only(named: &mut Option<&'static str>, name: &'static str) -> Result<(), String> {
    match named.replace(name) {
        Some(before) => Err(format!("it does not go together with {before}")),
        None => Ok(()),
    }
}

pub(super) fn switched(yes: &str, then: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    if value::switch(yes)? { then() } else { Ok(()) }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    value::count::<u32>(text).map(f64::from)
}

pub(super) fn show_time(time: Duration) -> String {
    if time.is_zero() { String::new() } else { value::show_duration(time) }
}

pub(super) fn show_rate(rate: Option<f64>) -> String {
    rate.map(|rate| rate.to_string()).unwrap_or_default()
}

const DEFLATE_NAMES: [(&str, Option<Offer>); 3] =
    [("off", None), ("on", Some(Offer::NoTakeover)), ("takeover", Some(Offer::Takeover))];

pub(super) fn deflate(text: &str) -> Result<Option<Offer>, String> {
    let known = DEFLATE_NAMES.iter().find(|(name, _)| *name == text);
    known.map(|(_, offer)| *offer).ok_or_else(|| format!("{text:?} is not off, on or takeover"))
}

pub(super) fn deflate_name(offer: Option<Offer>) -> &'static str {
    DEFLATE_NAMES.iter().find(|(_, known)| *known == offer).map_or("", |(name, _)| name)
}

pub(super) fn audience(text: &str) -> Result<Audience, String> {
    match text {
        "all" => Ok(Audience::All),
        "others" => Ok(Audience::Others),
        _ => Err(format!("{text:?} is neither all nor others")),
    }
}

pub(super) fn shown_audience(shape: Shape) -> String {
    match shape {
        Shape::Broadcast(Audience::All) => "all".to_owned(),
        Shape::Broadcast(Audience::Others) => "others".to_owned(),
        _ => String::new(),
    }
}

pub(super) fn yes(said: bool) -> String {
    if said { "yes".to_owned() } else { String::new() }
}
