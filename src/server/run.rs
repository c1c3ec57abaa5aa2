//! From options to a running loop: limits, listeners, signals, the ready lines.

use std::fmt;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

use log::{error, info, warn};

use super::Server;
use super::accept::shed_connections_max;
use crate::limits::{Config, RESERVED_DESCRIPTORS};
use crate::net::listen::{DescriptorLimit, ListenAddress};
use crate::net::mio_net::MioNet;
use crate::net::signals;

/// Fewer connections than this are worth a warning.
const CONNECTIONS_USUAL: usize = 1000;

/// Exit status after a second signal: the drain was cut short.
const IMPATIENT_STATUS: i32 = 1;

/// Why the server could not start, or had to stop.
#[derive(Debug)]
pub enum Failure {
    /// An address cannot be listened on.
    Listen(ListenAddress, io::Error),
    /// The poll, or something else that the loop cannot live without.
    System(&'static str, io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Serves on `addresses` until a signal ends it. `max_connections` is by default what the
/// descriptor limit leaves room for.
///
/// # Errors
///
/// An address that cannot be used, before anything is announced; a poll that fails.
pub fn run(
    addresses: &[ListenAddress],
    max_connections: Option<usize>,
    mut config: Config,
) -> Result<(), Failure> {
    let process = Process::set_up(addresses)?;
    let room = process.connections_that_fit();
    config.max_connections = max_connections.unwrap_or(room);
    let ready = process.ready_lines().map_err(system("listener"))?;
    info!("{}", process.descriptors);
    if max_connections.map_or(room < CONNECTIONS_USUAL, |wanted| wanted > room) {
        warn!("the limit on open files leaves room for {room} connections only");
    }
    let count = process.listeners.len();
    let net = MioNet::new(process.listeners, process.signals).map_err(system("poll"))?;
    let mut server = Server::new(net, count, config);
    announce(&ready);
    while server.turn().map_err(system("poll"))? {}
    info!("drained");
    Ok(())
}

/// What the process has to have before a loop can start.
struct Process {
    descriptors: DescriptorLimit,
    listeners: Vec<TcpListener>,
    signals: UnixStream,
}

impl Process {
    fn set_up(addresses: &[ListenAddress]) -> Result<Self, Failure> {
        let descriptors = DescriptorLimit::raise();
        let open = |address: &ListenAddress| {
            address.open().map_err(|error| Failure::Listen(*address, error))
        };
        let listeners = addresses.iter().map(open).collect::<Result<_, _>>()?;
        let signals = signals::catch(IMPATIENT_STATUS).map_err(system("signals"))?;
        Ok(Self { descriptors, listeners, signals })
    }

    fn connections_that_fit(&self) -> usize {
        let limit = self.descriptors.now.and_then(|limit| usize::try_from(limit).ok());
        connections_that_fit(limit.unwrap_or(usize::MAX), self.listeners.len())
    }

    /// A line for each listener that says where it is.
    fn ready_lines(&self) -> io::Result<String> {
        let line = |listener: &TcpListener| {
            Ok(format!("wsecho listening on ws://{}/\n", listener.local_addr()?))
        };
        self.listeners.iter().map(line).collect()
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::System(what, error)
}

/// How many connections a limit on open files leaves room for, beside those that are turned away
/// in an orderly way.
fn connections_that_fit(descriptors: usize, listeners: usize) -> usize {
    let left = descriptors.saturating_sub(RESERVED_DESCRIPTORS + listeners);
    left.saturating_sub(shed_connections_max(left)).max(1)
}

/// Tells scripts that connections are accepted, and where. A stdout that nobody reads is no
/// reason not to serve.
fn announce(lines: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        error!("stdout: {error}");
    }
}
