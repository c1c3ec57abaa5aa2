//! permessage-deflate (RFC 7692) through the whole server: what a client compressed comes back as
//! it went, and what is wrong with it is said.
#![cfg(feature = "deflate")]

#[path = "support/compress.rs"]
mod compress;
#[path = "support/loopback.rs"]
mod loopback;

use std::time::Duration;

use compress::{Compressor, Decompressor};
use loopback::{Client, World, frame};
use wsecho::limits::{Config, Deflate, INFLATER_BYTES};
use wsecho::ws::head::{First, Opcode, write_server_head};

const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn config() -> Config {
    Config { max_message_size: 300_000, ..Config::default() }
}

/// A client that offers `extensions`, and what it was answered.
fn open_with(world: &mut World, extensions: &str) -> (Client, String) {
    let client = world.connect(0);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: {extensions}\r\n\r\n"
    );
    client.send(request.as_bytes());
    world.settle();
    let answer = client.take(|answer| String::from_utf8(answer.to_vec()).expect("ASCII"));
    let value = answer.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    (client, value.unwrap_or_default().to_owned())
}

fn open(world: &mut World) -> Client {
    let (client, agreed) = open_with(world, OFFER);
    let expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(agreed, expected);
    client
}

/// Everything that comes back for `bytes`.
fn answer(world: &mut World, client: &Client, bytes: &[u8]) -> Vec<u8> {
    client.send(bytes);
    world.settle();
    world.server.check();
    client.take(<[u8]>::to_vec)
}

/// A server's frame.
fn echo(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut head = [0; 10];
    let fin = First { fin: true, compressed: false, opcode: Opcode::Binary };
    let head_bytes = write_server_head(&mut head, fin, payload.len() as u64);
    head[0] = first;
    [&head[..head_bytes], payload].concat()
}

