//! What a process says by itself: that it lives, that it has come to a room, who is there.

use std::time::Duration;

use super::{Due, Fleet};
use crate::bus::Bus;
use crate::limits::{BEAT_INTERVAL, BUS_QUEUE_BYTES_SOFT, PROCESS_TIME, ROSTER_BYTES};
use crate::service::Service;
use crate::service::processes::{Card, Word, seal};

/// What a member takes in a roster beside its name: numbers, flags, key.
const CARD_BYTES: usize = 38;

impl Fleet {
    /// Says what is due by `now`, as long as there is room for it behind `waiting` bytes.
    pub fn speak(
        &mut self,
        services: &[Box<dyn Service>],
        waiting: usize,
        now: Duration,
        bus: &mut dyn Bus,
        out: &mut Vec<u8>,
    ) {
        if !self.connected {
            return;
        }
        let late = self.beat_at + (PROCESS_TIME - BEAT_INTERVAL) <= now;
        let pulse = format!("{}alive", self.prefix);
        let listens = !self.rooms.is_empty();
        match (std::mem::replace(&mut self.listens, listens), listens) {
            (false, true) => {
                bus.subscribe(&pulse, out);
                self.beat_at = now;
            }
            (true, false) => bus.unsubscribe(&pulse, out),
            _ => {}
        }
        if listens && self.beat_at <= now {
            // Who was late has stood still, or had nobody anywhere, and may have been given up.
            if late {
                self.begin_round();
            } else if self.has_room_again() || !self.unaware.is_empty() {
                self.announce_all();
            }
            self.beat_at = now + BEAT_INTERVAL;
            self.say(&pulse, &Word::Alive, bus, out);
        }
        while waiting + out.len() < BUS_QUEUE_BYTES_SOFT {
            let Some(channel) = self.due.pop_front() else { break };
            let Some(room) = self.rooms.get_mut(&channel) else { continue };
            let due = std::mem::replace(&mut room.due, Due::Nothing);
            let cards = services[room.service].roster(&room.name);
            if due == Due::Hello {
                bus.subscribe(&channel, out);
                self.say(&channel, &Word::Hello, bus, out);
            }
            if due > Due::Nothing {
                self.say_roster(&channel, cards, bus, out);
            }
        }
    }

    /// True if something is left to be said once there is room for it.
    pub fn has_more(&self) -> bool {
        self.connected && !self.due.is_empty()
    }

    fn say_roster(
        &mut self,
        channel: &str,
        mut cards: Vec<(u64, Card)>,
        bus: &mut dyn Bus,
        out: &mut Vec<u8>,
    ) {
        let mut first = true;
        loop {
            let mut bytes = 0;
            let mut fits = |(_, card): &(u64, Card)| {
                bytes += CARD_BYTES + card.name.as_ref().map_or(0, |name| name.len());
                bytes <= ROSTER_BYTES
            };
            let count = cards.iter().take_while(|entry| fits(entry)).count();
            let rest = cards.split_off(count);
            let last = rest.is_empty();
            self.say(channel, &Word::Roster { first, last, cards }, bus, out);
            if last {
                return;
            }
            (first, cards) = (false, rest);
        }
    }

    fn say(&mut self, channel: &str, word: &Word<'_>, bus: &mut dyn Bus, out: &mut Vec<u8>) {
        let mut bytes = Vec::new();
        word.encode(&mut bytes);
        self.publish(channel, &bytes, bus, out);
    }

    pub(super) fn publish(
        &mut self,
        channel: &str,
        word: &[u8],
        bus: &mut dyn Bus,
        out: &mut Vec<u8>,
    ) {
        let Some((kind, body)) = word.split_first() else { return };
        self.number += 1;
        bus.publish(channel, [&seal(self.own, self.number, *kind), body], out);
    }
}
