//! What clients say, and what is owed to them.

use std::time::Duration;

use crate::dice::Dice;
use crate::naive::Frame;
use crate::profile::{FRAGMENTS_MAX, MESSAGE_BYTES_MAX};
use crate::rooms::Seat;

pub const HELLO: &str = "GET / HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: \
    Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const LENGTHS: &[usize] = &[0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 63, 64, 100, 124, 125, 126, 127, 128];
const LONG_LENGTHS: &[usize] = &[
    1000, 4095, 4096, 8192, 16_379, 16_383, 16_384, 16_385, 16_400, 32_768, 65_535, 65_536, 65_537,
    200_000,
];
/// What may stand in a Close (§7.4).
const GOOD_CODES: &[u16] = &[1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 4999];
const BAD_CODES: &[u16] = &[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];

/// How a client ends when it has said everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Waits for the end of the stream, then closes.
    Wait,
    /// Finishes its side and reads on.
    Finish,
    /// Closes its socket, whatever is on its way.
    Desert { reset: bool },
    /// Never closes; goes on talking if `noisy`.
    Linger { noisy: bool },
}

/// What must have arrived when the server has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owed {
    /// `expect`, to the last byte.
    Exact,
    /// `expect`, then a Close with this code.
    Code(u16),
    /// `expect`, then either that Close, or a part of `partial` and the end of TCP.
    CodeOrCut(u16, Vec<u8>),
    /// An HTTP answer with this status.
    Status(&'static str),
    /// A 200 with this body.
    Body(Vec<u8>),
    /// An HTTP answer with this status, or a 200 that breaks off in this body.
    BodyOrCut(&'static str, Vec<u8>),
    /// Nothing at all, or an HTTP answer with this status.
    StatusOrNothing(&'static str),
    /// Any part of `expect`.
    Prefix,
    /// Any part of `expect`, and a Close with any code: it is the server's right to end it.
    Mercy,
}

/// One client's part.
#[derive(Clone, Debug)]
pub struct Script {
    pub kind: &'static str,
    pub hello: Vec<u8>,
    pub frames: Vec<u8>,
    /// Offsets in `frames` where another frame may be put in.
    pub seams: Vec<usize>,
    pub expect: Vec<u8>,
    pub owed: Owed,
    pub farewell: Farewell,
    /// Stops at these offsets in `frames` for that long.
    pub pauses: Vec<(usize, Duration)>,
    /// Does not answer pings.
    pub mute: bool,
    /// The server must have dropped the connection so long after the client's last byte.
    pub limit: Duration,
    /// Sends frames without waiting for the 101.
    pub eager: bool,
    /// The end of the stream comes with the last bytes.
    pub abrupt: bool,
    /// Most bytes of one write and of one read, and the time between two.
    pub sends: usize,
    pub takes: usize,
    pub every: Duration,
    /// What the echo inflates to, message by message, and whether contexts are taken over.
    pub inflated: Option<(bool, Vec<Vec<u8>>)>,
    /// What it says instead if the server declines to compress.
    pub declined: Option<Box<Script>>,
    /// What it packed and has to come back uncompressed, in frames of any length, if its own
    /// window is not limited: opcode and message. Only the rest is in `expect` then.
    pub expanded: Option<(Vec<(u8, Vec<u8>)>, Vec<u8>)>,
    /// What would have come back, if that comes back.
    pub passed: Vec<u8>,
    /// It sends all before it reads anything but the 101.
    pub reads_last: bool,
    /// It speaks after its pauses just when a tick ends.
    pub aims: bool,
    /// It resets the connection so long after its start.
    pub life: Option<Duration>,
    /// It may send compressed messages.
    pub packs: bool,
    /// Its place in a line: nobody is answered before all who have a lower one.
    pub place: Option<usize>,
    /// Its seat in a room: data frames are what is said there.
    pub seat: Option<Seat>,
    /// It looks at what the server tells of itself: data frames are that.
    pub looks: bool,
}

impl Script {
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            hello: HELLO.into(),
            frames: Vec::new(),
            seams: vec![0],
            expect: Vec::new(),
            owed: Owed::Exact,
            farewell: Farewell::Wait,
            pauses: Vec::new(),
            mute: false,
            limit: Duration::from_secs(100),
            eager: false,
            abrupt: false,
            sends: usize::MAX,
            takes: usize::MAX,
            every: Duration::from_micros(100),
            inflated: None,
            declined: None,
            expanded: None,
            passed: Vec::new(),
            reads_last: false,
            aims: false,
            life: None,
            packs: false,
            place: None,
            seat: None,
            looks: false,
        }
    }

    /// Takes what the server has agreed to from the head of its 101.
    pub fn agree(&mut self, head: &[u8]) {
        let head = String::from_utf8_lossy(head);
        let name = "Sec-WebSocket-Extensions: ";
        let answer = head.lines().find_map(|line| line.strip_prefix(name));
        match answer {
            None => {
                if let Some(declined) = self.declined.take() {
                    *self = *declined;
                }
            }
            // Its window is as small as it asked for, but may its own be limited to that?
            Some(answer) if answer.contains("server_max") && !answer.contains("client_max") => {
                if let Some((_, expect)) = &self.expanded {
                    let passed = std::mem::replace(&mut self.expect, expect.clone());
                    (self.passed, self.inflated) = (passed, None);
                }
            }
            Some(_) => self.expanded = None,
        }
    }

    /// There is room to hold short replies back: a fault in one is always answered with a Close.
    pub fn expect_holding(&mut self) {
        if let Some(declined) = &mut self.declined {
            declined.expect_holding();
        }
        let Owed::CodeOrCut(1007, partial) = &self.owed else { return };
        let (frame, _) = Frame::decode(partial).expect("a whole frame");
        if frame.payload.len() <= wsecho::limits::COMMIT_BYTES_MAX {
            self.owed = Owed::Code(1007);
        }
    }

    /// Any of the kinds.
    pub fn draw(dice: &mut Dice) -> Self {
        let mut script = match dice.below(20) {
            0..=4 => echo(dice, 300_000),
            5..=6 => slow(dice),
            7 => dribbler(dice),
            8 => half_closer(dice),
            9..=12 => liar(dice),
            13..=14 => vanisher(dice),
            15 => requester(dice),
            16 => silent(dice),
            17 => staller(dice),
            18 => sleeper(dice),
            _ => glutton(dice),
        };
        script.eager = dice.chance(300);
        script.abrupt = dice.chance(500);
        script
    }

    /// One whose output depends on its bytes alone.
    pub fn draw_timeless(dice: &mut Dice) -> Self {
        match dice.below(4) {
            0 => half_closer(dice),
            1 => echo(dice, 100_000),
            _ => {
                let mut script = liar(dice);
                script.farewell = Farewell::Wait;
                script
            }
        }
    }

    /// Adds a frame from the client; `opcode` may have reserved bits above it.
    pub fn say(&mut self, fin: bool, opcode: u8, payload: &[u8], dice: &mut Dice) {
        let key = if dice.chance(50) { [0; 4] } else { (dice.word() as u32).to_be_bytes() };
        let frame = Frame { key: Some(key), ..Frame::plain(fin, opcode, payload) };
        self.frames.extend(frame.encode());
        self.seams.push(self.frames.len());
    }

    /// Adds a frame that comes back.
    fn say_and_expect(&mut self, fin: bool, opcode: u8, payload: &[u8], dice: &mut Dice) {
        self.say(fin, opcode, payload, dice);
        let answer = if opcode == 9 { 10 } else { opcode };
        self.expect.extend(Frame::plain(fin, answer, payload).encode());
    }

    pub fn control(&mut self, dice: &mut Dice) {
        let length = dice.pick(&[0, 1, 2, 4, 7, 125]);
        let payload = dice.bytes(length);
        if dice.chance(700) {
            self.say_and_expect(true, 9, &payload, dice);
        } else {
            self.say(true, 10, &payload, dice);
        }
    }

    /// Adds a message of `length` bytes in some fragments, with controls between them.
    pub fn message(&mut self, length: usize, dice: &mut Dice) {
        let text = dice.chance(500);
        let payload = if text { words(length, dice) } else { dice.bytes(length) };
        self.fragments(2 - u8::from(text), &payload, dice);
    }

    /// Adds a message that is cut somewhere; `first` is its first frame's opcode.
    pub fn fragments(&mut self, first: u8, payload: &[u8], dice: &mut Dice) {
        let length = payload.len();
        let count = if dice.chance(700) { 1 } else { 2 + dice.below(6) };
        let mut cuts: Vec<usize> = (1..count).map(|_| dice.below(length + 1)).collect();
        cuts.sort_unstable();
        cuts.push(length);
        let mut from = 0;
        for (at, cut) in cuts.iter().enumerate() {
            let opcode = if at > 0 { 0 } else { first };
            self.say_and_expect(at + 1 == cuts.len(), opcode, &payload[from..*cut], dice);
            from = *cut;
            if dice.chance(100) {
                self.control(dice);
            }
        }
    }

    fn messages(&mut self, count: usize, most: usize, dice: &mut Dice) {
        for _ in 0..count {
            let lengths = if dice.chance(800) { LENGTHS } else { LONG_LENGTHS };
            let length = dice.pick(lengths);
            if self.frames.len() + length < most {
                self.message(length, dice);
            }
            if dice.chance(100) {
                self.control(dice);
            }
        }
    }

    pub fn close(&mut self, dice: &mut Dice) {
        if dice.chance(100) {
            return self.say_and_expect(true, 8, b"", dice);
        }
        let code = dice.pick(GOOD_CODES).to_be_bytes();
        let length = dice.pick(&[0, 5, 123]);
        self.say(true, 8, &[&code[..], &b"x".repeat(length)].concat(), dice);
        self.expect.extend(Frame::plain(true, 8, &code).encode());
        if dice.chance(200) {
            // RFC 6455 §1.4: a peer "discards any further data received".
            self.frames.extend(dice.bytes(40));
        }
    }

    pub fn paced(mut self, dice: &mut Dice) -> Self {
        self.sends = dice.pick(&[700, 5000, 70_000, usize::MAX]);
        self.every = Duration::from_micros(dice.pick(&[10, 100, 2000]));
        self
    }
}

