//! More members elsewhere, and more processes, than there is room for; and what costs their keeper
//! nothing.

use wsecho::limits::{Config, GUEST_BYTES, PROCESS_TIME, PROCESSES_MAX, SHARER_BYTES};

use crate::SECOND;
use crate::fleet::{Client, Fleet};
use crate::log;
use crate::puppet::Puppet;

/// Of this, a quarter is for what is kept, and half of that for members elsewhere.
const BUDGET: usize = 1 << 20;

/// How many members elsewhere have room, if they are of one process.
const GUESTS: usize = (BUDGET / 8 - SHARER_BYTES) / GUEST_BYTES;

fn small() -> Config {
    Config { buffer_budget: BUDGET, ..Config::default() }
}

/// How many are in its chat, as somebody hears it.
fn count(fleet: &mut Fleet, client: &mut Client) -> usize {
    client.texts();
    client.say(r#"{"type":"who"}"#);
    fleet.settle();
    client.read();
    let mut heard = client.heard.drain(..).rev();
    let answer = heard.find_map(|payload| {
        let answer: serde_json::Value = serde_json::from_slice(&payload).ok()?;
        (answer["type"] == "who").then(|| answer["count"].as_u64())?
    });
    usize::try_from(answer.expect("an answer")).expect("not many")
}

#[test]
fn members_elsewhere_leave_room_for_those_here() {
    let mut fleet = Fleet::with(1, &small());
    let mut ann = fleet.join(0, "/chat/x");
    let mut crowd = Puppet::new(7, "chat/x");
    let numbers: Vec<u64> = (0..5000).collect();
    for part in numbers.chunks(500) {
        crowd.tell(&mut fleet, 0, 0, part);
        fleet.settle();
    }
    assert_eq!(count(&mut fleet, &mut ann), 1 + GUESTS, "as many as have room are shown");
    let kept = fleet.server(0).metrics().buffered_bytes;
    assert!(kept <= (BUDGET / 8 + 4096) as u64, "{kept} bytes");
    // An empty half is room for a hundred here.
    ann.say(r#"{"message":"before"}"#);
    let mut members: Vec<Client> = (0..100).map(|_| fleet.join(0, "/chat/x")).collect();
    for member in &mut members {
        assert!(member.texts().concat().contains("before"), "and for what was said");
    }
    assert_eq!(count(&mut fleet, &mut ann), 101 + GUESTS);
    let mut board = Puppet::new(7, "draw/x");
    let mut bob = fleet.join(0, "/draw/x");
    board.next = crowd.next;
    board.tell(&mut fleet, 0, 3, &[1]);
    fleet.settle();
    assert!(bob.texts().concat().contains(r#""count":1"#), "not even the room of a process");
}

#[test]
fn who_finds_no_room_is_heard_and_shown_when_there_is_some() {
    log::listen();
    let mut fleet = Fleet::with(1, &small());
    fleet.add(Config::default());
    fleet.settle();
    let mut ann = fleet.join(0, "/chat/x");
    let mut crowd: Vec<Client> = (0..GUESTS + 40).map(|_| fleet.join(1, "/chat/x")).collect();
    fleet.pass(5 * SECOND);
    assert_eq!(count(&mut fleet, &mut ann), 1 + GUESTS);
    let last = crowd.last().expect("a crowd");
    last.take_name("last");
    last.say(r#"{"message":"hello"}"#);
    fleet.settle();
    assert!(ann.texts().concat().contains(r#""username":"last","message":"hello""#));
    ann.take_name("last");
    fleet.pass(5 * SECOND);
    let heard = ann.texts().concat();
    assert!(heard.contains("somebody elsewhere has taken that name before you"), "{heard}");
    let words = "bus: no room for more members elsewhere: others are heard, and not shown";
    assert_eq!(log::count(words), 1);
    let before = fleet.broker.published;
    fleet.pass(10 * SECOND);
    assert_eq!(fleet.broker.published - before, 10, "nobody is asked in vain");
    crowd.drain(..30).for_each(|client| client.leave());
    fleet.pass(5 * SECOND);
    assert_eq!(count(&mut fleet, &mut ann), 1 + GUESTS - 30, "not for so few");
    crowd.drain(..40).for_each(|client| client.leave());
    fleet.pass(5 * SECOND);
    let notices = ann.notices();
    assert!(notices.iter().any(|notice| notice.contains("are here, ")), "{notices:?}");
    assert_eq!(count(&mut fleet, &mut ann), 1 + crowd.len(), "all that are there");
    assert_eq!(log::count(words), 1);
    crowd.extend((0..60).map(|_| fleet.join(1, "/chat/x")));
    fleet.pass(5 * SECOND);
    assert_eq!((count(&mut fleet, &mut ann), log::count(words)), (1 + GUESTS, 2));
    drop((ann, crowd));
}

#[test]
fn one_process_too_many_is_said_once_until_one_of_them_has_gone() {
    log::listen();
    let mut fleet = Fleet::new(1);
    let _ann = fleet.join(0, "/chat/x");
    let most = u64::try_from(PROCESSES_MAX).expect("not many");
    let mut others: Vec<Puppet> =
        (0..=most).map(|process| Puppet::new(1 + process, "alive")).collect();
    let words = "bus: more than 256 other processes: those beyond are not heard";
    let (first, rest) = others.split_first_mut().expect("some");
    let (beyond, rest) = rest.split_last_mut().expect("many");
    first.live(&mut fleet, 0);
    rest.iter_mut().for_each(|other| other.live(&mut fleet, 0));
    fleet.settle();
    assert_eq!((fleet.server(0).metrics().bus_processes, log::count(words)), (most, 0));
    for _ in 0..3 {
        beyond.live(&mut fleet, 0);
        fleet.settle();
    }
    assert_eq!((fleet.server(0).metrics().bus_processes, log::count(words)), (most, 1));
    // The first says no more, and its place is taken.
    for _ in 0..=PROCESS_TIME.as_secs() {
        fleet.pass(SECOND);
        rest.iter_mut().for_each(|other| other.live(&mut fleet, 0));
        fleet.settle();
    }
    assert_eq!(fleet.server(0).metrics().bus_processes, most - 1);
    beyond.live(&mut fleet, 0);
    fleet.settle();
    assert_eq!((fleet.server(0).metrics().bus_processes, log::count(words)), (most, 1));
    first.live(&mut fleet, 0);
    fleet.settle();
    assert_eq!((fleet.server(0).metrics().bus_processes, log::count(words)), (most, 2));
}

/// From whoever can write to the bus, in as many names as are heard.
#[test]
fn rosters_without_members_leave_nothing_behind() {
    let mut fleet = Fleet::new(1);
    let mut members: Vec<Client> = Vec::new();
    let rooms: Vec<String> = (0..20).map(|at| format!("draw/{at}")).collect();
    for room in &rooms {
        members.push(fleet.join(0, &format!("/{room}")));
    }
    let before = fleet.server(0).metrics().clone();
    members.iter_mut().for_each(|member| drop(member.texts()));
    for process in 1..=200 {
        let mut next = 0;
        for room in &rooms {
            let mut other = Puppet::new(process, room);
            other.next = next;
            (0..4).for_each(|flags| other.tell(&mut fleet, 0, flags, &[]));
            next = other.next;
        }
        fleet.settle();
    }
    let metrics = fleet.server(0).metrics();
    assert_eq!(metrics.buffered_bytes, before.buffered_bytes);
    assert_eq!(metrics.bus_received, before.bus_received, "no service was told");
    assert!(members.iter_mut().all(|member| member.texts().is_empty()));
    let mut other = Puppet::new(200, &rooms[0]);
    other.next = 1 << 20;
    other.tell(&mut fleet, 0, 3, &[1, 2]);
    fleet.settle();
    assert!(members[0].texts().concat().contains(r#""count":3"#), "those who have some are heard");
    let bytes = u64::try_from(SHARER_BYTES + 2 * GUEST_BYTES).expect("few");
    assert_eq!(fleet.server(0).metrics().buffered_bytes, before.buffered_bytes + bytes);
    other.tell(&mut fleet, 0, 3, &[]);
    fleet.settle();
    assert!(members[0].texts().concat().contains(r#""count":1"#));
    assert_eq!(fleet.server(0).metrics().buffered_bytes, before.buffered_bytes, "given back");
}
