//! A worker's life: how it is started, when it serves, and what comes of its end.

use std::rc::Rc;
use std::time::Duration;

use log::error;

use super::{Handed, Phase, Supervisor};
use crate::limits::WAIT_FOR_RESTART_MAX;
use crate::net::children::{self, Side, Worker};
use crate::net::control::Control;
use crate::server::run::{Failure, Stopped, announce};
use crate::units::about_duration;

impl Supervisor {
    /// Starts those whose time has come. In each of them it returns which that is.
    pub(super) fn start(&mut self) -> Option<(usize, Control)> {
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            if slot.start_at.take_if(|due| self.now >= *due).is_none() {
                continue;
            }
            match children::split() {
                Ok(Side::Worker(control)) => return Some((at, control)),
                Ok(Side::Supervisor(worker)) => {
                    (slot.started, slot.heard) = (self.now, self.now);
                    slot.worker = Some(worker);
                    self.counts.start(at);
                }
                Err(error) if self.phase == Phase::Starting => {
                    self.fail(Err(Failure::System("worker", error)));
                }
                Err(error) => self.put_off(at, Duration::ZERO, &error.to_string()),
            }
        }
        None
    }

    /// In a new worker: what it needs. All else goes.
    pub(super) fn hand(self, at: usize, control: Control) -> Handed {
        self.signals.unregister(self.hangup);
        let control = Rc::new(control);
        // Only the exit of the process is to close it: the supervisor takes that for its end.
        std::mem::forget(Rc::clone(&control));
        Handed {
            number: u32::try_from(at + 1).unwrap_or(u32::MAX),
            again: self.phase != Phase::Starting,
            control,
            listeners: self.listeners.of(at),
            asked: self.asked,
            silence: self.manager.silence(),
        }
    }

    /// A worker that ran for so long is not there any more, and why.
    fn put_off(&mut self, at: usize, ran: Duration, why: &str) {
        let slot = &mut self.slots[at];
        let delay = slot.restarts.delay(ran);
        slot.start_at = Some(self.now + delay);
        if delay > WAIT_FOR_RESTART_MAX {
            self.listeners.turn_over(at);
        }
        let delay = about_duration(delay);
        error!("worker {}: {why}; it is started again in {delay}", at + 1);
    }

    /// A worker serves.
    pub(super) fn note_ready(&mut self, at: usize) {
        self.slots[at].ready = true;
        self.slots[at].reloads = false;
        if self.phase != Phase::Starting {
            return self.end_reload();
        }
        // What is wrong with the options the first one has said, alone.
        for slot in self.slots.iter_mut().filter(|slot| slot.worker.is_none()) {
            slot.start_at = Some(self.now);
        }
        if self.slots.iter().all(|slot| slot.ready) {
            self.phase = Phase::Serving;
            announce(&self.places);
            self.manager.ready();
        }
    }

    /// A worker has ended, or its end of the socket is of no use.
    pub(super) fn lose(&mut self, at: usize, worker: Worker) {
        worker.kill();
        let status = worker.status();
        let slot = &mut self.slots[at];
        (slot.ready, slot.reloads) = (false, false);
        let ran = self.now.saturating_sub(slot.started);
        self.counts.end(at);
        self.end_reload();
        let status = match status {
            Ok(status) => status,
            Err(error) => return self.fail(Err(Failure::System("worker", error))),
        };
        match self.phase {
            Phase::Starting if status.code().is_some_and(|code| code != 0) => {
                self.fail(Ok(Stopped::Failed));
            }
            Phase::Starting => self.fail(Err(Failure::Worker(at + 1, status))),
            Phase::Serving => self.put_off(at, ran, &format!("ended ({status})")),
            Phase::Ending { cut: false, .. } if status.code() != Some(0) => {
                error!("worker {}: ended ({status})", at + 1);
                self.outcome = Ok(Stopped::Failed);
            }
            Phase::Ending { .. } => {}
        }
    }
}
