//! Rooms over many processes: several servers on one bus, in virtual time. docs/rooms.md says what
//! is promised.
//!
//! `SIM_SEEDS=n` runs more seeds, `SIM_SEED=x` runs one; a failure says which.

#![cfg(feature = "bus")]

mod absence;
mod broker;
mod crowds;
#[allow(dead_code, reason = "each test target uses its own part")]
#[path = "../sim/dice.rs"]
mod dice;
mod fleet;
#[path = "../support/frames.rs"]
mod frames;
mod log;
mod names;
#[path = "../support/net.rs"]
mod net;
mod puppet;
mod swarm;

use std::panic::{catch_unwind, resume_unwind};
use std::time::Duration;

use fleet::{Fleet, who};
use wsecho::limits::Config;

const SEEDS: u64 = 150;
const SECOND: Duration = Duration::from_secs(1);

fn said(username: &str, message: &str) -> String {
    format!(r#"{{"type":"chat","username":"{username}","message":"{message}""#)
}

#[test]
fn what_is_said_at_one_is_heard_once_at_all() {
    let mut fleet = Fleet::new(3);
    let mut members: Vec<_> = (0..6).map(|at| fleet.join(at % 3, "/chat/den")).collect();
    let mut elsewhere = fleet.join(1, "/chat/hall");
    for (at, member) in members.iter_mut().enumerate() {
        member.take_name(&format!("m{at}"));
    }
    fleet.settle();
    members.iter_mut().for_each(|member| drop(member.texts()));
    for (at, member) in members.iter().enumerate() {
        member.say(&format!(r#"{{"message":"a{at}"}}"#));
        member.say(&format!(r#"{{"message":"b{at}"}}"#));
    }
    fleet.settle();
    for member in &mut members {
        let heard = member.texts();
        assert_eq!(heard.len(), 12, "{heard:?}");
        for at in 0..6 {
            let name = format!("m{at}");
            let at_first =
                |message: String| heard.iter().position(|text| *text == said(&name, &message));
            let (first, second) = (at_first(format!("a{at}")), at_first(format!("b{at}")));
            assert!(first.is_some() && first < second, "in order: {heard:?}");
        }
    }
    assert!(elsewhere.texts().iter().all(|text| !text.contains("\"chat\"")), "another room");
}

#[test]
fn who_comes_and_goes_is_known_everywhere() {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/chat/den");
    assert_eq!(ann.notices(), ["Welcome! 1 user(s) online"]);
    let mut bob = fleet.join(1, "/chat/den");
    assert_eq!(ann.notices(), ["Anonymous joined, 2 user(s) online"]);
    let heard = bob.notices();
    assert_eq!(heard, ["Welcome! 1 user(s) online", "Anonymous is here, 2 user(s) online"]);
    ann.take_name("ann");
    fleet.settle();
    assert_eq!(bob.notices(), ["Anonymous is now ann"]);
    bob.take_name("Ann");
    fleet.settle();
    assert!(bob.texts().concat().contains("that name is taken"));
    bob.take_name("bob");
    fleet.settle();
    for client in [&mut ann, &mut bob] {
        assert_eq!(who(&mut fleet, client), ["ann", "bob"]);
    }
    bob.say(r#"{"type":"private","to":"ANN","message":"psst"}"#);
    fleet.settle();
    let private = r#"{"type":"private","from":"bob","to":"ann","message":"psst""#;
    assert_eq!((ann.texts(), bob.texts()), (vec![private.to_owned()], vec![private.to_owned()]));
    ann.leave();
    fleet.settle();
    assert_eq!(bob.notices(), ["ann left, 1 user(s) online"]);
    bob.take_name("ann");
    fleet.settle();
    assert_eq!(who(&mut fleet, &mut bob), ["ann"], "the name is free again");
}

#[test]
fn only_occupied_rooms_are_subscribed_to() {
    let mut fleet = Fleet::new(2);
    assert!(fleet.broker.channels(0).is_empty());
    let ann = fleet.join(0, "/chat/den");
    let bob = fleet.join(0, "/draw");
    let all = ["wsecho/0/alive", "wsecho/0/chat/den", "wsecho/0/draw/"];
    assert!(fleet.broker.channels(0).iter().eq(&all));
    assert!(fleet.broker.channels(1).is_empty());
    ann.leave();
    fleet.settle();
    assert!(fleet.broker.channels(0).iter().eq([all[0], all[2]]));
    bob.leave();
    fleet.settle();
    assert!(fleet.broker.channels(0).is_empty());
    let quiet = fleet.broker.published;
    fleet.pass(10 * SECOND);
    assert_eq!(fleet.broker.published, quiet, "nobody is there to say that it lives");
}

#[test]
fn a_message_is_one_publish_and_an_echo_none() {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/chat/den");
    let mut bob = fleet.join(1, "/chat/den");
    let echo = fleet.join(0, "/");
    let before = fleet.broker.published;
    ann.say(r#"{"message":"one"}"#);
    for _ in 0..10 {
        echo.say("echo");
        fleet.settle();
    }
    assert_eq!(fleet.broker.published, before + 1);
    assert_eq!(ann.texts().last(), bob.texts().last());
    assert_eq!(fleet.server(0).metrics().bus_published, 2, "she came, and spoke");
    assert_eq!(fleet.server(1).metrics().bus_received, 2, "who is there, and that");
}

#[test]
fn boards_and_broadcasts_span_processes_too() {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/draw/den");
    let mut bob = fleet.join(1, "/draw/den");
    ann.texts();
    bob.texts();
    ann.say(r#"{"id":"a"}"#);
    ann.say_binary(&[0xC3, 0xA9]);
    fleet.settle();
    assert_eq!(bob.texts(), [r#"{"id":"a"}"#, "é"]);
    assert!(ann.texts().is_empty(), "her own does not come back");
    let mut cyd = fleet.join(1, "/draw/den");
    let here = r#"{"type":"presence","count":3"#;
    assert_eq!(cyd.texts(), [r#"{"type":"history","count":1"#, r#"{"id":"a"}"#, here]);
    assert_eq!(ann.texts(), [here]);
    cyd.leave();
    fleet.settle();
    assert_eq!(ann.texts(), [r#"{"type":"presence","count":2"#]);
    let mut plain = fleet.join(0, "/broadcast/den");
    let counts = fleet.join(1, "/broadcast/den?presence");
    counts.say("x");
    fleet.settle();
    assert_eq!(plain.texts(), ["x"], "nothing but what others have sent");
}

#[test]
fn the_members_of_a_dead_process_leave_within_ten_seconds() {
    let mut fleet = Fleet::new(3);
    let mut ann = fleet.join(0, "/chat/den");
    let mut count = fleet.join(0, "/broadcast/den?presence");
    let bob = fleet.join(1, "/chat/den");
    bob.take_name("bob");
    let _cyd = fleet.join(1, "/broadcast/den");
    fleet.pass(20 * SECOND);
    ann.notices();
    count.texts();
    fleet.kill(1);
    fleet.pass(10 * SECOND);
    assert_eq!(ann.notices(), ["bob left, 1 user(s) online"]);
    assert_eq!(count.texts(), [r#"{"type":"presence","count":1"#]);
    assert_eq!(fleet.server(0).metrics().bus_processes, 0);
}

const LOCAL: &str = "This room is local for now: the other servers cannot be reached";
const WHOLE: &str = "This room is whole again: the other servers are back";

#[test]
fn an_outage_is_told_to_those_who_come_in_it_and_its_end_as_well() {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/chat/den");
    let mut bob = fleet.join(1, "/chat/den");
    let nobody = |fleet: &Fleet, away| {
        fleet.nets.iter().for_each(|net| net.core().unreachable = away);
    };
    nobody(&fleet, true);
    fleet.broker.cut(0);
    fleet.broker.cut(1);
    fleet.settle();
    ann.texts();
    bob.texts();
    let mut cyd = fleet.join(0, "/chat/den");
    let mut dan = fleet.join(0, "/draw/den");
    let mut eve = fleet.join(0, "/broadcast/den");
    assert_eq!(cyd.notices(), ["Welcome! 3 user(s) online", LOCAL]);
    assert!(dan.texts().concat().contains(LOCAL));
    assert!(eve.texts().is_empty(), "nothing but what others have sent");
    cyd.say(r#"{"message":"in the dark"}"#);
    fleet.settle();
    assert!(ann.texts().concat().contains("in the dark"), "members here hear it");
    fleet.pass(10 * SECOND);
    assert!(ann.notices().contains(&"Anonymous left, 2 user(s) online".to_owned()));
    nobody(&fleet, false);
    fleet.pass(10 * SECOND);
    assert!(cyd.notices().contains(&WHOLE.to_owned()));
    assert!(dan.texts().concat().contains(WHOLE));
    assert!(!ann.notices().contains(&WHOLE.to_owned()), "she was not told of the outage either");
    let heard = bob.texts().concat();
    assert!(heard.contains("Anonymous and 1 other are here, 3 user(s) online"), "{heard}");
    assert!(!heard.contains("in the dark"), "it is not said again elsewhere");
    assert_eq!(who(&mut fleet, &mut ann).len(), 3);
}

#[test]
fn two_who_have_taken_one_name_in_an_outage_do_not_keep_it() {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/chat/den");
    let mut bob = fleet.join(1, "/chat/den");
    fleet.broker.cut(0);
    fleet.broker.cut(1);
    fleet.broker.frozen = true;
    ann.take_name("same");
    fleet.settle();
    fleet.pass(SECOND / 10);
    bob.take_name("SAME");
    fleet.settle();
    assert_eq!(who(&mut fleet, &mut bob)[1], "SAME");
    fleet.broker.frozen = false;
    fleet.pass(15 * SECOND);
    let heard = bob.texts().concat();
    assert!(heard.contains("somebody elsewhere has taken that name before you"), "{heard}");
    assert!(heard.contains(r#"{"type":"nick","username":"Anonymous""#), "{heard}");
    for client in [&mut ann, &mut bob] {
        assert_eq!(who(&mut fleet, client), ["Anonymous", "same"]);
    }
}

#[test]
fn a_name_is_taken_over_with_its_key_from_another_process() {
    let mut fleet = Fleet::new(3);
    let key = r#"{"type":"nick","username":"ann","key":"0123456789abcdef"}"#;
    let mut ghost = fleet.join(0, "/chat/den");
    ghost.say(key);
    let mut bob = fleet.join(2, "/chat/den");
    let mut ann = fleet.join(1, "/chat/den");
    // Its clock is late, which changes nothing.
    fleet.nets[0].core().clock_ahead = 100 * SECOND;
    ghost.say(&key.replace("ann", "anna"));
    fleet.settle();
    ghost.say(key);
    fleet.settle();
    bob.texts();
    ann.say(key);
    fleet.settle();
    ghost.read();
    assert_eq!(ghost.closed, Some(1000));
    assert_eq!(bob.notices(), ["ann is back, 2 user(s) online"]);
    for client in [&mut ann, &mut bob] {
        assert_eq!(who(&mut fleet, client), ["Anonymous", "ann"]);
    }
    let mut thief = fleet.join(0, "/chat/den");
    thief.say(&key.replace("cdef", "cdee"));
    fleet.settle();
    assert!(thief.texts().concat().contains("that name is taken"));
}

#[test]
fn a_bus_that_takes_nothing_is_lost_and_not_waited_for() {
    let config = Config { buffer_budget: 64 << 20, ..Config::default() };
    let mut fleet = Fleet::with(2, &config);
    let mut ann = fleet.join(0, "/broadcast/den");
    let mut bob = fleet.join(0, "/broadcast/den");
    fleet.broker.narrow(0, 0);
    fleet.broker.step = Some(0);
    let message = "x".repeat(60_000);
    for _ in 0..30 {
        ann.say(&message);
        fleet.settle();
    }
    assert_eq!(bob.texts().len(), 30, "members here hear all of it");
    let metrics = fleet.server(0).metrics();
    assert_eq!((metrics.bus_losses, metrics.bus_connected), (1, 0));
    assert!(metrics.buffered_bytes < 100_000, "nothing waits for it: {}", metrics.buffered_bytes);
    assert!(ann.texts().is_empty());
}

/// Many who speak in one turn are no reason to lose a bus that takes what it is sent.
#[test]
fn who_speaks_more_than_a_turn_may_say_waits() {
    let mut fleet = Fleet::new(1);
    let members: Vec<_> = (0..40).map(|at| fleet.join(0, &format!("/broadcast/{at}"))).collect();
    for _ in 0..5 {
        members.iter().for_each(|member| member.say(&"x".repeat(60_000)));
    }
    // It takes so much between two turns.
    fleet.broker.narrow(0, 400_000);
    while fleet.turn() {
        fleet.broker.narrow(0, 400_000);
    }
    let metrics = fleet.server(0).metrics();
    assert_eq!((metrics.bus_losses, metrics.bus_connected), (0, 1));
    assert!(metrics.bus_published >= 200, "{}", metrics.bus_published);
}

#[test]
fn a_bus_that_is_lost_at_once_is_tried_less_and_less_often() {
    let mut fleet = Fleet::new(1);
    for _ in 0..300 {
        fleet.pass(SECOND / 10);
        fleet.broker.cut(0);
    }
    let losses = fleet.server(0).metrics().bus_losses;
    assert!((5..20).contains(&losses), "{losses} in half a minute");
}

#[test]
fn what_waits_for_the_bus_is_in_the_ledger() {
    let mut fleet = Fleet::new(1);
    let ann = fleet.join(0, "/broadcast/den");
    fleet.broker.frozen = true;
    fleet.broker.narrow(0, 0);
    let before = fleet.server(0).metrics().buffered_bytes;
    ann.say(&"x".repeat(60_000));
    fleet.settle();
    let waits = fleet.server(0).metrics().buffered_bytes - before;
    assert!((60_000..140_000).contains(&waits), "{waits} bytes");
    fleet.broker.frozen = false;
    fleet.broker.narrow(0, usize::MAX);
    fleet.settle();
    assert_eq!(fleet.server(0).metrics().buffered_bytes, before);
}

/// The bus, or what lies before it, may repeat itself.
#[test]
fn what_comes_twice_or_late_is_heard_once() {
    let mut fleet = Fleet::new(2);
    let ann = fleet.join(0, "/broadcast/den");
    let mut bob = fleet.join(1, "/broadcast/den");
    fleet.broker.keeps = true;
    ann.say("one");
    ann.say("two");
    fleet.settle();
    assert_eq!(bob.texts(), ["one", "two"]);
    for message in fleet.broker.kept.clone() {
        fleet.broker.say(1, &message);
    }
    ann.say("three");
    fleet.settle();
    assert_eq!(bob.texts(), ["three"]);
}

#[test]
fn a_bus_that_falls_silent_is_lost() {
    let mut fleet = Fleet::new(1);
    fleet.pass(60 * SECOND);
    assert_eq!(fleet.server(0).metrics().bus_losses, 0, "it answers pings");
    fleet.broker.frozen = true;
    fleet.pass(6 * SECOND);
    assert_eq!(fleet.server(0).metrics().bus_losses, 1);
    fleet.broker.frozen = false;
    fleet.pass(15 * SECOND);
    assert_eq!(fleet.server(0).metrics().bus_connected, 1, "and found again");
}

#[test]
fn a_wrong_password_is_one_clear_line() {
    let mut fleet = Fleet::new(0);
    fleet.broker.password = Some("wrong".to_owned());
    fleet.add(Config::default());
    assert_eq!(fleet.server(0).bus_outcome(), None);
    fleet.settle();
    let line = "bus redis://bus.example:6379: the user or the password is wrong".to_owned();
    assert_eq!(fleet.server(0).bus_outcome(), Some(&Err(line)));
    fleet.broker.password = None;
    fleet.pass(10 * SECOND);
    assert_eq!(fleet.server(0).bus_outcome(), Some(&Ok(())), "it is tried again");
}

#[test]
fn whoever_speaks_rubbish_on_the_bus_does_no_harm() {
    let mut fleet = Fleet::new(2);
    let mut ann = fleet.join(0, "/chat/den");
    ann.texts();
    let published = |payload: &[u8]| {
        let channel = "wsecho/0/chat/den";
        let mut out = format!(">3\r\n$7\r\nmessage\r\n${}\r\n{channel}\r\n", channel.len());
        out += &format!("${}\r\n", payload.len());
        [out.as_bytes(), payload, b"\r\n"].concat()
    };
    for payload in [&b""[..], b"hello", b"\x02\x01", &[1; 17], &[1, 9, 0, 0], &[255; 300]] {
        fleet.broker.say(0, &published(payload));
        fleet.settle();
    }
    assert!(ann.texts().is_empty());
    assert_eq!(fleet.server(0).metrics().bus_losses, 0);
    fleet.broker.say(0, b"HTTP/1.1 200 OK\r\n\r\n");
    fleet.settle();
    assert_eq!(fleet.server(0).metrics().bus_losses, 1, "that is no Redis any more");
}

#[test]
fn many_rooms_are_announced_step_by_step() {
    let config = Config { max_connections: 3000, ..Config::default() };
    let mut fleet = Fleet::with(2, &config);
    let clients: Vec<_> =
        (0..1500).map(|at| fleet.begin_to_join(0, &format!("/chat/{at:0>60}"))).collect();
    fleet.settle();
    fleet.broker.cut(0);
    fleet.settle();
    fleet.pass(5 * SECOND);
    assert_eq!(fleet.broker.channels(0).len(), 1501);
    assert_eq!(fleet.server(0).metrics().bus_losses, 1);
    clients.iter().for_each(fleet::Client::leave);
    fleet.settle();
    assert_eq!(fleet.server(0).metrics().buffered_bytes, 0);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// Runs a seed twice: the second run must be the first again.
fn play(seed: u64) {
    let outcome = catch_unwind(|| {
        assert!(swarm::run(seed) == swarm::run(seed), "a seed has two outcomes");
    });
    if let Err(panic) = outcome {
        eprintln!("SIM_SEED={seed} cargo test --test bus bad_weather");
        resume_unwind(panic);
    }
}

#[test]
fn bad_weather() {
    match number("SIM_SEED") {
        Some(seed) => play(seed),
        None => (0..number("SIM_SEEDS").unwrap_or(SEEDS)).for_each(play),
    }
}
