//! The loop among many connections, and on a system that is in the way: fairness, bursts, partial
//! writes, interrupted and failing calls.

#[path = "support/loopback.rs"]
mod loopback;

use std::time::Duration;

use loopback::{Client, REQUEST, World, frame};
use rustix::io::Errno;
use wsecho::limits::{Config, QUANTUM_BYTES_MAX, TURN_ACCEPTS_MAX};

fn open(world: &mut World) -> Client {
    let client = world.connect(0);
    client.send(REQUEST);
    world.settle();
    client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    client
}

fn echo(world: &mut World, client: &Client) {
    client.send(&frame(0x81, b"hello"));
    world.settle();
    client.take(|echo| assert_eq!(echo, b"\x81\x05hello"));
}

/// One edge tells of all of them; a turn takes its share, and the loop comes back by itself.
#[test]
fn r07_a_burst_of_connections_is_accepted_in_turns() {
    const BURST: usize = 10_000;
    let mut world = World::new(Config { max_connections: BURST, ..Config::default() });
    let clients: Vec<Client> = (0..BURST).map(|_| world.connect(0)).collect();
    let mut accepted = 0;
    for _ in 0..BURST.div_ceil(TURN_ACCEPTS_MAX) {
        world.server.turn().expect("this poll never fails");
        let now = world.server.metrics().connections_accepted;
        assert!(now - accepted <= TURN_ACCEPTS_MAX as u64, "more than a turn's share");
        accepted = now;
    }
    assert_eq!(accepted, BURST as u64, "and no turn without its share");
    echo_after_opening(&mut world, &clients[BURST - 1]);
}

fn echo_after_opening(world: &mut World, client: &Client) {
    client.send(REQUEST);
    world.settle();
    client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    echo(world, client);
}

/// A peer with megabytes to say has its share of a turn, and then the others have theirs.
#[test]
fn r08_a_fire_hose_does_not_delay_the_quiet() {
    let mut world = World::new(Config::default());
    let hose = open(&mut world);
    let quiet: Vec<Client> = (0..1000).map(|_| open(&mut world)).collect();
    let flood = frame(0x82, &vec![7; 8 * QUANTUM_BYTES_MAX]);
    hose.send(&flood);
    quiet.iter().for_each(|client| client.send(&frame(0x81, b"hello")));
    world.server.turn().expect("this poll never fails");
    for client in &quiet {
        client.take(|echo| assert_eq!(echo, b"\x81\x05hello", "in the very first turn"));
    }
    let first = hose.take(<[u8]>::len);
    assert!(first > 0 && first <= QUANTUM_BYTES_MAX, "{first} bytes are more than its share");
    assert_eq!(world.server.metrics().yields, 1);
    world.settle();
    assert_eq!(first + hose.take(<[u8]>::len), flood.len() - 4);
}

/// The window opens byte by byte; whatever a write takes, the stream is exact.
#[test]
fn r12_partial_writes_at_each_byte() {
    let messages = [frame(0x81, b"one"), frame(0x89, b"two"), frame(0x82, &[3; 200])].concat();
    let expected = [&b"\x81\x03one\x8A\x03two\x82\x7E\0\xC8"[..], &[3; 200]].concat();
    for step in [1, 2, 3, 7, 50] {
        for start in 0..=expected.len() {
            let mut world = World::new(Config::default());
            let client = open(&mut world);
            let opened = world.server.metrics().bytes_sent;
            client.set_room(Some(start));
            client.send(&messages);
            world.settle();
            let mut arrived = client.take(<[u8]>::to_vec);
            assert_eq!(arrived.len(), start);
            while arrived.len() < expected.len() {
                client.set_room(Some(step));
                world.settle();
                world.server.check();
                let more = client.take(<[u8]>::to_vec);
                assert!(!more.is_empty(), "stuck after {} bytes", arrived.len());
                arrived.extend(more);
            }
            assert_eq!(arrived, expected);
            assert_eq!(world.server.metrics().bytes_sent - opened, expected.len() as u64);
        }
    }
}

