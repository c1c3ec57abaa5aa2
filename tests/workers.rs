//! The real binary as several processes: `--workers`, and ports that are shared.

#[path = "support/process.rs"]
#[expect(dead_code, reason = "each test target uses a part of it")]
mod process;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{ChildStderr, Command, Stdio};

use process::folder::Folder;
use process::frames::masked;
use process::{PATIENCE, Peer, Server};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// A supervisor whose log is read.
struct Crew {
    server: Server,
    log: BufReader<ChildStderr>,
}

impl Crew {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        for name in ["RUST_LOG", "WSECHO_LISTEN", "WSECHO_WORKERS"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        Self { server: Server::started(child), log }
    }

    /// The processes of the workers.
    fn workers(&self) -> Vec<Pid> {
        workers_of(self.server.child.id())
    }

    /// Reads the log up to a line that holds `words`, and returns that.
    fn until(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.log.read_line(&mut line).expect("text");
            assert!(count > 0, "the log ends before {words:?}");
            if line.contains(words) {
                return line;
            }
        }
    }

    /// The text at a path, of whichever worker answers.
    fn get(&self, path: &str) -> String {
        self.server.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
    }

    /// Asks it to end, and returns its status and the rest of the log.
    fn stop(self) -> (Option<i32>, String) {
        self.server.signal(Signal::TERM);
        self.end()
    }

    /// Waits for its end.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("text");
        (self.server.wait().code(), rest)
    }
}

/// The processes of a supervisor's workers.
fn workers_of(id: u32) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.expect("it runs");
    let ids = children.split_whitespace().map(|id| id.parse().expect("a number"));
    ids.map(|id| Pid::from_raw(id).expect("not zero")).collect()
}

/// What a sample of metrics says.
fn sample(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.parse().expect("a number")
}

/// The id of the worker that answers.
fn worker(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("wsecho_worker{")).expect("it says so");
    line.split('"').nth(1).expect("quoted").to_owned()
}

/// Waits for the end of a process of which this one is not the parent.
fn wait_for_end(process: Pid) {
    let Ok(process) = pidfd_open(process, PidfdFlags::empty()) else { return };
    let time = rustix::time::Timespec::try_from(PATIENCE).expect("not long");
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&time));
    assert_eq!(ended, Ok(1), "it has not ended");
}

/// One connection to each worker of so many, by their ids, and what else was opened on the way.
fn one_each(crew: &Crew, count: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        seen.insert(worker(&crew.get("/metrics")));
    }
    seen
}

fn complaint(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    let output = command.args(arguments).env_remove("WSECHO_LISTEN").output();
    let output = output.expect("the binary runs");
    assert!(output.stdout.is_empty(), "nothing is announced");
    let line = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<&str> = line.lines().filter(|line| !line.contains("INFO")).collect();
    assert_eq!(lines.len(), 1, "{line}");
    (output.status.code(), lines[0].to_owned())
}

#[test]
fn all_workers_serve_and_drain() {
    let mut crew = Crew::start(&["--workers", "3"]);
    let line = crew.until("3 workers");
    assert!(line.contains(" connections and --buffer-budget 64MiB each"), "{line}");
    crew.until("INFO  a room or a private URL is one worker's");
    assert_eq!(crew.workers().len(), 3);
    assert_eq!(one_each(&crew, 3), ["1", "2", "3"].map(str::to_owned).into());
    let mut peers: Vec<Peer> = (0..20).map(|_| crew.server.open()).collect();
    peers.iter_mut().for_each(|peer| peer.echo("hello"));
    crew.server.signal(Signal::TERM);
    for peer in &mut peers {
        assert_eq!(peer.read(4), b"\x88\x02\x03\xe9", "1001");
    }
    drop(peers);
    let (status, log) = crew.end();
    assert_eq!(status, Some(0), "{log}");
    for number in 1..=3 {
        assert!(log.contains(&format!("[{number}] drained")), "{log}");
    }
    assert!(log.contains("all workers have drained"), "{log}");
}

#[cfg(feature = "bus")]
#[test]
fn a_room_on_a_bus_is_no_worker_s_own() {
    let mut crew = Crew::start(&["--workers", "1", "--bus", "redis://127.0.0.1:1"]);
    crew.until("INFO  a private URL is one worker's");
    assert_eq!(crew.stop().0, Some(0));
}

