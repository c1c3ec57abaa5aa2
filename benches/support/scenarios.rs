//! What is measured, by time (`time.rs`) and by instructions (`icount.rs`).
//!
//! The whole server runs on a network of memory: what is left is our own code, the copies in and
//! out of the "socket" (`memcpy`, as the kernel makes them too) and the bookkeeping of a few
//! buffers. A step of a scenario leaves everything as it found it.

#[path = "memory_net.rs"]
mod memory_net;

use std::hint::black_box;
use std::time::Duration;

use memory_net::{MemoryNet, Peer};
use wsecho::http::{Progress, Scan};
use wsecho::limits::{Config, Deflate, TICK, TIMEOUT_MAX};
use wsecho::server::Server;
use wsecho::ws::decoder::{Bounds, Decoder};
use wsecho::ws::mask::unmask;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// What a current browser sends.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\n\
    Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) \
    AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\n\
    Origin: http://localhost:8080\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// One thing to measure.
pub struct Scenario {
    pub name: &'static str,
    /// Steps that make a stable count of instructions.
    pub steps: u64,
    /// Messages or calls in one step: figures are given for one.
    pub units: u64,
    make: fn() -> Box<dyn FnMut()>,
}

impl Scenario {
    /// Everything set up and warm: each call is one step.
    pub fn prepare(&self) -> Box<dyn FnMut()> {
        let mut step = (self.make)();
        for _ in 0..4 {
            step();
        }
        step
    }
}

macro_rules! scenario {
    ($name:literal, $steps:expr, $units:literal, $make:expr) => {
        Scenario { name: $name, steps: $steps, units: $units, make: || Box::new($make) }
    };
}

/// All of them. After 19 000 steps the idle connections of a sweep would want a ping.
pub const SCENARIOS: &[Scenario] = &[
    scenario!("mask 16 KiB in place", 100, 1, mask(16 * 1024, 0)),
    scenario!("mask 16 KiB, slide 4", 100, 1, mask(16 * 1024, 4)),
    scenario!("mask 64 B, slide 4", 10_000, 1, mask(64, 4)),
    scenario!("request head", 100, 1, request_head()),
    scenario!("request head, byte by byte", 20, 1, dripped_head()),
    scenario!("decode 5 B", 100, 16, decode()),
    scenario!("echo 5 B text, pipeline 1", 2000, 1, echo(0x81, 5, 1)),
    scenario!("echo 5 B text, pipeline 16", 100, 16, echo(0x81, 5, 16)),
    scenario!("echo 125 B binary", 500, 1, echo(0x82, 125, 1)),
    scenario!("echo 16 KiB binary", 100, 1, echo(0x82, 16 * 1024, 1)),
    scenario!("echo 16 KiB text", 100, 1, echo(0x81, 16 * 1024, 1)),
    scenario!("echo 1 MiB binary", 4, 1, echo(0x82, 1024 * 1024, 1)),
    scenario!("handshake, accept to end", 100, 1, handshake()),
    scenario!("sweep 10 000 connections", 20, 1, sweep(10_000)),
    scenario!("sweep 100 000 connections", 4, 1, sweep(100_000)),
    scenario!("status frame, nobody else", 100, 1, status(0)),
    scenario!("status frame, 50 000 connections", 20, 1, status(50_000)),
];

fn mask(length: usize, slide: usize) -> impl FnMut() {
    // Behind the payload lies a word of slack, as in the read area.
    let mut bytes = vec![0x55; slide + length + 8];
    move || {
        black_box(unmask(black_box(&mut bytes), slide..slide + length, 0, black_box(KEY)));
    }
}

fn request_head() -> impl FnMut() {
    || match Scan::default().advance(black_box(REQUEST)) {
        Ok(Progress::Complete(head)) => assert_eq!(black_box(head).length(), REQUEST.len()),
        other => unreachable!("{other:?}"),
    }
}

/// A head in as many reads as it has bytes: each byte has its price, whatever came before it.
fn dripped_head() -> impl FnMut() {
    || {
        let mut scan = Scan::default();
        for end in 1..REQUEST.len() {
            assert!(matches!(scan.advance(black_box(&REQUEST[..end])), Ok(Progress::Partial)));
        }
        assert!(matches!(scan.advance(black_box(REQUEST)), Ok(Progress::Complete(_))));
    }
}

