//! The one network of all tests, in memory, with the rules of epoll's edge-triggered mode.
//!
//! An event is told once for each *edge*: bytes or the end of the stream arriving, a failure, room
//! after a write that was refused, and whatever is ready at registration. Edges of one socket that
//! come together are one event, and it tells all that is true of the socket. Between two edges
//! nothing is repeated, whatever was left unread.
//!
//! It obeys: nothing is lost, and nothing fails unless somebody asks for it. The simulation gives
//! it a [`Weather`], which has a say in every call. Nothing is allocated once buffers have grown.

#![allow(dead_code, reason = "each test target uses its own part")]

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use wsecho::limits::BusPlace;
use wsecho::net::{Event, Incoming, Net, Source, Stream};
use wsecho::peer::Peer as Address;

/// An edge of the reading side, in [`Wire::edges`].
pub const READ: u8 = 1;
/// An edge of the writing side.
pub const WRITE: u8 = 2;

/// Bytes that have been read are forgotten when there are more of them than this.
pub const COMPACT_BYTES: usize = 64 * 1024;

/// Bytes on their way in one direction: `bytes[taken..]` have not been read.
#[derive(Debug, Default)]
pub struct Pipe {
    pub bytes: Vec<u8>,
    pub taken: usize,
}

/// Both ends of one connection.
#[derive(Debug, Default)]
pub struct Wire {
    /// How-manieth connection this is.
    pub number: usize,
    /// What the server registered it as.
    pub token: Option<usize>,
    /// The server has begun it, to its bus.
    pub outbound: bool,
    /// Bytes to the server, and how many of them may wait.
    pub up: Pipe,
    pub up_max: usize,
    /// Bytes to the client, and how many more its window takes.
    pub down: Pipe,
    pub room: usize,
    /// Edges that have not been told.
    pub edges: u8,
    /// A write found no room: making room is an edge.
    pub refused: bool,
    /// The client has finished its side.
    pub finished: bool,
    /// A reset is on the server's socket. It is told once; after it the stream is at its end.
    pub reset: bool,
    reset_told: bool,
    /// The server has finished its side.
    pub shut: bool,
    /// The server has asked for a reset.
    pub reset_by_server: bool,
    /// The server has dropped its socket.
    pub dropped: bool,
    /// Reads and writes that the server has made.
    pub reads: u32,
    pub writes: u32,
    /// The next so many reads and writes are interrupted by a signal.
    pub interruptions: u32,
}

type Shared<T> = Rc<RefCell<T>>;

/// What the two ends share: the poll, the listeners and the clock.
#[derive(Debug, Default)]
pub struct Core {
    pub now: Duration,
    /// By how much the time of day has been set ahead of that.
    pub clock_ahead: Duration,
    /// How long the server was ready to sleep in its last wait.
    pub patience: Option<Duration>,
    /// That wait brought nothing.
    pub slept: bool,
    /// Errors that the next accepts return.
    pub accept_errors: VecDeque<io::Error>,
    /// The server no longer listens.
    pub closed: bool,
    /// Connections that the server has begun, for whoever plays its bus.
    pub outbound: Vec<Peer>,
    /// Nobody is there to take them.
    pub unreachable: bool,
    /// Who waits to be accepted, by listener.
    pub backlogs: Vec<VecDeque<Shared<Wire>>>,
    /// Edges of listeners and signals.
    pub others: Vec<Event>,
    /// Wires with edges.
    touched: Vec<Shared<Wire>>,
    connected: usize,
}

/// What a stream was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Read,
    Write,
    Shut,
}

/// Faults: a say in every call that the server makes.
pub trait Weather: std::fmt::Debug {
    /// Lets time pass and collects the events.
    fn wait(&mut self, core: &mut Core, timeout: Option<Duration>, events: &mut Vec<Event>);
    /// An error instead of the next connection.
    fn accept(&mut self, core: &mut Core) -> io::Result<()>;
    /// An error instead of a registration.
    fn register(&mut self, wire: &mut Wire) -> io::Result<()>;
    /// An error instead of turning a connection away.
    fn shed(&mut self) -> io::Result<()>;
    /// How many bytes a read of at most `most` brings; `None` lets it go as usual.
    fn read(&mut self, wire: &mut Wire, most: usize) -> Option<io::Result<usize>>;
    /// How many of `most` bytes a write takes; `None` lets it go as usual.
    fn write(&mut self, wire: &mut Wire, most: usize) -> Option<io::Result<usize>>;
    /// An error instead of the end of what the server sends.
    fn shut(&mut self, wire: &mut Wire) -> io::Result<()>;
    /// What became of such a call.
    fn note(&mut self, wire: &mut Wire, call: Call, outcome: &io::Result<usize>);
    /// The server has stopped to listen before it accepted this one.
    fn turned_away(&mut self, wire: &mut Wire);
    /// The server has dropped its end.
    fn dropped(&mut self, wire: &mut Wire);
}

