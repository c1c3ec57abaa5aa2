//! One scenario, so many steps of it, for an instruction counter to look at from outside:
//! `scripts/icount.sh` runs this under valgrind and holds the counts to a budget.
//!
//! `icount` alone lists the scenarios: steps, units of a step, name.

#[path = "support/scenarios.rs"]
mod scenarios;

use std::env;
use std::process::ExitCode;

use scenarios::SCENARIOS;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let [name, steps] = arguments.as_slice() else {
        for scenario in SCENARIOS {
            println!("{} {} {}", scenario.steps, scenario.units, scenario.name);
        }
        return ExitCode::SUCCESS;
    };
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let (Some(scenario), Ok(steps)) = (scenario, steps.parse::<u64>()) else {
        eprintln!("icount: no scenario {name:?}, or {steps:?} is no number");
        return ExitCode::FAILURE;
    };
    let mut step = scenario.prepare();
    (0..steps).for_each(|_| step());
    ExitCode::SUCCESS
}