/// The frames in `bytes`: first byte and payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, short, rest @ ..] = bytes {
        let (length, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => {
                let length = rest.first_chunk::<8>().expect("a whole head");
                (u64::from_be_bytes(*length).try_into().expect("it fits"), &rest[8..])
            }
            length => (usize::from(*length), rest),
        };
        frames.push((*first, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    frames
}

fn is_close(bytes: &[u8], code: u16) -> bool {
    bytes.first() == Some(&0x88) && bytes.get(2..4) == Some(&code.to_be_bytes()[..])
}

/// RFC 7692 §7.2.3.1 to §7.2.3.6, byte for byte.
#[test]
fn d01_d09_examples_of_the_rfc_come_back_as_they_went() {
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let stored = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
    let two = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
    let mut world = World::new(config());
    let client = open(&mut world);
    for payload in [&hello[..], &stored, &last, &two, &[0x00], &hello] {
        assert_eq!(answer(&mut world, &client, &frame(0xC1, payload)), echo(0xC1, payload));
    }
    // §7.2.3.1 in two fragments.
    let fragments = [frame(0x41, &hello[..3]), frame(0x80, &hello[3..])].concat();
    let expected = [echo(0x41, &hello[..3]), echo(0x80, &hello[3..])].concat();
    assert_eq!(answer(&mut world, &client, &fragments), expected);
    let metrics = world.server.metrics();
    assert_eq!((metrics.deflate_opens, metrics.compressed_messages), (1, 7));
    let sent = 3 * hello.len() + stored.len() + last.len() + two.len() + 1;
    assert_eq!(metrics.compressed_bytes, sent as u64);
    assert_eq!((metrics.inflated_bytes, metrics.inflaters_in_use), (6 * 5, 0));
}

/// RFC 7692 §7.2.3.2: the second message refers to the first, whose window is kept.
#[test]
fn d13_takeover_keeps_the_window() {
    let first = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let second = [0xF2, 0x00, 0x11, 0x00, 0x00];
    let mut world = World::new(Config { deflate: Deflate::Takeover, ..config() });
    let (client, agreed) = open_with(&mut world, "permessage-deflate");
    assert_eq!(agreed, "permessage-deflate");
    for payload in [&first[..], &second] {
        assert_eq!(answer(&mut world, &client, &frame(0xC1, payload)), echo(0xC1, payload));
    }
    let (other, agreed) = open_with(&mut world, "permessage-deflate; server_no_context_takeover");
    assert!(agreed.ends_with("client_no_context_takeover"), "both or neither: {agreed}");
    answer(&mut world, &other, &frame(0xC1, &first));
    let refused = answer(&mut world, &other, &frame(0xC1, &second));
    assert!(is_close(&refused, 1007), "nothing is there to refer to");
}

#[test]
fn d06_rsv1_where_no_message_begins() {
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let start = frame(0x41, &hello[..3]);
    for wrong in
        [frame(0xC0, &hello[3..]), frame(0xC9, b"ping"), frame(0xC8, b""), frame(0xCA, b"")]
    {
        let mut world = World::new(config());
        let client = open(&mut world);
        let answered = answer(&mut world, &client, &[start.clone(), wrong].concat());
        let close = answered.strip_prefix(&echo(0x41, &hello[..3])[..]);
        assert!(is_close(close.unwrap_or(&answered), 1002), "{answered:02x?}");
    }
    // And without an agreement anywhere.
    let mut world = World::new(Config { deflate: Deflate::Off, ..config() });
    let (client, agreed) = open_with(&mut world, OFFER);
    assert_eq!(agreed, "");
    assert!(is_close(&answer(&mut world, &client, &frame(0xC1, &hello)), 1002));
}

#[test]
fn d07_plain_messages_stay_plain() {
    let mut world = World::new(config());
    let client = open(&mut world);
    let compressed = Compressor::new(6, 15, false).message(b"squeezed squeezed squeezed");
    for (first, payload) in [(0x81, &b"plain"[..]), (0xC1, &compressed), (0x82, &[0xFF, 0])] {
        assert_eq!(answer(&mut world, &client, &frame(first, payload)), echo(first, payload));
    }
    assert!(is_close(&answer(&mut world, &client, &frame(0x81, &[0xFF])), 1007));
}

#[test]
fn d08_tiny_fragments_with_pings_between() {
    let mut world = World::new(config());
    let client = open(&mut world);
    let payload = Compressor::new(9, 15, false).message("né€😀".repeat(20).as_bytes());
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    for (at, byte) in payload.iter().enumerate() {
        let fin = if at + 1 == payload.len() { 0x80 } else { 0 };
        let first = if at == 0 { 0x41 | fin } else { fin };
        sent.extend([frame(first, &[*byte]), frame(0x89, &[at as u8])].concat());
        expected.extend([echo(first, &[*byte]), echo(0x8A, &[at as u8])].concat());
    }
    assert_eq!(answer(&mut world, &client, &sent), expected);
    // Split anywhere, it is the same.
    for piece in sent.chunks(3) {
        client.send(piece);
        world.settle();
    }
    assert_eq!(client.take(<[u8]>::to_vec), expected);
}

/// Nothing of a message that is wrong comes back.
#[test]
fn d10_d14_d15_corrupt_data_is_answered_1007() {
    let text = Compressor::new(6, 15, false).message(&"x".repeat(4000).into_bytes());
    let bad_text = Compressor::new(6, 15, false).message(b"\xC3\x28");
    let half_text = Compressor::new(6, 15, false).message(b"ab\xE2\x82");
    let cases: [(&str, u8, &[u8]); 7] = [
        ("reserved block type", 0xC2, &[0x06]),
        ("stored length", 0xC2, &[0x00, 0x05, 0x00, 0x00, 0x00, 1]),
        ("cut off", 0xC1, &text[..text.len() / 2]),
        ("no bytes at all", 0xC1, &[]),
        ("beyond the start", 0xC1, &[0xF2, 0x00, 0x11, 0x00, 0x00]),
        ("not UTF-8", 0xC1, &bad_text),
        ("UTF-8 cut off", 0xC1, &half_text),
    ];
    for (what, first, payload) in cases {
        for step in [1, 7, payload.len() + 14] {
            let mut world = World::new(config());
            let client = open(&mut world);
            for piece in frame(first, payload).chunks(step) {
                client.send(piece);
                world.settle();
                world.server.check();
            }
            client.take(|answer| assert!(is_close(answer, 1007), "{what}: {answer:02x?}"));
        }
    }
    // What is not text is not looked at as text.
    let mut world = World::new(config());
    let client = open(&mut world);
    let echoed = answer(&mut world, &client, &frame(0xC2, &bad_text));
    assert_eq!(echoed, echo(0xC2, &bad_text));
}

/// The limit is on what comes out: single, in fragments, and not summed over messages.
#[test]
fn d11_bombs_are_answered_1009() {
    let limit = usize::try_from(config().max_message_size).expect("small");
    let compress = |length| Compressor::new(9, 15, false).message(&vec![b'a'; length]);
    let (fits, bomb) = (compress(limit), compress(limit + 1));
    assert!(bomb.len() < 1000);
    let mut world = World::new(config());
    let client = open(&mut world);
    for _ in 0..5 {
        assert_eq!(answer(&mut world, &client, &frame(0xC1, &fits)), echo(0xC1, &fits));
    }
    assert!(is_close(&answer(&mut world, &client, &frame(0xC1, &bomb)), 1009));
    let client = open(&mut world);
    let middle = bomb.len() / 2;
    let fragments = [frame(0x42, &bomb[..middle]), frame(0x80, &bomb[middle..])].concat();
    let answered = answer(&mut world, &client, &fragments);
    let behind = answered.strip_prefix(&echo(0x42, &bomb[..middle])[..]);
    assert!(is_close(behind.unwrap_or(&answered), 1009));
}

/// A bomb has its share of a turn, and a quiet neighbour is echoed in each.
#[test]
fn d11_d12_a_bomb_does_not_hold_the_loop() {
    let many_blocks = [&[0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(60_000)[..], &[0]].concat();
    let zeros = Compressor::new(9, 15, false).message(&vec![0; 200 << 20]);
    for (what, payload) in [("empty blocks", many_blocks), ("zeros", zeros)] {
        let mut world = World::new(Config { max_message_size: 1 << 30, ..config() });
        let bomber = open(&mut world);
        let quiet = open(&mut world);
        bomber.send(&frame(0xC2, &payload));
        let mut turns = 0;
        while world.server.metrics().compressed_messages == 0 {
            quiet.send(&frame(0x81, b"hello"));
            world.server.turn().expect("this poll never fails");
            quiet.take(|echo| assert_eq!(echo, b"\x81\x05hello", "{what}"));
            turns += 1;
            assert!(turns < 1_000_000, "{what} never ends");
        }
        assert!(turns > 10, "{what} took {turns} turns only");
        world.settle();
        bomber.take(|answer| assert_eq!(answer.len(), echo(0xC2, &payload).len(), "{what}"));
    }
}

/// A message that spans turns holds an inflater; when none is left, a connection is not read.
#[test]
fn inflaters_are_bounded() {
    let mut world = World::new(Config { inflaters: 2, ..config() });
    let payload = Compressor::new(6, 15, false).message(&b"some words, some more".repeat(9));
    let whole = frame(0xC1, &payload);
    let (start, end) = whole.split_at(whole.len() - 5);
    let clients: Vec<Client> = (0..4).map(|_| open(&mut world)).collect();
    for client in &clients {
        client.send(start);
        world.settle();
    }
    let metrics = world.server.metrics();
    assert_eq!((metrics.inflaters_in_use, metrics.inflater_waits), (2, 2));
    for client in &clients {
        client.send(end);
        world.settle();
        world.server.check();
    }
    for client in &clients {
        client.take(|answer| assert_eq!(answer, echo(0xC1, &payload)));
    }
    assert_eq!(world.server.metrics().inflaters_in_use, 0);
}

/// Messages that a turn had no share left for are not begun before there is an inflater for them.
#[test]
fn what_is_parked_waits_for_an_inflater_too() {
    let mut world = World::new(Config { inflaters: 1, ..config() });
    let zeros = frame(0xC2, &Compressor::new(6, 15, false).message(&[0; 16_000]));
    let words = frame(0xC1, &Compressor::new(6, 15, false).message(b"words and words and words"));
    let [many, half] = [open(&mut world), open(&mut world)];
    many.send(&zeros.repeat(200));
    half.send(&words[..12]);
    world.settle();
    world.server.check();
    let metrics = world.server.metrics();
    assert_eq!((metrics.inflaters_in_use, metrics.inflater_waits), (1, 1));
    let begun = metrics.compressed_messages;
    assert!(begun > 0 && begun < 200, "{begun} messages are a turn's share");
    half.send(&words[12..]);
    world.settle();
    assert_eq!(world.server.metrics().compressed_messages, 201);
    many.take(|echo| assert_eq!(echo.len(), 200 * (zeros.len() - 4)));
}

/// A message holds the only inflater and never ends: it may for a while, but not for ever, when
/// another waits for it. Plain messages need none.
#[test]
fn an_inflater_is_not_held_for_ever_while_another_waits() {
    let mut world = World::new(Config { inflaters: 1, ..config() });
    let words = frame(0xC1, &Compressor::new(6, 15, false).message(b"words and words and words"));
    let [first, second, third] = [open(&mut world), open(&mut world), open(&mut world)];
    // A message in two frames, the second of which never comes, but pongs do.
    first.send(&[&[words[0] & 0x7F][..], &words[1..]].concat());
    second.send(&words);
    world.settle();
    second.take(|answer| assert_eq!(answer, b""));
    third.send(&frame(0x81, b"hello"));
    world.settle();
    third.take(|answer| assert_eq!(answer, b"\x81\x05hello"));
    world.pass(Duration::from_secs(9));
    first.take(|echo| assert!(!echo.is_empty() && !is_close(echo, 1008), "it has its time"));
    world.pass(Duration::from_secs(2));
    first.take(|answer| assert!(is_close(answer, 1008)));
    second.take(|answer| {
        assert_eq!(
            answer,
            echo(
                0xC1,
                &words[6..]
                    .iter()
                    .zip([0x37, 0xFA, 0x21, 0x3D].iter().cycle())
                    .map(|(a, b)| a ^ b)
                    .collect::<Vec<u8>>()
            )
        )
    });
    world.server.check();
}

/// Who leaves in the middle of a message gives its inflater back.
#[test]
fn inflaters_come_back_from_whoever_leaves() {
    let mut world = World::new(Config { inflaters: 1, ..config() });
    let whole = frame(0xC1, &Compressor::new(6, 15, false).message(b"words and words and words"));
    for _ in 0..3 {
        let client = open(&mut world);
        client.send(&whole[..12]);
        world.settle();
        assert_eq!(world.server.metrics().inflaters_in_use, 1);
        client.reset();
        world.settle();
        assert_eq!(world.server.metrics().inflaters_in_use, 0);
    }
}

/// A window that the client may not have to keep to is declined: it talks uncompressed.
#[test]
fn d04_an_offer_whose_windows_differ_is_declined() {
    let mut world = World::new(config());
    let (client, agreed) = open_with(&mut world, "permessage-deflate; server_max_window_bits=9");
    assert_eq!(agreed, "");
    let text = "words and words and words ".repeat(300);
    assert_eq!(
        answer(&mut world, &client, &frame(0x81, text.as_bytes())),
        echo(0x81, text.as_bytes())
    );
    let (client, agreed) = open_with(
        &mut world,
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
    );
    assert!(agreed.contains("client_max_window_bits=9"), "{agreed}");
    let payload = Compressor::new(6, 9, false).message(text.as_bytes());
    assert_eq!(answer(&mut world, &client, &frame(0xC1, &payload)), echo(0xC1, &payload));
}

/// The limit is for each message, whatever window they share.
#[test]
fn d11_the_limit_is_for_each_message_of_a_takeover_connection() {
    let mut world = World::new(Config { deflate: Deflate::Takeover, ..config() });
    let (client, _) = open_with(&mut world, "permessage-deflate");
    let mut compressor = Compressor::new(9, 15, true);
    for _ in 0..3 {
        let payload = compressor.message(&[b'a'; 200_000]);
        assert_eq!(answer(&mut world, &client, &frame(0xC1, &payload)), echo(0xC1, &payload));
    }
}

/// Characters are cut wherever the share of a turn ends, and go on in the next.
#[test]
fn d12_text_that_takes_many_turns_is_still_text() {
    let mut world = World::new(Config { max_message_size: 4 << 20, ..config() });
    let client = open(&mut world);
    let payload = Compressor::new(6, 15, false).message("€".repeat(500_000).as_bytes());
    assert_eq!(answer(&mut world, &client, &frame(0xC1, &payload)), echo(0xC1, &payload));
}

/// Tables are built slowly for a window below the full one: it has less for its share.
#[test]
fn d12_a_narrow_window_has_a_smaller_share() {
    let mut world = World::new(Config { max_message_size: 4 << 20, ..config() });
    let offer = "permessage-deflate; server_max_window_bits=9; client_max_window_bits";
    let (client, _) = open_with(&mut world, offer);
    let payload = [&[0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(10_000)[..], &[0]].concat();
    client.send(&frame(0xC2, &payload));
    while world.server.metrics().compressed_messages == 0 {
        let before = world.server.metrics().compressed_bytes;
        world.server.turn().expect("this poll never fails");
        let taken = world.server.metrics().compressed_bytes - before;
        assert!(taken <= 1024 + 128, "{taken} bytes in one turn");
    }
    assert_eq!(world.server.metrics().compressed_bytes, payload.len() as u64);
}

/// However full the budget is, one may be lent, and is no part of it; the next one is.
#[test]
fn one_inflater_is_always_there() {
    let whole = frame(0xC1, &Compressor::new(6, 15, false).message(b"words and words and words"));
    let kept = |buffer_budget| {
        let mut world = World::new(Config { buffer_budget, ..config() });
        let clients = [open(&mut world), open(&mut world)];
        let kept = clients.each_ref().map(|client| {
            client.send(&whole[..12]);
            world.settle();
            let metrics = world.server.metrics();
            (metrics.inflaters_in_use, metrics.buffered_bytes as usize)
        });
        for client in &clients {
            client.send(&whole[12..]);
            world.settle();
            client.take(|echo| assert_eq!(echo.len(), whole.len() - 4));
        }
        kept
    };
    let [(1, first), (2, both)] = kept(1 << 20) else { panic!("there is room for two") };
    assert!(first < 1000 && both >= INFLATER_BYTES, "{first} and {both} bytes");
    let [(1, _), (1, _)] = kept(90_000) else { panic!("there is room for one") };
}

/// Of those that wait each has one message inflated when it is called, and then it is the next
/// one's turn.
#[test]
fn who_waits_for_an_inflater_has_it_for_one_message() {
    let mut world = World::new(Config { inflaters: 1, ..config() });
    let words = frame(0xC1, &Compressor::new(6, 15, false).message(b"words and words and words"));
    let [holds, two, one] = [open(&mut world), open(&mut world), open(&mut world)];
    holds.send(&words[..12]);
    world.settle();
    two.send(&words.repeat(2));
    world.settle();
    one.send(&words);
    world.settle();
    holds.send(&words[12..]);
    let mut heard = [0; 2];
    while heard[1] == 0 {
        world.server.turn().expect("this poll never fails");
        heard[0] += two.take(<[u8]>::len);
        heard[1] += one.take(<[u8]>::len);
    }
    assert_eq!(heard[0], words.len() - 4, "the second of two was inflated before the other's");
    world.settle();
    two.take(|echo| assert_eq!(echo.len(), words.len() - 4));
}

/// Each has one for ten seconds, and who has waited for it in vain for two minutes is told so.
#[test]
fn who_waits_too_long_for_an_inflater_is_turned_away() {
    let mut world = World::new(Config { inflaters: 1, ..config() });
    let begun = frame(0x41, &Compressor::new(6, 15, false).message(b"words and words"));
    let clients: Vec<Client> = (0..16).map(|_| open(&mut world)).collect();
    for client in &clients {
        client.send(&begun);
        world.settle();
    }
    world.pass(Duration::from_secs(180));
    let heard: Vec<Vec<u8>> = clients.iter().map(|client| client.take(<[u8]>::to_vec)).collect();
    let told = |reason: &[u8]| heard.iter().filter(|heard| heard.ends_with(reason)).count();
    // And one has it still, since nobody waits for it any more.
    assert_eq!([told(b"takes too long"), told(b"overloaded")], [12, 3]);
}

/// What arrives of a message meanwhile does not make its time begin anew.
#[test]
fn an_inflater_is_not_held_by_dribbling() {
    let mut world = World::new(Config { inflaters: 1, ..config() });
    let words = Compressor::new(1, 15, false).message(&b"words and words and words".repeat(9));
    let [holds, waits] = [open(&mut world), open(&mut world)];
    holds.send(&frame(0x41, &words[..1]));
    world.settle();
    waits.send(&frame(0xC1, &words));
    for byte in &words[1..15] {
        holds.send(&frame(0x00, &[*byte]));
        world.pass(Duration::from_secs(1));
    }
    holds.take(|answer| assert!(answer.windows(4).any(|part| part[2..] == [0x03, 0xF0])));
    waits.take(|answer| assert_eq!(answer, echo(0xC1, &words)));
}

#[test]
fn a_drain_ends_compressed_connections_too() {
    let mut world = World::new(config());
    let (idle, midway) = (open(&mut world), open(&mut world));
    let whole = frame(0xC1, &Compressor::new(6, 15, false).message(b"words and words and words"));
    midway.send(&whole[..12]);
    world.settle();
    world.signal();
    world.settle();
    for client in [&idle, &midway] {
        client.take(|answer| assert!(is_close(answer, 1001), "{answer:02x?}"));
        client.send(&frame(0x88, &1001_u16.to_be_bytes()));
        client.finish();
    }
    assert!(!world.settle(), "the server is done");
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        (word % limit as u64) as usize
    }

    fn message(&mut self) -> Vec<u8> {
        let length = [0, 1, 30, 500, 5000, 40_000, 100_000][self.below(7)];
        let alphabet = ["a", "ab ", "né€😀", "{\"key\":17},"][self.below(4)];
        let chars: Vec<char> = alphabet.chars().collect();
        let mut text = String::new();
        while text.len() < length {
            text.push(chars[self.below(chars.len())]);
        }
        text.into_bytes()
    }
}

/// Whatever a client compresses, in whatever frames and pieces, mixed with plain messages: what
/// comes back inflates to what was sent.
#[test]
fn d01_d13_any_stream_inflates_to_what_was_sent() {
    for seed in 1..=120 {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let takeover = dice.below(2) == 0;
        let window = 9 + dice.below(7) as u8;
        let deflate = if takeover { Deflate::Takeover } else { Deflate::On };
        let mut world = World::new(Config { deflate, ..config() });
        let bits = match window {
            15 => String::new(),
            _ => format!("; server_max_window_bits={window}"),
        };
        let (client, agreed) = open_with(&mut world, &format!("{OFFER}{bits}"));
        assert_eq!(agreed.contains("no_context_takeover"), !takeover, "{agreed}");
        let mut compressor = Compressor::new(1 + dice.below(9) as i32, window, takeover);
        let mut decompressor = Decompressor::new(takeover);
        let (mut wire, mut messages) = (Vec::new(), Vec::new());
        for _ in 0..1 + dice.below(8) {
            let message = dice.message();
            let squeezed = dice.below(4) > 0;
            let payload = if squeezed { compressor.message(&message) } else { message.clone() };
            let mut first = if squeezed { 0x41 } else { 0x01 };
            let mut rest = payload.as_slice();
            while dice.below(3) == 0 {
                let (part, behind) = rest.split_at(dice.below(rest.len() + 1));
                wire.extend(frame(first, part));
                (first, rest) = (0, behind);
            }
            wire.extend(frame(first | 0x80, rest));
            messages.push(message);
        }
        let most = [1, 50, 3000, usize::MAX][dice.below(4)].max(wire.len() / 3000);
        let mut rest = wire.as_slice();
        let mut back = Vec::new();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + dice.below(most.min(rest.len())));
            back.extend(answer(&mut world, &client, piece));
            rest = behind;
        }
        let mut whole = Vec::new();
        let mut found = Vec::new();
        let mut squeezed = false;
        for (first, payload) in frames(&back) {
            squeezed |= first & 0x40 != 0;
            whole.extend(payload);
            if first & 0x80 != 0 {
                let payload = std::mem::take(&mut whole);
                let squeezed = std::mem::take(&mut squeezed);
                found.push(if squeezed { decompressor.message(&payload) } else { payload });
            }
        }
        assert!(found == messages, "seed {seed}");
    }
}
