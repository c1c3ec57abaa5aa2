//! What the fuzz targets do with an input, as plain functions, so that `cargo test` replays the
//! corpus without a fuzzer. An input says in its first bytes how it is cut; see [`Cuts`].
//!
//! The oracles: nothing panics; how the bytes were cut does not show; a plain reading of the RFC
//! ([`reference`]) says the same; and at the end nothing is held.

#[path = "fuzz_behaviour.rs"]
pub mod behaviour;
#[path = "fuzz_body.rs"]
pub mod body;
#[path = "fuzz_chat.rs"]
pub mod chat;
#[path = "fuzz_deflate.rs"]
pub mod deflate;
#[path = "frames.rs"]
pub mod frames;
#[path = "net.rs"]
pub mod net;
#[path = "fuzz_query.rs"]
pub mod query;
#[path = "reference.rs"]
pub mod reference;

use std::io::ErrorKind;
use std::time::Duration;

use frames::masked;
use net::{MemoryNet, Peer};
use reference::{Frame, frames as frames_of};
use wsecho::conn::read_buffer::{READ_AT, ReadBuffer};
use wsecho::conn::{Cause, Connection, Context, Next, Reply};
use wsecho::ending::Ending;
use wsecho::http::{
    Head, HeadFault, Progress, Route, Rules, Scan, extensions, route, write_opening, write_refusal,
};
use wsecho::id::ConnId;
use wsecho::limits::{COMMIT_BYTES_MAX, Config, Deflate, TICK};
use wsecho::server::Server;
use wsecho::ws::Fault;
use wsecho::ws::close::{CloseCode, parse as parse_close};
use wsecho::ws::decoder::{Bounds, Decoder};
use wsecho::ws::deflate::negotiate;
use wsecho::ws::mask::unmask;

/// A request that is upgraded, for inputs that begin behind it.
pub const UPGRADE: &[u8] = frames::REQUEST.as_bytes();

/// Limits that an input of a few KiB can reach.
fn config() -> Config {
    Config {
        max_message_size: 40_000,
        max_fragments: 32,
        max_connections: 4,
        deflate: Deflate::Off,
        exact: true,
        // How bytes are cut shows in chunks of a response; `body` looks at those.
        fallback: false,
        subprotocols: vec!["*".to_owned()],
        ..Config::default()
    }
}

fn bounds() -> Bounds {
    let config = config();
    Bounds { message_bytes: config.max_message_size, fragments: config.max_fragments }
}

/// The sizes of reads or writes, over and over again; without any, as much as there is.
#[derive(Clone, Copy)]
struct Cuts<'a> {
    sizes: &'a [u8],
    at: usize,
}

impl<'a> Cuts<'a> {
    const NONE: Cuts<'static> = Cuts { sizes: &[], at: 0 };

    /// Takes the sizes off an input: one byte for their number, and one for each.
    fn take(input: &'a [u8]) -> (Self, &'a [u8]) {
        let (count, rest) = input.split_first().unwrap_or((&0, &[]));
        let (sizes, rest) = rest.split_at(rest.len().min(usize::from(count % 16)));
        (Self { sizes, at: 0 }, rest)
    }

    /// The next size, from 0 to `most`.
    fn size(&mut self, most: usize) -> usize {
        let size = self.sizes.get(self.at % self.sizes.len().max(1));
        self.at += 1;
        size.map_or(most, |&size| usize::from(size).min(most))
    }
}

/// A request head: cut in any way it ends the same, and says what plain splitting says.
pub fn request(input: &[u8]) {
    let (mut cuts, bytes) = Cuts::take(input);
    let whole = outcome(&mut Scan::default(), bytes);
    let mut scan = Scan::default();
    let told = (0..=bytes.len()).find(|&end| outcome(&mut scan, &bytes[..end]) != Ok(None));
    let mut scan = Scan::default();
    let mut end = 0;
    while end < bytes.len() {
        end += cuts.size(bytes.len() - end).max(1);
        let expected = if told.is_some_and(|told| end >= told) { whole } else { Ok(None) };
        assert_eq!(outcome(&mut scan, &bytes[..end]), expected, "after {end} bytes");
    }
    if let Ok(Progress::Complete(head)) = Scan::default().advance(bytes) {
        check_head(&head, bytes);
        check_response(&head);
    }
}

