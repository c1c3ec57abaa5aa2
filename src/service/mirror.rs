//! A request as JSON, for whoever wants to see what reached the server.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Head, Version};

/// The request's method, target, version and fields in the order they came, and who sent it.
/// Bytes that are not UTF-8 are replaced.
pub fn mirror(head: &Head<'_>, peer: SocketAddr) -> String {
    let version = match head.version() {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    let text = |bytes| Value::from(String::from_utf8_lossy(bytes));
    let fields: Vec<Value> =
        head.fields().map(|(name, value)| json!([text(name), text(value)])).collect();
    let parts = [
        ("peer", Value::from(peer.to_string())),
        ("method", head.method().into()),
        ("target", head.target().into()),
        ("version", version.into()),
        ("fields", fields.into()),
    ];
    let members: Vec<String> =
        parts.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Progress, Scan};

    #[test]
    fn what_came_is_shown_as_it_came() {
        let request = b"GET /info?a=%20<b> HTTP/1.1\r\nHost: h\r\nX-A: \"q\" \r\nx-a: \xFF\r\n\r\n";
        let Ok(Progress::Complete(head)) = Scan::default().advance(request) else {
            panic!("a whole head");
        };
        let text = mirror(&head, ([192, 0, 2, 1], 4000).into());
        let expected = "{\"peer\":\"192.0.2.1:4000\",\"method\":\"GET\",\
            \"target\":\"/info?a=%20<b>\",\"version\":\"1.1\",\
            \"fields\":[[\"Host\",\"h\"],[\"X-A\",\"\\\"q\\\"\"],[\"x-a\",\"\u{FFFD}\"]]}";
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
