//! The whole server with one client that asks for a behaviour: the input is the query, then what
//! the client and the clock do.
//!
//! The oracles: nothing panics, the books balance, what comes are frames as a server may send
//! them, and unless replies are made from a template they are the client's own messages, byte for
//! byte, however little of the last has come.

use std::time::Duration;

use super::masked;
use super::net::{MemoryNet, Peer};
use super::reference::frames;
use wsecho::limits::{Config, Deflate, TICK};
use wsecho::server::Server;
use wsecho::ws::decoder::Bounds;

const MESSAGE_BYTES_MAX: u64 = 40_000;

/// One message as far as it has come.
struct Message {
    opcode: u8,
    payload: Vec<u8>,
    whole: bool,
}

/// One client's run.
pub fn behaviour(input: &[u8]) {
    let (&length, rest) = input.split_first().unwrap_or((&0, &[]));
    let (query, script) = rest.split_at(rest.len().min(usize::from(length)));
    let query: String = query.iter().map(|byte| char::from(b'!' + byte % 94)).collect();
    let config = Config {
        max_message_size: MESSAGE_BYTES_MAX,
        buffer_budget: 1 << 20,
        deflate: Deflate::Off,
        ..Config::default()
    };
    let net = MemoryNet::default();
    let server = Server::new(net.clone(), 1, config);
    let peer = net.connect();
    let upgrade = String::from_utf8_lossy(super::UPGRADE);
    let head = upgrade.replacen("GET / ", &format!("GET /?{query} "), 1);
    peer.send(head.as_bytes());
    let mut world = World { server, net, peer, script, said: Vec::new() };
    while !world.script.is_empty() && world.turn() {
        world.step();
    }
    world.end(&query);
}

struct World<'a> {
    server: Server<MemoryNet>,
    net: MemoryNet,
    peer: Peer,
    script: &'a [u8],
    /// What the client has said behind its request.
    said: Vec<u8>,
}

impl World<'_> {
    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.script.split_first().unwrap_or((&0, &[]));
        self.script = rest;
        byte
    }

    fn step(&mut self) {
        let (step, detail) = (self.byte(), self.byte());
        match step % 9 {
            0 | 1 => {
                let first = [0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0x89, 0x8A];
                let count = self.script.len().min(usize::from(detail >> 3));
                let (payload, rest) = self.script.split_at(count);
                self.script = rest;
                self.say(&masked(first[usize::from(detail & 7)], payload));
            }
            2 => {
                let count = self.script.len().min(usize::from(detail));
                let (bytes, rest) = self.script.split_at(count);
                self.script = rest;
                self.say(bytes);
            }
            3 => {
                // A long frame, and how much of it.
                let payload: Vec<u8> =
                    (0..usize::from(detail) * 128).map(|at| b'a' + (at % 23) as u8).collect();
                let frame = masked(0x81 + (detail & 1), &payload);
                let count = frame.len() * (usize::from(self.byte()) + 1) / 256;
                self.say(&frame[..count]);
            }
            4 => self.peer.set_room(usize::from(detail) * 16),
            5 => self.net.advance(TICK * u32::from(detail)),
            6 => self.net.advance(Duration::from_millis(u64::from(detail))),
            7 if detail >= 0xF0 => self.net.signal(),
            8 if detail >= 0xF0 => self.peer.finish(),
            _ => self.peer.nudge(),
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        if !self.peer.wire().finished {
            self.said.extend(bytes);
            self.peer.send(bytes);
        }
    }

    fn turn(&mut self) -> bool {
        let goes_on = self.server.turn().expect("this poll does not fail");
        self.server.check();
        goes_on
    }

    /// The client takes what there is and leaves; then the clock runs until nobody is there.
    fn end(mut self, query: &str) {
        self.peer.set_room(usize::MAX);
        for _ in 0..8 {
            self.turn();
        }
        self.peer.finish();
        for _ in 0..64 {
            self.turn();
            self.net.advance(TICK * 64);
        }
        assert!(self.peer.wire().dropped, "no deadline is for ever");
        assert_eq!(self.server.metrics().connections_open, 0);
        assert_eq!(self.server.metrics().buffered_bytes, 0, "nothing is held");
        let wire = self.peer.wire();
        let heard = &wire.down.bytes;
        let end = heard.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4);
        if let (true, Some(end)) = (heard.starts_with(b"HTTP/1.1 101 "), end) {
            let heard = messages(&heard[end..]);
            let changes = ["reply", "%"].iter().any(|word| query.contains(word));
            let own = ["welcome", "mirror"].iter().filter(|word| query.contains(**word));
            let ours = own.count();
            assert!(changes || echoes(&self.said, &heard, ours), "not what was said");
        }
    }
}

/// The server's messages; panics if they are not in frames as a server may send them.
fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut closed = false;
    while let [first, second, rest @ ..] = bytes {
        assert!(!closed, "a frame behind the Close");
        assert!(first & 0x70 == 0 && *second < 0x80, "reserved bits, or a mask");
        let width = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(wide) = rest.get(..width) else { break };
        let mut length = usize::from(*second);
        if width > 0 {
            length = wide.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            assert!(length > [125, 0xFFFF][width / 8], "not the shortest form");
        }
        let payload = &rest[width..rest.len().min(width + length)];
        let (fin, opcode, whole) = (first & 0x80 != 0, first & 15, payload.len() == length);
        let open = messages.last_mut().filter(|message| !message.whole);
        match (opcode, open) {
            (8..=10, _) => {
                assert!(fin && length <= 125, "a control frame that is none");
                closed = opcode == 8;
            }
            (0, Some(message)) => {
                message.payload.extend(payload);
                message.whole = fin && whole;
            }
            (1 | 2, None) => {
                messages.push(Message { opcode, payload: payload.to_vec(), whole: fin && whole });
            }
            _ => panic!("opcode {opcode} here"),
        }
        bytes = &rest[width + payload.len()..];
    }
    for text in messages.iter().filter(|message| message.opcode == 1 && message.whole) {
        assert!(std::str::from_utf8(&text.payload).is_ok(), "text that is none");
    }
    messages
}

/// True if what was heard is what was said, behind at most so many messages of the server's own.
fn echoes(said: &[u8], heard: &[Message], ours: usize) -> bool {
    let bounds = Bounds { message_bytes: MESSAGE_BYTES_MAX, fragments: u32::MAX };
    let mut messages: Vec<Message> = Vec::new();
    for frame in frames(said, &bounds).0.into_iter().filter(|frame| !frame.is_control()) {
        let whole = frame.fin && frame.is_whole();
        match messages.last_mut().filter(|message| !message.whole) {
            Some(message) => {
                message.payload.extend(&frame.payload);
                message.whole = whole;
            }
            None => messages.push(Message { opcode: frame.opcode, payload: frame.payload, whole }),
        }
    }
    let echo = |heard: &[Message]| {
        heard.len() <= messages.len()
            && heard.iter().zip(&messages).all(|(heard, said)| {
                let part = said.payload.starts_with(&heard.payload);
                let ends = !heard.whole || heard.payload.len() == said.payload.len();
                heard.opcode == said.opcode && part && ends
            })
    };
    (0..=heard.len().min(ours)).any(|ours| echo(&heard[ours..]))
}
