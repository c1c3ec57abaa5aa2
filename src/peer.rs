//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;

/// The other end, as logs, mirrors and templates name it: for TCP `192.0.2.1:4000`.
///
/// A word of the whole project rather than an address, so that what has none (a socket in the file
/// system) or learns it late (behind a proxy that announces it) needs no other type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(SocketAddr);

impl From<SocketAddr> for Peer {
    /// On a socket for both families an IPv4 peer has an address like `::ffff:192.0.2.1`: it is
    /// named as the IPv4 peer that it is.
    fn from(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
}
