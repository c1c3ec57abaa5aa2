//! `wss://`: the server with TLS on the network in memory, with rustls as its client.

#![cfg(feature = "tls")]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/net.rs"]
mod net;
#[path = "support/secure.rs"]
mod secure;

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use frames::{masked, plain};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, ContentType, Error, HandshakeKind, SupportedProtocolVersion,
};
use secure::{Client, Forger, World};
use wsecho::ending::Ending;
use wsecho::limits::{
    Config, RESERVE_BYTES, TLS_HANDSHAKE_BYTES, TLS_READ_BYTES_MAX, TLS_SESSION_BYTES,
    TURN_TLS_FLIGHTS_MAX,
};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A client of this version.
fn of(world: &World, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    Arc::new(world.certificates.client(&[version]))
}

fn message(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 23) as u8).collect()
}

fn alert(client: &Client) -> Option<AlertDescription> {
    match client.wrong {
        Some(Error::AlertReceived(alert)) => Some(alert),
        _ => None,
    }
}

fn ended(world: &World, ending: Ending) -> u64 {
    world.server.metrics().endings[ending as usize]
}

/// Reads and writes that the server has made.
fn calls(client: &Client) -> (u32, u32) {
    let wire = client.peer.wire();
    (wire.reads, wire.writes)
}

/// Has `payload` echoed as one binary message.
fn echo(world: &mut World, client: &mut Client, payload: &[u8]) {
    client.say(&masked(0x82, payload));
    world.converse(&mut [client]);
    assert!(client.take() == plain(0x82, payload), "an echo of {} bytes", payload.len());
}

#[test]
fn messages_of_all_sizes_are_echoed_in_both_versions() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let config = of(&world, version);
        let mut client = world.open(&config);
        assert_eq!(client.tls.protocol_version(), Some(version.version));
        for length in [0, 5, 125, 16 << 10, (16 << 10) + 1, 200_000, 3 << 20] {
            echo(&mut world, &mut client, &message(length));
        }
        let batch = masked(0x81, b"hello").repeat(100);
        client.say(&batch);
        world.converse(&mut [&mut client]);
        assert_eq!(client.take(), plain(0x81, b"hello").repeat(100));
        client.say(&masked(0x88, &[3, 0xE8]));
        world.converse(&mut [&mut client]);
        assert_eq!(client.take(), plain(0x88, &[3, 0xE8]));
        assert!(client.heard_end && client.saw_fin(), "close_notify, then FIN");
        client.peer.finish();
        world.settle();
        assert!(client.saw_end());
        assert_eq!(ended(&world, Ending::Closed), 1);
        assert_eq!(world.server.charged(), 0);
    }
}

/// One read and one write, whatever is in a batch.
#[test]
fn a_batch_takes_one_read_and_one_write() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    for batch in [masked(0x81, b"hello").repeat(16), masked(0x82, &message(16 << 10))] {
        client.say(&batch);
        let before = calls(&client);
        client.send();
        world.settle();
        let after = calls(&client);
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
        client.receive();
        assert!(client.take().len() > batch.len() - 16 * 4 - 1);
    }
}

#[test]
fn sessions_are_resumed_by_tickets() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let config = of(&world, version);
        let mut first = world.open(&config);
        assert_eq!(first.tls.handshake_kind(), Some(HandshakeKind::Full));
        echo(&mut world, &mut first, b"hello");
        let mut second = world.open(&config);
        assert_eq!(second.tls.handshake_kind(), Some(HandshakeKind::Resumed));
        echo(&mut world, &mut second, b"hello");
        let metrics = world.server.metrics();
        assert_eq!((metrics.tls_full_handshakes, metrics.tls_resumed_handshakes), (1, 1));
    }
}

/// RFC 7301 §3.2: "the server SHALL respond with a fatal "no_application_protocol" alert".
#[test]
fn a_client_that_speaks_h2_only_gets_the_alert() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let mut config = world.certificates.client(&[version]);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = world.connect(&Arc::new(config.clone()));
        world.converse(&mut [&mut client]);
        assert_eq!(alert(&client), Some(AlertDescription::NoApplicationProtocol));
        assert!(client.saw_fin(), "in order");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = world.open(&Arc::new(config));
        assert_eq!(client.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(world.server.metrics().tls_failures, 1);
    }
}

