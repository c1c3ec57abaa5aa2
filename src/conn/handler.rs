//! Who listens behind a session: the exact echo, a room of a service, or a script.

mod member;
mod script;

use super::Context;
use super::inflaters::Deflate;
use super::session::Boundary;
use crate::metrics::Purpose;
pub use member::Member;
pub use script::{ScriptedEcho, Wish};

/// What a session's messages are for.
#[derive(Debug)]
pub enum Handler {
    /// The exact echo, with what was agreed on of permessage-deflate.
    Echo(Option<Deflate>),
    /// A member of a room: whole messages go to a service.
    Member(Box<Member>),
    /// An echo that behaves in some way; its replies wait in a script.
    Script(Box<ScriptedEcho>),
}

impl Handler {
    /// True for the exact echo.
    #[inline]
    pub fn is_echo(&self) -> bool {
        matches!(self, Self::Echo(_))
    }

    /// What its connection counts as.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::Echo(None) => Purpose::Echo,
            Self::Echo(Some(_)) => Purpose::CompressedEcho,
            Self::Member(_) => Purpose::Member,
            Self::Script(_) => Purpose::Behaviour,
        }
    }

    /// True if messages may arrive compressed.
    pub fn deflates(&self) -> bool {
        matches!(self, Self::Echo(Some(_)))
    }

    /// What was agreed on, as the response says it.
    pub fn extension(&self) -> Option<String> {
        match self {
            Self::Echo(Some(deflate)) => Some(deflate.extension()),
            _ => None,
        }
    }

    /// True until [`Self::begin`], for which the 101 has to be out.
    #[inline]
    pub fn is_new(&self) -> bool {
        match self {
            Self::Echo(_) => false,
            Self::Member(member) => member.is_new(),
            Self::Script(script) => script.is_new(),
        }
    }

    /// The connection is open and the 101 is out.
    pub fn begin(&mut self, cx: &mut Context) {
        match self {
            Self::Echo(_) => {}
            Self::Member(member) => member.begin(cx),
            Self::Script(script) => script.begin(cx),
        }
    }

    /// The connection is over, or will be within moments.
    pub fn end(&mut self, cx: &mut Context) {
        match self {
            Self::Echo(_) => {}
            Self::Member(member) => member.end(cx),
            Self::Script(script) => script.end(cx),
        }
    }

    /// True when the rest of what was read has to wait for another turn.
    #[inline]
    pub fn has_had_its_share(&self, cx: &Context) -> bool {
        match self {
            Self::Echo(None) => false,
            Self::Echo(Some(_)) => cx.inflaters.is_exhausted(),
            Self::Member(_) => cx.effects.share_is_used_up(),
            Self::Script(script) => script.is_full(),
        }
    }

    /// Bytes that it keeps beside the send queue.
    pub fn charged(&self) -> usize {
        match self {
            Self::Echo(_) => 0,
            Self::Member(member) => member.charged(),
            Self::Script(script) => script.charged(),
        }
    }

    /// Where a frame of ours may stand, as far as the handler's own replies go.
    pub(super) fn boundary(&self) -> Boundary {
        match self {
            // Replies of an echo are the session's; those of a service are whole frames.
            Self::Echo(_) | Self::Member(_) => Boundary::Here,
            Self::Script(script) => script.boundary(),
        }
    }
}
