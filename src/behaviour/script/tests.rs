use super::*;
use crate::service::Kind;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Now {
    Now { monotonic: ms(millis), utc: ms(millis) }
}

fn script(query: &str) -> Script {
    let behaviour = Behaviour::default().with_query(query, &super::super::NAMES).unwrap();
    let facts = Facts {
        id: 1,
        peer: crate::peer::tests::somebody(),
        mirror: behaviour.mirror.then(|| "{}".to_owned()),
    };
    Script::new(Rc::new(behaviour), facts, at(1000), 7)
}

/// A whole message in one piece.
fn say(script: &mut Script, kind: Kind, payload: &[u8], now: u64) {
    let length = payload.len() as u64;
    let begins = Some(kind);
    script.data(Frame { begins, starts: true, ends: true, fin: true, length, payload }, at(now));
}

/// All that is to be done at a time: the bytes, and how it ends if it does.
fn run(script: &mut Script, now: u64) -> (Vec<u8>, Option<Action>) {
    let mut sent = Vec::new();
    while let Some(step) = script.next(ms(now)) {
        match step {
            Action::Send(bytes) => sent.extend(bytes),
            end => return (sent, Some(end)),
        }
    }
    assert!(script.wake().is_none_or(|wake| wake > ms(now)), "it would be asked without end");
    (sent, None)
}

fn sent(script: &mut Script, now: u64) -> Vec<u8> {
    let (bytes, end) = run(script, now);
    assert_eq!(end, None);
    bytes
}

#[test]
fn without_a_template_it_is_an_echo() {
    let mut script = script("welcome=Hi");
    assert_eq!(sent(&mut script, 1000), b"\x81\x02Hi");
    say(&mut script, Kind::Text, b"abc", 1000);
    say(&mut script, Kind::Binary, b"\x00", 1000);
    assert_eq!(sent(&mut script, 1000), b"\x81\x03abc\x82\x01\x00");
    assert_eq!((script.wake(), script.queued()), (None, 0));
}

/// Chance follows from the seed, and with this one it is not nothing five times in a row.
#[test]
fn jitter_delays_and_no_longer_than_it_may() {
    let mut script = script("jitter=1000");
    (0..5).for_each(|_| say(&mut script, Kind::Text, b"abc", 1000));
    assert!(sent(&mut script, 1000).len() < 5 * 5);
    sent(&mut script, 2000);
    assert_eq!(script.queued(), 0);
}

#[test]
fn the_mirror_comes_before_the_welcome() {
    assert_eq!(sent(&mut script("welcome=Hi&mirror"), 1000), b"\x81\x02{}\x81\x02Hi");
}

#[test]
fn templates_stand_around_text_and_leave_binary_alone() {
    let mut script = script("reply=%3C{message}%3E{count}");
    say(&mut script, Kind::Text, b"abc", 1000);
    say(&mut script, Kind::Binary, b"abc", 1000);
    say(&mut script, Kind::Text, b"", 1000);
    assert_eq!(sent(&mut script, 1000), b"\x81\x06<abc>1\x82\x03abc\x81\x03<>3");
}

#[test]
fn replies_stream_with_their_lengths_told_ahead() {
    let mut script = script("reply=%3C{message}%3E");
    let part = |begins, starts, ends, fin, payload| Frame {
        begins,
        starts,
        ends,
        fin,
        length: 4,
        payload,
    };
    script.data(part(Some(Kind::Text), true, false, false, b"ab"), at(1000));
    assert_eq!(sent(&mut script, 1000), b"\x01\x05<ab", "the first frame is longer by the start");
    script.ping(b"p");
    assert_eq!(sent(&mut script, 1000), b"", "no control frame inside a frame");
    script.data(part(None, false, true, false, b"cd"), at(1000));
    assert_eq!(sent(&mut script, 1000), b"cd\x8A\x01p");
    script.data(part(None, true, false, true, b"ef"), at(1000));
    assert_eq!(sent(&mut script, 1000), b"\x80\x05ef", "and the last one by the end");
    script.data(part(None, false, true, true, b"gh"), at(1000));
    assert_eq!(sent(&mut script, 1000), b"gh>");
}

