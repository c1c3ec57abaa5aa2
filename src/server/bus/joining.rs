//! How a process gets on its bus when it starts.

use super::super::Server;
use super::super::run::{Failure, system};
use crate::bus::Redis;
use crate::limits::BusAddress;
use crate::net::Net;
use crate::net::outbound::Security;

/// Gets on the bus. If it is required, nobody is accepted until that has worked or failed; false if
/// the process was told to end meanwhile.
pub(in super::super) fn join<N: Net>(
    server: &mut Server<N>,
    address: BusAddress,
    required: bool,
    secret: u64,
) -> Result<bool, Failure> {
    let security = Security::of(&address).map_err(Failure::Bus)?;
    let bus = Box::new(Redis::new(&address));
    server.join(address, security, bus, secret);
    server.hold_back(required);
    while required && server.bus_outcome().is_none() {
        if !server.turn().map_err(system("poll"))? {
            return Ok(false);
        }
    }
    server.hold_back(false);
    match server.bus_outcome() {
        Some(Err(wrong)) if required => Err(Failure::Bus(wrong.clone())),
        _ => Ok(true),
    }
}