#[test]
fn a_worker_that_dies_is_restarted_and_nobody_else_notices() {
    let mut crew = Crew::start(&["--workers", "2"]);
    let mut peers: Vec<Peer> = (0..16).map(|_| crew.server.open()).collect();
    let before = crew.workers();
    let dead = before[0];
    kill_process(dead, Signal::KILL).expect("it runs");
    let line = crew.until("started again");
    assert!(line.contains("worker 1: ended (signal 9)"), "{line}");
    // Who is in the queue of the dead one is served by the next.
    let mut waiting: Vec<Peer> = (0..16).map(|_| crew.server.connect()).collect();
    for peer in &mut waiting {
        assert!(peer.shake_hands().starts_with("HTTP/1.1 101 "));
        peer.echo("hello");
    }
    let alive = peers.iter_mut().filter_map(|peer| {
        let sent = peer.0.write_all(&masked(0x81, b"hi")).is_ok();
        let mut reply = [0; 4];
        (sent && peer.0.read_exact(&mut reply).is_ok()).then_some(reply)
    });
    let alive: Vec<[u8; 4]> = alive.collect();
    assert!((1..16).contains(&alive.len()), "{} of 16 are left", alive.len());
    assert!(alive.iter().all(|reply| reply == b"\x81\x02hi"));
    let after = crew.workers();
    assert!(after.len() == 2 && after.contains(&before[1]) && !after.contains(&dead));
    assert_eq!(one_each(&crew, 2), ["1", "2"].map(str::to_owned).into());
    assert_eq!(sample(&crew.get("/metrics?all"), "wsecho_worker_restarts_total"), 1);
    drop((peers, waiting));
    assert_eq!(crew.stop().0, Some(0));
}

#[test]
fn a_hangup_reaches_all_and_a_second_signal_ends_them() {
    let mut crew = Crew::start(&["--workers", "2"]);
    crew.server.signal(Signal::HUP);
    let told: BTreeSet<String> = (0..2).map(|_| crew.until("nothing to reload")).collect();
    let of = |number: u32| told.iter().any(|line| line.contains(&format!("[{number}] ")));
    assert!(of(1) && of(2), "{told:?}");
    let _stays = crew.server.open();
    crew.server.signal(Signal::INT);
    crew.until("draining 1 connection ");
    crew.server.signal(Signal::INT);
    crew.until("second signal");
    assert_eq!(crew.end().0, Some(1));
}

