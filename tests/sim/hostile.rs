//! Clients that wear a server out, one by one among others or as whole populations.

use std::time::Duration;

use crate::compress::Compressor;
use crate::dice::Dice;
use crate::naive::Frame;
use crate::packed::{self, PACKED};
use crate::profile::Profile;
use crate::script::{Farewell, HELLO, Owed, Script};
use crate::scripted;

/// How long a hostile client stays.
const LIFE: Duration = Duration::from_secs(300);
const DEFLATE: &str = "permessage-deflate; client_max_window_bits";
const NARROW: &str = "permessage-deflate; server_max_window_bits=10";

/// One among others, who are to be served all the same.
pub fn draw_one(dice: &mut Dice) -> Script {
    match dice.below(10) {
        0..=2 => packed::draw_narrow(dice),
        3 => packed::draw_holder(dice),
        4..=5 => scripted::draw_staller(dice),
        6 => bomber(DEFLATE, 1, dice),
        7 => bomber(NARROW, 1, dice),
        _ => reads_last(150_000, dice),
    }
}

/// A whole population: its profile, and who comes when.
pub fn draw(dice: &mut Dice) -> (Profile, Vec<(Duration, Script)>) {
    let pipes: &[usize] = dice.pick(&[&[300][..], &[4096], &[65_536]]);
    // Among so many, one in every wait would have an event for nothing, and time would stand.
    let gentle = Profile { spurious: 0, long: true, ..Profile::draw_gentle(dice) };
    let mut profile = Profile { pipes, up_pipes: &[65_536], ..gentle };
    if dice.chance(700) {
        profile = Profile { short_read: 0, would_block: 0, interrupted: 0, late: 0, ..profile };
    }
    profile.budget = Some(dice.pick(&[100_000, 400_000, 1 << 20]));
    profile.takeover = dice.chance(300);
    profile.scarce = dice.chance(200);
    let mut arrivals = Vec::new();
    let crowded = dice.chance(150);
    if crowded {
        // There is room for all of them.
        profile.budget = profile.budget.max(Some(400_000));
        arrivals.extend(crowd(dice));
    }
    for _ in 0..if crowded { 0 } else { 1 + dice.below(2) } {
        let kind = dice.below(9);
        let count = dice.pick(if (3..6).contains(&kind) { &[200] } else { &[1, 8, 40] });
        for _ in 0..count {
            dice.speaker += 1;
            let at = Duration::from_millis(1000 + dice.below(2000) as u64);
            arrivals.push((at, draw_kind(kind, if count == 1 { 30 } else { 2 }, dice)));
        }
    }
    for second in [2, 20, 70, 150, 280] {
        dice.speaker += 1;
        let at = Duration::from_secs(second);
        arrivals.push((at, if dice.chance(500) { asker(dice) } else { guest(dice) }));
    }
    // While the worst of them are there, whatever else is drawn.
    for (second, kind) in [(4, 0), (9, 1)] {
        arrivals.push((Duration::from_secs(second), asker(&mut Dice::new(kind))));
    }
    (profile, arrivals)
}

/// `mebibytes` is what a bomb becomes.
fn draw_kind(kind: usize, mebibytes: usize, dice: &mut Dice) -> Script {
    match kind {
        0 => bomber(DEFLATE, mebibytes, dice),
        1 => bomber(NARROW, mebibytes, dice),
        2 => packed::draw_holder(dice),
        3 => half_head(dice),
        4 => vain(dice),
        5 => keeper(dice),
        6 => sipper(dice),
        7 => hoarder(dice),
        _ => scripted::draw_staller(dice),
    }
}

/// D11: what costs nothing, then few bytes that become many, and nothing is read or little.
fn bomber(offer: &str, mebibytes: usize, dice: &mut Dice) -> Script {
    let mut script = hostile("bomber", dice);
    script.hello = with_offer(offer);
    for _ in 0..dice.pick(&[0, 12]) {
        script.say(true, 10, b"", dice);
    }
    let message = vec![0; mebibytes << 20];
    let bomb = Compressor::new(9, 15, false).message(&message);
    script.say(true, PACKED | 2, &bomb, dice);
    script.expect = Frame::plain(true, PACKED | 2, &bomb).encode();
    if offer == NARROW {
        script.expanded = Some((vec![(2, message)], Vec::new()));
    }
    script.packs = true;
    script
}

/// H31: the most of a head, and nothing more.
fn half_head(dice: &mut Dice) -> Script {
    let mut script = hostile("half head", dice);
    script.hello = [&b"GET / HTTP/1.1\r\nHost: h\r\nX: "[..], &dice.words(8000)].concat();
    script
}

