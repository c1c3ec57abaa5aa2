//! Clients that share a room: what each must have heard of the others.

use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::dice::Dice;
use crate::script::{Farewell, HELLO, Owed, Script};

/// All have come by then, and have heard everything by the second.
const ALL_HERE: Duration = Duration::from_secs(8);
const ALL_SAID: Duration = Duration::from_secs(25);
/// When the last come who come late.
const LATEST: Duration = Duration::from_secs(15);

/// A member's place among those of its room.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    pub number: usize,
    /// How many messages it says.
    pub says: usize,
    /// Its own words come back: chat.
    pub hears_itself: bool,
    /// It comes when others have spoken, and is told what was said: not all of it, maybe.
    pub late: Option<Late>,
}

/// Somebody who comes late.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// The room keeps what was said.
    pub keeps: bool,
}

/// All members of one room, and when they come.
pub fn draw(dice: &mut Dice) -> Vec<(Duration, Script)> {
    let chat = dice.chance(400);
    let loud = !chat && dice.chance(300);
    let count = 2 + dice.below(4);
    let members = (0..count).map(|number| {
        let at = Duration::from_millis(1000 + dice.pick(&[0, 5, 300]));
        (at, member(chat, loud, number, dice))
    });
    members.collect()
}

/// Some who come to the same room when the others speak, or have spoken. Broadcasts may become
/// drawing boards, which keep what is said.
pub fn draw_late(members: &mut [(Duration, Script)], dice: &mut Dice) -> Vec<(Duration, Script)> {
    let board = dice.chance(500);
    for (_, script) in members.iter_mut().filter(|_| board) {
        let hello = String::from_utf8(script.hello.clone()).expect("ASCII");
        script.hello = hello.replacen("GET /broadcast/", "GET /draw/", 1).into();
    }
    for (_, script) in members.iter_mut().filter(|(_, script)| script.takes == 0) {
        // It is told of those who come late, and of their end.
        script.limit += LATEST + ALL_SAID;
    }
    let Some((_, first)) = members.first() else { return Vec::new() };
    let hello = first.hello.clone();
    let hears_itself = first.seat.is_some_and(|seat| seat.hears_itself);
    let keeps = !hello.starts_with(b"GET /broadcast/");
    let late = |number| {
        let mut script = Script::new("late member").paced(dice);
        script.hello = hello.clone();
        let late = Some(Late { keeps });
        script.seat = Some(Seat { number, says: 0, hears_itself, late });
        script.pauses.push((0, ALL_SAID));
        script.close(dice);
        (Duration::from_millis(dice.pick(&[9_000, 11_000, LATEST.as_millis() as u64])), script)
    };
    (members.len()..members.len() + 2).map(late).collect()
}

/// `loud`: they may say more at once than a send queue takes, so that any of them may be too slow.
fn member(chat: bool, loud: bool, number: usize, dice: &mut Dice) -> Script {
    let mut script = Script::new("member").paced(dice);
    let path = if chat { "GET /chat/den " } else { "GET /broadcast/den " };
    script.hello = HELLO.replacen("GET / ", path, 1).into();
    let deaf = !chat && dice.chance(100);
    let says = if deaf { 0 } else { 1 + dice.below(8) };
    script.seat = Some(Seat { number, says, hears_itself: chat, late: None });
    script.pauses.push((0, ALL_HERE));
    for at in 0..says {
        let padding = "x".repeat(dice.pick(&[0, 10, 150, 5000, if loud { 60_000 } else { 0 }]));
        let words = format!("{{\"message\":\"#{number}.{at}#{padding}\"}}");
        script.say(true, 1, words.as_bytes(), dice);
        if dice.chance(100) {
            script.control(dice);
        }
    }
    script.pauses.push((script.frames.len(), ALL_SAID));
    script.close(dice);
    if loud {
        (script.kind, script.owed) = ("loud member", Owed::Prefix);
    }
    if deaf {
        // Ended as slow, or as silent.
        script.kind = "deaf member";
        (script.takes, script.owed) = (0, Owed::Prefix);
        script.farewell = Farewell::Linger { noisy: false };
        // What it is sent is life, as long as its kernel takes it.
        script.limit += ALL_HERE + ALL_SAID;
    } else if dice.chance(200) {
        script.takes = 1500 + dice.below(8000);
        script.every = Duration::from_millis(2);
    }
    script
}

