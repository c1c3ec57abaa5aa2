//! Fuzz body for the chat: a script of joins, messages and leaves, held against a plain model.
//!
//! A script has a line for each act: `3+den` joins, `3-` leaves, `3>{…}` says something, `.` ends
//! the turn, and `~250` lets milliseconds pass.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use wsecho::budget::Budget;
use wsecho::id::ConnId;
use wsecho::limits::RoomHistory;
use wsecho::service::{Effect, Effects, Kind, MOUNTED, Now, Service, SharedFrame};
use wsecho::text::is_invisible;

/// What the others should know of somebody.
struct Member {
    id: ConnId,
    room: String,
    name: Option<String>,
}

struct Model {
    service: Box<dyn Service>,
    effects: Effects,
    now: Now,
    /// In the order of coming.
    members: Vec<Member>,
    generation: u32,
    /// When each room will have its whole allowance for notices again.
    notices: BTreeMap<String, Duration>,
    /// What was said to all in each room.
    said: BTreeMap<String, Vec<Vec<u8>>>,
    /// What somebody who comes is still to be told of that.
    replayed: VecDeque<Vec<u8>>,
}

/// What a room keeps by default.
const KEPT_MESSAGES: usize = 50;
const KEPT_BYTES: usize = 64 * 1024;
/// What a message takes beside its bytes, at most.
const MESSAGE_BYTES: usize = 200;

/// Runs a script.
pub fn chat(input: &[u8]) {
    let mounted = MOUNTED.iter().find(|mounted| mounted.path.path == "/chat").expect("a chat");
    let mut model = Model {
        service: (mounted.make)(RoomHistory::default(), &Budget::default()),
        effects: Effects::default(),
        now: Now::default(),
        members: Vec::new(),
        generation: 0,
        notices: BTreeMap::new(),
        said: BTreeMap::new(),
        replayed: VecDeque::new(),
    };
    for line in input.split(|&byte| byte == b'\n') {
        model.act(line);
    }
    while let Some(Member { id, .. }) = model.members.first() {
        model.leave(*id);
    }
    model.now.monotonic += Duration::from_secs(1);
    model.end_turn();
    assert_eq!(model.effects.due(), None, "nobody is there to be told");
}

impl Model {
    fn act(&mut self, line: &[u8]) {
        match line {
            b"." => self.end_turn(),
            [b'~', time @ ..] => {
                let time = std::str::from_utf8(time).ok().and_then(|time| time.parse().ok());
                self.now.monotonic += Duration::from_millis(time.unwrap_or(0_u16).into());
            }
            [user @ b'0'..=b'9', b'+', room @ ..] => {
                self.join(usize::from(*user), &String::from_utf8_lossy(room));
            }
            [user @ b'0'..=b'9', b'-', ..] => {
                if let Some(id) = self.id(*user) {
                    self.leave(id);
                }
            }
            [user @ b'0'..=b'9', b'>', words @ ..] => {
                if let Some(id) = self.id(*user) {
                    self.say(id, words);
                }
            }
            _ => {}
        }
    }

    fn id(&self, user: u8) -> Option<ConnId> {
        let user = usize::from(user);
        self.members.iter().map(|member| member.id).find(|id| id.index() == user)
    }

    fn join(&mut self, user: usize, room: &str) {
        if self.members.iter().any(|member| member.id.index() == user) {
            return;
        }
        self.generation += 1;
        let id = ConnId::new(user, self.generation);
        self.members.push(Member { id, room: room.to_owned(), name: None });
        self.service.open(id, room, "", self.now, &mut self.effects);
        self.judge(id, b"");
    }

    fn leave(&mut self, id: ConnId) {
        self.members.retain(|member| member.id != id);
        let members = &self.members;
        let is_there = |room: &String| members.iter().any(|member| member.room == *room);
        self.notices.retain(|room, _| is_there(room));
        self.said.retain(|room, _| is_there(room));
        self.service.close(id, self.now, &mut self.effects);
        assert!(self.effects.is_empty(), "leaves are told when the turn ends");
    }

    fn say(&mut self, id: ConnId, words: &[u8]) {
        let valid = std::str::from_utf8(words).is_ok();
        let kind = if valid { Kind::Text } else { Kind::Binary };
        self.service.message(id, kind, words, self.now, &mut self.effects);
        self.judge(id, words);
    }

    fn end_turn(&mut self) {
        if self.effects.take_due(self.now.monotonic) {
            self.service.end_of_turn(self.now, &mut self.effects);
            self.judge(ConnId::new(0, 0), b"");
        }
    }

