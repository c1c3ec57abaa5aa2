//! The examples of `docs/protocols.md`, said to the services themselves under a clock that stands.
#![cfg(feature = "rooms")]

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use wsecho::budget::Budget;
use wsecho::id::ConnId;
use wsecho::limits::RoomHistory;
use wsecho::service::{Effect, Effects, Kind, MOUNTED, Now, Service};

const PAGE: &str = include_str!("../docs/protocols.md");

/// 2026-01-01T12:00:00Z, an hour after the start.
const NOON: Now =
    Now { monotonic: Duration::from_secs(3600), utc: Duration::from_secs(1_767_268_800) };

/// One fenced block of the page.
struct Example {
    /// The first path segment of its service; stands behind the fence.
    service: &'static str,
    /// Number of its first line.
    line: usize,
    lines: Vec<&'static str>,
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    let mut lines = PAGE.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(service) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        examples.push(Example { service, line: at + 2, lines: body.collect() });
    }
    examples
}

/// A service, those who talk to it, and what it has said that no line has shown yet.
struct Stage {
    service: Box<dyn Service>,
    /// Everybody who ever came; the place is the index of the connection.
    names: Vec<&'static str>,
    said: VecDeque<(&'static str, String)>,
}

impl Stage {
    fn new(service: &str) -> Self {
        let mut mounted = MOUNTED.iter();
        let mounted = mounted.find(|mounted| mounted.path.path.strip_prefix('/') == Some(service));
        let mounted = mounted.unwrap_or_else(|| panic!("no service at /{service}"));
        let service = (mounted.make)(RoomHistory::default(), &Budget::default());
        Self { service, names: Vec::new(), said: VecDeque::new() }
    }

    fn play(&mut self, line: &'static str) {
        if let Some(names) = line.strip_prefix("here: ") {
            return self.gather(names);
        }
        let (times, line) = match line.split_once(" times ") {
            Some((times, rest)) if times.bytes().all(|byte| byte.is_ascii_digit()) => {
                (times.parse().expect("a count"), rest)
            }
            _ => (1, line),
        };
        if let Some(names) = line.strip_suffix(" leave") {
            assert!(self.said.is_empty(), "not shown: {:?}", self.said);
            return self.leave(names.split(", ").map(|name| self.id(name)).collect());
        }
        let end = line.find(|c: char| !c.is_lowercase()).expect("a name and an act");
        let (name, act) = line.split_at(end);
        if !act.starts_with('<') {
            assert!(self.said.is_empty(), "not shown: {:?}", self.said);
        }
        for _ in 0..times {
            self.act(name, act);
        }
    }

    fn act(&mut self, name: &'static str, act: &str) {
        if let Some(expected) = act.strip_prefix("< ") {
            assert_eq!(self.said.pop_front(), Some((name, expected.to_owned())));
        } else if let Some(message) = act.strip_prefix("> ") {
            self.say(name, message, NOON);
        } else if let Some(room) = act.strip_prefix(" joins") {
            self.join(name, room.trim_start());
        } else if act == " leaves" {
            self.leave(vec![self.id(name)]);
        } else {
            panic!("what does {name} do here: {act:?}");
        }
    }

    /// Everybody joins and takes a nickname, which no line has to show: long ago, so that nobody
    /// has spoken too much.
    fn gather(&mut self, names: &'static str) {
        assert!(self.names.is_empty(), "who was here before comes first");
        for name in names.split(", ") {
            self.join(name, "");
            self.say(name, &format!(r#"{{"type":"nick","username":"{name}"}}"#), Now::default());
        }
        self.said.clear();
    }

    fn join(&mut self, name: &'static str, room: &str) {
        assert!(!self.names.contains(&name), "{name} joins once");
        self.names.push(name);
        let id = self.id(name);
        let (room, query) = room.split_once('?').unwrap_or((room, ""));
        self.run(|service, effects| service.open(id, room, query, NOON, effects));
    }

    /// All of them in one turn.
    fn leave(&mut self, ids: Vec<ConnId>) {
        self.run(|service, effects| {
            ids.into_iter().for_each(|id| service.close(id, NOON, effects))
        });
    }

    fn say(&mut self, name: &str, message: &str, now: Now) {
        let id = self.id(name);
        let (kind, payload) = match message.strip_prefix("hex ") {
            None => (Kind::Text, message.as_bytes().to_vec()),
            Some(hex) => (Kind::Binary, hex.split(' ').map(byte).collect()),
        };
        self.run(|service, effects| service.message(id, kind, &payload, now, effects));
    }

    fn id(&self, name: &str) -> ConnId {
        let at = self.names.iter().position(|known| *known == name);
        ConnId::new(at.unwrap_or_else(|| panic!("{name} has not joined")), 0)
    }

    fn run(&mut self, act: impl FnOnce(&mut dyn Service, &mut Effects)) {
        let mut effects = Effects::default();
        act(&mut *self.service, &mut effects);
        if effects.take_due(NOON.monotonic) {
            self.service.end_of_turn(NOON, &mut effects);
        }
        for effect in effects.take() {
            let (id, words) = match effect {
                Effect::Send(id, frame) => (id, words(&frame)),
                Effect::Close(id, code, reason) => {
                    (id, format!("close {} {reason}", code.number()))
                }
                Effect::Wake(_) => unreachable!("services have no mailboxes"),
            };
            self.said.push_back((self.names[id.index()], words));
        }
    }
}

fn byte(hex: &str) -> u8 {
    u8::from_str_radix(hex, 16).expect("two digits")
}

/// A whole frame of the server as the page writes it.
fn words(frame: &[u8]) -> String {
    let payload = match frame[1] {
        length @ 0..=125 => frame[2..].get(..usize::from(length)),
        126 => frame[4..].get(..usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
        head => panic!("longer than any example: {head}"),
    };
    let payload = payload.expect("a whole frame");
    match frame[0] {
        0x81 => String::from_utf8(payload.to_vec()).expect("text is UTF-8"),
        0x82 => payload.iter().fold("hex".to_owned(), |mut hex, byte| {
            write!(hex, " {byte:02x}").expect("a String takes all");
            hex
        }),
        head => panic!("neither text nor binary in one frame: {head:#x}"),
    }
}

#[test]
fn examples_come_out_as_they_stand() {
    // What is told at /status is no conversation: tests/services.rs compares it.
    let conversations = examples().into_iter().filter(|example| example.service != "status");
    for Example { service, line, lines } in conversations {
        let mut stage = Stage::new(service);
        for (at, text) in lines.iter().enumerate() {
            eprintln!("docs/protocols.md:{}: {text}", line + at);
            stage.play(text);
        }
        assert!(stage.said.is_empty(), "not shown: {:?}", stage.said);
    }
}

#[test]
fn each_service_and_each_type_has_an_example() {
    let examples = examples();
    for mounted in MOUNTED {
        let service = mounted.path.path.trim_start_matches('/');
        assert!(examples.iter().any(|example| example.service == service), "{service}");
    }
    let lines = examples.iter().flat_map(|example| &example.lines);
    let received: Vec<&str> = lines.filter_map(|line| Some(line.split_once("< ")?.1)).collect();
    for kind in ["system", "chat", "nick", "private", "who", "error"] {
        let start = format!(r#"{{"type":"{kind}""#);
        assert!(received.iter().any(|line| line.starts_with(&start)), "{kind}");
    }
}
