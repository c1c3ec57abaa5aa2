//! What single connections may send, and how long they may last, where an operator has said so.
//!
//! A connection that has sent more than its rate is not read until time has made up for it: it is
//! treated as if nothing had arrived, and a timer says when to look again. So the kernel's buffers
//! fill, and its peer has to wait. Nothing is dropped, and nobody turns in circles.

use std::time::Duration;

use super::Server;
use super::registry::Entry;
use crate::conn::timers::Timers;
use crate::conn::{Cause, Connection, Context, Timeout};
use crate::id::ConnId;
use crate::limits::{Config, MASKING_KEY_BYTES, READ_BYTES_MIN};
use crate::metrics::Metrics;
use crate::net::Net;
use crate::rate::{Bucket, Rate};

/// The shortest frame of a client.
const FRAME_BYTES_MIN: usize = 2 + MASKING_KEY_BYTES;

/// Whoever is out of its rate waits for this part of it, rather than for each single byte.
const PORTION: u64 = 16;

/// The meters of all connections, in a column by slots of the registry. Without limits there is
/// none.
#[derive(Debug)]
pub(super) struct Meters {
    bytes: Option<Rate>,
    messages: Option<Rate>,
    /// One of the two is there.
    is_on: bool,
    lifetime: Duration,
    column: Vec<Meter>,
    /// When those who are not read are to be read again, and when lives end.
    readings: Timers,
    endings: Timers,
    /// State of the dice for lifetimes.
    dice: u64,
}

#[derive(Clone, Debug, Default)]
struct Meter {
    bytes: Bucket,
    messages: Bucket,
    /// It is not read until then, although there is something.
    held_until: Option<Duration>,
    ends_at: Option<Duration>,
}

/// What has been counted of all connections, before and after one did something.
#[derive(Clone, Copy)]
pub(super) struct Count {
    bytes: u64,
    messages: u64,
}

impl Count {
    pub(super) fn of(metrics: &Metrics) -> Self {
        Self { bytes: metrics.bytes_received, messages: metrics.messages }
    }
}

impl Meters {
    pub(super) fn new(config: &Config, seed: u64) -> Self {
        Self {
            bytes: config.byte_rate,
            messages: config.message_rate,
            is_on: config.byte_rate.is_some() || config.message_rate.is_some(),
            lifetime: config.max_lifetime,
            column: Vec::new(),
            readings: Timers::default(),
            endings: Timers::default(),
            dice: seed,
        }
    }

    /// The next time at which there is something to do.
    #[inline]
    pub(super) fn next(&self) -> Option<Duration> {
        if self.column.is_empty() {
            return None;
        }
        self.readings.next().into_iter().chain(self.endings.next()).min()
    }

    /// A connection has come.
    pub(super) fn enter(&mut self, id: ConnId, cx: &Context) {
        if !self.is_on && self.lifetime.is_zero() {
            return;
        }
        if id.index() >= self.column.len() {
            self.column.resize(id.index() + 1, Meter::default());
        }
        self.column[id.index()] = Meter::default();
        self.begin_life(id, cx.now);
    }

    /// A connection has gone.
    pub(super) fn leave(&mut self, id: ConnId) {
        let Some(meter) = self.column.get_mut(id.index()) else { return };
        self.readings.set(meter.held_until.take(), None, id);
        self.endings.set(meter.ends_at.take(), None, id);
    }

    /// A life of up to a tenth less than the longest, so that those who came together, after a
    /// restart, do not all come again together.
    fn begin_life(&mut self, id: ConnId, now: Duration) {
        if self.lifetime.is_zero() {
            return;
        }
        let ends_at = now + self.lifetime - self.lifetime.mul_f64(self.roll() / 10.0);
        let before = self.column[id.index()].ends_at.replace(ends_at);
        self.endings.set(before, Some(ends_at), id);
    }

