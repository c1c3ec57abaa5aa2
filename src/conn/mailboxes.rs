//! What was sent with requests, until it is read: a mailbox for each stream of events, and for each
//! client that polls.
//!
//! The name of a mailbox is a private URL: whoever knows it may read and write there. Names are the
//! SHA-1 of a secret and a count, so that none says anything of another.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use sha1_smol::Sha1;

use crate::budget::{Budget, Charge};
use crate::http::{Content, Kind, MailboxName, Refusal};
use crate::id::ConnId;
use crate::limits::{
    MAIL_BYTES, MAILBOX_BYTES, MAILBOX_BYTES_MAX, MAILBOX_TIME_MAX, MAILBOXES_MAX,
};

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Text is valid UTF-8.
    pub content: Content,
    /// The message.
    pub bytes: Vec<u8>,
}

/// All mailboxes.
#[derive(Debug)]
pub struct Mailboxes {
    boxes: HashMap<MailboxName, Mailbox>,
    secret: [u64; 4],
    /// What the names of this worker's mailboxes end with, so that others know whose they are.
    mark: Option<u8>,
    /// Names given out.
    count: u64,
    budget: Budget,
}

#[derive(Debug)]
struct Mailbox {
    kind: Kind,
    mails: VecDeque<Mail>,
    /// Bytes of memory of `mails`.
    bytes: usize,
    charge: Charge,
    /// Who is told of the next message.
    reader: Option<ConnId>,
    /// When a poll was last here, or the mailbox was made.
    since: Duration,
}

impl Mailbox {
    /// A stream's mailbox goes with its connection, another one when nobody has polled for long.
    fn ends(&self) -> Option<Duration> {
        let polled = self.kind == Kind::Polls && self.reader.is_none();
        polled.then(|| self.since + MAILBOX_TIME_MAX)
    }
}

impl Mailboxes {
    /// None yet; their memory is charged to `budget`. Without a secret their names can be known.
    pub fn new(budget: Budget) -> Self {
        Self { boxes: HashMap::new(), secret: [0; 4], mark: None, count: 0, budget }
    }

    /// The same, of the worker with this number, if there are several.
    #[must_use]
    pub fn of_worker(self, number: Option<u32>) -> Self {
        // There are no more than 256.
        Self { mark: number.map(|number| number.to_le_bytes()[0]), ..self }
    }

