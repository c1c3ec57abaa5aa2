//! What moves on a connection, noted for its log. All of it stays out of the way of those that have
//! none.

use super::send_queue::SendQueue;
use super::{Connection, ConnectionLog, Phase};

impl Connection {
    /// For the log: these bytes were received.
    #[inline]
    pub fn note_received(&mut self, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log_received(log, &self.phase, bytes);
        }
    }

    /// For the log: the socket took these bytes of a reply.
    #[inline]
    pub fn note_sent(&mut self, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log_sent(log, bytes);
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
fn log_received(log: &mut ConnectionLog, phase: &Phase, bytes: &[u8]) {
    log.note_received(bytes, matches!(phase, Phase::Open(_)));
}

#[cold]
#[inline(never)]
fn log_sent(log: &mut ConnectionLog, bytes: &[u8]) {
    log.note_sent(bytes);
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