#[test]
fn what_all_have_counted() {
    let crew = Crew::start(&["--workers", "3"]);
    let mut peers: Vec<Peer> = (0..12).map(|_| crew.server.open()).collect();
    peers.iter_mut().for_each(|peer| peer.echo("hello"));
    let text = crew.get("/metrics?all");
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    for (name, value) in [
        ("wsecho_opens_total", 12),
        ("wsecho_connections_open", 13),
        ("wsecho_messages_received_total", 12),
        ("wsecho_open{purpose=\"echo\"}", 12),
        ("wsecho_workers", 3),
        ("wsecho_workers_answered", 3),
    ] {
        assert_eq!(sample(&text, name), value, "{name}");
    }
    assert!(!text.contains("wsecho_worker{"), "nobody in particular");
    let own = sample(&crew.get("/metrics"), "wsecho_opens_total");
    assert!(own < 12, "{own} of 12");
    // Those who ask at once are told at once.
    let mut askers: Vec<Peer> = (0..30).map(|_| crew.server.connect()).collect();
    for asker in &mut askers {
        asker.send(b"GET /metrics?all HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for mut asker in askers {
        let text = String::from_utf8(asker.rest()).expect("text");
        assert_eq!(sample(&text, "wsecho_opens_total"), 12);
    }
    // What the dead have counted is not forgotten.
    kill_process(crew.workers()[2], Signal::KILL).expect("it runs");
    let mut crew = crew;
    crew.until("started again");
    assert_eq!(sample(&crew.get("/metrics?all"), "wsecho_opens_total"), 12);
    drop(peers);
    assert_eq!(crew.stop().0, Some(0));
    let server = Server::start(&[]);
    let ask = |path: &str| server.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    let names = |text: String| -> Vec<String> {
        text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(ask("/metrics?all")), names(ask("/metrics")), "alone it is the same");
}

/// The listener of a worker that is stopped still takes connections, which wait; those that the
/// others have are told what is known.
#[test]
fn a_stopped_worker_does_not_hold_up_the_sum() {
    let crew = Crew::start(&["--workers", "2"]);
    let peers: Vec<Peer> = (0..16).map(|_| crew.server.open()).collect();
    assert_eq!(sample(&crew.get("/metrics?all"), "wsecho_opens_total"), 16);
    let stopped = crew.workers()[1];
    // Connected before, and half a request there, so that each worker has some.
    let mut early: Vec<Peer> = (0..16).map(|_| crew.server.connect()).collect();
    early.iter_mut().for_each(|peer| peer.send(b"GET /metrics?all HTTP/1.1\r\n"));
    while sample(&crew.get("/metrics?all"), "wsecho_connections_open") < 32 {}
    kill_process(stopped, Signal::STOP).expect("it runs");
    early.iter_mut().for_each(|peer| peer.send(b"Host: h\r\n\r\n"));
    let mut fds: Vec<PollFd<'_>> =
        early.iter().map(|peer| PollFd::new(&peer.0, PollFlags::IN)).collect();
    let time = rustix::time::Timespec::try_from(PATIENCE).expect("not long");
    poll(&mut fds, Some(&time)).expect("readable");
    let at = fds.iter().position(|fd| !fd.revents().is_empty()).expect("somebody is answered");
    let text = String::from_utf8(early[at].rest()).expect("text");
    assert_eq!(sample(&text, "wsecho_workers_answered"), 1);
    assert_eq!(sample(&text, "wsecho_workers"), 2);
    assert_eq!(sample(&text, "wsecho_opens_total"), 16, "what it said before stands for it");
    kill_process(stopped, Signal::CONT).expect("it runs");
    for peer in early.iter_mut().enumerate().filter(|(other, _)| *other != at) {
        assert!(!peer.1.rest().is_empty(), "in the end all are answered");
    }
    assert_eq!(sample(&crew.get("/metrics?all"), "wsecho_workers_answered"), 2);
    drop((peers, early));
    assert_eq!(crew.stop().0, Some(0));
}

#[test]
fn no_worker_outlives_its_supervisor() {
    let mut crew = Crew::start(&["--workers", "2"]);
    let workers = crew.workers();
    let mut peer = crew.server.open();
    crew.server.child.kill().expect("it runs");
    crew.server.wait();
    assert_eq!(peer.read(2), b"\x88\x02", "they drain");
    drop(peer);
    workers.into_iter().for_each(wait_for_end);
    TcpListener::bind(crew.server.address).expect("nobody listens there any more");
}

#[test]
fn what_is_wrong_is_said_once() {
    for count in ["0", "1000", "many"] {
        let (status, line) = complaint(&["--workers", count]);
        assert_eq!(status, Some(2), "{line}");
        assert!(line.contains("--workers") && line.contains("from 1 to 256, nor auto"), "{line}");
    }
    let (status, line) = complaint(&["--listen", ":0", "--workers", "3", "--auth-tokens", "/no"]);
    assert_eq!(status, Some(1), "{line}");
    assert!(line.starts_with("wsecho: tokens in /no"), "{line}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let (status, line) = complaint(&["--listen", &address, "--workers", "2"]);
    assert_eq!(status, Some(1), "{line}");
    assert!(line.contains(&format!("cannot listen on {address}: ")), "{line}");
    // A group would let another one in, if it did not look.
    let crew = Crew::start(&["--workers", "2"]);
    let address = crew.server.address.to_string();
    let (status, line) = complaint(&["--listen", &address, "--workers", "2"]);
    assert!(status == Some(1) && line.contains("cannot listen on"), "{line}");
    let (status, line) = complaint(&["--listen", "unix:/x", "--reuse-port"]);
    assert_eq!(status, Some(2));
    assert_eq!(line, "wsecho: --reuse-port: only a port can be shared, not unix:/x");
    assert_eq!(crew.stop().0, Some(0));
}

/// The supervisor alone speaks to the service manager; a worker that is silent is killed by it.
#[test]
fn the_service_manager_hears_of_one_process() {
    let folder = Folder::new("crew");
    let path = folder.0.join("notify");
    let manager = UnixDatagram::bind(&path).expect("bound");
    manager.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    let unix = format!("unix:{}", folder.0.join("echo").display());
    command.args(["--listen", "127.0.0.1:0", "--listen", &unix, "--workers", "2"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let mut crew = Crew::spawn(command);
    let hear = || loop {
        let mut line = [0; 100];
        let count = manager.recv(&mut line).expect("it is told in time");
        let line = String::from_utf8_lossy(&line[..count]).trim_end().to_owned();
        if line != "WATCHDOG=1" {
            return line;
        }
    };
    assert_eq!(hear(), "READY=1");
    crew.server.signal(Signal::HUP);
    assert!(hear().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(hear(), "READY=1");
    let mut stream = UnixStream::connect(folder.0.join("echo")).expect("all listen there");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("ok\n"), "{answer}");
    kill_process(crew.workers()[0], Signal::STOP).expect("it runs");
    crew.until("worker 1: silent for more than 400 ms, and is killed");
    crew.until("worker 1: ended (signal 9)");
    crew.server.signal(Signal::TERM);
    assert_eq!(hear(), "STOPPING=1", "and of nothing else");
    assert_eq!(crew.end().0, Some(0));
    assert!(!folder.0.join("echo").exists(), "removed at the end");
}

/// Another server on the port of `crew`.
#[cfg(feature = "bus")]
fn beside(crew: &Crew, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.args(["--listen", &crew.server.address.to_string()]).args(arguments);
    command
}

/// Asks so many times at once whether all is well, each on a connection of its own, and returns
/// those that wait for the answer.
fn ask_often(address: SocketAddr, count: usize) -> Vec<Peer> {
    let ask = |_| {
        // One that is not accepted is not waited for as long as the system would.
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let mut peer = Peer(stream);
        peer.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        peer
    };
    (0..count).map(ask).collect()
}

/// Hears that all is well, as each of them.
fn all_are_well(askers: Vec<Peer>) {
    for mut peer in askers {
        let answer = String::from_utf8(peer.rest()).expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
}

/// Whoever connects meanwhile waits for the next one, or is served by it at once.
#[test]
fn a_worker_that_is_told_to_end_is_followed_by_another() {
    let folder = Folder::new("followed");
    let path = folder.0.join("echo");
    let unix = format!("unix:{}", path.display());
    for (more, file) in [(&["--listen", &*unix][..], true), (&["--reuse-port"], false)] {
        let mut crew = Crew::start(&[&["--workers", "2"], more].concat());
        // Some have its drain last.
        let peers: Vec<Peer> = (0..16).map(|_| crew.server.open()).collect();
        kill_process(crew.workers()[0], Signal::TERM).expect("it runs");
        crew.until("[1] draining");
        let waiting = ask_often(crew.server.address, 32);
        drop(peers);
        crew.until("worker 1: ended (status 0); it is started again");
        all_are_well(waiting);
        all_are_well(ask_often(crew.server.address, 32));
        assert_eq!(path.exists(), file, "it goes with the supervisor");
        assert_eq!(crew.stop().0, Some(0));
        assert!(!path.exists());
    }
}

/// All processes of a group are told to end, as some managers do it: a worker that has begun to
/// leave its listeners to the next one learns that there will be none, and tells balancers.
#[test]
fn a_worker_that_is_told_to_end_with_all_others_says_so() {
    // It has 250 ms to learn it, which a busy machine may not have.
    let told = (0..10).any(|_| {
        let mut crew = Crew::start(&["--workers", "2", "--drain-delay", "20s"]);
        kill_process(crew.workers()[0], Signal::TERM).expect("it runs");
        crew.until("[1] leaving the listeners");
        crew.server.signal(Signal::TERM);
        let line = crew.until("draining in 20 s");
        crew.server.signal(Signal::TERM);
        let (status, rest) = crew.end();
        assert_eq!(status, Some(1), "cut short");
        (line + &rest).contains("[1] draining in 20 s")
    });
    assert!(told);
}

/// What was there at the start is gone: the worker that dies cannot be started again, and does not
/// keep its share of those who connect.
#[test]
fn others_serve_for_a_worker_that_does_not_come_back() {
    let folder = Folder::new("gone");
    let tokens = folder.0.join("tokens");
    let line = "me 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n";
    fs::write(&tokens, line).expect("written");
    let tokens = tokens.to_str().expect("UTF-8");
    let mut crew = Crew::start(&["--workers", "2", "--auth-tokens", tokens]);
    fs::remove_file(tokens).expect("it is there");
    kill_process(crew.workers()[0], Signal::KILL).expect("it runs");
    let said = crew.until("tokens in ");
    assert!(said.contains(" ERROR [1] tokens in "), "{said}");
    crew.until("started again in 800 ms");
    all_are_well(ask_often(crew.server.address, 64));
    fs::write(tokens, line).expect("written");
    while worker(&crew.get("/metrics?access_token=hello")) != "1" {}
    assert_eq!(crew.stop().0, Some(0));
}

/// A new version with a mistake in its options, beside an old one.
#[cfg(feature = "bus")]
#[test]
fn who_cannot_serve_takes_nobody_from_those_who_do() {
    let crew = Crew::start(&["--reuse-port"]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bus = format!("redis://{}", silent.local_addr().expect("bound"));
    for workers in [&[][..], &["--workers", "2"]] {
        let mut command = beside(&crew, &["--reuse-port", "--bus-required", "--bus", &bus]);
        let mut new = command.args(workers).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let new = new.as_mut().expect("the binary runs");
        // By now it has all but the bus.
        let (_bus, _) = silent.accept().expect("it connects");
        all_are_well(ask_often(crew.server.address, 64));
        assert!(new.try_wait().expect("a child of ours").is_none(), "it was there all the time");
        new.kill().expect("it runs");
        new.wait().expect("a child of ours");
    }
    assert_eq!(crew.stop().0, Some(0));
}

/// A worker that does not listen at all hears in the end that it has to drain.
#[test]
fn no_worker_misses_the_end_for_all_it_has_not_heard_before() {
    let mut crew = Crew::start(&["--workers", "2"]);
    let stopped = crew.workers()[1];
    let mut peers: Vec<Peer> = (0..16).map(|_| crew.server.open()).collect();
    kill_process(stopped, Signal::STOP).expect("it runs");
    for _ in 0..1000 {
        crew.server.signal(Signal::HUP);
        crew.until("[1] there is nothing to reload");
    }
    crew.server.signal(Signal::TERM);
    crew.until("[1] draining");
    kill_process(stopped, Signal::CONT).expect("it runs");
    for peer in &mut peers {
        assert_eq!(peer.read(4), b"\x88\x02\x03\xe9", "1001");
    }
    drop(peers);
    let (status, log) = crew.end();
    assert_eq!(status, Some(0), "{log}");
}

/// Whoever starts it ignores how its own children end, which is inherited.
#[test]
fn ends_of_workers_are_told_whatever_was_ignored_before() {
    let mut command = Command::new("env");
    command.args(["--ignore-signal=CHLD", env!("CARGO_BIN_EXE_wsecho")]);
    command.args(["--listen", "127.0.0.1:0", "--workers", "2"]);
    let mut crew = Crew::spawn(command);
    kill_process(crew.workers()[0], Signal::KILL).expect("it runs");
    let line = crew.until("started again");
    assert!(line.contains("worker 1: ended (signal 9)"), "{line}");
    assert_eq!(one_each(&crew, 2), ["1", "2"].map(str::to_owned).into());
    assert_eq!(crew.stop().0, Some(0));
}

/// Nothing went wrong there, but nobody else would say why all of it ends.
#[cfg(feature = "bus")]
#[test]
fn a_worker_that_is_told_to_end_before_it_serves_is_a_reason_to_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bus = format!("redis://{}", silent.local_addr().expect("bound"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.args(["--listen", "127.0.0.1:0", "--workers", "2", "--bus-required", "--bus", &bus]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let (_bus, _) = silent.accept().expect("it connects");
    kill_process(workers_of(child.id())[0], Signal::TERM).expect("it runs");
    let mut log = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(1));
    assert!(log.ends_with("wsecho: worker 1 ended before it was ready: status 0\n"), "{log}");
}

/// What was asked for at the wrong one is asked for again, and is there once.
#[test]
fn a_private_url_is_found_in_the_end() {
    let crew = Crew::start(&["--workers", "2"]);
    let name = crew.get("/poll").lines().last().expect("a body").to_owned();
    let misdirected = Cell::new(0);
    let insist = |request: &str| loop {
        let answer = crew.server.ask(request);
        if !answer.starts_with("HTTP/1.1 421 Misdirected Request\r\n") {
            return answer;
        }
        misdirected.set(misdirected.get() + 1);
    };
    for number in 0..16 {
        let body = format!("message {number:02}");
        let head = "Host: h\r\nContent-Type: text/plain\r\nContent-Length: 10";
        let answer = insist(&format!("POST /{name} HTTP/1.1\r\n{head}\r\n\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        let answer = insist(&format!("GET /{name} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(answer.ends_with(&body), "{answer}");
    }
    assert!(misdirected.get() > 0, "of 32 requests none got to the other worker");
    let gone = format!("{}0000{}", &name[..9], &name[13..]);
    let answer = insist(&format!("GET /{gone} HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(crew.stop().0, Some(0));
}
