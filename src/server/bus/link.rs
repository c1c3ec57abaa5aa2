//! The connection to the bus: connecting, greeting, pinging, and trying again.
//!
//! | state | ends when | then |
//! |---|---|---|
//! | away | its time has come | connecting |
//! | connecting | the socket can be written to | greeting |
//! | greeting | the bus says welcome | ready |
//! | any but away | an error, the end, too long a silence, too long a queue | away |

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::budget::{Budget, Charge};
use crate::bus::{Bus, Fault, Told};
use crate::limits::{
    BUS_ANSWER_TIME, BUS_PING_INTERVAL, BUS_PING_TIMEOUT, BUS_QUEUE_BYTES_MAX, BUS_RETRY_MAX,
    BUS_RETRY_MIN,
};
use crate::net::Stream;

/// The link, upon a stream while there is one.
#[derive(Debug)]
pub(super) struct Link<S> {
    state: State<S>,
    bus: Box<dyn Bus>,
    /// What the bus has not taken yet, from `sent` on.
    queue: Vec<u8>,
    sent: usize,
    /// For the queue, and for what was taken and not understood.
    charge: Option<Charge>,
    budget: Budget,
    /// How often it has failed since it was last ready.
    failures: u32,
    dice: u64,
}

#[derive(Debug)]
enum State<S> {
    Away { until: Duration },
    Connecting { socket: Socket<S>, until: Duration },
    Greeting { socket: Socket<S>, until: Duration },
    Ready { socket: Socket<S>, since: Duration, heard_at: Duration, pinged_at: Option<Duration> },
}

/// A stream and what is known of its readiness.
#[derive(Debug)]
struct Socket<S> {
    stream: S,
    readable: bool,
    writable: bool,
}

/// Why the link is gone.
#[derive(Debug)]
pub(super) enum Loss {
    /// It was not reached, or the connection broke.
    Io(io::Error),
    /// The bus has ended it.
    End,
    /// It does not answer.
    Silence,
    /// It does not take what it is sent, or there is no memory to wait for it.
    Slow,
    /// What it says is of no use.
    Fault(Fault),
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::End => f.write_str("it has ended the connection"),
            Self::Silence => f.write_str("it does not answer"),
            Self::Slow => f.write_str("it does not take what it is sent"),
            Self::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

impl<S: Stream> Link<S> {
    /// A link that is to be tried at once. Jitter follows from `seed`.
    pub fn new(bus: Box<dyn Bus>, budget: Budget, seed: u64) -> Self {
        let state = State::Away { until: Duration::ZERO };
        let (queue, sent, charge, failures) = (Vec::new(), 0, None, 0);
        Self { state, bus, queue, sent, charge, budget, failures, dice: seed | 1 }
    }

    /// True when it is time to connect.
    pub fn wants_to_connect(&self, now: Duration) -> bool {
        matches!(self.state, State::Away { until } if until <= now)
    }

    /// Begins with a stream that is being connected.
    pub fn connect(&mut self, stream: S, now: Duration) {
        let socket = Socket { stream, readable: false, writable: false };
        self.state = State::Connecting { socket, until: now + BUS_ANSWER_TIME };
    }

    /// Not yet: asks again at `until`.
    pub fn put_off(&mut self, until: Duration) {
        self.state = State::Away { until };
    }

    /// An event has told of the stream.
    pub fn mark(&mut self, readable: bool, writable: bool) {
        if let Some(socket) = self.socket() {
            socket.readable |= readable;
            socket.writable |= writable;
        }
    }

    /// True if everything can be said.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    fn socket(&mut self) -> Option<&mut Socket<S>> {
        match &mut self.state {
            State::Away { .. } => None,
            State::Connecting { socket, .. }
            | State::Greeting { socket, .. }
            | State::Ready { socket, .. } => Some(socket),
        }
    }

    /// Goes on with connecting, reads once, and looks at the time. True if a read may bring more.
    pub fn attend(&mut self, scratch: &mut [u8], now: Duration) -> Result<bool, Loss> {
        if let State::Connecting { socket: Socket { writable: true, .. }, .. } = &self.state {
            let away = State::Away { until: now };
            if let State::Connecting { socket, until } = std::mem::replace(&mut self.state, away) {
                self.state = State::Greeting { socket, until };
                self.bus.greet(&mut self.queue);
            }
        }
        let more = self.read(scratch, now)?;
        match &mut self.state {
            State::Connecting { until, .. } | State::Greeting { until, .. } if *until <= now => {
                return Err(Loss::Silence);
            }
            State::Ready { pinged_at: Some(at), .. } if *at + BUS_PING_TIMEOUT <= now => {
                return Err(Loss::Silence);
            }
            State::Ready { heard_at, pinged_at: pinged_at @ None, .. }
                if *heard_at + BUS_PING_INTERVAL <= now =>
            {
                *pinged_at = Some(now);
                self.bus.ping(&mut self.queue);
            }
            _ => {}
        }
        Ok(more)
    }

