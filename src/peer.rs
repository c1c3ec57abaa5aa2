//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;

/// The other end, as logs, mirrors and templates name it: `192.0.2.1:4000`, or
/// `unix:pid=7,uid=1000` on a socket in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Address(SocketAddr),
    Process { pid: u32, uid: u32 },
}

impl Peer {
    /// A process of this machine. Its id is 0 if it lives where this process cannot see it.
    pub fn process(pid: u32, uid: u32) -> Self {
        Self(Kind::Process { pid, uid })
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
}