    /// From 0 to 1 (splitmix64).
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.dice ^ self.dice >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 32) as f64 / f64::from(u32::MAX)
    }

    /// Takes out a connection that may be read again.
    pub(super) fn ring_reading(&mut self, now: Duration) -> Option<ConnId> {
        let id = self.readings.ring(now)?;
        self.column[id.index()].held_until = None;
        Some(id)
    }

    /// Takes out a connection whose life is over.
    pub(super) fn ring_ending(&mut self, now: Duration) -> Option<ConnId> {
        let id = self.endings.ring(now)?;
        self.column[id.index()].ends_at = None;
        Some(id)
    }

    /// It was not open yet: it lives once more.
    pub(super) fn spare(&mut self, id: ConnId, now: Duration) {
        self.begin_life(id, now);
    }

    /// What a connection waits for: not for its peer, if what that says is not read.
    #[inline]
    pub(super) fn timeout(&self, id: ConnId, timeout: Timeout) -> Timeout {
        if !self.is_on {
            return timeout;
        }
        let held = self.column.get(id.index()).is_some_and(|meter| meter.held_until.is_some());
        if held { timeout.while_held() } else { timeout }
    }

    /// A connection that may read `left` bytes of its turn is about to do something: how many its
    /// rates let it read, and what to count from.
    #[inline]
    pub(super) fn begin<S>(
        &mut self,
        id: ConnId,
        entry: &mut Entry<S>,
        left: usize,
        cx: &mut Context,
    ) -> (usize, Option<Count>) {
        if !self.is_on {
            return (left, None);
        }
        (left.min(self.open(id, entry, cx)), Some(Count::of(&cx.metrics)))
    }

    /// How many bytes a connection may read now: no more than its rates leave, however short the
    /// messages are. If there is nothing left it is not readable any more, until the timer rings.
    #[inline(never)]
    fn open<S>(&mut self, id: ConnId, entry: &mut Entry<S>, cx: &mut Context) -> usize {
        if !entry.readable || !entry.connection.is_metered() {
            return usize::MAX;
        }
        match self.left(id, entry.connection.wanted(), cx.now) {
            Ok(left) => left,
            Err(until) => {
                entry.readable = false;
                let before = self.column[id.index()].held_until.replace(until);
                self.readings.set(before, Some(until), id);
                cx.metrics.rate_waits += u64::from(before.is_none());
                if entry.failed {
                    // Nobody waits for it there.
                    entry.connection.end(Cause::SocketFailed, cx);
                }
                usize::MAX
            }
        }
    }

    /// How many bytes may be read, of which `wanted` complete a frame.
    ///
    /// # Errors
    /// None, before this time.
    fn left(&self, id: ConnId, wanted: usize, now: Duration) -> Result<usize, Duration> {
        let meter = &self.column[id.index()];
        let mut most = usize::MAX;
        let mut until = Duration::ZERO;
        if let Some(rate) = self.bytes {
            let left = meter.bytes.left(rate, now);
            let portion = (rate.count / PORTION).max(READ_BYTES_MIN as u64).min(rate.count);
            if left < portion {
                until = meter.bytes.ready_at(portion, rate);
            }
            most = usize::try_from(left).unwrap_or(usize::MAX);
        }
        if let Some(rate) = self.messages {
            let left = meter.messages.left(rate, now);
            let portion = (rate.count / PORTION).max(1);
            if left < portion {
                until = until.max(meter.messages.ready_at(portion, rate));
            }
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            most = most.min(left.saturating_mul(FRAME_BYTES_MIN).max(wanted));
        }
        if until > now { Err(until) } else { Ok(most) }
    }

    /// A connection has done something since `before`.
    #[inline]
    pub(super) fn note(
        &mut self,
        id: ConnId,
        before: Option<Count>,
        peer: &Connection,
        cx: &Context,
    ) {
        if let Some(before) = before {
            self.note_since(id, before, peer, cx);
        }
    }

    #[inline(never)]
    fn note_since(&mut self, id: ConnId, before: Count, peer: &Connection, cx: &Context) {
        if !peer.is_metered() {
            return;
        }
        let meter = &mut self.column[id.index()];
        let after = Count::of(&cx.metrics);
        let bytes = after.bytes - before.bytes;
        if let (Some(rate), 1..) = (self.bytes, bytes) {
            meter.bytes.take(bytes, rate, cx.now);
        }
        let messages = after.messages - before.messages;
        if let (Some(rate), 1..) = (self.messages, messages) {
            meter.messages.take(messages, rate, cx.now);
        }
    }
}

impl<N: Net> Server<N> {
    /// Goes on with those who may be read again, and says goodbye to those whose life is over.
    #[inline(never)]
    pub(super) fn ring_meters(&mut self) {
        let now = self.cx.now;
        while let Some(id) = self.meters.ring_reading(now) {
            let Some(entry) = self.registry.get(id) else { continue };
            entry.readable = true;
            self.schedule.wake(id, &mut entry.standing);
        }
        while let Some(id) = self.meters.ring_ending(now) {
            let Some(entry) = self.registry.get(id) else { continue };
            if !entry.connection.expire_life(&mut self.cx) {
                self.meters.spare(id, now);
            }
            self.schedule.wake(id, &mut entry.standing);
        }
    }
}