    fn read(&mut self, scratch: &mut [u8], now: Duration) -> Result<bool, Loss> {
        let Some(socket) = self.socket().filter(|socket| socket.readable) else {
            return Ok(false);
        };
        let incoming = match socket.stream.read(scratch) {
            Ok(incoming) if incoming.count == 0 => return Err(Loss::End),
            Ok(incoming) => incoming,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                socket.readable = false;
                return Ok(false);
            }
            Err(error) => return Err(Loss::Io(error)),
        };
        if let State::Ready { heard_at, pinged_at, .. } = &mut self.state {
            (*heard_at, *pinged_at) = (now, None);
        }
        self.bus.feed(&scratch[..incoming.count]);
        // Only the end, or nothing, says that nothing is left: data and end come in one event.
        Ok(true)
    }

    /// What the bus says next.
    pub fn next_told(&mut self, now: Duration) -> Result<Option<Told>, Loss> {
        let told = self.bus.next().map_err(Loss::Fault)?;
        if told == Some(Told::Welcome) {
            let away = State::Away { until: now };
            if let State::Greeting { socket, .. } = std::mem::replace(&mut self.state, away) {
                self.state = State::Ready { socket, since: now, heard_at: now, pinged_at: None };
            }
        }
        Ok(told)
    }

    /// What is said to the bus, and where it is written to.
    pub fn speech(&mut self) -> (&mut dyn Bus, &mut Vec<u8>) {
        (&mut *self.bus, &mut self.queue)
    }

    /// Bytes that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.queue.len() - self.sent
    }

    /// Bytes charged for the link.
    pub fn charged(&self) -> usize {
        self.charge.as_ref().map_or(0, Charge::bytes)
    }

    /// Writes what can be written, and accounts for the rest.
    pub fn write(&mut self) -> Result<(), Loss> {
        while self.waiting() > 0 {
            let (queue, sent) = (std::mem::take(&mut self.queue), self.sent);
            let Some(socket) = self.socket().filter(|socket| socket.writable) else {
                self.queue = queue;
                break;
            };
            let outcome = socket.stream.write(&queue[sent..]);
            if matches!(&outcome, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                socket.writable = false;
            }
            self.queue = queue;
            match outcome {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Loss::Io(error)),
            }
        }
        if let Some(Socket { stream, writable: true, .. }) = self.socket() {
            stream.flush().map_err(Loss::Io)?;
        }
        self.account()
    }

    fn account(&mut self) -> Result<(), Loss> {
        if self.waiting() == 0 {
            (self.queue, self.sent) = (Vec::new(), 0);
        } else if self.sent > self.queue.len() / 2 {
            self.queue.drain(..std::mem::take(&mut self.sent));
        }
        let kept = self.queue.capacity() + self.bus.buffered();
        if kept == 0 {
            self.charge = None;
        } else if self.waiting() > BUS_QUEUE_BYTES_MAX {
            return Err(Loss::Slow);
        } else {
            let fits = match &mut self.charge {
                Some(charge) => charge.try_set(kept),
                None => {
                    self.charge = self.budget.try_keep(kept);
                    self.charge.is_some()
                }
            };
            return if fits { Ok(()) } else { Err(Loss::Slow) };
        }
        Ok(())
    }

    /// The link is gone; it is tried again after a while, which is longer each time.
    pub fn lose(&mut self, now: Duration) {
        // A bus may welcome whom it lets do nothing.
        if matches!(self.state, State::Ready { since, .. } if since + BUS_RETRY_MAX <= now) {
            self.failures = 0;
        }
        let longest = BUS_RETRY_MAX.min(BUS_RETRY_MIN * (1 << self.failures.min(10)));
        self.failures += 1;
        // xorshift64: without jitter all processes would come back at the same moment.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let until =
            now + longest / 2 + longest.mul_f64((self.dice >> 12) as f64 / (1u64 << 53) as f64);
        self.state = State::Away { until };
        (self.queue, self.sent, self.charge) = (Vec::new(), 0, None);
        // What is left in it is of the old connection.
        self.bus.greet(&mut Vec::new());
    }

    /// When there is something to do, if nothing happens until then.
    pub fn next(&self) -> Duration {
        match &self.state {
            State::Away { until }
            | State::Connecting { until, .. }
            | State::Greeting { until, .. } => *until,
            State::Ready { pinged_at: Some(at), .. } => *at + BUS_PING_TIMEOUT,
            State::Ready { heard_at, .. } => *heard_at + BUS_PING_INTERVAL,
        }
    }
}
