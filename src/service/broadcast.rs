//! Every message goes to everybody else in the room, as it came.

use super::rooms::Rooms;
use super::{Effects, Kind, Now, Service};
use crate::id::ConnId;

/// Longest message in bytes: a stroke of a drawing, a small picture.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024;

/// The service; text stays text and binary stays binary.
#[derive(Debug, Default)]
pub struct Broadcast {
    rooms: Rooms<()>,
}

impl Service for Broadcast {
    fn message_bytes_max(&self) -> u64 {
        MESSAGE_BYTES_MAX
    }

    fn open(&mut self, id: ConnId, room: &str, _: Now, _: &mut Effects) {
        self.rooms.join(id, room, ());
    }

    fn message(&mut self, id: ConnId, kind: Kind, payload: &[u8], _: Now, effects: &mut Effects) {
        if let Some(room) = self.rooms.room_of(id) {
            effects.send(self.rooms.others(room, id), kind, payload);
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
            .drain()
            .map(|effect| match effect {
                Effect::Send(id, frame) => (id, frame.to_vec()),
                Effect::Close(..) => unreachable!(),
            })
            .collect();
        let binary = vec![0x82, 2, 0, 255];
        let text = vec![0x81, 2, 0xC3, 0xA9];
        assert_eq!(heard, [(a, binary.clone()), (d, binary), (b, text)]);
    }
}