#[test]
fn t01_plain_http_is_told_that_this_port_speaks_tls() {
    let mut world = World::new(Config::default());
    let peer = world.net.connect();
    peer.send(b"G");
    world.settle();
    let answer = peer.wire().down.draw(usize::MAX);
    let answer = String::from_utf8(answer).expect("ASCII");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");
    assert!(peer.wire().shut && !peer.wire().dropped, "in order");
    peer.send(b"ET / HTTP/1.1\r\nHost: h\r\n\r\n");
    peer.finish();
    world.settle();
    assert!(peer.wire().dropped);
    assert_eq!((ended(&world, Ending::Tls), world.server.charged()), (1, 0));
}

/// Of whatever is no TLS nothing is made, and nobody else notices.
#[test]
fn t02_garbage_gets_an_alert_and_an_end() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut bystander = world.open(&config);
    let mut word = 1_u32;
    for round in 0..300 {
        let mut garbage: Vec<u8> = (0..1 + round % 97)
            .map(|_| {
                word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (word >> 24) as u8
            })
            .collect();
        // Behind a good head too, and behind a good hello.
        let mut other = world.connect(&config);
        match round % 4 {
            0 => {}
            1 => garbage.splice(0..0, [22, 3, 1, 0, 20]).for_each(drop),
            2 => drop(garbage.splice(0..0, [22, 3, 1, 0xFF, 0xFF])),
            _ => drop(garbage.splice(0..0, other.sealed())),
        }
        let cut = garbage.len() / 2;
        for part in [&garbage[..cut], &garbage[cut..]] {
            other.peer.send(part);
            world.settle();
        }
        other.peer.finish();
        world.settle();
        assert!(other.saw_end(), "round {round}");
    }
    // In the midst of a session: what cannot be opened.
    for first in [20, 21, 22, 23, 24, 0, 255] {
        let client = world.open(&config);
        client.peer.send(&[first, 3, 3, 0, 30]);
        client.peer.send(&[7; 30]);
        world.settle();
        client.peer.finish();
        world.settle();
        assert!(client.saw_end(), "a record of type {first}");
    }
    echo(&mut world, &mut bystander, b"still here");
    bystander.peer.reset();
    world.settle();
    assert_eq!(world.server.charged(), 0);
}

#[test]
fn t03_half_a_hello_is_dropped_in_time() {
    for length in [0, 1, 4, 5, 6, 100] {
        let mut world = World::new(Config::default());
        let config = of(&world, &TLS13);
        let mut client = world.connect(&config);
        let hello = client.sealed();
        client.peer.send(&hello[..length]);
        world.settle();
        world.pass(Duration::from_secs(9));
        assert!(!client.saw_fin());
        assert_eq!(world.server.charged() > 0, length > 0, "what has arrived is charged");
        world.pass(Duration::from_secs(2));
        assert!(client.saw_fin());
        world.pass(Duration::from_secs(6));
        assert!(client.saw_end());
        assert_eq!((ended(&world, Ending::Handshake), world.server.charged()), (1, 0));
    }
}

/// A handshake and what follows byte by byte; it takes no more reads than bytes, and one for each
/// time that there was nothing.
#[test]
fn t04_bytes_that_come_one_by_one_are_enough() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let config = of(&world, version);
        let mut client = world.connect(&config);
        client.say(frames::REQUEST.as_bytes());
        while client.received.is_empty() {
            for byte in client.sealed() {
                client.peer.send(&[byte]);
                world.settle();
            }
            client.receive();
            assert_eq!(client.wrong, None);
        }
        assert!(client.take().starts_with(b"HTTP/1.1 101 "));
        // A record of the longest kind.
        let payload = message((16 << 10) - 8);
        client.say(&masked(0x82, &payload));
        let record = client.sealed();
        assert!(record.len() < 17 << 10, "one record");
        let before = client.peer.wire().reads;
        for byte in &record {
            client.peer.send(&[*byte]);
            world.settle();
        }
        let reads = (client.peer.wire().reads - before) as usize;
        assert!(reads <= 2 * record.len(), "{reads} reads for {} bytes", record.len());
        client.receive();
        assert!(client.take() == plain(0x82, &payload));
        assert_eq!(world.server.charged(), TLS_SESSION_BYTES, "nothing is kept");
    }
}

