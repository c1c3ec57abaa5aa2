//! The end of the server: announced, drained, done.
//!
//! A signal announces it: from then on `/healthz` and new handshakes get 503, on listeners that
//! stay open so that balancers can see it. After the drain delay open connections get Close 1001
//! and have the drain timeout to answer. The listeners close when the last of them is gone.
//!
//! Listeners that others have as well are left to those: whoever is on the way is still accepted
//! and served as if nothing had been announced, and nobody is told to go elsewhere.

use std::time::Duration;

use log::{info, warn};

use super::Server;
use crate::ending::Ending;
use crate::limits::{LAST_REQUESTS_TIME, LEAVE_TIME};
use crate::net::Net;
use crate::units::{about_duration, counted};

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drain {
    /// Nobody has asked for it.
    No,
    /// The listeners are left to others, and close then; the drain begins `at`.
    Leaving { close: Duration, at: Duration },
    /// They are closed. The drain begins `at`, but for those who have connected and not asked for
    /// anything, who have until then to do so.
    LastRequests { at: Duration, until: Duration },
    /// Open connections go on until then.
    Announced(Duration),
    /// Open connections have until then to end.
    Until(Duration),
}

impl Drain {
    /// When there is something to do.
    pub(super) fn next(self, now: Duration) -> Option<Duration> {
        match self {
            Self::No => None,
            Self::Leaving { close: at, .. } | Self::Announced(at) | Self::Until(at) => Some(at),
            Self::LastRequests { at, until } => Some(if now < at { at } else { until }),
        }
    }
}

impl<N: Net> Server<N> {
    /// The process was asked to end. Who asks twice means at once.
    pub(super) fn start_draining(&mut self) {
        match self.drain {
            Drain::No => self.announce_drain(),
            _ => self.cut_drain_short(),
        }
    }

    /// The listeners are left, or tell everybody that the end is near. All of the supervisor's
    /// workers end, where one alone may have begun to leave them to the next.
    pub(super) fn announce_drain(&mut self) {
        let delay = self.cx.config.drain_delay;
        if self.net.leave_listeners() {
            let close = self.cx.now + LEAVE_TIME;
            self.drain = Drain::Leaving { close, at: close.max(self.cx.now + delay) };
            return info!("leaving the listeners to others; another signal ends at once");
        }
        if !delay.is_zero() {
            info!("draining in {}; another signal ends at once", about_duration(delay));
        }
        self.cx.draining = true;
        self.drain = Drain::Announced(self.cx.now + delay);
    }

    #[cold]
    fn cut_drain_short(&mut self) {
        if !self.cut_short {
            let open = counted(self.registry.len() as u64, "connection");
            warn!("second signal: the drain is cut short, {open} cut off");
        }
        self.cut_short = true;
        self.drain = Drain::Until(self.cx.now);
    }

    /// Begins to drain when the time has come.
    #[cold]
    pub(super) fn advance_drain(&mut self) {
        let now = self.cx.now;
        match self.drain {
            Drain::Leaving { close, at } if now >= close => {
                self.accept_the_last();
                self.drain = Drain::LastRequests { at, until: at.max(now + LAST_REQUESTS_TIME) };
            }
            Drain::LastRequests { at, until } => {
                let asked = || !self.registry.iter().any(|entry| entry.connection.is_new());
                if self.registry.is_empty() || now >= until || now >= at && asked() {
                    self.close_connections();
                }
            }
            Drain::Announced(at) if now >= at => self.close_connections(),
            _ => {}
        }
    }

    /// Says Close 1001 to everyone.
    fn close_connections(&mut self) {
        self.cx.draining = true;
        let timeout = self.cx.config.drain_timeout;
        let open = counted(self.registry.len() as u64, "connection");
        info!(
            "draining {open} for at most {}; another signal ends at once",
            about_duration(timeout)
        );
        self.drain = Drain::Until(self.cx.now + timeout);
        for id in self.registry.ids() {
            if let Some(entry) = self.registry.get(id) {
                entry.connection.shut_down(&mut self.cx);
                self.schedule.wake(id, &mut entry.standing);
            }
        }
        self.cx.mailboxes.close_all();
    }

    /// True when nobody is left who has to be waited for. Those who ask on the way are answered,
    /// but do not keep the server.
    #[cold]
    pub(super) fn has_drained(&mut self) -> bool {
        let Drain::Until(until) = self.drain else { return false };
        let drained = self.registry.iter().all(|entry| entry.connection.is_unopened());
        if !drained && self.cx.now < until {
            return false;
        }
        self.net.close_listeners();
        self.acceptor.close();
        for id in self.registry.ids() {
            self.ended.push((id, Ending::Shutdown));
        }
        self.reap();
        self.deliver();
        self.reap();
        self.gauge();
        true
    }
}
