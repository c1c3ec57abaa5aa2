//! Why nothing more can be made of what arrives.

use std::fmt;

use rustls::Error;

/// A fault that ends a session; its words go to the log.
#[derive(Debug)]
pub(super) enum Wrong {
    /// Plain HTTP.
    InTheClear,
    /// There are as many sessions as there is room for.
    NoRoom,
    /// A message that no client sends.
    TooLong,
    /// Records without anything in them, or changes of keys, one upon another.
    Hollow,
    /// What rustls says.
    Tls(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Tls(error)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InTheClear => f.write_str("plain HTTP on a port for TLS"),
            Self::NoRoom => f.write_str("no room for another session"),
            Self::TooLong => f.write_str("handshake message too long"),
            Self::Hollow => f.write_str("too many records without data, or changes of keys"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}
