//! A plain request that takes longer than its answer: a body that arrives, a stream of events, a
//! poll.
//!
//! It stands beside the session of a WebSocket, and is boxed: connections that have none do not
//! pay for it. What it says is charged to the budget like replies of a session, since the response
//! may be as long as the body. When all of that is sent the connection ends.
//!
//! ```text
//! job      until                         then
//! Echo     the body is complete          done: its last bytes are on their way
//! Send     the body is complete          answered with 204, or refused
//! Events   the peer goes, or the drain   done
//! Poll     a message, silence, the drain done
//! Sum      the sum, or the time is up    done
//! ```

mod begin;
mod echo;
pub mod events;
mod send;
mod sum;

use std::ops::Range;

use super::mailboxes::Mail;
use super::read_buffer::ReadBuffer;
use super::send_queue::Slot;
use super::{Cause, Context};
use crate::budget::Charge;
use crate::ending::Ending;
use crate::http::{
    BodyFault, Framing, MailboxName, Refusal, write_echo_head, write_nothing, write_refusal,
};
use crate::id::ConnId;
use crate::limits::EVENTS_BYTES_SOFT;
use crate::metrics::Purpose;
pub use begin::Begun;
use echo::Echo;
use send::Send;
use sum::Sum;

/// What a connection does instead of opening.
#[derive(Debug)]
pub struct Exchange {
    id: ConnId,
    job: Job,
    /// The response is complete, and what the connection then ends with.
    done: Option<Ending>,
    /// For its own memory.
    charge: Charge,
}

#[derive(Debug)]
enum Job {
    /// A body goes back as it comes.
    Echo(Echo),
    /// A body goes to a mailbox.
    Send(Send),
    /// What is in a mailbox goes out as events.
    Events {
        mailbox: MailboxName,
        chunked: bool,
        /// There may be messages.
        pending: bool,
    },
    /// The next message in a mailbox is the answer.
    Poll { mailbox: MailboxName, pending: bool },
    /// What all workers have counted is the answer.
    Sum(Sum),
}

/// What a read came to.
#[derive(Debug)]
pub enum Outcome {
    /// The response, or a part of it, is in the read buffer.
    Reply(Range<usize>),
    /// An answer is in [`Context::scratch`], and the last thing that is said.
    Answered(Ending),
    /// The body is malformed, where a part of it has been sent back already.
    Dropped(BodyFault),
}

impl Exchange {
    /// What its connection counts as.
    pub fn purpose(&self) -> Purpose {
        match self.job {
            Job::Echo(_) | Job::Send(_) => Purpose::Body,
            Job::Events { .. } => Purpose::Events,
            Job::Poll { .. } | Job::Sum(_) => Purpose::Poll,
        }
    }

    /// True when there is something to say, or to end, by itself.
    pub fn speaks(&self) -> bool {
        let pending = match &self.job {
            Job::Events { pending, .. } | Job::Poll { pending, .. } => *pending,
            Job::Sum(sum) => sum.speaks(),
            Job::Echo(_) | Job::Send(_) => false,
        };
        pending || self.done.is_some()
    }

    /// True when what arrives is thrown away.
    pub fn is_discarding(&self) -> bool {
        self.done.is_some() || self.wanted() == 0
    }

    /// True for a body that goes back, for which a read has to have room.
    pub fn is_echo(&self) -> bool {
        matches!(self.job, Job::Echo(_))
    }

    /// How many bytes of a body are to come next, at the least; 0 if none is.
    pub fn wanted(&self) -> usize {
        let wanted = match &self.job {
            Job::Echo(echo) => echo.body.wanted(),
            Job::Send(send) => send.body.wanted(),
            Job::Events { .. } | Job::Poll { .. } | Job::Sum(_) => 0,
        };
        usize::try_from(wanted).unwrap_or(usize::MAX)
    }

    /// Bytes that it keeps beside the send queue.
    pub fn charged(&self) -> usize {
        let message = if let Job::Send(send) = &self.job { send.charged() } else { 0 };
        self.charge.bytes() + message
    }

