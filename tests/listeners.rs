//! Where the real binary can listen, beside a port: in the file system, on sockets it was started
//! with; and what it tells the service manager that started it.

#[path = "support/process.rs"]
#[expect(dead_code, reason = "each test target uses a part of it")]
mod process;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use process::folder::Folder;
use process::frames::{REQUEST, masked};
use process::{PATIENCE, Server};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process};

/// A server of which only the ready lines are known.
struct Started {
    child: Child,
    lines: Vec<String>,
}

impl Started {
    /// Starts a server and waits for its ready lines.
    fn new(mut command: Command, lines: usize) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let lines = stdout.lines().take(lines).map(|line| line.expect("a ready line")).collect();
        Self { child, lines }
    }

    fn listening(arguments: &[&str]) -> Self {
        let mut command = wsecho();
        command.args(arguments);
        Self::new(command, arguments.len() / 2)
    }

    /// Asks it to end, and says with which status it did.
    fn stop(mut self) -> Option<i32> {
        kill_process(id_of(&self.child), Signal::TERM).expect("it runs");
        self.child.wait().expect("its parent").code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id_of(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id")
}

fn wsecho() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    for name in ["RUST_LOG", "WSECHO_LISTEN", "NOTIFY_SOCKET", "LISTEN_FDS"] {
        command.env_remove(name);
    }
    command
}

