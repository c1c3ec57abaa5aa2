//! A stream that may be secured.

use std::fmt;
use std::io;
use std::rc::Rc;

use super::session::{Session, State};
use crate::budget::Charge;
use crate::net::{Incoming, Stream};

/// A socket, or a TLS session upon one. The session is boxed, so that a connection without one is
/// hardly larger.
pub enum TlsStream<S, T> {
    /// In the clear.
    Plain(S),
    /// With TLS.
    Secure(Box<T>),
}

impl<S, T> fmt::Debug for TlsStream<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Secure(_) => "Secure",
        })
    }
}

impl<S: Stream, T: Stream> Stream for TlsStream<S, T> {
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
            Self::Secure(session) => session.reset(),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(session) => session.flush(),
        }
    }

    #[inline]
    fn is_costly(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_costly(),
            Self::Secure(session) => session.is_costly(),
        }
    }

    #[inline]
    fn beside(&mut self) -> usize {
        match self {
            Self::Plain(stream) => stream.beside(),
            Self::Secure(session) => session.beside(),
        }
    }

    fn keep_in_reserve(&mut self) {
        match self {
            Self::Plain(stream) => stream.keep_in_reserve(),
            Self::Secure(session) => session.keep_in_reserve(),
        }
    }

    fn look(&mut self) -> u32 {
        match self {
            Self::Plain(stream) => stream.look(),
            Self::Secure(session) => session.look(),
        }
    }

    fn reserved(&self) -> usize {
        match self {
            Self::Plain(stream) => stream.reserved(),
            Self::Secure(session) => session.reserved(),
        }
    }
}

/// A session of the server: how it reads and sends is in files of their own.
impl<S: Stream> Stream for Session<S> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        self.read_opened(into)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_sealed(bytes)
    }

    fn shut(&mut self) -> io::Result<()> {
        self.finish()
    }

    fn reset(&mut self) {
        self.socket.reset();
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        self.flush_words()
    }

    fn is_costly(&self) -> bool {
        matches!(self.state, State::New | State::Shaking(_)) && self.desk.borrow().flights_left == 0
    }

    fn beside(&mut self) -> usize {
        std::mem::take(&mut self.beside)
    }

    fn keep_in_reserve(&mut self) {
        self.in_reserve = true;
        self.charges.1 = None;
        let desk = Rc::clone(&self.desk);
        self.recharge(&desk.borrow());
    }

    fn look(&mut self) -> u32 {
        if self.rest.is_empty() || self.in_reserve {
            return 0;
        }
        self.looks += 1;
        self.looks
    }

    fn reserved(&self) -> usize {
        let (own, kept) = &self.charges;
        let own = own.as_ref().filter(|_| matches!(self.state, State::Shaking(_)));
        let kept = kept.as_ref().filter(|_| self.in_reserve);
        own.into_iter().chain(kept).map(Charge::bytes).sum()
    }
}
