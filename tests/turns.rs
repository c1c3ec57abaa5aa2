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
    let ping_interval = Duration::ZERO;
    let config = Config { buffer_budget: 400_000, ping_interval, ..Config::default() };
    let stall_timeout = config.stall_timeout;
    let mut world = World::new(config);
    let message = frame(0x82, &[7; 100]);
    let [midway, silent] = [open(&mut world), open(&mut world)];
    midway.send(&message[..50]);
    world.pass(stall_timeout / 2);
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
    world.pass(stall_timeout - Duration::from_secs(1));
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
    let of_the_peer = [Errno::CONNABORTED, Errno::INTR, Errno::PROTO, Errno::PERM, Errno::NETDOWN];
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
    world.server.check();
}

fn echo_after_opening_one(world: &mut World) {
    let client = world.connect(0);
    echo_after_opening(world, &client);
}
