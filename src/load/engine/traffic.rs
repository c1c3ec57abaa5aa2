//! Messages: who may send how many and when, and what an answer sets off.

use std::time::Duration;

use super::super::errors::Kind;
use super::super::plan::Shape;
use super::super::state::{End, State};
use super::{Engine, INTERRUPTED_DRAIN_TIME, Stage};
use crate::net::Event;
use crate::net::dial::Dial;

/// What one connection may read before others have their turn.
const QUANTUM_BYTES: usize = 4 * 1024 * 1024;

/// How long that may take: few bytes can inflate to many, or be a great many messages.
const QUANTUM_TIME: Duration = Duration::from_millis(5);

/// How often connections are looked at that have had no answer, at least.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// So many messages are never sent in one run; who never reads is never short of them.
const ENDLESS: usize = usize::MAX / 2;

impl<D: Dial> Engine<D> {
    /// New readiness of a connection.
    pub(super) fn event(&mut self, at: usize, event: Event) {
        if let Err(end) = self.attend(at, event) {
            self.end(at, end);
        }
    }

    fn attend(&mut self, at: usize, event: Event) -> Result<(), End> {
        let Some(client) = self.clients.get_mut(at).and_then(Option::as_mut) else { return Ok(()) };
        if event.writable {
            client.has_room();
        }
        if client.state() == State::Connecting {
            self.connected(at, event)?;
            // To a bare echo it is open now, and what has come with that is not told again.
            let client = self.clients[at].as_ref();
            let is_open = client.is_some_and(|client| client.state() == State::Open);
            return if is_open && event.readable { self.read(at, event.hangup) } else { Ok(()) };
        }
        // What has come makes room at the server for what goes.
        if event.readable {
            self.read(at, event.hangup)?;
        }
        if event.writable { self.write_on(at) } else { Ok(()) }
    }

    /// A socket can be written to. Every edge says so, and few have anything to write.
    fn write_on(&mut self, at: usize) -> Result<(), End> {
        let Some(client) = self.clients[at].as_mut() else { return Ok(()) };
        client.speak()?;
        if self.room.is_none() && !client.has_more_to_say() {
            return Ok(());
        }
        self.flush(at, self.net.now())
    }

    /// Goes on reading where the quantum had ended.
    pub(super) fn read_on(&mut self, at: usize, hangup: bool) {
        if let Err(end) = self.read(at, hangup) {
            self.end(at, end);
        }
    }

    /// Reads what there is. A short read has drained the socket, unless the peer has finished.
    fn read(&mut self, at: usize, hangup: bool) -> Result<(), End> {
        let (mut left, mut until) = (QUANTUM_BYTES, None);
        while let Some(client) = self.clients.get_mut(at).and_then(Option::as_mut) {
            if client.slow && client.state() == State::Open {
                return if hangup { Err(client.finished()) } else { Ok(()) };
            }
            let Some((count, drained)) = client.read(&mut self.buffer)? else { return Ok(()) };
            if count == 0 {
                return Err(client.finished());
            }
            self.take(at, count)?;
            if drained && !hangup {
                return Ok(());
            }
            left = left.saturating_sub(count);
            let now = self.net.now();
            if left == 0 || now >= *until.get_or_insert(now + QUANTUM_TIME) {
                self.again.push((at, hangup));
                return Ok(());
            }
        }
        Ok(())
    }

    /// Bytes have come.
    fn take(&mut self, at: usize, count: usize) -> Result<(), End> {
        let now = self.net.now();
        let mut from = 0;
        let Some(client) = &mut self.clients[at] else { return Ok(()) };
        if client.state() == State::Opening {
            let Some((head, used)) = client.answer(&self.buffer[..count])? else { return Ok(()) };
            from = used;
            self.opened(at, &head, now)?;
        }
        if from == count {
            return Ok(());
        }
        if self.room.is_some() {
            return self.take_as_member(at, from..count, now);
        }
        let Some(client) = &mut self.clients[at] else { return Ok(()) };
        let heard = client.feed(&self.buffer[from..count], &mut self.desk, now);
        self.tally.received(heard.payload_bytes, now);
        client.answered(heard.messages, now, &mut self.tally);
        client.goes_on(heard.broken, heard.close)?;
        if heard.messages > 0 && self.sending {
            self.proceed(at, heard.messages, now);
        }
        self.flush(at, now)
    }

    /// Messages have been answered: what may be sent for them?
    fn proceed(&mut self, at: usize, messages: usize, now: Duration) {
        let Some(client) = &mut self.clients[at] else { return };
        if self.plan.messages_each().is_some() {
            let next = (client.left as usize).min(messages);
            client.pending += next;
            client.left -= next as u32;
            let is_done = client.is_at_rest() && client.state() == State::Open;
            if is_done && self.plan.shape != Shape::Idle {
                client.close(now);
            }
        } else if self.plan.rate.is_some() {
            // The clock says when the next one is due.
        } else if self.plan.think > Duration::ZERO {
            self.thinking.push_back((now + self.plan.think, at, messages));
        } else {
            client.pending += messages;
        }
    }

