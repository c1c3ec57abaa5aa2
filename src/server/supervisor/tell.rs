//! What a supervisor hears, of signals and of its workers, and what it tells those.

use super::*;

impl Supervisor {
    /// Passes on what signals ask for.
    pub(super) fn hear_signals(&mut self) {
        // The bytes only wake the poll; that there were some has been noted.
        let mut bytes = [0; 64];
        while matches!((&self.signals.pipe).read(&mut bytes), Ok(1..)) {}
        let hung = self.hangup.take();
        if self.signals.unheard.swap(false, Ordering::SeqCst) || hung == Some(Hung::End) {
            self.stop();
        } else if hung == Some(Hung::Reload) {
            self.reload();
        }
    }

    fn reload(&mut self) {
        if self.phase != Phase::Serving {
            return info!("nothing is reloaded now");
        }
        self.manager.reloading();
        self.reloading = true;
        self.tell_all(Word::Reload);
        self.slots.iter_mut().for_each(|slot| slot.reloads = slot.worker.is_some());
        self.end_reload();
    }

    /// Tells the service manager when all have reloaded.
    pub(super) fn end_reload(&mut self) {
        if self.reloading && !self.slots.iter().any(|slot| slot.reloads) {
            self.reloading = false;
            self.manager.ready();
        }
    }

    pub(super) fn tell_all(&self, word: Word) {
        let workers = self.slots.iter().filter_map(|slot| slot.worker.as_ref());
        workers.for_each(|worker| worker.tell(word));
    }

    /// Hears what a worker has to say, or that it has ended.
    pub(super) fn hear(&mut self, at: usize) {
        while let Some(worker) = self.slots[at].worker.take() {
            match worker.control.receive() {
                Ok(Some(packet)) => {
                    self.slots[at].worker = Some(worker);
                    self.slots[at].heard = self.now;
                    match packet.word {
                        Word::Ready => self.note_ready(at),
                        Word::Counted => self.counts.note(at, packet.numbers),
                        Word::SumWanted => self.ask_all(at),
                        _ => {}
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.slots[at].worker = Some(worker);
                    return;
                }
                Ok(None) | Err(_) => return self.lose(at, worker),
            }
        }
    }

    fn ask_all(&mut self, asker: usize) {
        for at in self.counts.want(asker, self.now) {
            match &self.slots[at].worker {
                Some(worker) if worker.control.say(Word::Count, &[]) => {}
                Some(_) => self.counts.pass_over(at),
                None => self.counts.end(at),
            }
        }
    }

    /// Tells the sum to those who want to know it, when it is there.
    pub(super) fn tell_sums(&mut self) {
        let Some((askers, sum)) = self.counts.take(self.now) else { return };
        for at in askers {
            if let Some(worker) = &self.slots[at].worker {
                worker.control.say(Word::Sum, &sum.numbers());
            }
        }
    }

    /// A worker whose loop has stopped, which the service manager would have restarted, is killed.
    /// None is blamed for a time in which this process did not run either.
    pub(super) fn look_for_the_silent(&mut self, before: Duration) {
        let Some(silence) = self.manager.silence() else { return };
        let slept = self.now.saturating_sub(before) > silence;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Some(worker) = &slot.worker else { continue };
            if slept {
                slot.heard = self.now;
            }
            if self.now.saturating_sub(slot.heard) > silence {
                let silence = about_duration(silence);
                error!("worker {}: silent for more than {silence}, and is killed", at + 1);
                worker.kill();
                slot.heard = self.now;
            }
        }
    }
}
