use super::*;
use crate::load::dice::Dice;
use crate::load::errors::Errors;
use crate::load::payload::Content;
use crate::load::script::Recipe;
use crate::load::sizes::{Part, Sizes};
use crate::ws::deflater::Deflater;
use crate::ws::head::write_server_head;
use crate::ws::offer::Agreed;

fn recipe(content: Content) -> Recipe {
    let sizes = Sizes::mix(vec![Part { share: 1.0, least: 0, most: 300 }]).expect("a range");
    Recipe { sizes, content, fragments: 1, bare: false, seed: 7 }
}

fn desk(content: Content, verify: bool) -> Desk {
    Desk::new(Script::new(&recipe(content), None), verify)
}

/// A frame of a server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::Binary;
    let mut head = [0; 14];
    let length = write_server_head(
        &mut head,
        First { fin: true, compressed: false, opcode },
        payload.len() as u64,
    );
    head[0] = first;
    [&head[..length], payload].concat()
}

/// What the echoes of some messages are, each in a frame.
fn echoes(desk: &Desk, messages: &[usize]) -> Vec<u8> {
    let echo = |at: &usize| frame(0x81, desk.script.payload(*at));
    messages.iter().flat_map(echo).collect()
}

/// What became of bytes that came in pieces: how many messages were answered, and errors by kind.
fn fed(desk: &mut Desk, pieces: &[&[u8]], in_flight: usize) -> (usize, Vec<(Kind, u64)>) {
    let mut receiver = Receiver::new(0, desk.agreed.is_some());
    let (mut answered, mut pongs) = (0, Vec::new());
    desk.errors = Errors::default();
    for piece in pieces {
        let heard = receiver.feed(piece, in_flight - answered, desk, &mut pongs);
        answered += heard.messages;
        if heard.broken || heard.close.is_some() {
            break;
        }
    }
    let mut kinds: Vec<_> = desk.errors.kinds().map(|(kind, count, _)| (kind, count)).collect();
    if receiver.lost() > 0 {
        kinds.push((Kind::Lost, receiver.lost()));
    }
    (answered, kinds)
}

/// The same whether the bytes come at once, one by one, or in pieces of any size.
fn verdict(desk: &mut Desk, bytes: &[u8], in_flight: usize) -> (usize, Vec<(Kind, u64)>) {
    let whole = fed(desk, &[bytes], in_flight);
    let mut dice = Dice::new(3);
    for most in [1, 2, 7, 100] {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(1 + dice.below(most) as usize));
            pieces.push(piece);
            rest = behind;
        }
        assert_eq!(fed(desk, &pieces, in_flight), whole, "pieces of up to {most}");
    }
    whole
}

#[test]
fn right_echoes_have_no_errors_however_they_come() {
    for content in [Content::Text, Content::Json] {
        let mut desk = desk(content, true);
        let bytes = echoes(&desk, &(0..50).collect::<Vec<_>>());
        assert_eq!(verdict(&mut desk, &bytes, 60), (50, vec![]));
    }
}

#[test]
fn an_echo_may_come_in_more_frames_than_were_sent() {
    let mut desk = desk(Content::Text, true);
    let payload = desk.script.payload(0).to_vec();
    let (left, right) = payload.split_at(payload.len() / 2);
    let bytes = [frame(0x01, left), frame(0x89, b"?"), frame(0x80, right)].concat();
    assert_eq!(verdict(&mut desk, &bytes, 1), (1, vec![]));
    assert!(desk.pings > 0);
}

