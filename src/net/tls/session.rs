//! One TLS session upon a socket: what the loop reads of it and writes to it.
//!
//! ```text
//! state      event                                     next state
//! Header     the PROXY protocol's header is whole      New
//! New        a first record is whole                   Shaking, or Deaf (no room, plain HTTP)
//! Shaking    the handshake is done                     Open
//! Shaking    something is said without a session       Deaf (an alert says as much)
//! any        what arrives makes no sense               Failing (an alert says so)
//! Failing    what came before has been read            Deaf
//! any        our side is finished                      Deaf
//! ```

use std::io::{self, ErrorKind};
use std::rc::Rc;

use rustls::server::UnbufferedServerConnection;

use super::desk::{Desk, REST_BYTES_MAX, Shared};
use super::exchange::{self, Opened};
use super::outgoing::Outgoing;
use super::records;
use super::wrong::Wrong;
use crate::budget::Charge;
use crate::limits::{
    TLS_HANDSHAKE_BYTES, TLS_HOLLOW_RECORDS_A_READ, TLS_HOLLOW_RECORDS_MAX, TLS_READ_BYTES_MAX,
    TLS_RECORD_WORK_BYTES, TLS_RECORDS_AT_ONCE,
};
use crate::net::{Incoming, Stream};

/// What a client that speaks plain HTTP is told.
const IN_THE_CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 26\r\nConnection: close\r\n\r\nThis port speaks TLS only\n";

/// A session. What it keeps between two calls is charged, and mostly nothing.
pub struct Session<S> {
    pub(super) socket: S,
    pub(super) desk: Shared,
    pub(super) state: State,
    /// What arrived and is not done with: the start of a record, and in front of it, `opened` bytes
    /// long, that of a message whose records have been opened.
    pub(super) rest: Vec<u8>,
    pub(super) opened: usize,
    /// Plaintext that its reader has had no room for.
    pub(super) spill: Vec<u8>,
    pub(super) outgoing: Outgoing,
    /// The peer has said that nothing follows.
    heard_end: bool,
    /// Bytes that the last read took beside plaintext.
    pub(super) beside: usize,
    /// Records with nothing in them that have not been forgiven.
    hollow: u32,
    /// How often it has been looked at while the same record was unfinished.
    pub(super) looks: u32,
    /// For the session itself, and for what it keeps.
    pub(super) charges: (Option<Charge>, Option<Charge>),
    /// What it keeps stands in the reserve.
    pub(super) in_reserve: bool,
}

pub(super) enum State {
    /// A proxy says first for whom it has connected.
    Header,
    /// Nothing has been made of what has arrived.
    New,
    /// The handshake is in progress.
    Shaking(Box<UnbufferedServerConnection>),
    /// Bytes flow.
    Open(Box<UnbufferedServerConnection>),
    /// What was opened before is still to be read; then this has to be said.
    Failing(String),
    /// What arrives is thrown away.
    Deaf,
}

impl<S: Stream> Session<S> {
    /// `header`: one of the PROXY protocol comes first.
    pub(super) fn new(socket: S, desk: Shared, header: bool) -> Self {
        Self {
            socket,
            desk,
            state: if header { State::Header } else { State::New },
            rest: Vec::new(),
            opened: 0,
            spill: Vec::new(),
            outgoing: Outgoing::default(),
            heard_end: false,
            beside: 0,
            hollow: 0,
            looks: 0,
            charges: (None, None),
            in_reserve: true,
        }
    }

    pub(super) fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Reads plaintext; see [`Stream::read`].
    pub(super) fn read_opened(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        let desk = Rc::clone(&self.desk);
        let desk = &mut *desk.borrow_mut();
        let incoming = match &mut self.state {
            // The socket may have more, which nobody has looked at.
            _ if !self.spill.is_empty() => {
                Incoming { count: exchange::pour(&mut self.spill, into), drained: false }
            }
            State::Failing(why) => {
                let why = std::mem::take(why);
                self.become_deaf();
                self.recharge(desk);
                return Err(io::Error::new(ErrorKind::InvalidData, why));
            }
            State::Deaf => return self.throw_away(into),
            State::Header => return self.read_header(into, desk),
            _ if self.heard_end => return Ok(Incoming { count: 0, drained: false }),
            State::New | State::Shaking(_) | State::Open(_) => self.read_records(into, desk)?,
        };
        self.recharge(desk);
        match incoming.count {
            0 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(incoming),
        }
    }

    /// Reads once, and opens what is whole then. No plaintext is not the end of it.
    fn read_records(&mut self, into: &mut [u8], desk: &mut Desk) -> io::Result<Incoming> {
        let start = self.rest.len();
        let most = into.len().min(TLS_READ_BYTES_MAX);
        let window = &mut desk.incoming[start..start + most];
        let Incoming { count, drained } = self.socket.read(window)?;
        if count == 0 {
            return match (&self.state, start) {
                (State::New, 0) => {
                    self.heard_end = true;
                    Ok(Incoming { count, drained })
                }
                _ => Err(ErrorKind::UnexpectedEof.into()),
            };
        }
        let mut filled = 0;
        if let Err(wrong) = self.take(start, start + count, into, &mut filled, desk) {
            desk.counts.failed += 1;
            self.charges.0 = None;
            self.state = State::Failing(wrong.to_string());
        }
        self.beside += count.saturating_sub(filled + self.spill.len());
        if filled > 0 || self.rest.is_empty() {
            self.looks = 0;
        }
        desk.part(start + count, 0);
        let more =
            self.heard_end || !self.spill.is_empty() || matches!(self.state, State::Failing(_));
        Ok(Incoming { count: filled, drained: drained && !more })
    }