/// However the bytes are cut, the same comes back.
#[test]
fn bytes_may_be_cut_anywhere() {
    let mut word = 7_u64;
    for round in 0..40 {
        let mut world = World::new(Config::default());
        let config = of(&world, VERSIONS[round % 2]);
        let mut client = world.connect(&config);
        client.say(frames::REQUEST.as_bytes());
        let payloads = [5, 3000, 40_000, 0, 17_000].map(message);
        let mut said = false;
        for _ in 0..10_000 {
            let mut bytes = client.sealed();
            while !bytes.is_empty() {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let most = [1, 7, 100, 5000, 70_000][(word >> 33) as usize % 5];
                let rest = bytes.split_off(bytes.len().min(most));
                client.peer.send(&bytes);
                world.turn();
                bytes = rest;
            }
            world.settle();
            client.receive();
            if !said && client.received.starts_with(b"HTTP/1.1 101 ") {
                said = true;
                client.take();
                payloads.iter().for_each(|payload| client.say(&masked(0x82, payload)));
            } else if !client.tls.wants_write() {
                break;
            }
        }
        let expected: Vec<u8> = payloads.iter().flat_map(|payload| plain(0x82, payload)).collect();
        assert!(client.take() == expected, "round {round}");
    }
}

/// RFC 8446 §6.1: "any data received after a closure alert has been received MUST be ignored", but
/// what was asked for before it is answered.
#[test]
fn t05_close_notify_ends_one_side_and_replies_still_go() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let config = of(&world, version);
        let mut client = world.open(&config);
        client.peer.set_room(1000);
        let payload = message(150_000);
        client.say(&masked(0x82, &payload));
        client.tls.send_close_notify();
        client.send();
        world.settle();
        assert!(!client.saw_fin(), "replies wait");
        client.peer.set_room(usize::MAX);
        world.converse(&mut [&mut client]);
        assert!(client.take() == plain(0x82, &payload));
        assert!(client.heard_end && client.saw_fin() && client.saw_end());
        assert_eq!((ended(&world, Ending::Gone), world.server.charged()), (1, 0));
    }
}

/// The end of the stream without the end of TLS: what came before is answered all the same.
#[test]
fn t06_truncation_is_an_end_like_any() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    client.say(&masked(0x81, b"last"));
    client.send();
    client.peer.finish();
    world.converse(&mut [&mut client]);
    assert_eq!(client.take(), plain(0x81, b"last"));
    assert!(client.heard_end && client.saw_end());
    // In the midst of a record too.
    let mut client = world.open(&config);
    client.say(&masked(0x81, b"never whole"));
    let record = client.sealed();
    client.peer.send(&record[..record.len() - 1]);
    client.peer.finish();
    world.converse(&mut [&mut client]);
    assert!(client.take().is_empty() && client.heard_end && client.saw_end());
    assert_eq!((ended(&world, Ending::Gone), world.server.charged()), (2, 0));
}

/// Sealed replies that nobody reads are charged, and given back when their peer is ended as slow.
#[test]
fn t07_a_peer_that_never_reads_is_ended() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    client.peer.set_room(10_000);
    for _ in 0..40 {
        client.say(&masked(0x82, &message(100_000)));
    }
    client.send();
    world.settle();
    let charged = world.server.charged();
    assert!(charged > 50_000, "{charged} bytes are charged");
    assert!(charged < 2 << 20, "{charged} bytes are charged");
    world.pass(Duration::from_secs(130));
    assert!(client.saw_end());
    assert_eq!((ended(&world, Ending::Slow), world.server.charged()), (1, 0));
}

