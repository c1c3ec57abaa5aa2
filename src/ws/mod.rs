//! RFC 6455 as functions: frame heads, masking, UTF-8, close codes and the frame decoder.
//!
//! Nothing here sees a clock, a socket or a log, and no input makes it panic.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)
)]

pub mod close;
pub mod decoder;
#[cfg_attr(not(feature = "deflate"), path = "deflate_absent.rs")]
pub mod deflate;
#[cfg(feature = "load")]
pub mod deflater;
pub mod extension;
mod fault;
pub mod head;
#[cfg(feature = "load")]
pub mod incoming;
#[cfg(feature = "deflate")]
pub mod inflate;
pub mod mask;
#[cfg(feature = "load")]
pub mod offer;
pub mod utf8;

pub use fault::Fault;
