//! In a program without a bus nobody has a seat on one.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::Server;
use crate::net::{Event, Net};

/// A server's place on a bus: there is none.
#[derive(Debug)]
pub(super) struct Seat<S>(Infallible, PhantomData<S>);

impl<N: Net> Server<N> {
    pub(super) fn attend_bus(&mut self) {}
}

impl<S> Seat<S> {
    pub(super) fn mark(&mut self, _: &Event) {
        match self.0 {}
    }

    pub(super) fn charged(&self) -> usize {
        match self.0 {}
    }
}