fn outcome(scan: &mut Scan, bytes: &[u8]) -> Result<Option<usize>, HeadFault> {
    match scan.advance(bytes)? {
        Progress::Complete(head) => Ok(Some(head.length())),
        Progress::Partial => Ok(None),
    }
}

fn check_head(head: &Head<'_>, bytes: &[u8]) {
    let skipped = 2 * usize::from(bytes.starts_with(b"\r\n"));
    let end = bytes.windows(4).skip(skipped).position(|four| four == b"\r\n\r\n");
    assert_eq!(Some(head.length()), end.map(|end| skipped + end + 4));
    let lines: Vec<&[u8]> = bytes[skipped..head.length() - 4]
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    let words: Vec<&[u8]> = lines[0].split(|&byte| byte == b' ').collect();
    assert_eq!(words[..2], [head.method().as_bytes(), head.target().as_bytes()]);
    let mut fields = head.fields();
    for line in &lines[1..] {
        let colon = line.iter().position(|&byte| byte == b':').expect("a field has a colon");
        let field = (&line[..colon], line[colon + 1..].trim_ascii());
        assert_eq!(fields.next(), Some(field));
    }
    assert_eq!(fields.next(), None);
}

fn check_response(head: &Head<'_>) {
    let rules = Rules { subprotocols: vec!["*".to_owned()], ..Rules::default() };
    let mut out = Vec::new();
    match route(head, &rules, false) {
        Route::Upgrade(_, opening) => write_opening(&mut out, &opening, None),
        Route::Refuse(refusal) => write_refusal(&mut out, refusal, head.method() == "HEAD"),
        Route::Answer(_) | Route::Explain { .. } | Route::Fallback(_) => return,
    }
    let text = std::str::from_utf8(&out).expect("responses are ASCII");
    let (lines, body) = text.split_once("\r\n\r\n").expect("a response has an end");
    assert!(lines.starts_with("HTTP/1.1 ") && lines.is_ascii());
    assert_eq!(lines.matches('\r').count(), lines.matches("\r\n").count());
    assert_eq!(lines.matches('\n').count(), lines.matches("\r\n").count());
    if lines.starts_with("HTTP/1.1 101 ") {
        assert!(lines.contains("\r\nConnection: Upgrade\r\n") && body.is_empty());
    } else {
        assert!(lines.contains("close\r\n"), "a refused connection is closed");
        let length = format!("\r\nContent-Length: {}\r\n", body.len());
        assert!(lines.contains(&length) || head.method() == "HEAD");
    }
}

/// The decoder: the same frames and the same fault as the reference, for any cuts; and byte by
/// byte, the fault with the first byte that makes it one.
pub fn decode(input: &[u8]) {
    let (cuts, bytes) = Cuts::take(input);
    let (expected, fault) = frames_of(bytes, &bounds());
    for cuts in [cuts, Cuts::NONE, Cuts { sizes: &[1], at: 0 }] {
        let (found, found_fault, read) = decode_cut(bytes, cuts);
        assert_eq!(found_fault, fault);
        assert_eq!(found.len(), expected.len());
        let last = found.len().saturating_sub(1);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(
                (found.fin, found.opcode, found.text, found.length),
                (expected.fin, expected.opcode, expected.text, expected.length)
            );
            // Of the frame at fault less is looked at when it comes in small pieces.
            let whole = at < last || fault.is_none();
            assert!(expected.payload.starts_with(&found.payload));
            assert!(!whole || found.payload.len() == expected.payload.len());
        }
        if fault.is_some() && cuts.sizes == [1] {
            assert_eq!(frames_of(&bytes[..read], &bounds()).1, fault);
            assert_eq!(frames_of(&bytes[..read - 1], &bounds()).1, None, "told too late");
        }
    }
}

