//! The sending side of a session: replies are sealed, and its end is said.

use std::io;
use std::rc::Rc;

use super::desk::WORDS_BYTES_MAX;
use super::exchange;
use super::outgoing::is_passing;
use super::records::NO_ROOM;
use super::session::{Session, State};
use crate::limits::TLS_SEAL_BYTES_MAX;
use crate::net::Stream;

impl<S: Stream> Session<S> {
    /// Seals and writes; see [`Stream::write`]. Bytes of which it is not said that they are written
    /// have to be the first to be offered again.
    pub(super) fn write_sealed(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let session = match &mut self.state {
            State::Header | State::New | State::Shaking(_) => return self.refuse(bytes),
            State::Failing(_) | State::Deaf => return Ok(bytes.len()),
            State::Open(session) => session,
        };
        let desk = Rc::clone(&self.desk);
        let desk = &mut *desk.borrow_mut();
        let Self { outgoing, rest, socket, .. } = self;
        let written = if outgoing.owes(bytes.len()) {
            outgoing.pay(socket)
        } else {
            // A handshake's words may be long, and nobody takes the reply before them.
            if outgoing.words().len() > WORDS_BYTES_MAX / 2 {
                outgoing.flush(socket)?;
            }
            let plain = &bytes[..bytes.len().min(TLS_SEAL_BYTES_MAX)];
            let to = &mut desk.outgoing[WORDS_BYTES_MAX..];
            let sealed = exchange::seal(&mut **session, rest, outgoing.words(), plain, to);
            let sealed = sealed.map_err(io::Error::other)?;
            let written = outgoing.send(socket, plain.len(), &mut desk.outgoing, sealed);
            desk.part(0, WORDS_BYTES_MAX + sealed);
            written
        };
        self.recharge(desk);
        written
    }

    /// Writes what TLS itself has to say; see [`Stream::flush`].
    #[inline]
    pub(super) fn flush_words(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let outcome = self.outgoing.flush(&mut self.socket);
        let desk = Rc::clone(&self.desk);
        self.recharge(&desk.borrow());
        outcome
    }

    /// There is no session in which `bytes` could be said: an alert says that it failed.
    fn refuse(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.words().extend_from_slice(&NO_ROOM);
        self.become_deaf();
        match self.flush_words() {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(bytes.len()),
        }
    }

    /// Says that nothing follows, and finishes; see [`Stream::shut`].
    pub(super) fn finish(&mut self) -> io::Result<()> {
        // Nobody offers again what is left of a reply that was dropped.
        self.outgoing.forget_debts();
        if let State::Open(session) = &mut self.state {
            // Without keys to say it with, the end of the stream has to do.
            let _ = exchange::close(&mut **session, &mut self.rest, self.outgoing.words());
        }
        self.become_deaf();
        self.flush_words()?;
        self.socket.shut()
    }
}
