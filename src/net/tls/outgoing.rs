//! Ciphertext on its way out that has not gone.

use std::io::{self, ErrorKind};

use super::desk::WORDS_BYTES_MAX;
use crate::net::Stream;

/// What a session keeps of it: words of TLS itself, or what the socket refused of a write.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// `unsent[gone..]` has not gone.
    unsent: Vec<u8>,
    gone: usize,
    /// Bytes that were offered and sealed, and of which it has not been said that they are written.
    /// Whoever offered them does so again. There are none without something unsent.
    owed: usize,
}

impl Outgoing {
    /// True without anything to write.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Memory that it takes.
    pub fn capacity(&self) -> usize {
        self.unsent.capacity()
    }

    /// Where TLS itself says something, behind all that has not gone.
    pub fn words(&mut self) -> &mut Vec<u8> {
        self.unsent.drain(..std::mem::take(&mut self.gone));
        &mut self.unsent
    }

    /// True if of the bytes that are `offered` some were sealed when they were offered before.
    pub fn owes(&self, offered: usize) -> bool {
        debug_assert!(self.owed <= offered, "what is owed is offered again");
        self.owed > 0
    }

    /// Nobody will offer again what was owed.
    pub fn forget_debts(&mut self) {
        self.owed = 0;
    }

    /// Writes `plain` bytes for the first time, of which the `sealed` ones stand in `bytes` behind
    /// room for words of TLS, which go in front of them. Returns how many of them count as written.
    pub fn send(
        &mut self,
        socket: &mut impl Stream,
        plain: usize,
        bytes: &mut [u8],
        sealed: usize,
    ) -> io::Result<usize> {
        let words = self.words();
        let start = WORDS_BYTES_MAX - words.len();
        bytes[start..WORDS_BYTES_MAX].copy_from_slice(words);
        let bytes = &bytes[start..WORDS_BYTES_MAX + sealed];
        let outcome = socket.write(bytes);
        let count = match &outcome {
            Ok(count) => *count,
            Err(error) if is_passing(error) => 0,
            Err(_) => return outcome,
        };
        self.unsent.clear();
        if count == bytes.len() {
            self.unsent = Vec::new();
            return Ok(plain);
        }
        self.unsent.reserve_exact(bytes.len() - count);
        self.unsent.extend_from_slice(&bytes[count..]);
        self.owed = share(plain, self.unsent.len().min(sealed), sealed);
        match plain - self.owed {
            0 => outcome.map(|_| 0),
            written => Ok(written),
        }
    }

    /// Goes on writing what was sealed earlier. Returns how many of the bytes that were offered
    /// count as written now.
    pub fn pay(&mut self, socket: &mut impl Stream) -> io::Result<usize> {
        let before = self.unsent.len() - self.gone;
        let count = socket.write(&self.unsent[self.gone..])?;
        self.gone += count;
        let owed = share(self.owed, before - count, before);
        let written = std::mem::replace(&mut self.owed, owed) - owed;
        self.forget_sent();
        Ok(written)
    }

    /// Writes words of TLS. What belongs to a reply goes when the reply is offered again.
    pub fn flush(&mut self, socket: &mut impl Stream) -> io::Result<()> {
        while self.owed == 0 && !self.is_empty() {
            match socket.write(&self.unsent[self.gone..]) {
                Ok(count) => self.gone += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.forget_sent();
        }
        Ok(())
    }

    /// Gives the buffer back once all of it has gone.
    fn forget_sent(&mut self) {
        if self.gone == self.unsent.len() {
            (self.unsent, self.gone) = (Vec::new(), 0);
        }
    }
}

/// What passes when the socket can be written to again, or is asked again.
pub(super) fn is_passing(error: &io::Error) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind())
}

/// The part of `all` that `left` of `whole` stand for, rounded up: as long as something is left,
/// something is owed.
fn share(all: usize, left: usize, whole: usize) -> usize {
    let part = (all as u64 * left as u64).div_ceil(whole.max(1) as u64);
    usize::try_from(part).unwrap_or(all)
}
