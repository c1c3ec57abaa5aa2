//! Who may come and how much of it, in virtual time: rates of connections, lifetimes, addresses
//! that proxies name.

#[path = "support/loopback.rs"]
mod loopback;

use std::time::Duration;

use loopback::{Client, REQUEST, World, frame};
use wsecho::ending::Ending;
use wsecho::limits::{Config, SHED_CONNECTIONS_MAX};
use wsecho::peer::Network;
use wsecho::rate::Rate;

const SECOND: Duration = Duration::from_secs(1);

/// An echo of `hello`.
const ECHO: usize = 7;

fn open(world: &mut World) -> Client {
    let client = world.connect(0);
    client.send(REQUEST);
    world.settle();
    client.take(|answer| assert!(answer.starts_with(b"HTTP/1.1 101 ")));
    client
}

/// A client of a proxy, which speaks for `address`.
fn proxied(world: &mut World, address: &str) -> Client {
    let client = world.connect(0);
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    client.send(format!("PROXY {family} {address} {address} 1000 80\r\n").as_bytes());
    client.send(REQUEST);
    world.settle();
    client
}

fn status(client: &Client) -> String {
    client.take(|answer| String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned())
}

fn messages(count: usize) -> Vec<u8> {
    frame(0x81, b"hello").repeat(count)
}

#[test]
fn a04_messages_beyond_the_rate_wait_and_none_is_lost() {
    let message_rate = Some(Rate::per_second(10));
    let mut world = World::new(Config { message_rate, ..Config::default() });
    let (busy, quiet) = (open(&mut world), open(&mut world));
    busy.send(&messages(35));
    world.settle();
    assert_eq!(busy.read().len(), 10 * ECHO, "what a second has room for, at once");
    quiet.send(&messages(1));
    world.settle();
    assert_eq!(quiet.read().len(), ECHO, "the rate is each connection's own");
    world.pass(SECOND);
    assert_eq!(busy.read().len(), 10 * ECHO);
    world.pass(SECOND / 2);
    assert_eq!(busy.read().len(), 5 * ECHO);
    world.pass(SECOND);
    assert_eq!(busy.read().len(), 10 * ECHO, "all of them in the end");
    world.server.check();
}

#[test]
fn a04_bytes_beyond_the_rate_wait_and_none_is_lost() {
    let byte_rate = Some(Rate::per_second(10_000));
    let mut world = World::new(Config { byte_rate, ..Config::default() });
    let client = open(&mut world);
    let message = frame(0x82, &[7; 40_000]);
    client.send(&message);
    world.settle();
    let mut echoed = client.read().len();
    assert!((9_800..=10_000).contains(&echoed), "{echoed} of the first second");
    for _ in 0..2 {
        world.pass(SECOND);
        let more = client.read().len();
        assert!((5_000..=15_000).contains(&more), "{more} in a second");
        echoed += more;
    }
    world.pass(2 * SECOND);
    assert_eq!(echoed + client.read().len(), message.len() - 4);
}

/// However long it waits, the loop sleeps: a few turns for each time that something may be read.
#[test]
fn a04_who_waits_for_its_rate_does_not_spin() {
    let config = Config {
        message_rate: Some(Rate { count: 2, per: Duration::from_secs(60) }),
        ping_interval: Duration::from_secs(5),
        ping_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(5),
        ..Config::default()
    };
    let mut world = World::new(config);
    let client = open(&mut world);
    client.send(&messages(6));
    client.send(&frame(0x81, b"half")[..5]);
    world.settle();
    let before = world.server.metrics().turns;
    world.pass(Duration::from_secs(119));
    assert_eq!(client.read().len(), 5 * ECHO, "no ping among them, and no Close");
    let turns = world.server.metrics().turns - before;
    assert!(turns < 40, "{turns} turns in two minutes");
    assert_eq!(world.server.metrics().rate_waits, 4);
    assert_eq!(world.server.metrics().pings_sent, 0, "what it says is not heard");
}

