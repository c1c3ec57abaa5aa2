//! One test for each fault that was found in the server, named for it.

use std::time::Duration;

use wsecho::conn::read_buffer::{READ_AT, ReadBuffer};
use wsecho::conn::{Connection, Context, Next};
use wsecho::id::ConnId;
use wsecho::limits::Config;

const HELLO: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn receive(connection: &mut Connection, bytes: &[u8], cx: &mut Context) -> Vec<u8> {
    let mut area = ReadBuffer::new();
    area.window(bytes.len()).copy_from_slice(bytes);
    let received = connection.receive(&mut area, READ_AT..READ_AT + bytes.len(), cx);
    match received.reply {
        wsecho::conn::Reply::Buffer(range) => area.part_of(range).to_vec(),
        wsecho::conn::Reply::Scratch => cx.scratch.clone(),
    }
}

/// Found by simulation, seed 287: a fault after our own Close was answered with another Close.
#[test]
fn a_fault_while_draining_brings_no_second_close() {
    let mut cx = Context::new(Config::default());
    let mut connection = Connection::new(ConnId::new(0, 0), ([127, 0, 0, 1], 1).into(), None);
    assert!(receive(&mut connection, HELLO, &mut cx).starts_with(b"HTTP/1.1 101 "));
    connection.shut_down(&mut cx);
    assert_eq!(connection.unsent(), [0x88, 2, 0x03, 0xE9]);
    assert_eq!(receive(&mut connection, &[0xFF, 0x00], &mut cx), [0; 0]);
}

/// Found by simulation, seed 11: replies that waited for room kept the loop busy for ever once the
/// server had said its Close in their place.
#[test]
fn nothing_is_due_after_our_close() {
    let hello = String::from_utf8_lossy(HELLO).replace("GET / ", "GET /?delay=10 ");
    let mut cx = Context::new(Config::default());
    let mut connection = Connection::new(ConnId::new(0, 0), ([127, 0, 0, 1], 1).into(), None);
    receive(&mut connection, hello.as_bytes(), &mut cx);
    connection.speak(&mut cx);
    for _ in 0..3 {
        let message = [&b"\x82\xFE\xEA\x60\0\0\0\0"[..], &[7; 60_000]].concat();
        receive(&mut connection, &message, &mut cx);
    }
    cx.now += Duration::from_secs(1);
    connection.speak(&mut cx);
    assert_eq!(connection.next(), Next::Write);
    connection.shut_down(&mut cx);
    while !connection.unsent().is_empty() {
        connection.sent(connection.unsent().len(), &mut cx);
    }
    assert_eq!(connection.next(), Next::Read, "for the peer's Close");
}

/// Found by fuzzing: with each frame of a read the next slice doubled, until its length was none.
#[test]
fn many_compressed_frames_fit_into_a_read() {
    let extensions = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let hello = String::from_utf8_lossy(HELLO).replace("\r\n\r\n", extensions);
    let mut cx = Context::new(Config::default());
    let mut connection = Connection::new(ConnId::new(0, 0), ([127, 0, 0, 1], 1).into(), None);
    receive(&mut connection, hello.as_bytes(), &mut cx);
    let mut echo = receive(&mut connection, &b"\xC2\x81\0\0\0\0\0".repeat(1000), &mut cx);
    while connection.next() == Next::Resume {
        cx.inflaters.begin_turn(false);
        let mut buffer = ReadBuffer::new();
        let span = connection.resume(&mut buffer, &mut cx);
        let rest = buffer.part_of(span).to_vec();
        echo.extend(receive(&mut connection, &rest, &mut cx));
    }
    assert_eq!(echo, b"\xC2\x01\0".repeat(1000));
}

/// Found by comparing the metrics with a known exchange: the peer's Close was not counted.
#[test]
fn a_close_is_a_frame_like_any_other() {
    for target in ["/", "/chat"] {
        let hello = String::from_utf8_lossy(HELLO).replace("GET / ", &format!("GET {target} "));
        let mut cx = Context::new(Config::default());
        let mut connection = Connection::new(ConnId::new(0, 0), ([127, 0, 0, 1], 1).into(), None);
        receive(&mut connection, hello.as_bytes(), &mut cx);
        connection.speak(&mut cx);
        receive(&mut connection, b"\x88\x82\0\0\0\0\x03\xE8", &mut cx);
        assert_eq!(cx.metrics.frames, 1, "{target}");
    }
}