/// The server's view; a clone is another handle to the same network.
#[derive(Clone, Debug, Default)]
pub struct MemoryNet {
    core: Shared<Core>,
    weather: Option<Shared<dyn Weather>>,
}

/// The server's end of one connection; dropping it closes the connection.
#[derive(Debug)]
pub struct Socket {
    wire: Shared<Wire>,
    weather: Option<Shared<dyn Weather>>,
}

/// The client's end.
#[derive(Clone, Debug)]
pub struct Peer {
    wire: Shared<Wire>,
    core: Shared<Core>,
}

impl MemoryNet {
    /// A network that does not obey.
    pub fn with_weather(weather: Shared<dyn Weather>) -> Self {
        Self { weather: Some(weather), ..Self::default() }
    }

    /// What both ends share.
    pub fn core(&self) -> RefMut<'_, Core> {
        self.core.borrow_mut()
    }

    /// A client of the first listener, with endless windows.
    pub fn connect(&self) -> Peer {
        self.connect_to(0)
    }

    /// A client of this listener, with endless windows.
    pub fn connect_to(&self, listener: usize) -> Peer {
        self.connect_wire(listener, usize::MAX, usize::MAX, 0)
    }

    /// A client whose directions take so many bytes: to the server, and to itself. Room for
    /// `capacity` bytes is there from the start, so that the wire need not allocate.
    pub fn connect_wire(&self, listener: usize, up: usize, down: usize, capacity: usize) -> Peer {
        let pipe = || Pipe { bytes: Vec::with_capacity(capacity), taken: 0 };
        let core = &mut *self.core.borrow_mut();
        let (up_max, room, number) = (up, down, core.connected);
        let wire = Wire { number, up: pipe(), up_max, down: pipe(), room, ..Wire::default() };
        let wire = Rc::new(RefCell::new(wire));
        core.connected += 1;
        if core.closed {
            wire.borrow_mut().dropped = true;
        } else {
            if core.backlogs.len() <= listener {
                core.backlogs.resize_with(listener + 1, VecDeque::new);
            }
            core.backlogs[listener].push_back(Rc::clone(&wire));
            core.touched.reserve(core.backlogs[listener].len());
            core.raise(Source::Listener(listener));
        }
        Peer { wire, core: Rc::clone(&self.core) }
    }

    /// The process is asked to end.
    pub fn signal(&self) {
        self.core.borrow_mut().raise(Source::Signal);
    }

    /// Moves the clock.
    pub fn advance(&self, time: Duration) {
        self.core.borrow_mut().now += time;
    }
}

impl Core {
    /// An edge of something that is no connection.
    pub fn raise(&mut self, source: Source) {
        if self.others.iter().all(|event| event.source != source) {
            self.others.push(Event {
                source,
                readable: true,
                writable: false,
                hangup: false,
                failed: false,
            });
        }
    }
}

