//! A [`Net`] in memory that obeys: nothing is lost, nothing fails unless a test says so, and the
//! clock stands still until it is moved. Edges are told once, as epoll would.
//!
//! It counts the calls that the server makes, and allocates nothing once its buffers have grown.

#![allow(dead_code, reason = "each test target uses its own part")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use wsecho::limits::Config;
use wsecho::net::{Event, Net, Source, Stream};
use wsecho::server::Server;

/// More turns than any test needs for the server to come to rest.
const TURNS_MAX: u32 = 100_000;

/// What one connection's two ends share.
#[derive(Debug, Default)]
struct Wire {
    token: Option<usize>,
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
    /// Bytes that the client's window still has room for; `None` for any number.
    room: Option<usize>,
    finished: bool,
    reset: bool,
    shut: bool,
    dropped: bool,
    reset_by_server: bool,
    reads: u32,
    writes: u32,
    /// The next so many reads and writes are interrupted by a signal.
    interruptions: u32,
}

/// The queue of edges and the backlog, which clients and the server's end share.
#[derive(Debug, Default)]
struct Shared {
    events: Vec<Event>,
    backlog: VecDeque<Rc<RefCell<Wire>>>,
    now: Duration,
    patience: Option<Duration>,
    slept: bool,
    /// What the next accepts fail with, before any succeeds.
    accept_errors: VecDeque<i32>,
}

/// The server's side of everything.
#[derive(Debug)]
pub struct Loopback(Rc<RefCell<Shared>>);

/// The server's end of one connection.
#[derive(Debug)]
pub struct ServerEnd(Rc<RefCell<Wire>>);

/// The client's end of one connection.
#[derive(Debug)]
pub struct Client {
    wire: Rc<RefCell<Wire>>,
    shared: Rc<RefCell<Shared>>,
}

/// A server on a [`Loopback`] with one listener.
#[derive(Debug)]
pub struct World {
    /// The server itself.
    pub server: Server<Loopback>,
    shared: Rc<RefCell<Shared>>,
}

impl World {
    /// A server that nobody has connected to.
    pub fn new(config: Config) -> Self {
        let shared = Rc::new(RefCell::new(Shared::default()));
        shared.borrow_mut().events.reserve(16);
        let server = Server::new(Loopback(Rc::clone(&shared)), 1, config);
        Self { server, shared }
    }

    /// A client that waits to be accepted. `capacity` is how many bytes each of its directions
    /// takes before the wire itself has to allocate.
    pub fn connect(&self, capacity: usize) -> Client {
        let wire = Wire {
            to_server: VecDeque::with_capacity(capacity),
            to_client: Vec::with_capacity(capacity),
            ..Wire::default()
        };
        let wire = Rc::new(RefCell::new(wire));
        let mut shared = self.shared.borrow_mut();
        shared.backlog.push_back(Rc::clone(&wire));
        shared.raise(Source::Listener(0), false, false);
        Client { wire, shared: Rc::clone(&self.shared) }
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
            quiet = if self.shared.borrow().slept { quiet + 1 } else { 0 };
            if quiet == 2 {
                return true;
            }
        }
        panic!("the loop spins");
    }

    /// Lets time pass, waking the server when it asked to be woken and not before.
    pub fn pass(&mut self, time: Duration) -> bool {
        let until = self.shared.borrow().now + time;
        loop {
            let mut shared = self.shared.borrow_mut();
            let left = until - shared.now;
            let step = shared.patience.map_or(left, |patience| patience.min(left));
            shared.now += step;
            let done = shared.now == until;
            drop(shared);
            if !self.settle() {
                return false;
            }
            if done {
                return true;
            }
        }
    }

    /// Has the next accepts fail with these errors of the system, one after the other.
    pub fn fail_accepts(&self, errors: &[i32]) {
        let mut shared = self.shared.borrow_mut();
        shared.accept_errors.extend(errors);
        shared.raise(Source::Listener(0), false, false);
    }

    /// The process is asked to end.
    pub fn signal(&self) {
        self.shared.borrow_mut().raise(Source::Signal, false, false);
    }
}

impl Client {
    /// Sends bytes in one segment.
    pub fn send(&self, bytes: &[u8]) {
        self.wire.borrow_mut().to_server.extend(bytes);
        self.edge(true, false, false);
    }

    /// Ends the client's sending side.
    pub fn finish(&self) {
        self.wire.borrow_mut().finished = true;
        self.edge(true, false, true);
    }

    /// Drops the connection with a reset.
    pub fn reset(&self) {
        self.wire.borrow_mut().reset = true;
        self.edge(true, true, true);
    }

