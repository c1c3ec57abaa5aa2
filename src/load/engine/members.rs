//! The members of a room: what comes to them, and what they send.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::super::dice::Dice;
use super::super::errors::Kind;
use super::super::plan::{Plan, Shape};
use super::super::receiver::Rest;
use super::super::room::Room;
use super::super::script::add_frame;
use super::super::state::{End, State};
use super::super::unexpected::close_in_words;
use super::Engine;
use crate::net::dial::Dial;
use crate::ws::head::{First, Opcode};
use crate::ws::incoming::{Incoming, Piece};

/// Sizes of messages that are drawn ahead.
const SIZES: usize = 1024;

/// A server may wrap messages into something of its own: what comes may be so many times as long as
/// what was sent, and a little more.
const WRAPPED: usize = 8;
const WRAPPING_BYTES: usize = 64 * 1024;

/// Of what a member says in an open loop so much is ready for its socket, with one message more.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// Messages of an open loop that wait, of all members: 16 MiB of times. What is due beyond that is
/// lost, and counted so.
const WAITING_MAX: usize = 1 << 20;

/// One member: what comes to it, and what it has still to say.
#[derive(Debug)]
pub(super) struct Member {
    incoming: Incoming,
    /// A message that has not come whole.
    partial: Vec<u8>,
    /// A control frame that has not.
    control: Vec<u8>,
    /// The message under way began in an earlier phase.
    stale: bool,
    /// When the messages were due that wait because earlier ones are not taken.
    due: VecDeque<Duration>,
}

impl Member {
    fn new() -> Self {
        Self {
            incoming: Incoming::new(false),
            partial: Vec::new(),
            control: Vec::new(),
            stale: false,
            due: VecDeque::new(),
        }
    }

    /// Where it stands, for the next phase.
    pub(super) fn leave(&mut self) -> Rest {
        let stale = self.incoming.is_within_message();
        let control = std::mem::take(&mut self.control);
        Rest { incoming: self.incoming.clone(), control, stale }
    }

    /// Goes on where an earlier phase stood.
    pub(super) fn take_up(&mut self, rest: Rest) {
        let Rest { incoming, control, stale } = rest;
        *self = Self { incoming, control, stale, ..Self::new() };
    }
}

/// The room of a plan, if it has one.
pub(super) fn room(plan: &Plan) -> Option<(Room, Vec<Member>)> {
    let Shape::Broadcast(audience) = plan.shape else { return None };
    let sizes = plan.sizes().draw(SIZES, &mut Dice::new(plan.seed));
    let binary = !plan.content.is_text();
    let (verify, template) = (plan.verify, plan.template.clone());
    let room = Room::new(plan.connections, audience, binary, verify, template, sizes, plan.seed);
    Some((room, (0..plan.connections).map(|_| Member::new()).collect()))
}

impl<D: Dial> Engine<D> {
    /// Bytes have come to a member.
    pub(super) fn take_as_member(
        &mut self,
        at: usize,
        bytes: Range<usize>,
        now: Duration,
    ) -> Result<(), End> {
        let mut from = bytes.start;
        let mut complete = Vec::new();
        while let Some((_, members)) = &mut self.room {
            let step = members[at].incoming.step(&self.buffer[..bytes.end], from);
            let piece =
                step.map_err(|fault| End::Wrong(Kind::Protocol, fault.reason().to_owned()))?;
            let Some(piece) = piece else { break };
            from = piece.payload.end;
            if piece.first.opcode.is_control() {
                self.control(at, &piece, now)?;
            } else if let Some(sender) = self.piece(at, &piece, now)? {
                complete.push(sender);
            }
        }
        for sender in complete {
            if self.sending && self.plan.rate.is_none() {
                self.send_to_room(sender, now);
            }
        }
        self.flush(at, now)
    }

