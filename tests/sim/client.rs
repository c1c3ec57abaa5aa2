//! A client that plays its script and judges what it gets.

use std::time::Duration;

use wsecho::limits::TICK;

use crate::bodies;
use crate::compress::Decompressor;
use crate::dice::Dice;
use crate::link::{Link, Seen};
use crate::naive::Frame;
use crate::rooms;
use crate::script::{Farewell, Owed, Script};

const ACCEPTED: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const PONG: [u8; 6] = [0x8A, 0x80, 9, 9, 9, 9];

pub struct Client {
    pub script: Script,
    pub link: usize,
    /// When it acts by itself; `None` if it only waits.
    pub wake: Option<Duration>,
    pub done: bool,
    /// Time of its last byte.
    pub spoke: Duration,
    /// Everything received.
    pub raw: Vec<u8>,
    /// Frames received, without pings.
    echoes: usize,
    closed: Option<u16>,
    seen: usize,
    opened: bool,
    cut: bool,
    ended: bool,
    hello_sent: usize,
    sent: usize,
    pongs: usize,
    /// Until when it pauses, once it has begun to.
    pause_end: Option<Duration>,
    /// Pauses that are over.
    paused: usize,
    /// Messages that came back expanded, and what there is of the next.
    expanded: usize,
    part: Option<Vec<u8>>,
    born: Duration,
    /// What was said in its room: who, and their how-manieth.
    pub heard: Vec<(usize, usize)>,
    /// How often its room told it that somebody has left.
    pub farewells: usize,
    /// What the server told of itself: at which second, and how many messages there were by then.
    pub looked: Vec<(u64, u64)>,
}

impl Client {
    pub fn new(script: Script, link: usize, now: Duration) -> Self {
        Self {
            script,
            link,
            wake: Some(now),
            done: false,
            spoke: now,
            raw: Vec::new(),
            echoes: 0,
            closed: None,
            seen: 0,
            opened: false,
            cut: false,
            ended: false,
            hello_sent: 0,
            sent: 0,
            pongs: 0,
            pause_end: None,
            paused: 0,
            expanded: 0,
            part: None,
            born: now,
            heard: Vec::new(),
            farewells: 0,
            looked: Vec::new(),
        }
    }

    /// Reads and writes once.
    pub fn act(&mut self, link: &mut Link, now: Duration) {
        link.news = false;
        let death = self.script.life.map(|life| self.born + life);
        if death.is_some_and(|death| death <= now) {
            link.desert(true);
            (self.done, self.wake) = (true, None);
            return;
        }
        let reads = self.read(link);
        let mut more = reads;
        if self.ended {
            return self.part(link);
        }
        if self.script.takes == 0 && link.dropped.is_some() {
            self.done = true;
        }
        more |= self.write(link, now);
        self.wake = more.then(|| now + self.script.every);
        if let Some(end) = self.pause_end.filter(|end| now < *end) {
            self.wake = Some(if reads { end.min(now + self.script.every) } else { end });
        }
        self.wake = self.wake.into_iter().chain(death).min();
    }

    /// True if it acts now.
    pub fn is_due(&self, link: &Link, now: Duration) -> bool {
        let pauses = self.pause_end.is_some_and(|end| now < end);
        self.wake.is_some_and(|wake| wake <= now) || link.news && (pauses || self.wake.is_none())
    }

    /// True if there may be more to read by itself.
    fn read(&mut self, link: &mut Link) -> bool {
        let begun = self.opened && self.sent < self.script.frames.len();
        let waits = self.script.reads_last && begun && link.dropped.is_none();
        if self.script.takes == 0 || waits {
            return false;
        }
        match link.receive(self.script.takes) {
            Seen::Bytes(bytes) => {
                self.raw.extend(bytes);
                self.digest();
                true
            }
            Seen::Nothing => false,
            Seen::End => {
                self.ended = true;
                false
            }
            Seen::Reset => {
                self.cut = true;
                self.ended = true;
                false
            }
        }
    }

    /// The server has finished.
    fn part(&mut self, link: &mut Link) {
        self.wake = None;
        if !matches!(self.script.farewell, Farewell::Linger { .. }) || self.cut {
            link.desert(false);
            self.done = true;
        } else if let Farewell::Linger { noisy: true } = self.script.farewell {
            self.done = link.send(b"la").is_none();
            self.wake = Some(self.spoke + Duration::from_millis(300));
            self.spoke += Duration::from_millis(300);
        } else {
            self.done = link.dropped.is_some();
        }
    }

