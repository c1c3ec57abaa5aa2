//! A party that echoes, with a behaviour.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::conn::Context;
use crate::id::ConnId;
use crate::service::Kind;
use crate::service::behaviour::{Behaviour, Facts, Frame, Script, Step};
use crate::ws::decoder::Piece;
use crate::ws::head::Opcode;

/// No alarm is set further ahead than this.
const AHEAD_MAX: Duration = Duration::from_secs(5);

/// A connection's script and its place among those that want to be woken.
#[derive(Debug)]
pub struct Scripted {
    id: ConnId,
    behaviour: Rc<Behaviour>,
    facts: Facts,
    /// Begins when the 101 is out.
    script: Option<Box<Script>>,
    /// The earliest time that has been asked for.
    alarm: Option<Duration>,
    /// More is due than the outbox should take at once.
    paused: bool,
}

impl Scripted {
    /// A script that begins with [`Self::open`]. `mirror` is the request, if it is to be shown.
    pub fn new(
        id: ConnId,
        peer: SocketAddr,
        behaviour: Rc<Behaviour>,
        mirror: Option<String>,
        cx: &Context,
    ) -> Self {
        let facts = Facts { id: cx.metrics.opens + 1, peer, mirror };
        Self { id, behaviour, facts, script: None, alarm: None, paused: false }
    }

    pub(super) fn open(&mut self, cx: &Context) {
        let now = cx.clocks();
        // Chance differs between connections and between runs, and a simulation's can be repeated.
        let seed = u64::from(now.utc.subsec_nanos()) ^ self.facts.id.rotate_left(40);
        let script = Script::new(Rc::clone(&self.behaviour), self.facts.clone(), now, seed);
        self.script = Some(Box::new(script));
    }

    pub(super) fn next(&mut self, cx: &Context) -> Option<Step> {
        self.paused = false;
        self.script.as_mut()?.next(cx.now)
    }

    /// Remembers that there is more.
    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) fn has_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn queued(&self) -> usize {
        self.script.as_ref().map_or(0, |script| script.queued())
    }

    pub(super) fn ask_to_be_woken(&mut self, cx: &mut Context) {
        let wake = self.script.as_ref().and_then(|script| script.wake());
        // Not too far ahead, so that those who have gone are not remembered for long.
        let wake = wake.map(|wake| wake.min(cx.now + AHEAD_MAX));
        let Some(wake) = wake.filter(|wake| self.alarm.is_none_or(|alarm| *wake < alarm)) else {
            return;
        };
        self.alarm = Some(wake);
        cx.alarms.set(wake, self.id);
    }

    pub(super) fn wake(&mut self, at: Duration) {
        self.alarm = self.alarm.filter(|alarm| *alarm > at);
    }

    pub(super) fn data(&mut self, piece: &Piece, plain: &[u8], cx: &Context) {
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
    }

    pub(super) fn ping(&mut self, payload: &[u8]) {
        if let Some(script) = &mut self.script {
            script.ping(payload);
        }
    }

    pub(super) fn hasten(&mut self) -> Option<Vec<u8>> {
        self.script.as_mut().map_or(Some(Vec::new()), |script| script.hasten())
    }
}
