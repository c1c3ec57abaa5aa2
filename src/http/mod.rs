//! HTTP/1.1 as far as a WebSocket server needs it, as pure functions: bytes in, decisions and bytes
//! out.
//!
//! No clock, no socket, no log, and no knowledge of frames. A request passes through in this order:
//!
//! ```text
//! bytes --scan--> Head --routes--> Route::Upgrade (Mount, Opening)  --response--> 101
//!          |                   |-> Route::Answer (page, health, ..) --response--> 200, 503
//!          |                   |-> Route::Fallback (Fallback)      --body------> 200, 204, 4xx
//!          |                   |-> Route::Explain (query)           --response--> 4xx, 5xx
//!          '-> HeadFault ------'-> Route::Refuse (Refusal)          --response--> 4xx, 5xx
//! ```
//!
//! Every response but the 101 says `Connection: close`, and a second request is never served. Only
//! those of [`Fallback`] may have a body, and what stands behind its end is thrown away: nothing
//! can be mistaken for another request.

#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)
)]

mod body;
mod class;
pub mod client;
mod coding;
mod credentials;
mod fallback;
mod forwarded;
mod framing;
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

pub use body::{Body, BodyFault};
pub use class::is_token;
pub use coding::takes_gzip;
pub use credentials::{is_public, shown_subprotocol, shown_target, tokens};
pub use fallback::{Content, Declared, Fallback, Kind, MailboxName, Methods, Upload};
pub use forwarded::client as forwarded_client;
pub use framing::Framing;
pub use head::{Head, Version};
pub use name::Name;
pub use origin::normalize_origin;
pub use refusal::{HeadFault, Refusal};
pub use response::{
    CONTINUE, Media, chunk_head, write_answer, write_echo_head, write_events_head, write_nothing,
    write_opening, write_options, write_refusal,
};
pub use routes::{Answer, Mount, RoomPaths, Route, ServicePath, route};
pub use scan::{Progress, Scan};
pub use status::Status;
pub use upgrade::{AcceptKey, Opening, Rules, extensions};
