//! Addresses of a name, without waiting for them.
//!
//! The system knows no other way to ask for them than one that blocks. So a thread asks, which ends
//! with the answer; nothing else of the process is shared with it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

/// The addresses of one name, asked for anew when all of them have been tried.
#[derive(Debug, Default)]
pub struct Lookup {
    /// Those that have not been tried, the next one last.
    known: Vec<SocketAddr>,
    asked: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Lookup {
    /// An address is left to be tried.
    pub fn has_more(&self) -> bool {
        !self.known.is_empty()
    }

    /// The next address to be tried. `WouldBlock` until it is known.
    pub fn next(&mut self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Ok(address) = host.parse() {
            return Ok(SocketAddr::new(address, port));
        }
        if let Some(address) = self.known.pop() {
            return Ok(address);
        }
        let asked = match self.asked.take() {
            Some(asked) => asked,
            None => ask(host.to_owned(), port)?,
        };
        match asked.try_recv() {
            Ok(found) => self.known = found?,
            Err(TryRecvError::Disconnected) => return Err(ErrorKind::NotFound.into()),
            Err(TryRecvError::Empty) => {
                self.asked = Some(asked);
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        self.known.reverse();
        self.known.pop().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn ask(host: String, port: u16) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (answer, asked) = sync_channel(1);
    thread::Builder::new().name("lookup".to_owned()).spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody may want to know any more.
        let _ = answer.send(found);
    })?;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_at_once_and_names_later() {
        let mut lookup = Lookup::default();
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(lookup.next("127.0.0.1", 7).expect("an address"), address("127.0.0.1:7"));
        assert_eq!(lookup.next("::1", 7).expect("an address"), address("[::1]:7"));
        assert!(lookup.asked.is_none());
        let found = loop {
            match lookup.next("localhost", 7) {
                Ok(found) => break found,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            thread::yield_now();
        };
        assert!(found.ip().is_loopback() && found.port() == 7);
    }
}
