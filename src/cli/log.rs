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

use env_logger::{Builder, Target};
use log::{LevelFilter, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest line in bytes, with its end. A pipe reported writable takes at least `PIPE_BUF` bytes
/// at once, which is 4096 on Linux; so does a Unix socket.
const LINE_BYTES_MAX: usize = 4096;

/// What replaces the rest of a line that is too long.
const CUT: &[u8] = b"...\n";

/// Starts logging to stderr. `filters` is the value of `RUST_LOG` and rules where it is set; else
/// `verbosity` is the number of `-v`: 1 shows connections, 2 and more show frames.
pub fn init(verbosity: u8, filters: Option<&str>) {
    let mut builder = Builder::new();
    match filters.filter(|filters| !filters.is_empty()) {
        Some(filters) => builder.parse_filters(filters),
        None => builder.filter_level(LevelFilter::Info).filter_module("wsecho", level(verbosity)),
    };
    // The only error is that there is a logger already, as in a program that embeds the crate.
    let _ = builder
        .format(|line, record| writeln!(line, "{} {}", line.timestamp_millis(), plain(record)))
        .target(Target::Pipe(Box::new(LineWriter::new(io::stderr()))))
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
/// escaped here, once for all: no line can forge another or speak to a terminal.
fn plain(record: &Record<'_>) -> String {
    let mut line = Escaped(String::new());
    // Writing to a string fails only when the line is long enough.
    let _ = write!(line, "{:<5} {}: {}", record.level(), record.target(), record.args());
    line.0
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
    dropped: u64,
}

impl<W: Write + AsFd> LineWriter<W> {
    fn new(inner: W) -> Self {
        Self { inner, dropped: 0 }
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
            text = format!("({} log lines were dropped here)\n", self.dropped).into_bytes();
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
        (File::from(reader), LineWriter::new(File::from(writer)))
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
            plain(&Record::builder().level(Level::Info).target("t").args(message).build())
        };
        let hostile = "\u{1b}[2J\r\nroot\u{7f}\u{9b}\0 é";
        assert_eq!(
            said(format_args!("path {hostile}")),
            "INFO  t: path \\u{1b}[2J\\r\\nroot\\u{7f}\\u{9b}\\u{0} é"
        );
        let long = "x".repeat(64 * 1024);
        assert!(said(format_args!("{long}")).len() <= LINE_BYTES_MAX + 1, "nor is it kept whole");
    }

    #[test]
    fn verbosity_chooses_the_level() {
        let levels = [0, 1, 2, 255].map(level);
        let expected =
            [LevelFilter::Info, LevelFilter::Debug, LevelFilter::Trace, LevelFilter::Trace];
        assert_eq!(levels, expected);
    }
}
