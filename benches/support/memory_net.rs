//! A network without an operating system and without a poll: connections are pairs of buffers, the
//! clock stands until it is moved, and events are what a bench says they are.
//!
//! Tests have a better one (`tests/support/net.rs`), which keeps edges as epoll does. That costs
//! 180 instructions a turn, a sixth of an echo: this one is there to count ours.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use wsecho::net::{Event, Incoming, Net, Source, Stream};
use wsecho::peer::Peer as Address;

/// Both ends of one connection: the server holds one handle, the test another.
#[derive(Debug, Default)]
pub struct Pipe {
    /// What the peer has sent.
    pub input: Vec<u8>,
    /// How much of it the server has read.
    pub taken: usize,
    /// The peer has finished its side.
    pub finished: bool,
    /// Bytes that the socket takes before it is full.
    pub room: usize,
    /// What the server has written.
    pub output: Vec<u8>,
    /// The server has finished its side.
    pub shut: bool,
    /// The server has dropped the socket.
    pub closed: bool,
    token: Option<usize>,
}

/// The peer's handle.
pub type Peer = Rc<RefCell<Pipe>>;

/// The server's handle; dropping it closes the connection.
#[derive(Debug)]
pub struct Socket(Peer);

/// One listener, any number of connections.
#[derive(Debug, Default)]
pub struct MemoryNet {
    now: Duration,
    backlog: VecDeque<Peer>,
    events: Vec<Event>,
}

impl MemoryNet {
    /// A peer connects; its socket takes `room` bytes until that is changed.
    pub fn connect(&mut self, room: usize) -> Peer {
        let peer = Peer::new(RefCell::new(Pipe { room, ..Pipe::default() }));
        self.backlog.push_back(Rc::clone(&peer));
        self.push(Source::Listener(0), true, false, false);
        peer
    }

    /// Tells the server what has changed at the peer's end: bytes or their end, or room.
    pub fn tell(&mut self, peer: &Peer, readable: bool, writable: bool) {
        let pipe = peer.borrow();
        let hangup = pipe.finished;
        if let (Some(token), false) = (pipe.token, pipe.closed) {
            self.push(Source::Connection(token), readable || hangup, writable, hangup);
        }
    }

    /// Moves the clock.
    pub fn advance(&mut self, time: Duration) {
        self.now += time;
    }

    fn push(&mut self, source: Source, readable: bool, writable: bool, hangup: bool) {
        self.events.push(Event { source, readable, writable, hangup, failed: false });
    }
}

impl Net for MemoryNet {
    type Stream = Socket;

    fn wait(&mut self, _timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        events.append(&mut self.events);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn accept(&mut self, _listener: usize) -> io::Result<(Socket, Address)> {
        let peer = self.backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        Ok((Socket(peer), SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()))
    }

    fn register(&mut self, stream: &mut Socket, token: usize) -> io::Result<()> {
        stream.0.borrow_mut().token = Some(token);
        self.tell(&stream.0, true, true);
        Ok(())
    }

    fn shed(&mut self, _listener: usize, answer: &[u8]) -> io::Result<()> {
        let peer = self.backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        Socket(peer).write(answer).map(drop)
    }

    fn close_listeners(&mut self) {
        for peer in self.backlog.drain(..) {
            peer.borrow_mut().closed = true;
        }
    }
}

impl Stream for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        let pipe = &mut *self.0.borrow_mut();
        assert!(!into.is_empty(), "a read of nothing looks like the end of the stream");
        let rest = &pipe.input[pipe.taken..];
        if rest.is_empty() && !pipe.finished {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        pipe.taken += count;
        Ok(Incoming::of_socket(count, into.len()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pipe = &mut *self.0.borrow_mut();
        assert!(!bytes.is_empty(), "a write of nothing says nothing about the socket");
        assert!(!pipe.shut, "the sending side has been finished");
        if pipe.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(pipe.room);
        pipe.room -= count;
        pipe.output.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn shut(&mut self) -> io::Result<()> {
        self.0.borrow_mut().shut = true;
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.borrow_mut().closed = true;
    }
}
