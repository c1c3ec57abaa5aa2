//! The examples of `docs/behaviours.md`, on the whole server with a clock that is moved by hand.

#[path = "support/loopback.rs"]
mod loopback;

use std::time::Duration;

use loopback::frames::plain as server_frame;
use loopback::{Client, World, frame};
use wsecho::behaviour::NAMES;
use wsecho::limits::Config;

const PAGE: &str = include_str!("../docs/behaviours.md");

/// Each example: its target and the lines below.
fn examples() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    PAGE.split("```behaviour\n").skip(1).map(|rest| {
        let body = rest.split("```").next().expect("a fence ends");
        let (target, lines) = body.split_once('\n').expect("a target and lines");
        (target, lines.lines().collect())
    })
}

/// Where a client is, and what it has got that no line has shown yet.
struct Stage {
    world: World,
    client: Client,
    status: String,
    got: Vec<u8>,
}

impl Stage {
    fn open(target: &str) -> Self {
        let mut world = World::new(Config::default());
        let client = world.connect(0);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.send(request.as_bytes());
        world.settle();
        let bytes = client.take(<[u8]>::to_vec);
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").expect("a whole head");
        let status = String::from_utf8_lossy(&bytes[9..12]).into_owned();
        let got = if status == "101" { bytes[end + 4..].to_vec() } else { Vec::new() };
        Self { world, client, status, got }
    }

    fn play(&mut self, line: &str) {
        if let Some(expected) = line.strip_prefix("< ") {
            return self.expect(expected);
        }
        assert!(self.got.is_empty(), "before {line:?} was not shown: {:02x?}", self.got);
        if let Some(text) = line.strip_prefix("> ") {
            match text.strip_prefix("ping ") {
                Some(payload) => self.client.send(&frame(0x89, payload.as_bytes())),
                None => self.client.send(&frame(0x81, text.as_bytes())),
            }
            self.world.settle();
        } else {
            let time = line.strip_prefix("+ ").and_then(|time| time.strip_suffix(" ms"));
            let time = time.and_then(|time| time.parse().ok()).expect("some milliseconds");
            self.world.pass(Duration::from_millis(time));
        }
        self.world.server.check();
        self.got = self.client.take(<[u8]>::to_vec);
    }

    fn expect(&mut self, what: &str) {
        let (kind, rest) = what.split_once(' ').unwrap_or((what, ""));
        let expected = match kind {
            "status" => return assert_eq!(self.status, rest),
            "end" => return assert!(self.client.saw_fin()),
            "reset" => return assert!(self.client.saw_reset()),
            "bytes" => rest.split(' ').map(hex).collect(),
            "frame" => {
                let (first, payload) = rest.split_once(' ').unwrap_or((rest, ""));
                server_frame(hex(first), payload.as_bytes())
            }
            "close" => {
                let (code, reason) = rest.split_once(' ').expect("a code and a reason");
                let code: u16 = code.parse().expect("a code");
                server_frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
            }
            _ => server_frame(0x81, what.as_bytes()),
        };
        let got: Vec<u8> = self.got.drain(..expected.len().min(self.got.len())).collect();
        assert_eq!(got, expected, "{what}");
    }
}

fn hex(byte: &str) -> u8 {
    u8::from_str_radix(byte, 16).expect("two hexadecimal digits")
}

#[test]
fn every_example_is_true() {
    assert!(examples().count() > 10);
    for (target, lines) in examples() {
        let mut stage = Stage::open(target);
        for line in lines {
            stage.play(line);
        }
        assert!(stage.got.is_empty(), "{target}: not shown: {:02x?}", stage.got);
    }
}

#[test]
fn every_parameter_has_an_example() {
    for name in NAMES {
        let named = |target: &str| {
            let query = target.split_once('?').map_or("", |(_, query)| query);
            query.split('&').any(|pair| pair.split('=').next() == Some(name))
        };
        assert!(examples().any(|(target, _)| named(target)), "{name}");
    }
}
