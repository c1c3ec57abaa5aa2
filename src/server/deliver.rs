//! What services want done to connections.

use super::Server;
use crate::conn::Cause;
use crate::ending::Ending;
use crate::net::Net;
use crate::service::Effect;

impl<N: Net> Server<N> {
    /// Does what the services want. Messages go to the send queues; the connections that got some
    /// are driven next, so that one write sends all that came together.
    pub(super) fn deliver(&mut self) {
        let mut effects = self.cx.effects.take();
        for effect in effects.drain(..) {
            let (Effect::Send(id, _) | Effect::Close(id, ..)) = effect;
            let Some(entry) = self.registry.get(id) else { continue };
            match effect {
                Effect::Send(_, frame) => {
                    if !entry.connection.post(&frame, &mut self.cx) {
                        self.ended.push((id, Ending::Slow));
                        continue;
                    }
                }
                Effect::Close(_, code, reason) => {
                    entry.connection.end(Cause::Dismissed(code, reason), &mut self.cx);
                }
            }
            self.schedule.wake(id, &mut entry.standing);
        }
        self.cx.effects.give_back(effects);
    }
}