/// Frames, fault, and how many bytes had been given when it was found.
fn decode_cut(bytes: &[u8], mut cuts: Cuts<'_>) -> (Vec<Frame>, Option<Fault>, usize) {
    let mut decoder = Decoder::new(false);
    let mut found: Vec<Frame> = Vec::new();
    let (mut at, mut end) = (0, 0);
    while end < bytes.len() {
        end += cuts.size(bytes.len() - end).max(1);
        loop {
            let piece = match decoder.step(&bytes[..end], at, &bounds()) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(fault) => return (found, Some(fault), end),
            };
            if piece.starts {
                let (fin, opcode) = (piece.first.fin, piece.first.opcode as u8);
                let (text, length) = (piece.text, piece.length);
                found.push(Frame { fin, opcode, text, length, payload: Vec::new() });
            }
            let frame = found.last_mut().expect("a piece has a frame");
            let mut plain = bytes[piece.payload.clone()].to_vec();
            let length = plain.len();
            let beyond_ascii = unmask(&mut plain, 0..length, 0, piece.key);
            frame.payload.extend(&plain);
            assert_eq!(piece.ends, frame.is_whole());
            at = piece.payload.end;
            let judged = match (piece.text, frame.opcode) {
                (true, _) => decoder.check_text(&plain, beyond_ascii, piece.ends_message()),
                (_, 8) if piece.ends => parse_close(&frame.payload).map(drop),
                _ => Ok(()),
            };
            if let Err(fault) = judged {
                return (found, Some(fault), end);
            }
        }
        assert!(decoder.in_frame() || end - at <= 13, "the start of a head");
    }
    (found, None, end)
}

/// One connection from accept to its ending, read and written in the sizes the input says.
pub fn connection(input: &[u8]) {
    let (reads, rest) = Cuts::take(input);
    let (writes, rest) = Cuts::take(rest);
    let (upgraded, rest) = rest.split_first().unwrap_or((&0, &[]));
    let opening = if upgraded & 1 == 0 { UPGRADE } else { &[] };
    let bytes = [opening, rest].concat();
    for (reads, writes) in [(reads, writes), (reads, Cuts::NONE), (Cuts::NONE, Cuts::NONE)] {
        let (output, ending) = drive(config(), &bytes, reads, writes);
        check_output(&bytes, &output, Some(ending));
    }
}

/// Runs a connection whose peer sends `bytes` and then finishes.
fn drive(
    config: Config,
    bytes: &[u8],
    mut reads: Cuts<'_>,
    mut writes: Cuts<'_>,
) -> (Vec<u8>, Ending) {
    let mut cx = Context::new(config);
    let mut buffer = ReadBuffer::new();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let mut connection = Connection::new(ConnId::new(0, 0), address.into(), None);
    let (mut output, mut at, mut shut) = (Vec::new(), 0, false);
    let ending = loop {
        let _ = connection.timeout();
        let mut span = READ_AT..READ_AT;
        match connection.next() {
            Next::Reap(ending) => break ending,
            Next::Speak => connection.speak(&mut cx),
            Next::Rest | Next::Reset => unreachable!("only a behaviour brings these"),
            Next::Shut => {
                shut = true;
                connection.has_shut();
            }
            Next::Write => {
                assert!(!shut);
                let count = writes.size(connection.unsent().len()).max(1);
                output.extend(&connection.unsent()[..count]);
                connection.sent(count, &mut cx);
            }
            Next::Read if at == bytes.len() => connection.end(Cause::PeerFinished, &mut cx),
            Next::Read => {
                let limit = connection.read_limit(false, &cx).expect("one leaves a budget");
                let count = reads.size(limit.min(bytes.len() - at)).max(1);
                buffer.window(count).copy_from_slice(&bytes[at..at + count]);
                at += count;
                span = READ_AT..READ_AT + count;
            }
            Next::Resume => span = connection.resume(&mut buffer, &mut cx),
        }
        while !span.is_empty() {
            let received = connection.receive(&mut buffer, span, &mut cx);
            let reply = match received.reply {
                Reply::Buffer(range) => buffer.part_of(range).to_vec(),
                Reply::Scratch => std::mem::take(&mut cx.scratch),
            };
            assert!(!shut || reply.is_empty());
            let blocked = !connection.unsent().is_empty();
            let count = if blocked { 0 } else { writes.size(reply.len()) };
            output.extend(&reply[..count]);
            if count < reply.len() {
                connection.keep(&reply[count..], &mut cx);
            }
            span = received.rest;
        }
    };
    connection.bury(ending, Duration::ZERO, &mut cx);
    assert_eq!((cx.budget.used(), cx.budget.reserve_used()), (0, 0), "nothing is kept");
    assert_eq!(cx.metrics.endings.iter().sum::<u64>(), 1);
    (output, ending)
}