/// Each fault of a server among the echoes of ten messages: what is counted, and how many of the
/// messages are settled.
#[test]
fn faults_are_told_apart() {
    let mut desk = desk(Content::Text, true);
    let echo = |desk: &Desk, at| echoes(desk, &[at]);
    let around = |desk: &Desk, middle: Vec<u8>, behind: &[usize]| {
        [echoes(desk, &[0, 1, 2]), middle, echoes(desk, behind)].concat()
    };
    // A message that is long enough to be cut, and comes fourth.
    let third = desk.script.payload(3).to_vec();
    assert!(third.len() > 10);
    let mut flipped = third.clone();
    flipped[5] ^= 1;
    let rest = [4, 5, 6, 7, 8, 9];
    let cases: Vec<(&str, Vec<u8>, usize, Vec<(Kind, u64)>)> = vec![
        ("flip", around(&desk, frame(0x81, &flipped), &rest), 10, vec![(Kind::Payload, 1)]),
        ("type", around(&desk, frame(0x82, &third), &rest), 10, vec![(Kind::Type, 1)]),
        ("short", around(&desk, frame(0x81, &third[..9]), &rest), 10, vec![(Kind::Boundary, 1)]),
        (
            "long",
            around(&desk, frame(0x81, &[&third[..], b"more"].concat()), &rest),
            10,
            vec![(Kind::Boundary, 1)],
        ),
        ("swap", around(&desk, echoes(&desk, &[4, 3]), &rest[1..]), 10, vec![(Kind::Order, 1)]),
        ("drop", around(&desk, vec![], &rest), 10, vec![(Kind::Lost, 1)]),
        ("drop two", around(&desk, vec![], &rest[1..]), 10, vec![(Kind::Lost, 2)]),
        ("again", around(&desk, echoes(&desk, &[3, 3]), &rest), 10, vec![(Kind::Duplicate, 1)]),
        (
            "again later",
            around(&desk, echoes(&desk, &[3, 1]), &rest),
            10,
            vec![(Kind::Duplicate, 1)],
        ),
        ("foreign", around(&desk, echo(&desk, 100), &rest), 10, vec![(Kind::Foreign, 1)]),
        ("masked", around(&desk, vec![0x81, 0x80], &[]), 3, vec![(Kind::Protocol, 1)]),
        ("reserved", around(&desk, vec![0xC1], &[]), 3, vec![(Kind::Protocol, 1)]),
    ];
    for (what, bytes, settled, errors) in cases {
        assert_eq!(verdict(&mut desk, &bytes, 10), (settled, errors), "{what}");
    }
}

#[test]
fn what_answers_nothing_is_unsolicited() {
    let mut desk = desk(Content::Text, true);
    let bytes = [echoes(&desk, &[0]), frame(0x81, b"welcome!")].concat();
    assert_eq!(verdict(&mut desk, &bytes, 1), (1, vec![(Kind::Unsolicited, 1)]));
    let again = echoes(&desk, &[0, 0]);
    assert_eq!(verdict(&mut desk, &again, 1), (1, vec![(Kind::Duplicate, 1)]));
}

#[test]
fn without_verification_messages_are_only_counted() {
    let mut desk = desk(Content::Text, false);
    let bytes = [frame(0x82, b"anything"), frame(0x81, b""), frame(0x81, b"more")].concat();
    assert_eq!(verdict(&mut desk, &bytes, 2), (2, vec![(Kind::Unsolicited, 1)]));
}

