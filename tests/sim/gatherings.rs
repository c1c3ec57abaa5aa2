//! Worlds made for one question each: who stands in line, who leaves together, who sends crumbs.
//! The network is calm, so that what is asked for happens at the moment that is meant.

use std::time::Duration;

use crate::compress::Compressor;
use crate::dice::Dice;
use crate::naive::Frame;
use crate::packed::PACKED;
use crate::profile::Profile;
use crate::rooms::Seat;
use crate::script::{Farewell, HELLO, Owed, Script};
use crate::scripted;

/// How many kinds there are.
pub const KINDS: u64 = 11;

type Arrivals = Vec<(Duration, Script)>;

/// The profile of a gathering, and who comes when.
pub fn draw(kind: u64, dice: &mut Dice) -> (Profile, Arrivals) {
    let calm = Profile {
        short_read: 0,
        short_write: 0,
        would_block: 0,
        interrupted: 0,
        late: 0,
        spurious: 0,
        long: true,
        pipes: &[65_536],
        up_pipes: &[65_536],
        ..Profile::draw_gentle(dice)
    };
    match kind % KINDS {
        0 => (Profile { budget: Some(100_000), pipes: &[4096], ..calm }, line_for_room(dice)),
        1 => (Profile { budget: Some(100_000), pipes: &[140], ..calm }, line_in_vain(dice)),
        2 => (Profile { scarce: true, ..calm }, line_for_an_inflater(dice)),
        3 => (calm, chat_that_empties(dice)),
        4 => (calm, vec![(ms(1000), crumbs(dice))]),
        5 => (Profile { eager_pings: true, ..calm }, scripted::draw_tricklers(dice)),
        6 => (Profile { budget: Some(400_000), ..calm }, halves(dice)),
        7 => (Profile { budget: Some(400_000), pipes: &[4096], ..calm }, deaf_rooms(dice)),
        8 => (Profile { budget: Some(400_000), ..calm }, hoarders(dice)),
        9 => (Profile { budget: Some(400_000), pipes: &[4096], ..calm }, talkers(dice)),
        _ => (Profile { budget: Some(1_600_000), pipes: &[4096], ..calm }, archives(dice)),
    }
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Forty fill the budget, three come and wait for room, and some more speak just when the forty
/// read: they have to wait until the three have been served.
fn line_for_room(dice: &mut Dice) -> Arrivals {
    let mut arrivals: Arrivals = Vec::new();
    for _ in 0..40 {
        let mut script = speaker("gulper", 7000, dice);
        (script.takes, script.every) = (usize::MAX, ms(5000));
        arrivals.push((ms(1000), script));
    }
    for at in 0..3 {
        let mut script = speaker("waits", 100, dice);
        (script.takes, script.every, script.place) = (usize::MAX, ms(1), Some(at));
        arrivals.push((ms(7000 + 1000 * at as u64), script));
    }
    for at in 0..10 {
        let mut script = speaker("newcomer", 100, dice);
        (script.takes, script.every, script.place) = (usize::MAX, ms(1000), Some(3));
        arrivals.push((ms(10_000) + Duration::from_micros(5 * at), script));
    }
    arrivals
}

/// Those who are called take more than was set aside for them, so that some are called in vain.
fn line_in_vain(dice: &mut Dice) -> Arrivals {
    let greedy = (0..70).map(|at| {
        let mut script = speaker("greedy", 7000, dice);
        script.place = Some(at);
        script.life = Some(if at < 30 { ms(10_000) } else { ms(40_000) });
        (ms(1000 + at as u64), script)
    });
    greedy.collect()
}

/// One has the only inflater until others speak, and one has waited for it all the time. What is
/// not compressed need not wait.
fn line_for_an_inflater(dice: &mut Dice) -> Arrivals {
    let mut has = packed_speaker("has", dice);
    let half = has.frames.len();
    has.frames[0] &= 0x7F;
    has.expect[0] &= 0x7F;
    has.pauses.push((half, ms(5000)));
    has.aims = true;
    has.frames.extend(Frame { key: Some([1; 4]), ..Frame::plain(true, 0, b"") }.encode());
    has.expect.extend(Frame::plain(true, 0, b"").encode());
    let waits = Script { place: Some(1), ..packed_speaker("waits", dice) };
    let mut plain = speaker("plain", 100, dice);
    (plain.hello, plain.place) = (with_deflate(), Some(0));
    let mut arrivals = vec![(ms(1000), has), (ms(3000), waits), (ms(3500), plain)];
    for _ in 0..4 {
        let mut script = packed_speaker("newcomer", dice);
        // At the very moment when the one that has it says the rest.
        script.pauses.push((0, ms(1000)));
        (script.aims, script.place) = (true, Some(2));
        arrivals.push((ms(5100), script));
    }
    arrivals
}

/// All but one leave at the same moment, and that one is told so.
fn chat_that_empties(dice: &mut Dice) -> Arrivals {
    let path = "GET /chat/den ";
    let mut stays = Script::new("stays");
    stays.hello = HELLO.replacen("GET / ", path, 1).into();
    stays.seat = Some(Seat { number: 0, says: 0, hears_itself: true, late: None });
    stays.pauses.push((0, ms(40_000)));
    stays.close(dice);
    let mut arrivals = vec![(ms(1000), stays)];
    for _ in 0..80 {
        let mut leaves = hostile("leaves");
        leaves.hello = HELLO.replacen("GET / ", path, 1).into();
        leaves.life = Some(ms(20_000));
        arrivals.push((ms(1500), leaves));
    }
    arrivals
}

/// More messages in a read than a turn has effort for, each of them a byte or two when compressed.
fn crumbs(dice: &mut Dice) -> Script {
    let mut script = Script::new("crumbs");
    script.hello = with_deflate();
    let crumb = Compressor::new(6, 15, false).message(b"");
    for _ in 0..3000 {
        script.say(true, PACKED | 2, &crumb, dice);
        script.expect.extend(Frame::plain(true, PACKED | 2, &crumb).encode());
    }
    script.packs = true;
    script.close(dice);
    script
}

/// Half of a text each, which is held until the other half comes.
fn halves(dice: &mut Dice) -> Arrivals {
    let half = |_| {
        let mut script = speaker("half", 0, dice);
        let text = Frame { key: Some([0; 4]), ..Frame::plain(true, 1, &dice.words(16_000)) };
        script.frames = text.encode()[..8000].to_vec();
        let partial = Frame { key: None, ..text }.encode();
        script.owed = Owed::CodeOrCut(1008, partial);
        (script.expect, script.life) = (Vec::new(), Some(ms(40_000)));
        (ms(1000), script)
    };
    (0..200).map(half).collect()
}

/// Pairs, of whom one speaks and the other does not listen.
fn deaf_rooms(dice: &mut Dice) -> Arrivals {
    let pair = |room: u64| {
        let hello = HELLO.replacen("GET / ", &format!("GET /broadcast/{room} "), 1);
        let mut loud = hostile("loud");
        loud.hello = hello.clone().into();
        loud.pauses.push((0, ms(1000)));
        loud.every = ms(1);
        for _ in 0..4 {
            loud.say(true, 2, &[7; 60_000], dice);
        }
        let deaf = Script { hello: hello.into(), ..hostile("deaf") };
        [(ms(1000), loud), (ms(1000), deaf)]
    };
    (0..40).flat_map(pair).collect()
}

/// Rooms with much to keep, crowds that come to be told of it and do not listen, and then some who
/// need the room for themselves.
fn archives(dice: &mut Dice) -> Arrivals {
    let hello = |room: u64| {
        let path = if room % 2 == 0 { "chat" } else { "draw" };
        HELLO.replacen("GET / ", &format!("GET /{path}/{room} "), 1)
    };
    let mut arrivals = Vec::new();
    for room in 0..40 {
        let mut keeper = hostile("keeper");
        keeper.hello = hello(room).into();
        keeper.takes = usize::MAX;
        keeper.seat = Some(Seat { number: 0, says: 0, hears_itself: true, late: None });
        for _ in 0..8 {
            let words = format!("{{\"message\":\"{}\"}}", "x".repeat(8000));
            keeper.say(true, 1, words.as_bytes(), dice);
        }
        arrivals.push((ms(1000), keeper));
        for _ in 0..4 {
            let listener = Script { hello: hello(room).into(), ..hostile("listener") };
            arrivals.push((ms(3000), listener));
        }
    }
    arrivals.extend(talkers(dice).into_iter().map(|(at, script)| (at + ms(4000), script)));
    arrivals
}

/// They have much to say, and read nothing of what comes back.
fn talkers(dice: &mut Dice) -> Arrivals {
    let talker = |_| (ms(1000), Script { life: None, ..speaker("talker", 1 << 20, dice) });
    (0..8).map(talker).collect()
}

/// Members of one room with a message each that does not end.
fn hoarders(dice: &mut Dice) -> Arrivals {
    let hoarder = |_| {
        let mut script = hostile("hoarder");
        script.hello = HELLO.replacen("GET / ", "GET /broadcast/hoard ", 1).into();
        script.say(false, 2, &[7; 60_000], dice);
        (ms(1000), script)
    };
    (0..60).map(hoarder).collect()
}

/// Says one binary message of `length` bytes without waiting for the 101.
fn speaker(kind: &'static str, length: usize, dice: &mut Dice) -> Script {
    dice.speaker += 1;
    let mut script = hostile(kind);
    let payload = dice.bytes(length);
    script.say(true, 2, &payload, dice);
    script.expect = Frame::plain(true, 2, &payload).encode();
    script
}

/// The same, compressed; it listens.
fn packed_speaker(kind: &'static str, dice: &mut Dice) -> Script {
    dice.speaker += 1;
    let mut script = hostile(kind);
    script.hello = with_deflate();
    let payload = Compressor::new(6, 15, false).message(&dice.bytes(50));
    script.say(true, PACKED | 2, &payload, dice);
    script.expect = Frame::plain(true, PACKED | 2, &payload).encode();
    (script.packs, script.takes, script.every) = (true, usize::MAX, ms(1));
    script
}

/// Takes nothing, answers nothing, and leaves after a minute.
fn hostile(kind: &'static str) -> Script {
    let mut script = Script { owed: Owed::Mercy, ..Script::new(kind) };
    (script.takes, script.every, script.eager) = (0, ms(1), true);
    script.farewell = Farewell::Linger { noisy: false };
    (script.life, script.limit) = (Some(ms(60_000)), ms(120_000));
    script
}

fn with_deflate() -> Vec<u8> {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    HELLO.replacen("\r\n\r\n", &format!("\r\n{offer}"), 1).into()
}
