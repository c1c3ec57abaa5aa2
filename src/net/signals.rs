//! Signals that ask a process to end, or to reload its files, as bytes in a pipe that a poll
//! watches.

use std::io::{self, IsTerminal};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::unregister;

/// Where signals are heard: a byte each.
#[derive(Debug)]
pub struct Signals {
    /// The reading end, which does not block.
    pub pipe: UnixStream,
    /// Set with each signal. Whoever reads the pipe takes it back, if the process is to hear of
    /// another one, too.
    pub unheard: Arc<AtomicBool>,
    writer: UnixStream,
    registered: Vec<SigId>,
}

/// SIGHUP, where it is heard.
#[derive(Debug)]
pub struct Hangup {
    raised: Arc<AtomicBool>,
    registered: [SigId; 2],
    /// stderr was a terminal when the process began.
    had_terminal: bool,
}

/// What a SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Reload files.
    Reload,
    /// The terminal is gone, and the person at it: end.
    End,
}

impl Signals {
    /// From here on SIGHUP wakes the loop instead of ending the process.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn hear_hangup(&self) -> io::Result<Hangup> {
        let raised = Arc::new(AtomicBool::new(false));
        let registered = [
            signal_hook::flag::register(SIGHUP, Arc::clone(&raised))?,
            signal_hook::low_level::pipe::register(SIGHUP, self.writer.try_clone()?)?,
        ];
        Ok(Hangup { raised, registered, had_terminal: io::stderr().is_terminal() })
    }

    /// Ends of children wake the loop, and are kept until somebody asks for them: whoever has
    /// started this process may have had them thrown away.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn hear_children(&mut self) -> io::Result<()> {
        let heard = signal_hook::low_level::pipe::register(SIGCHLD, self.writer.try_clone()?)?;
        self.registered.push(heard);
        Ok(())
    }

    /// Nothing is heard here any more: another process hears these.
    pub fn unregister(self, hangup: Hangup) {
        for id in self.registered.into_iter().chain(hangup.registered) {
            unregister(id);
        }
    }
}

impl Hangup {
    /// What was asked for since the last call.
    pub fn take(&self) -> Option<Asked> {
        let raised = self.raised.swap(false, Ordering::SeqCst);
        // A terminal that was closed is none any more.
        let gone = || self.had_terminal && !io::stderr().is_terminal();
        raised.then(|| if gone() { Asked::End } else { Asked::Reload })
    }
}

/// A signal wakes the loop through a pipe. One that finds the last one still unheard ends the
/// process where it stands, with `status`: the loop is stuck, has not begun, or does not want to
/// hear more.
///
/// # Errors
///
/// What the system says; it has no pipe to give.
pub fn catch(status: i32) -> io::Result<Signals> {
    let (pipe, writer) = UnixStream::pair()?;
    pipe.set_nonblocking(true)?;
    let unheard = Arc::new(AtomicBool::new(false));
    let mut registered = Vec::new();
    for signal in [SIGTERM, SIGINT] {
        let before = Arc::clone(&unheard);
        registered.extend([
            signal_hook::flag::register_conditional_shutdown(signal, status, before)?,
            signal_hook::flag::register(signal, Arc::clone(&unheard))?,
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?,
        ]);
    }
    Ok(Signals { pipe, unheard, writer, registered })
}
