//! The load generator: many clients, and numbers that can be trusted.
//!
//! One thread, one poll, one read buffer, as in the server, on the other side of the same protocol:
//! `ws` and `http` say what frames and handshakes look like, [`crate::net::dial`] is the seam to
//! the system, and everything in between takes the time as an argument.
//!
//! | file | duty |
//! |---|---|
//! | [`plan`] | every setting of a run |
//! | `sizes` `payload` `dice` `script` | the messages, built once, the same for each seed |
//! | [`pace`] | when messages are due |
//! | `client` `state` | one connection |
//! | `receiver` `unexpected` `room` | what is wrong with what comes back |
//! | `desk` `tally` `errors` `process` | what connections share, and what is counted |
//! | [`engine`] | the loop, and the stages of a run |
//! | [`run`] | phases and searches, and the report of them |
//! | [`report`] | what came of it |

mod client;
mod desk;
mod dice;
pub mod engine;
pub mod errors;
mod outgoing;
pub mod pace;
pub mod payload;
pub mod plan;
mod process;
mod receiver;
pub mod report;
mod room;
pub mod run;
mod script;
pub mod search;
pub mod sizes;
mod state;
mod tally;
pub mod template;
mod unexpected;
