//! An echo that behaves: its replies wait in a script until they are due.

use std::rc::Rc;
use std::time::Duration;

use crate::behaviour::{Action, Behaviour, Facts, Frame, Script};
use crate::budget::Charge;
use crate::conn::Context;
use crate::conn::send_queue::Slot;
use crate::conn::session::Boundary;
use crate::conn::timers::TIMER_BYTES;
use crate::id::ConnId;
use crate::limits::{SCRIPT_BYTES_SOFT, SPEAK_ACTIONS_MAX};
use crate::peer::Peer;
use crate::service::Kind;
use crate::ws::Fault;
use crate::ws::close::CloseCode;
use crate::ws::decoder::Piece;
use crate::ws::head::Opcode;

/// Memory of a script without replies.
const BASE_BYTES: usize = size_of::<ScriptedEcho>() + size_of::<Script>() + TIMER_BYTES;

/// A connection's script and its timer.
#[derive(Debug)]
pub struct ScriptedEcho {
    id: ConnId,
    behaviour: Rc<Behaviour>,
    facts: Facts,
    /// Begins when the 101 is out.
    script: Option<Box<Script>>,
    /// The timer that has been set.
    timer: Option<Duration>,
    /// More is due than should be said at once.
    paused: bool,
    /// The peer cannot take its replies before it has sent the whole of its message.
    reads_on: bool,
    /// Something has arrived since the handshake.
    has_heard: bool,
    charge: Charge,
}

/// What a script wants to become of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It goes on.
    Stay,
    /// It ends with a Close behind what has been sent.
    Close(CloseCode, String),
    /// It ends without a Close.
    Finish,
    /// It ends with a reset.
    Reset,
}

impl ScriptedEcho {
    /// A script that begins with [`Self::begin`]. `mirror` is the request, if it is to be shown.
    ///
    /// # Errors
    /// `None` if there is no room for it.
    pub fn new(
        id: ConnId,
        peer: Peer,
        behaviour: Rc<Behaviour>,
        mirror: Option<String>,
        cx: &Context,
    ) -> Option<Self> {
        let own = behaviour.footprint() + mirror.as_ref().map_or(0, String::capacity);
        let charge = cx.budget.try_keep(BASE_BYTES + own)?;
        let facts = Facts { id: cx.metrics.opens + 1, peer, mirror };
        let (script, timer) = (None, None);
        Some(Self {
            id,
            behaviour,
            facts,
            script,
            timer,
            paused: false,
            reads_on: false,
            has_heard: false,
            charge,
        })
    }

    pub(super) fn is_new(&self) -> bool {
        self.script.is_none()
    }

    pub(super) fn begin(&mut self, cx: &Context) {
        let now = cx.clocks();
        // Chance differs between connections and between runs, and a simulation's can be repeated.
        let seed = u64::from(now.utc.subsec_nanos()) ^ self.facts.id.rotate_left(40);
        let mirror = self.facts.mirror.take();
        let facts = Facts { mirror, ..self.facts.clone() };
        let script = Script::new(Rc::clone(&self.behaviour), facts, now, seed);
        self.script = Some(Box::new(script));
        self.recharge();
    }

    /// Says what has fallen due, and sets a timer for what has not.
    pub fn speak(&mut self, slot: &mut Slot, cx: &mut Context) -> Wish {
        self.paused = false;
        let wish = self.say(slot, cx);
        self.recharge();
        wish
    }

    fn say(&mut self, slot: &mut Slot, cx: &mut Context) -> Wish {
        let has_room =
            |slot: &Slot| slot.as_ref().is_none_or(|q| q.unsent().len() < SCRIPT_BYTES_SOFT);
        for _ in 0..SPEAK_ACTIONS_MAX {
            if !has_room(slot) {
                break;
            }
            let Some(script) = &mut self.script else { return Wish::Stay };
            match script.next(cx.now) {
                None => {
                    self.set_timer(cx);
                    return Wish::Stay;
                }
                Some(Action::Send(bytes)) => cx.queues.push(slot, &bytes),
                Some(Action::Close(code, reason)) => return Wish::Close(code, reason),
                Some(Action::Finish) => return Wish::Finish,
                Some(Action::Reset) => return Wish::Reset,
            }
        }
        self.paused = true;
        Wish::Stay
    }

