//! Every size, budget and timeout, with its reason, and the inequalities between them.
//!
//! Constants bound structures and the work of one turn. [`Config`] holds what an operator may
//! choose; its defaults are here too, so that `--help` and the code cannot disagree.

mod bus;
mod compression;
mod fallback;
mod history;
mod rooms;
mod tls;
mod workers;

use std::path::PathBuf;
use std::time::Duration;

use crate::peer::Network;
use crate::rate::Rate;

pub use bus::*;
pub use compression::*;
pub use fallback::*;
pub use history::{
    COALESCE_MAX, HELD_MAX, ROOM_HISTORY_BYTES_MAX, ROOM_HISTORY_MESSAGES_MAX, RoomHistory,
};
pub use rooms::*;
pub use tls::*;
pub use workers::*;

/// Longest request head, in bytes. Browsers with full cookie jars stay below 8 KiB, and nginx,
/// Apache and Node draw the line at 8 or 16 KiB.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Most fields in a request head (Apache and Go use 100 as well).
pub const HEAD_FIELDS_MAX: usize = 100;

/// Longest method with its space, in bytes (501 beyond it): RFC 9112 §3 wants that for a method
/// longer than any the server implements, and no registered one has more than 17.
pub const HEAD_METHOD_BYTES_MAX: usize = 32;

/// Most subprotocols that a client may offer (400 beyond it), so that the search for a duplicate
/// is bounded. Real clients offer one to three.
pub const SUBPROTOCOLS_MAX: usize = 64;

/// Longest head of a client's frame: 2 bytes, 8 of length, 4 of masking key (RFC 6455 §5.2).
pub const FRAME_HEAD_BYTES_MAX: usize = 14;

/// By how much a client's frame head is longer than the server's (RFC 6455 §5.3).
pub const MASKING_KEY_BYTES: usize = 4;

/// Longest payload of a control frame (RFC 6455 §5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Text frames of up to this many bytes are sent only when their last byte has been validated,
/// so that invalid text is always answered with Close 1007. The price is that much memory for
/// each connection that is in the middle of one.
pub const COMMIT_BYTES_MAX: usize = 16 * 1024;

/// Room in front of the read area: what a connection brought along from its last read (the start
/// of a frame head, or an uncommitted reply) is laid there, next to the bytes that follow it.
pub const HEADROOM_BYTES: usize = COMMIT_BYTES_MAX + FRAME_HEAD_BYTES_MAX + 2;

/// Bytes of one read at most. A larger area saves system calls, a smaller one stays in the
/// second-level cache and bounds what one refused write can leave behind: both together are what a
/// message of any length costs, and that is to be less than 512 KiB.
pub const READ_BYTES_MAX: usize = 232 * 1024;

/// The least worth a system call: below this a read waits for the buffer budget to recover.
pub const READ_BYTES_MIN: usize = 4 * 1024;

/// While more than this is kept for peers in all, reads shrink, so that many blocked peers together
/// stay in single mebibytes although each of them alone may leave a whole read behind.
pub const BUFFERED_BYTES_SOFT: usize = 4 * 1024 * 1024;

/// What is kept for peers that have no open connection, beside the budget: partial request heads,
/// and answers that a socket would not take. When it is short, the oldest make room.
pub const RESERVE_BYTES: usize = 4 * 1024 * 1024;

/// What the process may take beside its memory at start and the buffer budget: the reserve, the
/// read buffer, spare buffers, the tables of connections, and what the allocator wastes.
pub const RESIDENT_SLACK_BYTES: usize = 16 * 1024 * 1024;

/// What the process takes at its start, with room to spare.
pub const RESIDENT_START_BYTES: usize = 4 * 1024 * 1024;

/// A peer that takes less than this of its replies, while others wait for room, is ended as slow.
pub const PEER_BYTES_PER_SECOND_MIN: u64 = 1024;

/// While somebody waits for room or an inflater, those who have it are looked at this often.
pub const POLICE_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time over which that is measured: whoever waits for room waits at least as long.
pub const PACE_WINDOW_MAX: Duration = Duration::from_secs(20);

/// A send queue gives memory back when this much at its front, and half of all, has been sent.
pub const SEND_QUEUE_COMPACT_BYTES_MIN: usize = 64 * 1024;

/// Bytes that one connection may read in one turn before the others have theirs.
pub const QUANTUM_BYTES_MAX: usize = 2 * READ_BYTES_MAX;

