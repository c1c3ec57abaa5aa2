//! Listening sockets that the process was started with.

use std::env;
use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// The descriptor of this number, which somebody has opened and passed on.
///
/// Safe code cannot take a number for a descriptor that it owns, so the kernel is asked for another
/// descriptor of the same socket, by `pidfd_getfd` on the process itself.
pub(super) fn descriptor(number: u32) -> io::Result<OwnedFd> {
    let number = i32::try_from(number).map_err(|_| rustix::io::Errno::BADF)?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(this, number, PidfdGetfdFlags::empty())?)
}

/// The sockets that a service manager passes on (sd_listen_fds(3)). Each can be taken once.
pub struct Passed {
    sockets: ListenFd,
    names: Vec<String>,
}

impl Passed {
    /// Asks the environment, which forgets of them.
    pub fn from_environment() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { sockets: ListenFd::from_env(), names: names.split(':').map(str::to_owned).collect() }
    }

    /// Takes all that are left, or those of one name.
    pub(super) fn take(&mut self, name: Option<&str>) -> io::Result<Vec<OwnedFd>> {
        let mut taken = Vec::new();
        for at in 0..self.sockets.len() {
            if name.is_none_or(|wanted| self.names.get(at).is_some_and(|name| name == wanted)) {
                taken.extend(self.take_one(at)?);
            }
        }
        match taken.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "no such socket was passed on")),
            false => Ok(taken),
        }
    }

    fn take_one(&mut self, at: usize) -> io::Result<Option<OwnedFd>> {
        match self.sockets.take_tcp_listener(at) {
            Ok(listener) => Ok(listener.map(OwnedFd::from)),
            Err(_) => Ok(self.sockets.take_unix_listener(at)?.map(OwnedFd::from)),
        }
    }
}
