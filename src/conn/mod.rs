//! One connection: what it has received, what it still has to send, and what comes next.
//!
//! No socket and no clock: bytes and the time come in, replies go out, and the loop asks
//! [`Connection::next`] what to do for it.
//!
//! ```text
//! phase     event                              next phase
//! Head      request completes, may upgrade     Open
//! Head      request has a body, or waits       Exchange
//! Head      page, refusal, fault, time is up   Closing
//! Exchange  response sent, fault, time is up   Closing
//! Open      Close received, fault, time is up  Closing
//! Open      end of stream                      Closing (the peer has finished)
//! Open      a script resets                    Resetting
//! Closing   all sent: our side is shut         Closing (lingering) or Ended
//! Closing   end of stream, or time is up       Ended
//! any       socket error                       Ended
//! ```

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)
)]

mod answer;
mod connection_log;
mod context;
mod end;
mod exchange;
mod frame_log;
mod handler;
mod handshake;
mod holding;
#[cfg_attr(not(feature = "deflate"), path = "inflaters_absent.rs")]
pub mod inflaters;
pub mod mailboxes;
mod noting;
pub(crate) mod proxy;
pub mod read_buffer;
mod receive;
pub mod send_queue;
mod session;
mod sums;
mod timeout;
pub mod timers;
mod unopened;

use std::ops::Range;
use std::rc::Rc;

use crate::ending::Ending;
use crate::id::ConnId;
use crate::peer::Peer;
use crate::service::SharedFrame;
pub use connection_log::ConnectionLog;
pub use context::Context;
pub use end::Cause;
use exchange::Exchange;
use handler::{Handler, Wish};
use handshake::Handshake;
pub use handshake::Introduction;
use send_queue::Slot;
use session::Session;
pub use timeout::Timeout;

/// A client's connection, from accept to its ending.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    queue: Slot,
    log: Option<Box<ConnectionLog>>,
    pinged: bool,
    /// It was turned away as soon as it came.
    turned_away: bool,
}

const _: () = assert!(size_of::<Connection>() <= 104, "an idle connection is small");

#[derive(Debug)]
enum Phase {
    /// The request head is arriving.
    Head(Handshake),
    /// Frames flow, and are answered.
    Open(Session),
    /// A plain request takes longer than its answer.
    Exchange(Box<Exchange>),
    /// Replies, then FIN, are on their way out; what still arrives is thrown away.
    Closing { ending: Ending, shut: bool, peer_finished: bool },
    /// The socket is to be reset, `now` or once the peer has had time to read the 101.
    Resetting { now: bool },
    /// Nothing is left to do.
    Ended(Ending),
}

/// What the loop should do for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write [`Connection::unsent`]. Until that is gone nothing more is read, apart from
    /// [`Connection::finishing`]: the peer that does not take its replies stops being served.
    Write,
    /// Read, and give the bytes to [`Connection::receive`].
    Read,
    /// Go on with bytes that were read but not processed: [`Connection::resume`].
    Resume,
    /// There is something to say by itself: [`Connection::speak`].
    Speak,
    /// Nothing: too much waits to be said.
    Rest,
    /// Reset the socket.
    Reset,
    /// Shut down the sending side.
    Shut,
    /// Drop the socket.
    Reap(Ending),
}

/// What a connection with something to read is waiting for, where it is not the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Room in the buffer budget.
    Room,
    /// An inflater.
    Inflater,
}

/// What [`Connection::receive`] made of its bytes.
#[derive(Debug)]
pub struct Received {
    /// What to send.
    pub reply: Reply,
    /// What has not been processed: frames behind a request head. The 101 leaves alone, because
    /// some clients take everything that comes with it for a part of it.
    pub rest: Range<usize>,
}

/// Where a reply lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// In the read buffer.
    Buffer(Range<usize>),
    /// In [`Context::scratch`].
    Scratch,
}

impl Connection {
    /// A connection just accepted. A log is kept if somebody will read it.
    pub fn new(id: ConnId, peer: Peer, log: Option<Box<ConnectionLog>>) -> Self {
        Self::introduced(id, peer, Introduction::Done, log)
    }

    /// As [`Self::new`], of a peer that may be a proxy.
    pub fn introduced(
        id: ConnId,
        peer: Peer,
        introduction: Introduction,
        log: Option<Box<ConnectionLog>>,
    ) -> Self {
        let phase = Phase::Head(Handshake::new(id, peer, introduction));
        Self { phase, queue: None, log, pinged: false, turned_away: false }
    }

