//! From options to a running loop: limits, listeners, signals, the ready lines, the last line.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process;
use std::rc::Rc;

use log::{debug, error, info, warn};

#[cfg(feature = "bus")]
use super::bus::join;
#[cfg(feature = "tls")]
use super::capacity::sessions_warning;
use super::capacity::{Asked, Capacity, Limits};
#[cfg(feature = "tls")]
use super::certificates::Certificates;
use super::handed::Handed;
use super::{Reload, Server};
use crate::limits::Config;
use crate::net::children::{self, Status};
use crate::net::listen::{DescriptorLimit, ListenAddress, Listener, Owner, Passed, Place};
use crate::net::mio_net::{LISTENERS_MAX, MioNet};
use crate::net::service_manager::ServiceManager;
use crate::net::signals::{self, Signals};
#[cfg(feature = "tls")]
use crate::net::tls::{TlsNet, identity::Identity};
use crate::net::{Net, cgroup};

/// Exit status of a process that is ended while its loop does not listen.
pub(super) const IMPATIENT_STATUS: i32 = 1;

/// Why the server could not start, or had to stop.
#[derive(Debug)]
pub enum Failure {
    /// An address cannot be listened on.
    Listen(ListenAddress, io::Error),
    /// So many listeners are more than can be told apart.
    Listeners(usize),
    /// What TLS needs is not there, or is of no use.
    #[cfg(feature = "tls")]
    Tls(String),
    /// The poll, or something else that the loop cannot live without.
    System(&'static str, io::Error),
    /// A file that does not hold what it should.
    File(String),
    /// The bus that is required cannot be reached.
    #[cfg(feature = "bus")]
    Bus(String),
    /// A worker ended before it served, and had no words for it.
    Worker(usize, Status),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Listeners(count) => {
                write!(f, "{count} listeners are too many: {LISTENERS_MAX} are the most")
            }
            #[cfg(feature = "tls")]
            Self::Tls(wrong) => write!(f, "TLS: {wrong}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::File(wrong) => f.write_str(wrong),
            #[cfg(feature = "bus")]
            Self::Bus(wrong) => f.write_str(wrong),
            Self::Worker(number, status) => {
                write!(f, "worker {number} ended before it was ready: {status}")
            }
        }
    }
}

impl std::error::Error for Failure {}

/// How a server that was asked to stop has done so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its connections had the time to end.
    Drained,
    /// A second signal did not leave them that time.
    CutShort,
    /// A worker has failed, and something has been said of it.
    Failed,
}

/// Serves on `addresses` until a signal ends it. What is not asked for is what the limits of the
/// process leave room for. A worker is `handed` both by its supervisor.
///
/// # Errors
///
/// An address that cannot be used, or a file, before anything is announced; a poll that fails.
pub fn run(
    addresses: &[ListenAddress],
    mut asked: Asked,
    mut config: Config,
    mut handed: Option<Handed>,
) -> Result<Stopped, Failure> {
    #[cfg(feature = "tls")]
    let identity = identity(addresses, &config)?;
    let process = Process::set_up(addresses, handed.as_mut())?;
    asked = handed.as_ref().map_or(asked, |handed| handed.asked);
    config.worker = handed.as_ref().map(|handed| handed.number);
    let capacity = Capacity::new(asked, process.limits(), process.listeners.len());
    config.max_connections = capacity.connections;
    config.buffer_budget = capacity.budget;
    let places = process.places().map_err(system("listener"))?;
    config.proxied.clone_from(&process.proxied);
    config.listeners = places.iter().map(Place::to_string).collect();
    debug!("{}", process.descriptors);
    // Of workers the supervisor has said it.
    for warning in capacity.warnings.iter().filter(|_| handed.is_none()) {
        warn!("{warning}");
    }
    let Process { listeners, owners, signals, .. } = process;
    let manager = match &handed {
        None => ServiceManager::from_environment(),
        Some(handed) => ServiceManager::supervisor(Rc::clone(&handed.control), handed.silence),
    };
    let supervisor = handed.map(|handed| handed.control);
    let net = MioNet::new(listeners, signals, manager).map_err(system("poll"))?;
    let net = net.with_owners(owners).with_supervisor(supervisor).map_err(system("poll"))?;
    #[cfg(feature = "tls")]
    if let Some(identity) = identity {
        let warning = sessions_warning(asked, config.buffer_budget);
        if let Some(warning) = warning.filter(|_| config.worker.is_none()) {
            warn!("{warning}");
        }
        if let Some(fingerprint) = &identity.fingerprint {
            info!("the certificate is made for this run, SHA-256 {fingerprint}");
        }
        let net = TlsNet::new(net, process.secure, identity.config);
        let net = net.with_headers(config.proxied.clone());
        let reloads = Certificates::of(net.renewal(config.tls.clone()));
        return serve(net, TlsNet::below, &places, config, reloads);
    }
    serve(net, |net| net, &places, config, None)
}

/// Who the server is for clients of `wss://`, if it listens for such.
#[cfg(feature = "tls")]
fn identity(addresses: &[ListenAddress], config: &Config) -> Result<Option<Identity>, Failure> {
    let secure = addresses.iter().any(ListenAddress::is_secure);
    let identity = secure.then(|| Identity::load(&config.tls));
    identity.transpose().map_err(Failure::Tls)
}

