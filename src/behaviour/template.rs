//! Replies made from what was said.

use super::script::Facts;
use crate::service::Now;

/// A reply: words and names, kept as they were written, because each connection may bring its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    /// The message stands in it, once at most, so that a reply can stream as the message does.
    message: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Words(&'a str),
    Message,
    Time,
    Count,
    Id,
    Peer,
}

impl Template {
    /// Reads `{message}`, `{time}`, `{count}`, `{id}` and `{peer}` among other words; `{{` and
    /// `}}` are braces.
    ///
    /// # Errors
    /// Which name is not known, or which brace stands alone.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut message = false;
        for part in Parts(text) {
            if part? == Part::Message && std::mem::replace(&mut message, true) {
                return Err("{message} stands twice".to_owned());
            }
        }
        Ok(Self { text: text.into(), message })
    }

    /// True if the message stands in it.
    pub fn has_message(&self) -> bool {
        self.message
    }

    /// Bytes of memory that it takes, beside itself.
    pub fn footprint(&self) -> usize {
        self.text.len()
    }

    /// What stands before and behind the message that is number `count`.
    pub fn render(&self, count: u64, facts: &Facts, now: Now) -> (String, String) {
        let (mut before, mut behind) = (String::new(), String::new());
        let mut into = &mut before;
        // It has been parsed before, so there are no errors.
        for part in Parts(&self.text).flatten() {
            match part {
                Part::Words(words) => into.push_str(words),
                Part::Message => into = &mut behind,
                Part::Time => into.push_str(&now.timestamp()),
                Part::Count => into.push_str(&count.to_string()),
                Part::Id => into.push_str(&facts.id.to_string()),
                Part::Peer => into.push_str(&facts.peer.to_string()),
            }
        }
        (before, behind)
    }
}

/// What is left of a template's text, part for part; nothing follows an error.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = std::mem::take(&mut self.0);
        if text.is_empty() {
            return None;
        }
        Some(split_part(text).map(|(part, rest)| {
            self.0 = rest;
            part
        }))
    }
}

/// The first part of `text`, and what follows it.
fn split_part(text: &str) -> Result<(Part<'_>, &str), String> {
    if text.starts_with("{{") || text.starts_with("}}") {
        return Ok((Part::Words(&text[..1]), &text[2..]));
    }
    if text.starts_with('}') {
        return Err("a } stands alone; }} is one".to_owned());
    }
    let Some(inside) = text.strip_prefix('{') else {
        let end = text.find(['{', '}']).unwrap_or(text.len());
        return Ok((Part::Words(&text[..end]), &text[end..]));
    };
    let (name, rest) = inside.split_once('}').ok_or("a { stands alone; {{ is one")?;
    let part = match name {
        "message" => Part::Message,
        "time" => Part::Time,
        "count" => Part::Count,
        "id" => Part::Id,
        "peer" => Part::Peer,
        _ => {
            let known = "{message}, {time}, {count}, {id}, {peer}";
            return Err(format!("{{{}}} is none of {known}", name.escape_debug()));
        }
    };
    Ok((part, rest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn render(text: &str) -> Result<(String, String), String> {
        let facts = Facts { id: 7, peer: crate::peer::tests::somebody(), mirror: None };
        let now = Now { utc: Duration::from_millis(1500), ..Now::default() };
        Template::parse(text).map(|template| template.render(3, &facts, now))
    }

    #[test]
    fn templates() {
        let cases = [
            ("Echo: {message}", "Echo: ", ""),
            ("{message}", "", ""),
            ("", "", ""),
            ("pong", "pong", ""),
            ("{count}/{id} {message} from {peer}", "3/7 ", " from 192.0.2.1:80"),
            ("{message} at {time}", "", " at 1970-01-01T00:00:01.500Z"),
            ("{{{message}}}é", "{", "}é"),
            ("{{message}}", "{message}", ""),
        ];
        for (text, before, behind) in cases {
            assert_eq!(render(text), Ok((before.to_owned(), behind.to_owned())), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("{name}", "{name} is none of {message}, {time}, {count}, {id}, {peer}"),
            ("{}", "{} is none of {message}, {time}, {count}, {id}, {peer}"),
            ("{a\n}", "{a\\n} is none of {message}, {time}, {count}, {id}, {peer}"),
            ("a { b", "a { stands alone; {{ is one"),
            ("a } b", "a } stands alone; }} is one"),
            ("{message}{message}", "{message} stands twice"),
        ];
        for (text, wrong) in cases {
            assert_eq!(render(text), Err(wrong.to_owned()), "{text}");
        }
    }
}