fn decode() -> impl FnMut() {
    let bytes = frame(0x81, 5).repeat(16);
    let bounds = Bounds { message_bytes: 1 << 20, fragments: 1 << 10 };
    let mut decoder = Decoder::new(false);
    move || {
        let (bytes, mut at) = (black_box(bytes.as_slice()), 0);
        while let Ok(Some(piece)) = decoder.step(bytes, at, &bounds) {
            at = black_box(piece).payload.end;
        }
        assert_eq!(at, bytes.len());
    }
}

/// The peer sends `count` messages of `length` bytes, and all come back.
fn echo(first: u8, length: usize, count: usize) -> impl FnMut() {
    // The request head is a browser's, which offers compression; these are plain echoes.
    let config = Config { deflate: Deflate::Off, ..Config::default() };
    let mut server = Server::new(MemoryNet::default(), 1, config);
    let peer = open(&mut server);
    let messages = frame(first, length).repeat(count);
    let echoed = messages.len() - 4 * count;
    peer.borrow_mut().input = messages;
    move || {
        peer.borrow_mut().taken = 0;
        peer.borrow_mut().output.clear();
        server.net().tell(&peer, true, false);
        while peer.borrow().output.len() < echoed {
            turn(&mut server);
        }
    }
}

/// A peer connects, is upgraded and leaves.
fn handshake() -> impl FnMut() {
    let mut server = Server::new(MemoryNet::default(), 1, Config::default());
    move || {
        let peer = open(&mut server);
        peer.borrow_mut().finished = true;
        server.net().tell(&peer, true, false);
        turn(&mut server);
        assert!(peer.borrow().closed);
    }
}

/// A look at all deadlines, for the sake of one peer whose time to send a request has run out.
fn sweep(count: usize) -> impl FnMut() {
    let mut server = Server::new(
        MemoryNet::default(),
        1,
        Config {
            max_connections: count + 1,
            handshake_timeout: TICK,
            ping_interval: TIMEOUT_MAX,
            ..Config::default()
        },
    );
    let idle: Vec<Peer> = (0..count).map(|_| open(&mut server)).collect();
    move || {
        let late = server.net().connect(usize::MAX);
        turn(&mut server);
        server.net().advance(TICK * 3);
        turn(&mut server);
        late.borrow_mut().finished = true;
        server.net().tell(&late, true, false);
        turn(&mut server);
        assert!(late.borrow().closed && !idle[0].borrow().closed);
    }
}

/// A second passes for somebody who looks at `/status`, while so many others are connected.
fn status(count: usize) -> impl FnMut() {
    let mut server = Server::new(
        MemoryNet::default(),
        1,
        Config { max_connections: count + 1, ping_interval: TIMEOUT_MAX, ..Config::default() },
    );
    let idle: Vec<Peer> = (0..count).map(|_| open(&mut server)).collect();
    let looker = open_at(&mut server, b"/status");
    move || {
        looker.borrow_mut().output.clear();
        server.net().advance(Duration::from_secs(1));
        turn(&mut server);
        assert!(looker.borrow().output.ends_with(b"}}"), "a frame");
        assert!(idle.iter().take(1).all(|peer| !peer.borrow().closed));
    }
}

/// A connection that has been upgraded.
fn open(server: &mut Server<MemoryNet>) -> Peer {
    open_at(server, b"/")
}

fn open_at(server: &mut Server<MemoryNet>, path: &[u8]) -> Peer {
    let peer = server.net().connect(usize::MAX);
    peer.borrow_mut().input = [b"GET ", path, &REQUEST[b"GET /".len()..]].concat();
    // Accepted in one turn, told to be readable in the next.
    turn(server);
    turn(server);
    assert!(peer.borrow().output.starts_with(b"HTTP/1.1 101 "));
    peer
}

fn turn(server: &mut Server<MemoryNet>) {
    assert!(server.turn().expect("this poll does not fail"));
}

fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..=125 => frame.push(0x80 | length as u8),
        126..=65_535 => frame.extend([&[0xFE], &(length as u16).to_be_bytes()[..]].concat()),
        _ => frame.extend([&[0xFF], &(length as u64).to_be_bytes()[..]].concat()),
    }
    frame.extend(KEY);
    frame.extend((0..length).map(|at| b'a' ^ KEY[at % 4]));
    frame
}
