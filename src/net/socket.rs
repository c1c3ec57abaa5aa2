//! The socket of a connection, which does not block.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, Shutdown};
use socket2::SockRef;

use super::{Incoming, Stream};

/// One connection's socket. Once it is open it makes no difference what it is an end of.
#[derive(Debug)]
pub struct Socket(pub(super) OwnedFd);

impl Stream for Socket {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        // The calls for sockets go past what read(2) and write(2) ask of every kind of file.
        let (count, _) = rustix::net::recv(&self.0, &mut *into, RecvFlags::empty())?;
        Ok(Incoming::of_socket(count, into.len()))
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn shut(&mut self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.0, Shutdown::Write)?)
    }

    fn reset(&mut self) {
        // Should it fail, the peer sees an end all the same.
        let _ = SockRef::from(&self.0).set_linger(Some(Duration::ZERO));
    }
}
