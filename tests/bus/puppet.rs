//! A process on the bus that is played by hand.

use crate::fleet::Fleet;

const HERE: u8 = 4;
const GONE: u8 = 5;
const ROSTER: u8 = 7;
const ALIVE: u8 = 8;

/// The process, in one room.
pub struct Puppet {
    process: u64,
    room: String,
    /// Number of its next message.
    pub next: u64,
}

impl Puppet {
    pub fn new(process: u64, room: &str) -> Self {
        Self { process, room: room.to_owned(), next: 0 }
    }

    /// Has its first member say who it is.
    pub fn claim(&mut self, fleet: &mut Fleet, node: usize, name: &str, since: u64) {
        let length = u8::try_from(name.len()).expect("short");
        let card = [&[0; 8][..], &since.to_be_bytes(), &[1, length], name.as_bytes()].concat();
        self.publish(fleet, node, HERE, &card);
        fleet.settle();
    }

    /// Its first member goes.
    pub fn leave(&mut self, fleet: &mut Fleet, node: usize) {
        self.publish(fleet, node, GONE, &[0; 8]);
        fleet.settle();
    }

    /// Says who its members are, these numbers without names; `flags` are 1 for the first part and
    /// 2 for the last.
    pub fn tell(&mut self, fleet: &mut Fleet, node: usize, flags: u8, members: &[u64]) {
        let cards = members.iter().map(|number| [&number.to_be_bytes()[..], &[0; 9]].concat());
        let body = [vec![flags], cards.collect::<Vec<_>>().concat()].concat();
        self.publish(fleet, node, ROSTER, &body);
    }

    /// Says that it lives.
    pub fn live(&mut self, fleet: &mut Fleet, node: usize) {
        self.publish(fleet, node, ALIVE, &[]);
    }

    fn publish(&mut self, fleet: &mut Fleet, node: usize, kind: u8, body: &[u8]) {
        self.next += 1;
        let (process, number) = (self.process.to_be_bytes(), self.next.to_be_bytes());
        let payload = [&[1, kind][..], &process, &number, body].concat();
        let channel = format!("wsecho/0/{}", self.room);
        let mut head = format!(">3\r\n$7\r\nmessage\r\n${}\r\n{channel}\r\n", channel.len());
        head += &format!("${}\r\n", payload.len());
        fleet.broker.say(node, &[head.as_bytes(), &payload, b"\r\n"].concat());
    }
}
