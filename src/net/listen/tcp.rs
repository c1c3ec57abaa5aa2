//! Listeners on ports: alone there, or beside those of other processes.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};

use super::BACKLOG;

/// Opens listeners at an address, an IPv6 one for both families if that is said.
pub(super) type Open<'a> = dyn Fn(SocketAddr, bool) -> io::Result<Vec<TcpListener>> + 'a;

/// Opens a listener. With `shared` others of the same user may listen there, if they say so too;
/// then nobody gets to this one before it [begins](start_listening).
pub(super) fn open(at: SocketAddr, dual_stack: bool, shared: bool) -> io::Result<TcpListener> {
    let socket = bind(at, dual_stack, shared)?;
    if !shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// From here on a share of those who connect to a port gets to this listener.
///
/// # Errors
///
/// What the system says: somebody else has taken the port meanwhile.
pub fn start_listening(listener: &impl AsFd) -> io::Result<()> {
    SockRef::from(listener).listen(BACKLOG)
}

/// Another listener beside an old one, to which nobody gets before it [begins](start_listening).
pub(super) fn again(old: &TcpListener) -> io::Result<TcpListener> {
    let dual_stack = !SockRef::from(old).only_v6().unwrap_or(true);
    Ok(bind(old.local_addr()?, dual_stack, true)?.into())
}

/// Opens so many listeners at the same place, among which the kernel divides connections. Unless
/// the port is `shared` nobody else may listen there.
pub(super) fn open_group(
    at: SocketAddr,
    dual_stack: bool,
    count: usize,
    shared: bool,
) -> io::Result<Vec<TcpListener>> {
    let first = open(at, dual_stack, shared)?;
    // From here on only, so that it has met whoever listens there already.
    SockRef::from(&first).set_reuse_port(true)?;
    let others = (1..count).map(|_| again(&first));
    let others = others.collect::<io::Result<Vec<_>>>()?;
    Ok(std::iter::once(first).chain(others).collect())
}

/// Opens on all addresses of the host: IPv6 and IPv4, or IPv4 where there is no other.
pub(super) fn everywhere(port: u16, open: &Open<'_>) -> io::Result<Vec<TcpListener>> {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match open(all, true) {
        Err(error) if lacks_ipv6(&error) => {
            open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), false)
        }
        outcome => outcome,
    }
}

/// Options that accepted sockets inherit are set here, once, rather than with a system call for
/// each connection.
fn bind(at: SocketAddr, dual_stack: bool, reuse: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_reuse_address(true)?;
    if reuse {
        socket.set_reuse_port(true)?;
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let missing = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// From here on nobody new can connect to this listener of a port; those who have begun to can.
///
/// When a listener closes, Linux resets whoever waits in its queue or is about to. So it throws
/// the first packet of others away meanwhile (a program of the classic BPF, which sees TCP's head):
/// they send it again, a second later, and find another listener of the port. Accepted sockets
/// inherit the filter, and get no such packets.
pub fn stop_connecting(listener: &impl AsFd) -> io::Result<()> {
    SockRef::from(listener).attach_filter(&SYN_FILTER)
}

/// Of packets, those with SYN and without ACK are dropped (RFC 9293 §3.1: the flags are byte 13).
const SYN_FILTER: [SockFilter; 5] = {
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, 13),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
};