    /// Looks at what is told now, because of `by` and its words.
    fn judge(&mut self, by: ConnId, words: &[u8]) {
        // One frame and all that it is for, in order. Two rooms may say the same, in two frames.
        let mut told: Vec<(Rc<SharedFrame>, Vec<ConnId>)> = Vec::new();
        for effect in self.effects.take() {
            match effect {
                Effect::Send(id, frame) => match told.last_mut() {
                    Some((last, to)) if Rc::ptr_eq(last, &frame) => to.push(id),
                    _ => told.push((frame, vec![id])),
                },
                Effect::Close(id, code, _) => match code.number() {
                    1000 => self.members.retain(|member| member.id != id),
                    code => assert_eq!((id, code), (by, 1008)),
                },
                Effect::Wake(_) => unreachable!("services have no mailboxes"),
            }
        }
        for (frame, to) in told {
            let text = payload(&frame);
            if let Some(expected) = self.replayed.pop_front() {
                assert!(frame[..] == expected && to == [by], "replayed as it was said: {text}");
            } else if let Some(echo) = text.strip_prefix("Echo: ") {
                assert!(echo.as_bytes() == words && to == [by]);
                assert!(!matches!(serde_json::from_str(echo), Ok(Value::Object(_))));
            } else {
                self.judge_object(&text, &to, by);
                if text.starts_with(r#"{"type":"chat""#) {
                    self.remember(&frame, to[0]);
                }
            }
        }
        assert!(self.replayed.is_empty(), "less was replayed than was announced");
    }

    fn remember(&mut self, frame: &[u8], listener: ConnId) {
        let listener = self.members.iter().find(|member| member.id == listener);
        let room = listener.expect("a member").room.clone();
        self.said.entry(room).or_default().push(frame.to_vec());
    }

    /// So many messages are replayed in a room: the last ones, and not too few.
    fn expect_replay(&mut self, room: &str, count: usize) {
        let said = self.said.get(room).map_or(&[][..], Vec::as_slice);
        let (older, last) = said.split_at(said.len() - count);
        let next = last.len() < KEPT_MESSAGES && !older.is_empty();
        let bytes = |said: &[Vec<u8>]| said.iter().map(Vec::len).sum::<usize>();
        assert!(count > 0 && count <= KEPT_MESSAGES && bytes(last) <= KEPT_BYTES);
        let more = &said[older.len().saturating_sub(1)..];
        assert!(!next || bytes(more) + more.len() * MESSAGE_BYTES > KEPT_BYTES, "one more fits");
        self.replayed = last.iter().cloned().collect();
    }

    fn judge_object(&mut self, text: &str, to: &[ConnId], by: ConnId) {
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { panic!("{text}") };
        assert!(text.starts_with("{\"type\":\"") && text.contains(",\"time\":\"1970-01-01T"));
        let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let room = |id| {
            let member = self.members.iter().find(|member| member.id == id);
            &member.unwrap_or_else(|| panic!("{text} to nobody")).room
        };
        let here = room(to[0]).clone();
        assert!(to.iter().all(|id| *room(*id) == here), "{text}: rooms know nothing of each other");
        let present: Vec<&Member> =
            self.members.iter().filter(|member| member.room == here).collect();
        match field("type") {
            "chat" => {
                let all: Vec<ConnId> = present.iter().map(|member| member.id).collect();
                assert!(to == all, "all, in the order of coming");
                judge_name(field("username"));
                judge_message(field("message"));
            }
            "private" => {
                assert!(to.len() <= 2 && to.last() == Some(&by));
                let named = present.iter().find(|member| member.id == to[0]);
                assert_eq!(named.and_then(|member| member.name.as_deref()), Some(field("to")));
                judge_message(field("message"));
            }
            "nick" => {
                assert_eq!(to, [by]);
                let name = field("username").to_owned();
                judge_name(&name);
                for other in present.iter().filter(|member| member.id != by) {
                    let theirs = other.name.as_deref().unwrap_or("Anonymous");
                    assert_ne!(theirs.to_lowercase(), name.to_lowercase());
                }
                let member = self.members.iter_mut().find(|member| member.id == by);
                member.expect("a member").name = Some(name);
            }
            "who" => {
                assert_eq!(to, [by]);
                let names: Vec<&str> = present
                    .iter()
                    .map(|member| member.name.as_deref().unwrap_or("Anonymous"))
                    .collect();
                assert_eq!(object["users"], Value::from(names));
                assert_eq!(object["count"], present.len());
            }
            "history" => {
                assert_eq!(to, [by]);
                let count = object["count"].as_u64().expect("a number");
                self.expect_replay(&here, usize::try_from(count).expect("few"));
            }
            "error" => assert_eq!(to, [by]),
            "system" if field("message").starts_with("Welcome! ") && to == [by] => {}
            "system" => {
                // Ten at once and five a second, and not only to whom it is about.
                let spent = self.notices.entry(here).or_default();
                *spent = (*spent).max(self.now.monotonic) + Duration::from_millis(200);
                assert!(*spent <= self.now.monotonic + Duration::from_secs(2), "{text}");
            }
            other => panic!("{other}"),
        }
    }
}

fn judge_name(name: &str) {
    assert!((1..=32).contains(&name.chars().count()) && name == name.trim(), "{name:?}");
    assert!(!name.contains(is_invisible) && !name.contains("  "), "{name:?}");
}

fn judge_message(message: &str) {
    assert!(!message.trim().is_empty());
    assert!(!message.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{message:?}");
}

/// The payload of a text frame.
fn payload(frame: &[u8]) -> String {
    let (length, payload) = match frame[1] {
        126 => (usize::from(u16::from_be_bytes([frame[2], frame[3]])), &frame[4..]),
        length => (usize::from(length), &frame[2..]),
    };
    assert!(frame[0] == 0x81 && length == payload.len() && length < 64 * 1024);
    String::from_utf8(payload.to_vec()).expect("text is UTF-8")
}