/// More bytes raise more edges, and none of them lets more be read.
#[test]
fn a04_knocking_does_not_help() {
    let message_rate = Some(Rate::per_second(1));
    let mut world = World::new(Config { message_rate, ..Config::default() });
    let client = open(&mut world);
    for _ in 0..50 {
        client.send(&messages(1));
        world.settle();
        client.0.nudge();
        world.settle();
    }
    assert_eq!(client.read().len(), ECHO);
    assert_eq!(world.server.metrics().rate_waits, 1);
    client.reset();
    world.settle();
    assert!(client.saw_end(), "who has gone is not kept until its time comes");
    world.pass(60 * SECOND);
    world.server.check();
}

/// A message that is longer than all that may be read at once is read in steps of its own.
#[test]
fn a_long_message_is_one_message() {
    let message_rate = Some(Rate::per_second(2));
    let mut world = World::new(Config { message_rate, ..Config::default() });
    let client = open(&mut world);
    let long = frame(0x82, &vec![7; 500_000]);
    client.send(&long);
    client.send(&messages(2));
    world.settle();
    assert_eq!(client.read().len(), long.len() - 4 + ECHO);
    world.pass(SECOND / 2);
    assert_eq!(client.read().len(), ECHO);
}

#[test]
fn a_connection_that_has_lasted_long_enough_gets_1012() {
    let max_lifetime = Duration::from_secs(1000);
    let config = Config { max_lifetime, ping_interval: Duration::ZERO, ..Config::default() };
    let mut world = World::new(config);
    let clients: Vec<Client> = (0..20).map(|_| open(&mut world)).collect();
    world.pass(Duration::from_secs(899));
    assert!(clients.iter().all(|client| client.read().is_empty()), "nine tenths at least");
    world.pass(Duration::from_secs(50));
    let early = clients.iter().filter(|client| client.read() == b"\x88\x02\x03\xF4").count();
    assert!((1..20).contains(&early), "{early} of 20 in the first half of the rest");
    world.pass(Duration::from_secs(51));
    let late = clients.iter().filter(|client| client.read() == b"\x88\x02\x03\xF4").count();
    assert!(early + late == 20, "{early} and {late} of 20");
    // Who has not answered has been waited for long enough.
    world.pass(Duration::from_secs(10));
    assert_eq!(world.server.metrics().endings[Ending::Expired as usize], 20);
    world.server.check();
}

/// The Close of a life that is over stands behind the frame that is being echoed.
#[test]
fn a_life_does_not_end_within_a_frame() {
    let config = Config { max_lifetime: Duration::from_secs(10), ..Config::default() };
    let mut world = World::new(config);
    let client = open(&mut world);
    world.pass(Duration::from_millis(8900));
    let message = frame(0x82, &[7; 1000]);
    client.send(&message[..500]);
    world.settle();
    world.pass(Duration::from_millis(1200));
    client.send(&message[500..]);
    world.settle();
    let heard = client.read();
    assert_eq!(heard.len(), message.len() - 4 + 4);
    assert!(heard.ends_with(b"\x88\x02\x03\xF4"));
    client.send(&frame(0x88, b"\x03\xF4"));
    world.settle();
    assert!(client.saw_fin());
    client.finish();
    world.settle();
    assert_eq!(world.server.metrics().endings[Ending::Expired as usize], 1);
}

#[test]
fn an_address_behind_a_proxy_has_so_many_connections() {
    let config =
        Config { max_connections_per_ip: Some(2), proxied: vec![true], ..Config::default() };
    let mut world = World::new(config);
    let first = proxied(&mut world, "2001:db8:0:1::1");
    let second = proxied(&mut world, "2001:db8:0:1:9::2");
    let third = proxied(&mut world, "2001:db8:0:1::1");
    let other = proxied(&mut world, "2001:db8:0:2::1");
    let statuses = [&first, &second, &third, &other].map(status);
    let [open, refused] = ["HTTP/1.1 101", "HTTP/1.1 429"];
    assert_eq!(statuses, [open, open, refused, open]);
    assert_eq!(world.server.metrics().address_connections_refused, 1);
    second.reset();
    world.settle();
    assert_eq!(status(&proxied(&mut world, "2001:db8:0:1::7")), open, "there is room again");
    world.server.check();
}