/// Judges what was sent to a peer that sent `bytes` and finished.
fn check_output(bytes: &[u8], output: &[u8], ending: Option<Ending>) {
    let rules = Rules { subprotocols: vec!["*".to_owned()], ..Rules::default() };
    let mut opened = Vec::new();
    let behind = match Scan::default().advance(bytes) {
        Ok(Progress::Complete(head)) => match route(&head, &rules, false) {
            Route::Upgrade(_, opening) if negotiate(extensions(&head), Deflate::Off).is_ok() => {
                write_opening(&mut opened, &opening, None);
                &bytes[head.length()..]
            }
            _ => return check_answer(bytes, output),
        },
        _ => return check_answer(bytes, output),
    };
    let echoed = output.strip_prefix(opened.as_slice()).expect("the 101 comes first");
    let expected = Conversation::of(behind);
    let dropped = match ending {
        Some(ending) => ending == Ending::Dropped,
        None => echoed != expected.sent,
    };
    if dropped {
        let part = echoed.strip_prefix(expected.before.as_slice()).expect("whole frames first");
        let streamed = expected.streamed.expect("only long text is sent before it is valid");
        assert!(streamed.starts_with(part) && !part.is_empty());
    } else {
        assert_eq!(echoed, expected.sent);
        assert!(ending.is_none_or(|ending| ending == expected.ending));
    }
}

/// A plain answer is the same however the request came.
fn check_answer(bytes: &[u8], output: &[u8]) {
    let (whole, _) = drive(config(), bytes, Cuts::NONE, Cuts::NONE);
    // The counters have moved on.
    let length =
        if whole.windows(13).any(|part| part == b"version=0.0.4") { 16 } else { whole.len() };
    assert_eq!(output.get(..length), whole.get(..length));
}

/// What the reference expects of a server that was sent some frames and then the end.
struct Conversation {
    /// All of it.
    sent: Vec<u8>,
    ending: Ending,
    /// The part that answers frames without fault.
    before: Vec<u8>,
    /// The echo of a text frame at fault that may have been sent in part (§7.1.7).
    streamed: Option<Vec<u8>>,
}

impl Conversation {
    fn of(bytes: &[u8]) -> Self {
        let (mut all, fault) = frames_of(bytes, &bounds());
        let of_content = |fault| matches!(fault, Fault::Utf8 | Fault::CloseBody | Fault::CloseCode);
        let at_fault = fault.filter(|&fault| of_content(fault)).and_then(|_| all.pop());
        let mut before = Vec::new();
        for frame in &all {
            let held = frame.is_control() || frame.text && is_short(frame);
            match (frame.opcode, frame.is_whole()) {
                (10, _) => {}
                (8, true) => {
                    let content = parse_close(&frame.payload).ok().flatten();
                    before.extend(close_frame(content.map(|(code, _)| (code, ""))));
                    let (sent, ending) = (before.clone(), Ending::Closed);
                    return Self { sent, ending, before, streamed: None };
                }
                (_, false) if held => {}
                _ => before.extend(frame.echo()),
            }
        }
        let Some(fault) = fault else {
            let (sent, ending) = (before.clone(), Ending::Gone);
            return Self { sent, ending, before, streamed: None };
        };
        let close = close_frame(Some((fault.close_code(), fault.reason())));
        let streamed = at_fault.filter(|frame| frame.text && !is_short(frame));
        Self {
            sent: [before.as_slice(), &close].concat(),
            ending: Ending::Fault,
            before,
            streamed: streamed.map(|frame| frame.echo()),
        }
    }
}

fn is_short(frame: &Frame) -> bool {
    frame.length <= COMMIT_BYTES_MAX as u64
}

fn close_frame(content: Option<(CloseCode, &str)>) -> Vec<u8> {
    let Some((code, reason)) = content else { return vec![0x88, 0] };
    let body = [&code.number().to_be_bytes(), reason.as_bytes()].concat();
    [&[0x88, body.len() as u8], body.as_slice()].concat()
}

/// The whole server: the input is a script of what peers, clock and system do, and after each
/// step the server takes a turn and has its books checked.
pub fn server(input: &[u8]) {
    let (&flags, script) = input.split_first().unwrap_or((&0, &[]));
    let tight = flags & 1 != 0;
    let mut config = config();
    if tight {
        config.buffer_budget = 16 * 1024;
    }
    let net = MemoryNet::default();
    let mut world = World {
        server: Server::new(net.clone(), 1, config),
        net,
        peers: Vec::new(),
        script,
        calm: !tight,
    };
    while world.step() {
        world.turn();
    }
    world.end();
}

