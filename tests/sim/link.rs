//! One connection in the network: two pipes, and what the kernel remembers of it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

pub const READ: u8 = 1;
pub const WRITE: u8 = 2;

#[derive(Default)]
pub struct Link {
    /// What the server registered it as.
    pub token: Option<usize>,
    /// Bytes to the server.
    pub up: VecDeque<u8>,
    up_max: usize,
    /// The client has finished its side.
    pub finished: bool,
    /// Bytes to the client.
    pub down: VecDeque<u8>,
    down_max: usize,
    /// The server has finished its side.
    pub shut: bool,
    /// A reset is on the server's socket.
    pub reset: bool,
    reset_told: bool,
    /// A reset is on the client's socket.
    pub cut: bool,
    /// The client has closed its socket.
    pub deserted: bool,
    /// When the server dropped its socket.
    pub dropped: Option<Duration>,
    /// A write found no room: making room is an edge.
    pub refused: bool,
    /// Edges that have not been told.
    pub edges: u8,
    pub again_at: Option<Duration>,
    again_edges: u8,
    /// Something happened that the client can see.
    pub news: bool,
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
    pub fn new(up_max: usize, down_max: usize) -> Self {
        Self { up_max, down_max, news: true, ..Self::default() }
    }

    pub fn down_room(&self) -> usize {
        self.down_max - self.down.len()
    }

    /// The network fails under it before it is accepted.
    pub fn spoil(&mut self, now: Duration) {
        self.fail();
        self.dropped = Some(now);
    }

    /// The network fails under it.
    pub fn fail(&mut self) {
        self.reset = true;
        self.cut = true;
        self.spoiled = true;
        self.down.clear();
        self.edges |= READ | WRITE;
        self.news = true;
    }

    /// An error of the socket, told once; after it the stream is at its end.
    pub fn failure(&mut self) -> Option<io::Result<usize>> {
        if !self.reset {
            return None;
        }
        self.up.clear();
        let told = std::mem::replace(&mut self.reset_told, true);
        Some(if told { Ok(0) } else { Err(ErrorKind::ConnectionReset.into()) })
    }

    /// Lets edges come at a later time.
    pub fn again(&mut self, edges: u8, at: Duration) {
        self.again_edges |= edges;
        self.again_at = Some(at);
    }

    pub fn rearm(&mut self, now: Duration) {
        if self.again_at.is_some_and(|at| at <= now) {
            self.again_at = None;
            self.edges |= std::mem::take(&mut self.again_edges);
        }
    }

    /// The peer has finished, or the connection failed.
    pub fn hangs_up(&self) -> bool {
        self.finished || self.reset
    }

    /// What a poll reports if there was an edge since the last one: with `narrow` what the edges
    /// were about, else all that is true now.
    pub fn take_event(&mut self, narrow: bool) -> Option<u8> {
        let edges = std::mem::take(&mut self.edges);
        let readable = !self.up.is_empty() || self.hangs_up();
        let writable = self.down_room() > 0 || self.reset;
        let state = if readable { READ } else { 0 } | if writable { WRITE } else { 0 };
        let told = if narrow { state & edges } else { state };
        (edges != 0 && told != 0).then_some(told)
    }

    /// The client sends; returns how much the window let through, `None` when nobody listens.
    pub fn send(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.cut || self.dropped.is_some() {
            self.cut = true;
            return None;
        }
        let count = bytes.len().min(self.up_max - self.up.len());
        self.up.extend(&bytes[..count]);
        if count > 0 {
            self.edges |= READ;
        }
        Some(count)
    }

    /// The client reads at most `most` bytes.
    pub fn receive(&mut self, most: usize) -> Seen {
        if !self.down.is_empty() {
            let count = most.min(self.down.len());
            let bytes = self.down.drain(..count).collect();
            if std::mem::take(&mut self.refused) {
                self.edges |= WRITE;
            }
            return Seen::Bytes(bytes);
        }
        match (self.cut, self.shut) {
            (true, _) => Seen::Reset,
            (_, true) => Seen::End,
            _ => Seen::Nothing,
        }
    }

    /// The client finishes its side.
    pub fn finish(&mut self) {
        self.finished = true;
        self.edges |= READ;
    }

    /// The client closes its socket: with a reset if it says so or has not read everything.
    pub fn desert(&mut self, reset: bool) {
        self.finish();
        self.deserted = true;
        if reset || !self.down.is_empty() {
            self.reset = true;
            self.edges |= WRITE;
        }
    }
}
