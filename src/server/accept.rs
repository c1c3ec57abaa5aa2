//! Accepting: a budget per turn, a limit on connections, and what to do without descriptors.

use std::io;
use std::time::Duration;

use log::{error, warn};
use rustix::io::Errno;

use super::Server;
use crate::conn::{Cause, Connection, ConnectionLog, Introduction};
use crate::ending::Ending;
use crate::http::Refusal;
use crate::limits::{READ_BYTES_MIN, SHED_CONNECTIONS_MAX, TICK, TURN_ACCEPTS_MAX};
use crate::net::{Net, Stream};
use crate::peer::Peer;

/// A log line about trouble with accept at most this often.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

/// Times that a turn's budget is accepted from listeners that are about to close: more than their
/// queues hold.
const LAST_ACCEPTS_MAX: usize = 64;

/// Which listeners have something to accept, and whether accepting makes sense now.
#[derive(Debug)]
pub(super) struct Acceptor {
    acceptable: Vec<bool>,
    /// Which listener is served first: another one in each turn.
    first: usize,
    paused_until: Option<Duration>,
    /// Connections that were turned away and are not gone yet.
    turned_away: usize,
    complained: [Option<Duration>; Complaint::COUNT],
}

/// Kinds of trouble, each of which is told of by itself.
#[derive(Clone, Copy, Debug)]
enum Complaint {
    Accept,
    Register,
    Descriptors,
    Connections,
    Address,
}

impl Complaint {
    const COUNT: usize = 5;
}

impl Acceptor {
    pub(super) fn new(listeners: usize) -> Self {
        // Connections that came before the registration raise no edge afterwards.
        let acceptable = vec![true; listeners];
        let complained = [None; Complaint::COUNT];
        Self { acceptable, first: 0, paused_until: None, turned_away: 0, complained }
    }

    /// True when the loop should not sleep, because there is something to accept.
    pub(super) fn is_open(&self) -> bool {
        self.paused_until.is_none() && self.has_something()
    }

    /// True when there is something to accept, be it now or after a pause.
    #[inline]
    pub(super) fn has_something(&self) -> bool {
        self.acceptable.contains(&true)
    }

    /// Until when accepting rests.
    pub(super) fn paused_until(&self) -> Option<Duration> {
        self.paused_until
    }

    pub(super) fn mark(&mut self, listener: usize) {
        if let Some(acceptable) = self.acceptable.get_mut(listener) {
            *acceptable = true;
        }
    }

    pub(super) fn close(&mut self) {
        self.acceptable.clear();
        self.paused_until = None;
    }

    /// How many were turned away and are not gone yet; for checks.
    pub(super) fn turned_away(&self) -> usize {
        self.turned_away
    }

    /// A connection has gone.
    pub(super) fn forget(&mut self, turned_away: bool) {
        self.turned_away -= usize::from(turned_away);
    }

    fn complain(&mut self, kind: Complaint, now: Duration, complaint: impl FnOnce()) {
        let complained = &mut self.complained[kind as usize];
        if complained.is_none_or(|at| now >= at + COMPLAINT_INTERVAL) {
            *complained = Some(now);
            complaint();
        }
    }
}

impl<N: Net> Server<N> {
    /// Accepts nobody until that is taken back; they wait in the queues of their listeners.
    pub fn hold_back(&mut self, held: bool) {
        self.acceptor.paused_until = held.then_some(Duration::MAX);
    }

    /// Accepts from all listeners that have something, as far as the turn's budget goes.
    #[inline(never)]
    pub(super) fn accept(&mut self) {
        if self.acceptor.paused_until.is_some_and(|until| self.cx.now < until) {
            return;
        }
        self.acceptor.paused_until = None;
        let mut budget = TURN_ACCEPTS_MAX;
        let count = self.acceptor.acceptable.len();
        let first = self.acceptor.first;
        self.acceptor.first = (first + 1) % count.max(1);
        for listener in (first..count).chain(0..first.min(count)) {
            while self.acceptor.acceptable[listener] && budget > 0 {
                budget -= 1;
                self.accept_one(listener);
                if self.acceptor.paused_until.is_some() {
                    return;
                }
            }
        }
    }

    /// Accepts whoever waits at listeners that nobody new gets to, and closes them.
    pub(super) fn accept_the_last(&mut self) {
        self.acceptor.acceptable.fill(true);
        for _ in 0..LAST_ACCEPTS_MAX {
            if self.acceptor.is_open() {
                self.accept();
            }
        }
        self.net.close_listeners();
        self.acceptor.close();
    }

    fn complain(&mut self, kind: Complaint, complaint: impl FnOnce()) {
        self.acceptor.complain(kind, self.cx.now, complaint);
    }

