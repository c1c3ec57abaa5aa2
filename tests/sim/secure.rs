//! TLS in any weather: rustls as the client of a server that has a session of its own with it.
//!
//! What is random in a handshake has the same length each time, so a seed has one outcome: the
//! server's key is of a kind whose signatures do, and all runs share its certificate.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use wsecho::net::tls::TlsNet;
use wsecho::net::tls::identity::with_tickets;
use wsecho::server::Server;

use crate::dice::Dice;
use crate::frames::{REQUEST, masked, plain};
use crate::link::Seen;
use crate::memory::MemoryNet;
use crate::net::Network;
use crate::profile::Profile;

const TURNS_MAX: u64 = 400_000;
/// How often clients look at what they have.
const LOOK: Duration = Duration::from_millis(5);

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let certificate = params.self_signed(&key).expect("signed").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Identity { certificate, key }
    })
}

fn server_config() -> Arc<ServerConfig> {
    let Identity { certificate, key } = identity();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are some")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.clone_key())
        .expect("they fit");
    Arc::new(with_tickets(config).expect("keys for tickets"))
}

fn client_config(dice: &mut Dice) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(identity().certificate.clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[dice.pick(&[&TLS12, &TLS13])])
        .expect("there are some")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.max_fragment_size = dice.pick(&[None, None, Some(64), Some(1000)]);
    Arc::new(config)
}

/// A client that has some messages echoed.
struct Talker {
    link: usize,
    tls: ClientConnection,
    unsent: Vec<u8>,
    messages: Vec<u8>,
    expected: Vec<u8>,
    received: Vec<u8>,
    opened: bool,
    /// It ends its side without a word of WebSocket as soon as it has said everything.
    rude: bool,
    /// It changes its keys now and then.
    restless: bool,
    most: usize,
    heard_end: bool,
    wrong: bool,
    said_close: bool,
    done: bool,
}

impl Talker {
    fn draw(config: &Arc<ClientConfig>, link: usize, dice: &mut Dice) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a session");
        tls.set_buffer_limit(None);
        tls.writer().write_all(REQUEST.as_bytes()).expect("no limit");
        let (mut messages, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..1 + dice.below(6) {
            let length = dice.pick(&[0, 5, 125, 126, 5000, 20_000, 100_000]);
            let payload = dice.bytes(length);
            messages.extend(masked(0x82, &payload));
            expected.extend(plain(0x82, &payload));
        }
        Self {
            link,
            tls,
            unsent: Vec::new(),
            messages,
            expected,
            received: Vec::new(),
            opened: false,
            rude: dice.chance(200),
            restless: dice.chance(200),
            most: dice.pick(&[1 << 20, 1 << 20, 5000, 300]),
            heard_end: false,
            wrong: false,
            said_close: false,
            done: false,
        }
    }

    fn say(&mut self, plain: &[u8]) {
        self.tls.writer().write_all(plain).expect("no limit");
    }

    fn act(&mut self, net: &mut Network) {
        let link = &mut net.links[self.link];
        match link.receive(self.most) {
            Seen::Bytes(bytes) => self.hear(&bytes),
            Seen::Nothing => {}
            Seen::End | Seen::Reset => self.done = true,
        }
        if !self.opened {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                assert!(self.received.starts_with(b"HTTP/1.1 101 "));
                self.received.drain(..end + 4);
                self.opened = true;
                let messages = std::mem::take(&mut self.messages);
                for part in messages.chunks(30_000) {
                    self.say(part);
                    if self.restless {
                        // TLS 1.2 has no such thing.
                        let _ = self.tls.refresh_traffic_keys();
                    }
                }
                if self.rude {
                    self.tls.send_close_notify();
                }
            }
        } else if !self.rude && !self.said_close && self.received.len() >= self.expected.len() {
            self.said_close = true;
            self.expected.extend(plain(0x88, &[3, 0xE8]));
            self.say(&masked(0x88, &[3, 0xE8]));
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.unsent).expect("a vector");
        }
        let link = &mut net.links[self.link];
        match link.send(&self.unsent) {
            Some(count) => drop(self.unsent.drain(..count)),
            None => self.unsent.clear(),
        }
        if (self.heard_end || self.wrong || self.done) && self.unsent.is_empty() {
            link.finish();
            self.done |= link.dropped.is_some();
        }
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.wrong {
            self.tls.read_tls(&mut bytes).expect("a slice");
            self.wrong = self.tls.process_new_packets().is_err();
            match self.tls.reader().read_to_end(&mut self.received) {
                Ok(_) => self.heard_end = true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }
}

/// Runs a seed; what happened, as a number, and how many turns it took.
pub fn run(seed: u64) -> (u64, u64) {
    let mut dice = Dice::new(seed ^ 0x7153);
    let mut profile = Profile::draw(&mut dice);
    profile = Profile { drain: false, tight: false, crowded: false, leap: 0, ..profile };
    profile.budget = dice.pick(&[None, None, Some(400_000)]);
    let troubled = profile.out_of_descriptors + profile.accept_trouble + profile.aborted > 0;
    let config = profile.config();
    let net = Network::new(profile, dice.word());
    let wires = MemoryNet::with_weather(Rc::clone(&net) as Rc<RefCell<_>>);
    wires.core().now = net.borrow().now;
    let secure = TlsNet::new(wires.clone(), vec![true], server_config());
    let mut server = Server::new(secure, 1, config);
    let client = client_config(&mut dice);
    let mut talkers = Vec::new();
    for number in 0..1 + dice.below(6) {
        dice.speaker = number;
        let link = net.borrow_mut().connect(&wires);
        talkers.push(Talker::draw(&client, link, &mut dice));
    }
    let mut turns = 0;
    let mut signalled = false;
    loop {
        let now = net.borrow().now;
        for talker in talkers.iter_mut().filter(|talker| !talker.done) {
            talker.act(&mut net.borrow_mut());
        }
        let all_done = talkers.iter().all(|talker| talker.done);
        net.borrow_mut().alarm = (!all_done).then_some(now + LOOK);
        if all_done && !signalled {
            net.borrow_mut().signal = true;
            signalled = true;
        }
        if !server.turn().expect("the fake poll does not fail") {
            break;
        }
        server.check();
        turns += 1;
        assert!(turns < TURNS_MAX, "the run does not end");
        assert!(!net.borrow().stuck, "the server sleeps for ever");
    }
    assert_eq!(server.charged(), 0, "all is given back");
    for talker in &talkers {
        let Talker { received, expected, .. } = talker;
        let excused = net.borrow().links[talker.link].spoiled || troubled && !talker.opened;
        if excused {
            let common = if talker.opened { received.len() } else { 0 };
            assert!(expected.starts_with(&received[..common]), "what came was right");
        } else {
            let (is, should) = (received.len(), expected.len());
            assert!(received == expected, "{is} bytes of {should}");
            assert!(talker.heard_end && !talker.wrong, "close_notify");
        }
    }
    let hash = net.borrow().hash;
    (hash, turns)
}
