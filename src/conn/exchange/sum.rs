//! A request for what all workers have counted together: it waits for them.

use std::rc::Rc;
use std::time::Duration;

use super::{Exchange, Job, refuse};
use crate::conn::Context;
use crate::ending::Ending;
use crate::http::{Media, Refusal, Status, write_answer};
use crate::id::ConnId;
use crate::limits::SUM_TIME_MAX;

/// What is waited for.
#[derive(Debug)]
pub(super) struct Sum {
    text: Option<Rc<str>>,
    /// Until when.
    until: Duration,
    late: bool,
}

impl Exchange {
    /// Waits for the sum, unless too many do.
    pub(super) fn sum(id: ConnId, cx: &mut Context) -> Result<Option<Job>, Refusal> {
        cx.sums.wait(id)?;
        let until = cx.now + SUM_TIME_MAX;
        cx.timers.set(None, Some(until), id);
        // The question goes out at the end of the turn.
        cx.effects.call_at(cx.now);
        Ok(Some(Job::Sum(Sum { text: None, until, late: false })))
    }

    /// The sum is there.
    pub fn take_sum(&mut self, text: &Rc<str>) {
        if let Job::Sum(sum) = &mut self.job {
            sum.text = Some(Rc::clone(text));
        }
    }
}

impl Sum {
    pub fn speaks(&self) -> bool {
        self.text.is_some() || self.late
    }

    /// Nobody has answered in time.
    pub fn give_up(&mut self) {
        self.late = true;
    }

    /// Composes the answer.
    pub fn answer(&self, cx: &mut Context) -> Ending {
        let Some(text) = &self.text else { return refuse(Refusal::Busy, cx) };
        write_answer(&mut cx.scratch, Status::OK, Media::Metrics, text.as_bytes(), false);
        cx.metrics.count_answer(Status::OK.label());
        Ending::Answered
    }

    pub fn end(&self, id: ConnId, cx: &mut Context) {
        cx.timers.set(Some(self.until), None, id);
        cx.sums.leave(id);
    }
}
