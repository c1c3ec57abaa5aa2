//! HTTP/1.1 as far as a WebSocket server needs it, as pure functions: bytes in, decisions and bytes
//! out.
//!
//! No clock, no socket, no log, and no knowledge of frames. A request passes through in this order:
//!
//! ```text
//! bytes --scan--> Head --routes--> Route::Upgrade (Mount, Opening)  --response--> 101
//!          |                   |-> Route::Answer (page, health, ..) --response--> 200, 503
//!          |                   |-> Route::Explain (query)           --response--> 4xx, 5xx
//!          '-> HeadFault ------'-> Route::Refuse (Refusal)          --response--> 4xx, 5xx
//! ```
//!
//! Every response but the 101 says `Connection: close`: a request body is never read, and a second
//! request is never served, so nothing behind a head can be mistaken for either.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)
)]

mod class;
pub mod client;
mod coding;
mod credentials;
mod forwarded;
mod head;
mod name;
mod origin;
mod refusal;
mod response;
mod routes;
mod scan;
mod status;
mod target;
mod upgrade;

pub use coding::takes_gzip;
pub use credentials::{is_public, shown_subprotocol, shown_target, tokens};
pub use forwarded::client as forwarded_client;
pub use head::{Head, Version};
pub use name::Name;
pub use origin::normalize_origin;
pub use refusal::{HeadFault, Refusal};
pub use response::{Media, write_answer, write_opening, write_options, write_refusal};
pub use routes::{Answer, Mount, RoomPaths, Route, ServicePath, route};
pub use scan::{Progress, Scan};
pub use status::Status;
pub use upgrade::{AcceptKey, Opening, Rules, extensions};
