//! A listening socket, as the poll knows it.

use std::io;
use std::os::fd::OwnedFd;

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use rustix::net::sockopt::socket_peercred;

use super::super::listen::{self, Owner, SocketFile, start_listening, stop_connecting};
use super::super::socket::Socket;
use crate::peer::Peer;

/// A listening socket that the poll knows.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    /// Its file goes with it.
    Unix(UnixListener, #[expect(dead_code, reason = "kept to be dropped")] Option<SocketFile>),
}

impl Listener {
    /// Has the poll tell of it with this token.
    pub(super) fn register(
        listener: listen::Listener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        Ok(match listener {
            listen::Listener::Tcp(listener) => {
                let mut listener = TcpListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Self::Tcp(listener)
            }
            listen::Listener::Unix(listener, file) => {
                let mut listener = UnixListener::from_std(listener);
                registry.register(&mut listener, token, Interest::READABLE)?;
                Self::Unix(listener, file)
            }
        })
    }

    /// From here on those get here who connect to a port that is shared.
    pub(super) fn start(&self, owner: Owner) -> io::Result<()> {
        match self {
            Self::Tcp(listener) if owner != Owner::Others => start_listening(listener),
            _ => Ok(()),
        }
    }

    /// Nobody new gets here. Where that cannot be done, some who are on the way meet a reset.
    pub(super) fn leave(&self) {
        if let Self::Tcp(listener) = self {
            let _ = stop_connecting(listener);
        }
    }

    /// Takes a connection from its queue.
    pub(super) fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok((Socket(stream.into()), address.into()))
            }
            Self::Unix(listener, _) => {
                let socket = OwnedFd::from(listener.accept()?.0);
                // A peer that cannot be asked for is still a peer.
                let peer = socket_peercred(&socket).map_or(Peer::process(0, 0), |who| {
                    let pid = who.pid.as_raw_nonzero().get();
                    Peer::process(pid.unsigned_abs(), who.uid.as_raw())
                });
                Ok((Socket(socket), peer))
            }
        }
    }
}
