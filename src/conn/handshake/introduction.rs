//! Who is there: the peer itself, or whom a proxy speaks for.

use std::ops::Range;
use std::rc::Rc;

use super::{Handshake, Outcome, PARTIAL_BYTES};
use crate::conn::proxy;
use crate::conn::read_buffer::ReadBuffer;
use crate::conn::{ConnectionLog, Context};
use crate::http::{self, Head, Refusal, Scan};
use crate::limits::HEAD_BYTES_MAX;

use crate::peer::Peer;

/// Who says for whom the peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introduction {
    /// Nobody any more: it is known who is there.
    Done,
    /// A header of the PROXY protocol, in front of the request.
    Header,
    /// Fields of the request: the peer is a proxy that is trusted.
    Fields,
}

impl Introduction {
    /// How a peer is introduced that has just connected, to a port for proxies if `proxied`.
    pub fn of(peer: Peer, proxied: bool, cx: &Context) -> Self {
        match () {
            () if proxied => Self::Header,
            () if cx.config.trust_proxy.iter().any(|network| network.has(peer)) => Self::Fields,
            () => Self::Done,
        }
    }
}

impl Handshake {
    /// Takes a part of the PROXY protocol's header. Returns where the request begins.
    pub(super) fn receive_header(
        &mut self,
        buffer: &ReadBuffer,
        span: Range<usize>,
        log: Option<&mut ConnectionLog>,
        cx: &mut Context,
    ) -> Result<usize, Outcome> {
        let bytes = buffer.part_of(span.clone());
        let before = self.partial.as_ref().map_or(0, |partial| partial.bytes.len());
        let read = match &mut self.partial {
            None => proxy::read(bytes),
            Some(partial) => {
                let taken = bytes.len().min(HEAD_BYTES_MAX - before);
                partial.charge.set(PARTIAL_BYTES + before + taken);
                partial.bytes.reserve_exact(taken);
                partial.bytes.extend_from_slice(&bytes[..taken]);
                proxy::read(&partial.bytes)
            }
        };
        let Ok(header) = read else { return Err(self.refuse(Refusal::Proxy, None, cx)) };
        let Some(proxy::Header { length, client }) = header else {
            if self.partial.is_none() {
                self.keep_partial(bytes, Scan::default(), cx)?;
            }
            return Ok(span.end);
        };
        self.partial = None;
        if let Some(client) = client {
            self.peer = client.into();
        }
        self.introduction = Introduction::of(self.peer, false, cx);
        if let Some(log) = log {
            log.introduce(self.peer);
        }
        if self.introduction == Introduction::Done {
            self.be_admitted(None, cx)?;
        }
        Ok(span.start + length - before)
    }

    /// The request itself says for whom the peer, a trusted proxy, has sent it.
    pub(super) fn introduce(
        &mut self,
        head: &Head<'_>,
        log: Option<&mut ConnectionLog>,
        cx: &mut Context,
    ) -> Result<(), Outcome> {
        let networks = &cx.config.trust_proxy;
        let trusted = |ip| networks.iter().any(|network| network.has_address(ip));
        match http::forwarded_client(head, &trusted) {
            Ok(Some((ip, port))) => self.peer = Peer::behind_proxy(ip, port),
            Ok(None) => {}
            Err(refusal) => return Err(self.refuse(refusal, Some(head), cx)),
        }
        self.introduction = Introduction::Done;
        if let Some(log) = log {
            log.introduce(self.peer);
        }
        self.be_admitted(Some(head), cx)
    }

    /// It is known who is there, and there may be as many as it has already.
    fn be_admitted(&self, head: Option<&Head<'_>>, cx: &mut Context) -> Result<(), Outcome> {
        match cx.admit(self.peer) {
            Ok(()) => {
                cx.addresses.seat(self.id.index(), self.peer);
                Ok(())
            }
            Err(refusal) => Err(self.refuse(refusal, head, cx)),
        }
    }
}

/// The name of the token that the request has, where one is asked for. That is seen to before
/// anything else of it.
pub(super) fn may_come(head: &Head<'_>, cx: &Context) -> Result<Option<Rc<str>>, Refusal> {
    if cx.tokens.is_empty() || http::is_public(head, cx.config.metrics_open) {
        return Ok(None);
    }
    let tokens = http::tokens(head);
    let utc = cx.clocks().utc;
    let name = |token| cx.tokens.iter().find_map(|known| known.name_of(token, utc));
    match tokens.iter().find_map(|token| name(token)) {
        Some(name) => Ok(Some(name)),
        None if tokens.is_empty() => Err(Refusal::Token),
        None => Err(Refusal::TokenUnknown),
    }
}
