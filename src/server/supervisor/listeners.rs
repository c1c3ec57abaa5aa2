//! The listeners of all workers, which their supervisor opens and keeps open.

use std::io;

use crate::net::listen::{ListenAddress, Listener, Passed, Place};
use crate::net::mio_net::LISTENERS_MAX;
use crate::server::Failure;

/// Each listener with the number of its address: a socket for each worker, or one for all.
pub(super) struct Listeners(Vec<(usize, Vec<Listener>)>);

impl Listeners {
    pub fn open(addresses: &[ListenAddress], count: usize) -> Result<Self, Failure> {
        let mut passed = Passed::from_environment();
        let mut listeners = Vec::new();
        for (at, address) in addresses.iter().enumerate() {
            let opened = address.open_for(count, &mut passed);
            let opened = opened.map_err(|error| Failure::Listen(address.clone(), error))?;
            listeners.extend(opened.into_iter().map(|sockets| (at, sockets)));
        }
        match listeners.len() {
            ..=LISTENERS_MAX => Ok(Self(listeners)),
            count => Err(Failure::Listeners(count)),
        }
    }

    /// How many there are, for each worker.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn places(&self, addresses: &[ListenAddress]) -> io::Result<Vec<Place>> {
        let places = self.0.iter().map(|(address, sockets)| {
            let place = sockets[0].place()?;
            Ok(if addresses[*address].is_secure() { place.secured() } else { place })
        });
        places.collect()
    }

    /// Those for a worker, with the numbers of their addresses.
    pub fn of(self, worker: usize) -> Vec<(usize, Listener)> {
        let take = |(address, mut sockets): (usize, Vec<Listener>)| {
            (address, sockets.swap_remove(worker % sockets.len()))
        };
        self.0.into_iter().map(take).collect()
    }

    /// Has others serve those who connect to the sockets of this worker, until that serves again.
    pub fn turn_over(&mut self, worker: usize) {
        for (_, sockets) in self.0.iter_mut().filter(|(_, sockets)| sockets.len() > 1) {
            // Where there is none to be had, the old one stays.
            if let Some(socket) = sockets[worker].again() {
                sockets[worker] = socket;
            }
        }
    }

    /// The workers decide when their ports are closed. What stands in the file system goes last.
    pub fn leave(&mut self) {
        self.0.retain(|(_, sockets)| matches!(sockets[..], [Listener::Unix(_, Some(_))]));
    }
}