/// Runs the loop to its end, upon `net`, which has the system `below` it.
fn serve<N: Net>(
    net: N,
    below: impl Fn(&mut N) -> &mut MioNet,
    places: &[Place],
    config: Config,
    reloads: Option<Box<dyn Reload>>,
) -> Result<Stopped, Failure> {
    let (tokens, worker) = (config.auth_tokens.clone(), config.worker);
    #[cfg(feature = "jwt")]
    let (key, audience) = (config.auth_jwt_key.clone(), config.auth_jwt_audience.clone());
    #[cfg(feature = "bus")]
    let (bus, required) = (config.bus.clone(), config.bus_required);
    let mut server = Server::new(net, places.len(), config);
    server.set_secret([0, 1, 2, 3].map(secret));
    if let Some(path) = tokens {
        server.ask_for_tokens(&path).map_err(Failure::File)?;
    }
    #[cfg(feature = "jwt")]
    if let Some(path) = key {
        server.ask_for_jwts(&path, &audience).map_err(Failure::File)?;
    }
    reloads.into_iter().for_each(|what| server.reloads(what));
    #[cfg(feature = "bus")]
    if let Some(address) = bus {
        if !join(&mut server, address, required, secret(4))? {
            return Ok(Stopped::Drained);
        }
    }
    let net = below(server.net());
    net.start_listening().map_err(system("listener"))?;
    if worker.is_none() {
        announce(places);
    }
    net.service_manager().ready();
    while server.turn().map_err(system("poll"))? {}
    if server.was_cut_short() {
        return Ok(Stopped::CutShort);
    }
    info!("drained");
    Ok(Stopped::Drained)
}

/// What the process has to have before a loop can start.
struct Process {
    descriptors: DescriptorLimit,
    listeners: Vec<Listener>,
    /// Of each listener: it speaks TLS.
    secure: Vec<bool>,
    /// Which of them are for proxies.
    proxied: Vec<bool>,
    /// To whom they belong.
    owners: Vec<Owner>,
    signals: Signals,
}

impl Process {
    fn set_up(
        addresses: &[ListenAddress],
        mut handed: Option<&mut Handed>,
    ) -> Result<Self, Failure> {
        let descriptors = DescriptorLimit::raise();
        let mut passed = Passed::from_environment();
        let (mut listeners, mut secure, mut proxied) = (Vec::new(), Vec::new(), Vec::new());
        let mut owners = Vec::new();
        for (at, address) in addresses.iter().enumerate() {
            let opened = match &mut handed {
                Some(handed) => Ok(handed.take(at)),
                None => address.open(&mut passed),
            };
            listeners.extend(opened.map_err(|error| Failure::Listen(address.clone(), error))?);
            secure.resize(listeners.len(), address.is_secure());
            proxied.resize(listeners.len(), address.is_proxied());
            owners.resize(listeners.len(), address.owner());
        }
        if listeners.len() > LISTENERS_MAX {
            return Err(Failure::Listeners(listeners.len()));
        }
        let signals = signals::catch(IMPATIENT_STATUS).map_err(system("signals"))?;
        Ok(Self { descriptors, listeners, secure, proxied, owners, signals })
    }

    fn limits(&self) -> Limits {
        limits(self.descriptors)
    }

    /// Where the listeners are.
    fn places(&self) -> io::Result<Vec<Place>> {
        let places = self.listeners.iter().zip(&self.secure).map(|(listener, secure)| {
            let place = listener.place()?;
            Ok(if *secure { place.secured() } else { place })
        });
        places.collect()
    }
}

/// A number that nobody can guess, and that no other process has: those that were made of the same
/// one have the same [`RandomState`].
fn secret(which: u32) -> u64 {
    RandomState::new().hash_one((process::id(), children::now(), which))
}

/// What there is of the system, for all processes of the same control group.
pub(super) fn limits(descriptors: DescriptorLimit) -> Limits {
    let descriptors = descriptors.now.and_then(|limit| usize::try_from(limit).ok());
    let memory = cgroup::memory_limit(Path::new("/"));
    Limits { descriptors: descriptors.unwrap_or(usize::MAX), memory }
}

pub(super) fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::System(what, error)
}

/// Tells scripts that connections are accepted, and where; and a person at a terminal where to
/// click. A stdout that nobody reads is no reason not to serve.
pub(super) fn announce(places: &[Place]) {
    let line = |place| format!("wsecho listening on {place}\n");
    let lines: String = places.iter().map(line).collect();
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        error!("stdout: {error}");
    }
    let stderr = io::stderr();
    let port = places.iter().find_map(|place| match place {
        Place::Tcp(address) => Some(("http", *address)),
        Place::Secure(address) => Some(("https", *address)),
        Place::Unix(_) => None,
    });
    if let (Some(first), true) = (port, stderr.is_terminal()) {
        // As above.
        let _ = writeln!(stderr.lock(), "Try it in a browser: {}", page(first));
    }
}

/// The URL of the page for a browser on this machine.
fn page((scheme, address): (&str, SocketAddr)) -> String {
    match address.ip() {
        ip if ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST => {
            format!("{scheme}://localhost:{}/", address.port())
        }
        _ => format!("{scheme}://{address}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_where_a_browser_finds_it() {
        let cases = [
            ("[::]:8080", "http://localhost:8080/"),
            ("0.0.0.0:80", "http://localhost:80/"),
            ("127.0.0.1:9", "http://localhost:9/"),
            ("[::1]:9", "http://[::1]:9/"),
            ("192.0.2.1:9", "http://192.0.2.1:9/"),
        ];
        for (address, url) in cases {
            assert_eq!(page(("http", address.parse().expect("an address"))), url);
        }
        assert_eq!(page(("https", SocketAddr::from(([127, 0, 0, 1], 9)))), "https://localhost:9/");
    }
}
