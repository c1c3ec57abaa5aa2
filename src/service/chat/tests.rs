use std::time::Duration;

use serde_json::Value;

use super::super::Effect;
use super::*;

/// A chat and what its users were told, in order.
struct Stage {
    chat: Chat,
    now: Now,
    effects: Effects,
}

fn id(index: usize) -> ConnId {
    ConnId::new(index, 0)
}

/// An object's fields, without the time.
fn brief(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::Object(mut object)) => {
            assert!(object.remove("time").is_some(), "no time in {text}");
            Value::Object(object).to_string()
        }
        _ => text.to_owned(),
    }
}

impl Stage {
    fn new(users: usize) -> Self {
        let mut stage =
            Self { chat: Chat::default(), now: Now::default(), effects: Effects::default() };
        for user in 0..users {
            stage.chat.open(id(user), "", "", stage.now, &mut stage.effects);
        }
        stage.told();
        stage
    }

    fn say(&mut self, user: usize, text: &str) {
        self.now.monotonic += Duration::from_millis(100);
        self.chat.message(id(user), Kind::Text, text.as_bytes(), self.now, &mut self.effects);
    }

    fn nick(&mut self, user: usize, name: &str) -> Vec<(usize, String)> {
        self.say(user, &format!(r#"{{"type":"nick","username":{}}}"#, Value::from(name)));
        self.told()
    }

    /// What was said since the last look: to whom, and what.
    fn told(&mut self) -> Vec<(usize, String)> {
        if self.effects.take_due(self.now.monotonic) {
            self.chat.end_of_turn(self.now, &mut self.effects);
        }
        let text = |frame: &[u8]| {
            let head_bytes = if frame[1] < 126 { 2 } else { 4 };
            assert_eq!(frame[0], 0x81);
            brief(std::str::from_utf8(&frame[head_bytes..]).unwrap())
        };
        self.effects
            .take()
            .into_iter()
            .map(|effect| match effect {
                Effect::Send(id, frame) => (id.index(), text(&frame)),
                Effect::Close(id, code, reason) => {
                    (id.index(), format!("{} {reason}", code.number()))
                }
                Effect::Wake(_) => unreachable!("services have no mailboxes"),
            })
            .collect()
    }
}

fn error(message: &str) -> String {
    format!(r#"{{"message":"{message}","type":"error"}}"#)
}

#[test]
fn who_comes_is_welcomed_and_announced() {
    let mut stage = Stage::new(2);
    stage.chat.open(id(2), "", "", stage.now, &mut stage.effects);
    let joined = r#"{"message":"Anonymous joined, 3 user(s) online","type":"system"}"#;
    let welcome = r#"{"message":"Welcome! 3 user(s) online","type":"system"}"#;
    let expected = [(2, welcome), (0, joined), (1, joined)].map(|(to, text)| (to, text.to_owned()));
    assert_eq!(stage.told(), expected);
}

#[test]
fn who_goes_is_announced_by_name() {
    let mut stage = Stage::new(3);
    stage.nick(1, "Bob");
    stage.chat.close(id(1), stage.now, &mut stage.effects);
    let left = r#"{"message":"Bob left, 2 user(s) online","type":"system"}"#;
    assert_eq!(stage.told(), [(0, left.to_owned()), (2, left.to_owned())]);
    stage.say(1, r#"{"message":"I am a ghost"}"#);
    stage.chat.close(id(1), stage.now, &mut stage.effects);
    assert_eq!(stage.told(), []);
}

#[test]
fn everybody_gets_a_message_in_one_order() {
    let mut stage = Stage::new(3);
    stage.say(1, r#"{"username":"Bob","message":"one"}"#);
    stage.say(2, r#"{"message":"two"}"#);
    let told = stage.told();
    let one = r#"{"message":"one","type":"chat","username":"Bob"}"#;
    let two = r#"{"message":"two","type":"chat","username":"Anonymous"}"#;
    for user in 0..3 {
        let heard: Vec<_> = told.iter().filter(|(to, _)| *to == user).map(|(_, t)| t).collect();
        assert_eq!(heard, [one, two]);
    }
}

#[test]
fn text_that_is_no_json_is_echoed_to_its_sender_alone() {
    let mut stage = Stage::new(2);
    let deep = "[".repeat(10_000);
    for text in ["hello", "{\"message\":", "", "{\"a\":1}x", &deep] {
        stage.say(0, text);
        assert_eq!(stage.told(), [(0, format!("Echo: {text}"))]);
    }
}

#[test]
fn what_is_not_understood_is_an_error_for_its_sender_alone() {
    let mut stage = Stage::new(2);
    let cases = [
        ("5", "an object is expected"),
        ("[]", "an object is expected"),
        ("{}", "message is missing, or not a string"),
        (r#"{"message":5}"#, "message is missing, or not a string"),
        (r#"{"message":" \u0007 "}"#, "message is empty"),
        (r#"{"username":5,"message":"x"}"#, "username is not a string"),
        (r#"{"username":"","message":"x"}"#, "a name has 1 to 32 characters"),
        (r#"{"type":"shout","message":"x"}"#, "type is none of chat, nick, private, who"),
        (r#"{"type":7,"message":"x"}"#, "type is not a string"),
        (r#"{"type":"nick"}"#, "username is missing, or not a string"),
        (
            r#"{"type":"nick","username":"a\u0000b"}"#,
            "a name has no control or invisible characters",
        ),
        (r#"{"type":"private","message":"x"}"#, "to is missing, or not a string"),
        (r#"{"type":"private","to":"Bob","message":"x"}"#, "nobody here has that name"),
        (r#"{"type":"private","to":"Anonymous","message":"x"}"#, "nobody here has that name"),
        (r#"{"message":1e999999,"type":"chat"}"#, ""),
    ];
    for (text, message) in cases {
        stage.say(0, text);
        let told = stage.told();
        assert_eq!(told.len(), 1, "{text}");
        assert_eq!(told[0].0, 0, "{text}");
        if !message.is_empty() {
            assert_eq!(told[0].1, error(message), "{text}");
        }
    }
    stage.chat.message(id(0), Kind::Binary, b"{}", stage.now, &mut stage.effects);
    assert_eq!(stage.told(), [(0, error("binary messages are not understood here"))]);
}

#[test]
fn names_are_unique_in_a_room() {
    let mut stage = Stage::new(2);
    let told = stage.nick(0, " Ada ");
    let notice = r#"{"message":"Anonymous is now Ada","type":"system"}"#;
    assert_eq!(told[0], (0, r#"{"type":"nick","username":"Ada"}"#.to_owned()));
    assert_eq!(told[1], (1, notice.to_owned()));
    for name in ["Ada", "ADA"] {
        assert_eq!(stage.nick(1, name), [(1, error("that name is taken"))]);
    }
    // Nobody speaks under another's name either, but under any other.
    stage.say(1, r#"{"username":"ada","message":"x"}"#);
    assert_eq!(stage.told(), [(1, error("that name is taken"))]);
    assert_eq!(stage.nick(0, "ada").len(), 2, "one's own name is free");
    assert_eq!(stage.nick(0, "ada").len(), 1, "and what is no change is not announced");
    stage.chat.open(id(2), "den", "", stage.now, &mut stage.effects);
    stage.told();
    assert_eq!(stage.nick(2, "Ada").len(), 1, "another room has its own names");
    stage.chat.close(id(0), stage.now, &mut stage.effects);
    stage.told();
    let taken = [(1, r#"{"type":"nick","username":"Ada"}"#.to_owned())];
    assert_eq!(stage.nick(1, "Ada"), taken, "a name is free when its owner has gone");
}

#[test]
fn private_messages_reach_one_user_and_are_confirmed() {
    let mut stage = Stage::new(3);
    stage.nick(0, "Ada");
    stage.nick(2, "Eve");
    stage.say(0, r#"{"type":"private","to":"eve","message":"psst"}"#);
    let text = r#"{"from":"Ada","message":"psst","to":"Eve","type":"private"}"#;
    assert_eq!(stage.told(), [(2, text.to_owned()), (0, text.to_owned())]);
    stage.say(0, r#"{"type":"private","to":"Ada","message":"note"}"#);
    assert_eq!(stage.told().len(), 1, "once to oneself");
}

#[test]
fn who_lists_the_room_only() {
    let mut stage = Stage::new(2);
    stage.nick(1, "Bob");
    stage.chat.open(id(2), "den", "", stage.now, &mut stage.effects);
    stage.told();
    stage.say(0, r#"{"type":"who"}"#);
    let list = r#"{"count":2,"type":"who","users":["Anonymous","Bob"]}"#;
    assert_eq!(stage.told(), [(0, list.to_owned())]);
    stage.say(2, r#"{"message":"alone"}"#);
    assert_eq!(stage.told().iter().map(|(to, _)| *to).collect::<Vec<_>>(), [2]);
}

#[test]
fn who_speaks_too_fast_is_told_once_and_then_ended() {
    let mut stage = Stage::new(2);
    let hurry = |stage: &mut Stage| {
        let now = stage.now;
        stage.chat.message(id(0), Kind::Text, b"x", now, &mut stage.effects);
        stage.told()
    };
    let mut last = Vec::new();
    let mut warnings = 0;
    for _ in 0..2000 {
        last = hurry(&mut stage);
        warnings += usize::from(last == [(0, error("slow down: 10 messages a second"))]);
        if last.iter().any(|(_, text)| text.starts_with("1008")) {
            break;
        }
    }
    assert_eq!(last, [(0, "1008 too many messages".to_owned())]);
    assert_eq!(warnings, 1);
}

#[test]
fn json_is_kept_to_a_bounded_depth_and_skipped_to_any() {
    let mut stage = Stage::new(1);
    let nested = |name, levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"message":"x","{name}":{open}{close}}}"#)
    };
    let text = r#"{"message":"x","type":"chat","username":"Anonymous"}"#;
    for more in [nested("more", 8000), nested("to", 126)] {
        stage.say(0, &more);
        assert_eq!(stage.told(), [(0, text.to_owned())]);
    }
    let text = nested("to", 127);
    stage.say(0, &text);
    assert_eq!(stage.told(), [(0, format!("Echo: {text}"))]);
}

#[test]
fn json_that_means_trouble_elsewhere() {
    let mut stage = Stage::new(2);
    stage.nick(0, "Ada");
    let digits = format!(r#"{{"message":{}}}"#, "9".repeat(16_000));
    for text in [r#"{"message":-1e999999}"#, r#"{"message":"\ud800"}"#, &digits] {
        stage.say(1, text);
        assert_eq!(stage.told(), [(1, format!("Echo: {text}"))]);
    }
    stage.say(1, r#"{"message":18446744073709551616}"#);
    assert_eq!(stage.told(), [(1, error("message is missing, or not a string"))]);
    // The last field counts for the check as for what is said.
    stage.say(1, r#"{"username":"Bob","message":"a","username":"Ada","message":"b"}"#);
    assert_eq!(stage.told(), [(1, error("that name is taken"))]);
    stage.say(1, r#"{"username":"Ada","message":"a","username":"Bob","message":"b"}"#);
    let text = r#"{"message":"b","type":"chat","username":"Bob"}"#.to_owned();
    assert_eq!(stage.told(), [(0, text.clone()), (1, text)]);
    // No message can add a field to the object that carries it.
    stage.say(1, r#"{"message":"\",\"type\":\"system"}"#);
    let told = stage.told();
    assert!(told[0].1.contains(r#""type":"chat""#), "{told:?}");
}

/// Issue 8, 7: each of a crowd that ends at once was announced to all who were still there.
#[test]
fn who_end_together_are_told_of_together() {
    const CROWD: usize = 1000;
    let mut stage = Stage::new(CROWD + 2);
    stage.nick(0, "Ann");
    for user in 1..CROWD {
        stage.chat.close(id(user), stage.now, &mut stage.effects);
        assert_eq!(stage.effects.take(), [], "nothing before the turn ends");
    }
    let left = r#"{"message":"Anonymous and 998 others left, 3 user(s) online","type":"system"}"#;
    assert_eq!(stage.told(), [0, CROWD, CROWD + 1].map(|user| (user, left.to_owned())));
    for user in 0..CROWD {
        stage.chat.open(id(user), "den", "", stage.now, &mut stage.effects);
    }
    assert_eq!(stage.effects.take().len(), CROWD, "welcomes");
    assert_eq!(stage.told().len(), CROWD, "one notice for each");
}

/// A crowd that comes one by one is told of ten times, and then five times a second.
#[test]
fn news_has_an_allowance_of_its_own() {
    let mut stage = Stage::new(1);
    let mut notices = 0;
    for user in 1..=100 {
        stage.chat.open(id(user), "", "", stage.now, &mut stage.effects);
        notices += stage.told().iter().filter(|(to, _)| *to == 0).count();
    }
    assert_eq!(notices, 10);
    let due = stage.effects.due().expect("the rest is told later");
    assert_eq!(due, Duration::from_millis(200));
    stage.now.monotonic = due;
    let told = stage.told();
    assert_eq!(told.len(), 101);
    let rest =
        r#"{"message":"Anonymous and 89 others joined, 101 user(s) online","type":"system"}"#;
    assert!(told.iter().all(|(_, text)| text == rest), "{}", told[0].1);
    assert_eq!(stage.effects.due(), None);
}

#[test]
fn who_comes_with_a_name_comes_under_it_and_who_goes_unseen_leaves_no_word() {
    let mut stage = Stage::new(1);
    stage.chat.open(id(1), "", "", stage.now, &mut stage.effects);
    stage.chat.open(id(2), "", "", stage.now, &mut stage.effects);
    stage.say(1, r#"{"type":"nick","username":"Bob"}"#);
    stage.chat.close(id(2), stage.now, &mut stage.effects);
    let told = stage.told();
    let joined = r#"{"message":"Bob joined, 2 user(s) online","type":"system"}"#;
    assert_eq!(told.last(), Some(&(0, joined.to_owned())));
    assert_eq!(told.len(), 4, "two welcomes and a nick: {told:?}");
    // Whoever had another name until a moment ago leaves under the one that the others know.
    stage.say(1, r#"{"type":"nick","username":"Robert"}"#);
    stage.chat.close(id(1), stage.now, &mut stage.effects);
    let left = r#"{"message":"Bob left, 1 user(s) online","type":"system"}"#;
    assert_eq!(stage.told().last(), Some(&(0, left.to_owned())));
}

#[test]
fn who_speaks_has_come_before() {
    let mut stage = Stage::new(1);
    stage.chat.open(id(1), "", "", stage.now, &mut stage.effects);
    stage.say(1, r#"{"message":"hi"}"#);
    let told = stage.told();
    let heard: Vec<_> = told.iter().filter(|(to, _)| *to == 0).map(|(_, text)| text).collect();
    assert!(heard[0].contains("joined") && heard[1].contains("hi"), "{heard:?}");
    assert_eq!(heard.len(), 2);
}

/// Issue 8, 14: names that look the same were different ones.
#[test]
fn names_that_look_the_same_are_taken() {
    let mut stage = Stage::new(2);
    stage.nick(0, "Zo\u{eb} Lee");
    for name in ["ZOE\u{308} LEE", "Zo\u{eb}\u{a0}Lee", "Zo\u{eb}\u{fe0f} Lee"] {
        assert_eq!(stage.nick(1, name), [(1, error("that name is taken"))], "{name:?}");
        stage.say(1, &format!(r#"{{"username":{},"message":"x"}}"#, Value::from(name)));
        assert_eq!(stage.told(), [(1, error("that name is taken"))], "{name:?}");
    }
    for name in ["Zo\u{eb}\u{34f} Lee", "Zo\u{eb} Lee\u{3164}", "Zo\u{eb}\u{e0100} Lee"] {
        let unseen = "a name has no control or invisible characters";
        assert_eq!(stage.nick(1, name), [(1, error(unseen))], "{name:?}");
    }
    stage.say(1, r#"{"type":"private","to":"zoe\u0308  lee","message":"x"}"#);
    assert_eq!(stage.told().len(), 2, "and who writes to one finds the other");
}

/// Issue 8, 14: after a reconnect one's own ghost held one's name.
#[test]
fn a_name_is_taken_over_from_one_s_own_ghost_only() {
    let mut stage = Stage::new(3);
    let nick = |stage: &mut Stage, user, more: &str| {
        stage.say(user, &format!(r#"{{"type":"nick","username":"Ann"{more}}}"#));
        stage.told()
    };
    let taken = |user| [(user, error("that name is taken"))];
    let key = r#","key":"0123456789abcdef""#;
    let other_key = r#","key":"0123456789abcdeF""#;
    nick(&mut stage, 0, key);
    assert_eq!(nick(&mut stage, 1, ""), taken(1));
    assert_eq!(nick(&mut stage, 1, other_key), taken(1));
    let told = nick(&mut stage, 1, key);
    let back = r#"{"message":"Ann is back, 2 user(s) online","type":"system"}"#;
    assert_eq!(told[0], (0, "1000 your name was taken over with its key".to_owned()));
    assert_eq!(told[1], (1, r#"{"type":"nick","username":"Ann"}"#.to_owned()));
    assert_eq!(told[2..], [(2, back.to_owned())]);
    // The ghost has gone without a word of its own, and has nothing to say any more.
    stage.chat.close(id(0), stage.now, &mut stage.effects);
    stage.say(0, r#"{"message":"boo"}"#);
    assert_eq!(stage.told(), []);
    // A name without a key belongs to whoever has it.
    nick(&mut stage, 1, "");
    assert_eq!(nick(&mut stage, 2, key), taken(2));
    assert_eq!(nick(&mut stage, 2, ""), taken(2));
    // Nor does a key count for another name, or once its owner has another one.
    nick(&mut stage, 1, key);
    stage.nick(1, "Eve");
    assert_eq!(nick(&mut stage, 2, key).len(), 2, "free again");
    stage.say(1, &format!(r#"{{"type":"nick","username":"Ann"{other_key}}}"#));
    assert_eq!(stage.told(), taken(1));
    for (more, fault) in
        [(r#","key":5"#, "key is not a string"), (r#","key":"x""#, "a key has 16 to 128 bytes")]
    {
        assert_eq!(nick(&mut stage, 1, more), [(1, error(fault))]);
    }
}

#[test]
fn a_full_room_refuses() {
    use crate::limits::ROOM_MEMBERS_MAX;

    let mut stage = Stage::new(ROOM_MEMBERS_MAX);
    stage.chat.open(id(ROOM_MEMBERS_MAX), "", "", stage.now, &mut stage.effects);
    assert_eq!(stage.told(), [(ROOM_MEMBERS_MAX, "1013 room is full".to_owned())]);
    stage.say(ROOM_MEMBERS_MAX, r#"{"message":"hello?"}"#);
    stage.chat.close(id(ROOM_MEMBERS_MAX), stage.now, &mut stage.effects);
    assert_eq!(stage.told(), []);
}
