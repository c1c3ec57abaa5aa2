//! How many are in a room, told to those who want to know.

use std::rc::Rc;
use std::time::Duration;

use super::allowance::{Bucket, Rate};
use super::guests::Guests;
use super::{Effects, Now};

/// How often a room is told, at once and for long: as often as a chat of who comes and goes.
const RATE: Rate = Rate { burst: 10, interval: Duration::from_millis(200) };

/// The rooms in which somebody has come or gone of late.
#[derive(Debug, Default)]
pub(super) struct Presence {
    rooms: Vec<Rc<str>>,
}

/// What a room has been told.
#[derive(Debug, Default)]
pub(super) struct Told {
    bucket: Bucket,
    /// It stands in line to be told more.
    waits: bool,
    /// How many of its members want to be told.
    pub listeners: usize,
    /// Who is here by way of other processes.
    pub guests: Guests<()>,
}

impl Presence {
    /// Somebody has come or gone: the room is told at the end of the turn, if it wants to be.
    pub(super) fn note(&mut self, room: &str, told: &mut Told, now: Now, effects: &mut Effects) {
        if told.listeners > 0 && !std::mem::replace(&mut told.waits, true) {
            self.rooms.push(room.into());
            effects.call_at(now.monotonic);
        }
    }

    /// The rooms that wait to be told. Some may be empty by now.
    pub(super) fn take(&mut self) -> Vec<Rc<str>> {
        std::mem::take(&mut self.rooms)
    }

    /// The room has been told so often that it has to wait.
    pub(super) fn put_off(&mut self, room: Rc<str>, until: Duration, effects: &mut Effects) {
        self.rooms.push(room);
        effects.call_at(until);
    }
}

impl Told {
    /// Takes the right to be told now; false if there is nothing to tell. The error is when there
    /// will be a right.
    pub(super) fn take(&mut self, now: Duration) -> Result<bool, Duration> {
        // A room that was empty in between stands in line twice.
        if !self.waits {
            return Ok(false);
        }
        let ready_at = self.bucket.ready_at(RATE, now);
        if ready_at > now {
            return Err(ready_at);
        }
        self.bucket.take(RATE, 1, now);
        self.waits = false;
        Ok(true)
    }
}
