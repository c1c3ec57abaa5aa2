//! The real binary on real loopback sockets: what only a kernel can show.

#[path = "support/process.rs"]
mod process;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[cfg(feature = "rooms")]
use flate2::read::GzDecoder;
use process::frames::{REQUEST, masked as frame};
use process::{PATIENCE, Peer, Server};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use socket2::SockRef;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{CloseFrame, Message};

/// Close 1001 without a reason, unmasked.
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xE9];

/// Shorter than any timeout of the server, longer than it needs for anything.
const MOMENT: Duration = Duration::from_millis(300);

#[test]
fn a_client_of_another_house_is_echoed() {
    let server = Server::start(&[]);
    let stream = server.connect().0;
    let url = format!("ws://{}/echo", server.address);
    let (mut socket, answer) = tungstenite::client(url, stream).expect("a handshake");
    assert!(!answer.headers().contains_key("sec-websocket-protocol"));
    let long = "ü€😀".repeat(100_000);
    for message in
        [Message::text("hello"), Message::text(long), Message::binary(vec![0xFF; 70_000])]
    {
        socket.send(message.clone()).expect("sent");
        assert_eq!(socket.read().expect("echoed"), message);
    }
    let part = |text: &'static str, opcode, fin| {
        Message::Frame(Frame::message(text, OpCode::Data(opcode), fin))
    };
    socket.send(part("one ", Data::Text, false)).expect("sent");
    socket.send(Message::Ping("between".into())).expect("sent");
    socket.send(part("message", Data::Continue, true)).expect("sent");
    assert_eq!(socket.read().expect("a pong"), Message::Pong("between".into()));
    assert_eq!(socket.read().expect("joined"), Message::text("one message"));
    let farewell = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
    socket.close(Some(farewell)).expect("sent");
    let Message::Close(Some(answer)) = socket.read().expect("a Close") else { panic!("no Close") };
    assert_eq!(answer.code, CloseCode::Normal);
    let end = socket.read().expect_err("the server closes TCP first");
    assert!(matches!(end, tungstenite::Error::ConnectionClosed), "{end}");
}

#[test]
fn both_families_reach_the_same_port() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.args(["--listen", ":0"]);
    let server = Server::spawn(command);
    let port = server.address.port();
    let mut hosts = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    // A host without IPv6 falls back to IPv4 alone.
    if server.address.is_ipv6() {
        hosts.push(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    }
    for host in hosts {
        let mut peer = Peer::to(host);
        assert!(peer.shake_hands().starts_with("HTTP/1.1 101 "), "{host}");
        peer.echo("hello");
        // On a socket for both, IPv4 has addresses of IPv6 that nobody has asked for.
        let mut asks = Peer::to(host);
        asks.send(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n");
        let info = asks.rest();
        let shown = SocketAddr::new(host.ip(), 0).to_string().replace(":0", ":");
        let shown = format!("\"peer\":\"{shown}");
        assert!(String::from_utf8_lossy(&info).contains(&shown), "{shown}");
    }
}

/// A body much longer than all buffers, read while it is sent; and a stream with a message.
#[test]
fn without_a_websocket_bodies_and_messages_come_back() {
    const LENGTH: usize = 20 << 20;
    let server = Server::start(&[]);
    let body: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
    let mut peer = server.connect();
    let mut writer = peer.0.try_clone().expect("a second handle");
    let (echoed, sent) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let head =
                format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
            writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body))
        });
        (peer.rest(), sender.join().expect("no panic"))
    });
    sent.expect("the server reads all of it");
    let head = echoed.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert!(echoed.starts_with(b"HTTP/1.1 200 ") && echoed[head..] == body);

    let mut stream = server.connect();
    stream.send(b"GET /sse HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut until = |end: &str| {
        let mut heard = String::new();
        while !heard.ends_with(end) {
            heard.push(char::from(stream.read(1)[0]));
        }
        heard
    };
    until("event: mailbox\ndata: ");
    let url = until("\n\n\r\n");
    let url = url.split('\n').next().expect("a line");
    let request = format!("POST /{url} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    let answer = server.ask(&request);
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(until("\n\n\r\n"), "d\r\ndata: hello\n\n\r\n");
    drop(stream);
}

