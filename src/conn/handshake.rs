//! A connection before it is open: the request head, and what it is answered.

mod introduction;
mod refusing;

use std::ops::Range;
use std::rc::Rc;

use super::answer::give;
use super::exchange::{Begun, Exchange};
use super::handler::{Handler, Member, ScriptedEcho};
use super::inflaters::Deflate as Deflating;
use super::read_buffer::ReadBuffer;
use super::{ConnectionLog, Context};
use crate::behaviour::Behaviour;
use crate::budget::Charge;
use crate::ending::Ending;
use crate::http::{
    self, Answer, Head, Mount, Progress, Refusal, Route, Scan, Status, route, write_opening,
};
use crate::id::ConnId;
use crate::limits::{Deflate, HEAD_BYTES_MAX};
use crate::peer::Peer;
use crate::service::mirror::mirror;
use crate::ws::deflate::{Agreement, negotiate};
pub use introduction::Introduction;

/// Memory of a partial head beside its bytes.
const PARTIAL_BYTES: usize = size_of::<Partial>() + 32;

/// What has arrived of a request head. Nothing is kept of one that arrives in one piece.
#[derive(Debug)]
pub struct Handshake {
    id: ConnId,
    peer: Peer,
    introduction: Introduction,
    partial: Option<Box<Partial>>,
}

#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    scan: Scan,
    charge: Charge,
}

/// What a read made of the request. An answer or the 101 stands in [`Context::scratch`].
#[derive(Debug)]
pub enum Outcome {
    /// The head goes on.
    Partial,
    /// It was answered with something other than a 101; the connection closes.
    Answered(Ending),
    /// It was upgraded. Frames may begin in the buffer at `behind`.
    Opened {
        /// The first byte behind the head.
        behind: usize,
        /// What the connection is for.
        handler: Handler,
    },
    /// It takes longer than its answer. A body may begin in the buffer at `behind`.
    Begun {
        /// The first byte behind the head.
        behind: usize,
        /// What it does.
        exchange: Box<Exchange>,
    },
}

impl Handshake {
    /// Nothing has arrived yet.
    pub fn new(id: ConnId, peer: Peer, introduction: Introduction) -> Self {
        Self { id, peer, introduction, partial: None }
    }

    /// Takes the bytes `buffer[span]` of a header of the PROXY protocol, where one has to be; of
    /// the head; and maybe of frames behind it.
    pub fn receive(
        &mut self,
        buffer: &ReadBuffer,
        span: Range<usize>,
        mut log: Option<&mut ConnectionLog>,
        cx: &mut Context,
    ) -> Outcome {
        let mut span = span;
        if self.introduction == Introduction::Header {
            span.start = match self.receive_header(buffer, span.clone(), log.as_deref_mut(), cx) {
                Ok(behind) => behind,
                Err(refused) => return refused,
            };
            if span.is_empty() {
                return Outcome::Partial;
            }
        }
        self.receive_head(buffer, span, log, cx)
    }

    /// Keeps the beginning of a head, unless there is no room for it.
    fn keep_partial(&mut self, bytes: &[u8], scan: Scan, cx: &mut Context) -> Result<(), Outcome> {
        // The oldest make room at the end of the turn, until then there is some to spare.
        if cx.budget.reserve_is_far_too_short() {
            return Err(self.refuse(Refusal::Busy, None, cx));
        }
        let charge = cx.budget.reserve(PARTIAL_BYTES + bytes.len());
        self.partial = Some(Box::new(Partial { bytes: bytes.to_vec(), scan, charge }));
        Ok(())
    }

    fn receive_head(
        &mut self,
        buffer: &ReadBuffer,
        span: Range<usize>,
        log: Option<&mut ConnectionLog>,
        cx: &mut Context,
    ) -> Outcome {
        let Some(mut partial) = self.partial.take() else {
            let mut scan = Scan::default();
            let bytes = buffer.part_of(span.clone());
            return match scan.advance(bytes) {
                Ok(Progress::Partial) => match self.keep_partial(bytes, scan, cx) {
                    Ok(()) => Outcome::Partial,
                    Err(refused) => refused,
                },
                Ok(Progress::Complete(head)) => {
                    self.decide(&head, span.start + head.length()..span.end, log, cx)
                }
                Err(fault) => self.refuse(fault.into(), None, cx),
            };
        };
        // No more of the new bytes than the longest head has room for: what is behind a head
        // stays in the buffer. One byte more shows that a head is too long.
        let before = partial.bytes.len();
        let taken = span.len().min(HEAD_BYTES_MAX + 1 - before);
        partial.charge.set(PARTIAL_BYTES + before + taken);
        partial.bytes.reserve_exact(taken);
        partial.bytes.extend_from_slice(buffer.part_of(span.start..span.start + taken));
        match partial.scan.advance(&partial.bytes) {
            Ok(Progress::Partial) => {
                self.partial = Some(partial);
                Outcome::Partial
            }
            Ok(Progress::Complete(head)) => {
                self.decide(&head, span.start + head.length() - before..span.end, log, cx)
            }
            Err(fault) => self.refuse(fault.into(), None, cx),
        }
    }

