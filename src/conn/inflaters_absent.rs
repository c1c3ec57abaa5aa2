//! What stands for `inflaters.rs` in a program that does not know permessage-deflate: no connection
//! agrees on it, so nobody has an inflater or waits for one.

use std::time::Duration;

use super::Context;
use crate::budget::Budget;
use crate::ws::Fault;
use crate::ws::deflate::Agreement;

/// What a connection that agreed on permessage-deflate keeps: there is none.
#[derive(Debug)]
pub enum Deflate {}

/// What became of input that was to be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// Bytes of it that were taken, from the front.
    pub consumed: usize,
}

impl Deflate {
    /// As agreed in the opening handshake.
    pub fn new(agreement: Agreement, _: &Budget) -> Self {
        match agreement {}
    }

    /// What was agreed on, as the response says it.
    pub fn extension(&self) -> String {
        match *self {}
    }

    /// Whether so many bytes of a compressed message can be inflated now.
    pub fn may_inflate(&mut self, _: usize, _: &Context) -> bool {
        match *self {}
    }

    /// True while a message has an inflater.
    pub fn has_inflater(&self) -> bool {
        match *self {}
    }

    /// True when what was put aside waits for an inflater.
    pub fn waits(&self) -> bool {
        match *self {}
    }

    /// Since when a message holds an inflater.
    pub fn holds_since(&self) -> Option<Duration> {
        match *self {}
    }

    /// Feeds payload of the current message.
    pub fn inflate(
        &mut self,
        _: &[u8],
        _: bool,
        _: u64,
        _: &mut Context,
        _: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<Inflated, Fault> {
        match *self {}
    }
}

/// A pool without inflaters.
#[derive(Debug)]
pub struct Inflaters {
    /// Connections that wait for an inflater.
    pub waiting: usize,
}

impl Inflaters {
    /// A pool that lends none.
    pub fn new(_: usize, _: Budget) -> Self {
        Self { waiting: 0 }
    }

    /// Inflaters that are lent.
    pub fn lent(&self) -> usize {
        0
    }

    /// How many more may be lent.
    pub fn free(&self) -> usize {
        0
    }

    /// True when one more may be lent to the connection whose turn it is.
    pub fn may_lend(&self) -> bool {
        false
    }

    /// True when a connection may be given a window of its own.
    pub fn may_keep_window(&self) -> bool {
        false
    }

    /// A turn of the loop begins.
    pub fn set_share(&mut self, _: usize) {}

    /// A connection's turn begins.
    pub fn begin_turn(&mut self, _: bool) {}

    /// True when the current turn should end.
    pub fn is_exhausted(&self) -> bool {
        false
    }

    /// There is no scratch buffer to overwrite.
    pub fn poison(&mut self) {}
}
