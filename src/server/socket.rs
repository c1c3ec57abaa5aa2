//! What a connection's turn does with its socket beside reading and replying.

use std::io;

use super::registry::Entry;
use crate::conn::{Cause, Context};
use crate::net::Stream;

impl<S: Stream> Entry<S> {
    /// Writes what the stream has to say by itself. True if that has failed: it ends.
    #[inline]
    pub(super) fn flush_stream(&mut self, cx: &mut Context) -> bool {
        if !self.writable {
            return false;
        }
        match self.stream.flush() {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                false
            }
            Err(_) => {
                self.connection.end(Cause::SocketFailed, cx);
                true
            }
        }
    }

    /// Ends our side.
    pub(super) fn shut(&mut self) {
        match self.stream.shut() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
            // A socket that cannot be shut has failed already; reading from it will say so.
            _ => self.connection.has_shut(),
        }
    }
}

/// Writes once. `None` if the socket failed; clears `writable` if it is full.
pub(super) fn write(stream: &mut impl Stream, bytes: &[u8], writable: &mut bool) -> Option<usize> {
    match stream.write(bytes) {
        Ok(count) => Some(count),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(0),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            *writable = false;
            Some(0)
        }
        Err(_) => None,
    }
}
