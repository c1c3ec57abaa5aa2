//! Services and behaviours on the loop: delivery, slow recipients, shares, ends, and time.
#![cfg(feature = "rooms")]

#[path = "support/loopback.rs"]
mod loopback;

use std::time::Duration;

use allocation_counter::measure;
use loopback::{Client, World, frame};
use serde_json::{Value, json};
use wsecho::ending::Ending;
use wsecho::limits::{
    Config, MEMBER_BYTES, MEMBER_QUEUE_BYTES_MAX, RoomHistory, SCRIPT_BYTES_SOFT,
};

fn join(world: &mut World, target: &str) -> Client {
    let client = world.connect(0);
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    client.send(request.as_bytes());
    world.settle();
    client
}

/// What has arrived behind the 101, if that is still there.
fn heard(client: &Client) -> Vec<u8> {
    client.take(|bytes| match bytes.windows(4).position(|part| part == b"\r\n\r\n") {
        Some(end) if bytes.starts_with(b"HTTP/1.1 101 ") => bytes[end + 4..].to_vec(),
        _ => bytes.to_vec(),
    })
}

fn text(client: &Client) -> String {
    String::from_utf8_lossy(&heard(client)).into_owned()
}

fn endings(world: &World, ending: Ending) -> u64 {
    world.server.metrics().endings[ending as usize]
}

