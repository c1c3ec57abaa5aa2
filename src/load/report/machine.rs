//! The machine that a report was made on.

use std::fs;
use std::num::NonZero;
use std::thread;

use serde::Serialize;

/// The machine of the generator.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Machine {
    /// The model of its processor, or its architecture if the system does not tell.
    pub cpu: String,
    /// Processors that the generator may use.
    pub cpus: u32,
    /// Version of the kernel.
    pub kernel: String,
    /// All memory.
    pub memory_kib: u64,
}

impl Machine {
    /// The machine that this process runs on, as far as it tells.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_kib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|size| size.split(' ').next()?.parse().ok())
                .unwrap_or(0),
        }
    }
}

/// What stands behind the colon of the first line that begins with `name`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let text = "processor\t: 0\nmodel name\t: A chip: 3 GHz\nmodel name\t: Another\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A chip: 3 GHz"));
        assert_eq!(field(text, "MemTotal"), None);
    }

    #[test]
    fn this_machine_has_a_processor() {
        let here = Machine::here();
        assert!(here.cpus >= 1 && !here.cpu.is_empty(), "{here:?}");
    }
}
