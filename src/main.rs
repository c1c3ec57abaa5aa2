//! wsecho.
fn main() {}
