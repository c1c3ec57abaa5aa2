//! The log on stderr: never a panic, never a wait.
//!
//! The server has one thread, so a log line that blocks stops every echo. Whoever reads our
//! stderr may have stopped reading (a full pipe), gone away (EPIPE) or never been there. So each
//! line asks first whether it would fit; one that does not is dropped, and the next that does
//! fit says how many were.
//!
//! `O_NONBLOCK` is no way out: it belongs to the open file, which we share with whoever started
//! us, and it would leave half lines behind.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};

use env_logger::{Builder, Target};
use log::kv::{Error as KvError, Key, Value as KvValue, VisitSource};
use log::{LevelFilter, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

/// Longest line in bytes, with its end. A pipe reported writable takes at least `PIPE_BUF` bytes
/// at once, which is 4096 on Linux; so does a Unix socket.
const LINE_BYTES_MAX: usize = 4096;

/// What replaces the rest of a line that is too long.
const CUT: &[u8] = b"...\n";

/// Most characters of a message in JSON, which with all of them escaped still fits into a line.
const JSON_MESSAGE_CHARACTERS_MAX: usize = 400;

/// Longest line of JSON with all fields. What is longer is written without those of the message:
/// half an object is of no use to anybody. It leaves room for the line about lines that were lost.
const JSON_BYTES_MAX: usize = LINE_BYTES_MAX - 200;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Time, level, words.
    #[default]
    Text,
    /// One object with the same, and with fields.
    Json,
}

impl Format {
    /// Reads the value of `--log-format`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is neither text nor json")),
        }
    }
}

/// Which worker writes; 0 if there are none.
static WORKER: AtomicU32 = AtomicU32::new(0);

/// From here on each line says which worker it is of.
pub fn set_worker(number: u32) {
    WORKER.store(number, Ordering::Relaxed);
}

/// Starts logging to stderr. `filters` is the value of `RUST_LOG` and rules where it is set; else
/// `verbosity` is the number of `-v`: 1 shows connections, 2 and more show frames.
pub fn init(verbosity: u8, format: Format, filters: Option<&str>) {
    let mut builder = Builder::new();
    match filters.filter(|filters| !filters.is_empty()) {
        Some(filters) => builder.parse_filters(filters),
        None => builder.filter_level(LevelFilter::Info).filter_module("wsecho", level(verbosity)),
    };
    // The only error is that there is a logger already, as in a program that embeds the crate.
    let _ = builder
        .format(move |line, record| {
            let time = line.timestamp_millis();
            let worker = Some(WORKER.load(Ordering::Relaxed)).filter(|number| *number > 0);
            match format {
                Format::Text => writeln!(line, "{time} {}", plain(record, worker)),
                Format::Json => writeln!(line, "{}", object(record, &time.to_string(), worker)),
            }
        })
        .target(Target::Pipe(Box::new(LineWriter::new(io::stderr(), format))))
        .try_init();
}

fn level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        2.. => LevelFilter::Trace,
    }
}

/// A record without its time. Peers' words end up in the message, so control characters are
/// escaped here, once for all: no line can forge another or speak to a terminal. Only what others
/// say, whom `RUST_LOG` has called for, has the name of its module.
fn plain(record: &Record<'_>, worker: Option<u32>) -> String {
    let mut line = Escaped(String::new());
    let worker = worker.map(|number| format!("[{number}] ")).unwrap_or_default();
    let foreign = foreign_target(record).map(|target| format!("{target}: ")).unwrap_or_default();
    // Writing to a string fails only when the line is long enough.
    let _ = write!(line, "{:<5} {worker}{foreign}{}", record.level(), record.args());
    line.0
}

fn foreign_target<'a>(record: &Record<'a>) -> Option<&'a str> {
    let target = record.target();
    (!target.starts_with("wsecho")).then_some(target)
}

/// A record as one line of JSON.
fn object(record: &Record<'_>, time: &str, worker: Option<u32>) -> String {
    let mut message = Escaped(String::new());
    let _ = write!(message, "{}", record.args());
    let message: String = message.0.chars().take(JSON_MESSAGE_CHARACTERS_MAX).collect();
    let mut fields = Fields(String::from("{"));
    fields.push("time", &time.into());
    fields.push("level", &record.level().as_str().to_ascii_lowercase().into());
    if let Some(number) = worker {
        fields.push("worker", &number.into());
    }
    if let Some(target) = foreign_target(record) {
        fields.push("target", &target.chars().take(100).collect::<String>().into());
    }
    fields.push("message", &message.into());
    let brief = fields.0.len();
    // What is visited here cannot fail.
    let _ = record.key_values().visit(&mut fields);
    let mut line = fields.0;
    if line.len() >= JSON_BYTES_MAX {
        line.truncate(brief);
    }
    line.push('}');
    line
}

