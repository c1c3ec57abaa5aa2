//! The load generator: many clients, and numbers that can be trusted.

pub mod report;
pub mod search;