    /// True when what was due was more than should be said at once.
    pub fn has_paused(&self) -> bool {
        self.paused
    }

    /// True when so much is queued that no more should be read.
    pub fn is_full(&self) -> bool {
        !self.reads_on && self.queued() >= SCRIPT_BYTES_SOFT
    }

    /// Something has arrived. `reads_on` says to take all of it although much is queued: see
    /// [`crate::conn::Connection::finishing`].
    pub fn hear(&mut self, reads_on: bool) {
        self.has_heard = true;
        self.reads_on = reads_on;
    }

    /// True when something has arrived since the handshake.
    pub fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// How many bytes may be read, so that their replies can be kept until they are said: with what
    /// goes with it, a reply takes more than its message.
    pub fn read_limit(&self) -> usize {
        self.charge.left() / 2
    }

    /// Bytes that the script keeps.
    pub fn charged(&self) -> usize {
        self.charge.bytes()
    }

    /// The time of the timer has come.
    pub fn wake(&mut self) {
        self.timer = None;
    }

    /// Puts the rest of the frame that is being sent into the send queue, and ends the script.
    pub fn finish_frame(&mut self, slot: &mut Slot, cx: &mut Context) {
        let Some(script) = &mut self.script else { return };
        cx.queues.push(slot, &script.rest_of_frame().unwrap_or_default());
        script.stop();
        self.paused = false;
        self.recharge();
    }

    pub(super) fn boundary(&self) -> Boundary {
        match &self.script {
            Some(script) if script.is_within_frame() => match script.rest_of_frame() {
                Some(_) => Boundary::BehindRest,
                None => Boundary::Nowhere,
            },
            _ => Boundary::Here,
        }
    }

    /// Takes a piece of a message.
    pub(in crate::conn) fn data(
        &mut self,
        piece: &Piece,
        plain: &[u8],
        cx: &Context,
    ) -> Result<(), Fault> {
        let kind = match piece.first.opcode {
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
            _ => None,
        };
        let frame = Frame {
            begins: kind.filter(|_| piece.starts),
            starts: piece.starts,
            ends: piece.ends,
            fin: piece.first.fin,
            length: piece.length,
            payload: plain,
        };
        if let Some(script) = &mut self.script {
            script.data(frame, cx.clocks());
        }
        self.recharge_or_refuse()
    }

    /// Takes a whole Pong, which answers a Ping.
    pub(in crate::conn) fn pong(&mut self, frame: &[u8]) -> Result<(), Fault> {
        if let Some(script) = &mut self.script {
            script.ping(&frame[2..]);
        }
        self.recharge_or_refuse()
    }

    fn queued(&self) -> usize {
        self.script.as_ref().map_or(0, |script| script.queued())
    }

    fn footprint(&self) -> usize {
        let mirror = self.facts.mirror.as_ref().map_or(0, String::capacity);
        let script = self.script.as_ref().map_or(0, |script| script.footprint());
        BASE_BYTES + self.behaviour.footprint() + mirror + script
    }

    fn recharge(&mut self) {
        self.charge.set(self.footprint());
    }

    fn recharge_or_refuse(&mut self) -> Result<(), Fault> {
        let fits = self.charge.try_set(self.footprint());
        if fits { Ok(()) } else { Err(Fault::NoRoom) }
    }

    fn set_timer(&mut self, cx: &mut Context) {
        let wake = self.script.as_ref().and_then(|script| script.wake());
        if wake != self.timer {
            cx.timers.set(self.timer, wake, self.id);
            self.timer = wake;
        }
    }

    /// The connection is over.
    pub(super) fn end(&mut self, cx: &mut Context) {
        cx.timers.set(self.timer.take(), None, self.id);
    }
}