/// Bytes that all connections together should read in one turn: the more of them are ready, the
/// less each may read.
pub const TURN_BYTES: usize = 8 * 1024 * 1024;

/// The least that a connection may read in a turn, however many are ready.
pub const QUANTUM_BYTES_MIN: usize = 16 * 1024;

/// Connections accepted in one turn, so that a burst of them does not delay the echoes.
pub const TURN_ACCEPTS_MAX: usize = 128;

/// Events fetched by one wait.
pub const TURN_EVENTS_MAX: usize = 1024;

/// Connections beyond `max_connections` that are told so (503) in an orderly way at one time.
pub const SHED_CONNECTIONS_MAX: usize = 64;

/// Descriptors that are not connections: standard streams, poll, listeners, signals, the spare.
pub const RESERVED_DESCRIPTORS: usize = 16;

/// Send queues kept for the next connection that needs one, so that replies which arrive in
/// pieces do not allocate either.
pub const SPARE_QUEUES_MAX: usize = 32;

/// A send queue grown beyond this is given back to the allocator rather than kept as a spare.
pub const SPARE_QUEUE_BYTES_MAX: usize = HEADROOM_BYTES;

/// Bytes of replies that a behaving echo may have queued, and again in its send queue, before no
/// more is read from its peer.
pub const SCRIPT_BYTES_SOFT: usize = 64 * 1024;

/// Most frames, or parts of them, that a script says at once. It then has had as much of its turn
/// as if it had read [`QUANTUM_BYTES_MIN`].
pub const SPEAK_ACTIONS_MAX: usize = 256;

/// Messages to others that wait to be handed out. When there are more, whoever speaks has had its
/// share of the turn.
pub const TURN_EFFECTS_MAX: usize = 4096;

/// The same in bytes of different frames.
pub const TURN_EFFECT_BYTES_MAX: usize = 256 * 1024;

/// Times in a turn that so many are handed out before members of rooms have to wait for the next.
pub const TURN_DELIVERIES_MAX: usize = 16;

/// Resolution of all deadlines. The clock column counts these in 16 bits, see [`TIMEOUT_MAX`].
pub const TICK: Duration = Duration::from_millis(250);

/// Longest timeout that the 16-bit tick column can tell from one just begun.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// Longest stretch of a peer's own words (path, close reason) that goes into one log line.
pub const LOGGED_BYTES_MAX: usize = 120;

const _: () = assert!(READ_BYTES_MIN <= READ_BYTES_MAX);
const _: () = assert!(HEAD_BYTES_MAX <= READ_BYTES_MAX, "a whole head fits into one read");
const _: () = assert!(COMMIT_BYTES_MAX + 4 <= HEADROOM_BYTES, "an uncommitted reply fits");
const _: () = assert!(CONTROL_BYTES_MAX <= COMMIT_BYTES_MAX, "control frames commit whole too");
const _: () = assert!(HEAD_BYTES_MAX <= u16::MAX as usize, "head offsets are 16 bits wide");
const _: () = assert!(HEAD_FIELDS_MAX < u8::MAX as usize, "fields are counted in 8 bits");
const _: () = assert!(HEAD_METHOD_BYTES_MAX < HEAD_BYTES_MAX);
const _: () = assert!(INFLATE_READ_BYTES <= READ_BYTES_MAX);
const _: () = assert!(INFLATE_SLICE_BYTES > FRAME_HEAD_BYTES_MAX, "a slice has a whole head");
const _: () = assert!(QUANTUM_BYTES_MIN >= READ_BYTES_MIN && HEAD_BYTES_MAX <= QUANTUM_BYTES_MIN);
const _: () = assert!(READ_BYTES_MAX <= BUFFERED_BYTES_SOFT / 4);
const _: () = assert!(ROOM_MEMBERS_MAX <= TURN_EFFECTS_MAX, "a message to all is one share");
const _: () = assert!(TIMEOUT_MAX.as_millis() / TICK.as_millis() < u16::MAX as u128 - 1024);

