//! One connection's share of a turn.

use std::io;
use std::ops::Range;

use super::Server;
use super::registry::Entry;
use super::socket::write;
use crate::conn::read_buffer::{READ_AT, ReadBuffer};
use crate::conn::{Cause, Context, Need, Next, Reply};
use crate::id::ConnId;
use crate::limits::{QUANTUM_BYTES_MIN, READ_BYTES_MAX, READ_BYTES_MIN};
use crate::net::{Incoming, Net, Stream};

impl<N: Net> Server<N> {
    /// Does what the connection asks for until it has to wait or has read its `quantum` of bytes.
    pub(super) fn drive(&mut self, id: ConnId, quantum: usize) {
        let Some(entry) = self.registry.get(id) else { return };
        let (schedule, cx) = (&mut self.schedule, &mut self.cx);
        let called = schedule.begin(&mut entry.standing);
        cx.inflaters.begin_turn(called == Some(Need::Inflater));
        cx.effects.begin_share();
        cx.inflaters.waiting = schedule.waiting(Need::Inflater);
        let others_wait = called != Some(Need::Room) && schedule.waiting(Need::Room) > 0;
        if entry.standing.waits_for().is_some() && entry.connection.is_discarding() {
            schedule.leave(&mut entry.standing);
        }
        // Who was called because a little room is there leaves the rest of it to those behind.
        let in_turn = called == Some(Need::Room) && schedule.waiting(Need::Room) > 0;
        let mut left = if in_turn { READ_BYTES_MIN } else { quantum };
        let mut moved = 0;
        loop {
            let (share, before) = self.meters.begin(id, entry, left, cx);
            let step = entry.step(share, others_wait, &mut self.buffer, cx);
            self.meters.note(id, before, &entry.connection, cx);
            match step {
                Step::Moved(count) => {
                    moved += count;
                    left = entry.left(left, count);
                    if !entry.readable && entry.connection.is_echo_at_rest() {
                        break;
                    }
                }
                Step::Sent(count) => moved += count,
                Step::Spoke => left = left.saturating_sub(QUANTUM_BYTES_MIN),
                Step::Done => {}
                Step::Wait => break,
                Step::Yield => {
                    cx.metrics.yields += 1;
                    schedule.wake(id, &mut entry.standing);
                    break;
                }
                Step::Need(need) => {
                    if entry.standing.waits_for().is_none() {
                        cx.metrics.count_wait(need == Need::Room);
                        schedule.wait(id, &mut entry.standing, need, called == Some(need));
                    }
                    break;
                }
                Step::Reap(ending) => {
                    self.ended.push((id, ending));
                    break;
                }
            }
        }
        if entry.flush_stream(cx) {
            schedule.wake(id, &mut entry.standing);
        }
        let waits = entry.standing.waits_for().is_some();
        let timeout = entry.connection.timeout();
        let timeout = match waits {
            true => timeout.while_starved(),
            false => self.meters.timeout(id, timeout),
        };
        self.timeouts.note(id.index(), timeout, moved > 0);
        cx.part();
        self.buffer.part();
    }
}

/// What one step of a connection came to.
enum Step {
    /// So many bytes were read, or taken up again.
    Moved(usize),
    /// So many bytes were sent.
    Sent(usize),
    /// The connection has said something by itself.
    Spoke,
    /// Something was done that moved no bytes.
    Done,
    /// There is nothing to do before something happens.
    Wait,
    /// There is more to do than the turn has room for.
    Yield,
    /// There is something to do that needs what is used up.
    Need(Need),
    /// The connection has ended.
    Reap(crate::ending::Ending),
}

impl<S: Stream> Entry<S> {
    /// Does what the connection asks for. `left` bytes may be read.
    fn step(
        &mut self,
        left: usize,
        others_wait: bool,
        buffer: &mut ReadBuffer,
        cx: &mut Context,
    ) -> Step {
        let next = self.connection.next();
        match next {
            Next::Write if self.writable => Step::Sent(self.flush(buffer, cx)),
            Next::Write => self.finish(left, buffer, cx),
            Next::Speak if left == 0 || self.connection.comes_next_turn(cx) => Step::Yield,
            Next::Speak => {
                self.connection.speak(cx);
                Step::Spoke
            }
            Next::Reset => {
                self.stream.reset();
                self.connection.end(Cause::TimeIsUp, cx);
                Step::Done
            }
            Next::Shut if self.writable => {
                self.shut();
                Step::Done
            }
            Next::Read | Next::Resume if left == 0 && self.has_input() => Step::Yield,
            Next::Read | Next::Resume if left == 0 => Step::Wait,
            // It keeps its place in line, even if there is something again by now.
            Next::Read | Next::Resume if self.waits() => self.wait_unread(None, cx),
            Next::Read if self.readable && self.stream.is_costly() => Step::Yield,
            Next::Read if self.readable => match self.connection.read_limit(others_wait, cx) {
                Ok(limit) => Step::Moved(self.read(limit.min(left), buffer, cx)),
                Err(need) => self.refused(need, cx),
            },
            Next::Resume => match self.connection.may_resume(cx) {
                Ok(()) => Step::Moved(self.resume(buffer, cx)),
                Err(need) => self.refused(need, cx),
            },
            Next::Rest => self.wait_unread(self.hangup.then_some(Cause::PeerFinished), cx),
            Next::Read | Next::Shut => Step::Wait,
            Next::Reap(ending) => Step::Reap(ending),
        }
    }

