//! `wsecho healthcheck`: one connection, opening handshake, one echo, closing handshake.
//!
//! A blocking client on one absolute deadline. A timeout per read would let a peer that sends a
//! byte now and then keep the check, and the orchestrator that waits for it, for ever.

mod answer;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use answer::{described, head, quoted};

use super::Check;
use super::url::Url;
use crate::http::client::{self, Asked};
use crate::http::shown_target;
use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEAD_BYTES_MAX, HEAD_BYTES_MAX};
use crate::ws::close::CloseCode;
use crate::ws::head::{First, Opcode, write_client_head};
use crate::ws::mask::unmask;

/// Checks a server once, and tells `out` what it has done and how long each step took.
///
/// # Errors
///
/// One line: the URL, the step that failed and why, at the latest when `check.timeout` is over.
pub fn run(check: &Check, out: &mut dyn Write) -> Result<(), String> {
    let start = Instant::now();
    let shown = shown_target(&check.url);
    let deadline = start + check.timeout;
    let mut report = Report { out, quiet: check.quiet, since: start };
    let mut healthy = || {
        let url = Url::parse(&check.url)?;
        let staged = |step: &'static str| move |wrong| format!("{step}: {wrong}");
        let addresses = addresses(&url, deadline, &mut report).map_err(staged("connecting"))?;
        let mut peer = Peer::connect(&addresses, deadline).map_err(staged("connecting"))?;
        report.step(&format!("connected to {}", peer.address));
        if !peer.open(&url).map_err(staged("opening handshake"))? {
            return ask_plainly(&url, &addresses, deadline, &mut report);
        }
        report.step("opening handshake");
        let length = peer.echo().map_err(staged("echo"))?;
        report.step(&format!("echo of {length} bytes"));
        peer.close().map_err(staged("closing handshake"))?;
        report.step("closing handshake");
        Ok(())
    };
    healthy().map_err(|wrong: String| format!("healthcheck of {shown:?}: {wrong}"))?;
    report.since = start;
    report.step(&format!("{shown} is healthy, checked"));
    Ok(())
}

/// A server that lets only those in who have a token says to all that it is well.
fn ask_plainly(
    url: &Url<'_>,
    addresses: &[SocketAddr],
    deadline: Instant,
    report: &mut Report<'_>,
) -> Result<(), String> {
    let mut peer = Peer::connect(addresses, deadline)?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", url.authority);
    let head = peer.ask(request.as_bytes())?;
    if !head.starts_with(b"HTTP/1.1 200 ") {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        return Err(format!("/healthz is answered with {}", quoted(line)));
    }
    report.step("an echo takes a token; /healthz says that it is well");
    Ok(())
}

/// Says what went well, a line for each step.
struct Report<'a> {
    out: &'a mut dyn Write,
    quiet: bool,
    /// When the current step began.
    since: Instant,
}

impl Report<'_> {
    fn step(&mut self, what: &str) {
        let now = Instant::now();
        let millis = (now - self.since).as_secs_f64() * 1000.0;
        self.since = now;
        if !self.quiet {
            // The verdict is the exit status, whoever reads this.
            let _ = writeln!(self.out, "{what} in {millis:.1} ms");
        }
    }
}

/// Where the host of a URL is.
fn addresses(
    url: &Url<'_>,
    deadline: Instant,
    report: &mut Report<'_>,
) -> Result<Vec<SocketAddr>, String> {
    let addresses = url.addresses(remaining(deadline)?).map_err(|error| said(&error))?;
    if !url.is_literal() {
        report.step(&format!("{} found at {}", url.host, counted(addresses.len(), "address")));
    }
    Ok(addresses)
}

fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "es" })
}

/// A server under check.
struct Peer {
    stream: TcpStream,
    address: SocketAddr,
    deadline: Instant,
    /// Received and not yet looked at.
    unread: Vec<u8>,
}

