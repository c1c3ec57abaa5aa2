//! Who is in which room, in the order of coming.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::Population;
use crate::id::ConnId;
use crate::limits::ROOM_MEMBERS_MAX;

/// Rooms by name, each with an `R` of its own, and their members, each with a `T`. A room is there
/// as long as somebody is in it.
#[derive(Debug)]
pub struct Rooms<R, T> {
    rooms: HashMap<Rc<str>, Room<R, T>>,
    /// Where to find a member.
    places: HashMap<ConnId, Place>,
    /// Number of the next member.
    next: u64,
}

#[derive(Debug)]
struct Room<R, T> {
    own: R,
    /// The members by their number, so that all see one order.
    seats: BTreeMap<u64, Seat<T>>,
}

#[derive(Debug)]
struct Seat<T> {
    id: ConnId,
    /// Boxed, because a tree has places for eleven, and many rooms have one member.
    member: Box<T>,
}

#[derive(Debug)]
struct Place {
    room: Rc<str>,
    number: u64,
}

/// There are [`ROOM_MEMBERS_MAX`] in the room already.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<R: Default, T> Rooms<R, T> {
    /// Nobody is anywhere.
    pub fn new() -> Self {
        Self { rooms: HashMap::new(), places: HashMap::new(), next: 0 }
    }

    /// Takes a seat in `room`; who has one elsewhere leaves it.
    ///
    /// # Errors
    ///
    /// The room is full.
    pub fn join(&mut self, id: ConnId, room: &str, member: T) -> Result<(), Full> {
        self.leave(id);
        if self.count(room) >= ROOM_MEMBERS_MAX {
            return Err(Full);
        }
        let room: Rc<str> = match self.rooms.get_key_value(room) {
            Some((room, _)) => Rc::clone(room),
            None => room.into(),
        };
        let number = self.next;
        self.next += 1;
        let new = || Room { own: R::default(), seats: BTreeMap::new() };
        let seats = &mut self.rooms.entry(Rc::clone(&room)).or_insert_with(new).seats;
        seats.insert(number, Seat { id, member: Box::new(member) });
        self.places.insert(id, Place { room, number });
        Ok(())
    }

    /// Gives the seat up. The room's name and what was kept of the member, if there was one.
    pub fn leave(&mut self, id: ConnId) -> Option<(Rc<str>, T)> {
        let Place { room, number } = self.places.remove(&id)?;
        let seats = &mut self.rooms.get_mut(&room)?.seats;
        let seat = seats.remove(&number)?;
        if seats.is_empty() {
            self.rooms.remove(&room);
        }
        Some((room, *seat.member))
    }

    /// What is kept of a member.
    pub fn get(&self, id: ConnId) -> Option<&T> {
        let Place { room, number } = self.places.get(&id)?;
        Some(&self.rooms.get(room)?.seats.get(number)?.member)
    }

    /// What is kept of a member, to be changed.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let Place { room, number } = self.places.get(&id)?;
        Some(&mut self.rooms.get_mut(room)?.seats.get_mut(number)?.member)
    }

    /// The room that somebody is in.
    pub fn room_of(&self, id: ConnId) -> Option<Rc<str>> {
        self.places.get(&id).map(|place| Rc::clone(&place.room))
    }

    /// The number by which other processes know a member.
    pub fn number(&self, id: ConnId) -> Option<u64> {
        self.places.get(&id).map(|place| place.number)
    }

    /// Who has this number in a room.
    #[cfg(feature = "bus")]
    pub fn numbered(&self, room: &str, number: u64) -> Option<ConnId> {
        self.rooms.get(room)?.seats.get(&number).map(|seat| seat.id)
    }

    /// Everybody in a room by number.
    #[cfg(feature = "bus")]
    pub fn numbers<'a>(&'a self, room: &str) -> impl Iterator<Item = (u64, &'a T)> {
        let seats = self.rooms.get(room).into_iter().flat_map(|room| &room.seats);
        seats.map(|(number, seat)| (*number, &*seat.member))
    }

    /// What is kept of a room.
    pub fn own(&self, room: &str) -> Option<&R> {
        self.rooms.get(room).map(|room| &room.own)
    }

    /// What is kept of a room, to be changed.
    pub fn own_mut(&mut self, room: &str) -> Option<&mut R> {
        self.rooms.get_mut(room).map(|room| &mut room.own)
    }

    /// Everybody in a room, first come first.
    pub fn members<'a>(&'a self, room: &str) -> impl Iterator<Item = (ConnId, &'a T)> {
        let seats = self.rooms.get(room).into_iter().flat_map(|room| room.seats.values());
        seats.map(|seat| (seat.id, &*seat.member))
    }

    /// Everybody in a room, to be changed, first come first.
    pub fn members_mut<'a>(&'a mut self, room: &str) -> impl Iterator<Item = (ConnId, &'a mut T)> {
        let seats = self.rooms.get_mut(room).into_iter();
        let seats = seats.flat_map(|room| room.seats.values_mut());
        seats.map(|seat| (seat.id, &mut *seat.member))
    }

    /// Everybody in a room but one.
    pub fn others(&self, room: &str, id: ConnId) -> impl Iterator<Item = ConnId> {
        self.members(room).map(|(other, _)| other).filter(move |other| *other != id)
    }

    /// How many rooms there are, and how many are in them.
    pub fn population(&self) -> Population {
        Population { rooms: self.rooms.len(), members: self.places.len() }
    }

    /// How many are in a room.
    pub fn count(&self, room: &str) -> usize {
        self.rooms.get(room).map_or(0, |room| room.seats.len())
    }
}

