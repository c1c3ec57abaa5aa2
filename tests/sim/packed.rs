//! Clients that compress: a mixture of packed and plain messages, all of which come back.

use std::time::Duration;

use crate::compress::Compressor;
use crate::dice::Dice;
use crate::naive::Frame;
use crate::script::{HELLO, Owed, Script, words};

/// RSV1, above an opcode (RFC 7692 §6).
pub const PACKED: u8 = 0x40;
const LENGTHS: &[usize] = &[0, 1, 5, 100, 127, 1000, 4096, 16_384, 40_000];

/// One that ends with a Close, or with data that does not inflate.
pub fn draw(takeover: bool, dice: &mut Dice) -> Script {
    let lies = dice.chance(300);
    let mut script = Script::new(if lies { "packed liar" } else { "packed" }).paced(dice);
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    let head = HELLO.strip_suffix("\r\n").expect("a whole head");
    script.hello = [head, offer].concat().into();
    let mut compressor = Compressor::new(dice.pick(&[1, 6, 9]), 15, takeover);
    let mut messages = Vec::new();
    for _ in 0..1 + dice.below(8) {
        let length = dice.pick(LENGTHS);
        let text = dice.chance(500);
        let message = if text { words(length, dice) } else { dice.bytes(length) };
        let opcode = 2 - u8::from(text);
        if dice.chance(700) {
            script.fragments(PACKED | opcode, &compressor.message(&message), dice);
        } else {
            script.fragments(opcode, &message, dice);
        }
        messages.push(message);
        if dice.chance(200) {
            script.control(dice);
        }
    }
    script.inflated = Some((takeover, messages));
    if lies {
        lie(&mut script, &mut compressor, dice);
    } else {
        script.close(dice);
    }
    script.eager = dice.chance(300);
    script.abrupt = dice.chance(500);
    script.packs = true;
    script
}

/// Clients that want a smaller window of the server, which cannot make one: all they say is either
/// packed for that window, or it is plain because the server has declined.
pub fn draw_narrow(dice: &mut Dice) -> Script {
    let bits = 9 + dice.below(6) as u8;
    let limits = if dice.chance(400) { "; client_max_window_bits" } else { "" };
    let lies = dice.chance(400);
    let kind = if lies { "narrow liar" } else { "narrow" };
    let mut script = Script::new(kind).paced(dice);
    let head = HELLO.strip_suffix("\r\n").expect("a whole head");
    let offer = format!("permessage-deflate; server_max_window_bits={bits}{limits}");
    script.hello = format!("{head}Sec-WebSocket-Extensions: {offer}\r\n\r\n").into();
    script.packs = true;
    let mut declined = script.clone();
    let mut compressor = Compressor::new(6, bits, false);
    let mut messages = Vec::new();
    for _ in 0..1 + dice.below(5) {
        let length = dice.pick(LENGTHS);
        let text = dice.chance(700);
        let opcode = 2 - u8::from(text);
        let message = if text { words(length, dice) } else { dice.bytes(length) };
        script.fragments(PACKED | opcode, &compressor.message(&message), dice);
        declined.fragments(opcode, &message, dice);
        messages.push((opcode, message));
    }
    if lies {
        let length = dice.pick(&[10, 1000, 20_000]);
        let message = [words(length, dice), b"\xFF".to_vec()].concat();
        let payload = compressor.message(&message);
        for (script, first, payload) in
            [(&mut script, PACKED | 1, &payload), (&mut declined, 1, &message)]
        {
            script.say(true, first, payload, dice);
            script.owed = Owed::CodeOrCut(1007, Frame::plain(true, first, payload).encode());
        }
        messages.push((1, message));
        script.expanded = Some((messages, Vec::new()));
    } else {
        let before = script.expect.len();
        script.close(dice);
        script.expanded = Some((messages, script.expect[before..].to_vec()));
        declined.close(dice);
    }
    script.declined = Some(Box::new(declined));
    script
}

/// One that begins a message in fragments and does not go on, but lives.
pub fn draw_holder(dice: &mut Dice) -> Script {
    let mut script = Script::new("holder");
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let head = HELLO.strip_suffix("\r\n").expect("a whole head");
    script.hello = [head, offer].concat().into();
    let begun = Compressor::new(6, 15, false).message(&dice.bytes(50));
    script.say(false, PACKED | 2, &begun, dice);
    script.expect = Frame::plain(false, PACKED | 2, &begun).encode();
    script.pauses.push((script.frames.len(), Duration::from_secs(1000)));
    script.frames.extend([0x80, 0x80, 0, 0, 0, 0]);
    script.packs = true;
    script.owed = Owed::Mercy;
    script.life = Some(Duration::from_secs(300));
    script.limit = Duration::from_secs(400);
    script
}

/// Adds a message with a block of the type that there is not (RFC 1951 §3.2.3).
fn lie(script: &mut Script, compressor: &mut Compressor, dice: &mut Dice) {
    let length = dice.pick(&[1, 50, 3000, 40_000]);
    let good = compressor.message(&dice.bytes(length));
    let payload = [&good[..], &[0, 0, 0xFF, 0xFF, 7]].concat();
    script.say(true, PACKED | 2, &payload, dice);
    script.owed = Owed::CodeOrCut(1007, Frame::plain(true, PACKED | 2, &payload).encode());
}
