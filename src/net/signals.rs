//! Signals that ask a process to end, as bytes in a pipe that a poll watches.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

/// Where signals are heard: a byte each.
#[derive(Debug)]
pub struct Signals {
    /// The reading end, which does not block.
    pub pipe: UnixStream,
    /// Set with each signal. Whoever reads the pipe takes it back, if the process is to hear of
    /// another one, too.
    pub unheard: Arc<AtomicBool>,
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
    for signal in [SIGTERM, SIGINT] {
        let before = Arc::clone(&unheard);
        signal_hook::flag::register_conditional_shutdown(signal, status, before)?;
        signal_hook::flag::register(signal, Arc::clone(&unheard))?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(Signals { pipe, unheard })
}
