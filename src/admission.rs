//! How many connections an address has, and how often it connects.
//!
//! An IPv6 address counts by its first 64 bits, since a client usually has all that begin with
//! them; a process of this machine counts by its user. What is remembered is bounded: the
//! connections that are open, and as many addresses that have connected lately as fit into the room
//! for tables. When more come, the oldest are forgotten.

#[cfg(feature = "jwt")]
pub mod jwt;
pub mod tokens;

use std::collections::HashMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::limits::Config;
use crate::peer::Peer;
use crate::rate::{Bucket, Rate};

/// Addresses that are remembered because they have connected lately, in each of two generations:
/// together less than a mebibyte. Whoever has more addresses than this has no limit by address.
const ADDRESSES_RECENT_MAX: usize = 8192;

/// Who knows tokens.
pub trait Recognize: Debug {
    /// Whose the token is, if it lets somebody in at this time since 1970, UTC.
    fn name_of(&self, token: &[u8], utc: Duration) -> Option<Rc<str>>;
}

/// Why an address may not have another connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It has as many as it may have.
    Connections,
    /// It has connected too often lately.
    Rate,
}

/// What counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    V4(u32),
    V6(u64),
    User(u32),
}

impl Key {
    fn of(peer: Peer) -> Self {
        match peer.ip() {
            Some(IpAddr::V4(ip)) => Self::V4(ip.to_bits()),
            Some(IpAddr::V6(ip)) => Self::V6((ip.to_bits() >> 64) as u64),
            None => Self::User(peer.uid().unwrap_or_default()),
        }
    }
}

/// The addresses of a server, as far as something of theirs is limited.
#[derive(Debug)]
pub struct Addresses {
    connections_max: Option<u32>,
    rate: Option<Rate>,
    /// Connections of each address that has some.
    open: HashMap<Key, u32>,
    /// Whose the connection in each slot of the registry is.
    seats: Vec<Option<Key>>,
    recent: Recent,
}

/// Buckets of addresses that have connected lately. Two generations: whoever is not seen while one
/// passes is forgotten with it, and has a full bucket by then unless too many came.
#[derive(Debug, Default)]
struct Recent {
    young: HashMap<Key, Bucket>,
    old: HashMap<Key, Bucket>,
    since: Duration,
}

impl Addresses {
    /// Without connections.
    pub fn new(config: &Config) -> Self {
        Self {
            connections_max: config.max_connections_per_ip,
            rate: config.handshake_rate,
            open: HashMap::new(),
            seats: Vec::new(),
            recent: Recent::default(),
        }
    }

    /// Whether the peer may have another connection, which then counts as a try. It is open once it
    /// has a seat.
    ///
    /// # Errors
    /// What there is too much of.
    #[inline]
    pub fn admit(&mut self, peer: Peer, now: Duration) -> Result<(), Excess> {
        if self.connections_max.is_none() && self.rate.is_none() {
            return Ok(());
        }
        self.try_admit(peer, now)
    }

    #[inline(never)]
    fn try_admit(&mut self, peer: Peer, now: Duration) -> Result<(), Excess> {
        let key = Key::of(peer);
        let open = self.open.get(&key).copied().unwrap_or(0);
        if self.connections_max.is_some_and(|most| open >= most) {
            return Err(Excess::Connections);
        }
        let Some(rate) = self.rate else { return Ok(()) };
        let bucket = self.recent.bucket(key, rate, now);
        if bucket.left(rate, now) == 0 {
            return Err(Excess::Rate);
        }
        bucket.take(1, rate, now);
        Ok(())
    }

    /// The connection in slot `index` of the registry is this peer's.
    #[inline]
    pub fn seat(&mut self, index: usize, peer: Peer) {
        if self.connections_max.is_some() {
            self.take_seat(index, peer);
        }
    }

    #[inline(never)]
    fn take_seat(&mut self, index: usize, peer: Peer) {
        self.leave(index);
        if index >= self.seats.len() {
            self.seats.resize(index + 1, None);
        }
        let key = Key::of(peer);
        self.seats[index] = Some(key);
        *self.open.entry(key).or_default() += 1;
    }

    /// The connection in this slot has ended.
    #[inline]
    pub fn leave(&mut self, index: usize) {
        if !self.seats.is_empty() {
            self.leave_seat(index);
        }
    }

    #[inline(never)]
    fn leave_seat(&mut self, index: usize) {
        let Some(key) = self.seats.get_mut(index).and_then(Option::take) else { return };
        let Some(open) = self.open.get_mut(&key) else { return };
        *open -= 1;
        if *open == 0 {
            self.open.remove(&key);
        }
    }

    /// How many connections have a seat; for checks.
    pub fn seated(&self) -> usize {
        self.open.values().map(|open| *open as usize).sum()
    }
}

