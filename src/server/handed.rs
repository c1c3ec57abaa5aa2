//! What a worker begins with.

use std::rc::Rc;
use std::time::Duration;

use super::Asked;
use crate::net::control::Control;
use crate::net::listen::Listener;

/// What the supervisor hands a new worker.
#[derive(Debug)]
pub struct Handed {
    /// Which of the workers it is.
    pub number: u32,
    /// All have served already, and it is in the place of one that has died.
    pub again: bool,
    pub(super) control: Rc<Control>,
    /// Listeners, with the numbers of their addresses.
    pub(super) listeners: Vec<(usize, Listener)>,
    /// What is to be taken on.
    pub(super) asked: Asked,
    /// How long it may be silent, if there is a limit.
    pub(super) silence: Option<Duration>,
}

impl Handed {
    /// Takes the listeners of an address.
    pub(super) fn take(&mut self, address: usize) -> Vec<Listener> {
        let all = std::mem::take(&mut self.listeners);
        let (taken, left): (Vec<_>, _) = all.into_iter().partition(|(of, _)| *of == address);
        self.listeners = left;
        taken.into_iter().map(|(_, listener)| listener).collect()
    }
}
