//! Which faults a run has, and how often: drawn anew for each seed, some of them off.

use std::time::Duration;

use wsecho::limits::{Config, Deflate, TICK};
use wsecho::rate::Rate;

use crate::dice::Dice;

/// Probabilities are per mille.
#[derive(Clone, Debug)]
pub struct Profile {
    pub short_read: usize,
    pub short_write: usize,
    pub would_block: usize,
    pub interrupted: usize,
    /// An edge is told later than others.
    pub late: usize,
    /// An event without an edge, also for a connection that is gone.
    pub spurious: usize,
    /// The network resets a connection.
    pub reset: usize,
    pub out_of_descriptors: usize,
    pub accept_trouble: usize,
    pub aborted: usize,
    pub leap: usize,
    /// The process is asked to end in the middle of everything.
    pub drain: bool,
    /// The buffer budget is small enough to run out.
    pub tight: bool,
    /// The buffer budget, if it is neither that nor the default.
    pub budget: Option<usize>,
    /// Messages may be as long as they may be by default.
    pub long: bool,
    /// More clients come than are let in.
    pub crowded: bool,
    /// Whoever is silent for a moment is pinged.
    pub eager_pings: bool,
    /// Reading and writing are told apart, as kqueue does it; epoll tells the whole state.
    pub narrow: bool,
    pub shuffle: bool,
    /// Context takeover is agreed to.
    pub takeover: bool,
    /// There is one inflater for all.
    pub scarce: bool,
    /// What a connection says is read at a rate.
    pub metered: bool,
    /// Messages in rooms wait for others for so long.
    pub coalesce: Duration,
    /// Sizes of the buffers in the kernel, to clients and to the server.
    pub pipes: &'static [usize],
    pub up_pipes: &'static [usize],
}

impl Profile {
    /// The swarm's profile for a seed.
    pub fn draw(dice: &mut Dice) -> Self {
        let mut often = |choices: &[usize]| dice.pick(choices);
        let short_read = often(&[0, 0, 50, 300, 900]);
        let short_write = often(&[0, 0, 50, 300, 900]);
        let would_block = often(&[0, 0, 20, 200, 500]);
        let interrupted = often(&[0, 0, 20, 200]);
        let late = often(&[0, 0, 100, 500]);
        let spurious = often(&[0, 0, 20, 200]);
        let reset = often(&[0, 0, 0, 2]);
        let out_of_descriptors = often(&[0, 0, 0, 200]);
        let accept_trouble = often(&[0, 0, 0, 200]);
        let aborted = often(&[0, 0, 0, 100]);
        let leap = often(&[0, 0, 0, 0, 5]);
        let pipes: &[usize] =
            dice.pick(&[&[1 << 20][..], &[4096, 1 << 20], &[300, 20_000, 70_000], &[65_536]]);
        Self {
            short_read,
            short_write,
            would_block,
            interrupted,
            late,
            spurious,
            reset,
            out_of_descriptors,
            accept_trouble,
            aborted,
            leap,
            drain: dice.chance(200),
            tight: dice.chance(200),
            budget: None,
            long: false,
            eager_pings: false,
            crowded: dice.chance(100),
            narrow: dice.chance(400),
            shuffle: dice.chance(500),
            takeover: false,
            scarce: false,
            metered: false,
            coalesce: Duration::ZERO,
            pipes,
            up_pipes: pipes,
        }
    }

    /// Only what changes how bytes are cut, never what becomes of a connection.
    pub fn draw_gentle(dice: &mut Dice) -> Self {
        Self {
            reset: 0,
            out_of_descriptors: 0,
            accept_trouble: 0,
            aborted: 0,
            leap: 0,
            drain: false,
            tight: false,
            crowded: false,
            ..Self::draw(dice)
        }
    }

    pub fn config(&self) -> Config {
        Config {
            max_message_size: if self.long { 64 << 20 } else { MESSAGE_BYTES_MAX },
            max_fragments: FRAGMENTS_MAX,
            ping_interval: if self.eager_pings { TICK } else { Duration::from_secs(60) },
            max_connections: if self.crowded { 4 } else { 1000 },
            buffer_budget: self.budget.unwrap_or(if self.tight { 40_000 } else { 64 << 20 }),
            deflate: if self.takeover { Deflate::Takeover } else { Deflate::On },
            inflaters: if self.scarce { 1 } else { 256 },
            coalesce: self.coalesce,
            byte_rate: self.metered.then(|| Rate::per_second(BYTES_PER_SECOND)),
            message_rate: self.metered.then(|| Rate::per_second(MESSAGES_PER_SECOND)),
            ..Config::default()
        }
    }
}

pub const MESSAGE_BYTES_MAX: u64 = 220_000;
pub const FRAGMENTS_MAX: u32 = 50;

/// Few enough that most who are metered have to wait.
const BYTES_PER_SECOND: u64 = 50_000;
const MESSAGES_PER_SECOND: u64 = 10;
