//! The stream to the bus, as it is or with TLS: nothing waits for it.

use std::io;
#[cfg(feature = "tls")]
use std::io::{ErrorKind, Read, Write};

#[cfg(feature = "tls")]
use super::tls::client::{Acquaintance, Secured};
use super::{Incoming, Stream};
use crate::limits::BusAddress;
#[cfg(feature = "tls")]
use crate::limits::BusPlace;

/// How streams to a bus are secured: not at all by default.
#[derive(Clone, Debug, Default)]
pub struct Security {
    #[cfg(feature = "tls")]
    known: Option<Acquaintance>,
}

impl Security {
    /// What `address` asks for.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with the file of certificates.
    #[cfg(feature = "tls")]
    pub fn of(address: &BusAddress) -> Result<Self, String> {
        let known = match (&address.place, &address.authority) {
            (BusPlace::Host(host, _), Some(path)) => Some(Acquaintance::with(host, path)?),
            _ => None,
        };
        Ok(Self { known })
    }

    /// Nothing, without TLS.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(not(feature = "tls"))]
    pub fn of(_: &BusAddress) -> Result<Self, String> {
        Ok(Self {})
    }

    /// Secures a stream.
    ///
    /// # Errors
    ///
    /// Those of TLS; there should be none.
    pub fn wrap<S: Stream>(&self, stream: S) -> io::Result<Outbound<S>> {
        #[cfg(feature = "tls")]
        if let Some(known) = &self.known {
            return Ok(Outbound::Secure(known.begin(Raw(stream))?));
        }
        Ok(Outbound::Plain(stream))
    }
}

/// A stream to a bus.
#[derive(Debug)]
pub enum Outbound<S> {
    /// As it is.
    Plain(S),
    /// With TLS.
    #[cfg(feature = "tls")]
    Secure(Secured<Raw<S>>),
}

impl<S: Stream> Stream for Outbound<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        match self {
            Self::Plain(stream) => stream.read(into),
            #[cfg(feature = "tls")]
            Self::Secure(session) => {
                // A handshake goes on with what is read, and has to answer it.
                passing(session.flush())?;
                let read = session.read(into);
                passing(session.flush())?;
                Ok(Incoming { count: read?, drained: false })
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Self::Secure(session) => {
                // As much as the session takes; the rest when the socket has taken something.
                let count = session.write(bytes)?;
                passing(session.flush())?;
                if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
            }
        }
    }

    fn shut(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shut(),
            #[cfg(feature = "tls")]
            Self::Secure(session) => session.socket_mut().0.shut(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            #[cfg(feature = "tls")]
            Self::Secure(session) => passing(session.flush()),
        }
    }
}

#[cfg(feature = "tls")]
fn passing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        outcome => outcome,
    }
}

/// A stream as rustls reads and writes it.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub struct Raw<S>(S);

#[cfg(feature = "tls")]
impl<S: Stream> Read for Raw<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map(|incoming| incoming.count)
    }
}

#[cfg(feature = "tls")]
impl<S: Stream> Write for Raw<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
