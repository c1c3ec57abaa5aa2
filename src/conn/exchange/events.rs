//! Events of a stream as bytes (WHATWG HTML, "Server-sent events").
//!
//! An event is lines of text, and its receiver ends a line at CR, LF or both. So a text without CR
//! goes as it is, a line of `data` for each of its own; one with CR, and any bytes, go as base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::conn::mailboxes::Mail;
use crate::http::{Content, chunk_head};

/// What ends a chunked stream.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends what `event` appends, as a chunk if the stream is `chunked`.
pub fn write(out: &mut Vec<u8>, chunked: bool, event: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    event(out);
    if chunked {
        let length = out.len() - start;
        let mut head = [0; 18];
        let head = chunk_head(length, &mut head);
        out.extend_from_slice(head);
        out[start..].rotate_right(head.len());
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the end of the stream, where it has one.
pub fn write_end(out: &mut Vec<u8>, chunked: bool) {
    if chunked {
        out.extend_from_slice(LAST_CHUNK);
    }
}

/// Appends the event that carries a message.
pub fn write_mail(out: &mut Vec<u8>, mail: &Mail) {
    let kind = match mail.content {
        Content::Text if !mail.bytes.contains(&b'\r') => {
            for line in mail.bytes.split(|&byte| byte == b'\n') {
                write_line(out, b"data", line);
            }
            return out.push(b'\n');
        }
        Content::Text => "text",
        Content::Bytes => "binary",
    };
    write_named(out, kind, STANDARD.encode(&mail.bytes).as_bytes());
}

/// Appends an event with a name and one line of data.
pub fn write_named(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    write_line(out, b"event", name.as_bytes());
    write_line(out, b"data", data);
    out.push(b'\n');
}

/// Appends a comment, which nobody is told of.
pub fn write_comment(out: &mut Vec<u8>) {
    out.extend_from_slice(b":\n\n");
}

fn write_line(out: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    out.extend_from_slice(field);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(content: Content, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_mail(&mut out, &Mail { content, bytes: bytes.to_vec() });
        String::from_utf8(out).expect("events are text")
    }

    #[test]
    fn a_text_goes_as_it_is_where_that_is_exact() {
        let cases = [
            ("hello", "data: hello\n\n"),
            ("", "data: \n\n"),
            (" a", "data:  a\n\n"),
            ("a\nb", "data: a\ndata: b\n\n"),
            ("\n", "data: \ndata: \n\n"),
            ("a\n\nevent: x\n\n", "data: a\ndata: \ndata: event: x\ndata: \ndata: \n\n"),
            ("a\rb", "event: text\ndata: YQ1i\n\n"),
            ("a\r\nb", "event: text\ndata: YQ0KYg==\n\n"),
            ("ü\0", "data: ü\0\n\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(event(Content::Text, text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(event(Content::Bytes, b""), "event: binary\ndata: \n\n");
        assert_eq!(event(Content::Bytes, &[0, 255]), "event: binary\ndata: AP8=\n\n");
    }

    #[test]
    fn a_chunk_is_a_whole_event() {
        let mut out = b"before".to_vec();
        write(&mut out, true, |out| write_named(out, "mailbox", b"sse/x"));
        write(&mut out, true, write_comment);
        write_end(&mut out, true);
        let text = "before1c\r\nevent: mailbox\ndata: sse/x\n\n\r\n3\r\n:\n\n\r\n0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), text);
        let mut out = Vec::new();
        write(&mut out, false, write_comment);
        write_end(&mut out, false);
        assert_eq!(out, b":\n\n");
    }
}