    /// What to do now.
    #[inline]
    pub fn next(&self) -> Next {
        match &self.phase {
            Phase::Ended(ending) => Next::Reap(*ending),
            _ if !self.is_flushed() => Next::Write,
            Phase::Resetting { now: true } => Next::Reset,
            Phase::Closing { shut: false, .. } => Next::Shut,
            Phase::Open(session) => self.next_open(session),
            Phase::Exchange(exchange) if exchange.speaks() => Next::Speak,
            _ => Next::Read,
        }
    }

    #[inline]
    fn next_open(&self, session: &Session) -> Next {
        let speaks = match session.handler_ref() {
            Handler::Echo(_) => false,
            handler if handler.is_new() => true,
            Handler::Script(script) if !session.is_closing() => {
                if !script.has_paused() && script.is_full() {
                    return Next::Rest;
                }
                script.has_paused()
            }
            _ => false,
        };
        match () {
            () if speaks => Next::Speak,
            () if self.has_unprocessed() => Next::Resume,
            () => Next::Read,
        }
    }

    /// True for an exact echo that has nothing to do before something arrives: most connections,
    /// most of the time.
    #[inline]
    pub fn is_echo_at_rest(&self) -> bool {
        let Phase::Open(session) = &self.phase else { return false };
        self.queue.is_none() && session.handler_ref().is_echo()
    }

    /// True for a member of a room, when members have caused enough in this turn.
    #[cold]
    pub fn comes_next_turn(&self, cx: &Context) -> bool {
        let Phase::Open(session) = &self.phase else { return false };
        matches!(session.handler_ref(), Handler::Member(_)) && cx.effects.turn_is_used_up()
    }

    /// Says what there is to say by itself: the 101 has gone, or more has fallen due.
    #[inline(never)]
    pub fn speak(&mut self, cx: &mut Context) {
        let session = match &mut self.phase {
            Phase::Open(session) => session,
            Phase::Exchange(exchange) => {
                let ending = exchange.speak(&mut self.queue, cx);
                return ending.into_iter().for_each(|end| self.end(Cause::Answered(end), cx));
            }
            _ => return,
        };
        if session.handler_ref().is_new() {
            session.handler().begin(cx);
        }
        if session.is_closing() {
            return;
        }
        let Handler::Script(script) = session.handler() else { return };
        match script.speak(&mut self.queue, cx) {
            Wish::Stay => {}
            Wish::Close(code, reason) => self.end(Cause::ScriptCloses(code, reason), cx),
            Wish::Finish => self.end(Cause::ScriptFinishes, cx),
            Wish::Reset => self.end(Cause::ScriptResets, cx),
        }
    }

    /// The time of a timer in [`Context::timers`] has come, or something is in its mailbox.
    pub fn wake(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::Open(session) => {
                if let Handler::Script(script) = session.handler() {
                    script.wake();
                }
                self.speak(cx);
            }
            Phase::Exchange(exchange) => exchange.wake(),
            _ => {}
        }
    }

    /// What all workers have counted, for which it has waited.
    pub fn take_sum(&mut self, text: &Rc<str>) {
        if let Phase::Exchange(exchange) = &mut self.phase {
            exchange.take_sum(text);
        }
    }

    /// Adds a message from another connection. False if too much waits here already.
    pub fn post(&mut self, frame: &Rc<SharedFrame>, cx: &mut Context) -> bool {
        match &self.phase {
            Phase::Open(session) if !session.is_closing() => {
                cx.queues.push_frame(&mut self.queue, frame)
            }
            _ => true,
        }
    }

    /// What may be written now.
    #[inline]
    pub fn unsent(&self) -> &[u8] {
        self.queue.as_ref().map_or(&[], |queue| queue.unsent())
    }

    /// True when there is nothing to write.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.is_flushed())
    }

    /// What may be written now, laid together in `into` if it stands in several places.
    pub fn gather<'a>(&'a self, into: &'a mut [u8]) -> &'a [u8] {
        self.queue.as_ref().map_or(&[], |queue| queue.gather(into))
    }

    /// The socket took `count` bytes of [`Self::unsent`] or [`Self::gather`].
    pub fn sent(&mut self, count: usize, cx: &mut Context) {
        self.note_flushed(count);
        cx.queues.sent(&mut self.queue, count);
    }

    /// The socket refused `bytes` of a reply: they wait in the send queue.
    pub fn keep(&mut self, bytes: &[u8], cx: &mut Context) {
        if self.is_unopened() {
            cx.queues.push_reserved(&mut self.queue, bytes);
        } else {
            cx.queues.push(&mut self.queue, bytes);
        }
    }
}
