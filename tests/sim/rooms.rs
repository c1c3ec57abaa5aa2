//! Clients that share a room: what each must have heard of the others.

use std::time::Duration;

use crate::client::Client;
use crate::dice::Dice;
use crate::script::{Farewell, HELLO, Owed, Script};

/// All have come by then, and have heard everything by the second.
const ALL_HERE: Duration = Duration::from_secs(8);
const ALL_SAID: Duration = Duration::from_secs(25);

/// A member's place among those of its room.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    pub number: usize,
    /// How many messages it says.
    pub says: usize,
    /// Its own words come back: chat.
    pub hears_itself: bool,
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

/// `loud`: they may say more at once than a send queue takes, so that any of them may be too slow.
fn member(chat: bool, loud: bool, number: usize, dice: &mut Dice) -> Script {
    let mut script = Script::new("member").paced(dice);
    let path = if chat { "GET /chat/den " } else { "GET /broadcast/den " };
    script.hello = HELLO.replacen("GET / ", path, 1).into();
    let deaf = !chat && dice.chance(100);
    let says = if deaf { 0 } else { 1 + dice.below(8) };
    script.seat = Some(Seat { number, says, hears_itself: chat });
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
            assert!(!all || own || said.len() == from.says, "lost: {said:?}");
            judge_order(member, other);
        }
    }
}

/// What both have heard, they have heard in one order.
fn judge_order(one: &Client, other: &Client) {
    let common = |of: &Client, with: &Client| -> Vec<(usize, usize)> {
        of.heard.iter().filter(|words| with.heard.contains(words)).copied().collect()
    };
    assert_eq!(common(one, other), common(other, one), "two orders");
}
