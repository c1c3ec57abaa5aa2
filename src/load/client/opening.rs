//! The opening handshake of a connection: the request out, the answer in.

use std::time::Duration;

use super::super::errors::Kind;
use super::super::receiver::Receiver;
use super::super::state::{End, State};
use super::Client;
use crate::limits::HEAD_BYTES_MAX;
use crate::net::Stream;

impl<S: Stream> Client<S> {
    /// It is connected: sends the request.
    pub fn request(&mut self, request: &[u8]) -> Result<(), End> {
        debug_assert_eq!(self.state, State::Connecting);
        self.state = State::Opening;
        match self.stream.write(request) {
            Ok(count) if count == request.len() => Ok(()),
            Ok(_) => Err(End::Wrong(Kind::Handshake, "no room for the request".to_owned())),
            Err(error) => Err(End::Wrong(Kind::Handshake, error.to_string())),
        }
    }

    /// Collects the answer to the request. When it is whole: its head, and how many of `bytes` it
    /// took.
    pub fn answer(&mut self, bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, End> {
        debug_assert_eq!(self.state, State::Opening);
        let out = &mut self.out.bytes;
        let before = out.len();
        out.extend_from_slice(bytes);
        let Some(end) = out.windows(4).position(|window| window == b"\r\n\r\n") else {
            if out.len() > HEAD_BYTES_MAX {
                return Err(End::Wrong(Kind::Handshake, "the answer is too long".to_owned()));
            }
            return Ok(None);
        };
        let mut head = std::mem::take(out);
        head.truncate(end);
        Ok(Some((head, end + 4 - before)))
    }

    /// The handshake is done.
    pub fn open(&mut self, position: usize, deflate: bool, now: Duration) {
        self.state = State::Open;
        self.since = now;
        self.position = position;
        self.receiver = Receiver::new(position, deflate);
    }
}
