//! What an echo and an idle connection cost: allocations, calls to the system, bytes.
//!
//! Allocations are counted per thread, so tests beside each other do not disturb the count; the
//! loopback's own buffers have grown before the counting begins.

#[path = "support/loopback.rs"]
mod loopback;

#[cfg(feature = "rooms")]
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use loopback::{Client, REQUEST, World, frame};
use wsecho::conn::Connection;
use wsecho::limits::{Config, READ_BYTES_MAX};
#[cfg(feature = "deflate")]
use wsecho::limits::{
    INFLATER_BYTES, SPARE_INFLATERS_MAX, SPARE_QUEUE_BYTES_MAX, SPARE_QUEUES_MAX,
};

/// Rounds before counting: the first echo may fetch what the later ones use again.
const WARM_UP_ROUNDS: usize = 3;

/// Rounds that are counted.
const ROUNDS: usize = 100;

/// Bytes that the allocator may hold for an idle connection that has echoed one message.
const IDLE_BYTES_MAX: u64 = 160;

/// Connections among which those bytes are shared. Tables double, and the half that no connection
/// has used yet is never touched, so never resident: the bytes are counted with full tables.
const IDLE_CONNECTIONS: usize = 1 << 14;

fn open(world: &mut World, capacity: usize) -> Client {
    let client = world.connect(capacity);
    client.send(REQUEST);
    world.settle();
    client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    client.calls();
    client
}

fn message(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 23) as u8).collect()
}

/// Sends `pieces` one after the other, `ROUNDS` times, and counts what the server allocates.
/// `echoed` is how many bytes come back for all pieces together.
fn allocations(pieces: &[&[u8]], echoed: usize) -> AllocationInfo {
    let mut world = World::new(Config::default());
    let client = open(&mut world, 4 * echoed + 64);
    let mut round = || {
        let mut arrived = 0;
        for piece in pieces {
            client.send(piece);
            world.settle();
            arrived += client.take(<[u8]>::len);
        }
        assert_eq!(arrived, echoed);
    };
    (0..WARM_UP_ROUNDS).for_each(|_| round());
    measure(|| (0..ROUNDS).for_each(|_| round()))
}

#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!((counted.count_total, counted.bytes_max), (1, 100));
}

#[test]
fn no_echo_allocates() {
    for first in [0x81, 0x82, 0x89] {
        for (length, head) in [(5, 2), (125, 2), (16 << 10, 4), (1 << 20, 10)] {
            if first == 0x89 && length > 125 {
                continue;
            }
            let frame = frame(first, &message(length));
            let counted = allocations(&[&frame], length + head);
            assert_eq!(counted.count_total, 0, "{first:#x}, {length} bytes: {counted:?}");
        }
    }
}