/// Half of a message each: together their replies want more than the budget. Those that would not
/// fit are let through in parts, so that nobody waits for a peer that waits for nothing itself.
#[test]
fn r01_replies_held_together_leave_room() {
    let mut world = World::new(Config { buffer_budget: 400_000, ..Config::default() });
    let halves: Vec<Client> = (0..60).map(|_| open(&mut world)).collect();
    let text = frame(0x81, &[b'x'; 16_000]);
    for client in &halves {
        client.send(&text[..15_000]);
        world.settle();
    }
    let held = halves.iter().filter(|client| client.take(<[u8]>::is_empty)).count();
    assert_eq!(held, 12, "as many as fit into half of the budget");
    let other = open(&mut world);
    echo(&mut world, &other);
    for client in &halves {
        client.send(&text[15_000..]);
        world.settle();
        client.take(|rest| assert!(rest.ends_with(b"xxx")));
    }
    world.server.check();
    assert_eq!(world.server.metrics().buffered_bytes, 0);
}

/// Peers that take nothing have used the budget up. Whoever is not read because of them cannot be
/// late with what it has said, but may still come to its end.
#[test]
fn r01_who_is_not_read_is_not_late() {
    let [ping_interval, ping_timeout] = [Duration::from_secs(30); 2];
    let config =
        Config { buffer_budget: 400_000, ping_interval, ping_timeout, ..Config::default() };
    let stall_timeout = config.stall_timeout;
    let mut world = World::new(config);
    let message = frame(0x82, &[7; 100]);
    let [midway, silent] = [open(&mut world), open(&mut world)];
    midway.send(&message[..50]);
    world.settle();
    world.pass(stall_timeout * 3 / 4);
    silent.take(|ping| assert_eq!(ping, b"\x89\0"));
    let mut gluttons: Vec<Client> = (0..60).map(|_| open(&mut world)).collect();
    let fed = gluttons.iter().position(|client| {
        client.set_room(Some(0));
        client.send(&frame(0x82, &[7; 8000]));
        world.settle();
        world.server.metrics().budget_waits > 0
    });
    gluttons.truncate(fed.expect("one finds nothing left"));
    midway.send(&message[50..]);
    silent.send(&message);
    let [late, gone] = [world.connect(0), world.connect(0)];
    late.send(REQUEST);
    world.settle();
    gone.reset();
    // By now the rest of the frame, and the life after the ping, are late.
    world.pass(stall_timeout / 4 + Duration::from_secs(2));
    assert!(!gluttons[0].saw_end(), "nobody has been fed");
    world.server.check();
    late.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 "), "a handshake needs no room"));
    assert!(!midway.saw_fin() && !silent.saw_fin());
    // Now the gluttons are too slow, and their end feeds the others.
    world.pass(Duration::from_secs(10));
    assert!(gluttons.iter().all(Client::saw_end) && gone.saw_end());
    for client in [midway, silent] {
        client.take(|echo| assert_eq!(echo, [&[0x82, 100], &[7; 100][..]].concat()));
        echo(&mut world, &client);
    }
    world.server.check();
}

/// A drain says goodbye to those too who wait for room, and hears what they answer.
#[test]
fn r01_who_waits_for_room_may_leave() {
    let mut world = World::new(Config { buffer_budget: 400_000, ..Config::default() });
    let mut clients: Vec<Client> = Vec::new();
    while world.server.metrics().budget_waits == 0 {
        let client = open(&mut world);
        client.set_room(Some(0));
        client.send(&frame(0x82, &[7; 8000]));
        world.settle();
        clients.push(client);
    }
    let waits = clients.pop().expect("it finds nothing left");
    waits.set_room(None);
    world.signal();
    world.settle();
    waits.take(|close| assert_eq!(close, [0x88, 2, 0x03, 0xE9]));
    waits.send(&frame(0x88, &1001_u16.to_be_bytes()));
    waits.finish();
    world.settle();
    assert!(waits.saw_end() && !clients[0].saw_end());
    world.server.check();
}

