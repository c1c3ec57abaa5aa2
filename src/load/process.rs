//! What processes cost: the server's from /proc, our own from the clock of the process.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What /proc tells at one moment of a process and of all that it has started, in sum.
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
    /// Resident memory. What processes share counts for each.
    pub rss_kib: u64,
    /// The most it ever was.
    pub rss_peak_kib: u64,
    /// Of the resident memory what belongs to no file: what it has claimed for itself.
    pub anon_kib: u64,
}

impl Snapshot {
    /// Of a process now; `None` if there is none, or it may not be looked at.
    pub fn take(pid: u32) -> Option<Self> {
        let mut snapshot = Self::default();
        snapshot.add(pid)?;
        Some(snapshot)
    }

    /// Adds a process and its children, of whom each may end meanwhile.
    fn add(&mut self, pid: u32) -> Option<()> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let (user, system) = ticks(&stat)?;
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        self.user_ticks += user;
        self.system_ticks += system;
        self.rss_kib += field(&status, "VmRSS:");
        self.rss_peak_kib += field(&status, "VmHWM:");
        self.anon_kib += field(&status, "RssAnon:");
        for task in tasks.flatten() {
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let nanos = read("schedstat").split(' ').next().and_then(|word| word.parse().ok());
            self.cpu += Duration::from_nanos(nanos.unwrap_or(0));
            let status = read("status");
            self.voluntary += field(&status, "voluntary_ctxt_switches:");
            self.involuntary += field(&status, "nonvoluntary_ctxt_switches:");
            for child in read("children").split_whitespace().filter_map(|pid| pid.parse().ok()) {
                self.add(child);
            }
        }
        Some(())
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
    use std::io::Read;

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

    #[test]
    fn children_belong_to_who_has_started_them() {
        // A shell that starts another program, and both live on as long as their input.
        let mut parent = std::process::Command::new("sh")
            .args(["-c", "exec 3<&0; cat <&3 & echo; wait"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = [0];
        parent.stdout.as_mut().expect("piped").read_exact(&mut line).expect("its word");
        let pid = parent.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let snapshot = Snapshot::take(pid).expect("it runs");
        drop(parent.stdin.take());
        parent.wait().expect("it ends");
        assert!(snapshot.rss_kib > field(&status, "VmRSS:"), "{snapshot:?} of {status}");
        assert_eq!(Snapshot::take(pid), None);
    }
}