/// Whoever reads slowly, but reads, gets everything, whatever the window.
#[test]
fn a_slow_reader_gets_everything() {
    for version in VERSIONS {
        for window in [1, 30, 1000, 20_000] {
            let mut world = World::new(Config::default());
            let config = of(&world, version);
            let mut client = world.open(&config);
            let length = window * 100;
            client.peer.set_room(0);
            client.say(&masked(0x82, &message(length)));
            client.say(&masked(0x82, b"behind it"));
            client.send();
            world.settle();
            let expected = [plain(0x82, &message(length)), plain(0x82, b"behind it")].concat();
            for _ in 0..2000 {
                client.send();
                client.peer.set_room(window);
                world.settle();
                let bytes = client.peer.wire().down.draw(usize::MAX);
                client.hear(&bytes);
                if client.received.len() == expected.len() {
                    break;
                }
            }
            assert!(client.take() == expected, "a window of {window}");
            assert_eq!(world.server.charged(), TLS_SESSION_BYTES);
        }
    }
}

/// RFC 8446 §4.6.3: keys are changed in the midst of a stream, and the server changes its own.
#[test]
fn t08_keys_may_change_at_any_time() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    for round in 0..10 {
        client.tls.refresh_traffic_keys().expect("TLS 1.3");
        echo(&mut world, &mut client, &message(round * 10_000));
    }
    // Between the records of one read.
    for _ in 0..5 {
        client.say(&masked(0x81, b"hello"));
        client.tls.refresh_traffic_keys().expect("TLS 1.3");
    }
    world.converse(&mut [&mut client]);
    assert_eq!(client.take(), plain(0x81, b"hello").repeat(5));
    assert_eq!(client.wrong, None);
}

#[test]
fn t09_many_records_in_one_read_are_one_batch() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let mut config = world.certificates.client(&[version]);
        config.max_fragment_size = Some(64);
        let mut client = world.open(&Arc::new(config));
        let payload = message(30_000);
        client.say(&masked(0x82, &payload));
        let before = client.peer.wire().writes;
        client.send();
        world.settle();
        assert!(client.peer.wire().writes - before <= 2);
        client.receive();
        assert!(client.take() == plain(0x82, &payload));
    }
}

/// With little room reads are shorter than records.
#[test]
fn a_record_may_be_longer_than_there_is_room_for_a_read() {
    let (buffer_budget, ping_interval) = (240 << 10, Duration::ZERO);
    let mut world = World::new(Config { buffer_budget, ping_interval, ..Config::default() });
    let config = of(&world, &TLS13);
    let mut blocked: Vec<Client> = (0..6).map(|_| world.open(&config)).collect();
    for client in &mut blocked {
        client.peer.set_room(0);
        client.say(&masked(0x82, &message(1 << 20)));
        client.send();
        world.settle();
    }
    let mut client = world.open(&config);
    for _ in 0..200 {
        world.pass(Duration::from_millis(250));
        client.say(&masked(0x82, &message(100_000)));
        client.send();
        for other in &mut blocked {
            other.peer.set_room(20_000);
            world.settle();
            other.receive();
        }
    }
    blocked.iter_mut().for_each(|other| other.peer.set_room(usize::MAX));
    let mut all: Vec<&mut Client> = blocked.iter_mut().chain([&mut client]).collect();
    world.converse(&mut all);
    assert!(client.take() == plain(0x82, &message(100_000)).repeat(200));
    for other in &mut blocked {
        assert!(other.take() == plain(0x82, &message(1 << 20)), "{:?}", other.wrong);
    }
}

/// There is no time for a handshake with whoever is too many: an alert says what can be said.
#[test]
fn t10_too_many_are_turned_away_with_an_alert() {
    let mut world = World::new(Config { max_connections: 1, ..Config::default() });
    let config = of(&world, &TLS13);
    let mut first = world.open(&config);
    let mut second = world.connect(&config);
    world.converse(&mut [&mut second]);
    assert_eq!(alert(&second), Some(AlertDescription::InternalError));
    assert!(second.saw_fin() && !second.saw_end(), "in order");
    second.peer.finish();
    world.settle();
    assert_eq!((ended(&world, Ending::Shed), world.server.metrics().shed), (1, 1));
    echo(&mut world, &mut first, b"hello");
}

