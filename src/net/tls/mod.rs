//! TLS between the network and the connections: a [`Net`] upon another, some of whose listeners
//! speak it.
//!
//! ```text
//! socket -- read --> desk: records, opened where they lie --> read buffer of the loop
//! socket <- write -- desk: sealed records                 <-- replies, where they were built
//! ```
//!
//! The connections above know nothing of it, and the network below neither: a secured stream is a
//! [`Stream`](super::Stream) as the socket under it is. A server without such listeners has no part
//! of this.
//!
//! - **A session at rest owns no buffer.** Records are opened and sealed in buffers that all share
//!   (`desk`). Only what is left between two calls is kept: the start of a record, and what the
//!   socket refused.
//! - **What was sealed cannot be sealed again**, but the connection shall see that its peer is
//!   slow. So bytes count as written when their ciphertext has gone; the connection keeps the
//!   others and offers them again, and they are not sealed twice (`owed`).
//! - **Handshakes are dear.** A turn has a budget for them, beyond which they wait for the next
//!   one; their memory stands in the reserve.

pub mod client;
mod desk;
#[cfg(feature = "load")]
pub mod dial;
#[cfg(feature = "load")]
mod dialed;
mod exchange;
pub mod identity;
mod introduction;
mod keeping;
mod outgoing;
mod records;
mod sending;
mod session;
mod stream;
mod wrong;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::ServerConfig;

use super::control::{Packet, Word};
use super::{Event, Net};
use crate::budget::Budget;
use crate::limits::{BusPlace, TlsFiles};
use crate::metrics::Metrics;
use crate::peer::Peer;
use desk::{Counts, Desk, Shared};
use identity::Identity;
use session::Session;
pub use stream::TlsStream;

/// A network, some of whose listeners speak TLS.
pub struct TlsNet<N> {
    net: N,
    desk: Shared,
    /// Of each listener: it speaks TLS.
    secure: Vec<bool>,
    /// Of each listener: proxies send a header ahead.
    proxied: Vec<bool>,
    /// What the metrics have been told.
    told: Counts,
}

impl<N: Net> TlsNet<N> {
    /// Upon `net`, whose listeners speak TLS where `secure` says so.
    pub fn new(net: N, secure: Vec<bool>, config: Arc<ServerConfig>) -> Self {
        let desk = Rc::new(RefCell::new(Desk::new(config)));
        Self { net, desk, secure, proxied: Vec::new(), told: Counts::default() }
    }

    /// The same, where proxies send a header of the PROXY protocol to the listeners that `proxied`
    /// says.
    #[must_use]
    pub fn with_headers(self, proxied: Vec<bool>) -> Self {
        Self { proxied, ..self }
    }

    /// The network below.
    pub fn below(&mut self) -> &mut N {
        &mut self.net
    }

    /// Something that can give new sessions another identity.
    pub fn renewal(&self, files: TlsFiles) -> Renewal {
        Renewal { desk: Rc::clone(&self.desk), files }
    }
}

/// Reads the files again that the server's identity comes from.
pub struct Renewal {
    desk: Shared,
    files: TlsFiles,
}

impl Renewal {
    /// From now on new sessions have the identity that the files hold; those that are open go on.
    ///
    /// # Errors
    ///
    /// One line: which file, and what is wrong with it. Nothing has changed then.
    pub fn renew(&self) -> Result<(), String> {
        let identity = Identity::load(&self.files)?;
        self.desk.borrow_mut().config = identity.config;
        Ok(())
    }

    /// True if there are files to be read, and the identity was not made up.
    pub fn has_files(&self) -> bool {
        self.files.self_signed.is_none()
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renewal").field(&self.files).finish()
    }
}

impl<N: Net> Net for TlsNet<N> {
    type Stream = TlsStream<N::Stream, Session<N::Stream>>;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.desk.borrow_mut().begin_turn();
        self.net.wait(timeout, events)
    }

    fn now(&self) -> Duration {
        self.net.now()
    }

    fn utc(&self) -> Duration {
        self.net.utc()
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Self::Stream, Peer)> {
        let (stream, peer) = self.net.accept(listener)?;
        let stream = match self.secure.get(listener) {
            Some(true) => {
                let header = self.proxied.get(listener) == Some(&true);
                let session = Session::new(stream, Rc::clone(&self.desk), header);
                TlsStream::Secure(Box::new(session))
            }
            _ => TlsStream::Plain(stream),
        };
        Ok((stream, peer))
    }

    fn register(&mut self, stream: &mut Self::Stream, token: usize) -> io::Result<()> {
        match stream {
            TlsStream::Plain(stream) => self.net.register(stream, token),
            TlsStream::Secure(session) => self.net.register(session.socket(), token),
        }
    }

    fn shed(&mut self, listener: usize, answer: &[u8]) -> io::Result<()> {
        let secure = self.secure.get(listener) == Some(&true);
        // There is no time for a handshake: the alert says what can be said without one.
        self.net.shed(listener, if secure { &records::NO_ROOM } else { answer })
    }

    fn connect(&mut self, place: &BusPlace) -> io::Result<Self::Stream> {
        self.net.connect(place).map(TlsStream::Plain)
    }

    fn knows_another_place(&self) -> bool {
        self.net.knows_another_place()
    }

    fn close_listeners(&mut self) {
        self.net.close_listeners();
    }

    fn leave_listeners(&mut self) -> bool {
        self.net.leave_listeners()
    }

    fn hear_supervisor(&mut self) -> Option<Packet> {
        self.net.hear_supervisor()
    }

    fn tell_supervisor(&mut self, word: Word, numbers: &[u64]) {
        self.net.tell_supervisor(word, numbers);
    }

    fn begin_reload(&mut self) {
        self.net.begin_reload();
    }

    fn end_reload(&mut self) {
        self.net.end_reload();
    }

    fn keep_accounts(&mut self, budget: &Budget) {
        budget.set_aside_for_sessions();
        self.desk.borrow_mut().budget = budget.clone();
        self.net.keep_accounts(budget);
    }

    fn count(&mut self, metrics: &mut Metrics) {
        let counts = self.desk.borrow().counts;
        let told = std::mem::replace(&mut self.told, counts);
        metrics.tls_full_handshakes += counts.full - told.full;
        metrics.tls_resumed_handshakes += counts.resumed - told.resumed;
        metrics.tls_failures += counts.failed - told.failed;
        metrics.shed += counts.refused - told.refused;
        self.net.count(metrics);
    }
}