#[test]
fn pings_are_answered_with_what_they_say() {
    let mut desk = desk(Content::Text, true);
    let mut pongs = Vec::new();
    let bytes = [frame(0x89, b"tick"), frame(0x8A, b""), echoes(&desk, &[0])].concat();
    let heard = Receiver::new(0, false).feed(&bytes, 1, &mut desk, &mut pongs);
    assert_eq!((heard.messages, desk.pings, desk.errors.total()), (1, 1, 0));
    let key: Vec<u8> = pongs[2..6].to_vec();
    let plain: Vec<u8> =
        pongs[6..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    assert_eq!((&pongs[..2], &plain[..]), (&[0x8A, 0x84][..], &b"tick"[..]));
}

#[test]
fn a_close_is_put_into_words() {
    let mut desk = desk(Content::Text, true);
    let cases = [
        (&b""[..], "Close without a code"),
        (b"\x03\xe9bye\n", "Close 1001 \"bye\\n\""),
        (b"\x03", "a bad Close: close body of one byte"),
    ];
    for (body, words) in cases {
        let bytes = frame(0x88, body);
        let heard = Receiver::new(0, false).feed(&bytes, 1, &mut desk, &mut Vec::new());
        assert_eq!(heard.close.as_deref(), Some(words));
    }
}

/// Compressed echoes, plain ones between them, and one that is damaged.
#[test]
fn compressed_echoes_are_inflated_and_compared() {
    for takeover in [false, true] {
        let window = WindowBits::MAX;
        let agreed =
            Agreed { client_takeover: takeover, server_takeover: takeover, client_window: window };
        let mut desk = Desk::new(Script::new(&recipe(Content::Json), Some(agreed)), true);
        desk.agreed = Some(agreed);
        let mut deflater = Deflater::new(window);
        let mut bytes = Vec::new();
        for at in 0..30 {
            if !takeover {
                deflater.reset();
            }
            if at % 5 == 4 {
                bytes.extend(echoes(&desk, &[at]));
            } else {
                let compressed = deflater.message(desk.script.payload(at));
                bytes.extend(frame(0xC1, &compressed));
            }
        }
        assert_eq!(verdict(&mut desk, &bytes, 40), (30, vec![]), "takeover {takeover}");
        let corrupt = frame(0xC1, &[0xFF; 20]);
        assert_eq!(verdict(&mut desk, &corrupt, 1), (0, vec![(Kind::Inflate, 1)]));
        let mut other = Deflater::new(window);
        let wrong = frame(0xC1, &other.message(b"something else"));
        assert_eq!(verdict(&mut desk, &wrong, 1), (1, vec![(Kind::Payload, 1)]));
    }
}

/// Which messages a cycle has, as frames and as echoes.
#[test]
fn a_script_is_what_a_server_gets_and_gives_back() {
    for fragments in [1, 3] {
        let recipe = Recipe { fragments, ..recipe(Content::Text) };
        let script = Script::new(&recipe, None);
        assert_eq!(script.count(), 128);
        let (frames, messages) = script.batch(120, 100);
        assert_eq!(messages, 100, "a batch goes on behind the end of the cycle");
        let (behind, first) = (script.batch(120, 8).0.end, script.batch(0, 92).0);
        assert_eq!(script.frames()[behind..frames.end], script.frames()[first], "where it began");
        assert_eq!(script.after(120, 100), 92);
        let around: usize = (120..220).map(|at| script.payload(at % 128).len()).sum();
        assert_eq!(script.payload_bytes(120, 100), around as u64);
        let (frames, _) = script.batch(0, 1);
        let first = &script.frames()[frames];
        assert_eq!(first[0], if fragments == 1 { 0x81 } else { 0x01 });
        assert_eq!(Script::new(&recipe, None).frames(), script.frames(), "from the seed");
        assert_ne!(script.start(1), script.start(2));
    }
}

/// A desk for a bare echo, and all bytes that come back of a cycle.
fn bare(verify: bool) -> (Desk, Vec<u8>) {
    let script = Script::new(&Recipe { bare: true, fragments: 2, ..recipe(Content::Text) }, None);
    let bytes = script.frames()[script.batch(0, script.count()).0].to_vec();
    (Desk::new(script, verify), bytes)
}

#[test]
fn a_bare_echo_is_a_stream_of_bytes_in_which_messages_are_counted() {
    for verify in [true, false] {
        let (mut desk, bytes) = bare(verify);
        let count = desk.script.count();
        assert_eq!(verdict(&mut desk, &bytes, count), (count, vec![]));
        // Behind the last message the first comes again.
        let twice = bytes.repeat(2);
        assert_eq!(verdict(&mut desk, &twice, 2 * count), (2 * count, vec![]));
        // What is not whole answers nothing yet.
        assert_eq!(verdict(&mut desk, &bytes[..bytes.len() - 1], count), (count - 1, vec![]));
        let extra = (count, vec![(Kind::Unsolicited, 1)]);
        assert_eq!(verdict(&mut desk, &twice[..=bytes.len()], count), extra);
    }
}

#[test]
fn a_wrong_byte_of_a_bare_echo_is_told_with_its_place() {
    let (mut desk, bytes) = bare(true);
    let (count, third) = (desk.script.count(), desk.script.batch(0, 2).0.end);
    for at in [0, third, third + 5, bytes.len() - 1] {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        let nth = (0..count).take_while(|nth| desk.script.batch(0, nth + 1).0.end <= at).count();
        assert_eq!(verdict(&mut desk, &wrong, count), (nth, vec![(Kind::Payload, 1)]));
        let said = desk.errors.kinds().next().expect("counted").2.to_owned();
        let (from, length) = (desk.script.batch(0, nth).0.end, desk.script.echo(nth).len());
        let (at, nth) = (at - from, nth + 1);
        assert_eq!(said, format!("byte {at} of the {length} of message {nth} is wrong"));
    }
    let (mut desk, bytes) = bare(false);
    let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
    assert_eq!(verdict(&mut desk, &flipped, count), (count, vec![]), "nothing is compared");
}
