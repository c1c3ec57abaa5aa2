//! What the log says of a connection: a line when it opens and one when it ends, and its frames.
//!
//! Kept apart from the connection and only for a log that is read: an idle connection should not
//! pay for words that nobody will see. Each line says the same twice, in words for people and in
//! fields for machines.

mod words;

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use log::{debug, trace};

use super::Cause;
use super::frame_log::FrameLog;
use super::session::Farewell;
use crate::ending::Ending;
use crate::http::{shown_subprotocol, shown_target};
use crate::limits::LOGGED_BYTES_MAX;
use crate::peer::Peer;
use crate::text::is_invisible;
use crate::units::{about_bytes, about_duration, counted};
use crate::ws::close::CloseCode;

/// Notes on one connection.
#[derive(Debug)]
pub struct ConnectionLog {
    /// Its number, counted from 1 since the server began.
    number: u64,
    peer: Peer,
    /// The name of the token that let it in.
    token: Option<Rc<str>>,
    since: Duration,
    /// Frames received whole.
    pub frames: u64,
    /// Data messages received whole.
    pub messages: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// It has been upgraded.
    opened: bool,
    /// It is a plain request that takes longer than its answer.
    plain: bool,
    /// Its request was answered, and that has been said: nothing else will happen.
    answered: bool,
    /// How it came to its end.
    end: Option<End>,
    /// Its frames, where they are logged.
    trace: Option<Box<[FrameLog; 2]>>,
}

#[derive(Debug)]
struct End {
    cause: Cause,
    /// Why we had begun to close when it came, if we had.
    farewell: Option<Farewell>,
    /// The peer's words, escaped and cut.
    reason: String,
}

impl End {
    /// The code of the Close that ended it.
    fn code(&self) -> Option<u16> {
        let going =
            matches!(self.cause, Cause::PeerClosed(_) | Cause::PeerFinished | Cause::PeerTruncated);
        let code = match self.cause {
            _ if self.farewell.is_some() && going => self.farewell.map(Farewell::code),
            Cause::PeerClosed(code) => code,
            Cause::Fault(fault) => Some(fault.close_code()),
            _ => self.cause.farewell().map(|(code, _)| code),
        };
        code.map(CloseCode::number)
    }
}

impl ConnectionLog {
    /// Begins the notes.
    pub fn new(number: u64, peer: Peer, now: Duration) -> Box<Self> {
        trace!(event = "accepted", connection = number, peer:% = peer; "#{number} {peer} accepted");
        Box::new(Self {
            number,
            peer,
            token: None,
            since: now,
            frames: 0,
            messages: 0,
            received: 0,
            sent: 0,
            opened: false,
            plain: false,
            answered: false,
            end: None,
            trace: None,
        })
    }

    /// The peer, as far as it is known by now, is a proxy: from here on its client is meant.
    pub fn introduce(&mut self, client: Peer) {
        let (number, proxy) = (self.number, self.peer);
        if client != proxy {
            trace!(
                event = "introduced", connection = number, peer:% = client, proxy:% = proxy;
                "#{number} {proxy} speaks for {client}"
            );
        }
        self.peer = client;
    }

    /// It was let in with the token of this name.
    pub fn let_in(&mut self, token: Option<Rc<str>>) {
        self.token = token;
    }

    /// Logs a handshake that is answered with 101, and what was agreed on.
    pub fn open(&self, target: &str, subprotocol: Option<&str>, extension: Option<&str>) {
        let (number, peer) = (self.number, self.peer);
        let target = escape(shown_target(target).as_bytes());
        let subprotocol = subprotocol.map(|name| escape(shown_subprotocol(name).as_bytes()));
        let mut line = format!("#{number} {peer} opened {target}");
        // Writing to a `String` cannot fail.
        if let Some(name) = &subprotocol {
            let _ = write!(line, ", subprotocol {name}");
        }
        if let Some(extension) = extension {
            let _ = write!(line, ", {extension}");
        }
        if let Some(token) = &self.token {
            let _ = write!(line, ", token of {token}");
        }
        debug!(
            event = "opened", connection = number, peer:% = peer, target = target,
            subprotocol = subprotocol, extension = extension, token = self.token.as_deref();
            "{line}"
        );
    }

    /// The connection is open. With `tracing` its frames are logged; those that it sends come
    /// behind a head of `head_bytes`.
    pub fn begin(&mut self, tracing: bool, head_bytes: usize) {
        self.opened = true;
        self.trace = tracing.then(|| {
            let received = FrameLog::new(self.number, "received", 0);
            Box::new([received, FrameLog::new(self.number, "sent", head_bytes)])
        });
    }

    /// Logs a plain request that is answered with what it asked for.
    pub fn answer(&self, method: &str, target: &str) {
        let (number, peer) = (self.number, self.peer);
        let target = escape(shown_target(target).as_bytes());
        debug!(
            event = "answered", connection = number, peer:% = peer, target = target, status = 200;
            "#{number} {peer} {method} {target} answered with 200"
        );
    }

