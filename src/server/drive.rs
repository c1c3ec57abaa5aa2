//! One connection's share of a turn.

use std::io;
use std::ops::Range;

use super::Server;
use super::registry::Entry;
use crate::conn::area::{Area, READ_AT};
use crate::conn::{Context, Next, Reply};
use crate::ending::Ending;
use crate::id::ConnId;
use crate::limits::{READ_BYTES_MAX, TURN_BYTES_MAX};
use crate::net::{Net, Stream};

impl<N: Net> Server<N> {
    /// Does what the connection asks for until it has to wait or has had its share.
    pub(super) fn drive(&mut self, id: ConnId) {
        let Some(entry) = self.registry.get(id) else { return };
        entry.queued = false;
        let mut share = TURN_BYTES_MAX;
        let mut moved = 0;
        loop {
            match entry.connection.next() {
                Next::Write if entry.writable => {
                    moved += entry.flush(&mut self.area, &mut self.cx);
                }
                Next::Speak => entry.connection.speak(&mut self.cx),
                Next::Reset => {
                    entry.stream.reset();
                    entry.connection.abort(Ending::Scripted, &mut self.cx);
                }
                Next::Shut => entry.shut(),
                // It waits for its turn, even if there is something again by now.
                Next::Read if entry.starved && !entry.connection.is_discarding() => break,
                Next::Read if entry.readable && share > 0 => {
                    let grant = match entry.connection.appetite(&self.cx) {
                        Ok(grant) => grant,
                        Err(shortage) => {
                            entry.starved = true;
                            self.starved.wait(id, shortage, &mut self.cx.metrics);
                            break;
                        }
                    };
                    let count = entry.read(&mut self.area, grant, &mut self.cx);
                    moved += count;
                    share = entry.share_left(share, count);
                }
                Next::Resume if entry.starved => break,
                Next::Resume if share > 0 => {
                    if let Err(shortage) = entry.connection.may_resume(&self.cx) {
                        entry.starved = true;
                        self.starved.wait(id, shortage, &mut self.cx.metrics);
                        break;
                    }
                    let count = entry.resume(&mut self.area, &mut self.cx);
                    moved += count;
                    share = entry.share_left(share, count);
                }
                Next::Read | Next::Resume if share == 0 && entry.has_input() => {
                    self.cx.metrics.yields += 1;
                    entry.queued = true;
                    self.ready.push_back(id);
                    break;
                }
                Next::Read | Next::Resume | Next::Write | Next::Rest => break,
                Next::Reap(ending) => {
                    self.ended.push((id, ending));
                    break;
                }
            }
        }
        let watch = entry.connection.watch();
        let watch = if entry.starved { watch.while_starved() } else { watch };
        self.deadlines.note(id.index(), watch, moved > 0);
    }
}

impl<S: Stream> Entry<S> {
    /// Reads once and answers what was read. Returns how many bytes came.
    fn read(&mut self, area: &mut Area, grant: usize, cx: &mut Context) -> usize {
        match self.stream.read(area.window(grant)) {
            Ok(0) => {
                self.readable = false;
                self.connection.peer_finished(cx);
                0
            }
            Ok(count) => {
                // A short read has drained the socket, unless the end of the stream has been
                // announced: then no further event will come, and only reading on finds it.
                if count < grant && !self.hangup {
                    self.readable = false;
                }
                cx.metrics.bytes_received += count as u64;
                self.connection.note_bytes(count, 0);
                self.answer(READ_AT..READ_AT + count, area, cx);
                count
            }
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::WouldBlock => self.readable = false,
                    io::ErrorKind::Interrupted => {}
                    _ => self.connection.failed(cx),
                }
                0
            }
        }
    }

    /// Goes on with what an earlier turn left. Returns how many bytes that were.
    fn resume(&mut self, area: &mut Area, cx: &mut Context) -> usize {
        let span = self.connection.resume(area, cx);
        let count = span.len();
        self.answer(span, area, cx);
        count
    }

    fn answer(&mut self, span: Range<usize>, area: &mut Area, cx: &mut Context) {
        let mut span = span;
        while !span.is_empty() {
            let received = self.connection.receive(area, span, cx);
            self.send(received.reply, area, cx);
            span = received.rest;
        }
    }

    /// True when there is, or may be, something to look at.
    fn has_input(&self) -> bool {
        self.readable || self.connection.has_parked()
    }

    /// What is left of a connection's share after `count` bytes. Bytes that were put aside mean
    /// that it is used up, in effort if not in bytes.
    fn share_left(&self, share: usize, count: usize) -> usize {
        if self.connection.has_parked() { 0 } else { share.saturating_sub(count) }
    }

    /// Writes a reply at once; what the socket refuses goes to the outbox.
    fn send(&mut self, reply: Reply, area: &Area, cx: &mut Context) {
        let bytes = match reply {
            Reply::Area(range) => area.part(range),
            Reply::Scratch => &cx.scratch,
        };
        if bytes.is_empty() {
            return;
        }
        let blocked = !self.writable || !self.connection.unsent().is_empty();
        let count =
            if blocked { Some(0) } else { write(&mut self.stream, bytes, &mut self.writable) };
        let Some(count) = count else { return self.connection.failed(cx) };
        cx.metrics.bytes_sent += count as u64;
        self.connection.note_bytes(0, count);
        if count < bytes.len() {
            self.connection.keep(&bytes[count..], &mut cx.store);
        }
    }

    /// Writes what waits in the outbox. Returns how many bytes went.
    fn flush(&mut self, area: &mut Area, cx: &mut Context) -> usize {
        let unsent = self.connection.gather(area.window(READ_BYTES_MAX));
        let Some(count) = write(&mut self.stream, unsent, &mut self.writable) else {
            self.connection.failed(cx);
            return 0;
        };
        cx.metrics.bytes_sent += count as u64;
        self.connection.note_bytes(0, count);
        self.connection.sent(count, cx);
        count
    }

    fn shut(&mut self) {
        // A socket that cannot be shut has failed already; reading from it will say so.
        let _ = self.stream.shut();
        self.connection.has_shut();
    }
}

/// Writes once. `None` if the socket failed; clears `writable` if it is full.
fn write(stream: &mut impl Stream, bytes: &[u8], writable: &mut bool) -> Option<usize> {
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
