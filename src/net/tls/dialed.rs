//! One TLS session of a client, from connecting to its end.
//!
//! ```text
//! state      event                          next state
//! Shaking    the handshake is done          Open (what was written before is sealed and goes)
//! any        what arrives makes no sense    Failing (an alert says so), then Deaf
//! any        our side is finished           Deaf
//! ```

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;

use super::desk::{REST_BYTES_MAX, WORDS_BYTES_MAX};
use super::dial::{Desk, Shared};
use super::exchange::{self, Opened};
use super::outgoing::{Outgoing, is_passing};
use super::wrong::Wrong;
use crate::limits::{TLS_READ_BYTES_MAX, TLS_SEAL_BYTES_MAX};
use crate::net::{Incoming, Stream};

/// A session. Between two calls it keeps the start of a record, and what the socket refused.
pub struct Dialed<S> {
    socket: S,
    desk: Shared,
    state: State,
    /// What arrived and is not done with.
    rest: Vec<u8>,
    /// Plaintext that its reader has had no room for.
    spill: Vec<u8>,
    /// What was written before there was a key to seal it with: the request.
    early: Vec<u8>,
    outgoing: Outgoing,
    /// The server has said that nothing follows.
    heard_end: bool,
}

enum State {
    Shaking(Box<UnbufferedClientConnection>),
    Open(Box<UnbufferedClientConnection>),
    /// What was opened before is still to be read; then this has to be said.
    Failing(String),
    Deaf,
}

impl<S: Stream> Dialed<S> {
    pub(super) fn new(socket: S, desk: Shared) -> io::Result<Self> {
        let session = {
            let desk = desk.borrow();
            UnbufferedClientConnection::new(Arc::clone(&desk.config), desk.name.clone())
        };
        let session = session.map_err(io::Error::other)?;
        Ok(Self {
            socket,
            desk,
            state: State::Shaking(Box::new(session)),
            rest: Vec::new(),
            spill: Vec::new(),
            early: Vec::new(),
            outgoing: Outgoing::default(),
            heard_end: false,
        })
    }

    /// Has the records opened of which `desk.incoming[..end]` consists, as far as they are whole;
    /// in front of what has just been read goes what was left. `filled` is how much plaintext came
    /// out.
    fn open(
        &mut self,
        end: usize,
        into: &mut [u8],
        filled: &mut usize,
        desk: &mut Desk,
    ) -> Result<(), Wrong> {
        let (State::Shaking(session) | State::Open(session)) = &mut self.state else {
            return Ok(());
        };
        let incoming = &mut desk.incoming[..end];
        incoming[..self.rest.len()].copy_from_slice(&self.rest);
        self.rest = Vec::new();
        let (spill, words) = (&mut self.spill, self.outgoing.words());
        let mut opened = Opened { into, filled, spill, full: 0, words, closed: false };
        let done = exchange::open(&mut **session, incoming, &mut opened)?;
        let closed = opened.closed;
        let rest = &incoming[done..];
        if rest.len() > REST_BYTES_MAX {
            return Err(Wrong::TooLong);
        }
        self.rest.extend_from_slice(rest);
        if closed && !std::mem::replace(&mut self.heard_end, true) {
            let _ = exchange::close(&mut **session, &mut self.rest, self.outgoing.words());
        }
        match &self.state {
            State::Shaking(session) if !session.is_handshaking() => self.settle_in(desk),
            _ => Ok(()),
        }
    }

    /// The handshake is done: what was written meanwhile goes behind its last words.
    fn settle_in(&mut self, desk: &mut Desk) -> Result<(), Wrong> {
        let State::Shaking(mut session) = std::mem::replace(&mut self.state, State::Deaf) else {
            return Ok(());
        };
        let early = std::mem::take(&mut self.early);
        let words = self.outgoing.words();
        let to = &mut desk.outgoing[WORDS_BYTES_MAX..];
        let sealed = exchange::seal(&mut *session, &mut self.rest, words, &early, to)?;
        words.extend_from_slice(&to[..sealed]);
        self.state = State::Open(session);
        Ok(())
    }
}