    /// Makes of what has arrived what can be made of it: `desk.incoming[start..end]` is new, and
    /// what was left of earlier belongs in front. `filled` is how much plaintext came out.
    fn take(
        &mut self,
        start: usize,
        end: usize,
        into: &mut [u8],
        filled: &mut usize,
        desk: &mut Desk,
    ) -> Result<(), Wrong> {
        let is_first = matches!(self.state, State::New) && start == 0;
        if is_first && records::is_plain_http(desk.incoming[0]) {
            self.outgoing.words().extend_from_slice(IN_THE_CLEAR);
            return Err(Wrong::InTheClear);
        }
        // The record that was begun earlier is told by its head. Until it is whole nothing is
        // copied but what is new.
        let begun = start - self.opened;
        let head = (records::HEAD_BYTES).min(begun);
        let mut first = [0; records::HEAD_BYTES];
        first[..head].copy_from_slice(&self.rest[self.opened..][..head]);
        let more = (records::HEAD_BYTES - head).min(end - start);
        first[head..head + more].copy_from_slice(&desk.incoming[start..][..more]);
        let needed = records::needed(&first[..head + more]);
        if begun + end - start < needed {
            // The oldest make room at the end of the turn, until then there is some to spare.
            if self.in_reserve && desk.budget.reserve_is_far_too_short() {
                return Err(self.find_no_room(desk));
            }
            if end > REST_BYTES_MAX {
                return Err(Wrong::TooLong);
            }
            self.rest.extend_from_slice(&desk.incoming[start..end]);
            return Ok(());
        }
        let incoming = &mut desk.incoming[..end];
        incoming[..start].copy_from_slice(&self.rest);
        let (whole, count) = records::whole(&incoming[self.opened..], usize::MAX);
        let whole = self.opened + whole;
        self.beside = count * TLS_RECORD_WORK_BYTES;
        self.rest = Vec::new();
        if matches!(self.state, State::New) {
            let Some(session) = desk.session()? else { return Err(self.find_no_room(desk)) };
            self.charges.0 = Some(desk.budget.reserve(TLS_HANDSHAKE_BYTES));
            self.state = State::Shaking(Box::new(session));
        }
        self.open(whole, end, into, filled, desk)
    }

    /// Has the records opened of which the first `whole` bytes of `desk.incoming[..end]` consist.
    fn open(
        &mut self,
        whole: usize,
        end: usize,
        into: &mut [u8],
        filled: &mut usize,
        desk: &mut Desk,
    ) -> Result<(), Wrong> {
        if matches!(self.state, State::Shaking(_)) {
            // Before it is known what comes of it: who fails has had the work done as well.
            desk.flights_left = desk.flights_left.saturating_sub(1);
        }
        let (State::Shaking(session) | State::Open(session)) = &mut self.state else {
            return Ok(());
        };
        let (spill, words) = (&mut self.spill, self.outgoing.words());
        let mut opened = Opened { into, filled, spill, full: 0, words, closed: false };
        let incoming = &mut desk.incoming[..end];
        let (mut done, mut stop) = (0, self.opened);
        self.hollow = self.hollow.saturating_sub(TLS_HOLLOW_RECORDS_A_READ);
        while stop < end && !opened.closed {
            let (length, count) = records::whole(&incoming[stop..whole], TLS_RECORDS_AT_ONCE);
            stop += length;
            if stop == whole {
                // What is not whole may be no record at all.
                stop = end;
            }
            let (is_open, full) = (!session.is_handshaking(), opened.full);
            done += exchange::open(&mut **session, &mut incoming[done..stop], &mut opened)?;
            if is_open {
                self.hollow += (count + full).saturating_sub(opened.full) as u32;
            }
            if self.hollow > TLS_HOLLOW_RECORDS_MAX {
                let _ = exchange::close(&mut **session, &mut incoming[done..stop], opened.words);
                return Err(Wrong::Hollow);
            }
        }
        self.heard_end |= opened.closed;
        let rest = &desk.incoming[done..end];
        if rest.len() > REST_BYTES_MAX {
            return Err(Wrong::TooLong);
        }
        self.rest.extend_from_slice(rest);
        self.opened = whole.saturating_sub(done);
        self.note_handshake(done);
        if let State::Shaking(session) = &self.state {
            if !session.is_handshaking() {
                desk.count(session.handshake_kind());
                self.settle_in(desk);
            }
        }
        Ok(())
    }

    /// Reads what nobody shall see.
    fn throw_away(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        let incoming = self.socket.read(into)?;
        into[..incoming.count].fill(0);
        Ok(incoming)
    }
}
