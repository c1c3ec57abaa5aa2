//! Where a connection of a load stands, and how it comes to its end.

use super::errors::Kind;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// TCP is being connected.
    Connecting,
    /// The request has been sent.
    Opening,
    /// Messages may be sent.
    Open,
    /// Our Close has been sent; the server is to end the connection.
    Closing,
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Closed in order, as we asked for it.
    Asked,
    /// The server ended it, or something failed.
    Wrong(Kind, String),
    /// It broke the protocol, which has been counted.
    Broken,
}
