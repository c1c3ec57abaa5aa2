//! Messages that a server hands on to all members of a room: who sent what, and who has got it.
//!
//! Each message begins with a stamp that names its sender and its number there, so that no member
//! has to be known to the server by a name. What is behind the stamp comes from a pattern, at a
//! place that sender and number give, so that every byte is verified without a copy of it. Without
//! verification the stamp is looked for anywhere in the message, which is what a server needs that
//! wraps messages into something of its own. With a template it is found anywhere too, but what is
//! behind it is verified; a message without a stamp is then a notice of the room.

use std::collections::VecDeque;
use std::time::Duration;

use super::dice::Dice;
use super::errors::{Errors, Kind};
use super::plan::Audience;
use super::report::Broadcast;
use super::script::add_frame;
use super::template::Template;
use super::unexpected::quoted;
use crate::ws::head::{First, Opcode};

/// What a stamp begins with.
const MARK: &[u8] = b"wsecho:";

/// Length of a stamp: the mark, and two numbers of eight hexadecimal digits with a colon each.
pub const STAMP_BYTES: usize = 7 + 9 + 9;

/// Most members: for each pair of them a few bytes are kept.
pub const MEMBERS_MAX: usize = 4096;

/// Length of the pattern, a prime, so that messages rarely start at one place.
const PATTERN_BYTES: usize = 8191;

/// A message that not all have got.
struct Underway {
    due: Duration,
    /// Members that have not got it.
    missing: u32,
}

/// What one member has got of one sender.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// The number that is expected next.
    next: u32,
    /// How many before it have not come.
    gaps: u32,
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Who sent it.
    pub sender: usize,
    /// When it was due, or sent.
    pub due: Duration,
    /// All have got it now.
    pub complete: bool,
}

/// The members of a room and what is under way between them.
pub struct Room {
    audience: Audience,
    members: usize,
    binary: bool,
    verify: bool,
    /// What messages stand in.
    template: Option<Template>,
    pattern: Vec<u8>,
    sizes: Vec<usize>,
    dice: Dice,
    /// For each sender the number of its oldest message under way, and those from there on.
    underway: Vec<(u32, VecDeque<Underway>)>,
    /// `member * members + sender`.
    seen: Vec<Seen>,
    /// Messages that are due and could not be sent yet.
    pub waiting: usize,
    /// What became of deliveries.
    pub figures: Broadcast,
}

impl Room {
    /// A room of `members`, in which messages have these sizes in turn, those of a template apart.
    pub fn new(
        members: usize,
        audience: Audience,
        binary: bool,
        verify: bool,
        template: Option<Template>,
        sizes: Vec<usize>,
        seed: u64,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let pattern = (0..PATTERN_BYTES).map(|_| b'a' + dice.below(26) as u8).collect();
        Self {
            audience,
            members,
            binary,
            verify,
            template,
            pattern,
            sizes,
            dice,
            underway: (0..members).map(|_| (0, VecDeque::new())).collect(),
            seen: vec![Seen::default(); members * members],
            waiting: 0,
            figures: Broadcast { members: members as u64, ..Broadcast::default() },
        }
    }

    /// Members that each message is for.
    pub fn audience(&self) -> u32 {
        match self.audience {
            Audience::All => self.members as u32,
            Audience::Others => self.members as u32 - 1,
        }
    }

    /// A new message of `sender`, as a frame; returns the bytes of its payload.
    pub fn send(&mut self, sender: usize, due: Duration, out: &mut Vec<u8>) -> usize {
        let missing = self.audience();
        let (oldest, underway) = &mut self.underway[sender];
        let number = *oldest + underway.len() as u32;
        underway.push_back(Underway { due, missing });
        let mut payload = self.payload(sender, number);
        if let Some(template) = &self.template {
            payload = template.around(&payload);
        }
        let opcode = if self.binary { Opcode::Binary } else { Opcode::Text };
        let first = First { fin: true, compressed: false, opcode };
        add_frame(out, first, &payload, self.dice.key());
        self.figures.expected += u64::from(missing);
        payload.len()
    }

    /// Length of a message.
    fn length(&self, number: u32) -> usize {
        self.sizes[number as usize % self.sizes.len()].max(STAMP_BYTES)
    }

    fn payload(&self, sender: usize, number: u32) -> Vec<u8> {
        let mut payload = format!("wsecho:{sender:08x}:{number:08x}:").into_bytes();
        let from = (sender * 131 + number as usize * 17) % PATTERN_BYTES;
        let body = self.pattern.iter().cycle().skip(from);
        payload.extend(body.take(self.length(number) - STAMP_BYTES));
        payload
    }