fn echo(dice: &mut Dice, most: usize) -> Script {
    let mut script = Script::new("echo").paced(dice);
    script.messages(1 + dice.below(20), most, dice);
    script.close(dice);
    script
}

/// Reads little at a time, so that the server's writes are refused.
fn slow(dice: &mut Dice) -> Script {
    let mut script = Script { kind: "slow", ..echo(dice, 300_000) };
    script.takes = 1500 + dice.below(8000);
    script.every = Duration::from_millis(2);
    script
}

/// One byte at a time, in both directions.
fn dribbler(dice: &mut Dice) -> Script {
    let mut script = Script { kind: "dribbler", ..echo(dice, 400) };
    (script.sends, script.takes) = (1, 1 + dice.below(3));
    script.every = Duration::from_millis(1);
    script
}

/// R03: finishes its side; all that it said still comes back.
fn half_closer(dice: &mut Dice) -> Script {
    let mut script = Script::new("half-closer").paced(dice);
    script.messages(1 + dice.below(30), 150_000, dice);
    script.farewell = Farewell::Finish;
    script
}

fn vanisher(dice: &mut Dice) -> Script {
    let mut script = Script { kind: "vanisher", owed: Owed::Prefix, ..echo(dice, 100_000) };
    let kept = dice.below(script.frames.len() + 1);
    script.frames.truncate(kept);
    script.seams.retain(|seam| *seam <= kept);
    script.farewell = Farewell::Desert { reset: dice.chance(500) };
    if dice.chance(200) {
        script.hello.truncate(dice.below(HELLO.len()));
        script.frames.clear();
    }
    script
}

