//! Who is in which room, in the order of coming.

use std::collections::{BTreeMap, HashMap};

use crate::id::ConnId;

/// Rooms by name and their members, each with a `T` of its own. A room is there as long as
/// somebody is in it.
#[derive(Debug)]
pub struct Rooms<T> {
    /// Each room's members by their number, so that all see one order.
    rooms: HashMap<Box<str>, BTreeMap<u64, Seat<T>>>,
    /// Where to find a member.
    places: HashMap<ConnId, Place>,
    /// Number of the next member.
    next: u64,
}

#[derive(Debug)]
struct Seat<T> {
    id: ConnId,
    member: T,
}

#[derive(Debug)]
struct Place {
    room: Box<str>,
    number: u64,
}

impl<T> Rooms<T> {
    /// Nobody is anywhere.
    pub fn new() -> Self {
        Self { rooms: HashMap::new(), places: HashMap::new(), next: 0 }
    }

    /// Takes a seat in `room`; who has one elsewhere leaves it.
    pub fn join(&mut self, id: ConnId, room: &str, member: T) {
        self.leave(id);
        let number = self.next;
        self.next += 1;
        self.rooms.entry(room.into()).or_default().insert(number, Seat { id, member });
        self.places.insert(id, Place { room: room.into(), number });
    }

    /// Gives the seat up. The room's name and what was kept of the member, if there was one.
    pub fn leave(&mut self, id: ConnId) -> Option<(Box<str>, T)> {
        let Place { room, number } = self.places.remove(&id)?;
        let seats = self.rooms.get_mut(&room)?;
        let seat = seats.remove(&number)?;
        if seats.is_empty() {
            self.rooms.remove(&room);
        }
        Some((room, seat.member))
    }

    /// What is kept of a member.
    pub fn get(&self, id: ConnId) -> Option<&T> {
        let Place { room, number } = self.places.get(&id)?;
        Some(&self.rooms.get(room)?.get(number)?.member)
    }

    /// What is kept of a member, to be changed.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let Place { room, number } = self.places.get(&id)?;
        Some(&mut self.rooms.get_mut(room)?.get_mut(number)?.member)
    }

    /// The room that somebody is in.
    pub fn room_of(&self, id: ConnId) -> Option<&str> {
        self.places.get(&id).map(|place| &*place.room)
    }

    /// Everybody in a room, first come first.
    pub fn members<'a>(&'a self, room: &str) -> impl Iterator<Item = (ConnId, &'a T)> {
        let seats = self.rooms.get(room).into_iter().flat_map(BTreeMap::values);
        seats.map(|seat| (seat.id, &seat.member))
    }

    /// Everybody in a room but one.
    pub fn others(&self, room: &str, id: ConnId) -> impl Iterator<Item = ConnId> {
        self.members(room).map(|(other, _)| other).filter(move |other| *other != id)
    }

    /// How many are in a room.
    pub fn count(&self, room: &str) -> usize {
        self.rooms.get(room).map_or(0, BTreeMap::len)
    }
}

impl<T> Default for Rooms<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>() -> [ConnId; N] {
        std::array::from_fn(|at| ConnId::new(at, 0))
    }

    #[test]
    fn members_stand_in_the_order_of_coming() {
        let [a, b, c] = ids();
        let mut rooms = Rooms::new();
        for id in [c, a, b] {
            rooms.join(id, "den", ());
        }
        assert!(rooms.members("den").map(|(id, ())| id).eq([c, a, b]));
        rooms.leave(a);
        rooms.join(a, "den", ());
        assert!(rooms.members("den").map(|(id, ())| id).eq([c, b, a]));
        assert!(rooms.others("den", b).eq([c, a]));
        assert_eq!(rooms.count("den"), 3);
    }

    #[test]
    fn rooms_know_nothing_of_each_other_and_vanish() {
        let [a, b] = ids();
        let mut rooms = Rooms::new();
        rooms.join(a, "den", 1);
        rooms.join(b, "", 2);
        assert!(rooms.others("den", a).next().is_none());
        assert_eq!((rooms.room_of(b), rooms.get(b)), (Some(""), Some(&2)));
        *rooms.get_mut(a).unwrap() = 3;
        assert_eq!(rooms.leave(a), Some(("den".into(), 3)));
        assert_eq!(rooms.leave(a), None);
        assert_eq!(rooms.rooms.len(), 1);
        assert_eq!(rooms.count("den"), 0);
    }

    #[test]
    fn nobody_is_in_two_rooms() {
        let [a] = ids();
        let mut rooms = Rooms::new();
        rooms.join(a, "den", ());
        rooms.join(a, "hall", ());
        assert_eq!((rooms.count("den"), rooms.count("hall")), (0, 1));
    }
}
