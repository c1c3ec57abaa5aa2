//! What services want done to connections.

use std::rc::Rc;

use super::Server;
use super::registry::Entry;
use crate::conn::read_buffer::ReadBuffer;
use crate::conn::{Cause, Context};
use crate::net::{Net, Stream};
use crate::service::{Effect, SharedFrame};

impl<N: Net> Server<N> {
    /// Does what the services want. Messages go to the send queues; the connections that got some
    /// are driven next, so that one write sends all that came together, or after a while, so that
    /// it sends what comes meanwhile too.
    #[inline(never)]
    pub(super) fn deliver(&mut self) {
        let mut effects = self.cx.effects.take();
        for effect in effects.drain(..) {
            let (Effect::Send(id, _) | Effect::Close(id, ..) | Effect::Wake(id)) = effect;
            let Some(entry) = self.registry.get(id) else { continue };
            match effect {
                Effect::Send(_, frame) => {
                    let (buffer, cx) = (&mut self.buffer, &mut self.cx);
                    // Where something waits already, it is held, or has to wait for the socket.
                    let waits = !entry.connection.is_flushed();
                    if !entry.post(&frame, buffer, cx) {
                        entry.connection.end(Cause::Slow, cx);
                    } else if self.held.is_on() && (waits || self.held.hold(id, cx.now)) {
                        continue;
                    }
                }
                Effect::Wake(_) => entry.connection.wake(&mut self.cx),
                Effect::Close(_, code, reason) => {
                    entry.connection.end(Cause::Dismissed(code, reason), &mut self.cx);
                }
            }
            self.schedule.wake(id, &mut entry.standing);
        }
        self.cx.effects.give_back(effects);
        self.call_for_held();
    }
}

impl<S: Stream> Entry<S> {
    /// Adds a message from another connection. False if its peer is too slow for it: of what waits
    /// already the socket does not take enough.
    fn post(&mut self, frame: &Rc<SharedFrame>, buffer: &mut ReadBuffer, cx: &mut Context) -> bool {
        while !self.connection.post(frame, cx) {
            if !self.writable || self.flush(buffer, cx) == 0 {
                return false;
            }
        }
        true
    }
}
