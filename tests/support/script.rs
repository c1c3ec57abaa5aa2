//! Golden conversations in text: parsing them, and writing down what a server said.
//!
//! ```text
//! == F01 a heading: row and clause
//! = --max-fragments 3            options of the server, as on its command line
//! @ open                         the opening handshake, which has to succeed
//! > 8185 37fa213d 7f9f4d5158     the client sends; lines that follow each other are one send
//! > frame 89 "ping" 00*4         a masked frame: its first byte, then its payload
//! > x1000 frame 80 ""            the same line many times
//! > request                      the opening handshake as bytes
//! ~ 30 s                         time passes
//! ! fin                          the client ends its side; also: reset, room N, room all, sigterm
//! < 8105 "Hello"                 what the server has said since the last such lines
//! < accept                       its 101 for `request`
//! < fin                          it has ended its side
//! < end closed                   it has closed the socket; the ending as its metrics name it
//! < nothing                      none of these
//! ```

use std::fmt::Write;
use std::time::Duration;

use crate::loopback::{REQUEST, frame};

/// The 101 for [`REQUEST`], with the accept key of RFC 6455 §1.3.
pub const ACCEPT: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Equal bytes in a row from which on they are counted rather than written.
const RUN_MIN: usize = 8;

/// One conversation.
pub struct Conversation {
    /// What stands behind `==`.
    pub heading: String,
    /// The server's options.
    pub options: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
pub enum Step {
    /// The opening handshake, outside of what is split.
    Open,
    /// The client sends.
    Send(Vec<u8>),
    /// Time passes.
    Pass(Duration),
    /// Something other than bytes.
    Event(String),
    /// The server has said this, as [`Scribe`] writes it, one string a line.
    Expect(Vec<String>),
}

/// Reads a file of conversations.
pub fn parse(text: &str) -> Vec<Conversation> {
    let mut conversations: Vec<Conversation> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(heading) = line.strip_prefix("== ") {
            let heading = heading.to_owned();
            conversations.push(Conversation { heading, options: Vec::new(), steps: Vec::new() });
            continue;
        }
        let conversation = conversations.last_mut().expect("a heading comes first");
        let (sign, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        let steps = &mut conversation.steps;
        match (sign, steps.last_mut()) {
            ("=", _) => conversation.options.extend(rest.split(' ').map(str::to_owned)),
            ("@", _) if rest == "open" => steps.push(Step::Open),
            (">", Some(Step::Send(bytes))) => bytes.extend(parse_bytes(rest)),
            (">", _) => steps.push(Step::Send(parse_bytes(rest))),
            ("<", Some(Step::Expect(lines))) => lines.push(rest.to_owned()),
            ("<", _) => steps.push(Step::Expect(vec![rest.to_owned()])),
            ("!", _) => steps.push(Step::Event(rest.to_owned())),
            ("~", _) => {
                let seconds = rest.strip_suffix(" s").and_then(|number| number.parse().ok());
                let seconds = seconds.unwrap_or_else(|| panic!("{line:?}"));
                steps.push(Step::Pass(Duration::from_secs_f64(seconds)));
            }
            _ => panic!("{line:?}"),
        }
    }
    conversations
}

/// Writes down what a client hears, one frame or header line at a time.
#[derive(Default)]
pub struct Scribe {
    /// Payload bytes of a frame begun that have not been heard.
    left: usize,
    in_head: bool,
}

impl Scribe {
    /// The lines for `bytes`, for our end being shut, and for an ending.
    pub fn write_down(&mut self, bytes: &[u8], shut: bool, ending: Option<&str>) -> Vec<String> {
        let mut lines: Vec<(usize, String)> = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let line;
            (line, rest) = self.write_line(rest);
            match lines.last_mut() {
                Some((count, last)) if *last == line => *count += 1,
                _ => lines.push((1, line)),
            }
        }
        let counted = |(count, line)| if count == 1 { line } else { format!("x{count} {line}") };
        let mut lines: Vec<String> = lines.into_iter().map(counted).collect();
        lines.extend(shut.then(|| "fin".to_owned()));
        lines.extend(ending.map(|word| format!("end {word}")));
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
        lines
    }

