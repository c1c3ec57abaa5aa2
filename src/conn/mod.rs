//! One connection: what it has received, what it still has to send, and what comes next.
//!
//! No socket and no clock: bytes and the time come in, replies go out, and the loop asks
//! [`Connection::next`] what to do for it.
//!
//! ```text
//! phase     event                              next phase
//! Head      request completes, may upgrade     Open (exact echo) or Talk (all else)
//! Head      page, refusal, fault, time is up   Closing
//! Open,Talk Close received, fault, time is up  Closing
//! any open  end of stream                      Closing (the peer has finished)
//! Closing   all sent: our side is shut         Closing (lingering) or Ended
//! Closing   end of stream, or time is up       Ended
//! any       socket error                       Ended
//! ```

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)
)]

pub mod alarms;
pub mod area;
mod context;
mod diary;
mod endings;
pub mod inflaters;
mod intake;
mod open;
mod opening;
pub mod outbox;
mod talk;
mod watch;

use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;

use crate::ending::Ending;
use crate::id::ConnId;
use crate::service::Shared;
pub use context::Context;
pub use diary::Diary;
use open::Open;
use opening::Opening;
use outbox::{Slot, Store};
use talk::{Talk, Wish};
pub use watch::Watch;

/// A client's connection, from accept to its ending.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    outbox: Slot,
    diary: Option<Box<Diary>>,
    pinged: bool,
}

const _: () = assert!(size_of::<Connection>() <= 128, "an idle connection is small");

#[derive(Debug)]
enum Phase {
    /// The request head is arriving.
    Head(Opening),
    /// Frames flow, and flow back.
    Open(Open),
    /// Frames flow, and a party has something to say to them.
    Talk(Box<Talk>),
    /// Replies, then FIN, are on their way out; what still arrives is thrown away.
    Closing { ending: Ending, shut: bool, peer_finished: bool },
    /// The socket is to be reset.
    Resetting,
    /// Nothing is left to do.
    Ended(Ending),
}

/// What the loop should do for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write [`Connection::unsent`]. Until that is gone nothing more is read: the peer that does
    /// not take its replies stops being served.
    Write,
    /// Read, and give the bytes to [`Connection::receive`].
    Read,
    /// Go on with bytes that were read but not looked at: [`Connection::resume`].
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

/// Why a connection with something to read is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The buffer budget is used up.
    Buffers,
    /// No inflater is free.
    Inflaters,
}

/// What [`Connection::receive`] made of its bytes.
#[derive(Debug)]
pub struct Received {
    /// What to send.
    pub reply: Reply,
    /// What has not been looked at: frames behind a request head. The 101 leaves alone, because
    /// some clients take everything that comes with it for a part of it.
    pub rest: Range<usize>,
}

/// Where a reply lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// In the area.
    Area(Range<usize>),
    /// In [`Context::scratch`].
    Scratch,
}

impl Connection {
    /// A connection just accepted. A diary is kept if somebody will read it.
    pub fn new(id: ConnId, peer: SocketAddr, diary: Option<Box<Diary>>) -> Self {
        let phase = Phase::Head(Opening::new(id, peer));
        Self { phase, outbox: None, diary, pinged: false }
    }

    /// A connection above the limit: it is told so and closed in order.
    pub fn turned_away(id: ConnId, peer: SocketAddr, cx: &mut Context) -> Self {
        let mut connection = Self::new(id, peer, None);
        cx.store.keep(&mut connection.outbox, &cx.busy);
        connection.close(Ending::Shed, cx);
        connection
    }

    /// What to do now.
    #[inline]
    pub fn next(&self) -> Next {
        match self.phase {
            Phase::Ended(ending) => Next::Reap(ending),
            _ if !self.unsent().is_empty() => Next::Write,
            Phase::Closing { shut: false, .. } => Next::Shut,
            Phase::Open(_) if self.has_parked() => Next::Resume,
            Phase::Resetting => Next::Reset,
            Phase::Talk(ref talk) if talk.is_new() || talk.has_paused() => Next::Speak,
            Phase::Talk(ref talk) if talk.is_full() => Next::Rest,
            Phase::Talk(_) if self.has_parked() => Next::Resume,
            _ => Next::Read,
        }
    }

    /// Says what there is to say by itself: the 101 has gone, or more has fallen due.
    pub fn speak(&mut self, cx: &mut Context) {
        let Phase::Talk(talk) = &mut self.phase else { return };
        if talk.is_new() {
            talk.begin(cx);
        }
        match talk.speak(&mut self.outbox, cx) {
            Wish::Stay => {}
            Wish::Close(ending) => self.close(ending, cx),
            Wish::Reset => self.turn_into(Phase::Resetting, cx),
        }
    }

    /// The time that was asked for in [`Context::alarms`] has come.
    pub fn wake(&mut self, cx: &mut Context) {
        if let Phase::Talk(talk) = &mut self.phase {
            talk.wake(cx.now);
            self.speak(cx);
        }
    }

    /// Adds a message from another connection. False if too much waits here already.
    pub fn post(&mut self, frame: &Rc<Shared>, cx: &mut Context) -> bool {
        match &self.phase {
            Phase::Talk(talk) if !talk.is_leaving() => cx.store.post(&mut self.outbox, frame),
            _ => true,
        }
    }

    /// What may be written now.
    #[inline]
    pub fn unsent(&self) -> &[u8] {
        self.outbox.as_ref().map_or(&[], |outbox| outbox.unsent())
    }

    /// What may be written now, laid together in `area` if it stands in several places.
    pub fn gather<'a>(&'a self, area: &'a mut [u8]) -> &'a [u8] {
        self.outbox.as_ref().map_or(&[], |outbox| outbox.gather(area))
    }

    /// Bytes of its own in the outbox, shared frames there, bytes that a talk keeps; for checks.
    pub fn buffered(&self) -> (usize, usize, Option<usize>) {
        let kept = if let Phase::Talk(talk) = &self.phase { Some(talk.kept()) } else { None };
        let outbox = self.outbox.as_ref();
        outbox.map_or((0, 0, kept), |outbox| (outbox.len(), outbox.posted(), kept))
    }

    /// The socket took `count` bytes of [`Self::unsent`] or [`Self::gather`].
    pub fn sent(&mut self, count: usize, cx: &mut Context) {
        cx.store.sent(&mut self.outbox, count);
    }

    /// The socket refused `bytes` of a reply: they wait in the outbox.
    pub fn keep(&mut self, bytes: &[u8], store: &mut Store) {
        store.keep(&mut self.outbox, bytes);
    }

    /// Counts for the log line at the end.
    #[inline]
    pub fn note_bytes(&mut self, received: usize, sent: usize) {
        if let Some(diary) = &mut self.diary {
            diary.received += received as u64;
            diary.sent += sent as u64;
        }
    }
}
