//! One connection of a load: connecting, the opening handshake, batches out, answers in.
//!
//! It sees no clock and no poll: the time is handed in, and its stream is whatever the seam gives.
//! A connection that rests owns no buffer.
//!
//! ```text
//! Connecting --writable: request--> Opening --101--> Open --Close sent--> Closing --end--> (gone)
//! ```
//!
//! To a bare TCP echo it is open when it is connected, and over when all has been written:
//!
//! ```text
//! Connecting --writable--> Open --closed--> Closing --all written--> (gone)
//! ```

mod ending;
mod opening;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use super::desk::Desk;
use super::errors::Kind;
use super::outgoing::{Outgoing, is_passing, write};
use super::receiver::{Heard, Receiver};
use super::script::add_frame;
use super::state::{End, State};
use super::tally::Tally;
use crate::net::Stream;
use crate::ws::close::CloseCode;
use crate::ws::head::{First, Opcode};

/// A batch ends with the message that makes it this long, so that pongs are not kept waiting.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// All that a connection at rest costs, beside the tables of the system: 50 000 of them are to fit
/// into 32 MiB, with buffers and histograms. The stream is a descriptor, or a session in a box.
const _: () = assert!(size_of::<Option<Client<[usize; 2]>>>() <= 300 - 2 * size_of::<usize>());

/// One connection.
pub struct Client<S> {
    stream: S,
    state: State,
    /// Never reads once it is open.
    pub slow: bool,
    /// To a bare TCP echo: no handshake at its begin nor at its end.
    pub bare: bool,
    /// When connecting began, and once it is open, when something last came or was first awaited.
    pub since: Duration,
    pub receiver: Receiver,
    /// The answer to the request so far; once it is open, frames that go out before messages.
    out: Outgoing,
    /// The part of the script's frames that is being written.
    from: usize,
    until: usize,
    /// The socket took no more of that part, and has not said since that it has room.
    full: bool,
    /// The message to be sent next.
    position: usize,
    /// Messages that may be sent.
    pub pending: usize,
    /// Messages that have been sent and not answered.
    pub in_flight: usize,
    /// When those in flight and pending were due, or sent, oldest first.
    times: VecDeque<(Duration, u32)>,
    /// Messages that are not even pending, before the connection is closed (churn).
    pub left: u32,
}