/// Each process has a secret of its own, so that nobody can tell its private URLs from another's.
#[test]
fn b17_private_urls_of_two_servers_differ() {
    let asked = [(); 3].map(|()| Server::start(&[]).ask("GET /poll HTTP/1.1\r\nHost: h\r\n\r\n"));
    let names = asked.each_ref().map(|answer| answer.trim_end().rsplit('/').next());
    assert!(names.iter().all(|name| name.is_some_and(|name| name.len() == 32)), "{asked:?}");
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
}

/// The socket is reset, which only a kernel can show.
#[test]
fn a_reset_that_was_asked_for_is_one() {
    let server = Server::start(&[]);
    for (how, reset) in [("rst", true), ("fin", false)] {
        let mut peer = server.connect();
        let target = format!("GET /?drop={how}&after=1 ");
        peer.send(REQUEST.replacen("GET / ", &target, 1).as_bytes());
        while !peer.read(1).ends_with(b"\n") || peer.read(2) != b"\r\n" {}
        peer.send(&frame(0x81, b"hello"));
        assert_eq!(peer.read(7), b"\x81\x05hello");
        let end = peer.0.read(&mut [0; 10]);
        assert_eq!(end.is_err(), reset, "{how}: {end:?}");
    }
}

#[test]
fn o01_a_drain_says_1001_and_exits_0() {
    let mut server = Server::start(&["--drain-timeout", "2s"]);
    let mut polite: Vec<Peer> = (0..50).map(|_| server.open()).collect();
    let mut silent = server.open();
    let mut midway = server.open();
    // Half of a held frame: the Close takes its place.
    midway.send(&frame(0x81, b"never whole")[..9]);
    let started = Instant::now();
    server.signal(Signal::TERM);
    for peer in &mut polite {
        assert_eq!(peer.read(4), GOING_AWAY);
        peer.send(&frame(0x88, &[0x03, 0xE9]));
        assert_eq!(peer.rest(), []);
    }
    assert_eq!(silent.read(4), GOING_AWAY);
    assert_eq!(midway.read(4), GOING_AWAY);
    let health = server.ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 503 "), "a balancer is told: {health}");
    let late = server.ask(REQUEST);
    assert!(late.starts_with("HTTP/1.1 503 ") && late.contains("Connection: close"), "{late}");
    assert_eq!(server.wait().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[test]
fn o01_a_drain_ends_with_the_last_connection() {
    let mut server = Server::start(&["--drain-timeout", "1h"]);
    let mut peer = server.open();
    server.signal(Signal::INT);
    assert_eq!(peer.read(4), GOING_AWAY);
    peer.send(&frame(0x88, &[0x03, 0xE9]));
    assert_eq!(peer.rest(), []);
    drop(peer);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn o01_a_second_signal_exits_at_once() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.args(["--listen", "127.0.0.1:0", "--drain-timeout", "1h", "--close-timeout", "1h"]);
    // A low limit on descriptors is warned of; ten connections fit below any.
    command.args(["--max-connections", "10"]);
    command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server::started(command.spawn().expect("the binary runs"));
    let mut silent = server.open();
    server.signal(Signal::TERM);
    assert_eq!(silent.read(4), GOING_AWAY);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(1));
    let mut log = String::new();
    server.child.stderr.as_mut().expect("piped").read_to_string(&mut log).expect("UTF-8");
    let lines: Vec<&str> = log.lines().collect();
    let [first, second] = lines[..] else { panic!("{log}") };
    let said = "draining 1 connection for at most 1 h; another signal ends at once";
    assert!(first.ends_with(said), "{log}");
    assert!(
        second.ends_with("second signal: the drain is cut short, 1 connection cut off"),
        "{log}"
    );
}

#[test]
fn r05_without_descriptors_the_rest_is_served() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_wsecho")]);
    command.args(["--listen", "127.0.0.1:0", "--max-connections", "1000"]);
    let server = Server::spawn(command);
    let mut served = Vec::new();
    let mut turned_away = 0;
    for _ in 0..200 {
        let mut peer = server.connect();
        match peer.shake_hands() {
            answer if answer.starts_with("HTTP/1.1 101 ") => served.push(peer),
            // The answer on the spare descriptor is best effort: a reset may overtake it.
            answer => {
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
                turned_away += 1;
            }
        }
    }
    assert!(served.len() >= 40 && turned_away >= 100, "{} and {turned_away}", served.len());
    // Without a word of its own, so that nothing turns the end into a reset.
    assert!(server.connect().rest().starts_with(b"HTTP/1.1 503 "));
    let before = server.processor_ticks();
    assert!(!served[0].hears_within(MOMENT));
    assert!(server.processor_ticks() - before <= 5, "it spins");
    served.iter_mut().for_each(|peer| peer.echo("still here"));
    served.truncate(10);
    served.extend((0..20).map(|_| served_at_last(&server)));
    served.iter_mut().for_each(|peer| peer.echo("recovered"));
}

