//! What the log says of a connection when it opens and when it ends.
//!
//! Kept apart from the connection and only for a log that is read: an idle connection should not
//! pay for words that nobody will see.

use std::fmt::Write;
use std::time::Duration;

use log::debug;

use crate::ending::Ending;
use crate::http::Status;
use crate::limits::LOGGED_BYTES_MAX;
use crate::peer::Peer;
use crate::text::is_invisible;

/// Notes on one connection.
#[derive(Debug)]
pub struct ConnectionLog {
    peer: Peer,
    opened: Duration,
    /// Frames received whole.
    pub frames: u64,
    /// Data messages received whole.
    pub messages: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// The close code received, or sent for a fault.
    pub code: Option<u16>,
    /// The peer's reason, escaped and cut.
    pub reason: String,
}

impl ConnectionLog {
    /// Begins the notes and logs the opening.
    pub fn open(peer: Peer, now: Duration) -> Box<Self> {
        debug!("{peer} connected");
        Box::new(Self {
            peer,
            opened: now,
            frames: 0,
            messages: 0,
            received: 0,
            sent: 0,
            code: None,
            reason: String::new(),
        })
    }

    /// Logs what was asked for in the request, with which answer, and what was agreed on.
    pub fn request(
        &self,
        target: &str,
        status: &str,
        subprotocol: Option<&str>,
        extension: Option<&str>,
    ) {
        let mut line = format!("{} {} {status}", self.peer, escape(target.as_bytes()));
        // Writing to a `String` cannot fail.
        if let Some(name) = subprotocol {
            let _ = write!(line, ", subprotocol {}", escape(name.as_bytes()));
        }
        if let Some(extension) = extension {
            let _ = write!(line, ", {extension}");
        }
        debug!("{line}");
    }

    /// Logs that a request is refused, and why. There is no `target` if no whole head has come.
    pub fn refused(peer: Peer, target: Option<&str>, status: Status, reason: &str) {
        let target = target.map_or("(no request)".into(), |target| escape(target.as_bytes()));
        let (code, reason) = (status.code(), escape(reason.as_bytes()));
        debug!("{peer} {target} {code}, {reason}");
    }

    /// Logs the ending.
    pub fn close(&self, ending: Ending, now: Duration) {
        let Self { peer, frames, messages, received, sent, .. } = self;
        let seconds = now.saturating_sub(self.opened).as_secs_f64();
        let mut line = format!("{peer} {} after {seconds:.3} s, ", ending.word());
        // Writing to a `String` cannot fail.
        let _ = write!(line, "{frames} frames, {messages} messages, ");
        let _ = write!(line, "{received} bytes in, {sent} out");
        if let Some(code) = self.code {
            let _ = write!(line, ", code {code}");
        }
        if !self.reason.is_empty() {
            let _ = write!(line, ", reason \"{}\"", self.reason);
        }
        debug!("{line}");
    }
}

/// A peer's words in a form that can neither forge a log line nor steer a terminal.
pub fn escape(words: &[u8]) -> String {
    let cut = &words[..words.len().min(LOGGED_BYTES_MAX)];
    let mut text = String::with_capacity(cut.len());
    for chunk in cut.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '"' || c == '\\' || is_invisible(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if cut.len() < words.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o09_words_are_escaped_and_cut() {
        assert_eq!(escape(b"plain /path?x=1"), "plain /path?x=1");
        assert_eq!(escape(b"a\x1b[2J\r\nb"), "a\\u{1b}[2J\\r\\nb");
        assert_eq!(escape(b"\xff\xC3\xA9"), "\\xffé");
        assert_eq!(escape("a\u{202E}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(escape("a\u{FE0F}b\u{3164}".as_bytes()), "a\\u{fe0f}b\\u{3164}");
        let long = escape(&[b'x'; 64 * 1024]);
        assert_eq!(long.chars().count(), LOGGED_BYTES_MAX + 1);
        assert!(long.ends_with('…'));
    }
}
