//! How connections end. Each ends with exactly one of these: the word in the log, the label in
//! the metrics, and what tests assert.

/// Why a connection ended; the first cause counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// The peer closed with a Close frame.
    Closed,
    /// The peer finished its side without a Close frame (1006 to an application).
    Gone,
    /// The peer broke the protocol or a limit and was told so by a Close frame.
    Fault,
    /// Invalid text in a frame that had been echoed in part: TCP was dropped.
    Dropped,
    /// A plain HTTP request was answered.
    Answered,
    /// An HTTP request was refused.
    Refused,
    /// The request head did not arrive in time.
    Handshake,
    /// No TLS session came about, or what arrived in it could not be opened.
    Tls,
    /// The peer did not answer a ping in time.
    Idle,
    /// A frame stopped in its middle.
    Stalled,
    /// The peer did not take its replies in time.
    Slow,
    /// Turned away: too many connections, or no room for what it said.
    Shed,
    /// The server shut down.
    Shutdown,
    /// The socket failed, usually by a reset.
    Io,
    /// It was to end so: a behaviour asked for it.
    Scripted,
    /// It had lasted as long as a connection may.
    Expired,
    /// A broken invariant of ours; must stay 0.
    Internal,
}

impl Ending {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 17] = [
        Self::Closed,
        Self::Gone,
        Self::Fault,
        Self::Dropped,
        Self::Answered,
        Self::Refused,
        Self::Handshake,
        Self::Tls,
        Self::Idle,
        Self::Stalled,
        Self::Slow,
        Self::Shed,
        Self::Shutdown,
        Self::Io,
        Self::Scripted,
        Self::Expired,
        Self::Internal,
    ];

    /// The word for logs and metric labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Gone => "gone",
            Self::Fault => "fault",
            Self::Dropped => "dropped",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Handshake => "handshake",
            Self::Tls => "tls",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Slow => "slow",
            Self::Shed => "shed",
            Self::Shutdown => "shutdown",
            Self::Io => "io",
            Self::Scripted => "scripted",
            Self::Expired => "expired",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_in_discriminant_order_and_words_differ() {
        for (at, ending) in Ending::ALL.iter().enumerate() {
            assert_eq!(*ending as usize, at);
            let same = Ending::ALL.iter().filter(|other| other.word() == ending.word());
            assert_eq!(same.count(), 1);
        }
    }
}
