//! A server that speaks TLS on the network in memory, and rustls as its client.

#![allow(dead_code, reason = "each test target uses its own part")]

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion,
    SupportedCipherSuite,
};
use wsecho::limits::Config;
use wsecho::net::tls::TlsNet;
use wsecho::net::tls::identity::Identity;
use wsecho::server::Server;

use super::certificates::Certificates;
use super::net::{MemoryNet, Peer};

/// More turns than any test needs for the server to come to rest.
const TURNS_MAX: u32 = 100_000;

/// A server with two listeners, of which the first speaks TLS.
pub struct World {
    pub server: Server<TlsNet<MemoryNet>>,
    pub certificates: Certificates,
    pub net: MemoryNet,
}

impl World {
    pub fn new(config: Config) -> Self {
        let certificates = Certificates::new();
        let identity = Identity::load(&certificates.files()).expect("good files");
        let net = MemoryNet::default();
        let secure = TlsNet::new(net.clone(), vec![true, false], identity.config);
        let secure = secure.with_headers(config.proxied.clone());
        Self { server: Server::new(secure, 2, config), certificates, net }
    }

    /// One turn of the loop.
    pub fn turn(&mut self) {
        assert!(self.server.turn().expect("this poll never fails"), "it has not been asked to end");
        self.server.check();
    }

    /// Runs until the server would sleep.
    pub fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..TURNS_MAX {
            self.turn();
            quiet = if self.net.core().slept { quiet + 1 } else { 0 };
            if quiet == 2 {
                return;
            }
        }
        panic!("the loop spins");
    }

    /// Lets time pass, waking the server when it asked to be woken and not before.
    pub fn pass(&mut self, time: Duration) {
        let until = self.net.core().now + time;
        loop {
            let mut core = self.net.core();
            let left = until - core.now;
            let step = core.patience.map_or(left, |patience| patience.min(left));
            core.now += step;
            let done = core.now == until;
            drop(core);
            self.settle();
            if done {
                return;
            }
        }
    }

    /// A client with this configuration, and endless windows.
    pub fn connect(&self, config: &Arc<ClientConfig>) -> Client {
        Client::new(self.net.connect(), config)
    }

    /// Has clients and server speak until none has anything to say.
    pub fn converse(&mut self, clients: &mut [&mut Client]) {
        for _ in 0..1000 {
            let mut moved = false;
            for client in clients.iter_mut() {
                moved |= client.act();
            }
            self.settle();
            for client in clients.iter_mut() {
                moved |= client.act();
            }
            if !moved {
                return;
            }
        }
        panic!("they speak for ever");
    }

    /// A client whose WebSocket is open.
    pub fn open(&mut self, config: &Arc<ClientConfig>) -> Client {
        let mut client = self.connect(config);
        client.say(super::frames::REQUEST.as_bytes());
        self.converse(&mut [&mut client]);
        assert!(client.take().starts_with(b"HTTP/1.1 101 "), "{:?}", client.wrong);
        client
    }
}

/// A client of TLS 1.3 that seals whatever it is given.
pub struct Forger {
    pub peer: Peer,
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Forger {
    /// Goes on for a client, whose configuration lets its secrets be taken.
    pub fn of(client: Client) -> Self {
        let Client { peer, tls, .. } = client;
        let Some(SupportedCipherSuite::Tls13(suite)) = tls.negotiated_cipher_suite() else {
            panic!("TLS 1.3");
        };
        let (sequence, secrets) = tls.dangerous_extract_secrets().expect("they may be").tx;
        // Whichever suite costs a server of this kind least.
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("a suite of TLS 1.3");
        };
        Self { peer, encrypter: suite.aead_alg.encrypter(key, iv), sequence }
    }

    /// A record of this type.
    pub fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let version = ProtocolVersion::TLSv1_2;
        let payload = OutboundChunks::Single(payload);
        let message = OutboundPlainMessage { typ, version, payload };
        let sealed = self.encrypter.encrypt(message, self.sequence).expect("short enough");
        self.sequence += 1;
        sealed.encode()
    }
}

/// rustls on the client's end of a wire.
pub struct Client {
    pub peer: Peer,
    pub tls: ClientConnection,
    /// Plaintext that has arrived.
    pub received: Vec<u8>,
    /// Ciphertext that has not been sent.
    pub unsent: Vec<u8>,
    /// The server has said that nothing follows.
    pub heard_end: bool,
    pub wrong: Option<rustls::Error>,
}

impl Client {
    pub fn new(peer: Peer, config: &Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::clone(config), name).expect("a session");
        let (received, unsent) = (Vec::new(), Vec::new());
        Self { peer, tls, received, unsent, heard_end: false, wrong: None }
    }

    /// Seals plaintext, to be sent with the next act.
    pub fn say(&mut self, plain: &[u8]) {
        self.tls.set_buffer_limit(None);
        self.tls.writer().write_all(plain).expect("no limit");
    }

    /// The ciphertext of what has been said.
    pub fn sealed(&mut self) -> Vec<u8> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.unsent).expect("a vector");
        }
        std::mem::take(&mut self.unsent)
    }

    /// Sends what there is and takes what has come. True if anything moved.
    pub fn act(&mut self) -> bool {
        let sent = self.send();
        let taken = self.receive();
        sent | taken
    }

    pub fn send(&mut self) -> bool {
        let mut bytes = self.sealed();
        let count = self.peer.send(&bytes);
        self.unsent = bytes.split_off(count);
        count > 0
    }

    pub fn receive(&mut self) -> bool {
        let bytes = self.peer.wire().down.draw(usize::MAX);
        let room = self.peer.wire().room;
        self.peer.set_room(room.saturating_add(bytes.len()));
        self.hear(&bytes);
        !bytes.is_empty()
    }

    /// Opens ciphertext.
    pub fn hear(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !bytes.is_empty() && self.wrong.is_none() {
            self.tls.read_tls(&mut bytes).expect("a slice");
            if let Err(error) = self.tls.process_new_packets() {
                self.wrong = Some(error);
                return;
            }
            match self.tls.reader().read_to_end(&mut self.received) {
                Ok(_) => self.heard_end = true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    /// What has arrived since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// The server has ended its sending side.
    pub fn saw_fin(&self) -> bool {
        self.peer.wire().shut
    }

    /// The server has closed its socket.
    pub fn saw_end(&self) -> bool {
        self.peer.wire().dropped
    }
}
