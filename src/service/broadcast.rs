//! Every message goes to everybody else in the room, as it came.

use std::time::Duration;

use super::allowance::{Bucket, Rate};
use super::rooms::{Full, Rooms};
use super::{Effects, Kind, Now, Service};
use crate::id::ConnId;
use crate::ws::close::CloseCode;

/// Longest message in bytes: a stroke of a drawing, a small picture.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024;

/// Tokens of a member: one for a message and one for each whole KiB of it. A drawing page sends at
/// most 40 strokes a second for each finger; a stall of some seconds may come at once behind it.
const RATE: Rate = Rate { burst: 2000, interval: Duration::from_millis(2) };

/// The service; text stays text and binary stays binary.
#[derive(Debug, Default)]
pub struct Broadcast {
    rooms: Rooms<(), Bucket>,
}

impl Service for Broadcast {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    fn open(&mut self, id: ConnId, room: &str, _: Now, effects: &mut Effects) {
        if let Err(Full) = self.rooms.join(id, room, Bucket::default()) {
            effects.close(id, CloseCode::TRY_AGAIN, "room is full");
        }
    }

    fn message(&mut self, id: ConnId, kind: Kind, payload: &[u8], now: Now, effects: &mut Effects) {
        let (Some(room), Some(bucket)) = (self.rooms.room_of(id), self.rooms.get_mut(id)) else {
            return;
        };
        let cost = 1 + u32::try_from(payload.len() / 1024).unwrap_or(u32::MAX);
        if bucket.take(RATE, cost, now.monotonic) {
            effects.send(self.rooms.others(&room, id), kind, payload);
        } else {
            // Nobody can be told here that a message is lost, so none is lost in silence.
            self.rooms.leave(id);
            effects.close(id, CloseCode::POLICY, "too many messages");
        }
    }

    fn close(&mut self, id: ConnId, _: Now, _: &mut Effects) {
        self.rooms.leave(id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Effect;
    use super::*;

    #[test]
    fn everybody_else_in_the_room_hears_it_as_it_came() {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| ConnId::new(at, 0));
        let mut service = Broadcast::default();
        let mut effects = Effects::default();
        let now = Now::default();
        for (id, room) in [(a, "den"), (b, "den"), (c, "hall"), (d, "den")] {
            service.open(id, room, now, &mut effects);
        }
        assert!(effects.is_empty(), "nobody is told who comes");
        service.message(b, Kind::Binary, &[0, 255], now, &mut effects);
        service.close(d, now, &mut effects);
        service.message(a, Kind::Text, b"\xC3\xA9", now, &mut effects);
        let heard: Vec<(ConnId, Vec<u8>)> = effects
            .take()
            .into_iter()
            .map(|effect| match effect {
                Effect::Send(id, frame) => (id, frame.to_vec()),
                Effect::Close(..) => unreachable!(),
            })
            .collect();
        let binary = vec![0x82, 2, 0, 255];
        let text = vec![0x81, 2, 0xC3, 0xA9];
        assert_eq!(heard, [(a, binary.clone()), (d, binary), (b, text)]);
    }

    #[test]
    fn who_says_far_too_much_is_ended_and_not_heard_in_part() {
        let [a, b] = [0, 1].map(|at| ConnId::new(at, 0));
        for (bytes, messages) in [(0, 2000), (1023, 2000), (1024, 1000), (64 * 1024, 30)] {
            let mut service = Broadcast::default();
            let mut effects = Effects::default();
            let mut now = Now::default();
            for id in [a, b] {
                service.open(id, "den", now, &mut effects);
            }
            let mut say = |now| {
                service.message(a, Kind::Binary, &vec![7; bytes], now, &mut effects);
                effects.take()
            };
            for _ in 0..messages {
                assert!(matches!(say(now)[..], [Effect::Send(id, _)] if id == b));
            }
            now.monotonic += RATE.interval * (1 + bytes as u32 / 1024);
            assert!(matches!(say(now)[..], [Effect::Send(..)]), "time brings more");
            assert_eq!(say(now), [Effect::Close(a, CloseCode::POLICY, "too many messages")]);
            assert_eq!(say(now), [], "it is out of the room");
        }
    }
}