impl Peer {
    /// The whole connection, to look at or to bend.
    pub fn wire(&self) -> RefMut<'_, Wire> {
        self.wire.borrow_mut()
    }

    /// Sends as much as the window takes; returns how much that is.
    pub fn send(&self, bytes: &[u8]) -> usize {
        let wire = &mut *self.wire.borrow_mut();
        let count = bytes.len().min(wire.up_max - wire.up.unread().len());
        wire.up.push(&bytes[..count]);
        if count > 0 {
            self.touch(wire, READ);
        }
        count
    }

    /// Finishes the client's side.
    pub fn finish(&self) {
        let wire = &mut *self.wire.borrow_mut();
        wire.finished = true;
        self.touch(wire, READ);
    }

    /// Resets the connection.
    pub fn reset(&self) {
        let wire = &mut *self.wire.borrow_mut();
        wire.reset = true;
        self.touch(wire, READ | WRITE);
    }

    /// Sets how many more bytes the client's window takes.
    pub fn set_room(&self, room: usize) {
        let wire = &mut *self.wire.borrow_mut();
        let grows = room > wire.room;
        wire.room = room;
        if grows && std::mem::take(&mut wire.refused) {
            self.touch(wire, WRITE);
        }
    }

    /// An event without an edge, or with one that was brought about by hand.
    pub fn nudge(&self) {
        self.touch(&mut self.wire.borrow_mut(), READ | WRITE);
    }

    #[inline]
    fn touch(&self, wire: &mut Wire, edges: u8) {
        if wire.edges == 0 && wire.token.is_some() {
            self.core.borrow_mut().touched.push(Rc::clone(&self.wire));
        }
        wire.edges |= edges;
    }
}

impl Pipe {
    /// What has not been read.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Adds bytes; forgets those that have been read once all have.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.clear();
        } else if self.taken > COMPACT_BYTES {
            self.bytes.drain(..std::mem::take(&mut self.taken));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Reads at most so many bytes.
    pub fn draw(&mut self, most: usize) -> Vec<u8> {
        let unread = self.unread();
        let bytes = unread[..most.min(unread.len())].to_vec();
        self.taken += bytes.len();
        if self.taken > COMPACT_BYTES {
            self.bytes.drain(..std::mem::take(&mut self.taken));
        }
        bytes
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }
}

impl Wire {
    /// The peer has finished, or the connection failed.
    pub fn hangs_up(&self) -> bool {
        self.finished || self.reset
    }

    pub fn has_failed(&self) -> bool {
        self.reset
    }

    /// What a poll tells of it, if there was an edge since the last one: all that is true now, or
    /// with `narrow` only what the edges were about, as kqueue does.
    #[inline]
    pub fn take_event(&mut self, narrow: bool) -> Option<Event> {
        let edges = std::mem::take(&mut self.edges);
        let about = |edge| !narrow || edges & edge != 0;
        let hangup = self.hangs_up();
        let readable = (hangup || self.up.taken < self.up.bytes.len()) && about(READ);
        let writable = (self.room > 0 || self.reset) && about(WRITE);
        let source = if self.outbound { Source::Bus } else { Source::Connection(self.token?) };
        let told = edges != 0 && !self.dropped && (readable || writable);
        told.then_some(Event {
            source,
            readable: readable || hangup,
            writable,
            hangup,
            failed: self.reset,
        })
    }

    #[inline]
    fn interrupted(&mut self) -> io::Result<()> {
        if self.interruptions == 0 {
            return Ok(());
        }
        self.interruptions -= 1;
        Err(ErrorKind::Interrupted.into())
    }

    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupted()?;
        if self.reset {
            self.up.clear();
            let told = std::mem::replace(&mut self.reset_told, true);
            return if told { Ok(0) } else { Err(ErrorKind::ConnectionReset.into()) };
        }
        let unread = self.up.unread();
        if unread.is_empty() && !self.finished {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = unread.len().min(into.len());
        into[..count].copy_from_slice(&unread[..count]);
        self.up.taken += count;
        Ok(count)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupted()?;
        if self.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.room == 0 {
            self.refused = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.down.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

impl Net for MemoryNet {
    type Stream = Socket;

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let core = &mut *self.core.borrow_mut();
        core.patience = timeout;
        if let Some(weather) = &self.weather {
            core.touched.clear();
            weather.borrow_mut().wait(core, timeout, events);
            return Ok(());
        }
        if !core.others.is_empty() {
            events.append(&mut core.others);
        }
        for wire in &core.touched {
            if let Some(event) = wire.borrow_mut().take_event(false) {
                events.push(event);
            }
        }
        core.touched.clear();
        core.slept = events.is_empty() && timeout != Some(Duration::ZERO);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.core.borrow().now
    }

    fn utc(&self) -> Duration {
        let core = self.core.borrow();
        core.now + core.clock_ahead
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Socket, Address)> {
        let core = &mut *self.core.borrow_mut();
        if let Some(error) = core.accept_errors.pop_front() {
            return Err(error);
        }
        if let Some(weather) = &self.weather {
            weather.borrow_mut().accept(core)?;
        }
        let wire = core.backlogs.get_mut(listener).and_then(VecDeque::pop_front);
        let wire = wire.ok_or(ErrorKind::WouldBlock)?;
        let socket = Socket { wire, weather: self.weather.clone() };
        Ok((socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 9)).into()))
    }

