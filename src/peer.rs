//! Who is at the other end of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The other end, as logs, mirrors and templates name it: `192.0.2.1:4000`, or
/// `unix:pid=7,uid=1000` on a socket in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address(SocketAddr),
    /// A proxy has named it, without a port.
    Host(IpAddr),
    Process {
        pid: u32,
        uid: u32,
    },
}

impl Peer {
    /// A process of this machine. Its id is 0 if it lives where this process cannot see it.
    pub fn process(pid: u32, uid: u32) -> Self {
        Self(Kind::Process { pid, uid })
    }

    /// Whom a proxy speaks for. Not every proxy knows the port.
    pub fn behind_proxy(ip: IpAddr, port: Option<u16>) -> Self {
        match port {
            Some(port) => SocketAddr::new(ip, port).into(),
            None => Self(Kind::Host(ip.to_canonical())),
        }
    }

    /// Its address, if it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self.0 {
            Kind::Address(address) => Some(address.ip()),
            Kind::Host(ip) => Some(ip),
            Kind::Process { .. } => None,
        }
    }

    /// The user whose process it is, if it is one.
    pub fn uid(self) -> Option<u32> {
        match self.0 {
            Kind::Address(_) | Kind::Host(_) => None,
            Kind::Process { uid, .. } => Some(uid),
        }
    }
}

/// Some of all peers: a network such as `10.0.0.0/8` or `2001:db8::/32`, or `unix` for those on
/// sockets in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Addresses whose first `length` bits are those of `base`.
    Addresses {
        /// The first of them.
        base: IpAddr,
        /// Bits that count.
        length: u8,
    },
    /// Processes of this machine.
    Unix,
}

impl Network {
    /// Is this peer one of them?
    pub fn has(self, peer: Peer) -> bool {
        match peer.ip() {
            Some(ip) => self.has_address(ip),
            None => self == Self::Unix,
        }
    }

    /// Is this address one of them? One like `::ffff:192.0.2.1` is the IPv4 address that it is.
    pub fn has_address(self, ip: IpAddr) -> bool {
        let Self::Addresses { base, length } = self else { return false };
        match (base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                (base.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                (base.to_bits() ^ ip.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    /// Takes one address for itself, and no bits behind the length: they would be a mistake.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(drop)?;
        let longest = if base.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(drop)?
            }
            Some(_) => return Err(()),
            None => longest,
        };
        let last = match base {
            IpAddr::V4(ip) => 32 - ip.to_bits().trailing_zeros().min(32),
            IpAddr::V6(ip) => 128 - ip.to_bits().trailing_zeros().min(128),
        };
        let valid = length <= longest && last <= u32::from(length) && base == base.to_canonical();
        if valid { Ok(Self::Addresses { base, length }) } else { Err(()) }
    }
}

impl From<SocketAddr> for Peer {
    /// On a socket for both families an IPv4 peer has an address like `::ffff:192.0.2.1`: it is
    /// named as the IPv4 peer that it is.
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Address(SocketAddr::new(address.ip().to_canonical(), address.port())))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Address(address) => address.fmt(f),
            Kind::Host(ip) => ip.fmt(f),
            Kind::Process { pid: 0, uid } => write!(f, "unix:uid={uid}"),
            Kind::Process { pid, uid } => write!(f, "unix:pid={pid},uid={uid}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Somebody, for tests of what stands above.
    pub(crate) fn somebody() -> Peer {
        SocketAddr::from(([192, 0, 2, 1], 80)).into()
    }

    #[test]
    fn a_mapped_address_is_shown_as_ipv4() {
        let shown = |text: &str| Peer::from(text.parse::<SocketAddr>().unwrap()).to_string();
        assert_eq!(shown("[::ffff:192.0.2.1]:80"), "192.0.2.1:80");
        assert_eq!(shown("[2001:db8::1]:80"), "[2001:db8::1]:80");
        assert_eq!(somebody().to_string(), "192.0.2.1:80");
    }

    #[test]
    fn a_process_is_shown_by_its_ids() {
        assert_eq!(Peer::process(7, 1000).to_string(), "unix:pid=7,uid=1000");
        assert_eq!(Peer::process(0, 0).to_string(), "unix:uid=0");
    }

    #[test]
    fn who_is_behind_a_proxy_may_have_no_port() {
        let shown = |text: &str, port| Peer::behind_proxy(text.parse().unwrap(), port).to_string();
        assert_eq!(shown("::ffff:192.0.2.1", Some(80)), "192.0.2.1:80");
        assert_eq!(shown("::ffff:192.0.2.1", None), "192.0.2.1");
        assert_eq!(shown("2001:db8::1", None), "2001:db8::1");
    }

    #[test]
    fn networks_have_their_addresses() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::a01:203", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::/0", "ff::", true),
            ("::1", "::1", true),
            ("unix", "::1", false),
        ];
        for (network, address, expected) in cases {
            let known: Network = network.parse().unwrap();
            let peer = Peer::behind_proxy(address.parse().unwrap(), None);
            assert_eq!(known.has(peer), expected, "{network} {address}");
            assert_eq!(known.has(Peer::process(1, 1)), network == "unix", "{network}");
        }
        for wrong in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::1/0",
            "::/129",
            "10.0.0",
            "::ffff:10.0.0.0/104",
            "UNIX",
            "10.0.0.0/ 8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
