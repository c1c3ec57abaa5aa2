//! The real binary as a process, and a client that speaks to it in bytes.

#[path = "folder.rs"]
#[allow(dead_code, reason = "not each test target needs files")]
pub mod folder;
#[path = "frames.rs"]
pub mod frames;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use frames::{REQUEST, masked};
use rustix::process::{Pid, Signal, kill_process};

/// How long a read may wait before a test fails rather than hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server process on a port of the system's choice, ended with its test.
pub struct Server {
    /// The process.
    pub child: Child,
    /// Where the ready line says it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts the server on loopback and waits for its ready line.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        Self::spawn(command)
    }

    /// Starts what `command` says, without the tester's own settings.
    pub fn spawn(mut command: Command) -> Self {
        for (name, _) in std::env::vars_os() {
            if name == "RUST_LOG" || name.to_string_lossy().starts_with("WSECHO_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self::started(command.spawn().expect("the binary runs"))
    }

    /// A server that has just been started on loopback, with its stdout piped: waits for its ready
    /// line.
    pub fn started(mut child: Child) -> Self {
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a ready line");
        let address = line
            .strip_prefix("wsecho listening on ws://")
            .and_then(|rest| rest.strip_suffix("/\n")?.parse::<SocketAddr>().ok())
            .unwrap_or_else(|| panic!("{line:?} is no ready line"));
        assert_ne!(address.port(), 0, "{line:?}");
        Self { child, address }
    }

    /// Connects without a word.
    pub fn connect(&self) -> Peer {
        Peer::to(self.address)
    }

    /// Connects and shakes hands.
    pub fn open(&self) -> Peer {
        let mut peer = self.connect();
        assert!(peer.shake_hands().starts_with("HTTP/1.1 101 "));
        peer
    }

    /// One plain request, and the whole answer.
    pub fn ask(&self, request: &str) -> String {
        let mut peer = self.connect();
        peer.send(request.as_bytes());
        String::from_utf8(peer.rest()).expect("answers are UTF-8")
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it has not ended");
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child of ours")
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a field");
        line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
    }

    /// Processor time used so far, in ticks of 10 ms.
    pub fn processor_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is no business of this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client whose reads end with an error rather than never.
pub struct Peer(pub TcpStream);

impl Peer {
    /// Connects without a word.
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_nodelay(true).expect("TCP");
        Self(stream)
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the server reads");
    }

    /// Sends the request, and returns the head that answers it; empty if there was none.
    pub fn shake_hands(&mut self) -> String {
        if self.0.write_all(REQUEST.as_bytes()).is_err() {
            return String::new();
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer in time"),
                _ => break,
            }
        }
        String::from_utf8(head).expect("heads are ASCII")
    }

    /// Reads exactly `count` bytes.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("so many bytes");
        bytes
    }

    /// Reads to the end of the stream, which has to be one: not a reset.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("an orderly end");
        bytes
    }

    /// Has one message echoed.
    pub fn echo(&mut self, text: &str) {
        let length = u8::try_from(text.len()).expect("short");
        self.send(&masked(0x81, text.as_bytes()));
        assert_eq!(self.read(text.len() + 2), [&[0x81, length], text.as_bytes()].concat());
    }

    /// Whether anything, be it the end, comes within `time`.
    pub fn hears_within(&mut self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).expect("not zero");
        let heard = self.0.peek(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).expect("not zero");
        match heard {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