/// Each refused one costs nobody a place, and the table of addresses forgets who has gone.
#[test]
fn a02_who_is_turned_away_takes_nobodys_place() {
    let config =
        Config { max_connections_per_ip: Some(1), max_connections: 2, ..Config::default() };
    let mut world = World::new(config);
    let first = open(&mut world);
    let crowd: Vec<Client> = (0..100).map(|_| world.connect(0)).collect();
    world.settle();
    assert!(crowd.iter().all(|client| status(client) == "HTTP/1.1 429"), "each of them is told");
    assert_eq!(world.server.metrics().address_connections_refused, 100);
    assert_eq!(world.server.metrics().shed, 0, "there is room for another address");
    first.reset();
    world.settle();
    open(&mut world);
    world.pass(Duration::from_secs(60));
    world.server.check();
}

/// Those who are told so in order, and linger, are few, whatever they are turned away for: each
/// has a descriptor.
#[test]
fn a02_few_of_those_who_are_turned_away_linger() {
    let config =
        Config { max_connections_per_ip: Some(1), max_connections: 1000, ..Config::default() };
    let mut world = World::new(config);
    let _first = open(&mut world);
    let crowd: Vec<Client> = (0..500).map(|_| world.connect(0)).collect();
    world.settle();
    assert!(crowd.iter().all(|client| status(client) == "HTTP/1.1 429"), "each of them is told");
    assert_eq!(world.server.metrics().connections_open, 1 + SHED_CONNECTIONS_MAX as u64);
    world.server.check();
}

#[test]
fn a02_an_address_connects_so_often() {
    let handshake_rate = Some(Rate::per_second(3));
    let mut world = World::new(Config { handshake_rate, ..Config::default() });
    let clients: Vec<Client> = (0..5).map(|_| world.connect(0)).collect();
    clients[..3].iter().for_each(|client| client.send(REQUEST));
    world.settle();
    let statuses: Vec<String> = clients.iter().map(status).collect();
    assert_eq!(statuses[..3], ["HTTP/1.1 101"; 3]);
    assert_eq!(statuses[3..], ["HTTP/1.1 429"; 2]);
    assert_eq!(world.server.metrics().address_rate_refused, 2);
    world.pass(SECOND);
    open(&mut world);
}

/// A header that comes byte by byte has the time of the handshake and no more.
#[test]
fn o07_a_header_that_dribbles_is_given_up() {
    let config = Config { proxied: vec![true], ..Config::default() };
    let mut world = World::new(config);
    let client = world.connect(0);
    for byte in b"PROXY UNKN" {
        client.send(&[*byte]);
        world.pass(SECOND / 2);
    }
    assert!(client.read().is_empty());
    world.pass(6 * SECOND);
    assert_eq!(status(&client), "HTTP/1.1 408");
    world.pass(10 * SECOND);
    assert!(client.saw_end());
    assert_eq!(world.server.metrics().endings[Ending::Handshake as usize], 1);
    assert_eq!(world.server.charged(), 0);
    world.server.check();
}

