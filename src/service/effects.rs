//! What services want done: to connections, and by other processes.

use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "bus")]
use super::outbox::Outbox;
use super::outbox::{Postbox, Reach};
use super::processes::{ProcessId, Word};
use super::{Kind, SharedFrame};
use crate::budget::Budget;
#[cfg(feature = "bus")]
use crate::budget::Charge;
use crate::id::ConnId;
use crate::limits::{TURN_DELIVERIES_MAX, TURN_EFFECT_BYTES_MAX, TURN_EFFECTS_MAX};
use crate::ws::close::CloseCode;
use crate::ws::head::{First, Opcode, write_server_head};

/// What a service wants done, in this order.
#[derive(Debug, Default)]
pub struct Effects {
    queue: Vec<Effect>,
    /// Length of the frames in `queue`, each counted once.
    bytes: usize,
    /// How many times effects were taken in this turn.
    taken: usize,
    /// How many effects a connection may cause in its turn, and where that ends for this one.
    share: usize,
    share_end: usize,
    budget: Budget,
    /// When services are to be called again.
    due: Option<Duration>,
    /// What other processes are to be told, if there are any.
    postbox: Postbox,
}

/// One thing to do to one connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a frame, which all its recipients share.
    Send(ConnId, Rc<SharedFrame>),
    /// Start the closing handshake behind what was sent.
    Close(ConnId, CloseCode, &'static str),
    /// Look for messages in the mailbox.
    Wake(ConnId),
}

impl Effects {
    /// Nothing to do; frames will be charged to `budget`.
    pub fn new(budget: Budget) -> Self {
        Self { share: TURN_EFFECTS_MAX, budget, ..Self::default() }
    }

    /// Sends one message to everybody in `to`: encoded once, shared by all.
    pub fn send(&mut self, to: impl IntoIterator<Item = ConnId>, kind: Kind, payload: &[u8]) {
        let mut to = to.into_iter().peekable();
        if to.peek().is_some() {
            let frame = self.frame(kind, payload);
            self.send_frame(to, &frame);
        }
    }

    /// A message to be sent with [`Self::send_frame`], and maybe kept.
    pub fn frame(&mut self, kind: Kind, payload: &[u8]) -> Rc<SharedFrame> {
        let frame = encode(kind, payload, &self.budget);
        self.bytes += frame.len();
        frame
    }

    /// Sends a frame to everybody in `to`.
    pub fn send_frame(&mut self, to: impl IntoIterator<Item = ConnId>, frame: &Rc<SharedFrame>) {
        self.queue.extend(to.into_iter().map(|id| Effect::Send(id, Rc::clone(frame))));
    }

    /// Ends a connection with a Close.
    pub fn close(&mut self, id: ConnId, code: CloseCode, reason: &'static str) {
        self.queue.push(Effect::Close(id, code, reason));
    }

    /// From here on other processes are told things.
    #[cfg(feature = "bus")]
    pub fn connect(&mut self, outbox: Outbox) {
        self.postbox = Postbox::with(outbox);
    }

    /// What other processes are to be told.
    #[cfg(feature = "bus")]
    pub fn outbox(&mut self) -> Option<&mut Outbox> {
        self.postbox.outbox()
    }

    /// How far a room reaches now.
    pub fn reach(&self) -> Reach {
        self.postbox.reach()
    }

    /// Who this process is for the others, if there are any.
    pub fn own_process(&self) -> Option<ProcessId> {
        self.postbox.own()
    }

    /// Tells the other processes something in a room of `service`.
    pub fn publish(&mut self, service: &'static str, room: &Rc<str>, word: &Word<'_>) {
        self.postbox.add(service, room, Some(word));
    }

    /// Nobody is left in a room of `service` here.
    pub fn vacate(&mut self, service: &'static str, room: &Rc<str>) {
        self.postbox.add(service, room, None);
    }

    /// A charge for something that a service keeps of a member elsewhere, if there is room.
    #[cfg(feature = "bus")]
    pub fn try_guest(&self, bytes: usize) -> Option<Charge> {
        self.budget.try_guest(bytes)
    }

    /// Has a connection look into its mailbox.
    pub fn wake(&mut self, id: ConnId) {
        self.queue.push(Effect::Wake(id));
    }

    /// Asks for a call of [`super::Service::end_of_turn`] in the first turn that ends at `at` or
    /// later, in monotonic time. The earliest such wish counts, for all services.
    pub fn call_at(&mut self, at: Duration) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// When the next call is due.
    pub fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Whether a call is due by `now`; it is then no longer asked for.
    pub fn take_due(&mut self, now: Duration) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// A turn of the loop begins, in which each connection may cause `most` effects, or what its
    /// message has at the least.
    pub fn set_share(&mut self, most: usize) {
        self.share = most.max(1);
    }

    /// A connection's turn begins.
    #[inline]
    pub fn begin_share(&mut self) {
        self.share_end = self.queue.len() + self.share;
    }

    /// True when the connection whose turn it is has had its share of effects.
    pub fn share_is_used_up(&self) -> bool {
        self.queue.len() >= self.share_end || self.is_full()
    }

    /// A turn of the loop ends.
    #[inline]
    pub fn end_turn(&mut self) {
        self.taken = 0;
    }

    /// True when there has been so much to do that no more should be caused in this turn.
    pub fn turn_is_used_up(&self) -> bool {
        self.taken >= TURN_DELIVERIES_MAX || self.postbox.is_full()
    }

    /// True when what there is to do should be done before there is more.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= TURN_EFFECTS_MAX || self.bytes >= TURN_EFFECT_BYTES_MAX
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes all of it out, in order.
    pub fn take(&mut self) -> Vec<Effect> {
        self.bytes = 0;
        self.taken += 1;
        std::mem::take(&mut self.queue)
    }

    /// Gives the emptied memory of what [`Self::take`] took back.
    pub fn give_back(&mut self, emptied: Vec<Effect>) {
        if self.queue.is_empty() {
            self.queue = emptied;
        }
    }
}

fn encode(kind: Kind, payload: &[u8], budget: &Budget) -> Rc<SharedFrame> {
    let opcode = match kind {
        Kind::Text => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    };
    let mut frame = vec![0; 10];
    let first = First { fin: true, compressed: false, opcode };
    let head_bytes = write_server_head(&mut frame, first, payload.len() as u64);
    frame.truncate(head_bytes);
    frame.extend_from_slice(payload);
    Rc::new(SharedFrame::new(frame, budget))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_encoded_once_for_all() {
        let mut effects = Effects::default();
        let ids = [ConnId::new(1, 0), ConnId::new(2, 0)];
        effects.send(ids, Kind::Text, b"hi");
        let queue: Vec<_> = effects.take();
        let [Effect::Send(first, one), Effect::Send(second, two)] = &queue[..] else {
            panic!("{queue:?}");
        };
        assert_eq!([*first, *second], ids);
        assert!(Rc::ptr_eq(one, two));
        assert_eq!(one[..], *b"\x81\x02hi");
        effects.send([], Kind::Binary, b"nobody");
        assert!(effects.is_empty());
    }

    #[test]
    fn the_earliest_wish_to_be_called_counts_and_counts_once() {
        let [early, late] = [1, 2].map(Duration::from_secs);
        let mut effects = Effects::default();
        effects.call_at(late);
        effects.call_at(early);
        effects.call_at(late);
        assert_eq!(effects.due(), Some(early));
        assert!(!effects.take_due(Duration::ZERO) && effects.take_due(early));
        assert!(!effects.take_due(late));
    }
}