#[test]
fn a_template_without_the_message_hides_it() {
    let mut script = script("reply=pong");
    let long = vec![b'a'; 70_000];
    say(&mut script, Kind::Text, &long, 1000);
    assert_eq!(sent(&mut script, 1000), b"\x81\x04pong");
    // In parts as well, and what follows is not kept waiting.
    let part = |begins, starts, ends, payload| Frame {
        begins,
        starts,
        ends,
        fin: true,
        length: 2,
        payload,
    };
    script.data(part(Some(Kind::Text), true, false, b"a"), at(1000));
    assert_eq!(sent(&mut script, 1000), b"");
    script.data(part(None, false, true, b"b"), at(1000));
    script.ping(b"");
    assert_eq!(run(&mut script, 1000).0.len(), 8);
    assert_eq!(script.rest_of_frame(), Some(vec![]));
}

#[test]
fn a_long_frame_of_a_fragmented_message_does_not_wait_for_ever() {
    let mut script = script("fragment=32768");
    let payload = vec![0; 32_768];
    let begins = Some(Kind::Binary);
    let frame =
        Frame { begins, starts: true, ends: true, fin: false, length: 32_768, payload: &payload };
    script.data(frame, at(1000));
    assert!(script.queued() < crate::limits::SCRIPT_BYTES_SOFT, "more may be read");
}

#[test]
fn small_things_are_counted_with_what_they_cost() {
    let mut script = script("delay=1000");
    for _ in 0..1000 {
        say(&mut script, Kind::Text, b"", 1000);
    }
    assert!(script.queued() >= 1000 * size_of::<Item>());
}

#[test]
fn slow_frames_leave_room_for_control_frames_between_them() {
    let mut script = script("fragment=10&rate=100");
    say(&mut script, Kind::Binary, &[7; 25], 1000);
    assert_eq!(sent(&mut script, 1000), b"\x02\x0A\x07\x07\x07");
    script.ping(b"");
    assert_eq!(sent(&mut script, 1050), [7; 5]);
    assert_eq!(sent(&mut script, 1100), b"\x07\x07\x8A\x00\x00", "a pong takes its time too");
    assert_eq!(sent(&mut script, 1150), b"\x0A\x07\x07\x07\x07");
    assert_eq!(script.rest_of_frame(), Some(vec![7; 6]), "the frame, but not the message");
}

#[test]
fn replies_are_cut_into_frames() {
    let mut script = script("fragment=3&reply=%3C{message}");
    for (payload, expected) in [
        (&b"abcde"[..], &b"\x01\x03<ab\x80\x03cde"[..]),
        (b"abcdef", b"\x01\x03<ab\x00\x03cde\x80\x01f"),
        (b"", b"\x81\x01<"),
    ] {
        say(&mut script, Kind::Text, payload, 1000);
        assert_eq!(sent(&mut script, 1000), expected);
    }
    say(&mut script, Kind::Binary, b"", 1000);
    assert_eq!(sent(&mut script, 1000), b"\x82\x00");
}

#[test]
fn delays_keep_the_order() {
    let mut script = script("delay=100&jitter=50");
    say(&mut script, Kind::Text, b"a", 1000);
    say(&mut script, Kind::Text, b"b", 1010);
    assert_eq!(sent(&mut script, 1099), b"");
    let wake = script.wake().expect("something is due");
    assert!((ms(1100)..ms(1150)).contains(&wake), "{wake:?}");
    assert_eq!(sent(&mut script, 1160), b"\x81\x01a\x81\x01b");
    // Pings are answered at once all the same.
    say(&mut script, Kind::Text, b"c", 1200);
    script.ping(b"");
    assert_eq!(sent(&mut script, 1200), b"\x8A\x00");
}

#[test]
fn a_rate_is_kept_to() {
    let mut script = script("rate=1000");
    say(&mut script, Kind::Binary, &[7; 198], 1000);
    let mut bytes = Vec::new();
    let mut now = 1000;
    let mut steps = 0;
    loop {
        let step = sent(&mut script, now);
        assert!(step.len() <= 50, "50 ms worth of it");
        steps += usize::from(!step.is_empty());
        bytes.extend(step);
        let Some(wake) = script.wake() else { break };
        now = u64::try_from(wake.as_millis()).unwrap();
    }
    assert_eq!((bytes.len(), steps, now), (202, 5, 1200));
}