    /// A message came to `member`. `None` if it is not one that it should have got now: that is an
    /// error, or a notice.
    pub fn deliver(
        &mut self,
        member: usize,
        payload: &[u8],
        binary: bool,
        errors: &mut Errors,
    ) -> Option<Delivery> {
        let from = match (&self.template, self.verify) {
            (None, true) => Some(0),
            (None, false) => Some(mark_within(payload).unwrap_or(0)),
            (Some(_), _) => mark_within(payload),
        };
        let payload = &payload[from?..];
        let known = stamp(payload).filter(|(sender, number)| self.is_sent(*sender, *number));
        let Some((sender, number)) = known else {
            errors.add(Kind::Unsolicited, || format!("{} was not sent", quoted(payload)));
            return None;
        };
        if self.verify {
            // What a template, or the server, puts behind a message is not a part of it.
            let end = if self.template.is_some() { self.length(number) } else { payload.len() };
            let message = &payload[..end.min(payload.len())];
            self.compare(sender, number, message, binary, errors);
        }
        if !self.is_due(member, sender, number, errors) {
            return None;
        }
        self.figures.delivered += 1;
        let (oldest, underway) = &mut self.underway[sender];
        let message = underway.get_mut(number.checked_sub(*oldest)? as usize)?;
        message.missing = message.missing.saturating_sub(1);
        let (due, complete) = (message.due, message.missing == 0);
        while underway.front().is_some_and(|message| message.missing == 0) {
            underway.pop_front();
            *oldest += 1;
        }
        Some(Delivery { sender, due, complete })
    }

    fn is_sent(&self, sender: usize, number: u32) -> bool {
        let sent = self.underway.get(sender);
        sent.is_some_and(|(oldest, underway)| number < *oldest + underway.len() as u32)
    }

    fn compare(
        &self,
        sender: usize,
        number: u32,
        payload: &[u8],
        binary: bool,
        errors: &mut Errors,
    ) {
        let (came, sent) = (payload.len(), self.length(number));
        if came != sent {
            errors.add(Kind::Boundary, || format!("{came} bytes instead of {sent}"));
        } else if payload != self.payload(sender, number) {
            errors.add(Kind::Payload, || format!("{} is damaged", quoted(payload)));
        } else if binary != self.binary {
            let came = if binary { "binary for text" } else { "text for binary" };
            errors.add(Kind::Type, || format!("{} bytes came as {came}", payload.len()));
        }
    }

    /// Whether this member should have got this message now, by the order of its sender.
    fn is_due(&mut self, member: usize, sender: usize, number: u32, errors: &mut Errors) -> bool {
        if member == sender && self.audience == Audience::Others {
            errors.add(Kind::Unsolicited, || "a sender got its own message".to_owned());
            return false;
        }
        let seen = &mut self.seen[member * self.members + sender];
        if number >= seen.next {
            seen.gaps += number - seen.next;
            seen.next = number + 1;
            return true;
        }
        if seen.gaps > 0 {
            seen.gaps -= 1;
            self.figures.reordered += 1;
            errors.add(Kind::Order, || "a message came after one that was sent later".to_owned());
            return true;
        }
        self.figures.repeated += 1;
        let words = || format!("message {number} of connection {sender} came again");
        errors.add(Kind::Duplicate, words);
        false
    }

    /// Gives up messages that were due before `limit`; returns their senders.
    pub fn give_up(&mut self, limit: Duration, errors: &mut Errors) -> Vec<usize> {
        let mut senders = Vec::new();
        let mut lost = 0;
        for (sender, (oldest, underway)) in self.underway.iter_mut().enumerate() {
            while underway.front().is_some_and(|message| message.due < limit) {
                lost += underway.pop_front().map_or(0, |message| u64::from(message.missing));
                *oldest += 1;
                senders.push(sender);
            }
        }
        self.figures.lost += lost;
        errors.add_many(Kind::Lost, lost, || format!("{lost} deliveries did not come"));
        senders
    }

    /// Messages that were due and could not be sent are given up.
    pub fn lose(&mut self, messages: u64, errors: &mut Errors) {
        let lost = messages * u64::from(self.audience());
        self.figures.expected += lost;
        self.figures.lost += lost;
        errors.add_many(Kind::Lost, lost, || "a message could not be sent in time".to_owned());
    }

    /// True if all have got everything.
    pub fn is_at_rest(&self) -> bool {
        self.waiting == 0 && self.underway.iter().all(|(_, underway)| underway.is_empty())
    }
}

/// Sender and number of a message that begins with its stamp.
fn stamp(payload: &[u8]) -> Option<(usize, u32)> {
    let stamp = std::str::from_utf8(payload.strip_prefix(MARK)?.get(..STAMP_BYTES - 7)?).ok()?;
    let (sender, number) = stamp.strip_suffix(':')?.split_once(':')?;
    let sender = usize::from_str_radix(sender, 16).ok()?;
    Some((sender, u32::from_str_radix(number, 16).ok()?))
}