impl<S: Stream> Client<S> {
    /// A connection that has begun to connect, and will start with the message at `position`.
    pub fn new(stream: S, position: usize, now: Duration) -> Self {
        Self {
            stream,
            state: State::Connecting,
            slow: false,
            bare: false,
            since: now,
            receiver: Receiver::new(position, false),
            out: Outgoing::default(),
            from: 0,
            until: 0,
            full: false,
            position,
            pending: 0,
            in_flight: 0,
            times: VecDeque::new(),
            left: 0,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Nothing is to be sent and nothing awaited.
    pub fn is_at_rest(&self) -> bool {
        self.in_flight == 0 && !self.has_more_to_say()
    }

    /// Something is to be sent.
    #[inline]
    pub fn has_more_to_say(&self) -> bool {
        self.pending > 0 || self.from != self.until || !self.out.is_empty()
    }

    /// Reads once. `None` when there is nothing to read now; else the count of bytes, 0 at the end
    /// of the stream, and whether that drained the socket.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<(usize, bool)>, End> {
        loop {
            match self.stream.read(buffer) {
                Ok(incoming) => return Ok(Some((incoming.count, incoming.drained))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = match self.state {
                        State::Connecting => Kind::Connect,
                        _ if error.kind() == ErrorKind::InvalidData => Kind::Tls,
                        _ => Kind::Reset,
                    };
                    return Err(End::Wrong(kind, error.to_string()));
                }
            }
        }
    }

    /// What has come on an open connection.
    pub fn feed(&mut self, bytes: &[u8], desk: &mut Desk, now: Duration) -> Heard {
        self.since = now;
        let (receiver, in_flight) = (&mut self.receiver, self.in_flight);
        let heard = self.out.answer_pings(|pongs| receiver.feed(bytes, in_flight, desk, pongs));
        self.in_flight -= heard.messages;
        heard
    }

    /// Takes the times of messages that have been answered.
    #[inline]
    pub fn answered(&mut self, messages: usize, now: Duration, tally: &mut Tally) {
        let mut rest = messages;
        while let Some((due, count)) = self.times.front_mut().filter(|_| rest > 0) {
            let taken = rest.min(*count as usize);
            tally.answered(*due, taken as u64, now);
            rest -= taken;
            if taken == *count as usize {
                self.times.pop_front();
            } else {
                *count -= taken as u32;
            }
        }
    }

    /// A message of an open loop is due.
    pub fn due(&mut self, due: Duration) {
        self.pending += 1;
        self.times.push_back((due, 1));
    }

    /// Puts a message to a room before those that are still to be sent.
    pub fn queue(&mut self, frame: &[u8], now: Duration) {
        if self.out.is_empty() {
            self.since = now;
        }
        self.out.bytes.extend_from_slice(frame);
    }

    /// As [`Self::queue`], for the answer to a ping.
    pub fn queue_pong(&mut self, frame: &[u8], now: Duration) {
        if self.out.is_empty() {
            self.since = now;
        }
        self.out.answer_pings(|pongs| pongs.extend_from_slice(frame));
    }

    /// Bytes of frames that wait for room in the socket, before the messages of a script.
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Frames before the messages wait for room in the socket.
    pub fn is_stuffed(&self) -> bool {
        !self.out.is_empty()
    }

    /// Begins the closing handshake, if there is one. What was pending is not sent any more.
    pub fn close(&mut self, now: Duration) {
        if !self.bare {
            let first = First { fin: true, compressed: false, opcode: Opcode::Close };
            let code = CloseCode::NORMAL.number().to_be_bytes();
            add_frame(&mut self.out.bytes, first, &code, [7; 4]);
        }
        self.state = State::Closing;
        self.since = now;
        self.pending = 0;
    }

    /// Writes what the stream has to say by itself.
    #[inline]
    pub fn speak(&mut self) -> Result<(), End> {
        match self.stream.flush() {
            Err(error) if is_passing(&error) => Ok(()),
            Err(error) => Err(End::Wrong(Kind::Reset, error.to_string())),
            Ok(()) => Ok(()),
        }
    }

    /// The socket has room again.
    #[inline]
    pub fn has_room(&mut self) {
        self.full = false;
    }

    /// Writes what may be sent, as far as the socket takes it. While a server takes a long message
    /// it answers with as much, and none of these answers is a reason to ask the socket again.
    pub fn flush(
        &mut self,
        desk: &Desk,
        tally: &mut Tally,
        paced: bool,
        now: Duration,
    ) -> Result<(), End> {
        loop {
            if self.from == self.until {
                if !self.out.is_empty() {
                    let count = self.out.write(&mut self.stream)?;
                    if !self.out.is_empty() {
                        if count == 0 {
                            return Ok(());
                        }
                        if self.in_flight == 0 {
                            self.since = now;
                        }
                        // A secured stream takes less at a time than there may be.
                        continue;
                    }
                }
                if self.pending == 0 {
                    let is_over = self.bare && self.state == State::Closing;
                    return if is_over { Err(End::Asked) } else { Ok(()) };
                }
                self.next_batch(desk, tally, paced, now);
            }
            if self.full {
                return Ok(());
            }
            let frames = &desk.script.frames()[self.from..self.until];
            let count = write(&mut self.stream, frames)?;
            self.from += count;
            self.full = count == 0;
        }
    }

    /// Takes as many of the pending messages as lie together.
    fn next_batch(&mut self, desk: &Desk, tally: &mut Tally, paced: bool, now: Duration) {
        let script = &desk.script;
        let (mut frames, mut messages) = script.batch(self.position, self.pending);
        while messages > 1 && frames.len() > BATCH_BYTES_MAX {
            (frames, messages) = script.batch(self.position, messages.div_ceil(2));
        }
        if paced {
            let unsent = self.times.len() - self.pending;
            for (nth, (due, _)) in self.times.range(unsent..unsent + messages).enumerate() {
                tally.left(*due, script.payload_bytes(self.position + nth, 1), now);
            }
        } else {
            self.times.push_back((now, messages as u32));
            tally.sent(messages as u64, script.payload_bytes(self.position, messages), now);
        }
        if self.in_flight == 0 {
            self.since = now;
        }
        self.in_flight += messages;
        self.pending -= messages;
        (self.from, self.until) = (frames.start, frames.end);
        self.position = script.after(self.position, messages);
    }
}
