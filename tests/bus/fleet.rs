//! Several servers, each on a network of its own, one bus, and one clock for all.

use std::time::Duration;

use serde_json::Value;
use wsecho::bus::Redis;
use wsecho::limits::{BusAddress, BusPlace, Config};
use wsecho::net::outbound::Security;
use wsecho::server::Server;

use crate::broker::Broker;
use crate::frames::masked;
use crate::net::{MemoryNet, Peer};

/// More turns than any test needs for all to come to rest.
const TURNS_MAX: u32 = 200_000;

/// The servers and what they share.
pub struct Fleet {
    pub broker: Broker,
    /// `None` where one was killed.
    pub servers: Vec<Option<Server<MemoryNet>>>,
    pub nets: Vec<MemoryNet>,
    /// The one that does nothing, and does not know of it.
    pub stopped: Option<usize>,
    pub now: Duration,
}

/// Somebody in a room.
#[derive(Debug)]
pub struct Client {
    pub node: usize,
    peer: Peer,
    head: bool,
    bytes: Vec<u8>,
    /// Payloads of all messages that came.
    pub heard: Vec<Vec<u8>>,
    /// The code of the Close that came.
    pub closed: Option<u16>,
}

impl Fleet {
    pub fn new(count: usize) -> Self {
        Self::with(count, &Config::default())
    }

    pub fn with(count: usize, config: &Config) -> Self {
        let mut fleet = Self {
            broker: Broker::default(),
            servers: Vec::new(),
            nets: Vec::new(),
            stopped: None,
            now: Duration::ZERO,
        };
        (0..count).for_each(|_| fleet.add(config.clone()));
        fleet.settle();
        fleet
    }

    /// Starts one more.
    pub fn add(&mut self, config: Config) {
        let (net, number) = (MemoryNet::default(), self.nets.len());
        net.core().now = self.now;
        let mut server = Server::new(net.clone(), 1, config);
        let bus = Box::new(Redis::new(&address()));
        server.join(address(), Security::default(), bus, process(number));
        self.servers.push(Some(server));
        self.nets.push(net);
    }

    /// Ends one without a word.
    pub fn kill(&mut self, node: usize) {
        self.servers[node] = None;
    }

    /// What is left of a node that is there.
    pub fn server(&self, node: usize) -> &Server<MemoryNet> {
        self.servers[node].as_ref().expect("it was not killed")
    }

    /// Runs until all would sleep.
    pub fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..TURNS_MAX {
            quiet = if self.turn() { 0 } else { quiet + 1 };
            if quiet == 3 {
                return;
            }
        }
        panic!("the loop spins");
    }

    /// One turn of each, and a step of the bus. True if somebody had something to do.
    pub fn turn(&mut self) -> bool {
        let mut busy = self.broker.serve(&self.nets);
        for (node, (server, net)) in self.servers.iter_mut().zip(&self.nets).enumerate() {
            let Some(server) = server.as_mut().filter(|_| self.stopped != Some(node)) else {
                continue;
            };
            server.turn().expect("this poll never fails");
            busy |= !net.core().slept;
            if server.metrics().turns % 16 == 0 {
                server.check();
            }
        }
        busy
    }

    /// Lets time pass, waking each that asked to be woken.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            let left = until - self.now;
            let nodes = self.nets.iter().zip(&self.servers).enumerate();
            let awake =
                nodes.filter(|(node, (_, server))| server.is_some() && self.stopped != Some(*node));
            let patience = awake.filter_map(|(_, (net, _))| net.core().patience);
            let step = patience.fold(left, Duration::min).max(Duration::from_millis(1)).min(left);
            self.now += step;
            self.nets.iter().for_each(|net| net.core().now = self.now);
            self.settle();
        }
    }

    /// Somebody joins a room.
    pub fn join(&mut self, node: usize, path: &str) -> Client {
        let client = self.begin_to_join(node, path);
        self.settle();
        client
    }

    /// The same, without waiting for anything.
    pub fn begin_to_join(&mut self, node: usize, path: &str) -> Client {
        let peer = self.nets[node].connect();
        let request = crate::frames::REQUEST.replacen("GET / ", &format!("GET {path} "), 1);
        peer.send(request.as_bytes());
        let (bytes, heard) = (Vec::new(), Vec::new());
        Client { node, peer, head: true, bytes, heard, closed: None }
    }
}

/// Who a node is for the others.
fn process(number: usize) -> u64 {
    0x1234_5678_9ABC_DEF0 ^ (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

pub fn address() -> BusAddress {
    BusAddress {
        place: BusPlace::Host("bus.example".to_owned(), 6379),
        user: None,
        password: Some("right".to_owned()),
        database: 0,
        authority: None,
    }
}

impl Client {
    /// Says a text message.
    pub fn say(&self, text: &str) {
        self.peer.send(&masked(0x81, text.as_bytes()));
    }

    /// Says something binary.
    pub fn say_binary(&self, bytes: &[u8]) {
        self.peer.send(&masked(0x82, bytes));
    }

    /// Takes a name.
    pub fn take_name(&self, name: &str) {
        self.say(&format!(r#"{{"type":"nick","username":"{name}"}}"#));
    }

    /// Leaves in a hurry.
    pub fn leave(&self) {
        self.peer.reset();
    }

    /// Reads what has come.
    pub fn read(&mut self) {
        self.bytes.extend(self.peer.wire().down.draw(usize::MAX));
        if self.head {
            let Some(end) = self.bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
                return;
            };
            assert!(self.bytes.starts_with(b"HTTP/1.1 101 "), "the handshake");
            self.bytes.drain(..end + 4);
            self.head = false;
        }
        while let Some((first, payload, length)) = frame(&self.bytes) {
            match first {
                0x88 => self.closed = Some(u16::from_be_bytes([payload[0], payload[1]])),
                0x89 => {
                    self.peer.send(&masked(0x8A, &payload));
                }
                _ => self.heard.push(payload),
            }
            self.bytes.drain(..length);
        }
    }

    /// What has come since the last time, as texts without their time of day.
    pub fn texts(&mut self) -> Vec<String> {
        self.read();
        let texts = self.heard.drain(..).map(|payload| {
            let text = String::from_utf8(payload).expect("text");
            text.split(r#","time":""#).next().unwrap_or_default().to_owned()
        });
        texts.collect()
    }

    /// Only the room's own words.
    pub fn notices(&mut self) -> Vec<String> {
        let notice = |text: String| {
            let rest = text.strip_prefix(r#"{"type":"system","message":""#)?;
            Some(rest.trim_end_matches('"').to_owned())
        };
        self.texts().into_iter().filter_map(notice).collect()
    }
}

/// A whole frame at the front: its first byte, its payload, its length.
fn frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let [first, second, ..] = *bytes else { return None };
    let (start, length) = match second {
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    Some((first, payload, start + length))
}

/// Asks for the names of a room, sorted.
pub fn who(fleet: &mut Fleet, client: &mut Client) -> Vec<String> {
    client.texts();
    client.say(r#"{"type":"who"}"#);
    fleet.settle();
    client.read();
    let heard = client.heard.drain(..).rev();
    let mut answers = heard.filter_map(|payload| serde_json::from_slice(&payload).ok());
    let answer = answers.find(|answer: &Value| answer["type"] == "who").expect("an answer");
    let users = answer["users"].as_array().expect("an array");
    assert_eq!(answer["count"].as_u64(), Some(users.len() as u64), "in {answer}");
    let mut names: Vec<String> =
        users.iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}
