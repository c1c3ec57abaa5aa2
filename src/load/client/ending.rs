//! How a connection ends that nobody here has ended.

use super::{Client, End, Kind, State};
use crate::net::Stream;

impl<S: Stream> Client<S> {
    /// What the end of the stream means here.
    pub fn finished(&self) -> End {
        match self.state {
            State::Closing => End::Asked,
            State::Connecting => End::Wrong(Kind::Connect, "closed at once".to_owned()),
            State::Opening => End::Wrong(Kind::Handshake, "closed without an answer".to_owned()),
            State::Open => {
                let how = if self.bare { "by the server" } else { "without a Close" };
                let words = match self.in_flight {
                    0 => how.to_owned(),
                    count => format!("{how}, {count} messages in flight"),
                };
                End::Wrong(Kind::Closed, words)
            }
        }
    }

    /// Whether the connection goes on after what came.
    pub fn goes_on(&self, broken: bool, close: Option<String>) -> Result<(), End> {
        match close {
            _ if broken => Err(End::Broken),
            Some(words) if self.state == State::Open => {
                let words = format!("{words}, {} messages in flight", self.in_flight);
                Err(End::Wrong(Kind::Closed, words))
            }
            _ => Ok(()),
        }
    }
}
