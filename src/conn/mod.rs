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
pub mod inflaters;
mod open;
mod opening;
pub mod outbox;
mod talk;
mod watch;

use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use crate::ending::Ending;
use crate::id::ConnId;
use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};
use crate::ws::close::{CloseCode, FRAME_BYTES_MAX};
use area::{Area, READ_AT};
pub use context::Context;
pub use diary::Diary;
use open::{Open, Turned, Verdict};
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

    /// True when bytes wait that were read but not looked at.
    #[inline]
    pub fn has_parked(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| !outbox.parked().is_empty())
    }

    /// Lays the parked bytes into the area, to be received, and returns where they end.
    pub fn resume(&mut self, area: &mut Area, cx: &mut Context) -> Range<usize> {
        let count = cx.store.unpark(&mut self.outbox, area.window(READ_BYTES_MAX));
        READ_AT..READ_AT + count
    }

    /// The most that a read may bring now: no more than can be stored should the socket refuse all
    /// of the reply.
    #[inline]
    pub fn appetite(&self, cx: &Context) -> Result<usize, Shortage> {
        let grant = cx.store.read_grant();
        match &self.phase {
            Phase::Open(open) => open.appetite(grant.ok_or(Shortage::Buffers)?, cx),
            // What is said to a talk goes elsewhere, and what waits for it has a limit of its own.
            Phase::Talk(_) => Ok(grant.unwrap_or(READ_BYTES_MIN)),
            _ => grant.ok_or(Shortage::Buffers),
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
    pub fn post(&mut self, frame: &Rc<[u8]>, cx: &mut Context) -> bool {
        match &self.phase {
            Phase::Talk(talk) if !talk.is_leaving() => cx.store.post(&mut self.outbox, frame),
            _ => true,
        }
    }

    /// Ends a conversation with a Close behind what was sent.
    pub fn dismiss(&mut self, code: CloseCode, reason: &str, cx: &mut Context) {
        if let Phase::Talk(talk) = &mut self.phase {
            talk.say_close(code, reason, &mut self.outbox, cx);
            self.close(Ending::Fault, cx);
        }
    }

    /// Takes the bytes `area[span]` that the peer sent.
    #[inline]
    pub fn receive(&mut self, area: &mut Area, span: Range<usize>, cx: &mut Context) -> Received {
        self.pinged = false;
        let end = span.end;
        let Phase::Open(open) = &mut self.phase else {
            return self.receive_unopened(area, span, cx);
        };
        let turned = open.turn(area, span, &mut self.outbox, cx);
        self.account(turned, end, cx)
    }

    #[inline]
    fn account(&mut self, turned: Turned, end: usize, cx: &mut Context) -> Received {
        cx.metrics.frames += u64::from(turned.frames);
        cx.metrics.messages += u64::from(turned.messages);
        if let Some(diary) = &mut self.diary {
            diary.frames += u64::from(turned.frames);
            diary.messages += u64::from(turned.messages);
        }
        if turned.verdict != Verdict::Continue {
            self.conclude(turned.verdict, cx);
        }
        Received { reply: Reply::Area(turned.reply), rest: end..end }
    }

    fn receive_unopened(
        &mut self,
        area: &mut Area,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Received {
        let end = span.end;
        let opening = match &mut self.phase {
            Phase::Head(opening) => opening,
            Phase::Talk(talk) => {
                let turned = talk.turn(area, span, &mut self.outbox, cx);
                let received = self.account(turned, end, cx);
                if !matches!(&self.phase, Phase::Talk(talk) if talk.is_new()) {
                    self.speak(cx);
                }
                return received;
            }
            // RFC 6455 §1.4: "After receiving a control frame indicating the connection should
            // be closed, a peer discards any further data received."
            _ => return Received { reply: Reply::Area(end..end), rest: end..end },
        };
        cx.scratch.clear();
        let outcome = opening.turn(area, span, self.diary.as_deref(), cx);
        let behind = match outcome {
            opening::Outcome::Partial => {
                return Received { reply: Reply::Area(end..end), rest: end..end };
            }
            opening::Outcome::Answered(ending) => {
                self.close(ending, cx);
                end
            }
            opening::Outcome::Opened { behind, agreement } => {
                self.phase = Phase::Open(Open::new(agreement));
                cx.metrics.opens += 1;
                behind
            }
            opening::Outcome::Joined { behind, talk } => {
                self.phase = Phase::Talk(talk);
                cx.metrics.opens += 1;
                behind
            }
        };
        Received { reply: Reply::Scratch, rest: behind..end }
    }

    /// The peer has finished its side: what is owed to it still goes out.
    pub fn peer_finished(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::Closing { shut: true, ending, .. } => self.phase = Phase::Ended(*ending),
            Phase::Closing { peer_finished, .. } => *peer_finished = true,
            Phase::Open(open) if open.is_leaving() => self.finish(Ending::Shutdown, cx),
            Phase::Talk(talk) if talk.is_leaving() => self.finish(Ending::Shutdown, cx),
            Phase::Head(_) | Phase::Open(_) | Phase::Talk(_) => self.finish(Ending::Gone, cx),
            Phase::Resetting | Phase::Ended(_) => {}
        }
    }

    /// Our sending side has been shut down.
    pub fn has_shut(&mut self) {
        if let Phase::Closing { ending, shut, peer_finished } = &mut self.phase {
            *shut = true;
            if *peer_finished {
                self.phase = Phase::Ended(*ending);
            }
        }
    }

    /// The socket failed. A reset after all has been said is no failure.
    pub fn failed(&mut self, cx: &mut Context) {
        let ending = match self.phase {
            Phase::Closing { ending, .. } | Phase::Ended(ending) => ending,
            Phase::Resetting => Ending::Scripted,
            Phase::Head(_) | Phase::Open(_) | Phase::Talk(_) => Ending::Io,
        };
        self.turn_into(Phase::Ended(ending), cx);
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

    /// Bytes in the outbox, its own and shared ones, for checks.
    pub fn buffered(&self) -> (usize, usize) {
        self.outbox.as_ref().map_or((0, 0), |outbox| (outbox.len(), outbox.posted_bytes()))
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

    /// The server shuts down: Close 1001 to open connections, an end to the others.
    pub fn shut_down(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::Head(_) => self.close(Ending::Shutdown, cx),
            Phase::Talk(talk) => {
                talk.say_close(CloseCode::GOING_AWAY, "", &mut self.outbox, cx);
            }
            Phase::Open(open) => {
                let mut frame = [0; FRAME_BYTES_MAX];
                let code = CloseCode::GOING_AWAY;
                let length = open.say_goodbye(code, &mut frame, &mut self.outbox, cx);
                if length > 0 {
                    cx.store.keep(&mut self.outbox, &frame[..length]);
                }
            }
            Phase::Closing { .. } | Phase::Resetting | Phase::Ended(_) => {}
        }
    }

    /// Ends the connection at once, whatever it is doing.
    pub fn abort(&mut self, ending: Ending, cx: &mut Context) {
        self.turn_into(Phase::Ended(ending), cx);
    }

    /// Gives everything back; the log line if a diary was kept.
    pub fn bury(mut self, ending: Ending, now: Duration, cx: &mut Context) {
        self.turn_into(Phase::Ended(ending), cx);
        cx.store.reclaim(&mut self.outbox);
        cx.metrics.endings[ending as usize] += 1;
        if let Some(diary) = self.diary {
            diary.close(ending, now);
        }
    }

    fn conclude(&mut self, verdict: Verdict, cx: &mut Context) {
        let leaving = matches!(&self.phase, Phase::Open(open) if open.is_leaving());
        let (ending, code) = match verdict {
            Verdict::Continue => return,
            Verdict::PeerClosed(code) if !leaving => (Ending::Closed, code),
            Verdict::PeerClosed(code) => (Ending::Shutdown, code),
            Verdict::Fault(fault) => (Ending::Fault, Some(fault.close_code())),
            Verdict::Dropped(fault) => (Ending::Dropped, Some(fault.close_code())),
        };
        if let Some(diary) = &mut self.diary {
            diary.code = code.map(CloseCode::number);
            diary.reason = std::mem::take(&mut cx.reason);
        }
        self.close(ending, cx);
    }

    fn close(&mut self, ending: Ending, cx: &mut Context) {
        self.turn_into(Phase::Closing { ending, shut: false, peer_finished: false }, cx);
    }

    fn finish(&mut self, ending: Ending, cx: &mut Context) {
        self.turn_into(Phase::Closing { ending, shut: false, peer_finished: true }, cx);
    }

    /// The end of frames: a party is told that its connection goes.
    fn turn_into(&mut self, phase: Phase, cx: &mut Context) {
        if let Phase::Talk(mut talk) = std::mem::replace(&mut self.phase, phase) {
            talk.part(cx);
        }
    }
}
