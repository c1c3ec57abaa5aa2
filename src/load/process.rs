//! What processes cost: the server's from /proc, our own from the clock of the process.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What /proc tells of a process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Time on a processor, of all threads, exact.
    pub cpu: Duration,
    /// The system's split of that time, in its ticks.
    pub user_ticks: u64,
    /// The same, in the kernel.
    pub system_ticks: u64,
    /// Context switches because it waited.
    pub voluntary: u64,
    /// Context switches because its time was up.
    pub involuntary: u64,
    /// Resident memory.
    pub rss_kib: u64,
    /// The most it ever was.
    pub rss_peak_kib: u64,
    /// Of the resident memory what belongs to no file: what it has claimed for itself.
    pub anon_kib: u64,
}

impl Snapshot {
    /// Of a process now; `None` if there is none, or it may not be looked at.
    pub fn take(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let mut snapshot = Self {
            rss_kib: field(&status, "VmRSS:"),
            rss_peak_kib: field(&status, "VmHWM:"),
            anon_kib: field(&status, "RssAnon:"),
            ..Self::default()
        };
        (snapshot.user_ticks, snapshot.system_ticks) = ticks(&stat)?;
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let nanos = read("schedstat").split(' ').next().and_then(|word| word.parse().ok());
            snapshot.cpu += Duration::from_nanos(nanos.unwrap_or(0));
            let status = read("status");
            snapshot.voluntary += field(&status, "voluntary_ctxt_switches:");
            snapshot.involuntary += field(&status, "nonvoluntary_ctxt_switches:");
        }
        Some(snapshot)
    }
}

/// Time that this process has been on a processor.
pub fn own_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// User and system time of a `stat` line, whose second field may hold anything in parentheses.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 21 43 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some((21, 43)));
        assert_eq!(ticks("nothing"), None);
        assert_eq!(field("VmRSS:\t  640 kB\nThreads:\t1\n", "VmRSS:"), 640);
    }

    #[test]
    fn this_process_uses_its_processor() {
        let snapshot = Snapshot::take(std::process::id()).expect("it runs");
        assert!(snapshot.rss_kib > 0 && snapshot.rss_peak_kib >= snapshot.rss_kib);
        assert!(snapshot.anon_kib > 0 && snapshot.anon_kib < snapshot.rss_kib);
        assert!(snapshot.cpu > Duration::ZERO && own_cpu() > Duration::ZERO);
    }
}
