//! Signals that ask a process to end, as bytes in a pipe that a poll watches.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

/// The first signal wakes the loop through a pipe, whose reading end this is; the second ends the
/// process where it stands, with `status`.
///
/// # Errors
///
/// What the system says; it has no pipe to give.
pub fn catch(status: i32) -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let asked_before = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        let asked = Arc::clone(&asked_before);
        signal_hook::flag::register_conditional_shutdown(signal, status, asked)?;
        signal_hook::flag::register(signal, Arc::clone(&asked_before))?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(reader)
}
