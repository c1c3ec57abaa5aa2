//! One connection: what it has received, what it still has to send, and what comes next.
//!
//! No socket and no clock: bytes and the time come in, replies go out, and the loop asks
//! [`Connection::next`] what to do for it.
//!
//! ```text
//! phase     event                              next phase
//! Head      request completes, may upgrade     Open
//! Head      page, refusal, fault, time is up   Closing
//! Open      Close received, fault, time is up  Closing
//! Head,Open end of stream                      Closing (the peer has finished)
//! Closing   all sent: our side is shut         Closing (lingering) or Ended
//! Closing   end of stream, or time is up       Ended
//! any       socket error                       Ended
//! ```

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)
)]

pub mod area;
mod context;
mod diary;
pub mod inflaters;
mod open;
mod opening;
pub mod outbox;
mod watch;

use std::ops::Range;
use std::time::Duration;

use crate::ending::Ending;
use crate::limits::READ_BYTES_MAX;
use crate::ws::close::{CloseCode, FRAME_BYTES_MAX};
use area::{Area, READ_AT};
pub use context::Context;
pub use diary::Diary;
use open::{Open, Verdict};
use opening::Opening;
use outbox::{Slot, Store};
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
    /// Frames flow.
    Open(Open),
    /// Replies, then FIN, are on their way out; what still arrives is thrown away.
    Closing { ending: Ending, shut: bool, peer_finished: bool },
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
    pub fn new(diary: Option<Box<Diary>>) -> Self {
        let phase = Phase::Head(Opening::default());
        Self { phase, outbox: None, diary, pinged: false }
    }

    /// A connection above the limit: it is told so and closed in order.
    pub fn turned_away(cx: &mut Context) -> Self {
        let mut connection = Self::new(None);
        cx.store.keep(&mut connection.outbox, &cx.busy);
        connection.close(Ending::Shed);
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
        let grant = cx.store.read_grant().ok_or(Shortage::Buffers)?;
        match &self.phase {
            Phase::Open(open) => open.appetite(grant, cx),
            _ => Ok(grant),
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
        let Phase::Head(opening) = &mut self.phase else {
            // RFC 6455 §1.4: "After receiving a control frame indicating the connection should
            // be closed, a peer discards any further data received."
            return Received { reply: Reply::Area(end..end), rest: end..end };
        };
        cx.scratch.clear();
        match opening.turn(area, span, self.diary.as_deref(), cx) {
            opening::Outcome::Partial => Received { reply: Reply::Area(end..end), rest: end..end },
            opening::Outcome::Answered(ending) => {
                self.close(ending);
                Received { reply: Reply::Scratch, rest: end..end }
            }
            opening::Outcome::Opened { behind, agreement } => {
                self.phase = Phase::Open(Open::new(agreement));
                cx.metrics.opens += 1;
                Received { reply: Reply::Scratch, rest: behind..end }
            }
        }
    }

    /// The peer has finished its side: what is owed to it still goes out.
    pub fn peer_finished(&mut self) {
        match &mut self.phase {
            Phase::Closing { shut: true, ending, .. } => self.phase = Phase::Ended(*ending),
            Phase::Closing { peer_finished, .. } => *peer_finished = true,
            Phase::Open(open) if open.is_leaving() => self.finish(Ending::Shutdown),
            Phase::Head(_) | Phase::Open(_) => self.finish(Ending::Gone),
            Phase::Ended(_) => {}
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
    pub fn failed(&mut self) {
        let ending = match self.phase {
            Phase::Closing { ending, .. } | Phase::Ended(ending) => ending,
            Phase::Head(_) | Phase::Open(_) => Ending::Io,
        };
        self.phase = Phase::Ended(ending);
    }

    /// What may be written now.
    #[inline]
    pub fn unsent(&self) -> &[u8] {
        self.outbox.as_ref().map_or(&[], |outbox| outbox.unsent())
    }

    /// Bytes in the outbox, for checks.
    pub fn buffered(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.len())
    }

    /// The socket took `count` bytes of [`Self::unsent`].
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
            Phase::Head(_) => self.close(Ending::Shutdown),
            Phase::Open(open) => {
                let mut frame = [0; FRAME_BYTES_MAX];
                let code = CloseCode::GOING_AWAY;
                let length = open.say_goodbye(code, &mut frame, &mut self.outbox, cx);
                if length > 0 {
                    cx.store.keep(&mut self.outbox, &frame[..length]);
                }
            }
            Phase::Closing { .. } | Phase::Ended(_) => {}
        }
    }

    /// Ends the connection at once, whatever it is doing.
    pub fn abort(&mut self, ending: Ending) {
        self.phase = Phase::Ended(ending);
    }

    /// Gives everything back; the log line if a diary was kept.
    pub fn bury(mut self, ending: Ending, now: Duration, cx: &mut Context) {
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
        self.close(ending);
    }

    fn close(&mut self, ending: Ending) {
        self.phase = Phase::Closing { ending, shut: false, peer_finished: false };
    }

    fn finish(&mut self, ending: Ending) {
        self.phase = Phase::Closing { ending, shut: false, peer_finished: true };
    }
}
