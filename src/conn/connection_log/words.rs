//! Who ended a connection, and why, in a few words.

use super::{ConnectionLog, End, escape};
use crate::conn::Cause;
use crate::conn::session::Farewell;
use crate::ending::Ending;

impl ConnectionLog {
    /// Who ended it, and why, as a reader of the RFC would say it.
    pub(super) fn how(&self) -> String {
        let Some(End { cause, farewell, .. }) = &self.end else {
            return "cut off, the server ends".to_owned();
        };
        let words = match cause {
            Cause::PeerClosed(_) | Cause::PeerFinished | Cause::PeerTruncated
                if farewell.is_some() =>
            {
                match farewell {
                    Some(Farewell::Expired) => "closed by server, open for as long as may be",
                    _ => "closed by server, going away",
                }
            }
            Cause::PeerTruncated => "cut off on the way, or by peer without the end of TLS",
            Cause::TlsFailed(why) => {
                return format!("closed by server, TLS: {}", escape(why.as_bytes()));
            }
            Cause::PeerClosed(_) => "closed by peer",
            Cause::PeerFinished if self.plain => "ended by peer",
            Cause::Stalled if self.plain => "refused, its body stopped",
            Cause::Answered(Ending::Answered) if self.plain => "answered",
            Cause::Answered(Ending::Shutdown) if self.plain => "ended by server, going away",
            Cause::Answered(Ending::Expired) if self.plain => {
                "ended by server, open for as long as may be"
            }
            Cause::Answered(_) if self.plain => "refused",
            Cause::BodyDropped(fault) => {
                return format!("dropped by server, {} within a reply", fault.reason());
            }
            Cause::PeerFinished if !self.opened => "left by peer before a request was complete",
            Cause::PeerFinished => "ended by peer without a Close",
            Cause::Fault(fault) => return format!("closed by server, {}", fault.reason()),
            Cause::Dropped(fault) => {
                return format!("dropped by server, {} within a reply", fault.reason());
            }
            Cause::SocketFailed => "lost, reset by peer or broken on the way",
            Cause::Answered(_) => "closed before a request was complete, the server ends",
            Cause::TurnedAway => "turned away",
            Cause::NoReserve => "dropped by server, no room for its answer",
            Cause::NoRequest => "closed by server, no request in time",
            Cause::NoPong => "closed by server, no pong in time",
            Cause::Stalled => "closed by server, stalled within a frame",
            Cause::HoldsInflater => "closed by server, a compressed message took too long",
            Cause::Slow => "dropped by server, its peer reads too slowly",
            Cause::Starved => "closed by server, overloaded",
            Cause::TimeIsUp => "cut off, no answer to Close in time",
            Cause::Dismissed(_, reason) => return format!("closed by server, {reason}"),
            Cause::ScriptCloses(..) => "closed by server, as asked",
            Cause::ScriptFinishes => "finished by server without a Close, as asked",
            Cause::ScriptResets => "reset by server, as asked",
        };
        words.to_owned()
    }
}
