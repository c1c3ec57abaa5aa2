//! A body that is a message for a mailbox.

use std::ops::Range;

use super::{Outcome, going, refuse};
use crate::budget::Charge;
use crate::conn::Context;
use crate::conn::mailboxes::Mail;
use crate::conn::read_buffer::ReadBuffer;
use crate::ending::Ending;
use crate::http::{Body, Content, MailboxName, Refusal, write_nothing};

/// A message that is arriving.
#[derive(Debug)]
pub(super) struct Send {
    pub body: Body,
    mailbox: MailboxName,
    content: Content,
    message: Vec<u8>,
    charge: Charge,
}

impl Send {
    /// A message for `mailbox`; `None` if there is no room for it.
    pub fn new(body: Body, mailbox: MailboxName, content: Content, cx: &Context) -> Option<Self> {
        let charge = cx.budget.try_keep(size_of::<Self>())?;
        Some(Self { body, mailbox, content, message: Vec::new(), charge })
    }

    pub fn charged(&self) -> usize {
        self.charge.bytes()
    }

    /// Takes the data in `buffer[span]`, and hands the message over when it is whole.
    pub fn receive(
        &mut self,
        buffer: &mut ReadBuffer,
        span: Range<usize>,
        cx: &mut Context,
    ) -> Outcome {
        let bytes = &mut buffer.bytes()[span.clone()];
        let data = match self.body.decode(bytes) {
            Ok(decoded) => &bytes[..decoded.data],
            Err(fault) => return Outcome::Answered(refuse(fault.refusal(), cx)),
        };
        let length = self.message.len() + data.len();
        if !self.charge.try_set(size_of::<Self>() + length) {
            return Outcome::Answered(refuse(Refusal::Busy, cx));
        }
        self.message.reserve_exact(data.len());
        self.message.extend_from_slice(data);
        if !self.body.is_complete() {
            return Outcome::Reply(span.end..span.end);
        }
        Outcome::Answered(match self.deliver(cx) {
            Ok(()) => Ending::Answered,
            Err(refusal) => refuse(refusal, cx),
        })
    }

    /// Puts the whole message into the mailbox, tells its reader, and composes the answer.
    ///
    /// # Errors
    /// It is not what it was said to be, or there is no mailbox or no room for it any more.
    pub fn deliver(&mut self, cx: &mut Context) -> Result<(), Refusal> {
        let bytes = std::mem::take(&mut self.message);
        // What the mailbox keeps is charged there.
        self.charge.set(size_of::<Self>());
        if self.content == Content::Text && std::str::from_utf8(&bytes).is_err() {
            return Err(Refusal::Text);
        }
        let mail = Mail { content: self.content, bytes };
        let reader = cx.mailboxes.add(self.mailbox, mail).map_err(|refusal| going(refusal, cx))?;
        reader.into_iter().for_each(|id| cx.effects.wake(id));
        cx.metrics.mails += 1;
        cx.metrics.count_answer("204");
        write_nothing(&mut cx.scratch);
        Ok(())
    }
}
