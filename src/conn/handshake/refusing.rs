//! What a request gets that is refused, and what the log is told of it.

use super::{Handshake, Outcome};
use crate::conn::Context;
use crate::conn::connection_log::escape;
use crate::ending::Ending;
use crate::http::{Head, Media, Refusal, Status, shown_target, write_answer, write_refusal};

impl Handshake {
    /// Refuses the request, of which there may be no whole head.
    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        head: Option<&Head<'_>>,
        cx: &mut Context,
    ) -> Outcome {
        let head_only = head.is_some_and(|head| head.method() == "HEAD");
        write_refusal(&mut cx.scratch, refusal, head_only);
        self.note(refusal.status(), refusal.reason(), head, cx)
    }

    /// Refuses a handshake, or what asks for one, for a reason of its own.
    pub(super) fn turn_down(
        &self,
        status: Status,
        why: &str,
        head: &Head<'_>,
        cx: &mut Context,
    ) -> Outcome {
        let body = format!("{why}\n");
        let head_only = head.method() == "HEAD";
        write_answer(&mut cx.scratch, status, Media::Text, body.as_bytes(), head_only);
        self.note(status, why, Some(head), cx)
    }

    /// Counts a refusal, and notes it for the log.
    fn note(
        &self,
        status: Status,
        reason: &str,
        head: Option<&Head<'_>>,
        cx: &mut Context,
    ) -> Outcome {
        cx.metrics.count_answer(status.label());
        if cx.logging {
            let target = match head {
                Some(head) => escape(shown_target(head.target()).as_bytes()),
                None => "a request".to_owned(),
            };
            let (code, reason) = (status.code(), escape(reason.as_bytes()));
            cx.reason = format!("{target} with {code}: {reason}");
        }
        Outcome::Answered(Ending::Refused)
    }
}
