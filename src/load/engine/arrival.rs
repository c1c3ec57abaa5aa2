//! Where a connection comes from, and what it asks for.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::dice::Dice;
use super::super::plan::Shape;
use super::{Engine, Target};
use crate::http::client::Asked;
use crate::net::dial::{Dial, Place};

/// Connections from one address to another, with room for those that the system still remembers:
/// a port is one of 28 232 by default.
const PER_SOURCE: usize = 20_000;

/// Addresses that churn takes turns with, because closed connections keep their ports for a while.
const CHURN_SOURCES: usize = 16;

impl<D: Dial> Engine<D> {
    /// Where a connection goes to: targets take turns.
    pub(super) fn target(&self, at: usize) -> &Target {
        &self.targets[at % self.targets.len()]
    }

    /// Where a connection comes from.
    pub(super) fn source(&self, at: usize) -> Option<IpAddr> {
        let named = &self.plan.sources;
        if !named.is_empty() {
            return Some(named[at % named.len()]);
        }
        let churns = matches!(self.plan.shape, Shape::Churn(_));
        let needed = self.plan.connections.div_ceil(PER_SOURCE);
        let count = if churns { CHURN_SOURCES } else { needed };
        let local = match &self.target(at).place {
            Place::Address(address) => address.is_ipv4() && address.ip().is_loopback(),
            Place::Socket(_) => false,
        };
        (local && count > 1).then(|| loopback(at % count))
    }

    /// The request of a connection, with a key that is its own.
    pub(super) fn request(&self, at: usize) -> Vec<u8> {
        let mut request = Vec::new();
        let target = self.target(at);
        let asked = Asked {
            target: &target.path,
            authority: &target.authority,
            key: &self.key(at),
            agent: concat!("wsecho-load/", env!("CARGO_PKG_VERSION")),
            extensions: self.plan.deflate.map(|offer| offer.value()),
            fields: &target.fields,
        };
        asked.write(&mut request);
        request
    }

    /// The nonce of a connection; it is made anew to check the answer, so that none is kept.
    pub(super) fn key(&self, at: usize) -> String {
        let mut dice = Dice::new(self.plan.seed ^ (at as u64) << 20);
        STANDARD.encode([dice.next().to_ne_bytes(), dice.next().to_ne_bytes()].as_flattened())
    }
}

/// A further address of this host: 127.0.0.1 itself is left to others.
fn loopback(nth: usize) -> IpAddr {
    let [_, _, high, low] = u32::try_from(nth + 2).unwrap_or(2).to_be_bytes();
    Ipv4Addr::new(127, 0, high, low).into()
}
