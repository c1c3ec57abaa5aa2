//! A client's side of one connection: what its kernel knows of it.

use std::time::Duration;

use crate::net::{Peer, READ, WRITE};

pub struct Link {
    pub peer: Peer,
    down_max: usize,
    /// A reset is on the client's socket.
    pub cut: bool,
    /// The client has closed its socket.
    pub deserted: bool,
    /// When the server dropped its socket.
    pub dropped: Option<Duration>,
    pub again_at: Option<Duration>,
    again_edges: u8,
    /// Writes of the server that were taken.
    pub writes: usize,
    /// Something happened that the client can see.
    pub news: bool,
    /// The server was told to shut its side later.
    pub shut_later: bool,
    /// The network has broken it; nothing is owed to the client.
    pub spoiled: bool,
}

/// What a client's read finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Bytes(Vec<u8>),
    Nothing,
    End,
    Reset,
}

impl Link {
    pub fn new(peer: Peer, down_max: usize) -> Self {
        Self {
            peer,
            down_max,
            cut: false,
            deserted: false,
            dropped: None,
            again_at: None,
            again_edges: 0,
            writes: 0,
            news: true,
            shut_later: false,
            spoiled: false,
        }
    }

    /// The network fails under it before it is accepted.
    pub fn spoil(&mut self, now: Duration) {
        self.fail();
        self.dropped = Some(now);
    }

    /// The network fails under it.
    pub fn fail(&mut self) {
        self.cut = true;
        self.spoiled = true;
        self.news = true;
        let mut wire = self.peer.wire();
        wire.reset = true;
        wire.down.clear();
        wire.edges |= READ | WRITE;
    }

    /// Lets edges come at a later time.
    pub fn again(&mut self, edges: u8, at: Duration) {
        self.again_edges |= edges;
        self.again_at = Some(at);
    }

    pub fn rearm(&mut self, now: Duration) {
        if self.again_at.is_some_and(|at| at <= now) {
            self.again_at = None;
            self.peer.wire().edges |= std::mem::take(&mut self.again_edges);
        }
    }

    /// The client sends; returns how much the window let through, `None` when nobody listens.
    pub fn send(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.cut || self.dropped.is_some() {
            self.cut = true;
            return None;
        }
        Some(self.peer.send(bytes))
    }

    /// The client reads at most `most` bytes.
    pub fn receive(&mut self, most: usize) -> Seen {
        let mut wire = self.peer.wire();
        if !wire.down.unread().is_empty() {
            let bytes = wire.down.draw(most);
            let room = self.down_max - wire.down.unread().len();
            drop(wire);
            self.peer.set_room(room);
            return Seen::Bytes(bytes);
        }
        match (self.cut, wire.shut || wire.dropped) {
            (true, _) => Seen::Reset,
            (_, true) => Seen::End,
            _ => Seen::Nothing,
        }
    }

    /// True when nothing waits to be read.
    pub fn is_dry(&self) -> bool {
        self.peer.wire().down.unread().is_empty()
    }

    /// The client finishes its side.
    pub fn finish(&mut self) {
        self.peer.finish();
    }

    /// The client closes its socket: with a reset if it says so or has not read everything.
    pub fn desert(&mut self, reset: bool) {
        self.finish();
        self.deserted = true;
        let reset = reset || !self.is_dry();
        let mut wire = self.peer.wire();
        // Nobody reads it: the kernel throws it away.
        wire.down.clear();
        wire.room = usize::MAX;
        wire.reset |= reset;
        wire.edges |= if reset { WRITE } else { 0 };
    }
}
