//! Connections that hold for too long what others wait for.

use super::{Connection, Context, Handler, Phase};

impl Connection {
    /// True if the peer takes its replies more slowly than a peer may while others wait for room.
    pub fn is_too_slow(&mut self, cx: &Context) -> bool {
        let window = cx.pace_window();
        self.queue.as_mut().is_some_and(|queue| queue.is_too_slow(cx.now, window))
    }

    /// True if a compressed message has held an inflater for longer than it may while others wait.
    pub fn keeps_inflater_too_long(&self, cx: &Context) -> bool {
        let Phase::Open(session) = &self.phase else { return false };
        let Handler::Echo(Some(deflate)) = session.handler_ref() else { return false };
        deflate.holds_since().is_some_and(|since| cx.now >= since + cx.inflater_time())
    }
}
