//! Opening connections: how fast, from where, and the handshake.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::super::client::Client;
use super::super::errors::Kind;
use super::super::plan::Shape;
use super::super::script::Script;
use super::super::state::{End, State};
use super::{CLOSE_TIME, Engine};
use crate::http::client::upgraded;
use crate::net::dial::Dial;
use crate::net::{Event, Source};
use crate::ws::offer::Agreed;

/// A churn whose connections fail is not tried for ever.
const CHURN_FAILURES_MAX: u64 = 1000;

/// So many failures in a row, and no connection yet: nobody is there.
const HOPELESS_FAILURES: u64 = 16;

/// After what time a server is asked again whose backlog was full.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

impl<D: Dial> Engine<D> {
    /// Begins connections as far as that is allowed by now.
    pub(super) fn connect_more(&mut self, now: Duration) {
        if self.opening.retry_at().is_some_and(|at| at <= now) {
            for (at, since) in std::mem::take(&mut self.opening.waiting) {
                self.opening.underway -= 1;
                self.connect(at, since);
            }
        }
        while self.opening.next().is_some_and(|next| next <= now) && !self.interrupted {
            let Some(at) = self.opening.take_next() else { break };
            match self.clients[at] {
                None => self.connect(at, now),
                Some(_) => self.opening.kept += 1,
            }
            let failed = self.tally.connections.failed;
            if self.tally.connections.opened == 0 && failed >= HOPELESS_FAILURES {
                self.opening.begun = self.opening.of;
            }
        }
    }

    pub(super) fn all_are_open(&self, now: Duration) -> bool {
        let begun = self.opening.begun == self.opening.of && now >= self.opening.ramp_ends;
        // With churn some are always under way.
        let churns = matches!(self.plan.shape, Shape::Churn(_)) && self.tally.open > 0;
        begun && (self.opening.underway == 0 || churns)
    }

    /// Begins a connection, for which one has tried since `since`.
    pub(super) fn connect(&mut self, at: usize, since: Duration) {
        let source = self.source(at);
        let place = self.target(at).place.clone();
        match self.net.connect(&place, source, at) {
            Ok(stream) => {
                self.opening.underway += 1;
                let mut client = Client::new(stream, self.desk.script.start(at), since);
                client.slow = at < self.plan.slow_readers;
                client.bare = self.plan.bare;
                self.clients[at] = Some(client);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let now = self.net.now();
                if now < since + self.plan.timeout {
                    self.opening.underway += 1;
                    self.opening.waiting.push((at, since));
                    self.opening.retry_at = now + RETRY_INTERVAL;
                    return;
                }
                self.tally.connections.failed += 1;
                self.desk.errors.add(Kind::Connect, || "its backlog stays full".to_owned());
            }
            Err(error) => {
                self.tally.connections.failed += 1;
                self.desk.errors.add(Kind::Connect, || connect_error(&error, source));
            }
        }
    }

    /// An event of a connection that is not connected yet.
    pub(super) fn connected(&mut self, at: usize, event: Event) -> Result<(), End> {
        let Some(client) = &mut self.clients[at] else { return Ok(()) };
        if event.failed || event.hangup {
            // The read says why.
            client.read(&mut self.buffer)?;
            return Err(client.finished());
        }
        if !event.writable {
            return Ok(());
        }
        if self.plan.bare {
            self.join(at, self.net.now());
            return Ok(());
        }
        let request = self.request(at);
        let Some(client) = &mut self.clients[at] else { return Ok(()) };
        client.request(&request)
    }

    /// The answer to the request is whole.
    pub(super) fn opened(&mut self, at: usize, head: &[u8], now: Duration) -> Result<(), End> {
        let wrong = |words| End::Wrong(Kind::Handshake, words);
        let offer = self.plan.deflate;
        let field = upgraded(head, &self.key(at), offer.is_some()).map_err(wrong)?;
        if let Some(offer) = offer {
            let declined = || wrong("permessage-deflate was declined".to_owned());
            let field = field.ok_or_else(declined)?;
            let agreed = Agreed::parse(field.as_bytes(), offer);
            let agreed = agreed.map_err(|_| wrong(format!("not offered: {field:?}")))?;
            if self.desk.agreed.is_none() {
                self.desk.script = Script::new(&self.plan.recipe(), Some(agreed));
            }
            if *self.desk.agreed.get_or_insert(agreed) != agreed {
                return Err(wrong("not every connection agrees to the same".to_owned()));
            }
        }
        self.join(at, now);
        Ok(())
    }

    /// A connection is open, and takes part.
    fn join(&mut self, at: usize, now: Duration) {
        let Some(client) = &mut self.clients[at] else { return };
        self.tally.opened(now.saturating_sub(client.since));
        self.opening.underway -= 1;
        client.open(self.desk.script.start(at), self.plan.deflate.is_some(), now);
        self.take_turns(at);
        if self.sending {
            self.start(at, now);
        }
    }

    /// A connection is over.
    pub(super) fn end(&mut self, at: usize, end: End) {
        let Some(client) = self.clients[at].take() else { return };
        let was_open = matches!(client.state(), State::Open | State::Closing);
        let connections = &mut self.tally.connections;
        if was_open {
            self.tally.open -= 1;
        } else {
            self.opening.underway -= 1;
        }
        let (lost, slow) = (client.receiver.lost(), client.slow);
        // The old connection goes before a new one has its number.
        drop(client);
        self.desk.errors.add_many(Kind::Lost, lost, || format!("{lost} messages never came back"));
        match &end {
            End::Asked => connections.closed += 1,
            _ if was_open => connections.lost += 1,
            _ => connections.failed += 1,
        }
        match end {
            // That a server ends who never reads is what it should do.
            End::Wrong(kind, words) if !slow => self.desk.errors.add(kind, || words),
            _ => {}
        }
        let churns = matches!(self.plan.shape, Shape::Churn(_)) && self.sending;
        if churns && self.tally.connections.failed < CHURN_FAILURES_MAX {
            self.opening.vacant.push_back(at);
        }
    }

    /// Closes the connections from this one on, and waits for their ends for a while.
    pub(super) fn close_from(&mut self, first: usize) -> io::Result<()> {
        self.sending = false;
        let now = self.net.now();
        for at in first..self.clients.len() {
            let Some(client) = &mut self.clients[at] else { continue };
            if client.state() == State::Open && !client.slow {
                client.close(now);
                self.flush_or_end(at, now);
            } else if client.state() != State::Closing {
                self.clients[at] = None;
            }
        }
        let until = now + CLOSE_TIME;
        let mut events = Vec::new();
        while self.clients.iter().skip(first).any(Option::is_some) && self.net.now() < until {
            let patience = if self.again.is_empty() { until } else { now };
            self.net.wait(Some(patience), &mut events)?;
            for event in &events {
                match event.source {
                    Source::Connection(at) => self.event(at, *event),
                    Source::Signal => {
                        self.interrupted = true;
                        self.clients.truncate(first);
                    }
                    Source::Listener(_) | Source::Reload | Source::Bus | Source::Supervisor => {}
                }
            }
            for (at, hangup) in std::mem::take(&mut self.again) {
                self.read_on(at, hangup);
            }
        }
        self.clients.truncate(first);
        Ok(())
    }
}

fn connect_error(error: &io::Error, source: Option<IpAddr>) -> String {
    match source {
        Some(source) => format!("from {source}: {error}"),
        None => error.to_string(),
    }
}
