//! Replays the committed corpus of each fuzz target, and a fixed number of mutations of it.
#![cfg(all(feature = "deflate", feature = "rooms"))]

#[path = "support/fuzz.rs"]
mod fuzz;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A generator of pseudo-random numbers: the same ones in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// The inputs in `fuzz/corpus/<target>`, by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry of the corpus").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a readable input")))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// A few bytes changed, inserted, removed, doubled or taken from another input.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len());
        let length = random.below(9).min(input.len() - at);
        match random.below(6) {
            0 if !input.is_empty() => input[at] = random.next() as u8,
            1 if !input.is_empty() => input[at] ^= 1 << random.below(8),
            2 => input.insert(at, random.next() as u8),
            3 => drop(input.drain(at..at + length)),
            4 => input.extend_from_within(at..at + length),
            _ => {
                let from = random.below(other.len());
                input.splice(at..at + length, other[from..].iter().copied().take(64));
            }
        }
    }
}

fn replay(target: &str, body: fn(&[u8]), mutations: usize) {
    let corpus = corpus(target);
    for (name, input) in &corpus {
        run(name, body, input);
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for number in 0..mutations {
        let (name, input) = &corpus[random.below(corpus.len())];
        let (_, other) = &corpus[random.below(corpus.len())];
        let mut input = input.clone();
        mutate(&mut input, other, &mut random);
        run(&format!("mutation {number}, of {name}"), body, &input);
    }
}

fn run(name: &str, body: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        let file = std::env::temp_dir().join("wsecho-fuzz-input");
        eprintln!("{name}: see {} ({:?})", file.display(), fs::write(&file, input));
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn request() {
    replay("request", fuzz::request, 6000);
}

#[test]
fn body() {
    replay("body", fuzz::body::body, 20_000);
}

#[test]
fn decode() {
    replay("decode", fuzz::decode, 6000);
}

#[test]
fn connection() {
    replay("connection", fuzz::connection, 3000);
}

#[test]
fn negotiate() {
    replay("negotiate", fuzz::deflate::negotiate, 20_000);
}

#[test]
fn inflate() {
    replay("inflate", fuzz::deflate::inflate, 1500);
}

#[test]
fn query() {
    replay("query", fuzz::query::query, 20_000);
}

#[test]
fn template() {
    replay("template", fuzz::query::template, 20_000);
}

#[test]
fn server() {
    replay("server", fuzz::server, 1500);
}

#[test]
fn behaviour() {
    replay("behaviour", fuzz::behaviour::behaviour, 3000);
}

#[test]
fn chat() {
    replay("chat", fuzz::chat::chat, 6000);
}
