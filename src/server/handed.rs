//! How a worker begins: with what its supervisor hands it.

use std::env;
use std::fs;
use std::io;
use std::rc::Rc;

use super::Asked;
use crate::net::children::WORKER_VARIABLE;
use crate::net::control::{Control, Packet, Word};
use crate::net::listen::{Listener, adopt};

/// Which worker this process is, if it is one.
pub fn worker_number() -> Option<u32> {
    env::var(WORKER_VARIABLE).ok()?.parse().ok()
}

/// What the supervisor has handed over.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) control: Rc<Control>,
    /// The listeners of each address.
    listeners: Vec<Vec<Listener>>,
    /// What is to be taken on.
    pub(super) asked: Asked,
}

impl Handed {
    /// Waits for listeners for so many addresses, and for the word that these are all.
    pub(super) fn receive(addresses: usize) -> io::Result<Self> {
        let control = Rc::new(Control::from_stdin()?);
        // Lists of processes would show the name of the link that it was started by.
        let _ = fs::write("/proc/self/comm", "wsecho");
        let mut listeners: Vec<Vec<Listener>> = Vec::new();
        listeners.resize_with(addresses, Vec::new);
        loop {
            let packet = control.wait()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let size = |at: usize| packet.numbers.get(at).and_then(|n| usize::try_from(*n).ok());
            match packet {
                Packet { word: Word::Listen, descriptor: Some(descriptor), .. } => {
                    let of_address = size(0).and_then(|at| listeners.get_mut(at));
                    of_address.ok_or(io::ErrorKind::InvalidData)?.push(adopt(descriptor)?);
                }
                Packet { word: Word::Begin, .. } => {
                    let asked = Asked { connections: size(0), budget: size(1) };
                    return Ok(Self { control, listeners, asked });
                }
                // Whatever it is, it is not for somebody who has not begun.
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Takes the listeners of an address.
    pub(super) fn take(&mut self, address: usize) -> Vec<Listener> {
        self.listeners.get_mut(address).map(std::mem::take).unwrap_or_default()
    }
}
