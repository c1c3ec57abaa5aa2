//! RFC text as functions: no clock, no socket, no log.

pub mod deflate;
pub mod extension;
pub mod inflate;
