//! wsecho.
pub mod cli;
pub mod limits;
