//! What gets through where WebSocket does not: `POST /echo`, streams of events, polls.

#[path = "support/loopback.rs"]
mod loopback;

use std::time::Duration;

use loopback::{Client, World};
use wsecho::limits::{Config, MAIL_BYTES_MAX, MAILBOX_BYTES_MAX, MAILBOX_TIME_MAX, READ_BYTES_MAX};

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    World::new(Config::default())
}

/// Sends a request; the server is left to itself until it rests.
fn send(world: &mut World, request: &[u8]) -> Client {
    let client = world.connect(0);
    client.send(request);
    world.settle();
    client
}

/// The request with a `Host`, these fields and this body.
fn post(target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    [format!("POST {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n").as_bytes(), body].concat()
}

fn with_length(target: &str, body: &[u8]) -> Vec<u8> {
    post(target, &format!("Content-Length: {}\r\n", body.len()), body)
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

fn text(client: &Client) -> String {
    String::from_utf8(client.read()).expect("UTF-8")
}

/// Head and body of an answer.
fn parts(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    (String::from_utf8(answer[..end].to_vec()).expect("ASCII"), answer[end + 4..].to_vec())
}

/// The data of a chunked body, read by a decoder of its own; `None` where it breaks off.
fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&body[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        body = &body[end + 2..];
        data.extend_from_slice(body.get(..size)?);
        assert_eq!(body.get(size..size + 2)?, b"\r\n");
        body = &body[size + 2..];
        if size == 0 {
            assert!(body.is_empty(), "nothing is behind the end");
            return Some(data);
        }
    }
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

/// The server has answered, shut its side, and drops the socket when the client has done so.
fn ends(world: &mut World, client: &Client) {
    assert!(client.saw_fin(), "every answer is the last");
    client.finish();
    world.settle();
    assert!(client.saw_end());
}

#[test]
fn b15_a_body_comes_back_as_it_went() {
    for length in [0, 1, 5, 70_000, 3 * READ_BYTES_MAX + 7] {
        let mut world = world();
        let body = payload(length);
        let client = send(&mut world, &with_length("/echo", &body));
        let (head, echoed) = parts(&client.read());
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {length}\r\n")), "{head}");
        assert!(head.contains("\r\nContent-Type: application/octet-stream\r\n"), "{head}");
        assert!(head.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{head}");
        assert!(echoed == body, "{length} bytes");
        ends(&mut world, &client);
        world.server.check();
    }
}

#[test]
fn b09_it_is_sent_back_before_it_is_whole() {
    let mut world = world();
    let client = send(&mut world, &post("/echo", "Content-Length: 10\r\n", b"hello"));
    let (head, begun) = parts(&client.read());
    assert!(head.contains("Content-Length: 10\r\n"), "{head}");
    assert_eq!(begun, b"hello");
    client.send(b" you");
    world.settle();
    assert_eq!(client.read(), b" you");
    assert!(!client.saw_fin());
    client.send(b"!GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    world.settle();
    assert_eq!(client.read(), b"!", "what is behind the body is nobody's");
    ends(&mut world, &client);
}

#[test]
fn b06_b08_b12_a_chunked_body_comes_back_in_chunks() {
    let request = post(
        "/echo",
        "Transfer-Encoding: chunked\r\nContent-Type: text/plain;charset=utf-8\r\n",
        b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    );
    for step in [request.len(), 1, 2, 7] {
        let mut world = world();
        let client = world.connect(0);
        for piece in request.chunks(step) {
            client.offer(piece);
            world.settle();
        }
        let (head, body) = parts(&client.read());
        assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(unchunk(&body).as_deref(), Some(&b"hello world"[..]), "by {step}");
        ends(&mut world, &client);
        world.server.check();
    }
}

/// Every rule of RFC 9112 §6 has a row in `http/framing.rs`; this is what a client sees of it, and
/// that nothing behind a refused head is taken for a request.
#[test]
fn b01_b02_b03_b04_b09_what_could_be_smuggled_is_refused() {
    let cases = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "400"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "400"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "400"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "400"),
        ("Content-Length: 5, 5\r\n", "400"),
        ("Content-Length: +5\r\n", "400"),
        ("Content-Length: -1\r\n", "400"),
        ("Content-Length: 5 5\r\n", "400"),
        ("Content-Length: 18446744073709551616\r\n", "400"),
        ("Content-Length: 18446744073709551615\r\n", "413"),
        ("Content-Length : 5\r\n", "400"),
        (" Content-Length: 5\r\n", "400"),
        ("X: y\r\n Content-Length: 5\r\n", "400"),
        ("Content-Length: 5\nX: y\r\n", "400"),
        ("Content-Length: 5\rX: y\r\n", "400"),
        ("Transfer-Encoding: gzip, chunked\r\n", "501"),
        ("Transfer-Encoding: identity\r\n", "501"),
        ("Transfer-Encoding: chunked, gzip\r\n", "400"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "400"),
        ("Transfer-Encoding : chunked\r\n", "400"),
        ("Transfer-Encoding:\x0bchunked\r\n", "400"),
        ("Transfer-Encoding:\n chunked\r\n", "400"),
    ];
    let smuggled = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    for (fields, expected) in cases {
        let mut world = world();
        let client = send(&mut world, &post("/echo", fields, smuggled));
        let answer = text(&client);
        assert_eq!(status(&answer), expected, "{fields:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        ends(&mut world, &client);
    }
    let old = b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status(&text(&send(&mut world(), old))), "400");
}

#[test]
fn b05_b06_b07_b08_malformed_chunks_are_refused_and_later_ones_break_off() {
    let first_chunks: [&[u8]; 12] = [
        b"g\r\n",
        b"+1\r\nx\r\n0\r\n\r\n",
        b"0x1\r\nx\r\n0\r\n\r\n",
        b"-1\r\n",
        b"\r\n",
        b"1\nx\n0\n\n",
        b"1 \r\nx\r\n0\r\n\r\n",
        b"00000000000000001\r\nx\r\n0\r\n\r\n",
        b"1\r\nxy\r\n0\r\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\n\n",
    ];
    for body in first_chunks {
        let mut world = world();
        let client = send(&mut world, &post("/echo", "Transfer-Encoding: chunked\r\n", body));
        let answer = text(&client);
        assert_eq!(status(&answer), "400", "{}: {answer}", body.escape_ascii());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        ends(&mut world, &client);
        // The same behind data that has been sent back: the response is not ended in order.
        let mut world = self::world();
        let begun = b"3\r\nabc\r\n";
        let client = send(&mut world, &post("/echo", "Transfer-Encoding: chunked\r\n", begun));
        client.send(body);
        world.settle();
        let (head, sent) = parts(&client.read());
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(unchunk(&sent), None, "{}", body.escape_ascii());
        assert_eq!(sent, b"3\r\nabc\r\n");
        ends(&mut world, &client);
        world.server.check();
    }
}

#[test]
fn b11_a_client_that_waits_for_a_100_gets_one() {
    let mut world = world();
    let fields = "Expect: 100-continue\r\nContent-Length: 5\r\n";
    let client = send(&mut world, &post("/echo", fields, b""));
    assert_eq!(text(&client), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"hello");
    world.settle();
    assert!(text(&client).ends_with("\r\n\r\nhello"));
    ends(&mut world, &client);
    let client = send(&mut world, &post("/echo", fields, b"hello"));
    assert!(text(&client).starts_with("HTTP/1.1 200 "), "it has not waited");
    let none = post("/echo", "Expect: 100-continue\r\nContent-Length: 0\r\n", b"");
    assert!(text(&send(&mut world, &none)).starts_with("HTTP/1.1 200 "), "there is none");
    let long = post("/echo", "Expect: 100-continue\r\nContent-Length: 99999999999\r\n", b"");
    assert_eq!(status(&text(&send(&mut world, &long))), "413", "refused before it is sent");
    let old = b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(text(&send(&mut world, old)), "", "HTTP/1.0 knows none");
}

#[test]
fn b10_a_body_is_limited_like_a_message() {
    let config = Config { max_message_size: 10, ..Config::default() };
    let mut world = World::new(config);
    let client = send(&mut world, &with_length("/echo", &payload(11)));
    assert_eq!(status(&text(&client)), "413");
    let client = send(&mut world, &with_length("/echo", &payload(10)));
    assert_eq!(status(&String::from_utf8_lossy(&client.read())), "200");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let client = send(&mut world, &post("/echo", chunked, b"b\r\nhello"));
    assert_eq!(status(&text(&client)), "413");
    let client = send(&mut world, &post("/echo", chunked, b"a\r\n0123456789\r\n"));
    client.send(b"1\r\nx\r\n0\r\n\r\n");
    world.settle();
    let (_, sent) = parts(&client.read());
    assert_eq!(sent, b"a\r\n0123456789\r\n", "it breaks off");
    assert!(client.saw_fin());
}

/// As most clients do: they read nothing before all is sent.
#[test]
fn b14_a_body_is_sent_whole_before_any_of_it_is_read() {
    const LENGTH: usize = 4 << 20;
    let body = payload(LENGTH);
    let mut chunked = Vec::new();
    for piece in body.chunks(10_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let requests =
        [with_length("/echo", &body), post("/echo", "Transfer-Encoding: chunked\r\n", &chunked)];
    for (at, request) in requests.iter().enumerate() {
        let mut world = world();
        let client = world.connect_narrow(64 * 1024);
        let mut sent = 0;
        for _ in 0..100_000 {
            if sent == request.len() {
                break;
            }
            let taken = client.offer(&request[sent..]);
            sent += taken;
            world.settle();
            if taken == 0 {
                world.pass(SECOND);
            }
        }
        assert_eq!(sent, request.len(), "the server reads on");
        let mut answer = Vec::new();
        while !client.saw_fin() {
            answer.extend(client.read());
            world.settle();
        }
        answer.extend(client.read());
        let (_, echoed) = parts(&answer);
        let echoed = if at == 0 { Some(echoed) } else { unchunk(&echoed) };
        assert!(echoed == Some(body.clone()), "request {at}");
        client.finish();
        world.settle();
        world.server.check();
        assert_eq!(world.server.charged(), 0);
    }
}

#[test]
fn b13_a_body_that_stops_is_told_of_in_time() {
    let config = Config { stall_timeout: 5 * SECOND, ..Config::default() };
    for (body, expected) in [(&b""[..], "408"), (b"hello", "200")] {
        let mut world = World::new(config.clone());
        let client = send(&mut world, &post("/echo", "Content-Length: 10\r\n", body));
        world.pass(4 * SECOND);
        assert!(!client.saw_fin());
        world.pass(2 * SECOND);
        assert_eq!(status(&text(&client)), expected);
        assert!(client.saw_fin(), "the response is not whole, and ends");
        ends(&mut world, &client);
        world.server.check();
    }
}

#[test]
fn b14_who_does_not_read_the_echo_of_a_body_is_ended() {
    let config = Config { stall_timeout: 5 * SECOND, ..Config::default() };
    let mut world = World::new(config);
    let client = world.connect_narrow(16 * 1024);
    let request = with_length("/echo", &payload(100_000));
    let mut sent = 0;
    while sent < request.len() {
        sent += client.offer(&request[sent..]);
        world.settle();
        world.pass(SECOND / 2);
    }
    world.pass(7 * SECOND);
    assert!(client.saw_end());
    world.server.check();
    assert_eq!(world.server.charged(), 0);
}

/// Opens a stream; its private URL.
fn stream(world: &mut World) -> (Client, String) {
    let client = send(world, &get("/sse"));
    let (head, body) = parts(&client.read());
    assert!(head.contains("\r\nContent-Type: text/event-stream\r\n"), "{head}");
    let body = String::from_utf8(body).expect("text");
    let url = body.split_once("event: mailbox\ndata: ").expect("an event").1;
    let url = url.split_once('\n').expect("a line").0;
    assert_eq!(url.len(), "sse/".len() + 32, "{url}");
    (client, format!("/{url}"))
}

fn polled(world: &mut World) -> String {
    let client = send(world, &get("/poll"));
    let (_, body) = parts(&client.read());
    ends(world, &client);
    format!("/{}", String::from_utf8(body).expect("text").trim())
}

/// Sends a message to a private URL; the status of the answer.
fn mail(world: &mut World, url: &str, fields: &str, body: &[u8]) -> String {
    let fields = format!("{fields}Content-Length: {}\r\n", body.len());
    let client = send(world, &post(url, &fields, body));
    let answer = text(&client);
    ends(world, &client);
    status(&answer).to_owned()
}

const BYTES: &str = "Content-Type: application/octet-stream\r\n";

#[test]
fn messages_come_back_as_events() {
    let mut world = world();
    let (client, url) = stream(&mut world);
    assert_eq!(mail(&mut world, &url, "", b"hello"), "204");
    assert_eq!(text(&client), "d\r\ndata: hello\n\n\r\n");
    for body in [&b"a\nb"[..], b"", b"c\r"] {
        assert_eq!(mail(&mut world, &url, "", body), "204");
    }
    assert_eq!(mail(&mut world, &url, BYTES, &[0, 255]), "204");
    let events =
        "data: a\ndata: b\n\n|data: \n\n|event: text\ndata: Yw0=\n\n|event: binary\ndata: AP8=\n\n";
    let heard = text(&client);
    for event in events.split('|') {
        assert!(heard.contains(&format!("{:x}\r\n{event}\r\n", event.len())), "{heard:?}");
    }
    assert_eq!(mail(&mut world, &url, "", b"\xff"), "400", "not UTF-8");
    assert_eq!(text(&client), "");
    world.server.check();
    client.finish();
    world.settle();
    assert!(client.saw_end());
    assert_eq!(mail(&mut world, &url, "", b"late"), "404");
    world.server.check();
    assert_eq!(world.server.charged(), 0);
}

#[test]
fn b17_a_private_url_is_nobody_elses() {
    let mut world = world();
    let (first, url) = stream(&mut world);
    let (second, other) = stream(&mut world);
    assert_ne!(url, other);
    assert_eq!(mail(&mut world, &url, "", b"mine"), "204");
    assert!(text(&first).contains("mine"));
    assert_eq!(text(&second), "");
    let guesses = [
        format!("{url}0"),
        url.to_uppercase().replace("/SSE", "/sse"),
        url.replace("/sse/", "/poll/"),
        "/sse/".to_owned(),
        format!("{url}/"),
    ];
    for guess in guesses {
        assert_eq!(mail(&mut world, &guess, "", b"x"), "404", "{guess}");
    }
    assert_eq!(text(&first) + &text(&second), "");
    let polls = polled(&mut world);
    assert_eq!(mail(&mut world, &polls.replace("/poll/", "/sse/"), "", b"x"), "404");
}

#[test]
fn a_stream_of_http_1_0_has_no_chunks() {
    let mut world = world();
    let client = send(&mut world, b"GET /sse HTTP/1.0\r\n\r\n");
    let (head, body) = parts(&client.read());
    assert!(!head.contains("Transfer-Encoding"), "{head}");
    assert!(body.starts_with(b"event: mailbox\ndata: sse/"), "{}", body.escape_ascii());
}

#[test]
fn a_silent_stream_is_kept_alive() {
    let mut world = world();
    let (client, _) = stream(&mut world);
    world.pass(24 * SECOND);
    assert_eq!(text(&client), "");
    world.pass(2 * SECOND);
    let comment = "3\r\n:\n\n\r\n";
    assert_eq!(text(&client), comment);
    world.pass(260 * SECOND);
    let later = text(&client);
    assert_eq!(later, comment.repeat(later.len() / comment.len()));
    assert!((9..=10).contains(&(later.len() / comment.len())), "{later:?}");
    assert!(!client.saw_fin());
}

#[test]
fn a_message_has_its_own_limit() {
    let mut world = world();
    let (client, url) = stream(&mut world);
    let long = vec![b'x'; MAIL_BYTES_MAX + 1];
    assert_eq!(mail(&mut world, &url, "", &long), "413");
    assert_eq!(mail(&mut world, &url, "", &long[1..]), "204");
    client.read();
    let chunked = post(&url, "Transfer-Encoding: chunked\r\n", b"10001\r\n");
    assert_eq!(status(&text(&send(&mut world, &chunked))), "413");
    let chunked = post(&url, "Transfer-Encoding: chunked\r\n", b"2\r\nhi\r\n0\r\n\r\n");
    assert_eq!(status(&text(&send(&mut world, &chunked))), "204");
    assert!(text(&client).contains("data: hi\n"));
}

/// Who does not read gets a bounded number of messages, whose senders are told; then it ends.
#[test]
fn b16_a_slow_reader_of_a_stream_is_bounded_and_ended() {
    let config = Config { stall_timeout: 10 * SECOND, ..Config::default() };
    let mut world = World::new(config);
    let (client, url) = stream(&mut world);
    client.set_room(Some(0));
    let body = vec![b'x'; 10_000];
    let mut taken = 0;
    while mail(&mut world, &url, "", &body) == "204" {
        taken += 1;
        assert!(taken * body.len() <= 2 * MAILBOX_BYTES_MAX, "without a limit");
    }
    assert_eq!(mail(&mut world, &url, "", &body), "429");
    assert!(taken * body.len() >= MAILBOX_BYTES_MAX / 2, "{taken}");
    assert!(world.server.charged() <= 2 * MAILBOX_BYTES_MAX);
    client.set_room(Some(1 << 20));
    world.settle();
    assert_eq!(text(&client).matches("data: x").count(), taken, "none is lost");
    assert_eq!(mail(&mut world, &url, "", &body), "204", "there is room again");
    client.read();
    client.set_room(Some(0));
    assert_eq!(mail(&mut world, &url, "", &body), "204");
    world.pass(12 * SECOND);
    assert!(client.saw_end(), "it has taken nothing for too long");
    assert_eq!(mail(&mut world, &url, "", &body), "404");
    assert_eq!(world.server.charged(), 0);
    world.server.check();
}

#[test]
fn a_poll_waits_for_the_next_message() {
    let mut world = world();
    let url = polled(&mut world);
    let waiting = send(&mut world, &get(&url));
    assert_eq!(text(&waiting), "");
    assert_eq!(mail(&mut world, &url, "", b"first"), "204");
    let answer = text(&waiting);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nfirst"), "{answer}");
    assert!(answer.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{answer}");
    ends(&mut world, &waiting);
    // What comes between two polls waits.
    for body in [&b"second"[..], b"", &[0xFF, 0]] {
        assert_eq!(mail(&mut world, &url, BYTES, body), "204");
    }
    for body in [&b"second"[..], b"", &[0xFF, 0]] {
        let poll = send(&mut world, &get(&url));
        let (head, got) = parts(&poll.read());
        assert!(head.starts_with("HTTP/1.1 200 ") && got == body, "{head}");
        assert!(head.contains("\r\nContent-Type: application/octet-stream\r\n"), "{head}");
        ends(&mut world, &poll);
    }
    world.server.check();
}

#[test]
fn a_poll_in_vain_ends_with_204() {
    let mut world = world();
    let url = polled(&mut world);
    let poll = send(&mut world, &get(&url));
    world.pass(24 * SECOND);
    assert_eq!(text(&poll), "");
    world.pass(2 * SECOND);
    let answer = text(&poll);
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n") && !answer.contains("Content-Length"), "{answer}");
    ends(&mut world, &poll);
}

#[test]
fn the_newest_poll_reads() {
    let mut world = world();
    let url = polled(&mut world);
    let old = send(&mut world, &get(&url));
    let new = send(&mut world, &get(&url));
    assert_eq!(status(&text(&old)), "409");
    ends(&mut world, &old);
    assert_eq!(mail(&mut world, &url, "", b"hello"), "204");
    assert!(text(&new).ends_with("hello"));
    world.server.check();
}

#[test]
fn b18_a_mailbox_that_nobody_polls_ends() {
    let mut world = world();
    let url = polled(&mut world);
    world.pass(MAILBOX_TIME_MAX / 2);
    let poll = send(&mut world, &get(&url));
    poll.finish();
    world.settle();
    assert!(poll.saw_end(), "the peer has gone");
    world.pass(MAILBOX_TIME_MAX - SECOND);
    assert_eq!(mail(&mut world, &url, "", b"hello"), "204", "the time counts from the last poll");
    world.pass(3 * SECOND);
    assert_eq!(world.server.charged(), 0);
    assert_eq!(mail(&mut world, &url, "", b"hello"), "404");
    assert_eq!(status(&text(&send(&mut world, &get(&url)))), "404");
}

#[test]
fn a_drain_ends_each_in_its_way() {
    let config = Config { drain_delay: 10 * SECOND, ..Config::default() };
    let mut world = World::new(config);
    let (events, url) = stream(&mut world);
    let polls = polled(&mut world);
    let poll = send(&mut world, &get(&polls));
    let body = send(&mut world, &post("/echo", "Content-Length: 10\r\n", b"hello"));
    world.signal();
    world.settle();
    for request in [get("/sse"), get("/poll"), with_length("/echo", b"x")] {
        assert_eq!(status(&text(&send(&mut world, &request))), "503", "nothing begins");
    }
    assert_eq!(mail(&mut world, &url, "", b"still here"), "204", "what is open goes on");
    assert!(text(&events).contains("still here"));
    assert!(world.pass(10 * SECOND));
    assert_eq!(text(&events), "1f\r\nevent: close\ndata: going away\n\n\r\n0\r\n\r\n");
    assert_eq!(status(&text(&poll)), "503");
    ends(&mut world, &events);
    ends(&mut world, &poll);
    assert_eq!(mail(&mut world, &polls, "", b"late"), "503");
    assert!(!body.saw_fin());
    body.send(b" you.");
    body.finish();
    let done = !world.settle();
    assert!(text(&body).ends_with("hello you."), "a body is sent back to its end");
    assert!(done, "and then nobody is left");
    assert_eq!(world.server.charged(), 0);
}

#[test]
fn the_counters_tell_of_all() {
    let mut world = world();
    let (_events, url) = stream(&mut world);
    let polls = polled(&mut world);
    let _poll = send(&mut world, &get(&polls));
    let _body = send(&mut world, &post("/echo", "Content-Length: 10\r\n", b"hello"));
    mail(&mut world, &url, "", b"x");
    send(&mut world, &with_length("/echo", b"x"));
    let metrics = send(&mut world, &get("/metrics"));
    let shown = text(&metrics);
    for line in [
        "wsecho_open{purpose=\"body\"} 1",
        "wsecho_open{purpose=\"sse\"} 1",
        "wsecho_open{purpose=\"poll\"} 1",
        "wsecho_bodies_echoed_total 1",
        "wsecho_mailbox_messages_total 1",
        "wsecho_mailboxes 2",
        "wsecho_http_answers_total{status=\"204\"} 1",
    ] {
        assert!(shown.contains(&format!("\n{line}\n")), "{line} in {shown}");
    }
}

#[test]
fn switched_off_it_is_as_if_it_were_not_there() {
    let mut world = World::new(Config { fallback: false, ..Config::default() });
    for (request, expected) in [
        (with_length("/echo", b"x"), "405"),
        (get("/sse"), "404"),
        (get("/poll"), "404"),
        (with_length("/poll/x", b"x"), "405"),
    ] {
        assert_eq!(status(&text(&send(&mut world, &request))), expected);
    }
}
