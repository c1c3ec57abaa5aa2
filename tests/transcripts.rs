//! The conversations in `tests/transcripts/`, on a network in memory: with each send whole, byte
//! by byte, and cut at random. `UPDATE=1` writes down what the server says now.

#[path = "support/loopback.rs"]
mod loopback;
#[path = "support/script.rs"]
mod script;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use loopback::{Client, REQUEST, World};
use script::{ACCEPT, Conversation, Scribe, Step, parse, rewrite};
use wsecho::cli::{self, Invocation};
use wsecho::ending::Ending;
use wsecho::limits::Config;

/// How often each conversation is cut at random.
const RANDOM_CUTS: u64 = 8;

/// Byte by byte is slow for long messages, and shows nothing there that short ones do not.
const SINGLE_BYTES_MAX: usize = 150_000;

/// How a send is cut into segments.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
    Random(u64),
}

impl Cut {
    /// The length of the next segment of `left` bytes.
    fn next(&mut self, left: usize) -> usize {
        match self {
            Self::Whole => left,
            Self::Bytes if left <= SINGLE_BYTES_MAX => 1,
            Self::Bytes => left - SINGLE_BYTES_MAX,
            Self::Random(state) => {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Mostly short segments, some long ones.
                let bits = (*state >> 33) % 15;
                let length = 1 + (*state >> 40) % (1 << bits);
                left.min(usize::try_from(length).expect("at most 2^14"))
            }
        }
    }
}

fn files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| cfg!(feature = "rooms") || !file.ends_with("rooms.txt"));
    files.sort();
    assert!(files.iter().all(|file| file.extension().is_some_and(|e| e == "txt")), "{files:?}");
    files
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

fn config(options: &[String]) -> Config {
    let arguments = options.iter().map(OsString::from);
    match cli::parse(arguments, &|_| None) {
        Ok(Invocation::Serve(options)) => options.config,
        other => panic!("{options:?}: {other:?}"),
    }
}

/// Plays a conversation and returns what stands where something was expected.
fn play(conversation: &Conversation, mut cut: Cut) -> Vec<Vec<String>> {
    let mut world = World::new(config(&conversation.options));
    let client = world.connect(0);
    world.settle();
    let mut heard = Vec::new();
    let mut scribe = Scribe::default();
    let mut told_shut = false;
    let mut told_end = false;
    for step in &conversation.steps {
        match step {
            Step::Open => {
                client.send(REQUEST);
                world.settle();
                client.take(|answer| assert_eq!(answer, ACCEPT));
            }
            Step::Send(bytes) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (segment, behind) = rest.split_at(cut.next(rest.len()));
                    client.send(segment);
                    world.settle();
                    rest = behind;
                }
            }
            Step::Pass(time) => drop(world.pass(*time)),
            Step::Event(event) => happen(event, &mut world, &client),
            Step::Expect(_) => {
                let ended = client.saw_end() && !told_end;
                let ending = ended.then(|| ending(&world));
                let shut = client.saw_fin() && !told_shut;
                heard.push(client.take(|bytes| scribe.write_down(bytes, shut, ending)));
                told_shut |= shut;
                told_end |= ended;
            }
        }
        world.server.check();
    }
    assert!(told_end, "{}: a conversation goes on to its end", conversation.heading);
    heard
}

fn happen(event: &str, world: &mut World, client: &Client) {
    match event {
        "fin" => client.finish(),
        "reset" => client.reset(),
        "room all" => client.set_room(None),
        "sigterm" => world.signal(),
        _ => {
            let room = event.strip_prefix("room ").and_then(|room| room.parse().ok());
            client.set_room(Some(room.unwrap_or_else(|| panic!("! {event}?"))));
        }
    }
    world.settle();
}

fn ending(world: &World) -> &'static str {
    let counts = world.server.metrics().endings;
    assert_eq!(counts.iter().sum::<u64>(), 1, "one connection, one ending");
    let at = counts.iter().position(|count| *count == 1).expect("the sum is 1");
    Ending::ALL[at].word()
}

#[test]
fn conversations_are_as_written() {
    for file in files() {
        let text = fs::read_to_string(&file).expect("readable");
        let conversations = parse(&text);
        assert!(!conversations.is_empty(), "{file:?} is empty");
        let heard: Vec<_> = conversations.iter().map(|c| play(c, Cut::Whole)).collect();
        if updating() {
            fs::write(&file, rewrite(&text, &heard)).expect("writable");
            continue;
        }
        for (conversation, heard) in conversations.iter().zip(&heard) {
            compare(conversation, heard, Cut::Whole);
        }
    }
}

#[test]
fn f20_h36_conversations_do_not_depend_on_segments() {
    // While they are being written down anew there is nothing to compare with.
    let files = if updating() { Vec::new() } else { files() };
    for file in files {
        for conversation in parse(&fs::read_to_string(file).expect("readable")) {
            let cuts = (0..RANDOM_CUTS).map(Cut::Random).chain([Cut::Bytes]);
            for cut in cuts {
                compare(&conversation, &play(&conversation, cut), cut);
            }
        }
    }
}

#[track_caller]
fn compare(conversation: &Conversation, heard: &[Vec<String>], cut: Cut) {
    let expected = conversation.steps.iter().filter_map(|step| match step {
        Step::Expect(lines) => Some(lines),
        _ => None,
    });
    for (at, (expected, heard)) in expected.zip(heard).enumerate() {
        let heading = &conversation.heading;
        assert_eq!(heard, expected, "{heading}, answer {}, cut {cut:?}", at + 1);
    }
}

#[test]
fn what_is_written_is_what_was_heard() {
    let mut scribe = Scribe::default();
    let heard =
        [ACCEPT, &[0x81, 3, b'"', 0xFF, b'\n', 0x82, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let lines = scribe.write_down(&heard, false, None);
    assert_eq!(lines, ["accept", "8103 \"\\\"\" ff \"\\n\"", "820a 00*9"]);
    let lines = scribe.write_down(&[b'x', 0x8A, 0, 0x8A, 0], true, Some("closed"));
    assert_eq!(lines, ["\"x\"", "x2 8a00", "fin", "end closed"]);
    assert_eq!(scribe.write_down(b"", false, None), ["nothing"]);
    let sent = parse("== x\n> x2 8103 \"\\\"\" ff \"\\n\"\n> frame 82 00*3 \"a*\"*2\n< nothing\n");
    let Step::Send(bytes) = &sent[0].steps[0] else { panic!("a send") };
    let text = [0x81, 3, b'"', 0xFF, b'\n'].repeat(2);
    let frame = loopback::frame(0x82, b"\0\0\0a*a*");
    assert_eq!(*bytes, [text, frame].concat());
}
