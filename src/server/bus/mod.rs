//! The bus in the turn: what it tells goes to the services, and what they say goes to it.
//!
//! It is attended to once a turn, when all else has been done. It asks for the next turn as
//! services do, so that a server without a bus has nothing of it but one question a turn.

mod joining;
mod link;

use std::rc::Rc;
use std::time::Duration;

use log::{debug, info, warn};

use super::Server;
use crate::bus::fleet::{Fleet, Heard};
use crate::bus::{Bus, Told};
use crate::limits::{BUS_QUEUE_BYTES_SOFT, BUS_READ_BYTES, BusAddress};
use crate::net::outbound::{Outbound, Security};
use crate::net::{Event, Net, Stream};
use crate::service::Outbox;
use crate::service::processes::{ProcessId, Word};
pub(super) use joining::join;
use link::{Link, Loss};

/// Reads of a turn, and announcements of rooms.
const STEPS_MAX: usize = 4;

/// While the name of its host is being looked up, that is asked so often.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(50);

/// A server's place on a bus.
#[derive(Debug)]
pub(super) struct Seat<S> {
    address: BusAddress,
    security: Security,
    link: Link<Outbound<S>>,
    fleet: Fleet,
    scratch: Box<[u8]>,
    /// The bus has been reached, or why it was not when it was last tried.
    outcome: Option<Result<(), String>>,
}

impl<N: Net> Server<N> {
    /// Rooms are shared with the other processes on this bus. Who this process is follows from
    /// `secret`, which no other one may have.
    pub fn join(
        &mut self,
        address: BusAddress,
        security: Security,
        bus: Box<dyn Bus>,
        secret: u64,
    ) {
        let own = ProcessId(secret);
        self.cx.effects.connect(Outbox::new(own));
        self.bus = Some(Box::new(Seat {
            link: Link::new(bus, self.cx.budget.clone(), secret),
            fleet: Fleet::new(own, address.database, self.cx.budget.clone()),
            scratch: vec![0; BUS_READ_BYTES].into(),
            outcome: None,
            security,
            address,
        }));
        self.cx.effects.call_at(self.cx.now);
    }

    /// Whether the bus has been reached, or why it was not; `None` while that is not known.
    pub fn bus_outcome(&self) -> Option<&Result<(), String>> {
        self.bus.as_ref()?.outcome.as_ref()
    }

    /// Hears what the bus tells, and says what there is to say.
    #[inline(never)]
    pub(super) fn attend_bus(&mut self) {
        let Some(mut seat) = self.bus.take() else { return };
        let heard = self.hear_bus(&mut seat);
        let more = heard.unwrap_or_else(|loss| self.lose_bus(&mut seat, &loss));
        for (service, room, process) in seat.fleet.expire(self.cx.now) {
            let nobody = Word::Roster { first: true, last: true, cards: Vec::new() };
            self.tell_service(service, &room, process, nobody);
        }
        self.settle();
        let said = self.speak_to_bus(&mut seat);
        let more = more | said.unwrap_or_else(|loss| self.lose_bus(&mut seat, &loss));
        let next = seat.fleet.next().into_iter().fold(seat.link.next(), Duration::min);
        self.cx.effects.call_at(if more { self.cx.now } else { next });
        self.cx.metrics.bus_connected = u64::from(seat.link.is_ready());
        self.cx.metrics.bus_processes = seat.fleet.len() as u64;
        self.bus = Some(seat);
    }

