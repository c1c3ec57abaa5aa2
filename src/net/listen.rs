//! Listening sockets, and the process limits they depend on.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait for accept; the kernel cuts this to its own limit.
const BACKLOG: i32 = 4096;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// This port on all addresses: `[::]` for both families, or `0.0.0.0` without IPv6.
    Everywhere(u16),
    /// Exactly this address.
    Exactly(SocketAddr),
}

impl ListenAddress {
    /// Opens the listener.
    ///
    /// # Errors
    ///
    /// What the system says: in use, not of this host, not permitted.
    pub fn open(self) -> io::Result<TcpListener> {
        match self {
            Self::Everywhere(port) => open_everywhere(port),
            Self::Exactly(address) => open(address, false),
        }
    }

    /// The port; 0 lets the system choose.
    pub fn port(self) -> u16 {
        match self {
            Self::Everywhere(port) => port,
            Self::Exactly(address) => address.port(),
        }
    }

    /// An address at which a client on the same host reaches this listener.
    pub fn loopback(self) -> SocketAddr {
        match self {
            // IPv4, because it is there with and without the fallback.
            Self::Everywhere(port) => (Ipv4Addr::LOCALHOST, port).into(),
            Self::Exactly(address) => reachable(address),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, "port {port}"),
            Self::Exactly(address) => address.fmt(f),
        }
    }
}

/// `address` itself, or loopback of the same family where it is unspecified.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, address.port())
}

/// Opens a listener. Options that accepted sockets inherit are set here, once, rather than with
/// a system call for each connection.
fn open(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn open_everywhere(port: u16) -> io::Result<TcpListener> {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match open(all, true) {
        Err(error) if lacks_ipv6(&error) => {
            open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), false)
        }
        outcome => outcome,
    }
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let missing = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Limits on open files before and after raising the soft one; `None` is unlimited.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorLimit {
    before: Option<u64>,
    /// What is in force now.
    pub now: Option<u64>,
}

impl DescriptorLimit {
    /// Raises the soft limit to the hard one. A refusal leaves the old limit in force.
    pub fn raise() -> Self {
        let Rlimit { current: before, maximum } = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        Self { before, now: getrlimit(Resource::Nofile).current }
    }
}

impl fmt::Display for DescriptorLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
        write!(f, "soft limit on open files {}, was {}", show(self.now), show(self.before))
    }
}
