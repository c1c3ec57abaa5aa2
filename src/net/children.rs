//! Processes of this program that it starts itself.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::control::Control;
use super::signals::Signals;

/// The variable that tells a worker that it is one, and which.
pub const WORKER_VARIABLE: &str = "WSECHO_WORKER";

/// This very program, even if another one has taken its place in the file system.
const PROGRAM: &str = "/proc/self/exe";

/// A process that does what this one was asked to do.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    /// What it is told by, and tells by.
    pub control: Control,
}

impl Worker {
    /// Starts it, with the same arguments.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start(number: usize) -> io::Result<Self> {
        let (control, theirs) = Control::pair()?;
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_else(|| "wsecho".into());
        let program = if Path::new(PROGRAM).exists() { PROGRAM.as_ref() } else { &*name };
        let mut command = Command::new(program);
        command.arg0(&name).args(arguments).env(WORKER_VARIABLE, number.to_string());
        // The service manager hears of this process alone.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_PID");
        command.stdin(theirs).stdout(Stdio::null());
        // What a terminal sends to all of a group is for this process to pass on.
        let process = command.process_group(0).spawn()?;
        Ok(Self { process, control })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it where it stands.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
    }

    /// Says how it has ended, once its end of the socket is closed: there is no more to wait for than
    /// the rest of its exit.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn status(mut self) -> io::Result<ExitStatus> {
        self.process.wait()
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
