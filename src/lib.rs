//! wsecho.

pub mod ws;
