//! Events: what they say is remembered where it belongs.

use super::Server;
use super::drain::Drain;
use crate::id::ConnId;
use crate::net::{Net, Source};

impl<N: Net> Server<N> {
    /// Remembers what the events said.
    pub(super) fn mark(&mut self) {
        let mut signalled = false;
        let (mut reload, mut supervised) = (false, false);
        for event in &self.events {
            match event.source {
                Source::Connection(token) => {
                    let id = ConnId::from_token(token);
                    let Some(entry) = self.registry.get(id) else { continue };
                    entry.readable |= event.readable;
                    entry.writable |= event.writable;
                    entry.hangup |= event.hangup;
                    entry.failed |= event.failed;
                    self.schedule.wake(id, &mut entry.standing);
                }
                Source::Listener(at) => self.acceptor.mark(at),
                Source::Signal => signalled = true,
                Source::Reload => reload = true,
                Source::Bus => self.bus.iter_mut().for_each(|seat| seat.mark(event)),
                Source::Supervisor => supervised = true,
            }
        }
        if supervised {
            self.heed_supervisor();
        }
        if reload {
            self.reload();
        }
        if signalled && (self.drain == Drain::No || self.cx.config.worker.is_none()) {
            self.start_draining();
        }
    }
}
