//! A request as JSON, for whoever wants to see what reached the server.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::http::{Head, Version, shown_target};
use crate::peer::Peer;

/// Fields that let their reader act as the client. Any page that a browser shows may ask for
/// `/info`, and the browser adds these to the request.
const SECRETS: [&str; 4] = ["cookie", "authorization", "proxy-authorization", "x-api-key"];

/// The request's method, target, version and fields in the order they came, and who sent it.
/// Bytes that are not UTF-8 are replaced, and so are cookies and credentials, by their length,
/// unless these `secrets` are to be shown.
pub fn mirror(head: &Head<'_>, peer: Peer, secrets: bool) -> String {
    // What fails here is a map whose keys are no strings; there is none.
    serde_json::to_string(&Mirror { head, peer, secrets }).unwrap_or_default()
}

struct Mirror<'a> {
    head: &'a Head<'a>,
    peer: Peer,
    secrets: bool,
}

impl Serialize for Mirror<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let version = match self.head.version() {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
        };
        let fields = self.head.fields().map(|(name, value)| self.field(name, value));
        let mut object = serializer.serialize_struct("Mirror", 5)?;
        object.serialize_field("peer", &self.peer.to_string())?;
        object.serialize_field("method", self.head.method())?;
        let target = self.head.target();
        let target = if self.secrets { target.into() } else { shown_target(target) };
        object.serialize_field("target", &target)?;
        object.serialize_field("version", version)?;
        object.serialize_field("fields", &fields.collect::<Vec<_>>())?;
        object.end()
    }
}

impl Mirror<'_> {
    fn field<'a>(&self, name: &'a [u8], value: &'a [u8]) -> (Cow<'a, str>, Cow<'a, str>) {
        let name = String::from_utf8_lossy(name);
        let secret = SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
            || name.eq_ignore_ascii_case("sec-websocket-protocol") && has_token(value);
        let value = match secret && !self.secrets {
            true => format!("({} bytes)", value.len()).into(),
            false => String::from_utf8_lossy(value),
        };
        (name, value)
    }
}

/// Is one of these subprotocols a token?
fn has_token(value: &[u8]) -> bool {
    value.windows("bearer.".len()).any(|window| window == b"bearer.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Progress, Scan};
    use crate::peer::tests::somebody;

    #[test]
    fn what_came_is_shown_as_it_came() {
        let request = b"GET /info?a=%20<b> HTTP/1.1\r\nHost: h\r\nX-A: \"q\" \r\nx-a: \xFF\r\n\r\n";
        let Ok(Progress::Complete(head)) = Scan::default().advance(request) else {
            panic!("a whole head");
        };
        let text = mirror(&head, somebody(), false);
        let expected = "{\"peer\":\"192.0.2.1:80\",\"method\":\"GET\",\
            \"target\":\"/info?a=%20<b>\",\"version\":\"1.1\",\
            \"fields\":[[\"Host\",\"h\"],[\"X-A\",\"\\\"q\\\"\"],[\"x-a\",\"\u{FFFD}\"]]}";
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn secrets_are_shown_by_their_length_unless_asked_for() {
        let secrets = ["COOKIE", "Authorization", "proxy-authorization", "X-Api-Key"];
        for name in secrets {
            let request = format!("GET / HTTP/1.1\r\n{name}: s3cret \r\nX-Cookie: a\r\n\r\n");
            let Ok(Progress::Complete(head)) = Scan::default().advance(request.as_bytes()) else {
                panic!("a whole head");
            };
            let peer = somebody();
            let fields =
                |value| format!("\"fields\":[[\"{name}\",\"{value}\"],[\"X-Cookie\",\"a\"]]");
            let (hidden, shown) = (mirror(&head, peer, false), mirror(&head, peer, true));
            assert!(hidden.contains(&fields("(6 bytes)")), "{hidden}");
            assert!(shown.contains(&fields("s3cret")), "{shown}");
        }
    }
}
