//! A party in a service: it collects whole messages and hands them over.

use crate::conn::Context;
use crate::id::ConnId;
use crate::service::Kind;
use crate::ws::decoder::Piece;
use crate::ws::head::Opcode;

/// A connection's seat in a service.
#[derive(Debug)]
pub struct Member {
    id: ConnId,
    /// Which service, by its place in [`Context::services`].
    service: usize,
    room: Box<str>,
    kind: Kind,
    /// What has arrived of the current message.
    message: Vec<u8>,
}

impl Member {
    /// A seat that is taken with [`Self::open`].
    pub fn new(id: ConnId, service: usize, room: &str) -> Self {
        Self { id, service, room: room.into(), kind: Kind::Text, message: Vec::new() }
    }

    pub(super) fn message_bytes_max(&self, cx: &Context) -> u64 {
        cx.services[self.service].message_bytes_max()
    }

    pub(super) fn kept(&self) -> usize {
        self.message.len()
    }

    pub(super) fn open(&mut self, cx: &mut Context) {
        let now = cx.clocks();
        cx.services[self.service].open(self.id, &self.room, now, &mut cx.effects);
    }

    pub(super) fn close(&mut self, cx: &mut Context) {
        let now = cx.clocks();
        cx.services[self.service].close(self.id, now, &mut cx.effects);
    }

    /// Takes a piece of a message; hands the message over when it is whole.
    pub(super) fn data(&mut self, piece: &Piece, plain: &[u8], cx: &mut Context) {
        match piece.first.opcode {
            Opcode::Text => self.kind = Kind::Text,
            Opcode::Binary => self.kind = Kind::Binary,
            _ => {}
        }
        if !piece.ends_message() {
            self.message.extend_from_slice(plain);
            return;
        }
        let now = cx.clocks();
        let service = &mut cx.services[self.service];
        if self.message.is_empty() {
            service.message(self.id, self.kind, plain, now, &mut cx.effects);
        } else {
            self.message.extend_from_slice(plain);
            let message = std::mem::take(&mut self.message);
            service.message(self.id, self.kind, &message, now, &mut cx.effects);
        }
    }
}