    /// A piece of a message; its sender, if all have got it now.
    fn piece(&mut self, at: usize, piece: &Piece, now: Duration) -> Result<Option<usize>, End> {
        let Some((room, members)) = &mut self.room else { return Ok(None) };
        if members[at].stale {
            members[at].stale = !piece.ends_message();
            return Ok(None);
        }
        let payload = &self.buffer[piece.payload.clone()];
        self.tally.received(payload.len() as u64, now);
        let partial = &mut members[at].partial;
        let whole = piece.ends_message() && partial.is_empty();
        if !whole {
            partial.extend_from_slice(payload);
        }
        if partial.len() > self.plan.sizes().most() * WRAPPED + WRAPPING_BYTES {
            let words = format!("a message is longer than {} bytes", partial.len());
            return Err(End::Wrong(Kind::Boundary, words));
        }
        if !piece.ends_message() {
            return Ok(None);
        }
        let collected = std::mem::take(partial);
        let message = if whole { payload } else { &collected };
        let delivery = room.deliver(at, message, !piece.text, &mut self.desk.errors);
        let Some(delivery) = delivery else { return Ok(None) };
        self.tally.answered(delivery.due, 1, now);
        Ok(delivery.complete.then_some(delivery.sender))
    }

    fn control(&mut self, at: usize, piece: &Piece, now: Duration) -> Result<(), End> {
        let Some((_, members)) = &mut self.room else { return Ok(()) };
        let control = &mut members[at].control;
        control.extend_from_slice(&self.buffer[piece.payload.clone()]);
        if !piece.ends {
            return Ok(());
        }
        let body = std::mem::take(control);
        match (piece.first.opcode, &mut self.clients[at]) {
            (Opcode::Ping, Some(client)) => {
                self.desk.pings += 1;
                let mut pong = Vec::new();
                let first = First { fin: true, compressed: false, opcode: Opcode::Pong };
                add_frame(&mut pong, first, &body, [7; 4]);
                client.queue_pong(&pong, now);
                Ok(())
            }
            (Opcode::Close, Some(client)) => client.goes_on(false, Some(close_in_words(&body))),
            _ => Ok(()),
        }
    }

    /// A member sends a message that is due now, or was. In an open loop it waits, as the time at
    /// which it was due, while the server takes nothing.
    pub(super) fn send_to_room(&mut self, at: usize, due: Duration) {
        let Some((room, members)) = &mut self.room else { return };
        if self.plan.rate.is_some() {
            if room.waiting < WAITING_MAX {
                members[at].due.push_back(due);
                room.waiting += 1;
            } else {
                room.lose(1, &mut self.desk.errors);
            }
        } else {
            let Some(client) = &mut self.clients[at] else { return };
            let now = self.net.now();
            let mut frame = Vec::new();
            let size = room.send(at, due, &mut frame);
            client.queue(&frame, now);
            self.tally.sent(1, size as u64, now);
        }
        self.flush_or_end(at, self.net.now());
    }

    /// Sends what waits for a member, as far as its socket takes it.
    pub(super) fn catch_up(&mut self, at: usize, now: Duration) -> Result<(), End> {
        let mut frame = Vec::new();
        while let (Some((room, members)), Some(client)) = (&mut self.room, &mut self.clients[at]) {
            if client.state() != State::Open || client.unsent() > UNSENT_BYTES_MAX {
                break;
            }
            let Some(due) = members[at].due.pop_front() else { break };
            room.waiting -= 1;
            frame.clear();
            let size = room.send(at, due, &mut frame);
            client.queue(&frame, now);
            self.tally.left(due, size as u64, now);
            client.flush(&self.desk, &mut self.tally, true, now)?;
        }
        Ok(())
    }

    /// Messages that have not come to all in time are given up, and those that could not be sent.
    pub(super) fn sweep_room(&mut self, now: Duration) {
        let Some((room, members)) = &mut self.room else { return };
        let limit = now.saturating_sub(self.plan.timeout);
        for member in members {
            let late = member.due.iter().take_while(|due| **due < limit).count();
            member.due.drain(..late);
            room.waiting -= late;
            room.lose(late as u64, &mut self.desk.errors);
        }
        for sender in room.give_up(limit, &mut self.desk.errors) {
            if self.sending && self.plan.rate.is_none() {
                self.send_to_room(sender, now);
            }
        }
    }
}
