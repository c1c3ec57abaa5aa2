//! wsecho.

fn main() {}