/// Wants its long request shown, and does not look.
fn vain(dice: &mut Dice) -> Script {
    let mut script = hostile("vain", dice);
    let field = format!("Host: h\r\nX: {}\r\n", "x".repeat(7500));
    script.hello =
        HELLO.replacen("Host: sim\r\n", &field, 1).replace("GET / ", "GET /info ").into();
    script.takes = 0;
    script
}

/// Sends one compressed message, so that a window is kept for the next.
fn keeper(dice: &mut Dice) -> Script {
    let mut script = hostile("keeper", dice);
    script.hello = with_offer(DEFLATE);
    let message = Compressor::new(6, 15, true).message(&dice.words(100));
    script.say(true, PACKED | 1, &message, dice);
    script.expect = Frame::plain(true, PACKED | 1, &message).encode();
    script.takes = usize::MAX;
    script.packs = true;
    script
}

/// Takes a byte of its replies now and then.
fn sipper(dice: &mut Dice) -> Script {
    let mut script = hostile("sipper", dice);
    for _ in 0..4 {
        let payload = dice.bytes(20_000);
        script.say(true, 2, &payload, dice);
        script.expect.extend(Frame::plain(true, 2, &payload).encode());
    }
    (script.takes, script.every) = (1, Duration::from_secs(5));
    script
}

/// Keeps a message that is not whole in a room.
fn hoarder(dice: &mut Dice) -> Script {
    let mut script = hostile("hoarder", dice);
    script.hello = HELLO.replacen("GET / ", "GET /broadcast/hoard ", 1).into();
    let payload = dice.bytes(30_000);
    script.say(false, 2, &payload, dice);
    script
}

/// Sends one long message before it reads any of it.
fn reads_last(most: usize, dice: &mut Dice) -> Script {
    let mut script = Script::new("reads last").paced(dice);
    let length = 1 + dice.below(most);
    let payload = dice.bytes(length);
    script.fragments(2, &payload, dice);
    script.reads_last = true;
    script.farewell = Farewell::Finish;
    script
}

/// Idle members of a room to whom somebody speaks in the very turn of their timeout.
fn crowd(dice: &mut Dice) -> Vec<(Duration, Script)> {
    let at = Duration::from_millis(1000);
    let mut crowd = vec![(at, hostile("loud", dice))];
    crowd[0].1.hello = HELLO.replacen("GET / ", "GET /broadcast/crowd ", 1).into();
    crowd[0].1.frames =
        Frame { key: Some([0; 4]), ..Frame::plain(true, 1, b"hi") }.encode().repeat(64);
    crowd[0].1.pauses = vec![(0, Duration::from_secs(60))];
    (crowd[0].1.aims, crowd[0].1.every) = (true, Duration::from_millis(1));
    for _ in 0..66 {
        let mut member = Script { owed: Owed::Exact, ..hostile("idle member", dice) };
        member.hello = crowd[0].1.hello.clone();
        member.expect = Frame::plain(true, 1, b"hi").encode().repeat(64);
        member.takes = usize::MAX;
        member.pauses = vec![(0, Duration::from_secs(100))];
        (member.life, member.limit) = (None, Duration::from_secs(110));
        member.close(dice);
        crowd.push((at, member));
    }
    crowd
}

/// H: whatever goes on, a balancer gets its answer.
fn asker(dice: &mut Dice) -> Script {
    let path = dice.pick(&["/healthz", "/metrics"]);
    let mut script = Script { owed: Owed::Status("200"), ..Script::new("asker") };
    script.hello = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into();
    script.limit = Duration::from_secs(5);
    script
}

/// And somebody who behaves is served before the server gives it up, which is twice the stall
/// timeout.
fn guest(dice: &mut Dice) -> Script {
    let mut script = Script::new("guest");
    script.message(dice.pick(&[5, 300, 5000]), dice);
    script.close(dice);
    script.limit = Duration::from_secs(120);
    script
}

fn hostile(kind: &'static str, dice: &mut Dice) -> Script {
    let mut script = Script { owed: Owed::Mercy, ..Script::new(kind) };
    script.takes = dice.pick(&[0, 1]);
    script.every = Duration::from_secs(5);
    // Who does not read does not see the 101 either.
    script.eager = true;
    script.farewell = Farewell::Linger { noisy: false };
    (script.life, script.limit) = (Some(LIFE), 2 * LIFE);
    script
}

fn with_offer(offer: &str) -> Vec<u8> {
    let head = HELLO.strip_suffix("\r\n").expect("a whole head");
    format!("{head}Sec-WebSocket-Extensions: {offer}\r\n\r\n").into()
}