impl<R: Default, T> Default for Rooms<R, T> {
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
        let mut rooms = Rooms::<(), _>::new();
        for id in [c, a, b] {
            rooms.join(id, "den", ()).unwrap();
        }
        assert!(rooms.members("den").map(|(id, ())| id).eq([c, a, b]));
        rooms.leave(a);
        rooms.join(a, "den", ()).unwrap();
        assert!(rooms.members("den").map(|(id, ())| id).eq([c, b, a]));
        assert!(rooms.others("den", b).eq([c, a]));
        assert_eq!(rooms.count("den"), 3);
    }

    #[test]
    fn rooms_know_nothing_of_each_other_and_vanish() {
        let [a, b] = ids();
        let mut rooms = Rooms::<(), _>::new();
        rooms.join(a, "den", 1).unwrap();
        rooms.join(b, "", 2).unwrap();
        assert!(rooms.others("den", a).next().is_none());
        assert_eq!((rooms.room_of(b), rooms.get(b)), (Some("".into()), Some(&2)));
        *rooms.get_mut(a).unwrap() = 3;
        assert_eq!(rooms.leave(a), Some(("den".into(), 3)));
        assert_eq!(rooms.leave(a), None);
        assert_eq!(rooms.rooms.len(), 1);
        assert_eq!(rooms.count("den"), 0);
    }

    #[test]
    fn nobody_is_in_two_rooms() {
        let [a] = ids();
        let mut rooms = Rooms::<(), _>::new();
        rooms.join(a, "den", ()).unwrap();
        rooms.join(a, "hall", ()).unwrap();
        assert_eq!((rooms.count("den"), rooms.count("hall")), (0, 1));
    }

    #[test]
    fn a_room_has_an_end() {
        let mut rooms = Rooms::<(), ()>::new();
        let id = |at| ConnId::new(at, 0);
        for at in 0..ROOM_MEMBERS_MAX {
            rooms.join(id(at), "den", ()).unwrap();
        }
        assert_eq!(rooms.join(id(ROOM_MEMBERS_MAX), "den", ()), Err(Full));
        assert_eq!(rooms.room_of(id(ROOM_MEMBERS_MAX)), None);
        rooms.join(id(0), "den", ()).expect("one's own seat is free");
        rooms.join(id(0), "hall", ()).expect("another room");
        rooms.join(id(ROOM_MEMBERS_MAX), "den", ()).expect("there is a seat again");
    }
}
