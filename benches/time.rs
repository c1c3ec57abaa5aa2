//! How long things take: `cargo bench --bench time [PART OF A NAME]`. Not gated; compare figures
//! of one run on a quiet machine. For a steady measure see `icount.rs`.

#[path = "support/scenarios.rs"]
mod scenarios;

use std::env;
use std::time::{Duration, Instant};

use scenarios::{SCENARIOS, Scenario};

const SAMPLES: usize = 15;
const SAMPLE_TIME: Duration = Duration::from_millis(20);
/// A sample has at most so many times the steps that a count of instructions takes.
const SAMPLE_STEPS_FACTOR: u64 = 50;

fn main() {
    // Cargo adds `--bench`.
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("{:28} {:>13} {:>13}", "", "least ns", "median ns");
    for scenario in SCENARIOS {
        if wanted.as_ref().is_none_or(|part| scenario.name.contains(part)) {
            let (least, median) = measure(scenario);
            println!("{:28} {least:13.1} {median:13.1}", scenario.name);
        }
    }
}

/// Nanoseconds of one unit: the least and the median of the samples.
fn measure(scenario: &Scenario) -> (f64, f64) {
    let mut step = scenario.prepare();
    let most = scenario.steps * SAMPLE_STEPS_FACTOR;
    let mut steps = 0;
    let start = Instant::now();
    while start.elapsed() < SAMPLE_TIME && steps < most {
        step();
        steps += 1;
    }
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            (0..steps).for_each(|_| step());
            start.elapsed().as_nanos() as f64 / (steps * scenario.units) as f64
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    (samples[0], samples[SAMPLES / 2])
}