/// Header, request and frames cut anywhere.
#[test]
fn o07_a_header_is_understood_however_it_is_cut() {
    let text = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n".to_vec();
    let binary =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0F\xC0\0\x02\x01\xC0\0\x02\x02\x03\xE8\0\x50\x04\0\0";
    for header in [text, binary.to_vec()] {
        let said = [&header[..], b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        for at in 1..said.len() {
            let mut world = World::new(Config { proxied: vec![true], ..Config::default() });
            let client = world.connect(0);
            client.send(&said[..at]);
            world.settle();
            client.send(&said[at..]);
            world.settle();
            let answer = String::from_utf8(client.read()).expect("text");
            assert!(answer.contains("{\"peer\":\"192.0.2.1:1000\","), "cut at {at}: {answer}");
            world.server.check();
        }
        let mut world = World::new(Config { proxied: vec![true], ..Config::default() });
        let client = world.connect(0);
        client.send(&[&header[..], REQUEST, &messages(2)].concat());
        world.settle();
        assert!(client.read().ends_with(b"\x81\x05hello\x81\x05hello"), "all in one");
    }
}

#[test]
fn a_trusted_proxy_names_its_client_in_the_request() {
    let trust_proxy = vec!["127.0.0.0/8".parse::<Network>().expect("a network")];
    let config = Config { trust_proxy, max_connections_per_ip: Some(1), ..Config::default() };
    let mut world = World::new(config);
    let mut ask = |field: &str| {
        let client = world.connect(0);
        let request = String::from_utf8(REQUEST.to_vec()).expect("text");
        client.send(request.replace("Host: h\r\n", &format!("Host: h\r\n{field}")).as_bytes());
        world.settle();
        (status(&client), client)
    };
    let (first, _one) = ask("X-Forwarded-For: 192.0.2.9, 192.0.2.1\r\n");
    let (again, _) = ask("X-Forwarded-For: 192.0.2.8, 192.0.2.1\r\n");
    let (other, _two) = ask("X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n");
    let (itself, _three) = ask("");
    let (deceiver, _) = ask("Forwarded: for=192.0.2.7\r\nX-Forwarded-For: 192.0.2.1\r\n");
    let statuses = [first, again, other, itself, deceiver].map(|status| status[9..].to_owned());
    assert_eq!(statuses, ["101", "429", "101", "101", "400"]);
}

/// A body counts for the rate of bytes as messages do, and not for that of messages.
#[test]
fn a04_a_body_is_read_no_faster_than_its_rate() {
    let byte_rate = Some(Rate::per_second(10_000));
    let message_rate = Some(Rate::per_second(1));
    let mut world = World::new(Config { byte_rate, message_rate, ..Config::default() });
    let client = world.connect(0);
    client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n");
    client.send(&[7; 40_000]);
    world.settle();
    let begun = client.read().len();
    assert!((8_000..=12_000).contains(&begun), "{begun} of the first second");
    world.pass(5 * SECOND);
    let rest = client.read();
    assert!(begun + rest.len() > 40_000 && rest.ends_with(&[7; 1000]), "none is lost");
    world.server.check();
}

/// Who polls when the life of its connection is over is told to come again.
#[test]
fn a_poll_at_the_end_of_a_life_has_an_answer() {
    let max_lifetime = Duration::from_secs(15);
    let mut world = World::new(Config { max_lifetime, ..Config::default() });
    let named = world.connect(0);
    named.send(b"GET /poll HTTP/1.1\r\nHost: a\r\n\r\n");
    world.settle();
    let answer = String::from_utf8(named.read()).expect("text");
    let url = answer.rsplit("\r\n").next().expect("a body").trim_end();
    let poll = world.connect(0);
    poll.send(format!("GET /{url} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    world.pass(20 * SECOND);
    assert_eq!(status(&poll), "HTTP/1.1 204");
    assert!(poll.saw_fin(), "in order");
    poll.finish();
    world.settle();
    assert_eq!(world.server.metrics().endings[Ending::Expired as usize], 1);
    world.server.check();
}

/// Neither a stream nor a body that never ends outlasts the longest life.
#[test]
fn streams_and_bodies_do_not_outlast_a_life() {
    let max_lifetime = Duration::from_secs(1000);
    let mut world = World::new(Config { max_lifetime, ..Config::default() });
    let (stream, body) = (world.connect(0), world.connect(0));
    stream.send(b"GET /sse HTTP/1.1\r\nHost: a\r\n\r\n");
    body.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n");
    for _ in 0..201 {
        world.settle();
        body.send(b"x");
        world.pass(5 * SECOND);
    }
    let told = stream.read();
    assert!(told.ends_with(b"0\r\n\r\n"), "the last chunk: {}", told.escape_ascii());
    assert_eq!(world.server.metrics().endings[Ending::Expired as usize], 2);
    world.server.check();
}
