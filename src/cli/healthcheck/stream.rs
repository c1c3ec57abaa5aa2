//! What the check speaks over: a socket, or TLS upon one.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[cfg(feature = "tls")]
use super::super::Check;
#[cfg(feature = "tls")]
use crate::net::tls::client::{Secured, Trust};

/// A stream to the server.
pub(super) enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// In the clear, through a Unix socket.
    Local(UnixStream),
    /// With TLS.
    #[cfg(feature = "tls")]
    Secured(Secured),
}

impl Stream {
    /// How long a read may wait.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_read_timeout(timeout),
            Self::Local(socket) => socket.set_read_timeout(timeout),
            #[cfg(feature = "tls")]
            Self::Secured(secured) => secured.socket().set_read_timeout(timeout),
        }
    }

    /// How long a write may wait.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_write_timeout(timeout),
            Self::Local(socket) => socket.set_write_timeout(timeout),
            #[cfg(feature = "tls")]
            Self::Secured(secured) => secured.socket().set_write_timeout(timeout),
        }
    }

    /// From here on TLS is spoken, with a server that must be `host`.
    #[cfg(feature = "tls")]
    pub fn secure(&mut self, host: &str, trust: &Trust) -> Result<(), String> {
        let Self::Plain(socket) = self else { return Err("there is no host".to_owned()) };
        let socket = socket.try_clone().map_err(|error| error.to_string())?;
        *self = Self::Secured(Secured::new(socket, host, trust)?);
        Ok(())
    }

    /// Goes on with the handshake of TLS. Which version was agreed on, when that is done.
    #[cfg(feature = "tls")]
    pub fn shake_hands(&mut self) -> io::Result<Option<String>> {
        match self {
            Self::Plain(_) | Self::Local(_) => Ok(Some(String::new())),
            Self::Secured(secured) => secured.shake_hands(),
        }
    }
}

/// Whom the check believes.
#[cfg(feature = "tls")]
pub(super) fn trust(check: &Check) -> Result<Trust, String> {
    match (&check.ca, check.insecure) {
        (_, true) => Ok(Trust::Anybody),
        (Some(path), false) => Ok(Trust::Signed(path.clone())),
        (None, false) => Err("no certificate is trusted: name --ca FILE, or --insecure".to_owned()),
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Local(socket) => socket.read(into),
            #[cfg(feature = "tls")]
            Self::Secured(secured) => secured.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Local(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Self::Secured(secured) => secured.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Local(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Self::Secured(secured) => secured.flush(),
        }
    }
}