/// The fields of an object, in the order in which they are added.
struct Fields(String);

impl Fields {
    fn push(&mut self, name: &str, value: &Value) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}{}:{value}", Value::from(name));
    }
}

impl<'kvs> VisitSource<'kvs> for Fields {
    /// Adds a field, unless it is empty.
    fn visit_pair(&mut self, key: Key<'kvs>, value: KvValue<'kvs>) -> Result<(), KvError> {
        let value = match (value.to_u64(), value.to_f64(), value.to_borrowed_str()) {
            (Some(number), ..) => json!(number),
            (None, Some(number), _) => json!(number),
            (None, None, Some(text)) => json!(text),
            _ => json!(value.to_string()),
        };
        if value != json!("") && value != json!("None") {
            self.push(key.as_str(), &value);
        }
        Ok(())
    }
}

struct Escaped(String);

impl fmt::Write for Escaped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() > LINE_BYTES_MAX {
                return Err(fmt::Error);
            }
            if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// Takes one line per call of `write` and always claims success.
struct LineWriter<W> {
    inner: W,
    format: Format,
    dropped: u64,
}

impl<W: Write + AsFd> LineWriter<W> {
    fn new(inner: W, format: Format) -> Self {
        Self { inner, format, dropped: 0 }
    }

    /// A line about those that were dropped.
    fn apology(&self) -> String {
        let dropped = self.dropped;
        match self.format {
            Format::Text => format!("({dropped} log lines were dropped here)\n"),
            Format::Json => {
                let message = format!("{dropped} log lines were dropped here");
                format!("{}\n", json!({ "level": "warn", "message": message, "dropped": dropped }))
            }
        }
    }

    /// Whether a write of [`LINE_BYTES_MAX`] would be taken at once.
    fn is_writable(&self) -> bool {
        let mut descriptors = [PollFd::new(&self.inner, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut descriptors, Some(&at_once)).is_ok()
            && descriptors[0].revents().contains(PollFlags::OUT)
    }
}

impl<W: Write + AsFd> Write for LineWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.is_writable() {
            self.dropped = self.dropped.saturating_add(1);
            return Ok(line.len());
        }
        let mut text = Vec::with_capacity(line.len());
        if self.dropped > 0 {
            text = self.apology().into_bytes();
        }
        text.extend_from_slice(line);
        if text.len() > LINE_BYTES_MAX {
            text.truncate(character_start(&text, LINE_BYTES_MAX - CUT.len()));
            text.extend_from_slice(CUT);
        }
        // One call, since only the first is known not to block. Where an error or a short write
        // could be reported, nothing arrives anyway.
        let _ = self.inner.write(&text);
        self.dropped = 0;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The last place at or before `end` that is not within a UTF-8 character.
fn character_start(text: &[u8], end: usize) -> usize {
    let within = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    (0..=end).rev().find(|&at| !within(text[at])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use log::Level;
    use rustix::io::ioctl_fionbio;

    use super::*;

    fn pipe() -> (File, LineWriter<File>) {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        (File::from(reader), LineWriter::new(File::from(writer), Format::Text))
    }

    /// Fills the pipe to the last byte and leaves it blocking. Returns how many it took.
    fn fill(writer: &mut LineWriter<File>) -> usize {
        ioctl_fionbio(&writer.inner, true).expect("non-blocking");
        let mut filled = 0;
        for chunk in [4096, 1] {
            while let Ok(len) = writer.inner.write(&vec![b'.'; chunk]) {
                filled += len;
            }
        }
        ioctl_fionbio(&writer.inner, false).expect("blocking");
        filled
    }

    fn read(reader: &mut File, len: usize) -> String {
        let mut bytes = vec![0; len];
        reader.read_exact(&mut bytes).expect("so many bytes");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn o03_full_pipe_drops_lines_and_says_how_many() {
        let (mut reader, mut writer) = pipe();
        let filled = fill(&mut writer);
        let (done, finished) = mpsc::channel();
        let blocked = thread::spawn(move || {
            for _ in 0..3 {
                writer.write_all(b"lost\n").expect("claims success");
            }
            done.send(writer).expect("the test waits");
        });
        let mut writer = finished.recv_timeout(Duration::from_secs(10)).expect("did not block");
        blocked.join().expect("did not panic");
        read(&mut reader, filled);
        writer.write_all(b"one\n").expect("claims success");
        writer.write_all(b"two\n").expect("claims success");
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).expect("UTF-8");
        assert_eq!(rest, "(3 log lines were dropped here)\none\ntwo\n");
    }

    #[test]
    fn o03_every_line_that_is_written_is_taken_at_once() {
        // Lines are as long as they get, and what the pipe holds is not a multiple of them.
        let (mut reader, mut writer) = pipe();
        writer.write_all(b"odd\n").expect("claims success");
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            for _ in 0..100 {
                writer.write_all(&[b'x'; 5000]).expect("claims success");
            }
            done.send(writer).expect("the test waits");
        });
        let writer = finished.recv_timeout(Duration::from_secs(10)).expect("did not block");
        assert!(writer.dropped > 0, "100 lines of 4 KiB do not fit into a pipe");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("UTF-8");
        assert!(text.lines().skip(1).all(|line| line.len() == LINE_BYTES_MAX - 1));
    }