impl<S: Stream> Stream for Dialed<S> {
    /// That a server ends without the words of TLS for it makes no difference here: what counts is
    /// its Close.
    fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
        if !self.spill.is_empty() {
            // The socket may have more, which nobody has looked at.
            return Ok(Incoming { count: exchange::pour(&mut self.spill, into), drained: false });
        }
        match &mut self.state {
            State::Failing(why) => {
                let why = std::mem::take(why);
                self.state = State::Deaf;
                return Err(io::Error::new(ErrorKind::InvalidData, why));
            }
            State::Deaf => return Ok(Incoming { count: 0, drained: false }),
            _ if self.heard_end => return Ok(Incoming { count: 0, drained: false }),
            State::Shaking(_) | State::Open(_) => {}
        }
        let desk = Rc::clone(&self.desk);
        let desk = &mut *desk.borrow_mut();
        let start = self.rest.len();
        let most = into.len().min(TLS_READ_BYTES_MAX);
        let Incoming { count, drained } =
            self.socket.read(&mut desk.incoming[start..start + most])?;
        if count == 0 {
            return Ok(Incoming { count, drained });
        }
        let mut filled = 0;
        if let Err(wrong) = self.open(start + count, into, &mut filled, desk) {
            self.state = State::Failing(wrong.to_string());
        }
        // What TLS has to say goes along; should the socket not take it, an event will tell.
        self.flush().or_else(|error| if is_passing(&error) { Ok(()) } else { Err(error) })?;
        let more =
            self.heard_end || !self.spill.is_empty() || matches!(self.state, State::Failing(_));
        match filled {
            0 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(Incoming { count: filled, drained: drained && !more }),
        }
    }

    /// Bytes of which it is not said that they are written have to be the first to be offered
    /// again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let session = match &mut self.state {
            State::Shaking(session) => {
                // The first call says the first words.
                let mut nothing = Opened {
                    into: &mut [],
                    filled: &mut 0,
                    spill: &mut self.spill,
                    full: 0,
                    words: self.outgoing.words(),
                    closed: false,
                };
                exchange::open(&mut **session, &mut [], &mut nothing).map_err(io::Error::other)?;
                if self.early.len() + bytes.len() > TLS_SEAL_BYTES_MAX {
                    return Err(ErrorKind::WouldBlock.into());
                }
                self.early.extend_from_slice(bytes);
                return match self.flush() {
                    Err(error) if !is_passing(&error) => Err(error),
                    _ => Ok(bytes.len()),
                };
            }
            State::Open(session) => session,
            State::Failing(_) | State::Deaf => return Err(ErrorKind::BrokenPipe.into()),
        };
        let desk = &mut *self.desk.borrow_mut();
        let Self { outgoing, rest, socket, .. } = self;
        if outgoing.owes(bytes.len()) {
            return outgoing.pay(socket);
        }
        if outgoing.words().len() > WORDS_BYTES_MAX / 2 {
            outgoing.flush(socket)?;
        }
        let plain = &bytes[..bytes.len().min(TLS_SEAL_BYTES_MAX)];
        let to = &mut desk.outgoing[WORDS_BYTES_MAX..];
        let sealed = exchange::seal(&mut **session, rest, outgoing.words(), plain, to);
        let sealed = sealed.map_err(io::Error::other)?;
        outgoing.send(socket, plain.len(), &mut desk.outgoing, sealed)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        self.outgoing.flush(&mut self.socket)
    }

    /// Says first that nothing follows.
    fn shut(&mut self) -> io::Result<()> {
        self.outgoing.forget_debts();
        if let State::Open(session) = &mut self.state {
            // Without keys to say it with, the end of the stream has to do.
            let _ = exchange::close(&mut **session, &mut self.rest, self.outgoing.words());
        }
        self.state = State::Deaf;
        self.flush()?;
        self.socket.shut()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::{Read, Write};
    use std::net::IpAddr;
    use std::time::Duration;

    use rustls::ServerConnection;

    use super::super::client::Trust;
    use super::super::dial::TlsDial;
    use super::super::identity::Identity;
    use super::super::stream::TlsStream;
    use super::*;
    use crate::limits::TlsFiles;
    use crate::net::Event;
    use crate::net::dial::{Dial, Place};

    /// Both directions between a client and its server. Each call moves some bytes, or none.
    #[derive(Default)]
    struct Wire {
        up: VecDeque<u8>,
        down: VecDeque<u8>,
        /// How many bytes the next call may move; it changes with each.
        dice: u64,
        finished: bool,
    }

    #[derive(Clone, Default)]
    struct Pipe(Rc<std::cell::RefCell<Wire>>);

    impl Wire {
        fn most(&mut self) -> usize {
            self.dice =
                self.dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let roll = self.dice >> 33;
            match roll % 5 {
                0 => 0,
                1 => 1 + (roll >> 3) as usize % 30,
                _ => 1 + (roll >> 3) as usize % 40_000,
            }
        }
    }

    impl Stream for Pipe {
        fn read(&mut self, into: &mut [u8]) -> io::Result<Incoming> {
            let mut wire = self.0.borrow_mut();
            let most = wire.most().min(into.len());
            if wire.down.is_empty() && wire.finished {
                return Ok(Incoming { count: 0, drained: false });
            }
            let count = wire.down.read(&mut into[..most])?;
            match count {
                0 => Err(ErrorKind::WouldBlock.into()),
                _ => Ok(Incoming { count, drained: wire.down.is_empty() }),
            }
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut wire = self.0.borrow_mut();
            match wire.most().min(bytes.len()) {
                0 => Err(ErrorKind::WouldBlock.into()),
                count => wire.up.write(&bytes[..count]),
            }
        }

        fn shut(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Dial for Pipe {
        type Stream = Self;

        fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Event>) -> io::Result<()> {
            Ok(())
        }

        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn connect(&mut self, _: &Place, _: Option<IpAddr>, _: usize) -> io::Result<Self> {
            Ok(self.clone())
        }
    }

    fn session(pipe: &Pipe, trust: &Trust) -> Dialed<Pipe> {
        let mut dial = TlsDial::secured(pipe.clone(), "localhost", trust).expect("a name");
        match dial.connect(&Place::Socket("x".into()), None, 0) {
            Ok(TlsStream::Secure(session)) => *session,
            _ => panic!("not secured"),
        }
    }

    fn server() -> ServerConnection {
        let files = TlsFiles { self_signed: Some("localhost".to_owned()), ..TlsFiles::default() };
        let identity = Identity::load(&files).expect("an identity");
        ServerConnection::new(identity.config).expect("a session")
    }

    /// The server takes what has come, and sends back what it could read of it.
    fn serve(server: &mut ServerConnection, pipe: &Pipe) -> Result<(), rustls::Error> {
        let mut wire = pipe.0.borrow_mut();
        while !wire.up.is_empty() && server.wants_read() {
            server.read_tls(&mut wire.up).expect("memory");
            let outcome = server.process_new_packets();
            let mut plain = Vec::new();
            // Nothing more for now, which reads as an error.
            let _ = server.reader().read_to_end(&mut plain);
            server.writer().write_all(&plain).expect("room");
            while server.wants_write() {
                server.write_tls(&mut wire.down).expect("memory");
            }
            outcome?;
        }
        Ok(())
    }

    /// Whatever the socket takes and brings at a time, and before the handshake is done too, every
    /// byte comes back once and in order.
    #[test]
    fn every_byte_is_sealed_once_and_opened_once() {
        for seed in 0..20 {
            let pipe = Pipe::default();
            pipe.0.borrow_mut().dice = seed;
            let (mut client, mut server) = (session(&pipe, &Trust::Anybody), server());
            server.set_buffer_limit(None);
            let bytes: Vec<u8> = (0..300_000u32).map(|at| (at * 7 + at / 251) as u8).collect();
            let mut sent = client.write(&bytes[..500]).expect("it is kept");
            assert_eq!(sent, 500, "what is said early is taken whole");
            let (mut came, mut buffer) = (Vec::new(), vec![0; 9000]);
            for _ in 0..100_000 {
                serve(&mut server, &pipe).expect("nothing wrong");
                match client.read(&mut buffer) {
                    Ok(incoming) => came.extend_from_slice(&buffer[..incoming.count]),
                    Err(error) => assert!(is_passing(&error), "{error}"),
                }
                let flushed = client.flush();
                assert!(flushed.as_ref().map_or_else(is_passing, |()| true), "{flushed:?}");
                if sent < bytes.len() && matches!(client.state, State::Open(_)) {
                    match client.write(&bytes[sent..]) {
                        Ok(count) => sent += count,
                        Err(error) => assert!(is_passing(&error), "{error}"),
                    }
                }
                if came.len() == bytes.len() {
                    break;
                }
            }
            assert!(came == bytes, "seed {seed}: {} of {} bytes", came.len(), bytes.len());
            assert!(client.spill.is_empty() && client.early.capacity() == 0);
            assert!(client.outgoing.is_empty());
        }
    }

    /// Who says that nothing follows is answered with the same.
    #[test]
    fn an_end_is_answered() {
        let pipe = Pipe::default();
        let (mut client, mut server) = (session(&pipe, &Trust::Anybody), server());
        client.write(b"hello").expect("it is kept");
        let mut buffer = vec![0; 9000];
        let mut count = 0;
        while count == 0 {
            serve(&mut server, &pipe).expect("nothing wrong");
            count = client.read(&mut buffer).map_or(0, |incoming| incoming.count);
            let _ = client.flush();
        }
        assert_eq!(&buffer[..count], b"hello");
        server.send_close_notify();
        while server.wants_write() {
            server.write_tls(&mut pipe.0.borrow_mut().down).expect("memory");
        }
        while !client.heard_end {
            let _ = client.read(&mut buffer);
        }
        assert_eq!(client.read(&mut buffer).expect("the end").count, 0);
        while client.flush().is_err() {}
        server.read_tls(&mut pipe.0.borrow_mut().up).expect("memory");
        let state = server.process_new_packets().expect("nothing wrong");
        assert!(state.peer_has_closed());
    }

    /// A certificate that nobody has vouched for ends it, once what was read before is read.
    #[test]
    fn a_certificate_that_is_not_believed_is_told_of() {
        let folder = std::env::temp_dir().join(format!("wsecho-dialed-{}", std::process::id()));
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        std::fs::write(&folder, other.cert.pem()).expect("writable");
        let pipe = Pipe::default();
        let (mut client, mut server) = (session(&pipe, &Trust::Signed(folder.clone())), server());
        std::fs::remove_file(folder).expect("it is there");
        client.write(b"secret").expect("it is kept");
        let mut buffer = vec![0; 9000];
        let mut alert = None;
        let wrong = loop {
            alert = alert.or(serve(&mut server, &pipe).err());
            match client.read(&mut buffer) {
                Err(error) if is_passing(&error) => drop(client.flush()),
                Err(error) => break error,
                Ok(incoming) => assert_eq!(incoming.count, 0, "{:?}", &buffer[..20]),
            }
        };
        assert_eq!(wrong.kind(), ErrorKind::InvalidData);
        assert!(wrong.to_string().contains("certificate"), "{wrong}");
        while client.flush().is_err() {}
        let alert = alert.or(serve(&mut server, &pipe).err()).expect("it is told why");
        assert!(alert.to_string().contains("alert"), "{alert}");
    }
}
