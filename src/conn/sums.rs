//! Requests that wait for what all workers have counted together.

use crate::http::Refusal;
use crate::id::ConnId;
use crate::limits::SUMS_WAITING_MAX;

/// Who waits for the sum, which is asked for once for all of them.
#[derive(Debug, Default)]
pub struct Sums {
    waiting: Vec<ConnId>,
    asked: bool,
}

impl Sums {
    /// A connection waits.
    ///
    /// # Errors
    /// Too many do.
    pub fn wait(&mut self, id: ConnId) -> Result<(), Refusal> {
        if self.waiting.len() >= SUMS_WAITING_MAX {
            return Err(Refusal::Busy);
        }
        self.waiting.push(id);
        Ok(())
    }

    /// It does not wait any more.
    pub fn leave(&mut self, id: ConnId) {
        self.waiting.retain(|waiting| *waiting != id);
        self.asked &= !self.waiting.is_empty();
    }

    /// True if it has to be asked for, which it then is.
    pub fn take_question(&mut self) -> bool {
        let asks = !self.asked && !self.waiting.is_empty();
        self.asked |= asks;
        asks
    }

    /// The sum is there: for all of these.
    pub fn take_waiting(&mut self) -> Vec<ConnId> {
        self.asked = false;
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_for_all_who_wait() {
        let mut sums = Sums::default();
        assert!(!sums.take_question());
        let [a, b] = [1, 2].map(|at| ConnId::new(at, 0));
        sums.wait(a).expect("room");
        assert!(sums.take_question());
        sums.wait(b).expect("room");
        assert!(!sums.take_question(), "it has been asked for");
        sums.leave(a);
        assert!(!sums.take_question());
        assert_eq!(sums.take_waiting(), [b]);
        sums.leave(b);
        assert!(!sums.take_question(), "nobody waits");
        sums.wait(a).expect("room");
        assert!(sums.take_question(), "the last one was of another time");
        sums.leave(a);
        sums.wait(a).expect("room");
        assert!(sums.take_question(), "that one was not answered");
    }

    #[test]
    fn not_everybody_may_wait() {
        let mut sums = Sums::default();
        let id = |at| ConnId::new(at, 0);
        assert!((0..SUMS_WAITING_MAX).all(|at| sums.wait(id(at)).is_ok()));
        assert_eq!(sums.wait(id(SUMS_WAITING_MAX)), Err(Refusal::Busy));
        sums.leave(id(0));
        assert_eq!(sums.wait(id(SUMS_WAITING_MAX)), Ok(()));
    }
}
