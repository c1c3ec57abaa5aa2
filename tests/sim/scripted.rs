//! Clients that ask for a behaviour: what they hear follows from it, whenever it comes.

use std::time::Duration;

use crate::dice::Dice;
use crate::naive::Frame;
use crate::script::{HELLO, Owed, Script, words};

/// Everything has come by then; a Close would cut short what still waits for its time.
const ALL_HEARD: Duration = Duration::from_secs(20);
const LENGTHS: &[usize] = &[0, 1, 7, 125, 126, 127, 1000, 5000];

/// One whose replies wait, trickle, come in fragments, are wrapped or follow a welcome.
pub fn draw(dice: &mut Dice) -> Script {
    let mut script = Script::new("scripted").paced(dice);
    let mut query = Vec::new();
    if dice.chance(400) {
        query.push(format!("delay={}", dice.pick(&[0, 1, 30, 900])));
    }
    if dice.chance(400) {
        query.push(format!("jitter={}", dice.pick(&[1, 50, 700])));
    }
    if dice.chance(300) {
        query.push(format!("rate={}", dice.pick(&[5000, 100_000, 10_000_000])));
    }
    let wraps = dice.chance(300);
    if wraps {
        query.push("reply=no.+{count}:+{message}".into());
    }
    let stride = dice.chance(300).then(|| dice.pick(&[1, 3, 125, 4000]));
    query.extend(stride.map(|stride| format!("fragment={stride}")));
    if dice.chance(300) {
        query.push("welcome=Welcome!".into());
        script.expect.extend(Frame::plain(true, 1, b"Welcome!").encode());
    }
    // It is there, so that without any other there still is a behaviour.
    query.push("no-pong".into());
    script.hello = HELLO.replacen("GET / ", &format!("GET /?{} ", query.join("&")), 1).into();
    for count in 1..=dice.below(6) {
        let length = dice.pick(LENGTHS);
        let text = dice.chance(500);
        let message = if text { words(length, dice) } else { dice.bytes(length) };
        let opcode = 2 - u8::from(text);
        script.say(true, opcode, &message, dice);
        let before = if text && wraps { format!("no. {count}: ") } else { String::new() };
        let reply = [before.as_bytes(), &message].concat();
        script.expect.extend(in_frames(opcode, &reply, stride));
        if dice.chance(200) {
            script.say(true, 9, b"are you there", dice);
        }
    }
    script.pauses.push((script.frames.len(), ALL_HEARD));
    script.close(dice);
    script
}

/// Some whose replies take so long that they are pinged, between two frames or later.
pub fn draw_tricklers(dice: &mut Dice) -> Vec<(Duration, Script)> {
    let trickler = |at: u64| {
        dice.speaker += 1;
        let mut script = Script::new("scripted trickler");
        script.hello = HELLO.replacen("GET / ", "GET /?rate=1 ", 1).into();
        for length in [5, 3] {
            let payload = dice.words(length);
            script.say(true, 1, &payload, dice);
            script.expect.extend(Frame::plain(true, 1, &payload).encode());
        }
        script.pauses.push((script.frames.len(), 2 * ALL_HEARD));
        script.close(dice);
        (Duration::from_millis(1000 + 130 * at), script)
    };
    (0..4).map(trickler).collect()
}

/// One that stops in the middle of a frame, whatever else its echo does.
pub fn draw_staller(dice: &mut Dice) -> Script {
    let mut script = Script::new("scripted staller").paced(dice);
    let query = dice.pick(&["welcome=Welcome!", "no-pong", "delay=5", "rate=10000000"]);
    script.hello = HELLO.replacen("GET / ", &format!("GET /?{query} "), 1).into();
    if query.starts_with("welcome") {
        script.expect = Frame::plain(true, 1, b"Welcome!").encode();
    }
    let length = dice.pick(&[100, 4000, 30_000]);
    let opcode = dice.pick(&[1, 2]);
    let payload = dice.words(length);
    script.say(true, opcode, &payload, dice);
    script.seams.pop();
    script.frames.truncate(1 + dice.below(script.frames.len() - 1));
    let partial = Frame::plain(true, opcode, &payload).encode();
    script.owed = Owed::CodeOrCut(1008, partial);
    script.limit = Duration::from_secs(60);
    script
}

fn in_frames(opcode: u8, payload: &[u8], stride: Option<usize>) -> Vec<u8> {
    let stride = stride.unwrap_or(usize::MAX);
    let mut parts: Vec<&[u8]> = payload.chunks(stride).collect();
    if parts.is_empty() {
        parts.push(b"");
    }
    let last = parts.len() - 1;
    let frames = parts.iter().enumerate().map(|(at, part)| {
        Frame::plain(at == last, if at == 0 { opcode } else { 0 }, part).encode()
    });
    frames.collect::<Vec<_>>().concat()
}