    /// The first line of what was heard, and the bytes behind it.
    fn write_line<'a>(&mut self, bytes: &'a [u8]) -> (String, &'a [u8]) {
        if let Some(behind) = bytes.strip_prefix(ACCEPT) {
            return ("accept".to_owned(), behind);
        }
        if self.in_head || bytes.starts_with(b"HTTP/") {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (line, behind) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.in_head = line.ends_with(b"\r\n");
            return (show(line), behind);
        }
        let mut words = Vec::new();
        let mut rest = bytes;
        if self.left == 0 {
            let head = match bytes {
                [_, 0..=125, ..] => 2,
                [_, 126, _, _, ..] => 4,
                [_, 127, rest @ ..] if rest.len() >= 8 => 10,
                _ => bytes.len(),
            };
            let length = match bytes[1..head] {
                [short] => u64::from(short),
                [_, ref long @ ..] => long.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)),
                [] => 0,
            };
            // A frame that does not fit into memory does not arrive.
            self.left = usize::try_from(length).unwrap_or(usize::MAX);
            words.extend(bytes[..head].iter().map(|byte| format!("{byte:02x}")));
            rest = &bytes[head..];
        }
        let (payload, behind) = rest.split_at(self.left.min(rest.len()));
        self.left -= payload.len();
        let head = words.concat();
        let line = if payload.is_empty() { head } else { format!("{head} {}", show(payload)) };
        (line.trim_start().to_owned(), behind)
    }
}

/// Bytes as runs, quoted stretches and hex.
fn show(bytes: &[u8]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut at = 0;
    let run = |at: usize| bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count();
    let printable = |byte: u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n');
    while at < bytes.len() {
        let start = at;
        if run(at) >= RUN_MIN {
            at += run(at);
            let byte = &bytes[start..=start];
            words.push(format!("{}*{}", show(byte), at - start));
            continue;
        }
        let quoted = printable(bytes[at]);
        while at < bytes.len() && printable(bytes[at]) == quoted && run(at) < RUN_MIN {
            at += 1;
        }
        words.push(if quoted {
            format!("\"{}\"", bytes[start..at].escape_ascii().to_string().replace("\\'", "'"))
        } else {
            let digits = |byte: &u8| format!("{byte:02x}");
            bytes[start..at].iter().fold(String::new(), |all, byte| all + &digits(byte))
        });
    }
    words.join(" ")
}

/// A client's line as bytes.
fn parse_bytes(line: &str) -> Vec<u8> {
    let mut rest = line;
    let mut times = 1;
    if let Some((count, behind)) = line.strip_prefix('x').and_then(|line| line.split_once(' ')) {
        times = count.parse().unwrap_or_else(|_| panic!("{line:?}"));
        rest = behind;
    }
    let once = match rest.strip_prefix("frame ").and_then(|rest| rest.split_once(' ')) {
        Some((first, payload)) => {
            let first = u8::from_str_radix(first, 16).unwrap_or_else(|_| panic!("{line:?}"));
            frame(first, &parse_words(payload))
        }
        None => parse_words(rest),
    };
    once.repeat(times)
}

fn parse_words(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let word;
        (word, rest) = next_word(rest);
        rest = rest.trim_start();
        let (once, times) = match word.rsplit_once('*') {
            Some((once, times)) if !times.contains('"') => {
                (once, times.parse().unwrap_or_else(|_| panic!("{line:?}")))
            }
            _ => (word, 1),
        };
        let once = match once.strip_prefix('"').and_then(|once| once.strip_suffix('"')) {
            Some(quoted) => unescape(quoted),
            None if once == "request" => REQUEST.to_vec(),
            None => parse_hex(once),
        };
        bytes.extend(once.repeat(times));
    }
    bytes
}

/// Cuts the first word off; blanks in quotes belong to it.
fn next_word(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c == ' ' && !quoted {
            return line.split_at(at);
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

fn unescape(quoted: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        let escape = if c == '\\' { rest.next() } else { None };
        match escape {
            None => bytes.extend(c.to_string().as_bytes()),
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.extend(parse_hex(&digits));
            }
            Some(c) => bytes.extend(c.to_string().as_bytes()),
        }
    }
    bytes
}

fn parse_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len() % 2 == 0 && digits.is_ascii(), "{digits:?} are no bytes");
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
    (0..digits.len())
        .step_by(2)
        .map(|at| pair(at).unwrap_or_else(|_| panic!("{digits:?} are no bytes")))
        .collect()
}

/// A conversation's lines again, with `heard` in place of what was expected.
pub fn rewrite(text: &str, heard: &[Vec<Vec<String>>]) -> String {
    let mut out = String::new();
    let mut conversations = heard.iter();
    let mut expectations = [].iter();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("== ") {
            expectations = conversations.next().expect("as many as were parsed").iter();
        }
        if !line.starts_with("< ") {
            let _ = writeln!(out, "{line}");
        } else if !inside {
            for line in expectations.next().expect("as many as were parsed") {
                let _ = writeln!(out, "< {line}");
            }
        }
        inside = line.starts_with("< ");
    }
    out
}