#[test]
fn no_pipelined_echo_allocates() {
    let batch = frame(0x81, &message(20)).repeat(16);
    let counted = allocations(&[&batch], 16 * 22);
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// Text of up to 16 KiB is held until its last byte is here: in a buffer that was there before.
#[test]
fn no_echo_in_pieces_allocates() {
    for (length, head) in [(5, 2), (125, 2), (16 << 10, 4), (1 << 20, 10)] {
        let frame = frame(0x81, &message(length));
        for at in [1, 3, frame.len() / 2, frame.len() - 1] {
            let (start, end) = frame.split_at(at);
            let counted = allocations(&[start, end], length + head);
            assert_eq!(counted.count_total, 0, "{length} bytes at {at}: {counted:?}");
        }
    }
}

/// Of a head that comes in one piece, nothing is kept; and what is agreed on is not formatted.
#[cfg(feature = "deflate")]
#[test]
fn no_opening_allocates() {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    let request = [&REQUEST[..REQUEST.len() - 2], offer.as_bytes()].concat();
    let mut world = World::new(Config::default());
    let mut allocated = |at| {
        let client = world.connect(1 << 10);
        client.send(&request);
        let counted = measure(|| assert!(world.settle()));
        client.take(|answer| assert!(answer.ends_with(b"client_no_context_takeover\r\n\r\n")));
        client.finish();
        world.settle();
        (at >= WARM_UP_ROUNDS).then_some(counted.count_total)
    };
    let counts: Vec<u64> = (0..WARM_UP_ROUNDS + ROUNDS).filter_map(&mut allocated).collect();
    assert_eq!(counts, [0; ROUNDS]);
}

/// What is told at `/status` is counted where it happens: telling it costs the same however many
/// connections there are, and an echo beside it costs nothing more.
#[cfg(feature = "rooms")]
#[test]
fn telling_the_status_costs_the_same_however_many_are_there() {
    let told = |crowd: usize| {
        let mut world = World::new(Config { max_connections: 20_000, ..Config::default() });
        let client = open(&mut world, 1 << 16);
        let others: Vec<Client> = (0..crowd).map(|_| open(&mut world, 0)).collect();
        let looker = world.connect(1 << 20);
        let request = String::from_utf8_lossy(REQUEST).replacen("GET / ", "GET /status ", 1);
        looker.send(request.as_bytes());
        world.settle();
        world.pass(Duration::from_secs(3));
        let tick = measure(|| assert!(world.pass(Duration::from_secs(1))));
        let frame = frame(0x81, &message(20));
        client.send(&frame);
        world.settle();
        let echo = measure(|| {
            client.send(&frame);
            world.settle();
        });
        assert_eq!(echo.count_total, 0, "{echo:?}");
        assert_eq!(others.len(), crowd);
        tick.count_total
    };
    let few = told(10);
    assert!((1..1000).contains(&few), "{few} allocations");
    // A number with more digits may take one more.
    let many = told(5000);
    assert!(many.abs_diff(few) < 10, "{few} allocations for few, {many} for many");
}

/// Of what a crowd has needed at one time only a few spares are kept.
#[cfg(feature = "deflate")]
#[test]
fn a_crowd_leaves_few_spares() {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let packed = [&REQUEST[..REQUEST.len() - 2], offer.as_bytes()].concat();
    // Of the RFC's compressed Hello the first byte and the rest; and two parts of a text, which is
    // held.
    let crumbs: [&[u8]; 2] = [b"\x41\x81\0\0\0\0\xF2", b"\x80\x86\0\0\0\0\x48\xCD\xC9\xC9\x07\0"];
    let text = frame(0x81, &message(9000));
    let held: [&[u8]; 2] = [&text[..8000], &text[8000..]];
    let inflaters = SPARE_INFLATERS_MAX * INFLATER_BYTES;
    for (request, [begin, end], spares) in [
        (&packed[..], crumbs, inflaters),
        (REQUEST, held, SPARE_QUEUES_MAX * SPARE_QUEUE_BYTES_MAX),
    ] {
        let mut world = World::new(Config::default());
        let clients: Vec<Client> = (0..100).map(|_| world.connect(20_000)).collect();
        let mut all = |bytes: &[u8]| {
            clients.iter().for_each(|client| client.send(bytes));
            world.settle();
        };
        all(request);
        let counted = measure(|| [begin, end].into_iter().for_each(&mut all));
        let kept = usize::try_from(counted.bytes_current).expect("spares");
        assert!(kept <= spares + 20_000, "{kept} bytes, and {spares} are for spares");
        assert!(counted.bytes_max as usize > 3 * spares / 2, "all of them needed one: {counted:?}");
    }
}

#[test]
fn a_batch_costs_one_read_and_one_write() {
    let mut world = World::new(Config::default());
    let client = open(&mut world, 1 << 20);
    let small = frame(0x81, &message(5));
    let batches = [
        small.clone(),
        small.repeat(16),
        frame(0x82, &message(125)),
        frame(0x82, &message(16 << 10)),
        frame(0x82, &message(16 << 10)).repeat(8),
        [frame(0x89, b"ping"), small, frame(0x02, b"frag"), frame(0x80, b"ment")].concat(),
    ];
    for batch in batches {
        assert!(batch.len() < READ_BYTES_MAX, "one read takes all of it");
        client.send(&batch);
        world.settle();
        assert_eq!(client.calls(), (1, 1), "{} bytes", batch.len());
    }
}

/// A message longer than one read costs as many of each as it fills, and the read that finds
/// nothing when the last one was filled to its end.
#[test]
fn a_long_message_costs_a_read_and_a_write_per_area() {
    let mut world = World::new(Config::default());
    let client = open(&mut world, 2 << 20);
    let frame = frame(0x82, &message(1 << 20));
    client.send(&frame);
    world.settle();
    let areas = u32::try_from(frame.len().div_ceil(READ_BYTES_MAX)).expect("few");
    assert_eq!(client.calls(), (areas, areas));
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 128, "{}", size_of::<Connection>());
    let config = Config { max_connections: IDLE_CONNECTIONS, ..Config::default() };
    let mut world = World::new(config);
    // The clients' own memory is claimed before the counting begins.
    let clients: Vec<Client> = (0..IDLE_CONNECTIONS).map(|_| world.connect(256)).collect();
    let hello = frame(0x81, b"hello");
    let counted = measure(|| {
        world.settle();
        for client in &clients {
            client.send(REQUEST);
            world.settle();
            client.send(&hello);
            world.settle();
        }
    });
    for client in &clients {
        client.take(|answer| assert!(answer.ends_with(b"\x81\x05hello")));
    }
    assert_eq!(world.server.metrics().connections_open, IDLE_CONNECTIONS as u64);
    let held = u64::try_from(counted.bytes_current).expect("more is held than was freed");
    let each = held / IDLE_CONNECTIONS as u64;
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes a connection: {counted:?}");
}