/// H: requests that are not upgrades.
fn requester(dice: &mut Dice) -> Script {
    let (request, status): (&str, _) = dice.pick(&[
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n", "404"),
        ("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", "426"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", "505"),
    ]);
    let mut script = Script { owed: Owed::Status(status), ..Script::new("requester") };
    script.hello = request.into();
    script.sends = dice.pick(&[1, 10, 1000]);
    script.limit = Duration::from_secs(5);
    script
}

/// R02: says nothing, or a part of a request, and waits.
fn silent(dice: &mut Dice) -> Script {
    let mut script = Script { owed: Owed::StatusOrNothing("408"), ..Script::new("silent") };
    let kept = if dice.chance(500) { 0 } else { dice.below(HELLO.len()) };
    script.hello.truncate(kept);
    script.limit = Duration::from_secs(10);
    if dice.chance(500) {
        script.farewell = Farewell::Linger { noisy: false };
        script.limit += Duration::from_secs(5);
    }
    script
}

/// F24: stops in the middle of a frame.
fn staller(dice: &mut Dice) -> Script {
    let mut script = Script::new("staller").paced(dice);
    script.messages(dice.below(5), 20_000, dice);
    let length = dice.pick(&[1, 100, 4000, 20_000]);
    let opcode = dice.pick(&[1, 2]);
    let start = script.frames.len();
    script.say(true, opcode, &vec![b'a'; length], dice);
    script.seams.pop();
    let kept = 1 + dice.below(script.frames.len() - start - 1);
    script.frames.truncate(start + kept);
    let partial = Frame::plain(true, opcode, &vec![b'a'; length]).encode();
    script.owed = Owed::CodeOrCut(1008, partial);
    script.limit = Duration::from_secs(60);
    script
}

/// P06: is silent for long between two messages; answers pings, or does not.
fn sleeper(dice: &mut Dice) -> Script {
    let mut script = Script::new("sleeper");
    script.messages(2, 1000, dice);
    let at = script.frames.len();
    script.mute = dice.chance(500);
    if script.mute {
        script.owed = Owed::Code(1008);
        script.limit = Duration::from_secs(90);
    } else {
        script.messages(3, 2000, dice);
        script.close(dice);
        script.pauses = vec![(at, Duration::from_secs(200))];
    }
    script
}

/// R01: sends without end and never reads.
fn glutton(dice: &mut Dice) -> Script {
    let mut script = Script { owed: Owed::Prefix, ..Script::new("glutton") };
    for _ in 0..8 {
        script.message(120_000, dice);
    }
    script.takes = 0;
    script.farewell = Farewell::Linger { noisy: false };
    // If all of it fits into the buffers on the way, it is an idle peer that does not answer.
    script.limit = Duration::from_secs(95);
    script
}

/// F, C: some messages, then one thing that is forbidden.
fn liar(dice: &mut Dice) -> Script {
    let mut script = Script::new("liar").paced(dice);
    script.messages(dice.below(6), 40_000, dice);
    let code = lie(&mut script, dice);
    if script.owed == Owed::Exact {
        script.owed = Owed::Code(code);
    }
    if dice.chance(300) {
        script.frames.extend(dice.bytes(3000));
    }
    if dice.chance(300) {
        // C09: the server's patience is not extended by what the peer goes on to say.
        script.farewell = Farewell::Linger { noisy: dice.chance(500) };
        script.limit = Duration::from_secs(5);
    }
    script
}

/// Adds the lie and returns the code it is answered with.
fn lie(script: &mut Script, dice: &mut Dice) -> u16 {
    let raw = |first: u8, rest: &[u8]| [&[first][..], rest].concat();
    let keyed = |length: u8| [0x80 | length, 1, 2, 3, 4];
    let (bytes, code) = match dice.below(17) {
        0 => (raw(dice.pick(&[0xC1, 0xA2, 0x91, 0xF9]), &keyed(0)), 1002),
        1 => (raw(dice.pick(&[0x81, 0x82, 0x89, 0x88]), &[3, b'a', b'b', b'c']), 1002),
        2 => (raw(0x80 | dice.pick(&[3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), &keyed(0)), 1002),
        3 => (raw(0x82, &[0xFE, 0, 125, 1, 2, 3, 4]), 1002),
        4 => (raw(0x82, &[0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4]), 1002),
        5 => (raw(0x81, &[0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1]), 1002),
        6 => (raw(dice.pick(&[0x80, 0x00]), &keyed(0)), 1002),
        7 => {
            script.say_and_expect(false, dice.pick(&[1, 2]), b"abc", dice);
            (raw(dice.pick(&[0x81, 0x02]), &keyed(0)), 1002)
        }
        8 => (raw(dice.pick(&[0x08, 0x09, 0x0A]), &keyed(0)), 1002),
        9 => (raw(dice.pick(&[0x88, 0x89, 0x8A]), &[0xFE, 0, 126]), 1002),
        10 => (raw(0x88, &[0x81, 0, 0, 0, 0, 3]), 1002),
        11 => {
            let [high, low] = dice.pick(BAD_CODES).to_be_bytes();
            (raw(0x88, &[0x82, 0, 0, 0, 0, high, low]), 1002)
        }
        12 => (raw(0x88, &[0x84, 0, 0, 0, 0, 3, 0xE8, 0xC0, 0xAF]), 1007),
        13 => {
            let length = dice.pick(&[MESSAGE_BYTES_MAX + 1, 1 << 31, 1 << 32, (1 << 63) - 1]);
            (raw(dice.pick(&[0x81, 0x82]), &raw(0xFF, &length.to_be_bytes())), 1009)
        }
        14 => {
            script.say_and_expect(false, 2, &vec![7; 130_000], dice);
            (raw(0x00, &raw(0xFF, &100_000_u64.to_be_bytes())), 1009)
        }
        15 => {
            for at in 0..FRAGMENTS_MAX {
                script.say_and_expect(false, if at == 0 { 2 } else { 0 }, b"", dice);
            }
            (raw(0x80, &keyed(0)), 1008)
        }
        _ => return lie_in_text(script, dice),
    };
    script.frames.extend(bytes);
    code
}

/// F15: text that is not UTF-8, alone or in the last of two fragments.
fn lie_in_text(script: &mut Script, dice: &mut Dice) -> u16 {
    let bad: &[u8] = dice.pick(&[
        &b"\xC0\xAF"[..],
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xF8",
        b"\x80",
        b"\xE2\x82",
    ]);
    let mut opcode = 1;
    if dice.chance(300) {
        script.say_and_expect(false, 1, &words(50, dice), dice);
        opcode = 0;
    }
    let length = dice.pick(&[0, 1, 10, 120, 3000, 16_300, 20_000, 100_000]);
    let at = if bad == b"\xE2\x82" { length } else { dice.below(length + 1) };
    let payload = [&words(at, dice), bad, &words(length - at, dice)].concat();
    script.say(true, opcode, &payload, dice);
    let partial = Frame::plain(true, opcode, &payload[..]).encode();
    // What is echoed in part before the fault is found leaves no room for a Close.
    script.owed = Owed::CodeOrCut(1007, partial);
    1007
}

/// Text of exactly `length` bytes.
pub fn words(length: usize, dice: &mut Dice) -> Vec<u8> {
    dice.words(length)
}