    /// A connection that is open joins in.
    pub(super) fn start(&mut self, at: usize, now: Duration) {
        let pipeline = self.plan.pipeline;
        let Some(client) = &mut self.clients[at] else { return };
        match self.plan.shape {
            Shape::Idle if self.plan.touch == 0 => return,
            _ if client.slow => client.pending = ENDLESS,
            Shape::Churn(0) => client.close(now),
            Shape::Idle | Shape::Churn(_) => {
                let messages = self.plan.messages_each().unwrap_or(0);
                client.pending = pipeline.min(messages as usize);
                client.left = messages - client.pending as u32;
            }
            _ if self.plan.rate.is_some() => return,
            Shape::Echo => client.pending = pipeline,
            Shape::Broadcast(_) => {
                for _ in 0..pipeline {
                    self.send_to_room(at, now);
                }
                return;
            }
        }
        self.flush_or_end(at, now);
    }

    /// Sends what is due by now, in an open loop and after pauses.
    pub(super) fn send_due(&mut self, now: Duration) {
        while self.thinking.front().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, at, messages)) = self.thinking.pop_front() else { break };
            let Some(client) = self.clients[at].as_mut().filter(|_| self.sending) else { continue };
            client.pending += messages;
            self.flush_or_end(at, now);
        }
        if !self.sending {
            return;
        }
        let Some(mut pace) = self.pace.take() else { return };
        let mut senders = Vec::new();
        while let Some(due) = pace.take(now) {
            let Some(at) = self.whose_turn() else { continue };
            if self.room.is_some() {
                self.send_to_room(at, due);
            } else if let Some(client) = &mut self.clients[at] {
                client.due(due);
                senders.push(at);
            }
        }
        // All that is due on a connection leaves in one write; a second one finds nothing to do.
        for at in senders {
            self.flush_or_end(at, now);
        }
        self.pace = Some(pace);
    }

    /// The open connection whose turn it is; they take turns. Those that have gone lose theirs, so
    /// that nobody is passed over twice.
    fn whose_turn(&mut self) -> Option<usize> {
        while let Some(turn) = self.turns.pop_front() {
            let at = turn as usize;
            let client = self.clients.get(at).and_then(Option::as_ref);
            if client.is_some_and(|client| client.state() == State::Open) {
                self.turns.push_back(turn);
                return Some(at);
            }
        }
        None
    }

    /// A connection that is open takes its turns in an open loop.
    pub(super) fn take_turns(&mut self, at: usize) {
        let slow = self.clients[at].as_ref().is_some_and(|client| client.slow);
        if self.plan.rate.is_some() && !slow {
            self.turns.extend(u32::try_from(at));
        }
    }

    pub(super) fn flush(&mut self, at: usize, now: Duration) -> Result<(), End> {
        let paced = self.plan.rate.is_some();
        let Some(client) = &mut self.clients[at] else { return Ok(()) };
        client.speak()?;
        if client.state() == State::Opening {
            return Ok(());
        }
        client.flush(&self.desk, &mut self.tally, paced && !client.slow, now)?;
        if self.room.is_some() { self.catch_up(at, now) } else { Ok(()) }
    }

    pub(super) fn flush_or_end(&mut self, at: usize, now: Duration) {
        if let Err(end) = self.flush(at, now) {
            self.end(at, end);
        }
    }

    /// No new messages. Those of an open loop that are due are still sent: they were due.
    pub(super) fn drain(&mut self, now: Duration) {
        self.sending = false;
        self.opening.give_up();
        self.gauges.measured();
        let patience = if self.interrupted { INTERRUPTED_DRAIN_TIME } else { self.plan.timeout };
        self.stage = Stage::Draining(now + patience);
        self.thinking.clear();
        if self.pace.is_none() {
            for client in self.clients.iter_mut().flatten() {
                client.pending = 0;
            }
        }
    }

    /// Nobody waits for anything.
    pub(super) fn is_at_rest(&self) -> bool {
        let rests = self.room.as_ref().is_none_or(|(room, _)| room.is_at_rest());
        let mut clients = self.clients.iter().flatten();
        rests
            && clients
                .all(|client| client.slow || client.state() != State::Open || client.is_at_rest())
    }

    /// Every connection is gone, and none comes back.
    pub(super) fn is_forsaken(&self) -> bool {
        !self.opening.expects_more() && self.clients.iter().all(Option::is_none)
    }

    /// Gives up connections that have waited too long.
    pub(super) fn sweep(&mut self, now: Duration) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP_INTERVAL.min(self.plan.timeout / 4);
        for at in 0..self.clients.len() {
            let Some(client) = &self.clients[at] else { continue };
            // Of a member nothing is in flight, but what it says has to be taken.
            let stuffed = self.room.is_some() && client.is_stuffed();
            let awaits = client.in_flight > 0 || stuffed || client.state() != State::Open;
            if awaits && !client.slow && now >= client.since + self.plan.timeout {
                let (kind, what) = match client.state() {
                    State::Connecting => (Kind::Connect, "no connection".to_owned()),
                    State::Opening => (Kind::Handshake, "no answer to the request".to_owned()),
                    State::Open if stuffed => (Kind::Timeout, "nothing was taken".to_owned()),
                    State::Open => {
                        (Kind::Timeout, format!("no answer to {} messages", client.in_flight))
                    }
                    State::Closing => (Kind::Timeout, "no end after our Close".to_owned()),
                };
                let words = format!("{what} in {:?}", self.plan.timeout);
                self.end(at, End::Wrong(kind, words));
            }
        }
        self.sweep_room(now);
    }
}