struct World<'a> {
    server: Server<MemoryNet>,
    net: MemoryNet,
    peers: Vec<Peer>,
    script: &'a [u8],
    /// Nothing happened that may keep an answer from a peer.
    calm: bool,
}

impl World<'_> {
    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.script.split_first().unwrap_or((&0, &[]));
        self.script = rest;
        byte
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (bytes, rest) = self.script.split_at(self.script.len().min(count));
        self.script = rest;
        bytes.to_vec()
    }

    /// Does what the script says next; false at its end.
    fn step(&mut self) -> bool {
        if self.script.is_empty() {
            return false;
        }
        let (step, detail) = (self.byte(), self.byte());
        let peer = self.peers.get(usize::from(step >> 4)).cloned();
        match (step & 15, peer) {
            (0..=2, _) => self.connect(step & 15, detail),
            (3 | 4, Some(peer)) => {
                let bytes = self.bytes(usize::from(detail));
                self.send(&peer, &bytes);
            }
            (5 | 6, Some(peer)) => {
                let plain = self.bytes(usize::from(detail >> 2));
                let first = [0x81, 0x82, 0x89, 0x01][usize::from(detail & 3)];
                self.send(&peer, &masked(first, &plain));
            }
            (7, Some(peer)) => {
                let room = peer.wire().room;
                peer.set_room(room.saturating_add(usize::from(detail)));
            }
            (8, Some(peer)) => peer.finish(),
            (9, Some(peer)) => peer.reset(),
            (10, _) => {
                self.calm = false;
                self.net.advance(TICK * u32::from(detail));
            }
            (11, _) if detail >= 0xE0 => {
                self.calm = false;
                self.net.signal();
            }
            (12, _) => {
                let kinds = [ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
                self.fail_accept(kinds[usize::from(detail & 1)]);
            }
            (13, _) => {
                self.calm = false;
                self.fail_accept(ErrorKind::OutOfMemory);
            }
            (_, Some(peer)) => peer.nudge(),
            _ => {}
        }
        true
    }

    /// A peer with much room or little, which may ask for an upgrade at once.
    fn connect(&mut self, how: u8, detail: u8) {
        let room = if detail < 0x80 { usize::MAX } else { usize::from(detail - 0x80) };
        let peer = self.net.connect();
        peer.set_room(room);
        if how > 0 {
            self.send(&peer, UPGRADE);
        }
        self.peers.push(peer);
    }

    fn send(&mut self, peer: &Peer, bytes: &[u8]) {
        if !peer.wire().finished {
            // All of it stays there, to be judged by at the end.
            peer.wire().up.bytes.extend(bytes);
            peer.nudge();
        }
    }

    fn fail_accept(&self, kind: ErrorKind) {
        self.net.core().accept_errors.push_back(kind.into());
    }

    fn turn(&mut self) -> bool {
        let goes_on = self.server.turn().expect("this poll does not fail");
        self.server.check();
        goes_on
    }

    /// Everybody takes what there is and leaves; then the clock runs until nobody is there.
    fn end(mut self) {
        self.net.core().accept_errors.clear();
        for peer in &self.peers {
            peer.set_room(usize::MAX);
            peer.finish();
        }
        for _ in 0..4 {
            self.turn();
        }
        if self.calm {
            let busy = Context::new(config()).busy;
            for wire in self.peers.iter().map(Peer::wire) {
                assert!(wire.dropped || wire.reset, "all has been said");
                if !wire.reset && !busy.starts_with(&wire.down.bytes) {
                    check_output(&wire.up.bytes, &wire.down.bytes, None);
                }
            }
        }
        for _ in 0..64 {
            self.net.advance(TICK * 64);
            self.turn();
        }
        assert_eq!(self.server.metrics().connections_open, 0, "no deadline is for ever");
        assert_eq!(self.server.metrics().buffered_bytes, 0, "nothing is held");
        self.net.signal();
        assert!(!self.turn(), "an empty server drains at once");
        assert!(self.peers.iter().all(|peer| peer.wire().dropped));
    }
}