/// Half handshakes stand in the reserve: when it is short, the oldest leave, and new ones come in.
#[test]
fn t11_half_handshakes_make_room_for_new_ones() {
    let mut world = World::new(Config { max_connections: 5000, ..Config::default() });
    let config = of(&world, &TLS13);
    let count = 2 * RESERVE_BYTES / TLS_HANDSHAKE_BYTES;
    let mut halves: Vec<Client> = Vec::new();
    for _ in 0..count {
        let mut half = world.connect(&config);
        half.send();
        world.settle();
        assert!(world.server.charged() <= RESERVE_BYTES + (64 << 10));
        halves.push(half);
    }
    assert!(halves[0].saw_fin(), "the oldest has left");
    assert!(!halves[count - 1].saw_fin());
    let mut client = world.open(&config);
    echo(&mut world, &mut client, b"hello");
}

/// Answers that nobody takes stand in the reserve, sealed or not: the budget is for those who are
/// open.
#[test]
fn answers_that_are_not_taken_stand_in_the_reserve() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut clients: Vec<Client> = (0..20).map(|_| world.connect(&config)).collect();
    for client in &mut clients {
        world.converse(&mut [client]);
        client.peer.set_room(100);
        client.say(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
        client.send();
        world.settle();
    }
    assert_eq!(world.server.metrics().buffered_bytes, 0);
    let kept = world.server.charged() - 20 * TLS_SESSION_BYTES;
    assert!(kept > 20 * 2 * 10_000, "{kept} bytes, sealed and as they are");
    for client in &mut clients {
        client.peer.set_room(usize::MAX);
        world.converse(&mut [client]);
        assert!(client.take().starts_with(b"HTTP/1.1 200 OK") && client.heard_end);
        client.peer.finish();
    }
    world.settle();
    assert_eq!(world.server.charged(), 0);
}

/// Sessions have a quarter of the budget: who is beyond it is refused before any work is done.
#[test]
fn t12_sessions_have_a_quarter_of_the_budget() {
    let budget = 80 * TLS_SESSION_BYTES;
    let mut world = World::new(Config { buffer_budget: budget, ..Config::default() });
    let config = of(&world, &TLS13);
    let mut open: Vec<Client> = (0..20).map(|_| world.open(&config)).collect();
    let mut more = world.connect(&config);
    world.converse(&mut [&mut more]);
    assert_eq!(alert(&more), Some(AlertDescription::InternalError));
    assert!(world.server.metrics().shed > 0);
    echo(&mut world, &mut open[7], &message(50_000));
    open.pop().expect("twenty").peer.reset();
    world.settle();
    let mut client = world.open(&config);
    echo(&mut world, &mut client, b"hello");
}

/// Whoever echoes does not wait for a crowd of handshakes.
#[test]
fn handshakes_have_a_budget_of_each_turn() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut bystander = world.open(&config);
    let handshakes = |world: &World| {
        let metrics = world.server.metrics();
        metrics.tls_full_handshakes + metrics.tls_resumed_handshakes
    };
    let before = handshakes(&world);
    let mut crowd: Vec<Client> = (0..40).map(|_| world.connect(&config)).collect();
    world.settle();
    for client in &mut crowd {
        client.send();
    }
    let mut turns = 0;
    let answered = |crowd: &[Client]| {
        crowd.iter().filter(|client| !client.peer.wire().down.unread().is_empty()).count()
    };
    while answered(&crowd) < 40 {
        bystander.say(&masked(0x81, b"hello"));
        bystander.send();
        let there = answered(&crowd);
        world.turn();
        turns += 1;
        bystander.receive();
        assert_eq!(bystander.take(), plain(0x81, b"hello"), "in the same turn");
        assert!(answered(&crowd) - there <= TURN_TLS_FLIGHTS_MAX);
        assert!(turns < 100, "they are all answered");
    }
    let mut all: Vec<&mut Client> = crowd.iter_mut().collect();
    world.converse(&mut all);
    assert_eq!(handshakes(&world) - before, 40);
}

