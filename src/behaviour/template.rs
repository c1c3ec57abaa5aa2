//! Replies made from what was said.

use super::script::Facts;
use crate::service::Now;

/// A reply: what stands before the message, and what behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before: Vec<Part>,
    /// Stands in it, once at most, so that a reply can stream as the message does.
    message: bool,
    behind: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
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
        let mut template = Self { before: Vec::new(), message: false, behind: Vec::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let part;
            (part, rest) = split_part(rest)?;
            match part {
                None if template.message => return Err("{message} stands twice".to_owned()),
                None => template.message = true,
                Some(part) if template.message => template.behind.push(part),
                Some(part) => template.before.push(part),
            }
        }
        Ok(template)
    }

    /// True if the message stands in it.
    pub fn has_message(&self) -> bool {
        self.message
    }

    /// What stands before and behind the message that is number `count`.
    pub fn render(&self, count: u64, facts: &Facts, now: Now) -> (String, String) {
        let render = |parts: &[Part]| {
            let words = parts.iter().map(|part| match part {
                Part::Words(words) => words.clone(),
                Part::Time => now.timestamp(),
                Part::Count => count.to_string(),
                Part::Id => facts.id.to_string(),
                Part::Peer => facts.peer.to_string(),
            });
            words.collect()
        };
        (render(&self.before), render(&self.behind))
    }
}

/// The first part of `text`, `None` for the message, and what follows it.
fn split_part(text: &str) -> Result<(Option<Part>, &str), String> {
    for brace in ["{", "}"] {
        if let Some(rest) = text.strip_prefix(&brace.repeat(2)) {
            return Ok((Some(Part::Words(brace.to_owned())), rest));
        }
    }
    if text.starts_with('}') {
        return Err("a } stands alone; }} is one".to_owned());
    }
    let Some(inside) = text.strip_prefix('{') else {
        let end = text.find(['{', '}']).unwrap_or(text.len());
        return Ok((Some(Part::Words(text[..end].to_owned())), &text[end..]));
    };
    let (name, rest) = inside.split_once('}').ok_or("a { stands alone; {{ is one")?;
    let part = match name {
        "message" => None,
        "time" => Some(Part::Time),
        "count" => Some(Part::Count),
        "id" => Some(Part::Id),
        "peer" => Some(Part::Peer),
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