#[test]
fn r15_interrupted_calls_are_made_again() {
    let mut world = World::new(Config::default());
    let client = open(&mut world);
    for times in 1..=6 {
        client.interrupt(times);
        echo(&mut world, &client);
    }
}

/// Linux hands accept the errors of the new socket: they are the peer's, and the next one waits.
#[test]
fn r06_r15_errors_of_accept() {
    let mut world = World::new(Config::default());
    let of_the_peer = [
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::PROTO,
        Errno::PERM,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTUNREACH,
    ];
    world.fail_accepts(&of_the_peer.map(Errno::raw_os_error));
    echo_after_opening_one(&mut world);
    assert_eq!(world.server.metrics().accept_errors, 0);
    // Out of memory: the loop neither spins nor gives up, it tries again a little later.
    for error in [Errno::NOBUFS, Errno::NOMEM] {
        let client = world.connect(0);
        world.fail_accepts(&[error.raw_os_error()]);
        world.settle();
        client.send(REQUEST);
        world.settle();
        client.take(|answer| assert_eq!(answer, b"", "nobody has accepted yet"));
        world.pass(Duration::from_secs(1));
        client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    }
    assert_eq!(world.server.metrics().accept_errors, 2);
    // Without descriptors, of the process or of the system, it is said on the spare one.
    for error in [Errno::MFILE, Errno::NFILE] {
        let client = world.connect(0);
        world.fail_accepts(&[error.raw_os_error()]);
        world.settle();
        client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 503 ")));
    }
    let metrics = world.server.metrics();
    assert_eq!((metrics.accept_errors, metrics.shed), (4, 2));
    world.server.check();
}

/// Some of those beyond the limit are turned away in order, and the rest at once: all are told.
#[test]
fn r11_a_crowd_beyond_the_limit_is_turned_away() {
    let mut world = World::new(Config { max_connections: 16, ..Config::default() });
    let crowd: Vec<Client> = (0..100).map(|_| world.connect(0)).collect();
    world.settle();
    world.server.check();
    let metrics = world.server.metrics();
    assert_eq!((metrics.connections_open, metrics.shed), (16 + 8, 100 - 16));
    for client in &crowd[16..] {
        client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 503 ")));
    }
    echo_after_opening(&mut world, &crowd[0]);
}

/// Those who ask while the server goes are answered, but it does not stay for them.
#[test]
fn o01_who_asks_during_a_drain_does_not_keep_the_server() {
    let mut world = World::new(Config::default());
    let last = open(&mut world);
    world.signal();
    world.settle();
    let late = world.connect(0);
    late.send(REQUEST);
    world.settle();
    late.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 503 ")));
    last.send(&frame(0x88, &1001_u16.to_be_bytes()));
    last.finish();
    assert!(!world.settle(), "the server is done");
}

fn echo_after_opening_one(world: &mut World) {
    let client = world.connect(0);
    echo_after_opening(world, &client);
}

/// Half requests take turns in the reserve: who came first leaves first, and is told so.
#[test]
fn r02_the_oldest_half_requests_make_room() {
    let mut world = World::new(Config::default());
    let half = [&REQUEST[..REQUEST.len() - 2], b"X: ", &[b'x'; 7000]].concat();
    let mut crowd = Vec::new();
    for _ in 0..3 {
        for _ in 0..250 {
            let client = world.connect(0);
            client.send(&half);
            world.settle();
            crowd.push(client);
        }
        world.pass(Duration::from_secs(1));
    }
    crowd[0].take(|answer| assert!(answer.starts_with(b"HTTP/1.1 503 ")));
    for client in &crowd[500..] {
        client.send(b"\r\n\r\n");
        world.settle();
        client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    }
    world.server.check();
}
