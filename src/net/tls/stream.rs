//! A stream that may be secured.

use std::fmt;
use std::io;

use super::session::Session;
use crate::net::{Incoming, Stream};

/// A socket, or a TLS session upon one. The session is boxed, so that a connection without one is
/// hardly larger.
pub enum TlsStream<S> {
    /// In the clear.
    Plain(S),
    /// With TLS.
    Secure(Box<Session<S>>),
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Secure(_) => "Secure",
        })
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Secure(session) => session.read(into),
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(session) => session.write(bytes),
        }
    }

    fn shut(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shut(),
            Self::Secure(session) => session.shut(),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Plain(stream) => stream.reset(),
            Self::Secure(session) => session.socket().reset(),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Secure(session) => session.flush(),
        }
    }

    #[inline]
    fn is_costly(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Secure(session) => session.is_costly(),
        }
    }

    #[inline]
    fn beside(&mut self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Secure(session) => session.beside(),
        }
    }

    fn keep_in_reserve(&mut self) {
        if let Self::Secure(session) = self {
            session.keep_in_reserve();
        }
    }

    fn look(&mut self) -> u32 {
        match self {
            Self::Plain(_) => 0,
            Self::Secure(session) => session.look(),
        }
    }

    fn reserved(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Secure(session) => session.reserved(),
        }
    }
}