/// Connects until a slot is free again, which takes the server a turn or two.
fn served_at_last(server: &Server) -> Peer {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let mut peer = server.connect();
        if peer.shake_hands().starts_with("HTTP/1.1 101 ") {
            return peer;
        }
    }
    panic!("never served");
}

#[test]
fn r11_above_the_cap_503_in_order() {
    let server = Server::start(&["--max-connections", "2"]);
    let mut first = server.open();
    let mut second = server.open();
    for _ in 0..100 {
        let answer = server.ask(REQUEST);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
    }
    first.echo("undisturbed");
    drop(first);
    served_at_last(&server).echo("hello");
    second.echo("undisturbed");
}

/// What a server has grown by. Under an emulator that is not the server's alone.
fn assert_little(grown_kib: u64, what: &str) {
    if std::env::var_os("EMULATED").is_some() {
        let _ = writeln!(io::stderr(), "REDUCED: {grown_kib} KiB for {what} are not judged");
    } else {
        assert!(grown_kib <= 1024, "{grown_kib} KiB for {what}");
    }
}

#[test]
fn a_thousand_idle_connections_are_all_there() {
    let limit = getrlimit(Resource::Nofile);
    // Both ends need a descriptor each, and other tests of this process some, too.
    let room = limit.maximum.unwrap_or(u64::MAX).saturating_sub(200).max(20);
    let count = room.min(1000);
    if count < 1000 {
        let _ = writeln!(io::stderr(), "REDUCED to {count} connections by the descriptor limit");
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the soft limit may be raised");
    let server = Server::start(&[]);
    let before = server.resident_kib();
    let mut peers: Vec<Peer> = (0..count).map(|_| server.open()).collect();
    peers.iter_mut().for_each(|peer| peer.echo("hello"));
    let ticks = server.processor_ticks();
    assert!(!peers[0].hears_within(MOMENT));
    assert!(server.processor_ticks() - ticks <= 2, "idle is idle");
    let grown = server.resident_kib() - before;
    assert_little(grown, "a thousand");
    peers.iter_mut().rev().for_each(|peer| peer.echo("again"));
}

#[test]
fn r03_a_half_closed_peer_gets_all_that_is_owed() {
    let server = Server::start(&[]);
    let mut peer = server.open();
    let message = frame(0x82, &[7; 100]);
    peer.send(&message.repeat(100));
    peer.0.shutdown(Shutdown::Write).expect("open");
    let echo = [&[0x82, 100][..], &[7; 100]].concat();
    assert_eq!(peer.rest(), echo.repeat(100));
    assert!(server.processor_ticks() <= 20, "it spins");
}

#[test]
fn r02_h31_a_handshake_has_an_absolute_deadline() {
    let server = Server::start(&["--handshake-timeout", "500ms", "--close-timeout", "500ms"]);
    let started = Instant::now();
    let mut mute = server.connect();
    let mut dripping = server.connect();
    let mut request = REQUEST.bytes().cycle();
    dripping.send(b"GET / HTTP/1.1\r\nX-Long: ");
    while !dripping.hears_within(Duration::from_millis(20)) {
        let byte = request.next().filter(u8::is_ascii_alphanumeric).unwrap_or(b'x');
        dripping.send(&[byte]);
        assert!(started.elapsed() < PATIENCE, "each byte puts the deadline off");
    }
    let answer = String::from_utf8(dripping.rest()).expect("ASCII");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(mute.rest(), [], "a browser that connects ahead gets no answer to nothing");
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[test]
fn c11_a_close_ends_in_order_whatever_follows() {
    let server = Server::start(&[]);
    let mut peer = server.open();
    // More than any receive window: unread, it would turn the server's close into a reset that
    // eats the Close frame.
    let mut bytes = frame(0x88, &[0x03, 0xE8]);
    bytes.resize(300_000, 0xFF);
    peer.send(&bytes);
    let started = Instant::now();
    assert_eq!(peer.rest(), [0x88, 2, 0x03, 0xE8]);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // The server has finished its side only: what the peer still says is taken.
    peer.send(&[0xFF; 1000]);
}

#[test]
fn r01_p04_who_never_reads_costs_little() {
    let server = Server::start(&[]);
    let mut other = server.open();
    other.echo("hello");
    for first in [0x82, 0x89] {
        let before = server.resident_kib();
        let mut flooding = server.open();
        flooding.0.set_write_timeout(Some(MOMENT)).expect("not zero");
        let batch = frame(first, &[7; 125]).repeat(500);
        let mut sent = 0;
        while let Ok(count) = flooding.0.write(&batch[sent % batch.len()..]) {
            sent += count;
            assert!(sent < 256 << 20, "the server never stops reading");
        }
        let grown = server.resident_kib().saturating_sub(before);
        assert_little(grown, "one peer that never reads");
        let ticks = server.processor_ticks();
        assert!(!other.hears_within(MOMENT));
        assert!(server.processor_ticks() - ticks <= 2, "it spins on a blocked peer");
        other.echo("undisturbed");
        // All that was sent comes back once the peer reads.
        let whole = sent / 131;
        let reply = [&[if first == 0x82 { 0x82 } else { 0x8A }, 125][..], &[7; 125]].concat();
        for _ in 0..whole {
            assert_eq!(flooding.read(127), reply);
        }
    }
}

#[test]
fn r04_r06_h42_c13_resets_at_any_moment() {
    let server = Server::start(&[]);
    let request = REQUEST.as_bytes();
    let half = [request, &frame(0x82, b"half")[..8]].concat();
    let echoes = [request, &frame(0x82, &[7; 125]).repeat(1000)].concat();
    for said in [b"", &request[..20], request, &half, &echoes] {
        for _ in 0..50 {
            let mut peer = server.connect();
            peer.send(said);
            SockRef::from(&peer.0).set_linger(Some(Duration::ZERO)).expect("TCP");
        }
    }
    server.open().echo("alive");
    // A reset is seen when it arrives, and that may be after the echo.
    let until = Instant::now() + PATIENCE;
    while gauge(&server, "wsecho_connections_open") > 1.0 {
        assert!(Instant::now() < until, "a slot was not freed");
    }
    assert_eq!(gauge(&server, "wsecho_endings_total{ending=\"internal\"}"), 0.0);
}

#[test]
fn h32_h35_h40_plain_http_is_one_request() {
    let server = Server::start(&[]);
    let get = |path: &str| server.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    let page = get("/");
    let begins =
        if cfg!(feature = "pages") { "<!doctype html>" } else { "This is a WebSocket echo" };
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains(begins), "{page}");
    assert!(get("/healthz").ends_with("\r\n\r\nok\n"));
    for path in ["/", "/ws", "/echo", "/nowhere", "/healthz"] {
        let head = server.ask(&format!("HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let (fields, body) = head.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, "", "{path}");
        assert!(get(path).starts_with(fields), "{path}: GET's fields");
    }
    let refused = REQUEST.replace("Version: 13", "Version: 12");
    let answer = server.ask(&format!("{refused}GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let body = REQUEST.replace("Host: h", "Host: h\r\nContent-Length: 6");
    let answer = server.ask(&format!("{body}\u{1}\u{0}GET /healthz HTTP/1.1\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[cfg(feature = "rooms")]
#[test]
fn pages_come_packed_to_those_who_take_it() {
    let server = Server::start(&[]);
    for path in ["/", "/chat/den", "/draw"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n");
        let plain = server.ask(&format!("{request}Accept-Encoding: identity\r\n\r\n"));
        let (fields, page) = plain.split_once("\r\n\r\n").expect("a head");
        assert!(!fields.contains("Content-Encoding"), "{fields}");
        assert!(fields.contains(&format!("Content-Length: {}\r\n", page.len())), "{fields}");
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{path}");

        let mut peer = server.connect();
        peer.send(format!("{request}Accept-Encoding: gzip, br\r\n\r\n").as_bytes());
        let answer = peer.rest();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let (fields, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
        assert!(fields.contains("\r\nContent-Encoding: gzip\r\n"), "{fields}");
        assert!(fields.contains(&format!("Content-Length: {}\r\n", body.len())), "{fields}");
        // Another house's decoder checks the sum at the end, too.
        let mut unpacked = String::new();
        GzDecoder::new(body).read_to_string(&mut unpacked).expect("whole gzip of UTF-8");
        assert_eq!(unpacked, page, "{path}");
    }
}

#[test]
fn metrics_are_prometheus_text_and_true() {
    let server = Server::start(&[]);
    let mut peer = server.open();
    peer.echo("hello");
    peer.send(&frame(0x89, b""));
    peer.read(2);
    let answer = server.ask("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    let samples = parse_prometheus(text);
    let expected = [
        ("wsecho_opens_total", 1.0),
        // This client, and the one that asks.
        ("wsecho_connections_open", 2.0),
        ("wsecho_frames_received_total", 2.0),
        ("wsecho_messages_received_total", 1.0),
        ("wsecho_pings_received_total", 1.0),
        ("wsecho_endings_total{ending=\"closed\"}", 0.0),
        ("wsecho_buffered_bytes", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(name), Some(&value), "{name}");
    }
}

fn gauge(server: &Server, name: &str) -> f64 {
    let answer = server.ask("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let (_, text) = answer.split_once("\r\n\r\n").expect("a head");
    parse_prometheus(text)[name]
}

/// Reads the text format 0.0.4, strictly: HELP, TYPE and then the samples of one family at a
/// time, each sample once.
fn parse_prometheus(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line has its end");
    let mut samples = HashMap::new();
    let mut families: Vec<&str> = Vec::new();
    let mut typed = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("words");
            assert!(!words.is_empty() && !families.contains(&name), "{line}");
            families.push(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(families.last(), Some(&name), "HELP goes before TYPE");
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            typed = name;
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().expect("a name");
            assert_eq!(name, typed, "samples stand under their TYPE");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
            if let Some(label) = series.strip_prefix(name).filter(|rest| !rest.is_empty()) {
                let label = label.strip_prefix('{').and_then(|rest| rest.strip_suffix("\"}"));
                let (_, value) = label.and_then(|l| l.split_once("=\"")).expect("one label");
                assert!(!value.contains(['"', '\\', '\n']), "{line}");
            }
            let value: f64 = value.parse().expect("a number");
            assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    samples
}

/// Fault 10 of `tests/regressions.rs`: with few descriptors the reserve left one connection, and
/// nobody was told.
#[test]
fn few_descriptors_leave_some_connections() {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_wsecho");
    command.args(["-c", &format!("ulimit -n 64; exec {program} --listen 127.0.0.1:0")]);
    let server = Server::spawn(command);
    let open: Vec<Peer> = (0..16).map(|_| server.open()).collect();
    drop(open);
}