    /// Logs a plain request that takes longer than its answer.
    pub fn start(&self, method: &str, target: &str) {
        let (number, peer) = (self.number, self.peer);
        let target = escape(shown_target(target).as_bytes());
        debug!(
            event = "begun", connection = number, peer:% = peer, method = method, target = target;
            "#{number} {peer} {method} {target} begun"
        );
    }

    /// The request of [`Self::start`] goes on.
    pub fn go_on(&mut self) {
        self.plain = true;
    }

    /// Takes note of bytes that were received. Those of an open connection are frames.
    pub fn note_received(&mut self, bytes: &[u8], open: bool) {
        self.received += bytes.len() as u64;
        if open {
            self.trace_received(bytes);
        }
    }

    /// Logs the frames that begin in these bytes.
    pub fn trace_received(&mut self, bytes: &[u8]) {
        if let Some(trace) = &mut self.trace {
            trace[0].pass(bytes);
        }
    }

    /// Takes note of bytes that were sent.
    pub fn note_sent(&mut self, bytes: &[u8]) {
        self.sent += bytes.len() as u64;
        if let Some(trace) = &mut self.trace {
            trace[1].pass(bytes);
        }
    }

    /// Takes note of why the connection comes to its end; `farewell` if we had begun to
    /// close before.
    /// A refusal is logged at once.
    pub fn note_end(&mut self, cause: &Cause, farewell: Option<Farewell>, reason: String) {
        let answers = [Cause::Answered(Ending::Refused), Cause::NoRequest, Cause::TurnedAway];
        let refused = answers.contains(cause) && !reason.is_empty();
        if refused {
            let (number, peer) = (self.number, self.peer);
            debug!(
                event = "refused", connection = number, peer:% = peer, refusal = reason.as_str();
                "#{number} {peer} refused {reason}"
            );
        }
        let answered = *cause == Cause::Answered(Ending::Answered) && !self.plain;
        self.answered = refused || answered;
        self.end = Some(End { cause: cause.clone(), farewell, reason });
    }

    /// Logs the ending.
    pub fn close(&self, ending: Ending, now: Duration) {
        if self.answered {
            return;
        }
        let (number, peer) = (self.number, self.peer);
        let time = now.saturating_sub(self.since);
        let code = self.end.as_ref().and_then(End::code);
        let reason = self.end.as_ref().map_or("", |end| &end.reason);
        let mut line = format!("#{number} {peer} {}", self.how());
        // Writing to a `String` cannot fail.
        if let Some(code) = code {
            let _ = write!(line, ", code {code}");
        }
        if !reason.is_empty() {
            let _ = write!(line, ", reason \"{reason}\"");
        }
        let _ = write!(line, ", {}", about_duration(time));
        if self.plain {
            let (received, sent) = (about_bytes(self.received), about_bytes(self.sent));
            let _ = write!(line, ", {received} in, {sent} out");
        }
        if self.opened {
            let (received, sent) = (about_bytes(self.received), about_bytes(self.sent));
            let messages = counted(self.messages, "message");
            let _ = write!(line, ", {messages}, {received} in, {sent} out");
        }
        debug!(
            event = "closed", connection = number, peer:% = peer, ending = ending.word(),
            code = code, reason = reason, seconds = time.as_secs_f64(),
            frames = self.frames, messages = self.messages,
            received_bytes = self.received, sent_bytes = self.sent;
            "{line}"
        );
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
    use crate::peer::tests::somebody;
    use crate::ws::Fault;

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

    #[test]
    fn who_ended_it_is_said_in_the_words_of_the_rfc() {
        let said = |cause: Cause, farewell: Option<Farewell>| {
            let mut log = ConnectionLog::new(1, somebody(), Duration::ZERO);
            log.begin(false, 0);
            log.note_end(&cause, farewell, String::new());
            let code = log.end.as_ref().and_then(End::code);
            format!("{}{}", log.how(), code.map_or(String::new(), |code| format!(", code {code}")))
        };
        let policy = CloseCode::POLICY;
        let cases = [
            (Cause::PeerClosed(Some(CloseCode::NORMAL)), "closed by peer, code 1000"),
            (Cause::PeerClosed(None), "closed by peer"),
            (Cause::PeerFinished, "ended by peer without a Close"),
            (Cause::Fault(Fault::Unmasked), "closed by server, frame not masked, code 1002"),
            (Cause::Dropped(Fault::Utf8), "dropped by server, invalid UTF-8 within a reply"),
            (Cause::NoPong, "closed by server, no pong in time, code 1008"),
            (
                Cause::Dismissed(policy, "too many messages"),
                "closed by server, too many messages, code 1008",
            ),
            (Cause::ScriptCloses(policy, "x".to_owned()), "closed by server, as asked, code 1008"),
        ];
        for (cause, expected) in cases {
            assert_eq!(said(cause, None), expected);
        }
        let farewells = [
            (Farewell::Shutdown, "closed by server, going away, code 1001"),
            (Farewell::Expired, "closed by server, open for as long as may be, code 1012"),
        ];
        for (farewell, expected) in farewells {
            assert_eq!(said(Cause::PeerFinished, Some(farewell)), expected);
        }
    }
}