    fn accept_one(&mut self, listener: usize) {
        match self.net.accept(listener) {
            Ok((stream, peer)) => self.admit(listener, stream, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.acceptor.acceptable[listener] = false;
            }
            // Linux reports errors that are pending on the new socket: a peer that has gone
            // already is not our failure, and the next in the queue may be well.
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) if is_out_of_descriptors(&error) => self.shed(listener),
            Err(error) => {
                self.cx.metrics.accept_errors += 1;
                self.complain(Complaint::Accept, || error!("accept: {error}"));
                self.rest();
            }
        }
    }

    fn admit(&mut self, listener: usize, mut stream: N::Stream, peer: Peer) {
        self.cx.metrics.connections_accepted += 1;
        let proxied = self.cx.config.proxied.get(listener).is_some_and(|proxied| *proxied);
        let introduction = Introduction::of(peer, proxied, &self.cx);
        let refusal = self.refusal(peer, introduction);
        let most = shed_connections_max(self.cx.config.max_connections);
        if let Some(refusal) = refusal.filter(|_| self.acceptor.turned_away >= most) {
            // Best effort: unread input would turn the close into a reset that eats the answer.
            let _ = stream.write(&self.cx.turning_away(refusal));
            let _ = stream.shut();
            let _ = stream.read(self.buffer.window(READ_BYTES_MIN));
            self.buffer.part();
            self.cx.metrics.endings[Ending::Shed as usize] += 1;
            return;
        }
        let cx = &mut self.cx;
        let number = cx.metrics.connections_accepted;
        let log = cx.logging.then(|| ConnectionLog::new(number, peer, cx.now));
        let id = self.registry.insert(stream, |id| match refusal {
            None => Connection::introduced(id, peer, introduction, log),
            Some(refusal) => Connection::turned_away(id, peer, refusal, log, cx),
        });
        cx.metrics.connections_open = self.registry.len() as u64;
        self.meters.enter(id, cx);
        let Some(entry) = self.registry.get(id) else { return };
        match refusal {
            None if introduction == Introduction::Done => cx.addresses.seat(id.index(), peer),
            None => {}
            Some(_) => self.acceptor.turned_away += 1,
        }
        if let Err(error) = self.net.register(&mut entry.stream, id.token()) {
            self.cx.metrics.accept_errors += 1;
            self.acceptor
                .complain(Complaint::Register, self.cx.now, || error!("register: {error}"));
            entry.connection.end(Cause::SocketFailed, &mut self.cx);
        }
        self.timeouts.insert(id.index(), entry.connection.timeout());
        self.wake(id);
    }

    /// Why the peer is turned away, if it is. Those who have been turned away and have not gone yet
    /// take nobody's place.
    fn refusal(&mut self, peer: Peer, introduction: Introduction) -> Option<Refusal> {
        let open = self.registry.len() - self.acceptor.turned_away;
        if open >= self.cx.config.max_connections {
            self.cx.metrics.shed += 1;
            self.complain(Complaint::Connections, || {
                warn!("{open} connections, turning others away");
            });
            return Some(Refusal::Busy);
        }
        if introduction != Introduction::Done {
            return None;
        }
        let refusal = self.cx.admit(peer).err()?;
        self.complain(Complaint::Address, || {
            warn!("turning {peer} away: {}", refusal.reason());
        });
        Some(refusal)
    }

    /// No descriptor is free: the peer is told, on the spare one, rather than left waiting.
    fn shed(&mut self, listener: usize) {
        self.cx.metrics.accept_errors += 1;
        self.complain(Complaint::Descriptors, || {
            error!("out of descriptors, turning others away");
        });
        match self.net.shed(listener, &self.cx.busy) {
            Ok(()) => self.cx.metrics.shed += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.acceptor.acceptable[listener] = false;
            }
            Err(_) => self.rest(),
        }
    }

    /// Accepting would fail again at once: leaves it for a tick rather than spin.
    fn rest(&mut self) {
        self.acceptor.paused_until = Some(self.cx.now + TICK);
    }
}

/// Connections beyond the limit that are told so in an orderly way at one time; few where there are
/// few in all.
pub(super) fn shed_connections_max(limit: usize) -> usize {
    (limit / 8).clamp(8, SHED_CONNECTIONS_MAX)
}

fn is_of_the_peer(error: &io::Error) -> bool {
    let gone = [Errno::PROTO, Errno::PERM, Errno::NETDOWN, Errno::NETUNREACH, Errno::HOSTUNREACH];
    error.kind() == io::ErrorKind::Interrupted
        || error.kind() == io::ErrorKind::ConnectionAborted
        || gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let full = [Errno::MFILE, Errno::NFILE];
    full.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