    /// True if there is more to write by itself.
    fn write(&mut self, link: &mut Link, now: Duration) -> bool {
        let head_left = self.script.hello.len() - self.hello_sent;
        let frames_left = self.script.frames.len() - self.sent;
        let most = self.script.sends;
        if self.closed.is_some() && self.script.farewell == Farewell::Wait {
            return false;
        }
        let count = if head_left > 0 {
            let bytes = &self.script.hello[self.hello_sent..];
            link.send(&bytes[..bytes.len().min(most)]).inspect(|count| self.hello_sent += count)
        } else if (self.opened || self.script.eager) && self.pongs > 0 && self.at_seam() {
            self.pongs -= 1;
            link.send(&PONG)
        } else if (self.opened || self.script.eager) && frames_left > 0 {
            let end = self.pause(now);
            let bytes = &self.script.frames[self.sent..end];
            link.send(&bytes[..bytes.len().min(most)]).inspect(|count| self.sent += count)
        } else {
            Some(0)
        };
        let Some(count) = count else { return false };
        if count > 0 {
            self.spoke = now;
        }
        let said_all = self.hello_sent == self.script.hello.len()
            && self.sent == self.script.frames.len()
            && (self.opened || self.script.eager || self.script.frames.is_empty());
        if said_all && (count == 0 || self.script.abrupt) {
            self.farewell(link);
        }
        count > 0
    }

    /// How far it may send now; begins the pause where the script says so.
    fn pause(&mut self, now: Duration) -> usize {
        let end = self.script.frames.len();
        let Some(&(at, length)) = self.script.pauses.get(self.paused) else { return end };
        if self.sent == at && self.pause_end.is_none() {
            let end = now + length;
            // A little before, because calls take their time.
            let tick = TICK * (end.as_nanos() / TICK.as_nanos() + 1) as u32;
            self.pause_end =
                Some(if self.script.aims { tick - Duration::from_micros(5) } else { end });
        }
        let is_over = self.pause_end.is_some_and(|end| end <= now);
        if !is_over {
            return at;
        }
        self.pause_end = None;
        self.paused += 1;
        self.pause(now)
    }

    fn farewell(&mut self, link: &mut Link) {
        match self.script.farewell {
            Farewell::Finish if !link.peer.wire().finished => link.finish(),
            Farewell::Desert { reset } => {
                link.desert(reset);
                self.done = true;
            }
            _ => {}
        }
    }

    fn at_seam(&self) -> bool {
        self.script.seams.binary_search(&self.sent).is_ok()
    }

    /// Looks at what has arrived so far.
    fn digest(&mut self) {
        if !self.opened {
            let end = self.raw.windows(4).position(|window| window == b"\r\n\r\n");
            let Some(end) = end else { return };
            if !self.raw.starts_with(b"HTTP/1.1 101 ") {
                return;
            }
            assert!(contains(&self.raw[..end], ACCEPTED), "the wrong key was accepted");
            self.opened = true;
            self.seen = end + 4;
            self.script.agree(&self.raw[..end]);
        }
        while let Some((frame, length)) = Frame::decode(&self.raw[self.seen..]) {
            let bytes = &self.raw[self.seen..self.seen + length];
            assert!(self.closed.is_none(), "{}: a frame after the Close", self.script.kind);
            assert_eq!(frame.encode(), bytes, "the shortest form");
            assert!(frame.key.is_none(), "a masked frame from the server");
            self.seen += length;
            if frame.opcode == 9 {
                assert!(frame.payload.is_empty());
                self.pongs += usize::from(!self.script.mute);
                continue;
            }
            if self.script.seat.is_some() && frame.opcode < 3 {
                self.heard.extend(rooms::parse(&frame.payload));
                self.farewells += usize::from(contains(&frame.payload, b" left"));
                continue;
            }
            if self.script.looks && frame.opcode < 3 {
                self.looked.extend(rooms::told(&frame.payload, self.looked.last()));
                continue;
            }
            if self.script.expanded.is_some() && frame.opcode < 3 {
                self.expand(&frame);
                continue;
            }
            if frame.opcode == 10 && contains(&self.script.passed, bytes) {
                continue;
            }
            let rest = &self.script.expect[self.echoes..];
            if rest.starts_with(bytes) {
                self.echoes += length;
            } else {
                assert_eq!(frame.opcode, 8, "{}", self.wrong(&frame.payload));
            }
            if frame.opcode == 8 {
                let code = frame.payload.get(..2).map_or([0, 0], |code| [code[0], code[1]]);
                self.closed = Some(u16::from_be_bytes(code));
            }
        }
        self.digest_tail();
    }

    /// A frame that is not whole is the start of what comes next, of a ping or of a Close.
    fn digest_tail(&self) {
        let tail = &self.raw[self.seen..];
        let is_ours =
            self.script.seat.is_some() || self.script.looks || self.script.expanded.is_some();
        let control = matches!(tail, [] | [0x89] | [0x88, ..]);
        let next = self.script.expect.get(self.echoes..).unwrap_or_default();
        let part = self.partial();
        let echo = next.starts_with(tail) || part.starts_with(tail) && next.is_empty();
        assert!(is_ours || control || echo, "{}", self.wrong(tail));
    }

