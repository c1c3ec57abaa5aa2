//! The header of the PROXY protocol, which a proxy sends ahead of TLS.
//!
//! It is handed on as it came, since the connection reads it where there is no TLS too. TLS begins
//! behind it; so no more is read at once than belongs to it for certain, and nothing of TLS is ever
//! handed on.

use std::io;

use super::desk::Desk;
use super::session::{Session, State};
use crate::conn::proxy;
use crate::net::{Incoming, Stream};

impl<S: Stream> Session<S> {
    /// Reads a part of the header.
    pub(super) fn read_header(&mut self, into: &mut [u8], desk: &Desk) -> io::Result<Incoming> {
        let wanted = proxy::wanted(&self.rest).min(into.len());
        let Incoming { count, drained } = self.socket.read(&mut into[..wanted])?;
        self.rest.extend_from_slice(&into[..count]);
        match proxy::read(&self.rest) {
            _ if count == 0 => {}
            Ok(None) => {}
            Ok(Some(_)) => {
                self.rest = Vec::new();
                self.state = State::New;
            }
            // The connection finds that too, and ends.
            Err(proxy::Malformed) => self.become_deaf(),
        }
        self.recharge(desk);
        Ok(Incoming { count, drained })
    }
}