/// A handshake, and an echo.
fn speak(mut stream: impl Read + Write) {
    stream.write_all(REQUEST.as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more of the head");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream.write_all(&masked(0x81, b"hello")).expect("sent");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect("an echo");
    assert_eq!(&reply, b"\x81\x05hello");
}

fn speak_at(path: &Path) {
    let stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    speak(stream);
}

/// The one line on stderr of a server that cannot start.
fn complaint(listen: &str) -> String {
    let output = wsecho().args(["--listen", listen]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{listen}");
    assert!(output.stdout.is_empty(), "nothing is announced");
    let line = String::from_utf8(output.stderr).expect("text");
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    line
}

#[test]
fn a_socket_in_the_file_system_beside_a_port() {
    let folder = Folder::new("unix");
    let path = folder.file("echo.sock");
    let unix = format!("unix:{},mode=0600", path.display());
    let server = Started::listening(&["--listen", &unix, "--listen", "ws://127.0.0.1:0"]);
    assert_eq!(server.lines[0], format!("wsecho listening on unix:{}", path.display()));
    assert!(server.lines[1].starts_with("wsecho listening on ws://127.0.0.1:"));
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    speak_at(&path);
    let line = complaint(&unix);
    assert!(line.contains("cannot listen on unix:") && line.contains("already"), "{line}");
    speak_at(&path);
    assert_eq!(server.stop(), Some(0));
    assert!(!path.exists(), "removed at the end");
}

/// Beyond that their tokens would be those of signals and of connections.
#[test]
fn as_many_listeners_as_can_be_told_apart() {
    let arguments = |count: usize| ["--listen", "ws://127.0.0.1:0"].repeat(count);
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let count = limit.saturating_sub(64).min(254) as usize;
    let server = Started::listening(&arguments(count));
    let last = server.lines.last().expect("as many lines");
    let address = last.trim_end_matches('/').rsplit('/').next().expect("an address");
    speak(TcpStream::connect(address).expect("somebody listens"));
    assert_eq!(server.stop(), Some(0));
    let output = wsecho().args(arguments(255)).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "nothing is announced");
    let line = String::from_utf8(output.stderr).expect("text");
    let narrow = count < 254 && line.contains("Too many open files");
    assert!(narrow || line.contains("255 listeners are too many"), "{line}");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.file("echo.sock");
    let unix = format!("unix:{}", path.display());
    let mut first = Started::listening(&["--listen", &unix]);
    first.child.kill().expect("it runs");
    first.child.wait().expect("its parent");
    assert!(path.exists(), "nobody could remove it");
    let second = Started::listening(&["--listen", &unix]);
    speak_at(&path);
    assert_eq!(second.stop(), Some(0));
}

/// One of several that find the file of a dead server at the same time takes its place, and the
/// others say so.
#[test]
fn of_servers_that_start_at_once_one_listens() {
    let folder = Folder::new("rivals");
    let path = folder.file("echo.sock");
    let unix = format!("unix:{}", path.display());
    let mut first = Started::listening(&["--listen", &unix]);
    first.child.kill().expect("it runs");
    first.child.wait().expect("its parent");
    let mut rivals = [(); 6].map(|()| {
        let mut command = wsecho();
        command.args(["--listen", &unix]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    });
    let listens = rivals.each_mut().map(|rival| {
        let stdout = rival.stdout.take().expect("piped");
        BufReader::new(stdout).lines().next().is_some()
    });
    assert_eq!(listens.iter().filter(|listens| **listens).count(), 1);
    speak_at(&path);
    for (rival, listens) in rivals.into_iter().zip(listens) {
        if listens {
            kill_process(id_of(&rival), Signal::TERM).expect("it runs");
        }
        let output = rival.wait_with_output().expect("its parent");
        assert_eq!(output.status.code(), Some(i32::from(!listens)));
        let said = String::from_utf8(output.stderr).expect("text");
        let line = said.contains("cannot listen on unix:") && said.matches('\n').count() == 1;
        assert!(listens || line, "{said}");
    }
    assert_eq!(fs::read_dir(&folder.0).expect("there").count(), 0, "nothing is left");
}

/// `/info` names the process at the other end.
#[test]
fn a_peer_is_a_process() {
    let folder = Folder::new("peer");
    let path = folder.file("echo.sock");
    let server = Started::listening(&["--listen", &format!("unix:{}", path.display())]);
    let mut stream = UnixStream::connect(&path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let peer = format!("{{\"peer\":\"unix:pid={},uid=", std::process::id());
    assert!(answer.contains(&peer), "{answer}");
    assert_eq!(server.stop(), Some(0));
}

/// An inherited descriptor: no longer closed when the child starts.
fn inherited() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    fcntl_setfd(&listener, FdFlags::empty()).expect("a descriptor");
    let ready = format!("wsecho listening on ws://{}/", listener.local_addr().expect("bound"));
    (listener, ready)
}

/// What the health check says of a URL; whether it is content.
fn checked(url: &str) -> (bool, String) {
    let mut command = wsecho();
    let output = command.args(["healthcheck", "--timeout", "300ms", url]).output();
    let output = output.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("text"))
}

#[test]
fn o08_a_socket_in_the_file_system_is_checked() {
    let folder = Folder::new("check");
    let path = folder.file("s");
    let url = format!("unix:{}", path.display());
    assert!(matches!(checked(&url), (false, said) if said.contains("connecting: No such file")));
    {
        let _server = Started::listening(&["--listen", &url]);
        for url in [&url, &format!("{url}:/ws?a=b")] {
            let (well, said) = checked(url);
            assert!(
                well && said.contains("connected to \"/") && said.contains("echo of"),
                "{said}"
            );
        }
        let mut command = wsecho();
        let output = command.arg("healthcheck").env("WSECHO_LISTEN", &url).output();
        assert!(output.expect("it runs").status.success(), "where the server listens");
    }
    // Somebody who listens and has stopped accepting, with no room left for those who wait.
    let deaf = folder.file("deaf");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    let address = socket2::SockAddr::unix(&deaf).expect("a short path");
    socket.bind(&address).and_then(|()| socket.listen(0)).expect("it listens");
    let _waits = UnixStream::connect(&deaf).expect("room for one");
    let (well, said) = checked(&format!("unix:{}", deaf.display()));
    assert!(!well && said.contains("connecting: not done in time"), "{said}");
}

#[test]
fn a_descriptor_that_was_passed_on() {
    let (listener, ready) = inherited();
    let number = format!("fd:{}", listener.as_raw_fd());
    let mut command = wsecho();
    command.args(["--listen", &number]);
    let server = Server::spawn(command);
    assert_eq!(ready, format!("wsecho listening on ws://{}/", server.address));
    drop(listener);
    speak(server.connect().0);
    assert!(complaint("fd:0").contains("cannot listen on fd:0"));
    assert!(complaint("fd:4000").contains("Bad file descriptor"));
}

#[test]
fn sockets_that_a_service_manager_passes_on() {
    let (listener, ready) = inherited();
    let (other, other_ready) = inherited();
    for (listen, expected) in [
        ("systemd", vec![&ready, &other_ready]),
        ("systemd:web", vec![&other_ready]),
        ("fd:4", vec![&other_ready]),
    ] {
        let mut command = Command::new("bash");
        // They are to stand at 3 and 4, whatever they are here, and be it the other way round.
        let script = format!(
            "exec 200<&{a} 201<&{b} 3<&200 4<&201 200<&- 201<&-; \
             exec '{program}' --listen {listen}",
            a = listener.as_raw_fd(),
            b = other.as_raw_fd(),
            program = env!("CARGO_BIN_EXE_wsecho"),
        );
        command.args(["-c", &script]);
        command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "plain:web");
        command.env_remove("WSECHO_LISTEN").env_remove("LISTEN_PID");
        let server = Started::new(command, expected.len());
        assert_eq!(server.lines.iter().collect::<Vec<_>>(), expected, "{listen}");
        assert_eq!(server.stop(), Some(0), "{listen}");
    }
    assert!(complaint("systemd").contains("no such socket was passed on"));
}

#[test]
fn the_service_manager_is_told() {
    let folder = Folder::new("notify");
    let path = folder.file("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("bound");
    manager.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut command = wsecho();
    command.args(["--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").env_remove("WATCHDOG_PID");
    let server = Started::new(command, 1);
    let hear = || {
        let mut line = [0; 100];
        let count = manager.recv(&mut line).expect("it is told in time");
        String::from_utf8_lossy(&line[..count]).trim_end().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1", "also when nothing happens");
    }
    kill_process(id_of(&server.child), Signal::HUP).expect("it runs");
    let mut told = hear();
    while told == "WATCHDOG=1" {
        told = hear();
    }
    let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&told);
    assert!(time.parse::<u64>().is_ok_and(|time| time > 0), "{told}");
    assert_eq!(hear(), "READY=1");
    assert_eq!(server.stop(), Some(0));
    while hear() != "STOPPING=1" {}
}
