//! A member of a room: collects whole messages and hands them to the service.

use crate::budget::Charge;
use crate::conn::Context;
use crate::id::ConnId;
use crate::limits::MEMBER_BYTES;
use crate::service::Kind;
use crate::ws::Fault;
use crate::ws::decoder::{Bounds, Piece};
use crate::ws::head::Opcode;

/// A connection's membership of a room.
#[derive(Debug)]
pub struct Member {
    id: ConnId,
    /// Which service, by its place in [`Context::services`].
    service: usize,
    room: Box<str>,
    /// What was asked for behind the room's name; empty once it has begun.
    query: Box<str>,
    begun: bool,
    kind: Kind,
    /// What has arrived of the current message.
    message: Vec<u8>,
    charge: Charge,
}

impl Member {
    /// A membership that begins with [`Self::begin`].
    ///
    /// # Errors
    /// `None` if there is no room for it.
    pub fn new(id: ConnId, service: usize, room: &str, query: &str, cx: &Context) -> Option<Self> {
        let charge = cx.budget.try_keep(MEMBER_BYTES + room.len() + query.len())?;
        let (kind, message) = (Kind::Text, Vec::new());
        let (room, query) = (room.into(), query.into());
        Some(Self { id, service, room, query, begun: false, kind, message, charge })
    }

    pub(in crate::conn) fn bounds(&self, cx: &Context) -> Bounds {
        let most = cx.services[self.service].message_bytes_max();
        Bounds { message_bytes: most.min(cx.bounds.message_bytes), ..cx.bounds }
    }

    pub(super) fn is_new(&self) -> bool {
        !self.begun
    }

    pub(super) fn charged(&self) -> usize {
        self.charge.bytes()
    }

    pub(super) fn begin(&mut self, cx: &mut Context) {
        self.begun = true;
        let now = cx.clocks();
        let query = std::mem::take(&mut self.query);
        cx.services[self.service].open(self.id, &self.room, &query, now, &mut cx.effects);
        self.charge.set(self.charge.bytes() - query.len());
    }

    pub(super) fn end(&mut self, cx: &mut Context) {
        if self.begun {
            let now = cx.clocks();
            cx.services[self.service].close(self.id, now, &mut cx.effects);
        }
    }

    /// Takes a piece of a message; hands the message over when it is whole.
    pub(in crate::conn) fn data(
        &mut self,
        piece: &Piece,
        plain: &[u8],
        cx: &mut Context,
    ) -> Result<(), Fault> {
        match piece.first.opcode {
            Opcode::Text => self.kind = Kind::Text,
            Opcode::Binary => self.kind = Kind::Binary,
            _ => {}
        }
        let now = cx.clocks();
        if piece.ends_message() && self.message.is_empty() {
            let service = &mut cx.services[self.service];
            service.message(self.id, self.kind, plain, now, &mut cx.effects);
            return Ok(());
        }
        if !self.charge.try_set(MEMBER_BYTES + self.room.len() + self.message.len() + plain.len()) {
            return Err(Fault::NoRoom);
        }
        self.message.reserve_exact(plain.len());
        self.message.extend_from_slice(plain);
        if piece.ends_message() {
            let message = std::mem::take(&mut self.message);
            let service = &mut cx.services[self.service];
            service.message(self.id, self.kind, &message, now, &mut cx.effects);
            self.charge.set(MEMBER_BYTES + self.room.len());
        }
        Ok(())
    }
}