    /// What may have been echoed in part of a frame that does not become whole.
    fn partial(&self) -> &[u8] {
        if let Owed::CodeOrCut(_, partial) = &self.script.owed { partial } else { &[] }
    }

    /// A part of a message that comes back uncompressed.
    fn expand(&mut self, frame: &Frame) {
        let Some((messages, _)) = &self.script.expanded else { return };
        let wrong = self.wrong(&frame.payload);
        let (opcode, message) = messages.get(self.expanded).expect("one message too many");
        let begun = self.part.is_some();
        assert_eq!(frame.opcode, if begun { 0 } else { *opcode }, "{wrong}");
        let part = self.part.get_or_insert_default();
        part.extend(&frame.payload);
        assert!(message.starts_with(part), "{wrong}");
        if frame.fin {
            assert_eq!(part.len(), message.len(), "{wrong}");
            self.expanded += 1;
            self.part = None;
        }
    }

    fn wrong(&self, bytes: &[u8]) -> String {
        let (kind, text) = (self.script.kind, String::from_utf8_lossy(bytes));
        let speakers = Dice::speakers(bytes);
        format!("{kind}: not what was sent, but of {speakers:?}: {text:.100}")
    }

    /// Whether there was no room for what it said.
    pub fn was_refused(&self) -> bool {
        self.closed == Some(1013)
    }

    /// Judges everything. `excused`: the connection may have been broken at any moment.
    pub fn judge(&self, excused: bool, drained: bool, shed: bool) {
        self.inflate();
        let Script { kind, owed, expect, .. } = &self.script;
        let rest = &self.raw[self.seen.min(self.raw.len())..];
        let expanded = self.script.expanded.as_ref().map_or(0, |(messages, _)| messages.len());
        let whole =
            self.echoes == expect.len() && (*owed != Owed::Exact || self.expanded == expanded);
        if self.raw.starts_with(b"HTTP/1.1 503") {
            assert!(shed || drained, "{kind}: turned away for no reason");
            return;
        }
        let code = self.closed.unwrap_or(0);
        if *owed == Owed::Mercy {
            return;
        }
        if excused || drained || *owed == Owed::Prefix {
            let natural = match owed {
                Owed::Code(code) | Owed::CodeOrCut(code, _) => *code,
                _ => 0,
            };
            let in_place = code == natural || code == 0 || excused || self.echoed_close();
            assert!(in_place || drained && code == 1001, "{kind}: Close {code}");
            return;
        }
        match owed {
            Owed::Exact => {
                assert!(whole, "{kind}: {} of {} bytes", self.echoes, expect.len());
                assert!(rest.is_empty() && self.ended && !self.cut, "{kind}: no orderly end");
            }
            Owed::Code(wanted) => {
                assert!(whole, "{kind}: {} of {} bytes", self.echoes, expect.len());
                assert_eq!(code, *wanted, "{kind}");
            }
            Owed::CodeOrCut(wanted, partial) => {
                assert!(whole, "{kind}: {} of {} bytes", self.echoes, expect.len());
                let cut = code == 0 && partial.starts_with(rest);
                assert!(code == *wanted || cut, "{kind}: Close {code}");
            }
            Owed::Body(data) => bodies::judge(&self.raw, kind, data, None),
            Owed::BodyOrCut(status, data) => bodies::judge(&self.raw, kind, data, Some(status)),
            Owed::Status(status) => self.judge_answer(status),
            Owed::StatusOrNothing(_) if self.raw.is_empty() => {}
            Owed::StatusOrNothing(status) => self.judge_answer(status),
            Owed::Prefix | Owed::Mercy => {}
        }
    }

    /// What has come back whole inflates to what was packed.
    fn inflate(&self) {
        let Some((takeover, messages)) = &self.script.inflated else { return };
        let head = self.raw.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(head) = head.filter(|_| self.opened) else { return };
        let mut inflate = Decompressor::new(*takeover);
        let (mut at, mut packed, mut payload) = (head + 4, false, Vec::new());
        let mut wanted = messages.iter();
        while let Some((frame, length)) = Frame::decode(&self.raw[at..]) {
            at += length;
            if frame.opcode > 2 {
                continue;
            }
            packed |= frame.reserved == 4;
            payload.extend(frame.payload);
            if frame.fin {
                let message = if packed { inflate.message(&payload) } else { payload };
                let kind = self.script.kind;
                assert!(wanted.next() == Some(&message), "{kind}: inflates to something else");
                (packed, payload) = (false, Vec::new());
            }
        }
    }

    fn echoed_close(&self) -> bool {
        self.closed.is_some() && self.echoes == self.script.expect.len()
    }

    fn judge_answer(&self, status: &str) {
        let text = String::from_utf8_lossy(&self.raw);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text:.60}");
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        assert_eq!(length.and_then(|length| length.parse().ok()), Some(body.len()), "{head}");
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