/// Some who look at what the server tells of itself.
pub fn lookers(seed: u64) -> Vec<(Duration, Script)> {
    let mut dice = Dice::new(seed.rotate_left(48));
    dice.speaker = 300;
    let count = dice.below(3);
    let looker = |_| {
        dice.speaker += 1;
        looker(&mut dice)
    };
    (0..count).map(looker).collect()
}

fn looker(dice: &mut Dice) -> (Duration, Script) {
    let mut script = Script::new("looker").paced(dice);
    script.hello = HELLO.replacen("GET / ", "GET /status ", 1).into();
    script.looks = true;
    if dice.chance(300) {
        // Nobody listens to it.
        script.say(true, 1, b"more, please", dice);
    }
    script.pauses.push((0, Duration::from_secs(dice.pick(&[0, 1, 20]))));
    script.close(dice);
    (Duration::from_millis(dice.pick(&[500, 1000, 9_000])), script)
}

/// What a frame of `/status` says: the server's second, and the messages until then. No frame
/// follows sooner than a second behind the last, and nothing is ever taken back.
pub fn told(payload: &[u8], last: Option<&(u64, u64)>) -> Option<(u64, u64)> {
    let frame: Value = serde_json::from_slice(payload).expect("JSON");
    let number = |part: &str, name: &str| frame[part][name].as_u64().expect("a number");
    let second = frame["uptime_seconds"].as_u64().expect("a number");
    let messages = number("totals", "messages");
    assert!(last.is_none_or(|last| last.0 < second && last.1 <= messages), "{frame}");
    let (open, members) = (number("connections", "open"), number("connections", "status"));
    assert!(members >= 1 && open >= members, "{frame}");
    let kinds = frame["connections"].as_object().expect("an object").iter();
    let kinds = kinds.filter(|(name, _)| *name != "open" && *name != "limit");
    assert_eq!(kinds.map(|(_, count)| count.as_u64().expect("a number")).sum::<u64>(), open);
    assert!(number("memory", "used") <= number("memory", "budget") + (1 << 20), "{frame}");
    Some((second, messages))
}

/// Who said it, and their how-manieth message it is; `None` for the room's own words.
pub fn parse(payload: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(payload).expect("text");
    let (number, at) = text.split('#').nth(1)?.split_once('.')?;
    Some((number.parse().ok()?, at.parse().ok()?))
}

/// `whole`: the world excuses no loss.
pub fn judge(members: &[&Client], whole: bool) {
    for member in members {
        let Some(seat) = member.script.seat else { continue };
        for other in members {
            let Some(from) = other.script.seat else { continue };
            let said = member.heard.iter().filter(|(number, _)| *number == from.number);
            let said: Vec<usize> = said.map(|(_, at)| *at).collect();
            let own = seat.number == from.number && !seat.hears_itself;
            assert!(!own || said.is_empty(), "a member hears itself");
            // Nothing is missing between what has been heard first and last.
            let first = said.first().copied().unwrap_or(0);
            assert!(said.iter().copied().eq(first..first + said.len()), "out of order: {said:?}");
            let all = whole && member.script.owed == Owed::Exact;
            let complete = match seat.late {
                None => said.len() == from.says,
                Some(_) => said.last().is_none_or(|last| last + 1 == from.says),
            };
            assert!(!all || own || complete, "lost: {said:?}");
            judge_order(member, other);
        }
        let mut speakers = members.iter().filter(|other| other.script.seat.is_some_and(says));
        let keeps = seat.late.is_some_and(|late| late.keeps);
        if keeps && whole && speakers.clone().all(|other| other.script.owed == Owed::Exact) {
            assert!(speakers.next().is_none() || !member.heard.is_empty(), "nothing was replayed");
        }
    }
}

fn says(seat: Seat) -> bool {
    seat.says > 0
}

/// What both have heard, they have heard in one order.
fn judge_order(one: &Client, other: &Client) {
    let common = |of: &Client, with: &Client| -> Vec<(usize, usize)> {
        of.heard.iter().filter(|words| with.heard.contains(words)).copied().collect()
    };
    assert_eq!(common(one, other), common(other, one), "two orders");
}
