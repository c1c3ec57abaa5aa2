//! What the connections of a load share: the messages, and where errors are counted.

use super::errors::Errors;
use super::script::Script;
use crate::limits::INFLATE_SCRATCH_BYTES;
use crate::ws::inflate::Inflater;
use crate::ws::offer::Agreed;

/// What receivers share: borrowed for one call.
pub struct Desk {
    /// The messages that are sent.
    pub script: Script,
    /// Whether echoes are compared with them.
    pub verify: bool,
    /// Of compressed connections.
    pub agreed: Option<Agreed>,
    /// Where errors are counted.
    pub errors: Errors,
    /// Pings that were answered.
    pub pings: u64,
    /// What messages are inflated into.
    pub(super) scratch: Vec<u8>,
    /// Inflaters that no message needs.
    pub(super) spare: Vec<Inflater>,
}

impl Desk {
    /// For these messages.
    pub fn new(script: Script, verify: bool) -> Self {
        let scratch = vec![0; INFLATE_SCRATCH_BYTES];
        let (errors, spare) = (Errors::default(), Vec::new());
        Self { script, verify, agreed: None, errors, pings: 0, scratch, spare }
    }
}
