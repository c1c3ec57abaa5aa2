//! Messages and the objects that carry them, from JSON and to JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::id::ConnId;
use crate::service::{Effects, Kind, Now};

/// The fields that mean something in what a client says; what else there is, is skipped. Of one
/// that is there twice the last counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub kind: Field,
    pub username: Field,
    pub message: Field,
    pub to: Field,
    pub key: Field,
}

/// A field of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    #[default]
    Missing,
    Null,
    Text(String),
    /// Something else, which is not kept.
    Other,
}

/// Why something is no object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoObject {
    /// It is JSON of another kind.
    OtherJson,
    /// It is no JSON.
    NoJson,
}

impl Said {
    /// What an object says.
    pub(super) fn parse(text: &[u8]) -> Result<Self, NoObject> {
        serde_json::from_slice(text).map_err(|error| {
            // The wrong kind is seen at the first byte, when the rest may still be anything.
            let json = error.is_data() && serde_json::from_slice::<IgnoredAny>(text).is_ok();
            if json { NoObject::OtherJson } else { NoObject::NoJson }
        })
    }

    /// What is to be told to others, without what would only disturb a terminal or a page.
    pub(super) fn message(&self) -> Result<String, &'static str> {
        let message = clean(self.message.text("message is missing, or not a string")?);
        if message.trim().is_empty() { Err("message is empty") } else { Ok(message) }
    }
}

impl Field {
    /// The text; `fault` if there is none.
    pub(super) fn text(&self, fault: &'static str) -> Result<&str, &'static str> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Missing | Self::Null | Self::Other => Err(fault),
        }
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said, A::Error> {
        let mut said = Said::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let field = match &*name {
                "type" => &mut said.kind,
                "username" => &mut said.username,
                "message" => &mut said.message,
                "to" => &mut said.to,
                "key" => &mut said.key,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = match map.next_value()? {
                Value::String(text) => Field::Text(text),
                Value::Null => Field::Null,
                _ => Field::Other,
            };
        }
        Ok(said)
    }
}

/// A message without control characters other than line feed and tabulator.
fn clean(message: &str) -> String {
    message.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// What a field of ours holds.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Text(&'a str),
    Number(usize),
    Texts(Vec<&'a str>),
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(to),
            Self::Number(number) => number.serialize(to),
            Self::Texts(texts) => texts.serialize(to),
        }
    }
}

/// An object of the protocol: its type, its fields in order, the time in UTC.
struct Object<'a> {
    kind: &'a str,
    fields: &'a [(&'a str, Content<'a>)],
    time: &'a str,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        for (name, content) in self.fields {
            map.serialize_entry(name, content)?;
        }
        map.serialize_entry("time", self.time)?;
        map.end()
    }
}

/// An object as JSON.
pub(super) fn object(kind: &str, fields: &[(&str, Content<'_>)], now: Now) -> Vec<u8> {
    let object = Object { kind, fields, time: &now.timestamp() };
    // Neither texts nor numbers can fail, nor memory that is written to.
    serde_json::to_vec(&object).unwrap_or_default()
}

/// Has the room's own words told.
pub(super) fn system(
    effects: &mut Effects,
    to: impl IntoIterator<Item = ConnId>,
    message: &str,
    now: Now,
) {
    effects.send(to, Kind::Text, &object("system", &[("message", Content::Text(message))], now));
}

/// Tells somebody what is wrong.
pub(super) fn error(effects: &mut Effects, id: ConnId, message: &str, now: Now) {
    effects.send([id], Kind::Text, &object("error", &[("message", Content::Text(message))], now));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn messages_keep_their_lines_and_lose_their_controls() {
        assert_eq!(clean("a\tb\nc\r\u{1b}[2J\u{0}\u{85}é"), "a\tb\nc[2Jé");
    }

    #[test]
    fn objects_are_json_whatever_is_in_them() {
        let now = Now { utc: Duration::from_millis(1_700_000_000_042), ..Now::default() };
        let fields = [
            ("message", Content::Text("\"\\\u{2028}<b>")),
            ("users", Content::Texts(vec!["a", "\""])),
            ("count", Content::Number(2)),
        ];
        let expected = "{\"type\":\"chat\",\"message\":\"\\\"\\\\\u{2028}<b>\",\
            \"users\":[\"a\",\"\\\"\"],\"count\":2,\"time\":\"2023-11-14T22:13:20.042Z\"}";
        assert_eq!(object("chat", &fields, now), expected.as_bytes());
        assert!(serde_json::from_str::<Value>(expected).is_ok());
    }

    #[test]
    fn an_object_says_what_its_known_fields_say_last() {
        let text = r#"{"message":5,"a":[{"message":1}],"message":"x","to":null,"\u0074ype":[]}"#;
        let said = Said {
            message: Field::Text("x".to_owned()),
            to: Field::Null,
            kind: Field::Other,
            ..Said::default()
        };
        assert_eq!(Said::parse(text.as_bytes()), Ok(said));
        assert_eq!(Said::parse(b" {} "), Ok(Said::default()));
        for other in ["5", "-1.5e3", "\"x\"", "[1,{}]", "null", "true", " [] "] {
            assert_eq!(Said::parse(other.as_bytes()), Err(NoObject::OtherJson), "{other}");
        }
        for none in
            ["", "5 apples", "[1,", "{", "{}x", "nul", "\"", "{\"a\":}", "{a:1}", "\u{feff}{}"]
        {
            assert_eq!(Said::parse(none.as_bytes()), Err(NoObject::NoJson), "{none}");
        }
    }
}
