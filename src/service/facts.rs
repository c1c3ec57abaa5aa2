//! What services are told of the server.

use super::MOUNTED;
use crate::budget::Budget;
use crate::limits::Config;
use crate::metrics::Metrics;

/// What the server knows of itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The counters.
    pub metrics: &'a Metrics,
    /// The ledger of memory.
    pub budget: &'a Budget,
    /// What the operator chose.
    pub config: &'a Config,
    /// The server is shutting down.
    pub draining: bool,
    /// Who is in the services, in the order of [`MOUNTED`].
    pub populations: [Population; MOUNTED.len()],
}

/// How many rooms a service has, and how many are in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Population {
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Members of all rooms.
    pub members: usize,
}