    /// The peer does not take its replies: the rest of its message may be read all the same.
    #[inline(never)]
    fn finish(&mut self, left: usize, buffer: &mut ReadBuffer, cx: &mut Context) -> Step {
        let Some(limit) = self.connection.finishing(cx) else { return Step::Wait };
        match () {
            () if !self.has_input() => Step::Wait,
            () if self.waits() => self.wait_unread(None, cx),
            () if left == 0 => Step::Yield,
            () if self.connection.has_unprocessed() => match self.connection.may_resume(cx) {
                Ok(()) => Step::Moved(self.resume(buffer, cx)),
                Err(need) => self.refused(need, cx),
            },
            () => Step::Moved(self.read(limit.min(left), buffer, cx)),
        }
    }

    /// There is no room for a read, or no inflater, or no more that members may cause in this turn.
    #[cold]
    fn refused(&self, need: Need, cx: &Context) -> Step {
        if self.connection.comes_next_turn(cx) { Step::Yield } else { Step::Need(need) }
    }

    /// Waits without reading, which would tell if the peer has gone: then, or if it has finished
    /// for `end`, there is nobody to wait for.
    #[cold]
    fn wait_unread(&mut self, end: Option<Cause>, cx: &mut Context) -> Step {
        let end = if self.failed { Some(Cause::SocketFailed) } else { end };
        let Some(cause) = end else { return Step::Wait };
        self.connection.end(cause, cx);
        Step::Done
    }

    /// Reads once and answers what was read. Returns how many bytes came, whatever they were.
    fn read(&mut self, limit: usize, buffer: &mut ReadBuffer, cx: &mut Context) -> usize {
        let window = buffer.window(limit);
        match self.stream.read(window) {
            Ok(Incoming { count: 0, .. }) => {
                self.readable = false;
                self.connection.end(Cause::PeerFinished, cx);
                0
            }
            Ok(Incoming { count, drained }) => {
                // If the end of the stream has been announced no further event will come, and only
                // reading on finds it.
                if drained && !self.hangup {
                    self.readable = false;
                }
                cx.metrics.bytes_received += count as u64;
                self.connection.note_received(count, buffer);
                self.answer(READ_AT..READ_AT + count, buffer, cx);
                count + self.stream.beside()
            }
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::WouldBlock => self.readable = false,
                    io::ErrorKind::Interrupted => return self.stream.beside(),
                    io::ErrorKind::UnexpectedEof => {
                        self.readable = false;
                        self.connection.end(Cause::PeerTruncated, cx);
                    }
                    io::ErrorKind::InvalidData => {
                        self.connection.end(Cause::TlsFailed(error.to_string()), cx);
                    }
                    _ => self.connection.end(Cause::SocketFailed, cx),
                }
                0
            }
        }
    }

    /// Goes on with what an earlier turn left. Returns how many bytes that were.
    #[inline(never)]
    fn resume(&mut self, buffer: &mut ReadBuffer, cx: &mut Context) -> usize {
        let span = self.connection.resume(buffer, cx);
        let count = span.len();
        self.answer(span, buffer, cx);
        count
    }

    #[inline]
    fn answer(&mut self, span: Range<usize>, buffer: &mut ReadBuffer, cx: &mut Context) {
        let mut span = span;
        while !span.is_empty() {
            let received = self.connection.receive(buffer, span, cx);
            self.send(received.reply, buffer, cx);
            span = received.rest;
        }
    }

    /// True when there is, or may be, something to look at.
    fn has_input(&self) -> bool {
        self.readable || self.connection.has_unprocessed()
    }

    fn waits(&self) -> bool {
        self.standing.waits_for().is_some() && !self.connection.is_discarding()
    }

    /// What is left of `left` bytes after `count`, of which each read costs some, however little it
    /// brings. Bytes that were put aside mean that the share is used up, in effort if not in bytes.
    fn left(&self, left: usize, count: usize) -> usize {
        let cost = count.max(READ_BYTES_MIN);
        if self.connection.has_unprocessed() { 0 } else { left.saturating_sub(cost) }
    }

    /// Writes a reply at once; what the socket refuses goes to the send queue.
    fn send(&mut self, reply: Reply, buffer: &ReadBuffer, cx: &mut Context) {
        let scratch = match reply {
            Reply::Buffer(range) => return self.send_bytes(buffer.part_of(range), cx),
            Reply::Scratch => std::mem::take(&mut cx.scratch),
        };
        self.send_bytes(&scratch, cx);
        cx.scratch = scratch;
        cx.scratch.clear();
    }

    #[inline]
    fn send_bytes(&mut self, bytes: &[u8], cx: &mut Context) {
        if bytes.is_empty() {
            return;
        }
        let blocked = !self.writable || !self.connection.is_flushed();
        let count =
            if blocked { Some(0) } else { write(&mut self.stream, bytes, &mut self.writable) };
        let Some(count) = count else { return self.connection.end(Cause::SocketFailed, cx) };
        cx.metrics.bytes_sent += count as u64;
        self.connection.note_sent(bytes, count);
        if count < bytes.len() {
            self.keep(&bytes[count..], cx);
        }
    }

    /// Keeps what the socket has refused.
    #[inline(never)]
    fn keep(&mut self, unsent: &[u8], cx: &mut Context) {
        if self.connection.is_unopened() {
            self.stream.keep_in_reserve();
        }
        self.connection.keep(unsent, cx);
    }

    /// Writes what waits in the send queue. Returns how many bytes went.
    pub(super) fn flush(&mut self, buffer: &mut ReadBuffer, cx: &mut Context) -> usize {
        let unsent = self.connection.gather(buffer.window(READ_BYTES_MAX));
        let Some(count) = write(&mut self.stream, unsent, &mut self.writable) else {
            self.connection.end(Cause::SocketFailed, cx);
            return 0;
        };
        cx.metrics.bytes_sent += count as u64;
        self.connection.sent(count, cx);
        count
    }
}
