//! A connection that begins here, to the bus: nothing waits until it is there.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Protocol, SockAddr, Type};

use super::lookup::Lookup;
use super::mio_net::Socket;
use crate::limits::BusPlace;

/// Begins to connect. `WouldBlock` while the name of the host is being looked up.
pub(super) fn begin_to_connect(place: &BusPlace, lookup: &mut Lookup) -> io::Result<Socket> {
    match place {
        BusPlace::Host(host, port) => begin_tcp(lookup.next(host, *port)?),
        BusPlace::Unix(path) => begin_unix(path),
    }
}

fn begin_tcp(to: SocketAddr) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        outcome => outcome?,
    }
    Ok(Socket(socket.into()))
}

/// It is there at once, or not at all.
fn begin_unix(path: &Path) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        // Its queue is full, which is no reason to look a name up.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::ConnectionRefused.into())
        }
        outcome => outcome.map(|()| Socket(socket.into())),
    }
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
