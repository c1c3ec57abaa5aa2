//! What is left of a phase at its end, and what the next takes over.

use super::{Rare, Receiver};
use crate::ws::incoming::Incoming;

/// What a phase leaves of a connection to the next: where it stands in the server's frames.
#[derive(Debug)]
pub struct Rest {
    pub incoming: Incoming,
    /// The payload of a control frame that has not come whole.
    pub control: Vec<u8>,
    /// The message under way answers nothing of the next phase.
    pub stale: bool,
}

impl Receiver {
    /// Messages that were overtaken and never came.
    pub fn lost(&self) -> u64 {
        self.rare.as_ref().map_or(0, |rare| rare.lost + rare.overtaken.len() as u64)
    }

    /// The same, and forgets them.
    pub fn take_lost(&mut self) -> u64 {
        let lost = self.lost();
        if let Some(rare) = &mut self.rare {
            rare.overtaken.clear();
            rare.lost = 0;
        }
        lost
    }

    /// Where it stands, for the next phase, which has no use for the rest.
    pub fn leave(&mut self) -> Rest {
        let control = self.rare.as_mut().map(|rare| std::mem::take(&mut rare.control));
        let (incoming, stale) = (self.incoming.clone(), self.incoming.is_within_message());
        Rest { incoming, control: control.unwrap_or_default(), stale }
    }

    /// Goes on where an earlier phase stood.
    pub fn take_up(&mut self, rest: Rest) {
        let Rest { incoming, control, stale } = rest;
        self.incoming = incoming;
        if stale || !control.is_empty() {
            self.rare = Some(Box::new(Rare { control, stale, ..Rare::default() }));
        }
    }
}
