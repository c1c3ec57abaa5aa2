//! What a behaving echo does, and when: a queue of bytes that fall due.
//!
//! Pure: pieces of frames and the time go in, steps come out. Replies stream as the exact echo
//! does; whoever asks stops reading while too much is queued.

mod rate;
mod replies;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::{Behaviour, Hangup};
use crate::peer::Peer;
use crate::service::Now;
use crate::ws::close::CloseCode;
use crate::ws::head::Opcode;
pub use replies::Frame;
use replies::{QueuedReply, push_head};

/// With a rate, bytes go out for this long at once.
const RATE_STEP: Duration = Duration::from_millis(50);

/// What is known of the connection.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its number, counted from 1 since the server began.
    pub id: u64,
    /// Who is at the other end.
    pub peer: Peer,
    /// The request as JSON, if the behaviour mirrors it.
    pub mirror: Option<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Start the closing handshake.
    Close(CloseCode, String),
    /// Reset TCP.
    Reset,
    /// Finish TCP without a Close.
    Finish,
}

/// Memory of what is queued beside its bytes and its place in the queue: what allocators add.
const ITEM_BYTES: usize = 24;

/// Places for replies that a script keeps when all have gone.
const PLACES_KEPT: usize = 8;

/// One connection's script.
#[derive(Debug)]
pub struct Script {
    behaviour: Rc<Behaviour>,
    facts: Facts,
    queue: VecDeque<Item>,
    queued_bytes: usize,
    /// Control frames, which wait for nothing but the end of a frame.
    controls: VecDeque<Vec<u8>>,
    /// The last bytes sent were not the end of a frame.
    midway: bool,
    /// The end has been queued or reached.
    over: bool,
    /// Replies begun.
    count: u64,
    reply: QueuedReply,
    /// No reply is due before this one.
    last_due: Duration,
    /// What has been sent would have gone by then, at the rate.
    line_free: Duration,
    /// Until then it may go ahead of the rate.
    step_end: Duration,
    end_at: Option<Duration>,
    next_ping: Option<Duration>,
    dice: u64,
}

#[derive(Debug)]
enum Item {
    Bytes {
        due: Duration,
        bytes: Vec<u8>,
        /// How many of them have gone.
        gone: usize,
        ends_frame: bool,
        /// A frame ends after each of so many bytes.
        stride: usize,
    },
    End {
        due: Duration,
    },
}

impl Script {
    /// A script at the moment when its 101 is out. Chance follows from `seed`.
    pub fn new(behaviour: Rc<Behaviour>, facts: Facts, now: Now, seed: u64) -> Self {
        let open = now.monotonic;
        let ends = behaviour.close.is_some() || behaviour.drop.is_some();
        let mut script = Self {
            end_at: behaviour.at.filter(|_| ends).map(|at| open + at),
            next_ping: behaviour.ping.map(|ping| open + ping),
            queue: VecDeque::new(),
            queued_bytes: 0,
            controls: VecDeque::new(),
            midway: false,
            over: false,
            count: 0,
            reply: QueuedReply::default(),
            last_due: open,
            line_free: open,
            step_end: open,
            dice: seed | 1,
            facts,
            behaviour,
        };
        let welcomes = [script.facts.mirror.take(), script.behaviour.welcome.clone()];
        for text in welcomes.into_iter().flatten() {
            let mut bytes = Vec::new();
            push_head(&mut bytes, Opcode::Text, true, text.len() as u64);
            bytes.extend_from_slice(text.as_bytes());
            script.push(open, bytes, true, usize::MAX);
        }
        if ends && script.behaviour.after.is_none() && script.end_at.is_none() {
            script.queue.push_back(Item::End { due: open });
            script.over = true;
        }
        script
    }

    /// Takes a whole ping.
    pub fn ping(&mut self, payload: &[u8]) {
        if !self.behaviour.no_pong {
            let mut bytes = Vec::with_capacity(2 + payload.len());
            push_head(&mut bytes, Opcode::Pong, true, payload.len() as u64);
            bytes.extend_from_slice(payload);
            self.queued_bytes += bytes.capacity();
            self.controls.push_back(bytes);
        }
    }

