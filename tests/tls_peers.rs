//! `wss://` of the real binary: its files, its errors, and clients from other houses. A test whose
//! tool is missing says so and does nothing else.

#![cfg(feature = "tls")]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/frames.rs"]
mod frames;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certificates::Certificates;
use frames::{REQUEST, masked, plain};
use rcgen::date_time_ymd;
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long a read may wait before a test fails rather than hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const ASK: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A server process, ended with its test.
struct Server {
    child: Child,
    address: SocketAddr,
    log: BufReader<ChildStderr>,
}

fn wsecho(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("WSECHO_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = wsecho(&["--listen", "wss://127.0.0.1:0"]);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a ready line");
        let address = line.strip_prefix("wsecho listening on wss://");
        let address = address.and_then(|rest| rest.strip_suffix("/\n"));
        let address = address.and_then(|rest| rest.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line:?} is no ready line"));
        let log = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, address, log }
    }

    fn with(certificates: &Certificates) -> Self {
        let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
        Self::start(&["--tls-cert", &certificate, "--tls-key", &key])
    }

    /// Waits for a line of the log with these words.
    fn wait_for(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.log.read_line(&mut line).expect("UTF-8");
            assert_ne!(length, 0, "the log ends without {words:?}");
            if line.contains(words) {
                return line;
            }
        }
    }

    fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("it runs");
    }

    fn connect(&self, config: &Arc<ClientConfig>) -> Stream {
        let socket = TcpStream::connect(self.address).expect("a listener");
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let session = ClientConnection::new(Arc::clone(config), name).expect("a session");
        StreamOwned::new(session, socket)
    }

    /// A connection that has shaken hands, and the certificate that it has been shown.
    fn shake_hands(&self, config: &Arc<ClientConfig>) -> (Stream, Vec<u8>) {
        let mut stream = self.connect(config);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        }
        let shown = stream.conn.peer_certificates().expect("certificates")[0].to_vec();
        (stream, shown)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(stream: &mut Stream) {
    stream.write_all(REQUEST.as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more of the head");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
}

fn echo(stream: &mut Stream) {
    stream.write_all(&masked(0x81, b"hello")).expect("sent");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("an echo");
    assert_eq!(&reply[..], plain(0x81, b"hello"));
}

/// What a tool says, or `None` and a word on stderr if it is not there.
fn tool(program: &str, arguments: &[&str], input: &[u8]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().ok().map(|mut child| {
        let mut stdin = child.stdin.take().expect("piped");
        // It may not listen to its end.
        let _ = stdin.write_all(input);
        let output = child.wait_with_output().expect("it runs");
        drop(stdin);
        output
    });
    // Under an emulator a program starts even if it is not there, and then ends as in a shell.
    let output = output.filter(|output| output.status.code() != Some(127));
    if output.is_none() {
        eprintln!("skipped: there is no {program} here");
    }
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A health check of this server: its status, and its one line if it fails.
fn check(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let url = format!("wss://{}/", server.address);
    let output = wsecho(&["healthcheck", &url, "--timeout", "20s"]).args(arguments).output();
    let output = output.expect("the binary runs");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn the_ready_line_names_the_scheme_and_an_echo_works() {
    let certificates = Certificates::new();
    let server = Server::with(&certificates);
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(certificates.client(&[version]));
        let (mut stream, _) = server.shake_hands(&config);
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        open(&mut stream);
        echo(&mut stream);
        stream.write_all(&masked(0x88, &[3, 0xE8])).expect("sent");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("close_notify before the end");
        assert_eq!(rest, plain(0x88, &[3, 0xE8]));
    }
}

/// The sum waits for the supervisor, and then wakes a connection whose answer is to be encrypted.
#[test]
fn what_all_workers_have_counted_is_told_over_tls() {
    let certificates = Certificates::new();
    let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
    let server = Server::start(&["--workers", "2", "--tls-cert", &certificate, "--tls-key", &key]);
    for (version, opens) in [(&TLS12, 12), (&TLS13, 24)] {
        let config = Arc::new(certificates.client(&[version]));
        let mut peers: Vec<Stream> = (0..12).map(|_| server.connect(&config)).collect();
        peers.iter_mut().for_each(open);
        // All ask before anybody reads.
        let mut askers: Vec<Stream> = (0..12).map(|_| server.connect(&config)).collect();
        for asker in &mut askers {
            asker.write_all(b"GET /metrics?all HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
        }
        for asker in &mut askers {
            let mut answer = Vec::new();
            asker.read_to_end(&mut answer).expect("close_notify before the end");
            let answer = text(&answer);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let says = |line: &str| answer.lines().any(|other| other == line);
            assert!(says("wsecho_workers_answered 2"), "{answer}");
            assert!(says(&format!("wsecho_opens_total {opens}")), "{answer}");
        }
        peers.iter_mut().for_each(echo);
    }
}

#[test]
fn a_health_check_believes_whom_it_is_told_to() {
    let certificates = Certificates::new();
    let server = Server::with(&certificates);
    let (authority, other) = (certificates.path("ca.pem"), certificates.path("client.pem"));
    assert_eq!(check(&server, &["--ca", &authority]).0, Some(0));
    assert_eq!(check(&server, &["--insecure"]).0, Some(0));
    let none = certificates.path("none.pem");
    let cases: [(&[&str], &str); 3] = [
        (&[], "--insecure"),
        (&["--ca", &other], "certificate"),
        (&["--ca", &none], "No such file"),
    ];
    for (arguments, words) in cases {
        let (status, line) = check(&server, arguments);
        assert_eq!((status, line.matches('\n').count()), (Some(1), 1), "{line}");
        assert!(line.contains(words), "{line}");
    }
    let plain = wsecho(&["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn();
    let mut plain = plain.expect("the binary runs");
    let mut line = String::new();
    BufReader::new(plain.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let url = line.trim().replace("wsecho listening on ws:", "wss:");
    let output = wsecho(&["healthcheck", &url, "--insecure"]).output().expect("the binary runs");
    let _ = plain.kill();
    let _ = plain.wait();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("TLS handshake"), "{}", text(&output.stderr));
}

/// Nothing is announced before all files are known to be good, and what is wrong is one line.
#[test]
fn files_that_are_of_no_use_are_told_of_before_anything_else() {
    let certificates = Certificates::new();
    certificates.issue("old", |params| params.not_after = date_time_ymd(2020, 1, 1));
    certificates.issue("early", |params| params.not_before = date_time_ymd(4000, 1, 1));
    fs::write(certificates.file("empty"), "").expect("written");
    fs::write(certificates.file("torn"), "-----BEGIN CERTIFICATE-----\nAAAA\n").expect("written");
    fs::write(certificates.file("long"), vec![b'\n'; (1 << 20) + 1]).expect("written");
    let cases = [
        ("none.pem", "server.key", "none.pem: No such file"),
        ("server.pem", "none.key", "none.key: No such file"),
        ("empty", "server.key", "empty: no certificate"),
        ("server.key", "server.key", "server.key: no certificate"),
        ("torn", "server.key", "torn: "),
        ("long", "server.key", "long: it is longer than 1MiB"),
        ("server.pem", "server.pem", "server.pem: no private key"),
        ("server.pem", "client.key", "client.key: not the key"),
        ("old.pem", "old.key", "old.pem: the certificate has expired"),
        ("early.pem", "early.key", "early.pem: the certificate is not yet valid"),
    ];
    for (certificate, key, words) in cases {
        let (certificate, key) = (certificates.path(certificate), certificates.path(key));
        let listen = ["--listen", "127.0.0.1:0", "--listen", "wss://127.0.0.1:0"];
        let mut command = wsecho(&listen);
        let output = command.args(["--tls-cert", &certificate, "--tls-key", &key]).output();
        let output = output.expect("the binary runs");
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stdout.is_empty(), "nothing is announced");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.contains(words), "{line:?} without {words:?}");
    }
    let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
    let mut command = wsecho(&["--listen", "wss://127.0.0.1:0", "--tls-cert", &certificate]);
    let empty = certificates.path("empty");
    let output = command.args(["--tls-key", &key, "--tls-client-ca", &empty]).output();
    assert!(text(&output.expect("it runs").stderr).contains("empty: no certificate"));
}

/// RFC 8446 §4.3.2: who has no certificate, or another's, is not let in.
#[test]
fn clients_may_have_to_have_a_certificate() {
    let certificates = Certificates::new();
    let [certificate, key, authority] =
        ["server.pem", "server.key", "ca.pem"].map(|name| certificates.path(name));
    let files = ["--tls-cert", &certificate, "--tls-key", &key, "--tls-client-ca", &authority];
    let server = Server::start(&files);
    let strangers = Certificates::new();
    fs::copy(certificates.file("ca.pem"), strangers.file("ca.pem")).expect("copied");
    for version in [&TLS12, &TLS13] {
        let config = certificates.client_as(&[version], Some("client"), 0);
        let (mut stream, _) = server.shake_hands(&Arc::new(config));
        open(&mut stream);
        echo(&mut stream);
        let configs =
            [certificates.client(&[version]), strangers.client_as(&[version], Some("client"), 0)];
        for config in configs {
            let mut stream = server.connect(&Arc::new(config));
            let said = stream.write_all(ASK.as_bytes()).and_then(|()| stream.read(&mut [0; 100]));
            let error = said.expect_err("it is not let in").to_string();
            assert!(error.contains("lert"), "{error}");
        }
    }
}

#[test]
fn certificates_are_loaded_anew_and_nobody_is_dropped() {
    let certificates = Certificates::new();
    let mut server = Server::with(&certificates);
    let config = Arc::new(certificates.client(&[&TLS13]));
    let (mut stream, old) = server.shake_hands(&config);
    open(&mut stream);
    certificates.issue("server", |_| {});
    server.hang_up();
    server.wait_for("certificates loaded");
    let fresh = Arc::new(certificates.client(&[&TLS13]));
    let (mut second, new) = server.shake_hands(&fresh);
    assert_ne!(old, new, "another certificate");
    fs::write(certificates.file("server.pem"), "nothing\n").expect("written");
    server.hang_up();
    let line = server.wait_for("stays in force");
    assert!(line.contains("server.pem: no certificate"), "{line}");
    let fresh = Arc::new(certificates.client(&[&TLS13]));
    let (mut third, kept) = server.shake_hands(&fresh);
    assert_eq!(new, kept, "the old one is kept");
    open(&mut second);
    open(&mut third);
    for stream in [&mut stream, &mut second, &mut third] {
        echo(stream);
    }
}

#[test]
fn a_certificate_made_at_start_has_the_fingerprint_that_is_logged() {
    let mut server = Server::start(&["--tls-self-signed", "wsecho.example"]);
    let line = server.wait_for("SHA-256");
    let logged = line.trim().rsplit(' ').next().expect("words");
    assert_eq!(logged.len(), 32 * 3 - 1, "{line}");
    assert_eq!(check(&server, &["--insecure"]).0, Some(0));
    let address = server.address.to_string();
    let shown = tool("openssl", &["s_client", "-connect", &address], b"Q\n");
    let Some(shown) = shown else { return };
    let form = ["x509", "-noout", "-fingerprint", "-sha256", "-ext", "subjectAltName"];
    let told = tool("openssl", &form, &shown.stdout).expect("it was there before");
    let told = text(&told.stdout);
    assert!(told.contains(logged), "{told}");
    for name in ["DNS:wsecho.example", "DNS:localhost", "IP Address:127.0.0.1"] {
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn openssl_shakes_hands_and_comes_back_with_its_session() {
    let certificates = Certificates::new();
    let server = Server::with(&certificates);
    let (address, authority) = (server.address.to_string(), certificates.path("ca.pem"));
    let session = certificates.path("session");
    for version in ["-tls1_2", "-tls1_3"] {
        let common = ["s_client", "-connect", &address, version, "-CAfile", &authority];
        let checks = ["-verify_return_error", "-alpn", "h2,http/1.1", "-ign_eof"];
        for (keep, words) in [("-sess_out", "New, TLS"), ("-sess_in", "Reused, TLS")] {
            let arguments = [&common[..], &checks, &[keep, &session]].concat();
            let Some(output) = tool("openssl", &arguments, ASK.as_bytes()) else { return };
            let said = text(&output.stdout);
            assert!(said.contains(words), "{version}: {said}{}", text(&output.stderr));
            assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
            assert!(said.contains("HTTP/1.1 200 OK"), "{said}");
            assert!(said.contains("Verification: OK") || keep == "-sess_in", "{said}");
        }
        let arguments = [&common[..], &["-alpn", "h2"]].concat();
        let output = tool("openssl", &arguments, b"").expect("it was there before");
        assert!(text(&output.stderr).contains("no application protocol"), "{version}");
    }
    // RFC 5746: a second handshake within a session is refused, and nothing else happens.
    let arguments = ["s_client", "-connect", &address, "-tls1_2"];
    let output = tool("openssl", &arguments, b"R\nQ\n").expect("it was there before");
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation") || !output.status.success(), "{said}");
    assert_eq!(check(&server, &["--ca", &authority]).0, Some(0));
}

#[test]
fn python_echoes_and_closes_in_order() {
    let certificates = Certificates::new();
    let server = Server::with(&certificates);
    let script = r#"
import os, socket, ssl, sys
port, ca = int(sys.argv[1]), sys.argv[2]
request = sys.argv[3].encode()
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", port), 20)
    with context.wrap_socket(plain, server_hostname="localhost") as tls:
        files = tls.makefile("rb")
        tls.sendall(request)
        while files.readline() != b"\r\n":
            pass
        for length in (5, 125, 30000):
            payload = os.urandom(length)
            size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
            tls.sendall(b"\x82" + bytes([size[0] | 128]) + size[1:] + bytes(4) + payload)
            assert files.read(1 + len(size) + length) == b"\x82" + size + payload
        tls.sendall(b"\x88\x82" + bytes(4) + b"\x03\xe8")
        assert files.read(4) == b"\x88\x02\x03\xe8"
        assert files.read() == b""
        tls.unwrap()
print("done")
"#;
    let (port, authority) = (server.address.port().to_string(), certificates.path("ca.pem"));
    let arguments = ["-c", script, &port, &authority, REQUEST];
    let Some(output) = tool("python3", &arguments, b"") else { return };
    assert_eq!(text(&output.stdout), "done\n", "{}", text(&output.stderr));
}

#[test]
fn node_echoes_and_comes_back_with_its_session() {
    let certificates = Certificates::new();
    let server = Server::with(&certificates);
    let script = r#"
const { readFileSync } = require('node:fs');
const { connect } = require('node:tls');
const [port, ca, request] = process.argv.slice(1);
async function visit(version, session) {
  const common = { port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(ca) };
  const socket = connect({ ...common, minVersion: version, maxVersion: version, session });
  let ticket, reused;
  socket.on('secureConnect', () => { reused = socket.isSessionReused(); });
  socket.on('session', latest => { ticket = latest; });
  const text = 'x'.repeat(300);
  const frame = Buffer.concat([Buffer.from([0x81, 0xfe, 1, 44, 0, 0, 0, 0]), Buffer.from(text)]);
  socket.write(request);
  socket.write(frame);
  socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]));
  let said = '';
  for await (const part of socket) said += part.toString('latin1');
  if (!said.endsWith(`\x81\x7e\x01\x2c${text}\x88\x02\x03\xe8`)) throw new Error(said);
  return { ticket, reused };
}
(async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const first = await visit(version);
    const second = await visit(version, first.ticket);
    console.log(version, first.reused, second.reused);
  }
})();
"#;
    let (port, authority) = (server.address.port().to_string(), certificates.path("ca.pem"));
    let arguments = ["-e", script, &port, &authority, REQUEST];
    let Some(output) = tool("node", &arguments, b"") else { return };
    let expected = "TLSv1.2 false true\nTLSv1.3 false true\n";
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
}
