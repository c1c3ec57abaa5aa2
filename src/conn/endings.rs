//! How connections come to their end, and what is still owed then.

use std::time::Duration;

use super::open::Verdict;
use super::{Connection, Context, Phase};
use crate::ending::Ending;
use crate::ws::close::{CloseCode, FRAME_BYTES_MAX};

impl Connection {
    /// The peer has finished its side: what is owed to it still goes out.
    pub fn peer_finished(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::Closing { shut: true, ending, .. } => self.phase = Phase::Ended(*ending),
            Phase::Closing { peer_finished, .. } => *peer_finished = true,
            Phase::Open(open) if open.is_leaving() => self.finish(Ending::Shutdown, cx),
            Phase::Talk(talk) if talk.is_leaving() => self.finish(Ending::Shutdown, cx),
            Phase::Head(_) | Phase::Open(_) | Phase::Talk(_) => self.finish(Ending::Gone, cx),
            Phase::Resetting | Phase::Ended(_) => {}
        }
    }

    /// Our sending side has been shut down.
    pub fn has_shut(&mut self) {
        if let Phase::Closing { ending, shut, peer_finished } = &mut self.phase {
            *shut = true;
            if *peer_finished {
                self.phase = Phase::Ended(*ending);
            }
        }
    }

    /// The socket failed. A reset after all has been said is no failure.
    pub fn failed(&mut self, cx: &mut Context) {
        let ending = match self.phase {
            Phase::Closing { ending, .. } | Phase::Ended(ending) => ending,
            Phase::Resetting => Ending::Scripted,
            Phase::Head(_) | Phase::Open(_) | Phase::Talk(_) => Ending::Io,
        };
        self.turn_into(Phase::Ended(ending), cx);
    }

    /// The server shuts down: Close 1001 to open connections, an end to the others.
    pub fn shut_down(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::Head(_) => self.close(Ending::Shutdown, cx),
            Phase::Talk(talk) => {
                talk.say_close(CloseCode::GOING_AWAY, "", &mut self.outbox, cx);
            }
            Phase::Open(open) => {
                let mut frame = [0; FRAME_BYTES_MAX];
                let code = CloseCode::GOING_AWAY;
                let length = open.say_goodbye(code, &mut frame, &mut self.outbox, cx);
                if length > 0 {
                    cx.store.keep(&mut self.outbox, &frame[..length]);
                }
            }
            Phase::Closing { .. } | Phase::Resetting | Phase::Ended(_) => {}
        }
    }

    /// Ends a conversation with a Close behind what was sent.
    pub fn dismiss(&mut self, code: CloseCode, reason: &str, cx: &mut Context) {
        if let Phase::Talk(talk) = &mut self.phase {
            talk.say_close(code, reason, &mut self.outbox, cx);
            self.close(Ending::Fault, cx);
        }
    }

    /// Ends the connection at once, whatever it is doing.
    pub fn abort(&mut self, ending: Ending, cx: &mut Context) {
        self.turn_into(Phase::Ended(ending), cx);
    }

    /// Gives everything back; the log line if a diary was kept.
    pub fn bury(mut self, ending: Ending, now: Duration, cx: &mut Context) {
        self.turn_into(Phase::Ended(ending), cx);
        cx.store.reclaim(&mut self.outbox);
        cx.metrics.endings[ending as usize] += 1;
        if let Some(diary) = self.diary {
            diary.close(ending, now);
        }
    }

    pub(super) fn conclude(&mut self, verdict: Verdict, cx: &mut Context) {
        let leaving = match &self.phase {
            Phase::Open(open) => open.is_leaving(),
            Phase::Talk(talk) => talk.left_first(),
            _ => false,
        };
        let (ending, code) = match verdict {
            Verdict::Continue => return,
            Verdict::PeerClosed(code) if !leaving => (Ending::Closed, code),
            Verdict::PeerClosed(code) => (Ending::Shutdown, code),
            Verdict::Fault(fault) => (Ending::Fault, Some(fault.close_code())),
            Verdict::Dropped(fault) => (Ending::Dropped, Some(fault.close_code())),
        };
        if let Some(diary) = &mut self.diary {
            diary.code = code.map(CloseCode::number);
            diary.reason = std::mem::take(&mut cx.reason);
        }
        self.close(ending, cx);
    }

    pub(super) fn close(&mut self, ending: Ending, cx: &mut Context) {
        self.turn_into(Phase::Closing { ending, shut: false, peer_finished: false }, cx);
    }

    fn finish(&mut self, ending: Ending, cx: &mut Context) {
        self.turn_into(Phase::Closing { ending, shut: false, peer_finished: true }, cx);
    }

    /// The end of frames: a party is told that its connection goes.
    pub(super) fn turn_into(&mut self, phase: Phase, cx: &mut Context) {
        if let Phase::Talk(mut talk) = std::mem::replace(&mut self.phase, phase) {
            talk.part(cx);
        }
    }
}