impl Recent {
    fn bucket(&mut self, key: Key, rate: Rate, now: Duration) -> &mut Bucket {
        let full = self.young.len() >= ADDRESSES_RECENT_MAX;
        if full || now >= self.since + rate.per {
            self.old = std::mem::take(&mut self.young);
            // Nobody was seen in all of the last generation's time, or the old would be younger.
            if now >= self.since + rate.per * 2 {
                self.old.clear();
            }
            self.since = now;
        }
        let before = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| before.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(connections: Option<u32>, rate: Option<Rate>) -> Addresses {
        Addresses::new(&Config {
            max_connections_per_ip: connections,
            handshake_rate: rate,
            ..Config::default()
        })
    }

    fn peer(text: &str) -> Peer {
        Peer::behind_proxy(text.parse().unwrap(), Some(1))
    }

    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn an_address_has_so_many_connections_and_gets_them_back() {
        let mut addresses = addresses(Some(2), None);
        for (slot, text) in ["192.0.2.1", "192.0.2.1", "192.0.2.2"].into_iter().enumerate() {
            assert_eq!(addresses.admit(peer(text), START), Ok(()), "{text}");
            addresses.seat(slot, peer(text));
        }
        assert_eq!(addresses.admit(peer("192.0.2.1"), START), Err(Excess::Connections));
        assert_eq!(addresses.admit(peer("::ffff:192.0.2.1"), START), Err(Excess::Connections));
        assert_eq!(addresses.admit(peer("192.0.2.2"), START), Ok(()));
        addresses.leave(0);
        addresses.leave(0);
        assert_eq!(addresses.admit(peer("192.0.2.1"), START), Ok(()), "one has gone");
        addresses.seat(0, peer("192.0.2.1"));
        assert_eq!(addresses.admit(peer("192.0.2.1"), START), Err(Excess::Connections));
        (0..3).for_each(|slot| addresses.leave(slot));
        assert_eq!((addresses.seated(), addresses.open.len()), (0, 0), "nobody is remembered");
    }

    #[test]
    fn ipv6_counts_by_its_first_64_bits_and_processes_by_user() {
        let mut addresses = addresses(Some(1), None);
        addresses.seat(0, peer("2001:db8:0:1::1"));
        assert!(addresses.admit(peer("2001:db8:0:1:ffff::9"), START).is_err());
        assert!(addresses.admit(peer("2001:db8:0:2::1"), START).is_ok());
        addresses.seat(1, Peer::process(7, 1000));
        assert!(addresses.admit(Peer::process(8, 1000), START).is_err());
        assert!(addresses.admit(Peer::process(7, 1001), START).is_ok());
    }

    #[test]
    fn an_address_connects_so_often() {
        let mut addresses = addresses(None, Some(Rate::per_second(2)));
        let mut admit = |text: &str, millis| {
            addresses.admit(peer(text), START + Duration::from_millis(millis)).is_ok()
        };
        assert!(admit("192.0.2.1", 0) && admit("192.0.2.1", 0));
        assert!(!admit("192.0.2.1", 0) && !admit("192.0.2.1", 499));
        assert!(admit("192.0.2.2", 499), "somebody else");
        assert!(admit("192.0.2.1", 500));
        assert!(!admit("192.0.2.1", 999) && admit("192.0.2.1", 1001), "over generations");
        assert!(!admit("192.0.2.1", 1001), "who is refused is not let in sooner or later for it");
        assert!(admit("192.0.2.1", 9001) && admit("192.0.2.1", 9001));
        assert!(!admit("192.0.2.1", 9001), "no more than its rate at once");
    }

    /// Somebody who has a whole /32 of IPv6 gets no more memory for it.
    #[test]
    fn a03_what_is_remembered_of_addresses_has_a_bound() {
        let mut addresses = addresses(Some(9), Some(Rate::per_second(1)));
        for number in 0..10 * ADDRESSES_RECENT_MAX as u128 {
            let ip = std::net::Ipv6Addr::from_bits(number << 64);
            let admitted = addresses.admit(Peer::behind_proxy(ip.into(), None), START);
            assert_eq!(admitted, Ok(()), "{ip} is new");
        }
        let Recent { young, old, .. } = &addresses.recent;
        assert!(young.len() + old.len() <= 2 * ADDRESSES_RECENT_MAX);
        assert!(addresses.open.is_empty() && addresses.seats.is_empty());
        let last = std::net::Ipv6Addr::from_bits((10 * ADDRESSES_RECENT_MAX as u128 - 1) << 64);
        let admitted = addresses.admit(Peer::behind_proxy(last.into(), None), START);
        assert_eq!(admitted, Err(Excess::Rate), "who came last is remembered");
    }
}
