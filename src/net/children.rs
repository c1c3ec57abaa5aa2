//! Processes that this one makes of itself.

use std::fmt;
use std::io;
use std::time::Duration;

use fork::{Fork, fork};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, setpgid, waitpid};
use rustix::time::{ClockId, clock_gettime};

use super::control::{Control, Word};
use super::signals::Signals;

/// A process that this one has made, and has not waited for.
#[derive(Debug)]
pub struct Worker {
    id: Pid,
    /// What it is told by, and tells by.
    pub control: Control,
}

/// Which of the two processes goes on here.
#[derive(Debug)]
pub enum Side {
    /// The one that was there before, beside this worker.
    Supervisor(Worker),
    /// The new one, which hears of its supervisor here.
    Worker(Control),
}

/// Makes another process of this one, which has no threads. It shares descriptors, and has a copy
/// of all else, handlers of signals included.
///
/// # Errors
///
/// What the system says.
pub fn split() -> io::Result<Side> {
    let (ours, theirs) = Control::pair()?;
    match fork().map_err(|_| io::Error::last_os_error())? {
        Fork::Child => {
            // What a terminal sends to all of a group is for the supervisor to pass on.
            let _ = setpgid(None, None);
            Ok(Side::Worker(theirs))
        }
        Fork::Parent(id) => {
            let id = Pid::from_raw(id).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Side::Supervisor(Worker { id, control: ours }))
        }
    }
}

impl Worker {
    /// Tells it to drain, to end or to reload, be it by the signal for that where it has left what
    /// it was told unheard for so long that no word fits beside.
    pub fn tell(&self, word: Word) {
        if !self.control.say(word, &[]) {
            let signal = if word == Word::Reload { Signal::HUP } else { Signal::TERM };
            // It may have ended by itself.
            let _ = kill_process(self.id, signal);
        }
    }

    /// Ends it where it stands.
    pub fn kill(&self) {
        // It may have ended by itself.
        let _ = kill_process(self.id, Signal::KILL);
    }

    /// Says how it has ended, once its end of the socket is closed: there is no more to wait for
    /// than the rest of its exit.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn status(self) -> io::Result<Status> {
        loop {
            match waitpid(Some(self.id), WaitOptions::empty()) {
                Ok(Some((_, status))) => return Ok(Status(status)),
                Ok(None) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// How a worker has ended.
#[derive(Clone, Copy, Debug)]
pub struct Status(WaitStatus);

impl Status {
    /// The status that it has chosen, unless it was killed.
    pub fn code(self) -> Option<i32> {
        self.0.exit_status()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.exit_status(), self.0.terminating_signal()) {
            (Some(code), _) => write!(f, "status {code}"),
            (_, signal) => write!(f, "signal {}", signal.unwrap_or_default()),
        }
    }
}

/// Waits until a signal comes or one of `workers` says something, at most `timeout`.
///
/// # Errors
///
/// What the system says.
pub fn wait<'a>(
    signals: &Signals,
    workers: impl Iterator<Item = &'a Worker>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let mut watched = vec![PollFd::new(&signals.pipe, PollFlags::IN)];
    watched.extend(workers.map(|worker| PollFd::new(&worker.control, PollFlags::IN)));
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Monotonic time.
pub fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}