/// A header of the PROXY protocol comes ahead of TLS: together with the first record, in a segment
/// of its own, or byte by byte.
#[test]
fn o07_a_header_of_a_proxy_stands_ahead_of_tls() {
    let text = b"PROXY TCP4 192.0.2.7 198.51.100.1 5555 443\r\n".to_vec();
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x15, 0xB3, 1, 0xBB, 0x04, 0, 2, 0, 0];
    let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11";
    let binary = [&signature[..], &addresses].concat();
    let config = Config { proxied: vec![true, false], ..Config::default() };
    for (header, port) in [(text, "5555"), (binary, "5555")] {
        for pieces in 0..3 {
            let mut world = World::new(config.clone());
            let mut client = world.connect(&of(&world, &TLS13));
            let mut ahead = [header.clone(), client.sealed()].concat();
            match pieces {
                0 => client.unsent = ahead,
                1 => {
                    client.unsent = ahead.split_off(header.len());
                    client.peer.send(&ahead);
                    world.settle();
                }
                _ => {
                    for byte in ahead {
                        client.peer.send(&[byte]);
                        world.settle();
                    }
                }
            }
            client.say(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n");
            world.converse(&mut [&mut client]);
            let answer = String::from_utf8(client.take()).expect("JSON");
            assert!(answer.contains(&format!("\"192.0.2.7:{port}\"")), "{pieces}: {answer}");
            client.peer.finish();
            world.settle();
            assert_eq!(world.server.charged(), 0);
        }
    }
}

#[test]
fn o07_without_its_header_nobody_comes_to_a_proxys_port() {
    let config = Config { proxied: vec![true, false], ..Config::default() };
    let mut world = World::new(config);
    let mut client = world.connect(&of(&world, &TLS13));
    world.converse(&mut [&mut client]);
    assert!(client.saw_fin() && client.tls.is_handshaking(), "TLS is not answered");
    let late = world.net.connect();
    late.send(b"PROXY TCP4 192.0.2.7 ");
    world.settle();
    world.pass(Duration::from_secs(11));
    assert!(late.wire().shut, "the time for the handshake is the header's too");
    late.finish();
    client.peer.finish();
    world.settle();
    assert_eq!(world.server.charged(), 0);
}

/// Who sends nonsense behind its hello has had as much work done as others.
#[test]
fn t13_handshakes_that_fail_have_the_same_budget() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut crowd: Vec<Client> = (0..40).map(|_| world.connect(&config)).collect();
    world.settle();
    for client in &mut crowd {
        let hello = client.sealed();
        client.peer.send(&[&hello[..], &[22, 3, 3, 0, 1, 99]].concat());
    }
    while world.server.metrics().tls_failures < 40 {
        let before = world.server.metrics().tls_failures;
        world.turn();
        let failed = world.server.metrics().tls_failures - before;
        assert!(failed <= TURN_TLS_FLIGHTS_MAX as u64, "{failed} in a turn");
    }
    world.settle();
    assert_eq!(ended(&world, Ending::Tls), 0, "the rest of it comes when they are told");
}

/// Records are work, whatever is in them: they count for the share of a turn.
#[test]
fn t14_records_with_next_to_nothing_in_them_use_up_the_turn() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    let pong = masked(0x8A, b"");
    for byte in pong.iter().cycle().take(6 * 10_000) {
        client.say(&[*byte]);
    }
    let flood = client.sealed();
    assert!(flood.len() > 20 * TLS_READ_BYTES_MAX);
    client.peer.send(&flood);
    let waiting = |client: &Client| client.peer.wire().up.unread().len();
    while waiting(&client) > 0 {
        let before = waiting(&client);
        world.turn();
        let taken = before - waiting(&client);
        assert!(taken <= TLS_READ_BYTES_MAX, "{taken} bytes in a turn");
    }
    echo(&mut world, &mut client, b"hello");
}

