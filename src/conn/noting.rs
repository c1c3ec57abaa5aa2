//! What moves on a connection, noted for its log. All of it stays out of the way of those that have
//! none.

use super::read_buffer::{READ_AT, ReadBuffer};
use super::send_queue::SendQueue;
use super::{Connection, ConnectionLog, Phase};

impl Connection {
    /// For the log: `count` bytes were received, and stand in `buffer`.
    #[inline]
    pub fn note_received(&mut self, count: usize, buffer: &ReadBuffer) {
        if let Some(log) = &mut self.log {
            log_received(log, &self.phase, count, buffer);
        }
    }

    /// For the log: the socket took `count` of these bytes of a reply.
    #[inline]
    pub fn note_sent(&mut self, bytes: &[u8], count: usize) {
        if let Some(log) = &mut self.log {
            log_sent(log, bytes, count);
        }
    }

    /// For the log: the socket takes `count` bytes of the send queue.
    #[inline]
    pub(super) fn note_flushed(&mut self, count: usize) {
        if let (Some(log), Some(queue)) = (&mut self.log, &self.queue) {
            log_flushed(log, queue, count);
        }
    }
}

#[cold]
#[inline(never)]
fn log_received(log: &mut ConnectionLog, phase: &Phase, count: usize, buffer: &ReadBuffer) {
    let bytes = buffer.part_of(READ_AT..READ_AT + count);
    log.note_received(bytes, matches!(phase, Phase::Open(_)));
}

#[cold]
#[inline(never)]
fn log_sent(log: &mut ConnectionLog, bytes: &[u8], count: usize) {
    log.note_sent(&bytes[..count]);
}

#[cold]
#[inline(never)]
fn log_flushed(log: &mut ConnectionLog, queue: &SendQueue, count: usize) {
    let mut left = count;
    for part in queue.parts() {
        let taken = part.len().min(left);
        log.note_sent(&part[..taken]);
        left -= taken;
    }
}
