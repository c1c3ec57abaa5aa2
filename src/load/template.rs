//! What a message of a room stands in, for servers that take nothing but objects of their own.

/// Stands for the message.
const MESSAGE: &str = "{message}";

/// A text with one place for the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    before: String,
    behind: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// There is no place for the message, or more than one.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(MESSAGE) {
            Some((before, behind)) if !behind.contains(MESSAGE) => {
                Ok(Self { before: before.to_owned(), behind: behind.to_owned() })
            }
            _ => Err(format!("{text:?} does not have {MESSAGE} in it once")),
        }
    }

    /// As it was written.
    pub fn show(&self) -> String {
        format!("{}{MESSAGE}{}", self.before, self.behind)
    }

    /// The whole text with a message in its place.
    pub fn around(&self, message: &[u8]) -> Vec<u8> {
        [self.before.as_bytes(), message, self.behind.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_place() {
        for text in ["{message}", r#"{"a":"{message}"}"#, "{message}!", "{mess{message}"] {
            let template = Template::parse(text).expect(text);
            assert_eq!(template.show(), text);
            let whole = String::from_utf8(template.around(b"hi")).expect("text");
            assert_eq!(whole, text.replace(MESSAGE, "hi"));
        }
        for text in ["", "{}", "{message} {message}"] {
            let error = Template::parse(text).expect_err(text);
            assert!(error.contains("{message}"), "{error}");
        }
    }
}
