//! A crowd in one chat room: `room PORT CLIENTS SECONDS`.
//!
//! Each client says something once a second and hears everybody, itself included. Every delivery
//! is checked: nothing is lost, each sender's messages come in order, and all hear one order. The
//! last line is JSON with the latencies from saying to hearing.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long stragglers are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    opened: bool,
    /// Messages heard, as a number that depends on their order.
    order: u64,
    heard: usize,
    said: usize,
}

fn main() -> Outcome<()> {
    // Cargo adds a flag of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [port, count, seconds] = &arguments[..] else {
        eprintln!("room PORT CLIENTS SECONDS: skipped, there is no server to crowd");
        return Ok(());
    };
    let (count, seconds): (usize, usize) = (count.parse()?, seconds.parse()?);
    let mut crowd = Crowd::gather(port.parse()?, count)?;
    crowd.talk(seconds)
}

struct Crowd {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    start: Instant,
    /// Microseconds from saying to hearing.
    latencies: Vec<u32>,
}

impl Crowd {
    /// Opens all connections, and waits until the room is quiet.
    fn gather(port: u16, count: usize) -> Outcome<Self> {
        let mut crowd = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            clients: Vec::new(),
            start: Instant::now(),
            latencies: Vec::new(),
        };
        let request = "GET /chat/crowd HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        for at in 0..count {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let blocking = std::net::TcpStream::connect(address)?;
            (&blocking).write_all(request.as_bytes())?;
            blocking.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(blocking);
            crowd.poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
            let bytes = Vec::new();
            let client = Client { stream, bytes, opened: false, order: 0, heard: 0, said: 0 };
            crowd.clients.push(client);
            crowd.listen(Duration::ZERO)?;
        }
        while crowd.listen(Duration::from_millis(500))? {}
        if crowd.clients.iter().all(|client| client.opened) {
            Ok(crowd)
        } else {
            Err("not all were let in".into())
        }
    }

    /// Everybody says something once a second, spread over it.
    fn talk(&mut self, seconds: usize) -> Outcome<()> {
        let count = self.clients.len();
        let pause = Duration::from_secs(1) / u32::try_from(count)?;
        self.start = Instant::now();
        for turn in 0..count * seconds {
            let due = pause * u32::try_from(turn)?;
            while let Some(left) = due.checked_sub(self.start.elapsed()).filter(|d| !d.is_zero()) {
                self.listen(left)?;
            }
            self.say(turn % count)?;
            self.listen(Duration::ZERO)?;
        }
        let end = Instant::now() + PATIENCE;
        let all = count * seconds;
        while self.clients.iter().any(|client| client.heard < all) && Instant::now() < end {
            self.listen(Duration::from_millis(100))?;
        }
        let lost: usize = self.clients.iter().map(|client| all - client.heard).sum();
        let orders = self.clients.iter().filter(|client| client.order == self.clients[0].order);
        let same = orders.count() == count;
        self.latencies.sort_unstable();
        let at = |part: f64| self.latencies[(self.latencies.len() as f64 * part) as usize];
        println!(
            "{{\"clients\":{count},\"messages\":{all},\"deliveries\":{},\"lost\":{lost},\
             \"one_order\":{same},\"p50_us\":{},\"p99_us\":{},\"max_us\":{}}}",
            self.latencies.len(),
            at(0.5),
            at(0.99),
            at(0.999_999)
        );
        if lost == 0 && same { Ok(()) } else { Err("deliveries were lost or out of order".into()) }
    }

    fn say(&mut self, at: usize) -> Outcome<()> {
        let now = self.start.elapsed().as_micros();
        let client = &mut self.clients[at];
        let text = format!("{{\"message\":\"{now} {at} {}\"}}", client.said);
        client.said += 1;
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len())?, 0, 0, 0, 0];
        frame.extend(text.as_bytes());
        client.stream.write_all(&frame)?;
        Ok(())
    }

    /// Hears what there is. False if there was nothing.
    fn listen(&mut self, timeout: Duration) -> Outcome<bool> {
        self.poll.poll(&mut self.events, Some(timeout))?;
        let now = self.start.elapsed().as_micros();
        for event in &self.events {
            let client = &mut self.clients[event.token().0];
            client.read()?;
            client.digest(u64::try_from(now)?, &mut self.latencies)?;
        }
        Ok(!self.events.is_empty())
    }
}

impl Client {
    fn read(&mut self) -> Outcome<()> {
        let mut part = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return Err("the server ended a connection".into()),
                Ok(count) => self.bytes.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn digest(&mut self, now: u64, latencies: &mut Vec<u32>) -> Outcome<()> {
        let mut at = 0;
        if !self.opened {
            let Some(end) = self.bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
                return Ok(());
            };
            if !self.bytes.starts_with(b"HTTP/1.1 101 ") {
                return Err("a handshake was refused".into());
            }
            (self.opened, at) = (true, end + 4);
        }
        while let Some((payload, length)) = split_frame(&self.bytes[at..]) {
            at += length;
            if let Some((said, speaker)) = parse_chat(payload) {
                latencies.push(u32::try_from(now.saturating_sub(said)).unwrap_or(u32::MAX));
                self.heard += 1;
                self.order = (self.order ^ speaker).wrapping_mul(0x0100_0000_01B3).rotate_left(7);
            }
        }
        self.bytes.drain(..at);
        Ok(())
    }
}

/// The payload of the first frame and the frame's length.
fn split_frame(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (start, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        short => (2, usize::from(short)),
    };
    Some((bytes.get(start..start + length)?, start + length))
}

/// When a chat message was said, and who said which; `None` for other objects.
fn parse_chat(payload: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(payload).ok()?.strip_prefix("{\"type\":\"chat\"")?;
    let (_, text) = text.split_once("\"message\":\"")?;
    let mut words = text.split(['"', ' ']);
    let mut number = || words.next()?.parse::<u64>().ok();
    let (said, speaker, which) = (number()?, number()?, number()?);
    Some((said, speaker << 32 | which))
}
