//! The members of a room: what comes to them, and what they send.

use std::ops::Range;
use std::time::Duration;

use super::super::dice::Dice;
use super::super::errors::Kind;
use super::super::plan::{Plan, Shape};
use super::super::room::Room;
use super::super::script::add_frame;
use super::super::state::End;
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

/// The receiving side of a member.
#[derive(Debug)]
pub(super) struct Member {
    incoming: Incoming,
    /// A message that has not come whole.
    partial: Vec<u8>,
    /// A control frame that has not.
    control: Vec<u8>,
}

/// The room of a plan, if it has one.
pub(super) fn room(plan: &Plan) -> Option<(Room, Vec<Member>)> {
    let Shape::Broadcast(audience) = plan.shape else { return None };
    let sizes = plan.sizes().draw(SIZES, &mut Dice::new(plan.seed));
    let binary = !plan.content.is_text();
    let room = Room::new(plan.connections, audience, binary, plan.verify, sizes, plan.seed);
    let member =
        || Member { incoming: Incoming::new(false), partial: Vec::new(), control: Vec::new() };
    Some((room, (0..plan.connections).map(|_| member()).collect()))
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

    /// A member sends a message that is due now, or was.
    pub(super) fn send_to_room(&mut self, at: usize, due: Duration) {
        let now = self.net.now();
        let Some((room, _)) = &mut self.room else { return };
        let Some(client) = &mut self.clients[at] else { return };
        let mut frame = Vec::new();
        let size = room.send(at, due, &mut frame);
        client.queue(&frame, now);
        if self.plan.rate.is_some() {
            self.tally.left(due, size as u64, now);
        } else {
            self.tally.sent(1, size as u64, now);
        }
        self.flush_or_end(at, now);
    }

    /// Messages that have not come to all in time are given up.
    pub(super) fn sweep_room(&mut self, now: Duration) {
        let Some((room, _)) = &mut self.room else { return };
        let limit = now.saturating_sub(self.plan.timeout);
        for sender in room.give_up(limit, &mut self.desk.errors) {
            if self.sending && self.plan.rate.is_none() {
                self.send_to_room(sender, now);
            }
        }
    }
}