    /// Bytes that are charged for a part of the head.
    pub fn charged(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.charge.bytes())
    }

    /// The time for the head is up. True if an answer was put into [`Context::scratch`]: a peer
    /// that has not said a word, as browsers do that connect ahead, is left without one.
    pub fn time_out(&self, cx: &mut Context) -> bool {
        let begun = self.partial.is_some();
        if begun {
            self.refuse(Refusal::Timeout, None, cx);
        }
        begun
    }

    /// Composes what a complete request is answered.
    fn decide(
        &mut self,
        head: &Head<'_>,
        span: Range<usize>,
        mut log: Option<&mut ConnectionLog>,
        cx: &mut Context,
    ) -> Outcome {
        let behind = span.start;
        if self.introduction == Introduction::Fields {
            if let Err(refused) = self.introduce(head, log.as_deref_mut(), cx) {
                return refused;
            }
        }
        match introduction::may_come(head, cx) {
            Ok(token) => log.iter_mut().for_each(|log| log.let_in(token.clone())),
            Err(refusal) => return self.refuse(refusal, Some(head), cx),
        }
        let (outcome, subprotocol) = match route(head, &cx.rules, cx.draining) {
            Route::Upgrade(mount, opening) => {
                (self.upgrade(head, mount, &opening, behind, cx), opening.subprotocol)
            }
            Route::Answer(answer) => (self.give(answer, head, cx), None),
            Route::Fallback(fallback) => {
                let outcome = match Exchange::begin(fallback, self.id, span.is_empty(), cx) {
                    Ok(Begun::Exchange(exchange)) => Outcome::Begun { behind, exchange },
                    Ok(Begun::Answered) => Outcome::Answered(Ending::Answered),
                    Err(refusal) => self.refuse(refusal, Some(head), cx),
                };
                (outcome, None)
            }
            Route::Explain { query } => (self.explain(head, query, cx), None),
            Route::Refuse(refusal) => (self.refuse(refusal, Some(head), cx), None),
        };
        let Some(log) = log else { return outcome };
        match &outcome {
            Outcome::Opened { handler, .. } => {
                log.open(head.target(), subprotocol, handler.extension().as_deref());
            }
            Outcome::Begun { .. } => log.start(head.method(), head.target()),
            Outcome::Answered(Ending::Answered) => {
                log.answer(head.method(), head.target());
            }
            // It is logged with its reason.
            Outcome::Answered(_) | Outcome::Partial => {}
        }
        outcome
    }

    fn give(&self, answer: Answer, head: &Head<'_>, cx: &mut Context) -> Outcome {
        cx.metrics.count_answer(Status::OK.label());
        give(answer, head, self.peer, cx);
        Outcome::Answered(Ending::Answered)
    }

    /// Whom a connection is for, if that is not the exact echo.
    fn handler(
        &self,
        head: &Head<'_>,
        mount: Mount<'_>,
        cx: &mut Context,
    ) -> Result<Option<Handler>, Outcome> {
        let (query, mirrored) = match mount {
            Mount::Echo { query, mirror } => (query, mirror),
            Mount::Exact => return Ok(None),
            Mount::Service { place, room, query } => {
                let member = Member::new(self.id, place, room, query, cx);
                let member = member.ok_or_else(|| self.refuse(Refusal::Busy, Some(head), cx))?;
                return Ok(Some(Handler::Member(Box::new(member))));
            }
        };
        let Some(behaviour) = self.judge(head, query, mirrored, cx)? else { return Ok(None) };
        let request = behaviour.mirror.then(|| mirror(head, self.peer, cx.config.mirror_secrets));
        let script = ScriptedEcho::new(self.id, self.peer, behaviour, request, cx);
        let script = script.ok_or_else(|| self.refuse(Refusal::Busy, Some(head), cx))?;
        Ok(Some(Handler::Script(Box::new(script))))
    }

    /// The behaviour that a query asks for, if that is not the exact echo.
    fn judge(
        &self,
        head: &Head<'_>,
        query: &str,
        mirrored: bool,
        cx: &mut Context,
    ) -> Result<Option<Rc<Behaviour>>, Outcome> {
        let behaviour = match cx.behaviours.of(query, mirrored) {
            Ok(behaviour) => behaviour,
            Err(wrong) => return Err(self.turn_down(Status::BAD_REQUEST, &wrong, head, cx)),
        };
        let refused = behaviour.as_ref().and_then(|behaviour| behaviour.refuse);
        if let Some(status) = refused.and_then(Status::error) {
            let reason = format!("{}, as asked", status.code());
            return Err(self.turn_down(status, &reason, head, cx));
        }
        Ok(behaviour)
    }

    /// Refuses a plain request as a handshake with its query would be refused.
    fn explain(&self, head: &Head<'_>, query: &str, cx: &mut Context) -> Outcome {
        match self.judge(head, query, false, cx) {
            Ok(_) => self.refuse(Refusal::UpgradeOnly, Some(head), cx),
            Err(refused) => refused,
        }
    }

    fn upgrade(
        &self,
        head: &Head<'_>,
        mount: Mount<'_>,
        opening: &http::Opening<'_>,
        behind: usize,
        cx: &mut Context,
    ) -> Outcome {
        let choice = match cx.config.deflate {
            Deflate::Takeover if !cx.inflaters.may_keep_window() => Deflate::On,
            choice => choice,
        };
        let Ok(agreement) = negotiate(http::extensions(head), choice) else {
            return self.refuse(Refusal::Extensions, Some(head), cx);
        };
        match self.handler(head, mount, cx) {
            Ok(None) => {}
            Ok(Some(handler)) => {
                // What it says is not what was heard, so nothing could be sent back as it came.
                write_opening(&mut cx.scratch, opening, None);
                return Outcome::Opened { behind, handler };
            }
            Err(refused) => return refused,
        }
        cx.metrics.deflate_opens += u64::from(agreement.is_some());
        let extensions = agreement.into_iter().flat_map(Agreement::parts);
        write_opening(&mut cx.scratch, opening, extensions);
        let deflate = agreement.map(|agreement| Deflating::new(agreement, &cx.budget));
        Outcome::Opened { behind, handler: Handler::Echo(deflate) }
    }
}