#[test]
fn a_chat_hears_who_comes_speaks_and_goes() {
    let mut world = World::new(Config::default());
    let ann = join(&mut world, "/chat/den");
    assert!(text(&ann).contains("Welcome! 1 user(s) online"));
    let bob = join(&mut world, "/chat/den");
    let eve = join(&mut world, "/chat/other");
    assert!(text(&ann).contains("Anonymous joined, 2 user(s) online"));
    bob.send(&frame(0x81, br#"{"username":"Bob","message":"hi"}"#));
    world.settle();
    for client in [&ann, &bob] {
        assert!(text(client).contains(r#""username":"Bob","message":"hi""#));
    }
    bob.reset();
    world.settle();
    assert!(text(&ann).contains("Anonymous left, 1 user(s) online"));
    assert!(!text(&eve).contains("hi"), "another room");
    world.server.check();
    assert_eq!((endings(&world, Ending::Io), endings(&world, Ending::Internal)), (1, 0));
}

/// Issue 8, 7: a crowd that ends in one turn made an effect for each two of its members.
#[test]
fn a_crowd_that_ends_at_once_is_told_of_once() {
    let mut world = World::new(Config { max_connections: 2000, ..Config::default() });
    let crowd: Vec<Client> = (0..1000).map(|_| join(&mut world, "/chat/den")).collect();
    let stays = join(&mut world, "/chat/den");
    world.pass(Duration::from_secs(1));
    crowd.iter().chain([&stays]).for_each(|client| drop(heard(client)));
    crowd.iter().for_each(Client::reset);
    world.settle();
    world.pass(Duration::from_secs(1));
    let told = text(&stays);
    assert_eq!(told.matches("left").count(), 1, "{told}");
    assert!(told.contains("Anonymous and 999 others left, 1 user(s) online"));
    world.server.check();
}

/// A crowd that reconnects one by one is not announced to all, one by one.
#[test]
fn news_of_a_room_waits_for_its_time_and_is_told_without_any_event() {
    let mut world = World::new(Config::default());
    let first = join(&mut world, "/chat/den");
    let crowd: Vec<Client> = (0..100).map(|_| join(&mut world, "/chat/den")).collect();
    let told = text(&first);
    assert_eq!(told.matches("joined").count(), 10);
    assert!(!told.contains("101 user(s)"));
    world.pass(Duration::from_secs(10));
    let told = text(&first);
    assert!(told.contains("Anonymous and 89 others joined, 101 user(s) online"), "{told}");
    assert!(told.contains(r#""time":"1970-01-01T00:00:00.200Z""#), "the loop woke for it: {told}");
    assert_eq!(crowd.len(), 100);
    world.server.check();
}

/// R01 in a room: who does not read is ended, and nobody else notices.
#[test]
fn a_slow_recipient_is_ended_and_the_others_hear_everything() {
    let mut world = World::new(Config::default());
    let [speaker, quick, slow] = [0, 1, 2].map(|_| join(&mut world, "/broadcast/den"));
    heard(&quick);
    slow.set_room(Some(0));
    let message = vec![7; 60_000];
    let count = MEMBER_QUEUE_BYTES_MAX / message.len() + 2;
    for _ in 0..count {
        speaker.send(&frame(0x82, &message));
        world.settle();
        world.server.check();
        assert_eq!(heard(&quick).len(), 4 + message.len());
    }
    assert_eq!(endings(&world, Ending::Slow), 1);
    assert!(slow.saw_end() && !quick.saw_end());
    let kept = world.server.metrics().buffered_bytes;
    let most = 2 * (MEMBER_BYTES as u64 + 32);
    assert!(kept <= most, "{kept} bytes are more than two memberships");
}

/// With `--coalesce` what comes within the time leaves in one write, and who is driven for anything
/// else gets it sooner.
#[test]
fn messages_wait_for_each_other_as_long_as_they_may() {
    let coalesce = Duration::from_millis(20);
    let mut world = World::new(Config { coalesce, ..Config::default() });
    let [speaker, listener, talker, leaver] = [0; 4].map(|_| join(&mut world, "/broadcast/den"));
    [&listener, &talker, &leaver].iter().for_each(|client| drop(heard(client)));
    let writes = |client: &Client| client.calls().1;
    writes(&listener);
    let say = |world: &mut World, text: &[u8]| {
        speaker.send(&frame(0x81, text));
        world.settle();
        world.server.check();
    };
    say(&mut world, b"one");
    let alone = world.server.metrics().buffered_bytes;
    world.pass(Duration::from_millis(19));
    say(&mut world, b"two");
    assert!(world.server.metrics().buffered_bytes > alone, "what waits is charged");
    assert_eq!([&listener, &talker, &leaver].map(|client| heard(client).len()), [0; 3]);
    talker.send(&frame(0x89, b""));
    leaver.send(&frame(0x88, &1000u16.to_be_bytes()));
    world.settle();
    let both = b"\x81\x03one\x81\x03two";
    assert_eq!(heard(&talker), [&both[..], b"\x8a\0"].concat());
    assert_eq!(heard(&leaver), [&both[..], b"\x88\x02\x03\xe8"].concat(), "behind them");
    assert_eq!(heard(&listener), b"");
    world.pass(Duration::from_millis(1));
    assert_eq!((heard(&listener), writes(&listener)), (both.to_vec(), 1), "in one write");
    // What comes afterwards has its own time, and a drain does not wait for it.
    say(&mut world, b"end");
    world.signal();
    world.settle();
    assert_eq!(heard(&listener), b"\x81\x03end\x88\x02\x03\xe9");
    world.server.check();
}

/// Who is held and does not read is ended like anybody else, and nothing is kept for it.
#[test]
fn who_is_held_keeps_to_the_limits() {
    let coalesce = Duration::from_millis(100);
    let mut world = World::new(Config { coalesce, ..Config::default() });
    let [speaker, quick, slow] = [0, 1, 2].map(|_| join(&mut world, "/broadcast/den"));
    heard(&quick);
    slow.set_room(Some(0));
    let message = vec![7; 60_000];
    let count = MEMBER_QUEUE_BYTES_MAX / message.len() + 2;
    let mut bytes = 0;
    for _ in 0..count {
        speaker.send(&frame(0x82, &message));
        world.settle();
        world.server.check();
        bytes += heard(&quick).len();
        assert!(world.server.metrics().buffered_bytes < 2 * MEMBER_QUEUE_BYTES_MAX as u64);
    }
    assert_eq!(endings(&world, Ending::Slow), 1);
    world.pass(coalesce);
    assert_eq!(bytes + heard(&quick).len(), count * (4 + message.len()));
}

/// One segment with thousands of messages for hundreds of members: all arrive, in order, and the
/// loop comes up for air in between.
#[test]
fn a_burst_to_a_crowd_is_handed_out_in_shares() {
    const MEMBERS: usize = 300;
    const MESSAGES: u32 = 2000;
    let mut world = World::new(Config { max_connections: 1000, ..Config::default() });
    let speaker = join(&mut world, "/broadcast/den");
    let crowd: Vec<Client> = (0..MEMBERS)
        .map(|_| join(&mut world, "/broadcast/den"))
        .inspect(|c| drop(heard(c)))
        .collect();
    let turns = world.server.metrics().turns;
    speaker.send(&(0..MESSAGES).flat_map(|at| frame(0x82, &at.to_be_bytes())).collect::<Vec<_>>());
    world.settle();
    world.server.check();
    let expected: Vec<u8> =
        (0..MESSAGES).flat_map(|at| [&[0x82, 4][..], &at.to_be_bytes()].concat()).collect();
    for client in &crowd {
        assert!(heard(client) == expected);
    }
    assert!(world.server.metrics().turns - turns > 100, "not all in one turn");
}

#[test]
fn a_message_above_the_service_s_limit_is_refused() {
    for (path, limit) in [("/chat", 16 * 1024), ("/broadcast/den", 64 * 1024)] {
        let mut world = World::new(Config::default());
        let client = join(&mut world, path);
        heard(&client);
        client.send(&frame(0x81, &vec![b'x'; limit]));
        world.settle();
        assert!(!heard(&client).ends_with(b"too large"), "{path} takes {limit}");
        client.send(&frame(0x81, &vec![b'x'; limit + 1]));
        world.settle();
        let answer = heard(&client);
        assert!(answer.starts_with(&[0x88]) && answer[2..4] == 1009_u16.to_be_bytes(), "{path}");
    }
}

#[test]
fn faults_and_control_frames_are_answered_as_on_an_echo() {
    let mut world = World::new(Config::default());
    let other = join(&mut world, "/broadcast/den");
    heard(&other);
    let cases: [(&[u8], &[u8]); 4] = [
        (&frame(0x89, b"ping"), b"\x8A\x04ping"),
        (&frame(0x81, b"\xFF"), b"\x88"),
        (&frame(0xC1, b"x"), b"\x88"),
        (&frame(0x88, &1000_u16.to_be_bytes()), b"\x88\x02\x03\xE8"),
    ];
    for (sent, expected) in cases {
        for step in [1, sent.len()] {
            let client = join(&mut world, "/broadcast/den");
            heard(&client);
            sent.chunks(step).for_each(|piece| {
                client.send(piece);
                world.settle();
            });
            assert!(heard(&client).starts_with(expected), "{sent:02x?}");
            world.server.check();
        }
    }
    assert_eq!(heard(&other), b"", "none of it was a message");
}

/// The frames of `/status` that have come.
fn told(client: &Client) -> Vec<Value> {
    let mut bytes = &heard(client)[..];
    let mut frames = Vec::new();
    while let [0x81, 126, high, low, rest @ ..] = bytes {
        let (frame, behind) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        frames.push(serde_json::from_slice(frame).expect("JSON"));
        bytes = behind;
    }
    assert!(bytes.is_empty(), "whole frames");
    frames
}

#[test]
fn status_is_told_once_a_second_and_only_while_somebody_looks() {
    let mut world = World::new(Config::default());
    let echo = join(&mut world, "/");
    let chat = join(&mut world, "/chat/den");
    let slow = join(&mut world, "/?delay=1");
    let looker = join(&mut world, "/status");
    let first = told(&looker);
    let [frame] = &first[..] else { panic!("one at once: {first:?}") };
    let counts = [("open", 4), ("echo", 1), ("chat", 1), ("behaviour", 1), ("status", 1)];
    for (kind, count) in counts {
        assert_eq!(frame["connections"][kind], count, "{kind}");
    }
    assert_eq!((&frame["rooms"]["chat"], &frame["per_second"]), (&json!(1), &Value::Null));
    (0..30).for_each(|_| echo.send(&frame_of(b"hello")));
    world.pass(Duration::from_millis(1000));
    let [second] = &told(&looker)[..] else { panic!("one a second") };
    assert_eq!(second["per_second"]["messages"], 30);
    assert_eq!(second["totals"]["messages"], 30);
    let other = join(&mut world, "/status");
    let [same] = &told(&other)[..] else { panic!("what there is") };
    assert_eq!(same, second, "and no frame of its own");
    echo.reset();
    world.settle();
    world.pass(Duration::from_secs(3));
    for client in [&looker, &other] {
        let frames = told(client);
        assert_eq!(frames.len(), 3);
        let last = &frames[2];
        assert_eq!((&last["endings"]["io"], &last["connections"]["echo"]), (&json!(1), &json!(0)));
        assert_eq!(last["connections"]["status"], 2);
    }
    [&looker, &other].into_iter().for_each(Client::reset);
    world.settle();
    let turns = world.server.metrics().turns;
    world.pass(Duration::from_secs(10));
    assert!(world.server.metrics().turns - turns < 10, "nobody looks, and the loop sleeps");
    assert_eq!((chat.saw_end(), slow.saw_end()), (false, false));
    world.server.check();
}

#[test]
fn who_looks_and_does_not_read_is_ended_as_any_member() {
    let mut world = World::new(Config { ping_interval: Duration::ZERO, ..Config::default() });
    let [deaf, quick] = [0, 1].map(|_| join(&mut world, "/status"));
    heard(&deaf);
    deaf.set_room(Some(0));
    let mut seconds = 0;
    while !deaf.saw_end() {
        world.pass(Duration::from_secs(1));
        assert_eq!(told(&quick).len(), 1 + usize::from(seconds == 0));
        world.server.check();
        seconds += 1;
        assert!(seconds < 600, "it is never ended");
    }
    assert_eq!(endings(&world, Ending::Slow), 1);
    assert!(!quick.saw_end());
}

#[test]
fn status_can_be_turned_off() {
    let mut world = World::new(Config { status: false, ..Config::default() });
    let client = join(&mut world, "/status");
    client.send(&frame(0x81, b"an echo like on any other path"));
    world.settle();
    assert!(text(&client).ends_with("an echo like on any other path"));
    let plain = world.connect(0);
    plain.send(b"GET /status HTTP/1.1\r\nHost: h\r\n\r\n");
    world.settle();
    assert!(text(&plain).starts_with("HTTP/1.1 404 "));
    assert!(text(&join(&mut world, "/draw")).contains("history"), "others keep their places");
}

/// `docs/protocols.md` shows a frame: it has the fields that a frame has, in their order.
#[test]
fn the_documented_frame_of_status_is_one() {
    let page = include_str!("../docs/protocols.md");
    let example = page.split("```status\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut world = World::new(Config::default());
    let looker = join(&mut world, "/status");
    let heard = heard(&looker);
    let start = heard.iter().position(|byte| *byte == b'{').expect("a frame");
    let frame = String::from_utf8_lossy(&heard[start..]).into_owned();
    // What may be missing is there in the example.
    let known = frame.replace("\"refusals\":{}", "\"refusals\":{\"404\":1}");
    let known = known.replace("null", &rates());
    assert_eq!(names(example.expect("an example")), names(&known));
}

fn rates() -> String {
    let names = ["messages", "received_bytes", "sent_bytes", "loop_turns"];
    format!("{{{}}}", names.map(|name| format!("\"{name}\":0")).join(","))
}

/// The names of all fields, in the order in which they stand.
fn names(json: &str) -> Vec<&str> {
    let parts: Vec<&str> = json.split('"').collect();
    let names = parts.windows(2).filter(|pair| pair[1].trim_start().starts_with(':'));
    names.map(|pair| pair[0]).collect()
}

fn frame_of(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

#[test]
fn a_drain_says_goodbye_to_rooms_and_behaviours() {
    let mut world = World::new(Config::default());
    let clients: Vec<Client> = ["/chat", "/broadcast/a", "/draw", "/?delay=60000", "/?ping=1000"]
        .iter()
        .map(|target| join(&mut world, target))
        .collect();
    clients[3].send(&frame(0x81, b"late"));
    world.settle();
    clients.iter().for_each(|client| drop(heard(client)));
    world.signal();
    world.settle();
    for client in &clients {
        assert_eq!(heard(client), [0x88, 2, 0x03, 0xE9]);
        client.send(&frame(0x88, &1001_u16.to_be_bytes()));
        client.finish();
    }
    assert!(!world.settle(), "the server is done");
    assert_eq!(endings(&world, Ending::Shutdown), 5);
}

#[test]
fn a_delayed_reply_comes_when_it_is_due_and_not_before() {
    let mut world = World::new(Config::default());
    let client = join(&mut world, "/?delay=250&welcome=Hi");
    assert_eq!(heard(&client), b"\x81\x02Hi");
    client.send(&frame(0x81, b"one"));
    world.settle();
    world.pass(Duration::from_millis(249));
    assert_eq!(heard(&client), b"");
    world.pass(Duration::from_millis(1));
    assert_eq!(heard(&client), b"\x81\x03one");
}

/// A peer that sends more than its behaviour lets out is not read any further.
#[test]
fn a_slow_behaviour_is_backpressure() {
    let mut world = World::new(Config::default());
    let client = join(&mut world, "/?rate=1000000");
    heard(&client);
    let message = frame(0x82, &[7; 1000]);
    let all = message.repeat(2000);
    client.send(&all);
    world.settle();
    let received = world.server.metrics().bytes_received;
    assert!(received < (4 * SCRIPT_BYTES_SOFT + 300_000) as u64, "{received} bytes were read");
    let mut back = heard(&client).len();
    for _ in 0..40 {
        world.pass(Duration::from_millis(100));
        world.server.check();
        back += heard(&client).len();
    }
    assert_eq!(back, all.len() - 2000 * 4);
}

#[test]
fn connections_end_as_their_behaviour_says() {
    let mut world = World::new(Config::default());
    let close = join(&mut world, "/?close=4001&reason=why&after=1");
    let fin = join(&mut world, "/?drop=fin&at=100");
    let refused = join(&mut world, "/?refuse=503");
    let wrong = join(&mut world, "/?delay=never");
    assert!(refused.take(|answer| answer.starts_with(b"HTTP/1.1 503 ")));
    assert!(wrong.take(|answer| answer.starts_with(b"HTTP/1.1 400 ")));
    close.send(&frame(0x81, b"bye"));
    world.settle();
    assert_eq!(heard(&close), b"\x81\x03bye\x88\x05\x0F\xA1why");
    heard(&fin);
    world.pass(Duration::from_millis(100));
    assert_eq!((heard(&fin), fin.saw_fin()), (vec![], true));
    let exact = Config { exact: true, ..Config::default() };
    let mut world = World::new(exact);
    let client = join(&mut world, "/?welcome=Hi&delay=1000");
    client.send(&frame(0x81, b"one"));
    world.settle();
    assert_eq!(heard(&client), b"\x81\x03one");
}

/// Who is not read, because what it has said waits for its time, cannot answer a ping.
#[test]
fn a_behaviour_that_rests_is_not_pinged_to_death() {
    let mut world = World::new(Config::default());
    let client = join(&mut world, "/?delay=200000");
    heard(&client);
    let message = frame(0x82, &[7; 60_000]);
    client.send(&message.repeat(2));
    world.settle();
    world.pass(Duration::from_secs(199));
    assert_eq!(heard(&client), b"", "not even a ping");
    world.pass(Duration::from_secs(1));
    assert_eq!(heard(&client).len(), 2 * (4 + 60_000));
    client.send(&frame(0x89, b"?"));
    world.settle();
    assert_eq!(heard(&client), b"\x8A\x01?");
}

/// What talks keep counts against the buffer budget: halves of messages, and replies for later.
#[test]
fn r01_talks_keep_no_more_than_the_budget() {
    let half = &frame(0x82, &[7; 60_000])[..59_000];
    let whole = frame(0x82, &[7; 59_000]);
    for (target, bytes) in [("/broadcast/den", half), ("/?delay=60000", &whole)] {
        let mut world = World::new(Config { buffer_budget: 800_000, ..Config::default() });
        let talks: Vec<Client> = (0..8).map(|_| join(&mut world, target)).collect();
        for client in &talks {
            heard(client);
            client.send(bytes);
            world.settle();
            world.server.check();
        }
        let fates: Vec<Vec<u8>> = talks.iter().map(heard).collect();
        let kept = fates.iter().filter(|fate| fate.is_empty()).count();
        assert_eq!(kept, 2, "{target}: each keeps as much as it leaves free of a quarter");
        let refused = |fate: &&Vec<u8>| fate.ends_with(b"\x03\xF5no room to keep it");
        assert_eq!(fates.iter().filter(refused).count(), 6, "{target}");
        // Who needs nothing kept goes on.
        let echo = join(&mut world, "/");
        heard(&echo);
        echo.send(&frame(0x81, b"hello"));
        world.settle();
        assert_eq!(heard(&echo), b"\x81\x05hello");
        talks.iter().for_each(Client::reset);
        world.settle();
        world.server.check();
        assert_eq!(world.server.metrics().buffered_bytes, 0, "{target}");
    }
}

/// The operator's limits hold in rooms too, where they are the lower ones.
#[test]
fn rooms_keep_to_the_limits_of_the_server() {
    let config = Config { max_message_size: 1000, max_fragments: 4, ..Config::default() };
    let mut world = World::new(config);
    let other = join(&mut world, "/broadcast/den");
    heard(&other);
    let fragments = [frame(0x02, b"a"), frame(0x00, b"b").repeat(3), frame(0x80, b"c")].concat();
    for (wrong, code) in [(frame(0x82, &[7; 1001]), 1009_u16), (fragments, 1008)] {
        let client = join(&mut world, "/broadcast/den");
        heard(&client);
        client.send(&frame(0x82, &[7; 1000]));
        client.send(&wrong);
        world.settle();
        let answer = heard(&client);
        assert!(answer.starts_with(&[0x88]) && answer[2..4] == code.to_be_bytes());
        assert_eq!(heard(&other).len(), 4 + 1000);
    }
}

/// What is binary stays so in however many frames, and what was kept of them is given back.
#[test]
fn a_message_in_fragments_arrives_as_one() {
    let mut world = World::new(Config::default());
    let [speaker, other] = [0, 1].map(|_| join(&mut world, "/broadcast/den"));
    drop([heard(&speaker), heard(&other)]);
    let before = world.server.metrics().buffered_bytes;
    for (first, head) in [(0x02, 0x82), (0x01, 0x81), (0x02, 0x82)] {
        for part in [frame(first, b"one, "), frame(0x00, b"two, "), frame(0x80, b"three")] {
            speaker.send(&part);
            world.settle();
        }
        assert_eq!(heard(&other), [&[head, 15][..], b"one, two, three"].concat());
        assert_eq!(world.server.metrics().buffered_bytes, before);
    }
}

/// A reply that has been sent is not kept, nor counted.
#[test]
fn a_behaviour_gives_back_what_its_replies_took() {
    let mut world = World::new(Config::default());
    let client = join(&mut world, "/?delay=10");
    heard(&client);
    let before = world.server.metrics().buffered_bytes;
    client.send(&frame(0x82, &[7; 50_000]));
    world.settle();
    assert!(world.server.metrics().buffered_bytes > before + 50_000);
    world.pass(Duration::from_millis(10));
    assert_eq!(heard(&client).len(), 50_004);
    let after = world.server.metrics().buffered_bytes;
    assert!(after < before + 1000, "{after} bytes, and {before} before");
}

/// So is the request that is shown first.
#[test]
fn a_request_that_is_shown_counts_until_it_has_been() {
    let mut world = World::new(Config::default());
    let client = world.connect(0);
    client.set_room(Some(0));
    client.send(
        format!(
            "GET /info HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             X: {}\r\n\r\n",
            "x".repeat(7000)
        )
        .as_bytes(),
    );
    world.settle();
    let kept = world.server.metrics().buffered_bytes;
    assert!(kept > 7000, "{kept} bytes");
    client.set_room(None);
    world.settle();
    assert!(world.server.metrics().buffered_bytes < 2000 && heard(&client).len() > 7000);
}

/// Timers of connections that have gone are forgotten within seconds, however late they are due,
/// and a connection sets no second one for the same time.
#[test]
fn timers_do_not_pile_up() {
    let mut world = World::new(Config::default());
    let hello = frame(0x81, b"hello");
    let come_and_go = |world: &mut World| {
        let client = join(world, "/?delay=600000");
        client.send(&hello);
        world.settle();
        client.reset();
        world.settle();
    };
    (0..10).for_each(|_| come_and_go(&mut world));
    let counted = measure(|| {
        for _ in 0..40 {
            (0..100).for_each(|_| come_and_go(&mut world));
            world.pass(Duration::from_secs(6));
        }
    });
    assert!(counted.bytes_current < 20_000, "{counted:?}");
    let client = join(&mut world, "/?delay=600000");
    client.send(&hello);
    world.settle();
    let counted = measure(|| {
        for _ in 0..4000 {
            client.send(&frame(0x8A, b""));
            world.settle();
        }
    });
    assert!(counted.bytes_current < 50_000, "{counted:?}");
}

/// The time of day is what the system says it is, also after it has been set.
#[test]
fn messages_tell_the_time_of_day_as_it_is_now() {
    let mut world = World::new(Config::default());
    let client = join(&mut world, "/chat");
    world.set_clock_ahead(Duration::from_secs(3600));
    world.pass(Duration::from_secs(40));
    heard(&client);
    client.send(&frame(0x81, br#"{"message":"hi"}"#));
    world.settle();
    let said = text(&client);
    assert!(said.contains(r#""time":"1970-01-01T01:00:40.000Z""#), "{said}");
}

/// Says something to all and comes to rest.
fn chat(world: &mut World, client: &Client, message: &str) {
    client.send(&frame(0x81, format!(r#"{{"message":"{message}"}}"#).as_bytes()));
    world.settle();
}

#[test]
fn who_joins_a_chat_late_is_told_what_was_said_to_all() {
    let mut world = World::new(Config::default());
    let [ann, bob] = [0, 1].map(|_| join(&mut world, "/chat/den"));
    ann.send(&frame(0x81, br#"{"type":"nick","username":"ann"}"#));
    world.settle();
    let spoken = |at: u32| format!("message {at} of many");
    for at in 0..60 {
        world.pass(Duration::from_secs(1));
        chat(&mut world, &bob, &spoken(at));
    }
    bob.send(&frame(0x81, br#"{"type":"private","to":"ann","message":"for you alone"}"#));
    world.settle();
    let late = join(&mut world, "/chat/den");
    chat(&mut world, &ann, "live");
    let told = text(&late);
    let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("no {words}: {told}"));
    let order = [
        at("Welcome! 3 user(s) online"),
        at(r#"{"type":"history","count":50,"time":"1970-01-01T00:01:00.000Z"}"#),
        at(&spoken(10)),
        at(r#"message 59 of many","time":"1970-01-01T00:01:00.000Z""#),
        at(r#""message":"live""#),
    ];
    assert!(order.is_sorted(), "{told}");
    assert!(!told.contains("of many\"") || !told.contains(&spoken(9)), "the last fifty: {told}");
    assert!(!told.contains("for you alone") && !told.contains("left"), "{told}");
    let other = join(&mut world, "/chat/hall");
    assert!(!text(&other).contains("history"), "another room");
    // With its last member a room forgets.
    [ann, bob, late].iter().for_each(Client::reset);
    world.settle();
    let next = join(&mut world, "/chat/den");
    assert!(!text(&next).contains("of many"));
    world.server.check();
}

#[test]
fn who_joins_a_board_late_gets_the_picture_and_a_broadcast_keeps_nothing() {
    let strokes = 200;
    for (path, kept) in [("/draw/den", strokes), ("/draw", strokes), ("/broadcast/den", 0)] {
        let mut world = World::new(Config::default());
        let ann = join(&mut world, path);
        heard(&ann);
        for at in 0..strokes {
            ann.send(&frame(0x81, format!(r#"{{"stroke":{at}}}"#).as_bytes()));
            ann.send(&frame(0x82, b"for the moment"));
        }
        world.settle();
        let late = join(&mut world, path);
        let told = text(&late);
        assert_eq!(told.matches("stroke").count(), kept, "{path}");
        assert!(!told.contains("moment"));
        assert_eq!(told.contains(r#""type":"presence","count":2"#), kept > 0, "{path}");
        ann.send(&frame(0x81, br#"{"clear":true}"#));
        world.settle();
        let told = text(&join(&mut world, path));
        assert_eq!((told.contains("stroke"), told.contains("clear")), (false, kept > 0));
        world.server.check();
    }
}

#[test]
fn nothing_is_kept_of_rooms_without_history() {
    let room_history = RoomHistory { messages: 0, ..RoomHistory::default() };
    let mut world = World::new(Config { room_history, ..Config::default() });
    let [chatter, drawer] = ["/chat/den", "/draw/den"].map(|path| join(&mut world, path));
    let before = world.server.metrics().buffered_bytes;
    for client in [&chatter, &drawer] {
        chat(&mut world, client, "unheard");
    }
    for path in ["/chat/den", "/draw/den"] {
        assert!(!text(&join(&mut world, path)).contains("unheard"));
    }
    let grown = world.server.metrics().buffered_bytes - before;
    assert!(grown < 3 * MEMBER_BYTES as u64, "{grown} bytes");
}

/// A crowd that comes to a room with a past, and does not read: what was said is there once.
#[test]
fn r01_a_crowd_that_comes_late_costs_references_only() {
    let mut world = World::new(Config { max_connections: 2000, ..Config::default() });
    let ann = join(&mut world, "/draw/den");
    for _ in 0..40 {
        ann.send(&frame(0x81, &[b'x'; 1200]));
    }
    world.settle();
    let before = world.server.metrics().buffered_bytes;
    assert!(before > 40 * 1200);
    const CROWD: u64 = 300;
    let crowd: Vec<Client> = (0..CROWD)
        .map(|_| {
            let client = join(&mut world, "/draw/other");
            client.set_room(Some(0));
            client
        })
        .collect();
    crowd.iter().for_each(Client::reset);
    world.settle();
    let crowd: Vec<Client> = (0..CROWD)
        .map(|_| {
            let client = world.connect(0);
            client.set_room(Some(129));
            client
        })
        .collect();
    for client in &crowd {
        client.send(REQUEST_TO_DEN);
    }
    world.settle();
    world.server.check();
    let each = (world.server.metrics().buffered_bytes - before) / CROWD;
    assert!(each < 2 * MEMBER_BYTES as u64, "{each} bytes for each, and 48 000 were said");
    assert_eq!(endings(&world, Ending::Slow), 0, "nobody is too slow for what was said before");
    crowd.iter().for_each(|client| client.set_room(None));
    world.settle();
    for client in &crowd {
        assert_eq!(text(client).matches(&"x".repeat(1200)).count(), 40);
    }
}

const REQUEST_TO_DEN: &[u8] = b"GET /draw/den HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Those who come to a room with much to be told of wait for the next turn when it has been enough.
#[test]
fn a_crowd_that_is_told_much_does_not_have_the_loop_for_itself() {
    let room_history = RoomHistory { messages: 1000, bytes: 128 * 1024 };
    let mut world = World::new(Config { max_connections: 1000, room_history, ..Config::default() });
    let ann = join(&mut world, "/draw/den");
    for at in 0..900 {
        ann.send(&frame(0x81, format!("{at}").as_bytes()));
    }
    world.settle();
    let yields = world.server.metrics().yields;
    let crowd: Vec<Client> = (0..128).map(|_| world.connect(0)).collect();
    crowd.iter().for_each(|client| client.send(REQUEST_TO_DEN));
    world.settle();
    assert!(world.server.metrics().yields > yields);
    for client in &crowd {
        assert!(text(client).contains("899"));
    }
}

/// Histories make room for those who need it, and nobody waits or is refused for them.
#[test]
fn r01_histories_go_when_the_ledger_is_short() {
    let budget = 4 << 20;
    let mut world = World::new(Config { buffer_budget: budget, ..Config::default() });
    let rooms: Vec<Client> = (0..40)
        .map(|at| {
            let path = ["/chat", "/draw"][at % 2];
            let client = join(&mut world, &format!("{path}/{at}"));
            for _ in 0..8 {
                chat(&mut world, &client, &"x".repeat(8000));
                world.pass(Duration::from_millis(100));
            }
            heard(&client);
            client
        })
        .collect();
    let kept = world.server.metrics().buffered_bytes as usize;
    let share = budget / 8;
    assert!(kept > share * 3 / 4 && kept < share + 40 * 2 * MEMBER_BYTES, "{kept} bytes");
    let blocked: Vec<Client> = (0..16)
        .map(|_| {
            let client = join(&mut world, "/");
            client.set_room(Some(0));
            client.offer(&frame(0x82, &vec![7; 400_000]));
            world.settle();
            client
        })
        .collect();
    world.server.check();
    let told = text(&join(&mut world, "/draw/39"));
    assert!(told.contains(r#"{"type":"history","count":0,"#), "{} bytes", told.len());
    let echo = join(&mut world, "/");
    heard(&echo);
    echo.send(&frame(0x81, b"hello"));
    world.settle();
    assert_eq!(heard(&echo), b"\x81\x05hello");
    // Afterwards rooms keep again.
    blocked.iter().for_each(Client::reset);
    world.settle();
    chat(&mut world, &rooms[39], "again");
    assert!(text(&join(&mut world, "/draw/39")).contains("again"));
    world.server.check();
}

#[test]
fn metrics_tell_what_rooms_keep() {
    let mut world = World::new(Config::default());
    let kept = |world: &mut World| {
        let client = world.connect(0);
        client.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
        world.settle();
        let page = text(&client);
        let value = page.lines().find_map(|line| line.strip_prefix("wsecho_room_history_bytes "));
        value.and_then(|value| value.parse::<usize>().ok()).expect("a number")
    };
    assert_eq!(kept(&mut world), 0);
    let members = ["/chat/den", "/draw/den"].map(|path| join(&mut world, path));
    chat(&mut world, &members[0], &"x".repeat(1000));
    let one = kept(&mut world);
    assert!((1000..1500).contains(&one), "{one}");
    chat(&mut world, &members[1], &"x".repeat(1000));
    assert!((one + 1000..one + 1500).contains(&kept(&mut world)));
    members.iter().for_each(Client::reset);
    world.settle();
    assert_eq!(kept(&mut world), 0);
}
