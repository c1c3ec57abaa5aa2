//! Listening sockets, and the process limits they depend on.

mod inherited;
mod socket_file;
mod tcp;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::net::sockopt::socket_acceptconn;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{SockRef, Type};

pub use inherited::Passed;
pub use socket_file::SocketFile;
pub use tcp::{start_listening, stop_connecting};

/// Connections that may wait for accept; the kernel cuts this to its own limit.
const BACKLOG: i32 = 4096;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// This port on all addresses: `[::]` for both families, or `0.0.0.0` without IPv6.
    Everywhere(u16),
    /// Exactly this address.
    Exactly(SocketAddr),
    /// A socket in the file system, with these permissions rather than what the umask leaves.
    Unix(PathBuf, Option<u32>),
    /// A listening socket that the process was started with, by its number.
    Descriptor(u32),
    /// Those that a service manager passes on (`LISTEN_FDS`): all, or those of this name.
    Passed(Option<String>),
    /// Such an address, where TLS is spoken.
    Secure(Box<Self>),
    /// There, for proxies that send a header of the PROXY protocol ahead.
    Proxied(Box<Self>),
    /// There, where other processes of the same user may listen as well.
    ReusePort(Box<Self>),
}

/// To whom a listener belongs, and so what becomes of it when the process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// To this process: it tells clients to go elsewhere until it has drained.
    Us,
    /// To this process, beside those of others on the same port: it is left to them.
    Port,
    /// To whoever has passed it on: it is left to those who have it as well.
    Others,
}

impl ListenAddress {
    /// Opens the listeners: one, or as many as are passed on.
    ///
    /// # Errors
    ///
    /// What the system says: in use, not of this host, not permitted; or what is wrong with a
    /// socket that was to be there.
    pub fn open(&self, passed: &mut Passed) -> io::Result<Vec<Listener>> {
        let open = |at, dual| tcp::open(at, dual, self.reuses_port()).map(|one| vec![one]);
        let opened = self.open_with(&open, passed)?;
        Ok(opened.into_iter().flatten().collect())
    }

    /// Opens listeners for so many processes: on a port a socket for each of them, else one for
    /// all. Whoever else listens on the port is only allowed if the address says so.
    ///
    /// # Errors
    ///
    /// As of [`Self::open`].
    pub fn open_for(
        &self,
        processes: usize,
        passed: &mut Passed,
    ) -> io::Result<Vec<Vec<Listener>>> {
        let open = |at, dual| tcp::open_group(at, dual, processes, self.reuses_port());
        self.open_with(&open, passed)
    }

    fn open_with(
        &self,
        open: &tcp::Open<'_>,
        passed: &mut Passed,
    ) -> io::Result<Vec<Vec<Listener>>> {
        let on_port = |sockets: Vec<TcpListener>| {
            vec![sockets.into_iter().map(Listener::Tcp).collect::<Vec<_>>()]
        };
        match self {
            Self::Everywhere(port) => tcp::everywhere(*port, open).map(on_port),
            Self::Exactly(address) => open(*address, false).map(on_port),
            Self::Unix(path, mode) => {
                let (listener, file) = SocketFile::open(path, *mode)?;
                Ok(vec![vec![Listener::Unix(listener, Some(file))]])
            }
            Self::Descriptor(number) => Ok(vec![vec![adopt(inherited::descriptor(*number)?)?]]),
            Self::Passed(name) => {
                let taken = passed.take(name.as_deref())?;
                taken.into_iter().map(|one| Ok(vec![adopt(one)?])).collect()
            }
            Self::Secure(address) | Self::Proxied(address) | Self::ReusePort(address) => {
                address.open_with(open, passed)
            }
        }
    }

    /// An address at which a client on the same host reaches this listener; none if that cannot be
    /// told, or has no host and port.
    pub fn loopback(&self) -> Option<SocketAddr> {
        match self {
            // IPv4, because it is there with and without the fallback.
            Self::Everywhere(port) => Some((Ipv4Addr::LOCALHOST, *port).into()),
            Self::Exactly(address) => Some(reachable(*address)),
            Self::Unix(..) | Self::Descriptor(_) | Self::Passed(_) => None,
            Self::Secure(address) | Self::ReusePort(address) => address.loopback(),
            // A client that is no proxy is not understood there.
            Self::Proxied(_) => None,
        }
    }