    /// Takes the bytes `buffer[span]` of the body; what is behind its end is thrown away.
    pub fn receive(
        &mut self,
        buffer: &mut ReadBuffer,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Outcome {
        let nothing = Outcome::Reply(span.end..span.end);
        if self.is_discarding() {
            return nothing;
        }
        let outcome = match &mut self.job {
            Job::Echo(echo) => echo.receive(buffer, span, cx),
            Job::Send(send) => send.receive(buffer, span, cx),
            Job::Events { .. } | Job::Poll { .. } | Job::Sum(_) => nothing,
        };
        if self.wanted() == 0 && self.is_echo() && matches!(outcome, Outcome::Reply(_)) {
            self.done = Some(Ending::Answered);
        }
        outcome
    }

    /// There may be a message in the mailbox, or somebody else reads it now.
    pub fn wake(&mut self) {
        match &mut self.job {
            Job::Events { pending, .. } | Job::Poll { pending, .. } => *pending = true,
            Job::Sum(sum) => sum.give_up(),
            Job::Echo(_) | Job::Send(_) => {}
        }
    }

    /// Says what there is to say. Returns what the connection ends with, if all has been said and
    /// sent.
    pub fn speak(&mut self, slot: &mut Slot, cx: &mut Context) -> Option<Ending> {
        if self.done.is_some() {
            return self.done;
        }
        let id = self.id;
        cx.scratch.clear();
        match &mut self.job {
            Job::Events { mailbox, chunked, pending } => {
                while cx.scratch.len() < EVENTS_BYTES_SOFT {
                    let Ok(Some(mail)) = cx.mailboxes.take(*mailbox, id) else { break };
                    let write = |out: &mut Vec<u8>| events::write_mail(out, &mail);
                    events::write(&mut cx.scratch, *chunked, write);
                }
                *pending = cx.mailboxes.has_mail(*mailbox);
            }
            Job::Poll { mailbox, pending } => {
                *pending = false;
                self.done = match cx.mailboxes.take(*mailbox, id) {
                    Ok(mail) => mail.map(|mail| answer(&mail, cx)),
                    Err(refusal) => Some(refuse(refusal, cx)),
                };
            }
            Job::Sum(sum) => self.done = Some(sum.answer(cx)),
            Job::Echo(_) | Job::Send(_) => {}
        }
        push_scratch(slot, cx);
        None
    }

    /// Nothing has happened for a while: a stream says that it lives, and a poll ends without a
    /// message, before somebody in between gives it up.
    pub fn idle(&mut self, slot: &mut Slot, cx: &mut Context) {
        cx.scratch.clear();
        match &self.job {
            Job::Events { chunked, .. } => {
                events::write(&mut cx.scratch, *chunked, events::write_comment);
            }
            Job::Poll { .. } if self.done.is_none() => {
                write_nothing(&mut cx.scratch);
                cx.metrics.count_answer("204");
                self.done = Some(Ending::Answered);
            }
            Job::Poll { .. } | Job::Echo(_) | Job::Send(_) | Job::Sum(_) => {}
        }
        push_scratch(slot, cx);
    }

    /// True if it goes on for as long as its client stays.
    pub fn is_stream(&self) -> bool {
        matches!(self.job, Job::Events { .. })
    }

    /// The server goes, or the stream has lasted for long enough. Bodies go on to their end.
    pub fn say_goodbye(&mut self, ending: Ending, slot: &mut Slot, cx: &mut Context) {
        if self.done.is_some() {
            return;
        }
        cx.scratch.clear();
        match &self.job {
            Job::Events { chunked, .. } => {
                let say = |out: &mut Vec<u8>| events::write_named(out, "close", b"going away");
                events::write(&mut cx.scratch, *chunked, say);
                events::write_end(&mut cx.scratch, *chunked);
            }
            Job::Poll { .. } => drop(refuse(Refusal::Draining, cx)),
            Job::Echo(_) | Job::Send(_) | Job::Sum(_) => return,
        }
        self.done = Some(ending);
        push_scratch(slot, cx);
    }

    /// The connection ends before its time: why, if the client can still be told.
    pub fn last_words(&self, cause: &Cause) -> Option<Refusal> {
        let silent = match &self.job {
            Job::Echo(echo) => !echo.begun,
            Job::Send(_) | Job::Sum(_) => true,
            Job::Events { .. } | Job::Poll { .. } => false,
        };
        match cause {
            _ if !silent => None,
            Cause::Stalled => Some(Refusal::BodyTimeout),
            Cause::Starved => Some(Refusal::Busy),
            _ => None,
        }
    }

    /// The connection is over, or will be within moments.
    pub fn end(&mut self, cx: &mut Context) {
        match &self.job {
            Job::Events { mailbox, .. } => cx.mailboxes.close(*mailbox),
            Job::Sum(sum) => sum.end(self.id, cx),
            Job::Poll { mailbox, .. } => {
                let ends = cx.mailboxes.leave(*mailbox, self.id, cx.now);
                ends.into_iter().for_each(|at| cx.effects.call_at(at));
            }
            Job::Echo(_) | Job::Send(_) => {}
        }
        cx.metrics.mailboxes = cx.mailboxes.len() as u64;
    }
}

/// Composes the answer to a poll.
fn answer(mail: &Mail, cx: &mut Context) -> Ending {
    write_echo_head(&mut cx.scratch, mail.content, Framing::Length(mail.bytes.len() as u64));
    cx.scratch.extend_from_slice(&mail.bytes);
    cx.metrics.count_answer("200");
    Ending::Answered
}

/// Composes a refusal.
fn refuse(refusal: Refusal, cx: &mut Context) -> Ending {
    write_refusal(&mut cx.scratch, refusal, false);
    cx.metrics.count_answer(refusal.status().label());
    if cx.logging {
        cx.reason = format!("a request with {}: {}", refusal.status().code(), refusal.reason());
    }
    Ending::Refused
}

/// During the drain mailboxes end, and it is the server that their clients miss.
fn going(refusal: Refusal, cx: &Context) -> Refusal {
    match refusal {
        Refusal::Mailbox if cx.draining => Refusal::Draining,
        refusal => refusal,
    }
}

/// What was composed goes to the send queue. The connection ends when that is sent; what it was
/// refused for is said there.
fn push_scratch(slot: &mut Slot, cx: &mut Context) {
    cx.queues.push(slot, &cx.scratch);
    cx.scratch.clear();
    cx.reason.clear();
}