    /// The next thing to do now.
    pub fn next(&mut self, now: Duration) -> Option<Action> {
        let time_is_up = self.end_at.is_some_and(|at| at <= now);
        if time_is_up && (!self.midway || self.behaviour.drop.is_some()) {
            self.end_at = None;
            return self.end();
        }
        if !self.midway && self.line_is_free(now) {
            if let Some(control) = self.controls.pop_front() {
                self.queued_bytes -= control.capacity();
                self.occupy_line(now, control.len());
                return Some(Action::Send(control));
            }
            if self.next_ping.is_some_and(|at| at <= now) {
                self.next_ping = self.behaviour.ping.map(|ping| now + ping);
                self.occupy_line(now, 2);
                return Some(Action::Send(vec![0x89, 0]));
            }
        }
        let line_is_free = self.line_is_free(now);
        let most = self.step_bytes_max(now);
        match self.queue.front_mut()? {
            Item::End { due } if *due <= now => self.end(),
            Item::Bytes { due, bytes, gone, ends_frame, stride } if *due <= now && line_is_free => {
                let mut count = bytes.len() - *gone;
                if let Some(most) = most {
                    // Between two frames there is room for a pong, or for the end.
                    count = count.min(most).min(*stride - *gone % *stride);
                }
                let sent = bytes[*gone..*gone + count].to_vec();
                *gone += count;
                if *gone == bytes.len() {
                    self.midway = !*ends_frame;
                    self.queued_bytes -= bytes.capacity();
                    self.queue.pop_front();
                    if self.queue.is_empty() {
                        self.queue.shrink_to(PLACES_KEPT);
                    }
                } else {
                    self.midway = *gone % *stride != 0;
                }
                self.occupy_line(now, count);
                Some(Action::Send(sent))
            }
            _ => None,
        }
    }

    /// When there may be something to do again, once [`Self::next`] has said that there is not.
    pub fn wake(&self) -> Option<Duration> {
        let is_ahead = self.line_free >= self.step_end;
        let free = if is_ahead { self.line_free } else { Duration::ZERO };
        let front = self.queue.front().map(|item| match item {
            Item::Bytes { due, .. } => (*due).max(free),
            Item::End { due } => *due,
        });
        let end = self.end_at.filter(|_| !self.midway || self.behaviour.drop.is_some());
        let control = self.controls.front().map(|_| Duration::ZERO);
        let control = [self.next_ping, control].into_iter().flatten().min();
        let control = control.filter(|_| !self.midway).map(|at| at.max(free));
        [front, end, control].into_iter().flatten().min()
    }

    /// Bytes that wait, with what goes with them; those of a part that has been sent count until
    /// all of it has gone.
    pub fn queued(&self) -> usize {
        let items = self.queue.len() + self.controls.len();
        self.queued_bytes + items * size_of::<Item>() + self.reply.held.capacity()
    }

    /// Bytes of memory that all of it takes, places for more included.
    pub fn footprint(&self) -> usize {
        let places = self.queue.capacity() * size_of::<Item>()
            + self.controls.capacity() * size_of::<Vec<u8>>();
        let items = self.queue.len() + self.controls.len();
        self.queued_bytes + places + items * ITEM_BYTES + self.reply.held.capacity()
    }

    /// True when the last bytes sent were not the end of a frame.
    pub fn is_within_frame(&self) -> bool {
        self.midway
    }

    /// What completes the frame that is being sent; `None` if that has not arrived.
    pub fn rest_of_frame(&self) -> Option<Vec<u8>> {
        let mut rest = Vec::new();
        let mut midway = self.midway;
        for item in &self.queue {
            let Item::Bytes { bytes, gone, ends_frame, stride, .. } = item else { continue };
            if !midway {
                break;
            }
            // What has not begun to go is the middle of a frame that an earlier item began.
            let frames = if *gone == 0 { usize::MAX } else { gone.div_ceil(*stride) };
            let end = bytes.len().min(frames.saturating_mul(*stride));
            rest.extend_from_slice(&bytes[*gone..end]);
            midway = end == bytes.len() && !ends_frame;
        }
        (!midway).then_some(rest)
    }

    /// Ends the script: nothing that was queued is sent.
    pub fn stop(&mut self) {
        self.over = true;
        self.end_at = None;
        self.next_ping = None;
        self.controls.clear();
        self.queue.clear();
        self.queued_bytes = 0;
        self.midway = false;
    }

    fn push(&mut self, due: Duration, bytes: Vec<u8>, ends_frame: bool, stride: usize) {
        if !bytes.is_empty() {
            self.queued_bytes += bytes.capacity();
            self.queue.push_back(Item::Bytes { due, bytes, gone: 0, ends_frame, stride });
        }
    }

    fn end(&mut self) -> Option<Action> {
        let step = match (self.behaviour.drop, self.behaviour.close) {
            (Some(Hangup::Rst), _) => Action::Reset,
            (Some(Hangup::Fin), _) => Action::Finish,
            (None, Some(code)) => Action::Close(code, self.behaviour.reason.clone()),
            (None, None) => return None,
        };
        self.stop();
        Some(step)
    }

    /// A number from 0 to below 1 (xorshift64; nothing depends on its quality).
    fn chance(&mut self) -> f64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;