/// What an operator may choose. A zero duration turns that deadline off.
#[derive(Clone, Debug)]
pub struct Config {
    /// Longest message in bytes, `u64::MAX` for none. Judged on announced lengths.
    pub max_message_size: u64,
    /// Most frames in one message.
    pub max_fragments: u32,
    /// Most connections at one time.
    pub max_connections: usize,
    /// Bytes that may be kept for peers with open connections, all together.
    pub buffer_budget: usize,
    /// From accept to the end of the request head; not extended by traffic.
    pub handshake_timeout: Duration,
    /// Silence after which a peer is pinged. By default twice within the 60 seconds after which
    /// nginx and others give a silent connection up.
    pub ping_interval: Duration,
    /// Silence after that ping until the connection ends.
    pub ping_timeout: Duration,
    /// Silence in the middle of a frame, or without progress of a refused write.
    pub stall_timeout: Duration,
    /// From our Close or answer to the end of the connection; not extended by traffic.
    pub close_timeout: Duration,
    /// From the first signal to the drain. Open connections go on; from the signal on new ones get
    /// 503, so that balancers look elsewhere. Zero drains at once.
    pub drain_delay: Duration,
    /// From the end of that delay to the end of the process.
    pub drain_timeout: Duration,
    /// What rooms keep for those who come later.
    pub room_history: RoomHistory,
    /// How long a message to a member of a room waits for others to leave with it; zero for not at
    /// all.
    pub coalesce: Duration,
    /// Subprotocols that may be chosen; the client's first of them is. `*` stands for any.
    pub subprotocols: Vec<String>,
    /// Origins allowed; empty allows all.
    pub origins: Vec<String>,
    /// What to agree to of permessage-deflate.
    pub deflate: Deflate,
    /// Most messages that are being inflated across turns at one time.
    pub inflaters: usize,
    /// What echoes do beside echoing: parameters of behaviour with their values.
    pub behaviour: Vec<(&'static str, String)>,
    /// Parameters that the query of a URL may set; `None` for all.
    pub allowed: Option<Vec<String>>,
    /// The server tells of itself at `/status`.
    pub status: bool,
    /// Where it listens, as it tells there. Set when it does.
    pub listeners: Vec<String>,
    /// Which of the listeners are for proxies that send a header of the PROXY protocol. Set when it
    /// listens.
    pub proxied: Vec<bool>,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trust_proxy: Vec<Network>,
    /// Most connections of one address at one time.
    pub max_connections_per_ip: Option<u32>,
    /// How often one address may connect.
    pub handshake_rate: Option<Rate>,
    /// How many messages are read of one connection.
    pub message_rate: Option<Rate>,
    /// How many bytes are read of one connection.
    pub byte_rate: Option<Rate>,
    /// From accept to our Close 1012, less up to a tenth; zero for no end.
    pub max_lifetime: Duration,
    /// The file of tokens, if one is asked for of those who come.
    pub auth_tokens: Option<PathBuf>,
    /// The file of the key that JSON Web Tokens are made with, if those let somebody in.
    pub auth_jwt_key: Option<PathBuf>,
    /// For whom they have to be.
    pub auth_jwt_audience: Vec<String>,
    /// `/metrics` is answered without a token.
    pub metrics_open: bool,
    /// All echoes are exact, whatever a query says.
    pub exact: bool,
    /// A request that is shown is shown with its cookies and credentials.
    pub mirror_secrets: bool,
    /// What gets through without WebSocket is served: `POST /echo`, `/sse`, `/poll`.
    pub fallback: bool,
    /// Who the server is for clients of `wss://`.
    pub tls: TlsFiles,
    /// What rooms share with other processes.
    pub bus: Option<BusAddress>,
    /// The server starts only if it gets on the bus.
    pub bus_required: bool,
    /// Which of several processes this is.
    pub worker: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_size: 64 * 1024 * 1024,
            max_fragments: 131_072,
            max_connections: 1024,
            buffer_budget: 64 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            close_timeout: Duration::from_secs(5),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(5),
            room_history: RoomHistory::default(),
            coalesce: Duration::ZERO,
            subprotocols: vec!["*".to_owned()],
            origins: Vec::new(),
            deflate: if cfg!(feature = "deflate") { Deflate::On } else { Deflate::Off },
            inflaters: 256,
            behaviour: Vec::new(),
            allowed: None,
            status: true,
            listeners: Vec::new(),
            proxied: Vec::new(),
            trust_proxy: Vec::new(),
            max_connections_per_ip: None,
            handshake_rate: None,
            message_rate: None,
            byte_rate: None,
            max_lifetime: Duration::ZERO,
            auth_tokens: None,
            auth_jwt_key: None,
            auth_jwt_audience: Vec::new(),
            metrics_open: false,
            exact: false,
            mirror_secrets: false,
            fallback: true,
            tls: TlsFiles::default(),
            bus: None,
            bus_required: false,
            worker: None,
        }
    }
}