    fn register(&mut self, stream: &mut Socket, token: usize) -> io::Result<()> {
        let wire = &mut *stream.wire.borrow_mut();
        if let Some(weather) = &self.weather {
            weather.borrow_mut().register(wire)?;
        }
        wire.token = Some(token);
        wire.edges = READ | WRITE;
        self.core.borrow_mut().touched.push(Rc::clone(&stream.wire));
        Ok(())
    }

    fn shed(&mut self, listener: usize, answer: &[u8]) -> io::Result<()> {
        if let Some(weather) = &self.weather {
            weather.borrow_mut().shed()?;
        }
        let core = &mut *self.core.borrow_mut();
        let wire = core.backlogs.get_mut(listener).and_then(VecDeque::pop_front);
        let socket =
            Socket { wire: wire.ok_or(ErrorKind::WouldBlock)?, weather: self.weather.clone() };
        let wire = &mut *socket.wire.borrow_mut();
        // The answer is not lost with a reset.
        wire.up.clear();
        (wire.shut, wire.room) = (true, usize::MAX);
        wire.write(answer).map(drop)
    }

    fn connect(&mut self, _: &BusPlace) -> io::Result<Socket> {
        let core = &mut *self.core.borrow_mut();
        let reset = core.unreachable;
        let wire = Wire {
            token: Some(0),
            outbound: true,
            up_max: usize::MAX,
            room: usize::MAX,
            edges: READ | WRITE,
            reset,
            ..Wire::default()
        };
        let wire = Rc::new(RefCell::new(wire));
        core.touched.push(Rc::clone(&wire));
        core.outbound.push(Peer { wire: Rc::clone(&wire), core: Rc::clone(&self.core) });
        Ok(Socket { wire, weather: None })
    }

    fn close_listeners(&mut self) {
        let core = &mut *self.core.borrow_mut();
        core.closed = true;
        for wire in core.backlogs.drain(..).flatten() {
            let wire = &mut *wire.borrow_mut();
            wire.dropped = true;
            if let Some(weather) = &self.weather {
                weather.borrow_mut().turned_away(wire);
            }
        }
    }
}

impl Stream for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        assert!(!into.is_empty(), "a read of nothing looks like the end of the stream");
        let wire = &mut *self.wire.borrow_mut();
        wire.reads += 1;
        let Some(weather) = &self.weather else {
            return wire.read(into).map(|count| Incoming::of_socket(count, into.len()));
        };
        let weather = &mut *weather.borrow_mut();
        let outcome = match weather.read(wire, into.len()) {
            Some(Ok(most)) => wire.read(&mut into[..most]),
            Some(Err(error)) => Err(error),
            None => wire.read(into),
        };
        weather.note(wire, Call::Read, &outcome);
        outcome.map(|count| Incoming::of_socket(count, into.len()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!bytes.is_empty(), "a write of nothing says nothing about the socket");
        let wire = &mut *self.wire.borrow_mut();
        wire.writes += 1;
        assert!(!wire.shut, "a write after the end of the stream");
        let Some(weather) = &self.weather else { return wire.write(bytes) };
        let weather = &mut *weather.borrow_mut();
        let outcome = match weather.write(wire, bytes.len()) {
            Some(Ok(most)) => wire.write(&bytes[..most]),
            Some(Err(error)) => Err(error),
            None => wire.write(bytes),
        };
        weather.note(wire, Call::Write, &outcome);
        outcome
    }

    fn shut(&mut self) -> io::Result<()> {
        let wire = &mut *self.wire.borrow_mut();
        if let Some(weather) = &self.weather {
            let weather = &mut *weather.borrow_mut();
            weather.shut(wire)?;
            weather.note(wire, Call::Shut, &Ok(0));
        }
        wire.shut = true;
        Ok(())
    }

    fn reset(&mut self) {
        self.wire.borrow_mut().reset_by_server = true;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let wire = &mut *self.wire.borrow_mut();
        wire.dropped = true;
        if let Some(weather) = &self.weather {
            weather.borrow_mut().dropped(wire);
        }
    }
}