    /// From now on at most so many bytes are taken; `None` for any number.
    pub fn set_room(&self, room: Option<usize>) {
        self.wire.borrow_mut().room = room;
        self.edge(false, room != Some(0), false);
    }

    /// Has a signal interrupt the server's next so many reads and writes.
    pub fn interrupt(&self, times: u32) {
        self.wire.borrow_mut().interruptions = times;
    }

    /// Hands what has arrived to `look`, and forgets it.
    pub fn take<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let mut wire = self.wire.borrow_mut();
        let seen = look(&wire.to_client);
        wire.to_client.clear();
        seen
    }

    /// The server has ended its sending side.
    pub fn saw_fin(&self) -> bool {
        self.wire.borrow().shut
    }

    /// The server has reset the connection.
    pub fn saw_reset(&self) -> bool {
        self.wire.borrow().reset_by_server && self.saw_end()
    }

    /// The server has closed its socket.
    pub fn saw_end(&self) -> bool {
        self.wire.borrow().dropped
    }

    /// Reads and writes that the server has made on this connection since the last call.
    pub fn calls(&self) -> (u32, u32) {
        let mut wire = self.wire.borrow_mut();
        (std::mem::take(&mut wire.reads), std::mem::take(&mut wire.writes))
    }

    fn edge(&self, readable: bool, writable: bool, hangup: bool) {
        if let Some(token) = self.wire.borrow().token {
            let source = Source::Connection(token);
            let mut shared = self.shared.borrow_mut();
            shared.events.push(Event { source, readable, writable, hangup });
        }
    }
}

impl Wire {
    fn interrupted(&mut self) -> io::Result<()> {
        if self.interruptions == 0 {
            return Ok(());
        }
        self.interruptions -= 1;
        Err(io::ErrorKind::Interrupted.into())
    }
}

impl Shared {
    fn raise(&mut self, source: Source, readable: bool, writable: bool) {
        self.events.push(Event { source, readable, writable, hangup: false });
    }
}

impl Net for Loopback {
    type Stream = ServerEnd;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let mut shared = self.0.borrow_mut();
        events.clear();
        events.append(&mut shared.events);
        shared.slept = events.is_empty() && timeout != Some(Duration::ZERO);
        shared.patience = timeout;
        Ok(())
    }

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn accept(&mut self, _listener: usize) -> io::Result<(ServerEnd, SocketAddr)> {
        let error = self.0.borrow_mut().accept_errors.pop_front();
        if let Some(error) = error {
            return Err(io::Error::from_raw_os_error(error));
        }
        let wire = self.0.borrow_mut().backlog.pop_front();
        let wire = wire.ok_or(io::ErrorKind::WouldBlock)?;
        Ok((ServerEnd(wire), SocketAddr::from((Ipv4Addr::LOCALHOST, 9))))
    }

    fn register(&mut self, stream: &mut ServerEnd, token: usize) -> io::Result<()> {
        let mut wire = stream.0.borrow_mut();
        wire.token = Some(token);
        let event = Event {
            source: Source::Connection(token),
            readable: !wire.to_server.is_empty() || wire.finished || wire.reset,
            writable: true,
            hangup: wire.finished || wire.reset,
        };
        self.0.borrow_mut().events.push(event);
        Ok(())
    }

    fn shed(&mut self, _listener: usize, _answer: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn close_listeners(&mut self) {
        self.0.borrow_mut().backlog.clear();
    }
}

impl Stream for ServerEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.reads += 1;
        wire.interrupted()?;
        if wire.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if wire.to_server.is_empty() && !wire.finished {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        io::Read::read(&mut ReadWhole(&mut wire.to_server), into)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.writes += 1;
        wire.interrupted()?;
        if wire.reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        assert!(!wire.shut, "nothing may follow our FIN");
        let taken = wire.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.room = wire.room.map(|room| room - taken);
        wire.to_client.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn shut(&mut self) -> io::Result<()> {
        self.0.borrow_mut().shut = true;
        Ok(())
    }

    fn reset(&mut self) {
        self.0.borrow_mut().reset_by_server = true;
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.borrow_mut().dropped = true;
    }
}

/// A ring is read as a socket is: across its seam, in one call.
struct ReadWhole<'a>(&'a mut VecDeque<u8>);

impl io::Read for ReadWhole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < into.len() && !self.0.is_empty() {
            count += self.0.read(&mut into[count..])?;
        }
        Ok(count)
    }
}

/// A masked frame as a client sends it, its length in the shortest form.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let length = payload.len();
    let mut frame = vec![first];
    match length {
        0..=125 => frame.push(0x80 | u8::try_from(length).expect("at most 125")),
        126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("at most 65535").to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// An opening handshake, with the key of RFC 6455 §1.3.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