/// Where a stamp begins.
fn mark_within(payload: &[u8]) -> Option<usize> {
    payload.windows(MARK.len()).position(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::incoming::Incoming;

    const DUE: Duration = Duration::from_secs(1);

    fn room(audience: Audience) -> Room {
        Room::new(3, audience, false, true, None, vec![40], 1)
    }

    /// Sends a message, and returns what a member gets.
    fn sent(room: &mut Room, sender: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let size = room.send(sender, DUE, &mut out);
        let mut plain = out.split_off(out.len() - size);
        let key = out.split_off(out.len() - 4);
        plain.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        assert!(Incoming::new(false).step(&out, 0).is_err(), "clients mask");
        plain
    }

    fn kinds(errors: &Errors) -> Vec<Kind> {
        errors.kinds().map(|(kind, ..)| kind).collect()
    }

    #[test]
    fn a_message_is_complete_when_all_have_got_it() {
        for (audience, members) in [(Audience::All, &[0, 1, 2][..]), (Audience::Others, &[0, 2])] {
            let (mut room, mut errors) = (room(audience), Errors::default());
            let message = sent(&mut room, 1);
            assert_eq!(message.len(), 40);
            for (nth, member) in members.iter().enumerate() {
                let complete = nth + 1 == members.len();
                let expected = Delivery { sender: 1, due: DUE, complete };
                let delivery = room.deliver(*member, &message, false, &mut errors);
                assert_eq!(delivery, Some(expected));
            }
            assert!(room.is_at_rest() && errors.total() == 0);
            assert_eq!(room.figures.delivered, members.len() as u64);
            assert_eq!(room.figures.delivered, room.figures.expected);
        }
    }

    #[test]
    fn each_fault_is_told_apart() {
        let mut room = room(Audience::Others);
        let (first, second) = (sent(&mut room, 0), sent(&mut room, 0));
        let mut deliver = |member, payload: &[u8], binary| {
            let mut errors = Errors::default();
            let came = room.deliver(member, payload, binary, &mut errors).is_some();
            (came, kinds(&errors))
        };
        assert_eq!(deliver(1, &second, false), (true, vec![]), "a gap is no fault yet");
        assert_eq!(deliver(1, &first, false), (true, vec![Kind::Order]));
        assert_eq!(deliver(1, &first, false), (false, vec![Kind::Duplicate]));
        assert_eq!(deliver(0, &first, false), (false, vec![Kind::Unsolicited]), "its own");
        assert_eq!(deliver(1, b"hello", false), (false, vec![Kind::Unsolicited]));
        let mut flipped = first.clone();
        flipped[39] ^= 1;
        assert_eq!(deliver(2, &flipped, false), (true, vec![Kind::Payload]));
        assert_eq!(deliver(2, &second, true), (true, vec![Kind::Type]));
        let third = sent(&mut room, 0);
        let mut errors = Errors::default();
        assert!(room.deliver(1, &third[..39], false, &mut errors).is_some());
        assert_eq!(kinds(&errors), [Kind::Boundary]);
        assert!(room.give_up(DUE, &mut errors).is_empty(), "not yet");
        assert_eq!(room.give_up(DUE * 2, &mut errors), [0]);
        assert_eq!((errors.of(Kind::Lost), room.figures.lost), (1, 1));
        assert_eq!((room.figures.reordered, room.figures.repeated), (1, 1));
    }

    #[test]
    fn wrapped_messages_are_found_without_verification() {
        let mut room = Room::new(2, Audience::Others, false, false, None, vec![25], 1);
        let wrapped = [b"{\"text\":\"", &sent(&mut room, 0)[..], b"\"}"].concat();
        let mut errors = Errors::default();
        assert!(room.deliver(1, &wrapped, false, &mut errors).is_some_and(|d| d.complete));
        assert_eq!(errors.total(), 0);
    }
    #[test]
    fn messages_in_a_template_are_verified_and_notices_pass() {
        let template = Template::parse(r#"{"message":"{message}"}"#).expect("a template");
        let mut room = Room::new(2, Audience::All, false, true, Some(template), vec![30], 1);
        let message = sent(&mut room, 0);
        assert!(message.starts_with(br#"{"message":"wsecho:00000000:"#), "{message:?}");
        assert_eq!(message.len(), 30 + 14);
        let answer = [br#"{"from":"ann","#, &message[1..]].concat();
        let mut deliver = |payload: &[u8]| {
            let mut errors = Errors::default();
            let came = room.deliver(1, payload, false, &mut errors).is_some();
            (came, kinds(&errors))
        };
        assert_eq!(deliver(br#"{"type":"system","message":"Welcome!"}"#), (false, vec![]));
        assert_eq!(deliver(&answer), (true, vec![]));
        assert_eq!(deliver(&answer), (false, vec![Kind::Duplicate]));
        let mut damaged = message.clone();
        damaged[40] ^= 1;
        assert_eq!(deliver(&damaged).1, [Kind::Payload, Kind::Duplicate]);
        assert_eq!(deliver(&message[..40]).1, [Kind::Boundary, Kind::Duplicate]);
        assert_eq!(deliver(b"wsecho:00000009:00000000:").1, [Kind::Unsolicited]);
    }
}