/// Found by simulation, seed 3706: each of them was given a moment of its own.
#[test]
fn a_rate_is_kept_to_by_small_frames_too() {
    let mut script = script("rate=10000&fragment=1");
    say(&mut script, Kind::Binary, &[7; 400], 1000);
    for (at, bytes) in [(1000, 500), (1050, 500), (1060, 0), (1100, 200), (1110, 0)] {
        assert_eq!(sent(&mut script, at).len(), bytes, "at {at}");
    }
    assert_eq!(script.wake(), None);
}

#[test]
fn pings_come_at_their_distance() {
    let mut script = script("ping=100&no-pong");
    script.ping(b"x");
    assert_eq!(sent(&mut script, 1000), b"");
    assert_eq!(script.wake(), Some(ms(1100)));
    assert_eq!(sent(&mut script, 1100), b"\x89\x00");
    assert_eq!(sent(&mut script, 1450), b"\x89\x00", "one, however late");
    assert_eq!(script.wake(), Some(ms(1550)));
}

#[test]
fn it_ends_at_once_after_some_replies_or_at_a_time() {
    let close = |code| Some(Action::Close(CloseCode::from_wire(code).unwrap(), "why".to_owned()));
    let mut at_once = script("close=4001&reason=why&welcome=Hi");
    assert_eq!(run(&mut at_once, 1000), (b"\x81\x02Hi".to_vec(), close(4001)));
    assert_eq!(run(&mut at_once, 1000), (vec![], None), "once");

    let mut after = script("close=1011&reason=why&after=2&delay=10");
    for (text, now) in [(b"a", 1000), (b"b", 1000), (b"c", 1000)] {
        say(&mut after, Kind::Text, text, now);
    }
    assert_eq!(run(&mut after, 1010), (b"\x81\x01a\x81\x01b".to_vec(), close(1011)));

    let mut timed = script("drop=rst&at=50");
    say(&mut timed, Kind::Text, b"a", 1000);
    assert_eq!(run(&mut timed, 1049), (b"\x81\x01a".to_vec(), None));
    assert_eq!(timed.wake(), Some(ms(1050)));
    assert_eq!(run(&mut timed, 1050), (vec![], Some(Action::Reset)));
    assert_eq!(run(&mut script("drop=fin"), 1000), (vec![], Some(Action::Finish)));
    assert_eq!(run(&mut script("after=1"), 1000), (vec![], None), "an end has to be named");
}

#[test]
fn a_close_waits_for_the_end_of_a_frame() {
    let mut timed = script("close=1000&at=50");
    let part = |starts: bool, ends, payload| {
        let begins = starts.then_some(Kind::Binary);
        Frame { begins, starts, ends, fin: true, length: 4, payload }
    };
    timed.data(part(true, false, b"ab"), at(1000));
    assert_eq!(sent(&mut timed, 1000), b"\x82\x04ab");
    assert_eq!(run(&mut timed, 1060), (vec![], None));
    assert_eq!(timed.rest_of_frame(), None, "nor can another be sent here");
    let mut timed = script("close=1000&at=50");
    timed.data(part(true, false, b"ab"), at(1000));
    assert_eq!(sent(&mut timed, 1000), b"\x82\x04ab");
    timed.data(part(false, true, b"cd"), at(1070));
    let (bytes, end) = run(&mut timed, 1070);
    assert_eq!(bytes, b"cd");
    assert!(matches!(end, Some(Action::Close(..))));
}

#[test]
fn an_end_from_elsewhere_completes_the_frame_on_its_way() {
    let mut slow = script("rate=20");
    say(&mut slow, Kind::Binary, b"abc", 1000);
    say(&mut slow, Kind::Binary, b"def", 1000);
    assert_eq!(sent(&mut slow, 1000), b"\x82");
    assert_eq!(slow.rest_of_frame(), Some(b"\x03abc".to_vec()), "but not what is behind it");
    slow.stop();
    assert_eq!((slow.queued(), slow.wake()), (0, None));
    assert_eq!(script("").rest_of_frame(), Some(vec![]));
}
