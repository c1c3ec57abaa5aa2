//! The whole server in a simulated world: seeded faults, virtual time, judged clients.
//!
//! `SIM_SEEDS=n` runs more seeds, `SIM_SEED=x` runs one; a failure says which.
#![cfg(all(feature = "deflate", feature = "rooms"))]

mod bodies;
mod client;
#[path = "../support/compress.rs"]
mod compress;
mod dice;
#[cfg(feature = "tls")]
#[path = "../support/frames.rs"]
mod frames;
mod gatherings;
mod hostile;
mod link;
#[path = "../support/net.rs"]
mod memory;
#[path = "../support/naive.rs"]
mod naive;
mod net;
mod packed;
mod profile;
mod rooms;
mod script;
mod scripted;
#[cfg(feature = "tls")]
mod secure;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use dice::Dice;
use script::{Owed, Script};
use world::World;

const SEEDS: u64 = 500;
const METERED_SEEDS: u64 = 100;
const HOSTILE_SEEDS: u64 = 40;
#[cfg(feature = "tls")]
const SECURED_SEEDS: u64 = 100;
const GATHERINGS: u64 = 5 * gatherings::KINDS;
const BODY_SEEDS: u64 = 100;
const SPLITS: u64 = 6;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// Runs a seed twice: the second run must be the first again.
fn play(seed: u64, make: fn(u64) -> World) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let first = make(seed).run();
        assert!(first == make(seed).run(), "a seed has two outcomes");
    }));
    if let Err(panic) = outcome {
        eprintln!("SIM_SEED={seed} cargo test --test sim");
        resume_unwind(panic);
    }
}

/// All seeds from 0 on, or the one that was asked for.
fn play_all(seeds: u64, make: fn(u64) -> World) {
    if let Some(seed) = number("SIM_SEED") {
        return play(seed, make);
    }
    (0..number("SIM_SEEDS").unwrap_or(seeds)).for_each(|seed| play(seed, make));
}

#[test]
fn swarm() {
    play_all(SEEDS, |seed| World::of_seed(seed, false));
}

/// With all kinds of clients, those that wear a server out among them.
#[test]
fn swarm_of_all_kinds() {
    play_all(SEEDS, |seed| World::of_seed(seed, true));
}

/// Whoever is read at a rate only gets the same answers, later.
#[test]
fn the_metered() {
    play_all(METERED_SEEDS, World::metered);
}

/// Populations that are nothing but hostile: memory stays, and others are served.
#[test]
fn hostile_populations() {
    play_all(HOSTILE_SEEDS, World::hostile);
}

/// Bodies of all kinds, well framed and otherwise, and streams that are read or not.
#[test]
fn bodies_and_streams() {
    play_all(BODY_SEEDS, World::bodies);
}

/// Worlds made for one question each.
#[test]
fn gatherings() {
    play_all(GATHERINGS, World::gathering);
}

/// Clients of `wss://` in any weather.
#[cfg(feature = "tls")]
#[test]
fn secured_swarm() {
    let play = |seed: u64| {
        let outcome = catch_unwind(|| {
            assert!(secure::run(seed) == secure::run(seed), "a seed has two outcomes");
        });
        if let Err(panic) = outcome {
            eprintln!("SIM_SEED={seed} cargo test --test sim secured");
            resume_unwind(panic);
        }
    };
    match number("SIM_SEED") {
        Some(seed) => play(seed),
        None => (0..number("SIM_SEEDS").unwrap_or(SECURED_SEEDS)).for_each(play),
    }
}

/// Seeds that have found something once.
#[test]
fn known_seeds() {
    let lines = include_str!("seeds.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (world, rest) = line.split_once(' ').expect("a world and a seed");
        let seed = rest.split_whitespace().next().and_then(|word| word.parse().ok());
        let make = match world {
            "all" => |seed| World::of_seed(seed, true),
            _ => World::hostile,
        };
        play(seed.expect("a number"), make);
    }
}

/// The same bytes, however they are cut, get the same answer.
#[test]
fn split_invariance() {
    for seed in 0..40 {
        let mut script = Script::draw_timeless(&mut Dice::new(seed));
        script.expect_holding();
        let whole = World::alone(script.clone(), 0).run().received;
        if matches!(script.owed, Owed::CodeOrCut(..)) {
            continue;
        }
        for split in 1..SPLITS {
            let received = World::alone(script.clone(), split).run().received;
            assert!(received == whole, "script {seed}, split {split}");
        }
    }
}
