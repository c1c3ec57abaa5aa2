//! What the targets do with an input; `cargo test` of the crate runs the same code.

#[path = "../../tests/support/fuzz.rs"]
pub mod bodies;
