//! A server on a network that obeys, driven by hand: the clock stands still until it is moved.

#![allow(dead_code, reason = "each test target uses its own part")]

#[path = "frames.rs"]
pub mod frames;
#[path = "net.rs"]
pub mod net;

use std::io;
use std::time::Duration;

#[allow(unused_imports, reason = "each test target uses its own part")]
pub use frames::masked as frame;
use net::{MemoryNet, Peer};
use wsecho::limits::Config;
use wsecho::net::Source;
use wsecho::server::Server;

/// An opening handshake.
pub const REQUEST: &[u8] = frames::REQUEST.as_bytes();

/// More turns than any test needs for the server to come to rest.
const TURNS_MAX: u32 = 100_000;

/// The client's end of one connection.
#[derive(Debug)]
pub struct Client(pub Peer);

/// A server and its network.
#[derive(Debug)]
pub struct World {
    /// The server itself.
    pub server: Server<MemoryNet>,
    net: MemoryNet,
}

impl World {
    /// A server that nobody has connected to.
    pub fn new(config: Config) -> Self {
        Self::with_listeners(1, config)
    }

    /// A server with so many listeners.
    pub fn with_listeners(listeners: usize, config: Config) -> Self {
        let net = MemoryNet::default();
        net.core().others.reserve(16);
        Self { server: Server::new(net.clone(), listeners, config), net }
    }

    /// A client that waits to be accepted. `capacity` is how many bytes each of its directions
    /// takes before the wire itself has to allocate.
    pub fn connect(&self, capacity: usize) -> Client {
        Client(self.net.connect_wire(0, usize::MAX, usize::MAX, capacity))
    }

    /// A client of another listener.
    pub fn connect_to(&self, listener: usize) -> Client {
        Client(self.net.connect_to(listener))
    }

    /// A client whose directions take no more than `window` bytes each.
    pub fn connect_narrow(&self, window: usize) -> Client {
        Client(self.net.connect_wire(0, window, window, window))
    }

    /// Runs until the server would sleep. False when it has drained and is done.
    ///
    /// A turn that begins with sleep may still find a deadline that has passed, and leave work
    /// for the next: quiet is two of them in a row.
    pub fn settle(&mut self) -> bool {
        let mut quiet = 0;
        for _ in 0..TURNS_MAX {
            if !self.server.turn().expect("this poll never fails") {
                return false;
            }
            quiet = if self.net.core().slept { quiet + 1 } else { 0 };
            if quiet == 2 {
                return true;
            }
        }
        panic!("the loop spins");
    }

    /// Lets time pass, waking the server when it asked to be woken and not before.
    pub fn pass(&mut self, time: Duration) -> bool {
        let until = self.net.core().now + time;
        loop {
            let mut core = self.net.core();
            let left = until - core.now;
            let step = core.patience.map_or(left, |patience| patience.min(left));
            core.now += step;
            let done = core.now == until;
            drop(core);
            if !self.settle() {
                return false;
            }
            if done {
                return true;
            }
        }
    }

    /// The machine sleeps: time passes, and nobody is woken before its end.
    pub fn leap(&mut self, time: Duration) -> bool {
        self.net.advance(time);
        self.settle()
    }

    /// Has the next accepts fail with these errors of the system, one after the other.
    pub fn fail_accepts(&self, errors: &[i32]) {
        let mut core = self.net.core();
        core.accept_errors.extend(errors.iter().map(|error| io::Error::from_raw_os_error(*error)));
        core.raise(Source::Listener(0));
    }

    /// Somebody sets the time of day.
    pub fn set_clock_ahead(&self, by: Duration) {
        self.net.core().clock_ahead = by;
    }

    /// The process is asked to end.
    pub fn signal(&self) {
        self.net.signal();
    }
}

impl Client {
    /// Sends bytes in one segment.
    pub fn send(&self, bytes: &[u8]) {
        assert_eq!(self.0.send(bytes), bytes.len(), "the window is full");
    }

    /// Sends as much as the window takes; returns how much that is.
    pub fn offer(&self, bytes: &[u8]) -> usize {
        self.0.send(bytes)
    }

    /// Ends the client's sending side.
    pub fn finish(&self) {
        self.0.finish();
    }

    /// Drops the connection with a reset.
    pub fn reset(&self) {
        self.0.reset();
    }

    /// From now on at most so many bytes are taken; `None` for any number.
    pub fn set_room(&self, room: Option<usize>) {
        self.0.set_room(room.unwrap_or(usize::MAX));
    }

    /// Has a signal interrupt the server's next so many reads and writes.
    pub fn interrupt(&self, times: u32) {
        self.0.wire().interruptions = times;
    }

    /// Hands what has arrived to `look`, and forgets it.
    pub fn take<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let mut wire = self.0.wire();
        let seen = look(&wire.down.bytes);
        wire.down.clear();
        seen
    }

    /// Takes what has arrived, which makes as much room again.
    pub fn read(&self) -> Vec<u8> {
        let bytes = self.take(<[u8]>::to_vec);
        let room = self.0.wire().room;
        self.0.set_room(room.saturating_add(bytes.len()));
        bytes
    }

    /// The server has ended its sending side.
    pub fn saw_fin(&self) -> bool {
        self.0.wire().shut
    }

    /// The server has reset the connection.
    pub fn saw_reset(&self) -> bool {
        self.0.wire().reset_by_server && self.saw_end()
    }

    /// The server has closed its socket.
    pub fn saw_end(&self) -> bool {
        self.0.wire().dropped
    }

    /// Reads and writes that the server has made on this connection since the last call.
    pub fn calls(&self) -> (u32, u32) {
        let mut wire = self.0.wire();
        (std::mem::take(&mut wire.reads), std::mem::take(&mut wire.writes))
    }
}