    /// True where TLS is spoken.
    pub fn is_secure(&self) -> bool {
        self.says(|part| matches!(part, Self::Secure(_)))
    }

    /// Is it for proxies that send a header of the PROXY protocol?
    pub fn is_proxied(&self) -> bool {
        self.says(|part| matches!(part, Self::Proxied(_)))
    }

    /// True where other processes may listen on the same port.
    pub fn reuses_port(&self) -> bool {
        self.says(|part| matches!(part, Self::ReusePort(_)))
    }

    /// True for a port, which several processes may listen on.
    pub fn is_port(&self) -> bool {
        self.says(|part| matches!(part, Self::Everywhere(_) | Self::Exactly(_)))
    }

    /// To whom the listeners belong.
    pub fn owner(&self) -> Owner {
        match () {
            () if self.reuses_port() => Owner::Port,
            () if self.says(|part| matches!(part, Self::Descriptor(_) | Self::Passed(_))) => {
                Owner::Others
            }
            () => Owner::Us,
        }
    }

    /// Whether this is true of the address, or of the one that it adds something to.
    fn says(&self, what: fn(&Self) -> bool) -> bool {
        let inner = match self {
            Self::Secure(address) | Self::Proxied(address) | Self::ReusePort(address) => address,
            _ => return what(self),
        };
        what(self) || inner.says(what)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, "port {port}"),
            Self::Exactly(address) => address.fmt(f),
            Self::Unix(path, _) => write!(f, "unix:{}", path.display()),
            Self::Descriptor(number) => write!(f, "fd:{number}"),
            Self::Passed(None) => f.write_str("systemd"),
            Self::Passed(Some(name)) => write!(f, "systemd:{name}"),
            Self::Secure(address) => write!(f, "wss://{address}"),
            Self::Proxied(address) => write!(f, "{address},proxy-protocol"),
            Self::ReusePort(address) => write!(f, "{address},reuse-port"),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// On a port.
    Tcp(TcpListener),
    /// In the file system, with its file if that goes with the listener.
    Unix(UnixListener, Option<SocketFile>),
}

/// Where a listener is: the URL of a TCP listener, `unix:` and a path of one in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address.
    Tcp(SocketAddr),
    /// At an address, with TLS.
    Secure(SocketAddr),
    /// At a path, shown as it may stand in a line.
    Unix(String),
}

impl Listener {
    /// Another one in its place, if it is on a port, to which nobody gets for now.
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::Tcp(listener) => tcp::again(listener).ok().map(Self::Tcp),
            Self::Unix(..) => None,
        }
    }

    /// Where it is.
    pub fn place(&self) -> io::Result<Place> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Place::Tcp),
            Self::Unix(listener, _) => {
                let address = listener.local_addr()?;
                let path = address.as_pathname().map(|path| path.display().to_string());
                Ok(Place::Unix(path.unwrap_or_default()))
            }
        }
    }
}

impl Place {
    /// The same place, if TLS is spoken there.
    pub fn secured(self) -> Self {
        match self {
            Self::Tcp(address) => Self::Secure(address),
            other => other,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "ws://{address}/"),
            Self::Secure(address) => write!(f, "wss://{address}/"),
            Self::Unix(path) => write!(f, "unix:{}", path.escape_debug()),
        }
    }
}

/// Makes a listener of a descriptor that somebody else has opened.
fn adopt(descriptor: OwnedFd) -> io::Result<Listener> {
    let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let socket = SockRef::from(&descriptor);
    let Ok(kind) = socket.r#type() else { return wrong("is no socket") };
    if kind != Type::STREAM || !socket_acceptconn(&descriptor)? {
        return wrong("is no listening stream socket");
    }
    let address = socket.local_addr()?;
    socket.set_nonblocking(true)?;
    match () {
        () if address.is_unix() => Ok(Listener::Unix(descriptor.into(), None)),
        () if address.as_socket().is_some() => {
            socket.set_tcp_nodelay(true)?;
            Ok(Listener::Tcp(descriptor.into()))
        }
        () => wrong("is neither TCP nor in the file system"),
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
