//! Clients that compress: a mixture of packed and plain messages, all of which come back.

use crate::compress::Compressor;
use crate::dice::Dice;
use crate::naive::Frame;
use crate::script::{HELLO, Owed, Script, words};

/// RSV1, above an opcode (RFC 7692 §6).
const PACKED: u8 = 0x40;
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
