//! A WebSocket echo server for small machines.
//!
//! The binary is the product; the library exists so that tests, fuzzers and benches can reach
//! each floor on its own. ARCHITECTURE.md explains how they hang together. Lowest floor first:
//! [`ending`], [`id`], [`limits`], [`peer`], [`rate`], [`text`] and [`units`] are words; [`budget`]
//! is the ledger of memory, [`admission`] says who may come, and [`metrics`] are the counters;
//! [`ws`] and [`http`] are the RFCs as functions, and [`pages`] what browsers are shown;
//! [`service`] and [`behaviour`] say what is said beside an exact echo, and `bus` says it to other
//! processes; [`conn`] is one connection;
//! [`net`] and [`server`] are the machinery; `load` is the load generator; [`cli`] is the entry.

pub mod admission;
pub mod behaviour;
pub mod budget;
#[cfg(feature = "bus")]
pub mod bus;
pub mod cli;
pub mod conn;
pub mod ending;
pub mod file;
pub mod http;
pub mod id;
pub mod limits;
#[cfg(feature = "load")]
pub mod load;
pub mod metrics;
pub mod net;
#[cfg(feature = "pages")]
pub mod pages;
pub mod peer;
pub mod rate;
pub mod server;
pub mod service;
pub mod text;
pub mod units;
pub mod ws;