    /// From now on names are made of `secret`.
    pub fn set_secret(&mut self, secret: [u64; 4]) {
        self.secret = secret;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// Bytes charged for all of them.
    pub fn charged(&self) -> usize {
        self.boxes.values().map(|mailbox| mailbox.charge.bytes()).sum()
    }

    /// Makes a mailbox; `None` if there is no room for one more. Where there are too many, the one
    /// that nobody has polled for longest goes: whoever asks for thousands has only its own ones.
    pub fn open(
        &mut self,
        kind: Kind,
        reader: Option<ConnId>,
        now: Duration,
    ) -> Option<MailboxName> {
        if self.boxes.len() >= self.most() && !self.give_up_oldest() {
            return None;
        }
        let charge = self.budget.try_keep(MAILBOX_BYTES)?;
        let name = self.next_name();
        let mails = VecDeque::new();
        self.boxes.insert(name, Mailbox { kind, mails, bytes: 0, charge, reader, since: now });
        Some(name)
    }

    /// Most mailboxes: empty ones leave the most of what may be kept to those who say something.
    fn most(&self) -> usize {
        MAILBOXES_MAX.min(self.budget.limit() / 16 / MAILBOX_BYTES)
    }

    /// Drops the one that has been left alone for longest. False if all have a reader.
    #[cold]
    fn give_up_oldest(&mut self) -> bool {
        let left = self.boxes.iter().filter_map(|(name, one)| Some((one.ends()?, name.0)));
        let oldest = left.min().map(|(_, name)| MailboxName(name));
        oldest.is_some_and(|name| self.boxes.remove(&name).is_some())
    }

    /// The mailbox that a private URL of this kind names.
    ///
    /// # Errors
    /// There is none, or it is not here.
    pub fn find(&self, kind: Kind, name: &str) -> Result<MailboxName, Refusal> {
        let name = MailboxName::parse(name).ok_or(Refusal::Mailbox)?;
        let found = self.boxes.get(&name).is_some_and(|mailbox| mailbox.kind == kind);
        let elsewhere = self.mark.is_some_and(|mark| name.0.to_le_bytes()[0] != mark);
        let refusal = if elsewhere { Refusal::Elsewhere } else { Refusal::Mailbox };
        found.then_some(name).ok_or(refusal)
    }

    /// Whether a message of `length` bytes may be added.
    ///
    /// # Errors
    /// The mailbox has gone, or is full.
    pub fn may_take(&self, name: MailboxName, length: usize) -> Result<(), Refusal> {
        let mailbox = self.boxes.get(&name).ok_or(Refusal::Mailbox)?;
        let bytes = mailbox.bytes + MAIL_BYTES + length;
        if bytes <= MAILBOX_BYTES_MAX { Ok(()) } else { Err(Refusal::MailboxFull) }
    }

    /// Adds a message. Returns who has to be told.
    ///
    /// # Errors
    /// The mailbox has gone, or is full, or memory is short.
    pub fn add(&mut self, name: MailboxName, mail: Mail) -> Result<Option<ConnId>, Refusal> {
        self.may_take(name, mail.bytes.len())?;
        let mailbox = self.boxes.get_mut(&name).ok_or(Refusal::Mailbox)?;
        let bytes = mailbox.bytes + MAIL_BYTES + mail.bytes.len();
        if !mailbox.charge.try_set(MAILBOX_BYTES + bytes) {
            return Err(Refusal::Busy);
        }
        mailbox.bytes = bytes;
        mailbox.mails.push_back(mail);
        Ok(mailbox.reader)
    }

    /// Takes the oldest message for `reader`.
    ///
    /// # Errors
    /// Somebody else reads here now, or the mailbox has gone.
    pub fn take(&mut self, name: MailboxName, reader: ConnId) -> Result<Option<Mail>, Refusal> {
        let mailbox = self.boxes.get_mut(&name).ok_or(Refusal::Mailbox)?;
        if mailbox.reader != Some(reader) {
            return Err(Refusal::Replaced);
        }
        let Some(mail) = mailbox.mails.pop_front() else { return Ok(None) };
        mailbox.bytes -= MAIL_BYTES + mail.bytes.len();
        if mailbox.mails.is_empty() {
            mailbox.mails = VecDeque::new();
        }
        mailbox.charge.set(MAILBOX_BYTES + mailbox.bytes);
        Ok(Some(mail))
    }

    /// True if a message waits.
    pub fn has_mail(&self, name: MailboxName) -> bool {
        self.boxes.get(&name).is_some_and(|mailbox| !mailbox.mails.is_empty())
    }

    /// From now on `reader` is told. Returns who was before.
    pub fn read_by(&mut self, name: MailboxName, reader: ConnId) -> Option<ConnId> {
        self.boxes.get_mut(&name)?.reader.replace(reader)
    }

    /// `reader` reads no more. Returns when the mailbox will end, if nobody else comes.
    pub fn leave(&mut self, name: MailboxName, reader: ConnId, now: Duration) -> Option<Duration> {
        let mailbox = self.boxes.get_mut(&name)?;
        mailbox.reader.take_if(|known| *known == reader)?;
        mailbox.since = now;
        mailbox.ends()
    }

    /// A mailbox goes, with what is in it.
    pub fn close(&mut self, name: MailboxName) {
        self.boxes.remove(&name);
    }

    /// All go.
    pub fn close_all(&mut self) {
        self.boxes.clear();
    }

    /// Drops those that nobody has polled for too long. Returns when there will be more.
    pub fn expire(&mut self, now: Duration) -> Option<Duration> {
        self.boxes.retain(|_, mailbox| mailbox.ends().is_none_or(|at| at > now));
        self.boxes.values().filter_map(Mailbox::ends).min()
    }

    /// 128 of the 160 bits, or a few less.
    fn next_name(&mut self) -> MailboxName {
        self.count += 1;
        let mut hash = Sha1::new();
        for word in self.secret.into_iter().chain([self.count]) {
            hash.update(&word.to_le_bytes());
        }
        let mut name = 0;
        for byte in &hash.digest().bytes()[..16] {
            name = name << 8 | u128::from(*byte);
        }
        MailboxName(self.mark.map_or(name, |mark| name & !0xff | u128::from(mark)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(length: usize) -> Mail {
        Mail { content: Content::Bytes, bytes: vec![7; length] }
    }

    fn made(limit: usize) -> (Budget, Mailboxes) {
        let budget = Budget::new(limit);
        (budget.clone(), Mailboxes::new(budget))
    }

    #[test]
    fn names_differ_and_follow_from_the_secret() {
        let names = |secret: [u64; 4]| {
            let mut boxes = Mailboxes::new(Budget::default());
            boxes.set_secret(secret);
            [(); 100].map(|()| boxes.open(Kind::Polls, None, Duration::ZERO).expect("room"))
        };
        let some = names([1, 2, 3, 4]);
        for (at, name) in some.iter().enumerate() {
            assert!(!some[..at].contains(name));
        }
        let others = names([1, 2, 3, 5]);
        assert!(some.iter().all(|name| !others.contains(name)));
    }

    #[test]
    fn names_say_whose_they_are() {
        let of = |number| Mailboxes::new(Budget::default()).of_worker(number);
        let [mut first, mut last, mut alone] = [Some(1), Some(256), None].map(of);
        let open = |boxes: &mut Mailboxes| boxes.open(Kind::Polls, None, Duration::ZERO);
        let names = [&mut first, &mut last, &mut alone].map(|boxes| open(boxes).expect("room"));
        let find =
            |boxes: &Mailboxes, name: MailboxName| boxes.find(Kind::Polls, &name.to_string());
        assert_eq!([find(&first, names[0]), find(&last, names[1])], [Ok(names[0]), Ok(names[1])]);
        assert_eq!(find(&first, names[1]), Err(Refusal::Elsewhere));
        assert_eq!(find(&last, names[0]), Err(Refusal::Elsewhere));
        assert_eq!(find(&alone, names[0]), Err(Refusal::Mailbox), "there is nobody else");
        first.close(names[0]);
        assert_eq!(find(&first, names[0]), Err(Refusal::Mailbox), "it was here");
    }

    #[test]
    fn messages_come_out_as_they_went_in_and_are_charged_meanwhile() {
        let (budget, mut boxes) = made(8 << 20);
        let reader = ConnId::new(1, 0);
        let name = boxes.open(Kind::Events, Some(reader), Duration::ZERO).expect("room");
        assert_eq!(budget.kept(), MAILBOX_BYTES);
        for length in [1, 2, 3] {
            assert_eq!(boxes.add(name, mail(length)), Ok(Some(reader)));
        }
        assert_eq!(budget.kept(), MAILBOX_BYTES + 3 * MAIL_BYTES + 6);
        assert_eq!(boxes.charged(), budget.kept());
        for length in [1, 2, 3] {
            assert_eq!(boxes.take(name, reader), Ok(Some(mail(length))));
        }
        assert_eq!(boxes.take(name, reader), Ok(None));
        assert_eq!(budget.kept(), MAILBOX_BYTES);
        boxes.close(name);
        assert_eq!((budget.used(), boxes.take(name, reader)), (0, Err(Refusal::Mailbox)));
        assert_eq!(boxes.add(name, mail(1)), Err(Refusal::Mailbox));
    }

    #[test]
    fn a_full_mailbox_takes_no_more_until_it_is_read() {
        let (budget, mut boxes) = made(64 << 20);
        let reader = ConnId::new(1, 0);
        let name = boxes.open(Kind::Events, Some(reader), Duration::ZERO).expect("room");
        let most = MAILBOX_BYTES_MAX / (1024 + MAIL_BYTES);
        for _ in 0..most {
            boxes.add(name, mail(1024)).expect("room");
        }
        assert_eq!(boxes.add(name, mail(1024)), Err(Refusal::MailboxFull));
        assert!(budget.kept() <= MAILBOX_BYTES + MAILBOX_BYTES_MAX);
        boxes.take(name, reader).expect("the oldest");
        boxes.add(name, mail(1024)).expect("room again");
    }

    #[test]
    fn memory_that_is_short_is_no_room() {
        let (budget, mut boxes) = made(4 * (MAILBOX_BYTES + 2000));
        let name = boxes.open(Kind::Polls, None, Duration::ZERO).expect("room");
        assert_eq!(boxes.add(name, mail(2000)), Err(Refusal::Busy));
        boxes.close(name);
        let _others = budget.try_keep(2001).expect("room");
        assert_eq!(boxes.open(Kind::Polls, None, Duration::ZERO), None);
    }

    #[test]
    fn b18_there_are_not_too_many() {
        let (_, mut boxes) = made(1 << 30);
        let at = |seconds| Duration::from_secs(seconds);
        let stream = |count: usize| Some(ConnId::new(count, 0));
        let first = boxes.open(Kind::Polls, None, at(1)).expect("room");
        let read = boxes.open(Kind::Polls, None, at(0)).expect("room");
        boxes.read_by(read, ConnId::new(7, 7));
        for count in 2..MAILBOXES_MAX - 1 {
            boxes.open(Kind::Events, stream(count), at(0)).expect("room");
        }
        let last = boxes.open(Kind::Polls, None, at(2)).expect("room");
        let more = boxes.open(Kind::Polls, None, at(3)).expect("in the place of the oldest");
        assert_eq!(boxes.len(), MAILBOXES_MAX);
        let there = |boxes: &Mailboxes, name: MailboxName| {
            boxes.find(Kind::Polls, &name.to_string()).is_ok()
        };
        let found = [first, read, last, more].map(|name| there(&boxes, name));
        assert_eq!(found, [false, true, true, true], "who is read, and who came later, stay");
        assert!(boxes.open(Kind::Events, stream(1), at(3)).is_some());
        assert!(boxes.open(Kind::Events, stream(2), at(3)).is_some());
        assert_eq!(boxes.open(Kind::Polls, None, at(3)), None, "all are read");
        boxes.expire(MAILBOX_TIME_MAX + at(4));
        assert_eq!(boxes.len(), MAILBOXES_MAX);
    }

    /// In a small container as well: bodies, rooms and behaviours have to be kept there too.
    #[test]
    fn b18_empty_ones_take_a_part_of_what_is_kept() {
        let limit = 4 << 20;
        let (budget, mut boxes) = made(limit);
        for _ in 0..MAILBOXES_MAX {
            assert!(boxes.open(Kind::Polls, None, Duration::ZERO).is_some());
        }
        assert_eq!(budget.kept(), limit / 16);
    }

    #[test]
    fn who_is_polled_no_more_ends() {
        let (budget, mut boxes) = made(8 << 20);
        let second = Duration::from_secs(1);
        let stream = boxes.open(Kind::Events, Some(ConnId::new(9, 0)), Duration::ZERO);
        let name = boxes.open(Kind::Polls, None, Duration::ZERO).expect("room");
        let [a, b] = [1, 2].map(|at| ConnId::new(at, 0));
        assert_eq!(boxes.read_by(name, a), None);
        assert_eq!(boxes.expire(MAILBOX_TIME_MAX), None, "while somebody is there");
        assert_eq!(boxes.read_by(name, b), Some(a));
        assert_eq!(boxes.take(name, a), Err(Refusal::Replaced));
        assert_eq!(boxes.leave(name, a, second), None, "that was not the reader");
        assert_eq!(boxes.leave(name, b, second), Some(MAILBOX_TIME_MAX + second));
        assert_eq!(boxes.expire(MAILBOX_TIME_MAX), Some(MAILBOX_TIME_MAX + second));
        assert_eq!(boxes.expire(MAILBOX_TIME_MAX + second), None);
        assert_eq!(boxes.find(Kind::Polls, &name.to_string()), Err(Refusal::Mailbox));
        let stream = stream.expect("room");
        assert_eq!(boxes.find(Kind::Events, &stream.to_string()), Ok(stream));
        assert_eq!(boxes.find(Kind::Polls, &stream.to_string()), Err(Refusal::Mailbox));
        assert_eq!(budget.kept(), MAILBOX_BYTES);
    }
}