/// Records that are not finished take room; who leaves others without it for them is ended.
#[test]
fn t15_whoever_does_not_finish_its_records_makes_room() {
    let (buffer_budget, ping_interval) = (1 << 20, Duration::ZERO);
    let mut world = World::new(Config { buffer_budget, ping_interval, ..Config::default() });
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    let mut slow = world.open(&config);
    let mut hoarders: Vec<Client> = (0..50).map(|_| world.open(&config)).collect();
    // Slow to read, but not too slow: what it has begun to say is not read before that.
    slow.peer.set_room(0);
    (0..5).for_each(|_| slow.say(&masked(0x82, &message(40_000))));
    slow.unsent = slow.sealed();
    let sent: Vec<u8> = slow.unsent.drain(..190_000).collect();
    slow.peer.send(&sent);
    world.settle();
    for hoarder in &mut hoarders {
        hoarder.say(&masked(0x82, &message(16_000)));
        hoarder.unsent = hoarder.sealed();
        let sent: Vec<u8> = hoarder.unsent.drain(..15_900).collect();
        hoarder.peer.send(&sent);
        world.settle();
    }
    client.say(&masked(0x81, b"hello"));
    for _ in 0..60 {
        slow.peer.set_room(2000);
        slow.receive();
        for hoarder in &mut hoarders {
            let byte: Vec<u8> = hoarder.unsent.drain(..1).collect();
            hoarder.peer.send(&byte);
        }
        world.converse(&mut [&mut client]);
        world.pass(Duration::from_secs(1));
    }
    world.converse(&mut [&mut client]);
    assert_eq!(client.take(), plain(0x81, b"hello"));
    assert!(ended(&world, Ending::Stalled) > 0, "they have been ended");
    slow.peer.set_room(usize::MAX);
    world.converse(&mut [&mut slow]);
    assert!(slow.take() == plain(0x82, &message(40_000)).repeat(5));
}

/// However many hellos come at once, no more of them is kept than twice the reserve.
#[test]
fn t16_parts_of_hellos_are_kept_within_the_reserve() {
    let mut world = World::new(Config { max_connections: 5000, ..Config::default() });
    let peers: Vec<_> = (0..2000).map(|_| world.net.connect()).collect();
    world.settle();
    let part = [&[22, 3, 1, 0x48, 0][..], &[0; 16_000]].concat();
    peers.iter().for_each(|peer| assert_eq!(peer.send(&part), part.len()));
    let mut most = 0;
    for _ in 0..10 {
        // The most of a turn is before those leave that are too many.
        let grown = measure(|| world.turn());
        most = most.max(grown.bytes_max);
    }
    assert!(most < 3 * RESERVE_BYTES as u64, "{most} bytes");
    world.settle();
    assert!(world.server.charged() <= RESERVE_BYTES);
    assert!(world.server.metrics().shed > 1000);
}

/// Clients may send more certificates than anybody needs, which stay with the session.
#[test]
fn t17_certificates_of_clients_are_charged() {
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let mut files = world.certificates.files();
        files.client_ca = Some(world.certificates.file("ca.pem"));
        world.server.net().renewal(files).renew().expect("good files");
        let config = world.certificates.client_as(&[version], Some("client"), 100);
        let mut client = world.connect(&Arc::new(config));
        client.say(frames::REQUEST.as_bytes());
        let mut most = 0;
        while client.act() {
            world.settle();
            most = most.max(world.server.charged());
        }
        assert!(client.take().starts_with(b"HTTP/1.1 101 "), "{:?}", client.wrong);
        assert!(most > TLS_HANDSHAKE_BYTES + 20_000, "{most} bytes before");
        let charged = world.server.charged() as i64;
        client.peer.reset();
        let kept = -measure(|| world.settle()).bytes_current;
        assert!(kept > 30_000 && kept < charged + 5000, "{kept} bytes, {charged} charged");
    }
}

