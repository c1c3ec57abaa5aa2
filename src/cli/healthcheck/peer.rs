//! The server under check, spoken to until the deadline.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{described, head};
use super::stream::Stream;
use crate::cli::url::Url;
use crate::http::client::{self, Asked};
use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEAD_BYTES_MAX, HEAD_BYTES_MAX};
use crate::net::local;
#[cfg(feature = "tls")]
use crate::net::tls::client::Trust;
use crate::ws::close::CloseCode;
use crate::ws::head::{First, Opcode, write_client_head};
use crate::ws::mask::unmask;

/// Where a server may be.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// At an address.
    Address(SocketAddr),
    /// At a Unix socket.
    Socket(PathBuf),
}

impl Place {
    fn connect(&self, patience: Duration) -> io::Result<Stream> {
        match self {
            Self::Address(address) => {
                TcpStream::connect_timeout(address, patience).map(Stream::Plain)
            }
            Self::Socket(path) => local::connect(path, patience).map(Stream::Local),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "{path:?}"),
        }
    }
}

/// A server under check.
pub(super) struct Peer {
    stream: Stream,
    pub(super) place: Place,
    deadline: Instant,
    /// Received and not yet looked at.
    unread: Vec<u8>,
}

impl Peer {
    /// Connects to the first place at which somebody listens.
    pub(super) fn connect(places: &[Place], deadline: Instant) -> Result<Self, String> {
        let mut wrong = "the host has no address".to_owned();
        for place in places.iter().cloned() {
            match place.connect(remaining(deadline)?) {
                Ok(stream) => return Ok(Self { stream, place, deadline, unread: Vec::new() }),
                Err(error) => wrong = said(&error),
            }
        }
        Err(wrong)
    }

    /// Has TLS spoken from here on; which version of it.
    #[cfg(feature = "tls")]
    pub(super) fn secure(&mut self, url: &Url<'_>, trust: &Trust) -> Result<String, String> {
        self.stream.secure(url.host, trust)?;
        loop {
            let timeout = Some(remaining(self.deadline)?);
            let stream = &self.stream;
            let ready = stream.set_read_timeout(timeout).and(stream.set_write_timeout(timeout));
            match ready.and_then(|()| self.stream.shake_hands()) {
                Ok(Some(version)) => return Ok(version),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(said(&error)),
            }
        }
    }

    /// Shakes hands. False if that takes a token that nobody has given.
    pub(super) fn open(&mut self, url: &Url<'_>) -> Result<bool, String> {
        let nonce = [entropy().to_ne_bytes(), entropy().to_ne_bytes()];
        let key = STANDARD.encode(nonce.as_flattened());
        let Url { authority, target, .. } = url;
        let agent = "wsecho-healthcheck";
        let mut request = Vec::new();
        Asked { target, authority, key: &key, agent, extensions: None, fields: "" }
            .write(&mut request);
        let head = self.ask(&request)?;
        if head.starts_with(b"HTTP/1.1 401 ") && target.starts_with("/healthz") {
            return Ok(false);
        }
        client::upgraded(&head, &key, false).map(|_| true)
    }

    /// Sends a request, and returns the head of its answer.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        self.send(request)?;
        let len = loop {
            if let Some(len) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break len;
            }
            if self.unread.len() > HEAD_BYTES_MAX {
                return Err("the answer's head is too long".to_owned());
            }
            self.receive()?;
        };
        let mut head: Vec<u8> = self.unread.drain(..len + 4).collect();
        head.truncate(len);
        Ok(head)
    }

    /// Has one message echoed; how long it was.
    pub(super) fn echo(&mut self) -> Result<usize, String> {
        let message = format!("wsecho healthcheck {:016x}", entropy());
        self.send_frame(Opcode::Text, message.as_bytes())?;
        match self.answer()? {
            (First { fin: true, opcode: Opcode::Text, .. }, payload)
                if payload == message.as_bytes() =>
            {
                Ok(message.len())
            }
            (first, payload) => Err(format!("answered with {}", described(first, &payload))),
        }
    }

    /// RFC 6455 §7.1.1: the server closes TCP first, so the end of its stream is part of it.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let body = CloseCode::NORMAL.number().to_be_bytes();
        self.send_frame(Opcode::Close, &body)?;
        match self.answer()? {
            (First { opcode: Opcode::Close, .. }, payload) if payload == body => {}
            (first, payload) => {
                return Err(format!("answered with {}", described(first, &payload)));
            }
        }
        while self.unread.is_empty() {
            if self.receive_some()? == 0 {
                return Ok(());
            }
        }
        Err("something came after the Close frame".to_owned())
    }

    /// The next frame that is no ping or pong: its first byte and payload.
    fn answer(&mut self) -> Result<(First, Vec<u8>), String> {
        loop {
            let (first, payload) = self.frame()?;
            match first.opcode {
                Opcode::Ping => self.send_frame(Opcode::Pong, &payload)?,
                Opcode::Pong => {}
                _ => return Ok((first, payload)),
            }
        }
    }

    /// One frame. All that can be right here is short.
    fn frame(&mut self) -> Result<(First, Vec<u8>), String> {
        let (first, rest) = loop {
            let head = head(&self.unread);
            match head.map_err(|fault| format!("unexpected frame: {}", fault.reason()))? {
                Some(head) => break head,
                None => self.receive()?,
            }
        };
        let short = usize::try_from(rest.length).ok().filter(|len| *len <= CONTROL_BYTES_MAX);
        let Some(len) = short else {
            return Err(format!("unexpected frame: {} bytes long", rest.length));
        };
        while self.unread.len() < rest.head_bytes + len {
            self.receive()?;
        }
        let payload = self.unread.drain(..rest.head_bytes + len).skip(rest.head_bytes).collect();
        Ok((first, payload))
    }

    fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), String> {
        let [key @ .., _, _, _, _] = entropy().to_ne_bytes();
        let first = First { fin: true, compressed: false, opcode };
        let mut frame = vec![0; FRAME_HEAD_BYTES_MAX];
        let at = write_client_head(&mut frame, first, payload.len() as u64, key);
        frame.truncate(at);
        frame.extend_from_slice(payload);
        // Masking and unmasking are one operation (§5.3).
        let end = frame.len();
        unmask(&mut frame, at..end, at, key);
        self.send(&frame)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let timeout = Some(remaining(self.deadline)?);
        let ready = self.stream.set_write_timeout(timeout);
        let sent = ready.and_then(|()| self.stream.write_all(bytes));
        sent.and_then(|()| self.stream.flush()).map_err(|error| said(&error))
    }

    fn receive(&mut self) -> Result<(), String> {
        match self.receive_some()? {
            0 => Err("the server closed the connection".to_owned()),
            _ => Ok(()),
        }
    }

    /// Waits for more and returns how much came; 0 is the end of the stream.
    fn receive_some(&mut self) -> Result<usize, String> {
        let mut chunk = [0; 1024];
        let timeout = Some(remaining(self.deadline)?);
        self.stream.set_read_timeout(timeout).map_err(|error| said(&error))?;
        let len = match self.stream.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.receive_some(),
            result => result.map_err(|error| said(&error))?,
        };
        self.unread.extend_from_slice(&chunk[..len]);
        Ok(len)
    }
}

/// 64 bits that no observer can guess: SipHash under a key from the system's generator.
fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Never zero, which would mean no timeout to the system.
pub(super) fn remaining(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_late()) } else { Ok(left) }
}

fn too_late() -> String {
    "not done in time".to_owned()
}

pub(super) fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => too_late(),
        _ => error.to_string(),
    }
}
