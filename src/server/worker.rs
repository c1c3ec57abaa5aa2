//! A worker among others: what its supervisor says is done here.

use super::Server;
use super::drain::Drain;
use crate::metrics::Sum;
use crate::net::Net;
use crate::net::control::Word;

impl<N: Net> Server<N> {
    /// Does what the supervisor has said.
    #[cold]
    pub(super) fn heed_supervisor(&mut self) {
        while let Some(packet) = self.net.hear_supervisor() {
            match packet.word {
                Word::Drain if matches!(self.drain, Drain::No | Drain::Leaving { .. }) => {
                    self.announce_drain();
                }
                Word::Cut => {
                    if self.drain == Drain::No {
                        self.start_draining();
                    }
                    self.start_draining();
                }
                Word::Reload => self.reload(),
                Word::Count => {
                    self.cx.count_histories();
                    self.net.tell_supervisor(Word::Counted, &self.cx.metrics.values());
                }
                Word::Sum => self.hand_out_sum(&packet.numbers),
                _ => {}
            }
        }
    }

    /// Asks what all workers have counted, if somebody here wants to know.
    pub(super) fn ask_for_sum(&mut self) {
        if self.cx.sums.take_question() {
            self.net.tell_supervisor(Word::SumWanted, &[]);
        }
    }

    fn hand_out_sum(&mut self, numbers: &[u64]) {
        let Some(text) = Sum::rendered(numbers) else { return };
        for id in self.cx.sums.take_waiting() {
            let Some(entry) = self.registry.get(id) else { continue };
            entry.connection.take_sum(&text);
            self.schedule.wake(id, &mut entry.standing);
        }
    }
}