impl Peer {
    /// Connects to the first address at which somebody listens.
    fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<Self, String> {
        let mut wrong = "the host has no address".to_owned();
        for address in addresses.iter().copied() {
            match TcpStream::connect_timeout(&address, remaining(deadline)?) {
                Ok(stream) => {
                    return Ok(Self { stream, address, deadline, unread: Vec::new() });
                }
                Err(error) => wrong = said(&error),
            }
        }
        Err(wrong)
    }

    /// Shakes hands. False if that takes a token that nobody has given.
    fn open(&mut self, url: &Url<'_>) -> Result<bool, String> {
        let nonce = [entropy().to_ne_bytes(), entropy().to_ne_bytes()];
        let key = STANDARD.encode(nonce.as_flattened());
        let Url { authority, target, .. } = url;
        let agent = "wsecho-healthcheck";
        let mut request = Vec::new();
        Asked { target, authority, key: &key, agent, extensions: None }.write(&mut request);
        let head = self.ask(&request)?;
        if head.starts_with(b"HTTP/1.1 401 ") && target.starts_with("/healthz") {
            return Ok(false);
        }
        client::upgraded(&head, &key, false).map(|_| true)
    }

    /// Sends a request, and returns the head of its answer.
    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
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
    fn echo(&mut self) -> Result<usize, String> {
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
    fn close(&mut self) -> Result<(), String> {
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
        let sent = self.stream.set_write_timeout(timeout).and(self.stream.write_all(bytes));
        sent.map_err(|error| said(&error))
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
fn remaining(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_late()) } else { Ok(left) }
}

fn too_late() -> String {
    "not done in time".to_owned()
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => too_late(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use tungstenite::Message;

    use super::*;
    use crate::http::AcceptKey;

    /// A server for one connection; the check's verdict, and how long that took.
    fn against<F>(serve: F, timeout: Duration) -> (Result<(), String>, Duration)
    where
        F: FnOnce(TcpStream) + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server: JoinHandle<()> =
            thread::spawn(move || serve(listener.accept().expect("a client").0));
        let started = Instant::now();
        let check = Check { url: format!("ws://{address}/"), timeout, quiet: false };
        let verdict = run(&check, &mut io::sink());
        let took = started.elapsed();
        server.join().expect("the server is content");
        (verdict, took)
    }

    const AMPLE: Duration = Duration::from_secs(10);

    fn request_key(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a whole head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("ASCII");
        assert!(head.starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        key.expect("a key").to_owned()
    }

    fn accept(stream: &mut TcpStream) {
        let key = request_key(stream);
        let accept = AcceptKey::derive(key.as_bytes()).expect("16 bytes in base64");
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
             connection: keep-alive, upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
            accept.as_bytes().escape_ascii()
        );
        stream.write_all(head.as_bytes()).expect("sent");
    }

    /// Reads one short masked frame and returns its payload in the clear.
    fn frame(stream: &mut TcpStream) -> Vec<u8> {
        let mut head = [0; 6];
        stream.read_exact(&mut head).expect("a head");
        assert!(head[1] & 0x80 != 0, "clients mask (RFC 6455 §5.3)");
        let mut payload = vec![0; usize::from(head[1] ^ 0x80)];
        stream.read_exact(&mut payload).expect("a payload");
        payload.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        payload
    }

    fn echoed(stream: &mut TcpStream) {
        accept(stream);
        let message = frame(stream);
        let len = u8::try_from(message.len()).expect("short");
        // A ping and a pong in front of it are no answer.
        stream.write_all(&[0x89, 2, b'h', b'i', 0x8a, 0, 0x81, len]).expect("sent");
        stream.write_all(&message).expect("sent");
        assert_eq!(frame(stream), b"hi", "the pong");
    }

    #[test]
    fn o08_server_of_another_house_is_healthy() {
        let serve = |stream| {
            let mut socket = tungstenite::accept(stream).expect("a handshake");
            let message = socket.read().expect("a message");
            assert!(matches!(message, Message::Text(_)));
            socket.send(message).expect("echoed");
            while socket.read().is_ok() {}
        };
        assert_eq!(against(serve, AMPLE).0, Ok(()));
    }

    #[test]
    fn o08_pings_on_the_way_do_not_matter() {
        let serve = |mut stream: TcpStream| {
            echoed(&mut stream);
            assert_eq!(frame(&mut stream), [3, 232]);
            stream.write_all(&[0x88, 2, 3, 232]).expect("sent");
        };
        assert_eq!(against(serve, AMPLE).0, Ok(()));
    }

    #[test]
    fn o08_wedged_or_dripping_server_fails_in_time() {
        let timeout = Duration::from_millis(300);
        let wedged = |mut stream: TcpStream| {
            // Ends when the client gives up.
            let _ = stream.read_to_end(&mut Vec::new());
        };
        let dripping = |mut stream: TcpStream| {
            let head = "HTTP/1.1 101 Switching Protocols\r\nX-Long: ".bytes();
            for byte in head.chain(std::iter::repeat(b'x')) {
                thread::sleep(Duration::from_millis(10));
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
            }
        };
        let never_closing = |mut stream: TcpStream| {
            echoed(&mut stream);
            stream.write_all(&[0x88, 2, 3, 232]).expect("sent");
            let _ = stream.read_to_end(&mut Vec::new());
        };
        for (verdict, took) in
            [against(wedged, timeout), against(dripping, timeout), against(never_closing, timeout)]
        {
            let wrong = verdict.expect_err("late");
            assert!(wrong.ends_with("not done in time"), "{wrong}");
            assert!(took >= timeout && took < Duration::from_secs(5), "{took:?}");
        }
    }

    #[test]
    fn o08_everything_but_an_echo_fails() {
        type Serve = fn(TcpStream);
        let cases: [(&str, Serve); 10] = [
            ("opening handshake: the server closed", |mut stream| drop(request_key(&mut stream))),
            ("opening handshake: the answer is \"HTTP/1.1 503 \\u{1b}[m\"", |mut stream| {
                request_key(&mut stream);
                stream.write_all(b"HTTP/1.1 503 \x1b[m\r\n\r\n").expect("sent");
            }),
            ("echo: answered with Close 1001 \"bye\"", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x88\x05\x03\xe9bye").expect("sent");
            }),
            ("echo: answered with \"something else\"", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x81\x0esomething else").expect("sent");
            }),
            ("echo: unexpected frame: frame masked", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x81\xfe").expect("sent");
            }),
            ("echo: unexpected frame: reserved bit set", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\xc1\x00").expect("sent");
            }),
            ("echo: unexpected frame: 65536 bytes long", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]).expect("sent");
            }),
            ("echo: answered with Text, \"wsecho\", and not a whole text", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x01\x06wsecho").expect("sent");
            }),
            ("closing handshake: answered with Close 1011", |mut stream| {
                echoed(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x88\x02\x03\xf3").expect("sent");
            }),
            ("closing handshake: something came after", |mut stream| {
                echoed(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x88\x02\x03\xe8\x81\x00").expect("sent");
            }),
        ];
        for (expected, serve) in cases {
            let wrong = against(serve, AMPLE).0.expect_err(expected);
            assert!(wrong.contains(&format!(": {expected}")), "{expected:?} in {wrong:?}");
            assert!(!wrong.chars().any(char::is_control), "{wrong:?}");
        }
    }

    #[test]
    fn nobody_there_is_one_line() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("ws://{}/", listener.local_addr().expect("bound"));
        drop(listener);
        let wrong = run(&Check { url: url.clone(), timeout: AMPLE, quiet: false }, &mut io::sink())
            .expect_err("nobody");
        assert!(wrong.starts_with(&format!("healthcheck of \"{url}\": connecting: ")), "{wrong}");
    }
}
