//! How an exchange begins: what a complete request head leads to.

use super::echo::Echo;
use super::send::Send;
use super::{Exchange, Job, events, going};
use crate::conn::Context;
use crate::ending::Ending;
use crate::http::{
    Body, CONTINUE, Content, Declared, Fallback, Framing, Kind, Media, Refusal, Status, Upload,
    write_answer, write_events_head,
};
use crate::id::ConnId;
use crate::limits::{MAIL_BYTES_MAX, MAILBOX_TIME_MAX};

/// What a request led to. What is said at once is in [`Context::scratch`].
#[derive(Debug)]
pub enum Begun {
    /// An exchange.
    Exchange(Box<Exchange>),
    /// An answer, and that was all.
    Answered,
}

impl Exchange {
    /// Begins what a request asks for. `waits` says that nothing of a body has arrived.
    ///
    /// # Errors
    /// Why it is refused, of which nothing has been said yet.
    pub fn begin(
        fallback: Fallback<'_>,
        id: ConnId,
        waits: bool,
        cx: &mut Context,
    ) -> Result<Begun, Refusal> {
        let charge = cx.budget.try_keep(size_of::<Self>()).ok_or(Refusal::Busy)?;
        let job = match fallback {
            Fallback::Echo(upload) => Self::echo(upload, cx),
            Fallback::Send(kind, name, upload) => Self::send(kind, name, upload, cx),
            Fallback::Events { chunked } => Self::events(chunked, id, cx),
            Fallback::Polls => Self::polls(cx),
            Fallback::Poll(name) => Self::poll(name, id, cx),
            Fallback::Sum => Self::sum(id, cx),
        };
        let Some(job) = job? else { return Ok(Begun::Answered) };
        let upload = match fallback {
            Fallback::Echo(upload) | Fallback::Send(_, _, upload) => Some(upload),
            Fallback::Events { .. } | Fallback::Polls | Fallback::Poll(_) | Fallback::Sum => None,
        };
        let mut exchange = Self { id, job, done: None, charge };
        if exchange.is_echo() && exchange.wanted() == 0 {
            exchange.done = Some(Ending::Answered);
        } else if waits && upload.is_some_and(|upload| upload.expects) {
            // RFC 9110 §10.1.1: "MAY omit sending a 100 (Continue) response if it has already
            // received some or all of the content".
            cx.scratch.extend_from_slice(CONTINUE);
        }
        Ok(Begun::Exchange(Box::new(exchange)))
    }

    fn echo(upload: Upload, cx: &mut Context) -> Result<Option<Job>, Refusal> {
        let Upload { framing, declared, .. } = upload;
        let body = Body::new(framing, cx.config.max_message_size)?;
        let content = if declared == Declared::Text { Content::Text } else { Content::Bytes };
        let mut echo = Echo { body, framing, content, begun: false };
        if echo.body.is_complete() {
            echo.begin(cx);
            cx.metrics.bodies += 1;
        }
        Ok(Some(Job::Echo(echo)))
    }

    fn send(
        kind: Kind,
        name: &str,
        upload: Upload,
        cx: &mut Context,
    ) -> Result<Option<Job>, Refusal> {
        let most = cx.config.max_message_size.min(MAIL_BYTES_MAX as u64);
        let content =
            if upload.declared == Declared::Bytes { Content::Bytes } else { Content::Text };
        let mailbox = cx.mailboxes.find(kind, name).map_err(|refusal| going(refusal, cx))?;
        let body = Body::new(upload.framing, most)?;
        let length = match upload.framing {
            Framing::Length(length) => usize::try_from(length).unwrap_or(MAIL_BYTES_MAX),
            Framing::Chunked => 0,
        };
        cx.mailboxes.may_take(mailbox, length)?;
        let mut send = Send::new(body, mailbox, content, cx).ok_or(Refusal::Busy)?;
        if send.body.is_complete() {
            return send.deliver(cx).map(|()| None);
        }
        Ok(Some(Job::Send(send)))
    }

    fn events(chunked: bool, id: ConnId, cx: &mut Context) -> Result<Option<Job>, Refusal> {
        let mailbox = cx.mailboxes.open(Kind::Events, Some(id), cx.now);
        let mailbox = mailbox.ok_or(Refusal::Busy)?;
        cx.metrics.mailboxes = cx.mailboxes.len() as u64;
        cx.metrics.count_answer("200");
        write_events_head(&mut cx.scratch, chunked);
        // Relative, so that it holds behind a proxy that serves this under another path.
        let url = format!("sse/{mailbox}");
        let name = |out: &mut Vec<u8>| events::write_named(out, "mailbox", url.as_bytes());
        events::write(&mut cx.scratch, chunked, name);
        Ok(Some(Job::Events { mailbox, chunked, pending: false }))
    }

    fn polls(cx: &mut Context) -> Result<Option<Job>, Refusal> {
        let mailbox = cx.mailboxes.open(Kind::Polls, None, cx.now);
        let mailbox = mailbox.ok_or(Refusal::Busy)?;
        cx.metrics.mailboxes = cx.mailboxes.len() as u64;
        cx.effects.call_at(cx.now + MAILBOX_TIME_MAX);
        let url = format!("poll/{mailbox}\n");
        write_answer(&mut cx.scratch, Status::OK, Media::Text, url.as_bytes(), false);
        cx.metrics.count_answer("200");
        Ok(None)
    }

    fn poll(name: &str, id: ConnId, cx: &mut Context) -> Result<Option<Job>, Refusal> {
        let mailbox = cx.mailboxes.find(Kind::Polls, name);
        let mailbox = mailbox.map_err(|refusal| going(refusal, cx))?;
        if let Some(before) = cx.mailboxes.read_by(mailbox, id) {
            cx.effects.wake(before);
        }
        Ok(Some(Job::Poll { mailbox, pending: true }))
    }
}