    #[test]
    fn o03_reader_gone_is_no_error() {
        let (reader, mut writer) = pipe();
        drop(reader);
        writer.write_all(b"nobody\n").expect("claims success");
        writer.write_all(b"nobody\n").expect("claims success");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        for padding in 0..4 {
            let (mut reader, mut writer) = pipe();
            let line = format!("{}{}\n", "x".repeat(padding), "\u{1f980}".repeat(2000));
            writer.write_all(line.as_bytes()).expect("claims success");
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("still UTF-8");
            assert!(text.len() <= LINE_BYTES_MAX && text.len() > LINE_BYTES_MAX - 4);
            assert!(text.ends_with("\u{1f980}...\n"));
        }
    }

    #[test]
    fn o09_no_control_character_gets_into_a_line() {
        let said = |message: fmt::Arguments<'_>| {
            let record =
                Record::builder().level(Level::Info).target("wsecho::a").args(message).build();
            (plain(&record, None), plain(&record, Some(3)))
        };
        let hostile = "\u{1b}[2J\r\nroot\u{7f}\u{9b}\0 é";
        assert_eq!(
            said(format_args!("path {hostile}")).0,
            "INFO  path \\u{1b}[2J\\r\\nroot\\u{7f}\\u{9b}\\u{0} é"
        );
        assert_eq!(said(format_args!("a\tb")).1, "INFO  [3] a\\tb");
        let long = "x".repeat(64 * 1024);
        assert!(said(format_args!("{long}")).1.len() <= LINE_BYTES_MAX + 1, "nor is it kept whole");
    }

    #[test]
    fn json_is_one_whole_object_whatever_is_said() {
        let hostile = "\u{1b}\r\n\"\\\u{9b}".repeat(2000);
        let long = "\\".repeat(5000);
        for (reason, whole) in [("\u{1b}\"", true), (&long, false)] {
            let fields = [("connection", 7.into()), ("reason", KvValue::from(reason))];
            let line = object(
                &Record::builder()
                    .level(Level::Debug)
                    .target("wsecho::conn")
                    .args(format_args!("{hostile}"))
                    .key_values(&fields)
                    .build(),
                "now",
                Some(3),
            );
            assert!(line.len() <= JSON_BYTES_MAX && !line.chars().any(char::is_control), "{line}");
            let value: Value = serde_json::from_str(&line).expect("one object");
            assert_eq!((&value["time"], &value["level"]), (&json!("now"), &json!("debug")));
            assert_eq!(value["connection"] == 7 && value["reason"] == reason, whole);
            assert_eq!((value.get("target"), &value["worker"]), (None, &json!(3)));
        }
    }

    #[test]
    fn lines_that_were_dropped_are_told_of_in_the_same_format() {
        let (mut reader, mut writer) = pipe();
        writer.format = Format::Json;
        writer.dropped = 3;
        writer.write_all(b"{}\n").expect("claims success");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("UTF-8");
        let first: Value =
            serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        assert_eq!((&first["dropped"], text.lines().count()), (&json!(3), 2));
    }

    #[test]
    fn verbosity_chooses_the_level() {
        let levels = [0, 1, 2, 255].map(level);
        let expected =
            [LevelFilter::Info, LevelFilter::Debug, LevelFilter::Trace, LevelFilter::Trace];
        assert_eq!(levels, expected);
    }
}
