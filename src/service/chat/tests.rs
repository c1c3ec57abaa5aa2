use std::time::Duration;

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
            stage.chat.open(id(user), "", stage.now, &mut stage.effects);
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
        let text = |frame: &[u8]| {
            let head_bytes = if frame[1] < 126 { 2 } else { 4 };
            assert_eq!(frame[0], 0x81);
            brief(std::str::from_utf8(&frame[head_bytes..]).unwrap())
        };
        self.effects
            .drain()
            .map(|effect| match effect {
                Effect::Send(id, frame) => (id.index(), text(&frame)),
                Effect::Close(id, code, reason) => {
                    (id.index(), format!("{} {reason}", code.number()))
                }
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
    stage.chat.open(id(2), "", stage.now, &mut stage.effects);
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
        (r#"{"type":"nick","username":"a\u0000b"}"#, "a name has no control characters"),
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
    stage.chat.open(id(2), "den", stage.now, &mut stage.effects);
    stage.told();
    assert_eq!(stage.nick(2, "Ada").len(), 1, "another room has its own names");
    stage.chat.close(id(0), stage.now, &mut stage.effects);
    stage.told();
    assert_eq!(stage.nick(1, "Ada").len(), 1, "a name is free when its owner has gone");
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
    stage.chat.open(id(2), "den", stage.now, &mut stage.effects);
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
fn json_is_read_to_a_bounded_depth() {
    let mut stage = Stage::new(1);
    let nested = |levels: usize| {
        let inner = levels - 1;
        format!(r#"{{"message":"x","more":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
    };
    stage.say(0, &nested(127));
    let text = r#"{"message":"x","type":"chat","username":"Anonymous"}"#;
    assert_eq!(stage.told(), [(0, text.to_owned())]);
    for levels in [128, 8000] {
        stage.say(0, &nested(levels));
        assert_eq!(stage.told(), [(0, format!("Echo: {}", nested(levels)))]);
    }
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
