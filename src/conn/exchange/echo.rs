//! A body that goes back as it comes, in place: nothing of it is kept.

use std::ops::Range;

use super::{Outcome, refuse};
use crate::conn::Context;
use crate::conn::read_buffer::ReadBuffer;
use crate::http::{Body, BodyFault, Content, Framing, chunk_head, write_echo_head};

/// What stands behind a chunk's data, and what ends a chunked body.
const CHUNK_END: &[u8] = b"\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A body on its way through.
#[derive(Debug)]
pub(super) struct Echo {
    pub body: Body,
    /// The response is framed as the request is.
    pub framing: Framing,
    pub content: Content,
    /// The head of the response has gone, and with it the chance to refuse.
    pub begun: bool,
}

impl Echo {
    /// Sends the data in `buffer[span]` back: the chunks' own framing is dropped, and what a read
    /// brought is one chunk of the response. The head of the response waits for the first data, so
    /// that a body which is malformed from the start is refused.
    pub fn receive(
        &mut self,
        buffer: &mut ReadBuffer,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Outcome {
        let decoded = match self.body.decode(&mut buffer.bytes()[span.clone()]) {
            Ok(decoded) => decoded,
            Err(fault) => return self.fail(fault, cx),
        };
        let (mut start, mut end) = (span.start, span.start + decoded.data);
        let complete = self.body.is_complete();
        if decoded.data == 0 && !complete {
            return Outcome::Reply(end..end);
        }
        // The slack behind a full read has room for what ends a chunk and the body.
        let bytes = buffer.bytes();
        if self.framing == Framing::Chunked {
            if decoded.data > 0 {
                let mut head = [0; 18];
                lay_before(bytes, &mut start, chunk_head(decoded.data, &mut head));
                lay_behind(bytes, &mut end, CHUNK_END);
            }
            if complete {
                lay_behind(bytes, &mut end, LAST_CHUNK);
            }
        }
        if !self.begun {
            self.begin(cx);
            lay_before(bytes, &mut start, &cx.scratch);
            cx.scratch.clear();
        }
        cx.metrics.bodies += u64::from(complete);
        Outcome::Reply(start..end)
    }

    /// Composes the head of the response.
    pub fn begin(&mut self, cx: &mut Context) {
        self.begun = true;
        cx.metrics.count_answer("200");
        write_echo_head(&mut cx.scratch, self.content, self.framing);
    }

    fn fail(&self, fault: BodyFault, cx: &mut Context) -> Outcome {
        if self.begun {
            return Outcome::Dropped(fault);
        }
        Outcome::Answered(refuse(fault.refusal(), cx))
    }
}

/// Puts `what` in front of `start`: into the headroom, or over a request head that has been read.
fn lay_before(bytes: &mut [u8], start: &mut usize, what: &[u8]) {
    let end = *start;
    *start -= what.len();
    bytes[*start..end].copy_from_slice(what);
}

fn lay_behind(bytes: &mut [u8], end: &mut usize, what: &[u8]) {
    bytes[*end..*end + what.len()].copy_from_slice(what);
    *end += what.len();
}