    /// True if there is more to be heard than this turn has room for.
    fn hear_bus(&mut self, seat: &mut Seat<N::Stream>) -> Result<bool, Loss> {
        let now = self.cx.now;
        if seat.link.wants_to_connect(now) {
            match self.net.connect(&seat.address.place) {
                Ok(stream) => {
                    let stream = seat.security.wrap(stream).map_err(Loss::Io)?;
                    seat.link.connect(stream, now);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    seat.link.put_off(now + LOOKUP_INTERVAL);
                }
                Err(error) => return Err(Loss::Io(error)),
            }
        }
        for _ in 0..STEPS_MAX {
            while let Some(told) = seat.link.next_told(now)? {
                self.heed(seat, &told);
                if self.cx.effects.is_full() {
                    self.deliver();
                }
                if self.cx.effects.turn_is_used_up() {
                    return Ok(true);
                }
            }
            if !seat.link.attend(&mut seat.scratch, now)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Acts on one thing that the bus has told.
    fn heed(&mut self, seat: &mut Seat<N::Stream>, told: &Told) {
        match told {
            Told::Welcome => {
                info!("bus {}: connected", seat.address);
                seat.outcome = Some(Ok(()));
                seat.fleet.connected(self.cx.now);
                self.reach_others(true);
            }
            Told::Message { channel, payload } => {
                match seat.fleet.hear(channel, payload, self.cx.now) {
                    Some(Heard::Word { service, room, from, word }) => {
                        self.cx.metrics.bus_received += 1;
                        self.tell_service(service, &room, from, word);
                    }
                    Some(Heard::Whole { service, room }) => {
                        let now = self.cx.clocks();
                        self.cx.services[service].rejoin(&room, now, &mut self.cx.effects);
                    }
                    None => {}
                }
            }
            Told::Something => {}
        }
    }

    fn tell_service(&mut self, service: usize, room: &Rc<str>, from: ProcessId, word: Word<'_>) {
        let now = self.cx.clocks();
        self.cx.services[service].hear(room, from, word, now, &mut self.cx.effects);
    }

    /// Says what the services want said, and what is due. True if more is.
    fn speak_to_bus(&mut self, seat: &mut Seat<N::Stream>) -> Result<bool, Loss> {
        let posts = self.cx.effects.outbox().map(Outbox::take).unwrap_or_default();
        let mut written = Ok(());
        for post in &posts {
            let (bus, out) = seat.link.speech();
            seat.fleet.post(post, bus, out);
            // What the bus takes at once does not pile up.
            if written.is_ok() && seat.link.waiting() >= BUS_QUEUE_BYTES_SOFT {
                written = seat.link.write();
            }
        }
        written?;
        if seat.link.is_ready() {
            self.cx.metrics.bus_published += posts.len() as u64;
        }
        for _ in 0..STEPS_MAX {
            let waiting = seat.link.waiting();
            let (bus, out) = seat.link.speech();
            seat.fleet.speak(&self.cx.services, waiting, self.cx.now, bus, out);
            seat.link.write()?;
            if !seat.fleet.has_more() || seat.link.waiting() >= BUS_QUEUE_BYTES_SOFT {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The bus is gone; what rooms say stays here until it is back.
    fn lose_bus(&mut self, seat: &mut Seat<N::Stream>, loss: &Loss) -> bool {
        let line = format!("bus {}: {loss}", seat.address);
        if !seat.link.is_ready() && self.net.knows_another_place() {
            debug!("{line}; another address is tried");
            seat.link.lose(self.cx.now);
            seat.link.put_off(self.cx.now);
            return true;
        }
        if seat.link.is_ready() {
            self.cx.metrics.bus_losses += 1;
            warn!("{line}; rooms are local until it is back");
        } else if seat.outcome.is_none() && self.cx.config.bus_required {
            debug!("{line}; the server does not start");
        } else if seat.outcome.as_ref() == Some(&Err(line.clone())) {
            debug!("{line}");
        } else {
            warn!("{line}; it is tried again");
        }
        seat.outcome = Some(Err(line));
        seat.link.lose(self.cx.now);
        seat.fleet.disconnected();
        self.reach_others(false);
        false
    }

    fn reach_others(&mut self, connected: bool) {
        if let Some(outbox) = self.cx.effects.outbox() {
            outbox.connected = connected;
        }
    }
}

impl<S: Stream> Seat<S> {
    /// An event has told of the link.
    pub(super) fn mark(&mut self, event: &Event) {
        self.link.mark(event.readable, event.writable);
    }

    /// Bytes charged for what the bus has not taken, or not said in full.
    pub(super) fn charged(&self) -> usize {
        self.link.charged()
    }
}