/// rustls gives nothing of a handshake message back before it is whole, and tiny records have much
/// around them.
#[test]
fn t18_a_message_without_an_end_and_a_long_record_are_too_long() {
    for length in [600, 1000, 4000, 16_000] {
        let mut world = World::new(Config::default());
        let mut config = world.certificates.client(&[&TLS13]);
        config.enable_secret_extraction = true;
        let mut forger = Forger::of(world.open(&Arc::new(config)));
        let message = [&[24, 0, 0xFF, 0xFF][..], &[0; 0xFFFE]].concat();
        for part in message.chunks(length) {
            let record = forger.seal(ContentType::Handshake, part);
            forger.peer.send(&record);
            world.settle();
        }
        forger.peer.send(&[23, 3, 3, 0x48, 0]);
        for _ in 0..18 {
            world.settle();
            forger.peer.send(&[0; 1024]);
        }
        world.settle();
        assert!(world.server.charged() < 200_000, "{length}: {}", world.server.charged());
        forger.peer.finish();
        world.settle();
        assert_eq!(world.server.charged(), 0);
    }
}

/// RFC 8446 §4.6.3: keys may change at any time, but each change is work, and there is room for
/// thousands in one read.
#[test]
fn t19_keys_that_change_without_end_are_an_end() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    for _ in 0..40 {
        // As many between two records of data as rustls lets pass.
        for _ in 0..30 {
            client.tls.refresh_traffic_keys().expect("TLS 1.3");
        }
        client.say(&masked(0x82, b"hello"));
    }
    world.converse(&mut [&mut client]);
    assert_eq!(world.server.metrics().tls_failures, 1);
    assert!(client.heard_end && client.wrong.is_none(), "close_notify: {:?}", client.wrong);
    client.peer.finish();
    world.settle();
    assert!(client.saw_end());
    assert_eq!((ended(&world, Ending::Tls), world.server.charged()), (1, 0));
}

#[test]
fn t19_keys_may_change_with_each_message() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut client = world.open(&config);
    for _ in 0..200 {
        client.tls.refresh_traffic_keys().expect("TLS 1.3");
        echo(&mut world, &mut client, b"hello");
    }
    for _ in 0..100 {
        client.tls.refresh_traffic_keys().expect("TLS 1.3");
        client.say(&masked(0x82, b"hello"));
    }
    world.converse(&mut [&mut client]);
    assert!(client.take() == plain(0x82, b"hello").repeat(100));
    assert_eq!(client.wrong, None);
}

#[test]
fn listeners_with_and_without_tls_stand_beside_each_other() {
    let mut world = World::new(Config::default());
    let config = of(&world, &TLS13);
    let mut secure = world.open(&config);
    let peer = world.net.connect_to(1);
    peer.send(frames::REQUEST.as_bytes());
    world.settle();
    assert!(peer.wire().down.draw(usize::MAX).starts_with(b"HTTP/1.1 101 "));
    peer.send(&masked(0x81, b"clear"));
    world.settle();
    assert_eq!(peer.wire().down.draw(usize::MAX), plain(0x81, b"clear"));
    echo(&mut world, &mut secure, b"sealed");
}

/// What a session at rest takes, and that the ledger knows of it.
#[test]
fn a_session_at_rest_is_small() {
    const COUNT: usize = 64;
    for version in VERSIONS {
        let mut world = World::new(Config::default());
        let config = of(&world, version);
        let mut warm = world.open(&config);
        echo(&mut world, &mut warm, b"hello");
        let mut server = 0;
        let mut clients: Vec<Client> = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            let mut client = world.connect(&config);
            client.say(frames::REQUEST.as_bytes());
            loop {
                let mut moved = client.send();
                let grown = measure(|| world.settle());
                // What the wire keeps is the client's.
                let wire = client.peer.wire().down.unread().len();
                server += grown.bytes_current - i64::try_from(wire).expect("short");
                moved |= client.receive();
                if !moved {
                    break;
                }
            }
            client.take();
            echo(&mut world, &mut client, b"hello");
            clients.push(client);
        }
        let each = usize::try_from(server).expect("it grows") / COUNT;
        eprintln!("{version:?}: {each} bytes each");
        assert!(each <= 6000, "{each} bytes each");
        assert!(each <= TLS_SESSION_BYTES + 1024, "{each} bytes each");
    }
}
