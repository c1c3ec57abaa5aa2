//! Frames that go out before the messages of a script: pongs, a Close, what is said to a room.

use std::io::{self, ErrorKind};

use super::errors::Kind;
use super::state::End;
use crate::net::Stream;

/// So many bytes of pongs wait when their server reads nothing: then nobody answers it for ever.
const PONGS_BYTES_MAX: usize = 64 * 1024;

/// What waits for room in the socket.
#[derive(Default)]
pub struct Outgoing {
    pub bytes: Vec<u8>,
    /// Bytes at the front that have gone.
    gone: usize,
    /// Bytes of pongs among the others, at the least.
    pongs: usize,
}

impl Outgoing {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.gone
    }

    /// Lets pongs be added.
    pub fn answer_pings<T>(&mut self, add: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let before = self.bytes.len();
        let outcome = add(&mut self.bytes);
        self.pongs += self.bytes.len() - before;
        outcome
    }

    /// Writes a part of it; returns how many bytes that are.
    pub fn write(&mut self, stream: &mut impl Stream) -> Result<usize, End> {
        let count = write(stream, &self.bytes[self.gone..])?;
        self.gone += count;
        self.pongs = self.pongs.saturating_sub(count);
        if self.gone == self.bytes.len() {
            // A buffer that nothing is in is given back.
            *self = Self::default();
        } else if self.gone >= self.bytes.len() / 2 {
            // So that each byte is moved once at most.
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
        if self.pongs > PONGS_BYTES_MAX {
            let words = format!("{} bytes of pongs are not taken", self.pongs);
            return Err(End::Wrong(Kind::Timeout, words));
        }
        Ok(count)
    }
}

/// What passes when the stream can be written to again, or is asked again.
pub fn is_passing(error: &io::Error) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind())
}

/// Writes a part of `bytes`; 0 if that has to wait.
pub fn write(stream: &mut impl Stream, bytes: &[u8]) -> Result<usize, End> {
    loop {
        match stream.write(bytes) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(End::Wrong(Kind::Reset, error.to_string())),
        }
    }
}
