//! The real binary: what it says, where, and with which exit status.

#[allow(dead_code, reason = "its client is for the tests of what goes over the wire")]
#[path = "support/process.rs"]
mod process;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(feature = "bus")]
use std::os::unix::net::UnixStream;
use std::process::{ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "bus")]
use process::folder::Folder;
use process::{PATIENCE, Server};

/// The binary with nothing of the tester's own environment that it would listen to.
fn wsecho(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WSECHO_") {
            command.env_remove(name);
        }
    }
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

/// Asserts an exit status, nothing on stdout and one line on stderr, which it returns.
fn one_line(output: &Output, status: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(output.stdout.is_empty(), "stdout is for ready lines");
    assert!(stderr.starts_with("wsecho: ") && stderr.ends_with('\n'), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
    stderr
}

/// Starts a server on a port of the system's choice, with stderr as `command` has it.
fn serve(command: &mut Command) -> Server {
    let command = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    Server::started(command.spawn().expect("the binary runs"))
}

/// A connection whose reads end with an error rather than never.
fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).expect("accepted");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

#[test]
fn o04_wrong_usage_is_one_line_and_status_2() {
    let cases: [(&[&str], &str); 12] = [
        (&["--nonsense"], "--nonsense"),
        (&["--listen"], "--listen"),
        (&["--listen", "localhost:http"], "--listen: \"localhost:http\""),
        (&["--listen", "1.2.3.4:99999"], "--listen: \"1.2.3.4:99999\""),
        (&["--max-connections", "many"], "--max-connections: \"many\""),
        (&["--max-message-size=1TiB"], "--max-message-size: \"1TiB\""),
        (&["--ping-interval", "5h"], "--ping-interval: \"5h\""),
        (&["--ping-interval", "60"], "--ping-interval: \"60\" has no unit: write 60ms or 60s"),
        (&["--ping", "1000"], "--ping: \"1000\" has no unit: write 1000ms or 1000s"),
        (&["--origin", "https://a/\n\u{1b}[31m"], "--origin: \"https://a/\\n\\u{1b}[31m\""),
        (&["serve"], "'serve'"),
        (&["healthcheck", "--timeout", "0"], "--timeout: "),
    ];
    for (arguments, cause) in cases {
        let line = one_line(&output(&mut wsecho(arguments)), 2);
        assert!(line.contains(cause), "{arguments:?} gave {line:?}");
    }
    let line = one_line(&output(wsecho(&[]).env("WSECHO_MAX_FRAGMENTS", "few")), 2);
    assert!(line.contains("WSECHO_MAX_FRAGMENTS: \"few\""), "{line}");
    let line = one_line(&output(wsecho(&[]).env("WSECHO_ORIGIN", ",")), 2);
    assert!(line.contains("WSECHO_ORIGIN: \",\" names nothing"), "{line}");
}

#[test]
fn o04_port_in_use_is_one_line_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    // One good address beside it does not help, nor may its ready line come out.
    let both = ["--listen", "127.0.0.1:0", "--listen", &address];
    let line = one_line(&output(&mut wsecho(&both)), 1);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn o04_address_of_another_host_is_one_line_and_status_1() {
    // 192.0.2.0/24 is for documentation (RFC 5737): no host has it.
    let line = one_line(&output(&mut wsecho(&["--listen", "192.0.2.1:0"])), 1);
    assert!(line.contains("192.0.2.1:0"), "{line}");
}

#[test]
fn help_and_version_go_to_stdout() {
    for arguments in [&["--help"][..], &["-h"], &["healthcheck", "--help"]] {
        let output = output(&mut wsecho(arguments));
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty());
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(help.contains("Usage: wsecho"), "{help}");
    }
    let output = output(&mut wsecho(&["--version"]));
    assert_eq!(output.status.code(), Some(0));
    let version = concat!("wsecho ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

#[test]
fn environment_listens_and_healthcheck_follows_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let line = one_line(&output(wsecho(&[]).env("WSECHO_LISTEN", &address)), 1);
    assert!(line.contains(&address), "serving: {line}");
    drop(listener);
    let line = one_line(&output(wsecho(&["healthcheck"]).env("WSECHO_LISTEN", &address)), 1);
    assert!(line.contains(&format!("ws://{address}/")), "checking: {line}");
}

#[test]
fn o08_healthcheck_of_nothing_fails_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let line = one_line(&output(&mut wsecho(&["healthcheck", &url])), 1);
    assert!(line.contains(&url), "{line}");
}

#[test]
fn o08_healthcheck_of_a_tls_url_says_what_is_missing() {
    let line = one_line(&output(&mut wsecho(&["healthcheck", "wss://127.0.0.1/"])), 1);
    let missing = if cfg!(feature = "tls") { "--insecure" } else { "\"wss\" is not supported" };
    assert!(line.contains(missing), "{line}");
}

#[test]
fn o08_healthcheck_of_a_dripping_server_fails_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let dripping = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let head = "HTTP/1.1 101 Switching Protocols\r\nX-Long: ".bytes();
        for byte in head.chain(std::iter::repeat(b'x')) {
            thread::sleep(Duration::from_millis(20));
            if stream.write_all(&[byte]).is_err() {
                break;
            }
        }
    });
    let started = Instant::now();
    let line =
        one_line(&output(&mut wsecho(&["healthcheck", "-q", &url, "--timeout", "500ms"])), 1);
    let took = started.elapsed();
    assert!(line.contains("not done in time"), "{line}");
    assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(5), "{took:?}");
    dripping.join().expect("ends with its client");
}

#[test]
fn o08_healthcheck_of_the_server_itself_succeeds() {
    let server = serve(wsecho(&[]).stderr(Stdio::null()));
    let url = format!("ws://{}/", server.address);
    let output = output(&mut wsecho(&["healthcheck", &url]));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let steps = [
        format!("connected to {} in ", server.address),
        "opening handshake in ".to_owned(),
        "echo of 35 bytes in ".to_owned(),
        "closing handshake in ".to_owned(),
        format!("{url} is healthy, checked in "),
    ];
    assert_eq!(said.lines().count(), steps.len(), "{said}");
    for (line, step) in said.lines().zip(steps) {
        let time = line.strip_prefix(&step).and_then(|rest| rest.strip_suffix(" ms"));
        assert!(time.is_some_and(|time| time.parse::<f64>().is_ok()), "{step}: {said}");
    }
    for quiet in ["-q", "--quiet"] {
        let output = self::output(&mut wsecho(&["healthcheck", &url, quiet]));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    }
}

#[test]
fn o08_healthcheck_of_a_name_says_how_many_addresses_it_has() {
    let server = serve(wsecho(&[]).stderr(Stdio::null()));
    let url = format!("ws://localhost:{}/", server.address.port());
    let output = output(&mut wsecho(&["healthcheck", &url]));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(said.starts_with("localhost found at "), "{said}");
}

#[test]
fn o08_healthcheck_of_a_server_that_misbehaves_succeeds() {
    let each = [
        &["--welcome", "hello", "--reply", "{count}", "--mirror", "--ping", "10ms"][..],
        &["--delay", "10m", "--no-pong", "--rate", "1", "--fragment", "1"],
        &["--drop", "rst", "--after", "1"],
        &["--close", "1000"],
        &["--refuse", "503"],
    ];
    for options in each {
        let server = serve(wsecho(options).stderr(Stdio::null()));
        let without_path = format!("ws://{}", server.address);
        let output = output(&mut wsecho(&["healthcheck", &without_path]));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{options:?}");
        assert_eq!(output.status.code(), Some(0), "{options:?}");
    }
}

/// Opens and drops connections with requests as long as allowed until the log of them must have
/// filled any pipe, then asks whether the server still lives.
fn outlives_a_flood_of_log_lines(server: &Server) {
    let target = "x".repeat(4000);
    for _ in 0..1000 {
        let mut stream = connect(server);
        let request = format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    let url = format!("ws://{}/", server.address);
    let output = output(&mut wsecho(&["healthcheck", &url, "--timeout", "10s"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn o03_server_lives_on_while_nobody_reads_its_stderr() {
    let mut server = serve(wsecho(&["-vv"]).stderr(Stdio::piped()));
    let stderr: Option<ChildStderr> = server.child.stderr.take();
    outlives_a_flood_of_log_lines(&server);
    // Held to here, so that the pipe was full and not closed.
    drop(stderr);
}

#[test]
fn o03_server_lives_on_when_its_stderr_is_closed() {
    let mut server = serve(wsecho(&["-vv"]).stderr(Stdio::piped()));
    drop(server.child.stderr.take());
    outlives_a_flood_of_log_lines(&server);
}

#[test]
fn a_variable_that_nobody_knows_is_warned_of_once() {
    let mut command = wsecho(&[]);
    command.env("WSECHO_ORIGINS", "https://a").env("WSECHO_HEALTHCHECK_TIMEOUT", "1");
    let mut server = serve(command.stderr(Stdio::piped()));
    server.child.kill().expect("it runs");
    let mut log = String::new();
    let stderr = server.child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut log).expect("UTF-8");
    let about = log.lines().filter(|line| line.contains("WSECHO_")).collect::<Vec<_>>();
    assert!(
        matches!(about[..], [line] if line.contains("WARN") && line.ends_with(
            "WSECHO_ORIGINS is not a known variable; did you mean WSECHO_ORIGIN?"
        )),
        "{log}"
    );
    // The check says nothing but its verdict.
    let url = "ws://127.0.0.1:1/";
    let line = one_line(&output(wsecho(&["healthcheck", url]).env("WSECHO_ORIGINS", "x")), 1);
    assert!(line.contains(url), "{line}");
}

#[cfg(feature = "deflate")]
#[test]
fn the_log_says_what_was_agreed_on() {
    let options = ["-v", "--subprotocol", "*"];
    let mut server = serve(wsecho(&options).stderr(Stdio::piped()));
    let mut stream = connect(&server);
    let request = "GET /x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: chat, other\r\n\
                   Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("taken");
    let mut log = String::new();
    let mut stderr = BufReader::new(server.child.stderr.take().expect("piped"));
    while !log.contains(" opened /x") {
        assert_ne!(stderr.read_line(&mut log).expect("UTF-8"), 0, "the opening is logged: {log}");
    }
    let agreed = " opened /x, subprotocol chat, permessage-deflate; \
                  server_no_context_takeover; client_no_context_takeover\n";
    assert!(log.ends_with(agreed), "{log}");
    assert!(log.contains(" DEBUG #1 127.0.0.1:") && !log.contains("::"), "no module paths: {log}");
}

/// All of what a connection did, in one line: also what had to wait on its way out.
#[test]
fn the_log_tells_what_a_connection_did() {
    let mut server = serve(wsecho(&["-v"]).stderr(Stdio::piped()));
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let exchange = |frames: &[u8]| {
        let mut stream = connect(&server);
        let sent = [request.as_bytes(), frames].concat();
        stream.write_all(&sent).expect("taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("closed in order");
    };
    let masked = |first: u8, payload: &[u8]| {
        let length = (payload.len() as u64).to_be_bytes();
        [&[first, 0xFF][..], &length, &[0; 4], payload].concat()
    };
    let text = b"\x01\x82\0\0\0\0he\x80\x83\0\0\0\0llo\x89\x80\0\0\0\0";
    let close = b"\x88\x85\0\0\0\0\x03\xE8bye";
    exchange(&[&masked(0x82, &[7; 12 << 20])[..], close].concat());
    exchange(&[&text[..], b"\x88\x80\0\0\0\0"].concat());
    exchange(b"\x81\x00");
    let expected = [
        [
            "#1 127.0.0.1:",
            " closed by peer, code 1000, reason \"bye\", ",
            "s, 1 message, 12 MiB in, 12 MiB out\n",
        ],
        ["#2 127.0.0.1:", " closed by peer, ", "s, 1 message, 169 B in, 142 B out\n"],
        [
            "#3 127.0.0.1:",
            " closed by server, frame not masked, code 1002, ",
            "s, 0 messages, 142 B in, 149 B out\n",
        ],
    ];
    let mut log = String::new();
    let mut stderr = BufReader::new(server.child.stderr.take().expect("piped"));
    while log.matches(" closed by ").count() < expected.len() {
        assert_ne!(stderr.read_line(&mut log).expect("UTF-8"), 0, "the ending is logged: {log}");
    }
    let mut lines = log.split_inclusive('\n').filter(|line| line.contains(" closed by "));
    for parts in expected {
        let line = lines.next().expect("one each");
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
    }
    assert_eq!(
        log.matches(" opened /\n").count(),
        expected.len(),
        "one line for each opening: {log}"
    );
}

/// The name in a private URL is a secret, and stays out.
#[test]
fn the_log_tells_of_bodies_and_streams() {
    let mut server = serve(wsecho(&["-v"]).stderr(Stdio::piped()));
    let ask = |request: &str| {
        let mut stream = connect(&server);
        stream.write_all(request.as_bytes()).expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    let chunks = "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    ask(&format!("POST /echo HTTP/1.1\r\n{chunks}x\r\n"));
    ask(&format!("POST /echo HTTP/1.1\r\n{chunks}1\r\nabc"));
    let answer = ask("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n");
    let name = answer.trim_end().rsplit('/').next().expect("a name").to_owned();
    let url = format!("/poll/{name}");
    ask(&format!("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
    assert!(ask(&format!("GET {url} HTTP/1.1\r\nHost: x\r\n\r\n")).ends_with("hello"));
    ask(&format!("GET {url}0 HTTP/1.1\r\nHost: x\r\n\r\n"));
    let mut log = String::new();
    let mut stderr = BufReader::new(server.child.stderr.take().expect("piped"));
    // A connection ends when the client has closed it, which the server may hear later.
    while log.matches(" answered, ").count() < 3 || !log.contains(" refused /poll/") {
        assert_ne!(stderr.read_line(&mut log).expect("UTF-8"), 0, "the ending is logged: {log}");
    }
    server.child.kill().expect("it runs");
    stderr.read_to_string(&mut log).expect("UTF-8");
    for (words, count) in [
        (" POST /echo begun\n", 3),
        (" answered, ", 3),
        ("s, 56 B in, 257 B out\n", 1),
        (" refused a request with 400: a chunk's size is malformed\n", 1),
        (" refused a request with 400: CR LF is missing in a chunked body\n", 1),
        (" GET /poll answered with 200\n", 1),
        (" POST /poll/ begun\n", 1),
        (" GET /poll/ begun\n", 1),
        (" refused /poll/ with 404: no such mailbox", 1),
    ] {
        assert_eq!(log.matches(words).count(), count, "{words} in {log}");
    }
    assert!(!log.contains(&name), "{log}");
}

/// Frames of echoes, rooms and behaviours, in both directions, however they were sent.
#[cfg(feature = "rooms")]
#[test]
fn the_log_shows_frames_of_both_directions() {
    let mut server = serve(wsecho(&["-vv"]).stderr(Stdio::piped()));
    let exchange = |target: &str, frames: &[u8], until: &str, then: &[u8]| {
        let mut stream = connect(&server);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(&[request.as_bytes(), frames].concat()).expect("taken");
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(until.as_bytes()) {
            stream.read_exact(&mut byte).expect("an answer");
            answer.extend_from_slice(&byte);
        }
        stream.write_all(then).expect("taken");
        stream.read_to_end(&mut Vec::new()).expect("closed in order");
    };
    let close = b"\x88\x80\0\0\0\0";
    let text = b"\x01\x82\0\0\0\0he\x80\x83\0\0\0\0llo\x89\x80\0\0\0\0";
    exchange("/", &[&text[..], close].concat(), "", b"");
    exchange("/?fragment=2&close=1000&after=1", b"\x82\x83\0\0\0\0abc", "", b"");
    exchange("/chat/den", b"\x81\x82\0\0\0\0hi", "Echo: hi", close);
    let expected = [
        "#1 received text, 2 bytes, MASK",
        "#1 received continuation, 3 bytes, FIN MASK",
        "#1 received ping, 0 bytes, FIN MASK",
        "#1 received close, 0 bytes, FIN MASK",
        "#1 sent text, 2 bytes",
        "#1 sent continuation, 3 bytes, FIN",
        "#1 sent pong, 0 bytes, FIN",
        "#1 sent close, 0 bytes, FIN",
        "#2 received binary, 3 bytes, FIN MASK",
        "#2 sent binary, 2 bytes",
        "#2 sent continuation, 1 bytes, FIN",
        " opened /chat/den",
        "#3 received text, 2 bytes, FIN MASK",
        "#3 sent text, 8 bytes, FIN",
    ];
    server.child.kill().expect("it runs");
    let mut log = String::new();
    let stderr = server.child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut log).expect("UTF-8");
    for line in expected {
        assert_eq!(log.lines().filter(|logged| logged.ends_with(line)).count(), 1, "{line}: {log}");
    }
    let of_one = log.lines().filter(|line| line.contains(" #1 ") && line.contains(" bytes"));
    assert_eq!(of_one.count(), 8, "{log}");
}

#[test]
fn the_log_as_json_has_the_same_in_fields() {
    let mut server = serve(wsecho(&["-vv", "--log-format", "json"]).stderr(Stdio::piped()));
    let mut stream = connect(&server);
    let request = "GET /\u{1f980} HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("taken");
    stream.read_to_end(&mut Vec::new()).expect("closed in order");
    let mut peer = process::Peer::to(server.address);
    assert!(peer.shake_hands().starts_with("HTTP/1.1 101 "));
    peer.send(b"\x88\x85\0\0\0\0\x03\xE8\x1b\"\n");
    peer.rest();
    drop(peer);
    let mut log = String::new();
    let mut stderr = BufReader::new(server.child.stderr.take().expect("piped"));
    while !log.contains("\"closed\"") {
        assert_ne!(stderr.read_line(&mut log).expect("UTF-8"), 0, "the ending is logged: {log}");
    }
    for line in log.lines() {
        let whole = line.starts_with("{\"time\":\"20") && line.ends_with('}');
        assert!(whole && !line.chars().any(char::is_control), "{line}");
    }
    for part in [
        r#""event":"refused","connection":1,"#,
        r#""event":"opened","connection":2,"peer":"127.0.0.1:"#,
        r#""event":"frame","connection":2,"direction":"received","opcode":"close","#,
        r#","length":5,"flags":"FIN MASK"}"#,
        r#""ending":"closed","code":1000,"reason":"\\u{1b}\\\"\\n","seconds":0."#,
        r#""frames":1,"messages":0,"received_bytes":1"#,
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
}

#[test]
fn a_server_with_room_to_spare_starts_without_a_word() {
    let said = |connections: &str| {
        let mut command = Command::new("sh");
        let line = format!("ulimit -n 100; exec \"$0\" --max-connections {connections} \"$@\"");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_wsecho")]);
        let mut server = serve(command.env_remove("RUST_LOG").stderr(Stdio::piped()));
        server.child.kill().expect("it runs");
        let mut log = String::new();
        let stderr = server.child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut log).expect("UTF-8");
        log
    };
    assert_eq!(said("10"), "");
    let warned = said("1000");
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains(" WARN  the limit on open files leaves room for "), "{warned}");
}

/// A terminal gets a URL that it can make a link of; a file or a pipe does not.
#[test]
fn at_a_terminal_the_server_names_its_page() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("ours");
    let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("a path");
    let other_end = File::options().read(true).write(true).open(name).expect("a terminal");
    // Fewer than any limit on descriptors is warned of.
    let server = serve(wsecho(&["--max-connections", "10"]).stderr(other_end));
    let mut line = String::new();
    BufReader::new(File::from(terminal)).read_line(&mut line).expect("a line");
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(line.trim_end(), format!("Try it in a browser: {url}"));
}

#[test]
fn every_refusal_is_logged_with_its_reason() {
    let mut server = serve(wsecho(&["-v"]).stderr(Stdio::piped()));
    let handshake = "HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let cases = [
        ("\u{16}".to_owned(), "refused a request with 400: this port does not speak TLS"),
        ("GET /x HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "refused /x with 404: nothing is here"),
        (
            format!("GET /y {handshake}Origin: a\r\nSec-WebSocket-Key: a\r\n\r\n"),
            "refused /y with 400: exactly one",
        ),
        (
            format!("GET /?refuse=503 {handshake}\r\n"),
            "refused /?refuse=503 with 503: 503, as asked",
        ),
        (format!("GET /?delay=x {handshake}\r\n"), "refused /?delay=x with 400: delay: "),
        #[cfg(feature = "rooms")]
        (format!("GET /chat/ {handshake}\r\n"), "refused /chat/ with 404: nothing is here"),
        (
            format!("GET /z {handshake}Sec-WebSocket-Extensions: ;\r\n\r\n"),
            "refused /z with 400: Sec-WebSocket-Extensions is malformed",
        ),
    ];
    for (request, _) in &cases {
        let mut stream = connect(&server);
        stream.write_all(request.as_bytes()).expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(!answer.starts_with("HTTP/1.1 101"), "{answer}");
    }
    server.child.kill().expect("it runs");
    let mut log = String::new();
    let stderr = server.child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut log).expect("UTF-8");
    for (nth, (_, line)) in cases.iter().enumerate() {
        assert_eq!(log.matches(line).count(), 1, "{line} in {log}");
        let connection = format!("#{} ", nth + 1);
        assert_eq!(log.matches(&connection).count(), 1, "one line says it all: {log}");
    }
}

#[test]
fn a_refusal_asked_for_counts_as_itself() {
    let server = serve(wsecho(&[]).stderr(Stdio::null()));
    let ask = |request: String| {
        let mut stream = connect(&server);
        stream.write_all(request.as_bytes()).expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    for (status, line) in
        [(503, "503 Service Unavailable"), (418, "418 I'm a teapot"), (599, "599 Server Error")]
    {
        let answer = ask(format!(
            "GET /?refuse={status} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        assert!(answer.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{answer}");
    }
    let metrics = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".to_owned());
    for label in ["503", "418", "other"] {
        let row = format!("\nwsecho_http_answers_total{{status=\"{label}\"}} 1\n");
        assert!(metrics.contains(&row), "{row} in {metrics}");
    }
}

#[test]
fn secrets_are_mirrored_only_if_the_operator_says_so() {
    let cases = [(&[][..], "(8 bytes)"), (&["--mirror-secrets"], "id=12345")];
    for (options, shown) in cases {
        let server = serve(wsecho(options).stderr(Stdio::null()));
        let plain = "GET /info HTTP/1.1\r\nHost: x\r\nCookie: id=12345\r\n\r\n";
        let upgrade = "GET /?mirror&close=1000 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nCookie: id=12345\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        for request in [plain, upgrade] {
            let mut stream = connect(&server);
            stream.write_all(request.as_bytes()).expect("taken");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an answer");
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.contains(&format!("[\"Cookie\",\"{shown}\"]")), "{answer}");
        }
    }
}

#[test]
fn o09_log_lines_are_escaped_and_short() {
    let mut server = serve(wsecho(&["-vv"]).stderr(Stdio::piped()));
    let mut stream = connect(&server);
    // ESC in a target is a bad request, so a reason of a Close frame has to carry it.
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   User-Agent: \u{1f980}\u{9b}31m\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("taken");
    let reason = "\u{1b}[2J\r\nwsecho: all is well\u{9b}";
    let len = u8::try_from(2 + reason.len()).expect("short");
    stream.write_all(&[0x88, 0x80 | len, 0, 0, 0, 0, 3, 232]).expect("taken");
    stream.write_all(reason.as_bytes()).expect("taken");
    stream.read_to_end(&mut Vec::new()).expect("closed in order");
    drop(stream);
    let mut log = String::new();
    let mut stderr = BufReader::new(server.child.stderr.take().expect("piped"));
    while !log.contains(" closed by ") {
        assert_ne!(stderr.read_line(&mut log).expect("UTF-8"), 0, "the ending is logged: {log}");
    }
    assert!(log.contains("\\u{1b}[2J\\r\\nwsecho: all is well"), "the reason is logged: {log}");
    assert!(!log.lines().any(|line| line.starts_with("wsecho: ")), "no forged line: {log}");
    assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "no control character: {log:?}");
}

/// An address of this machine at which nobody listens.
#[cfg(feature = "bus")]
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    address.to_string()
}

#[cfg(feature = "bus")]
#[test]
fn a_bus_that_is_required_and_not_there_is_one_line() {
    let bus = format!("redis://ann:secret@{}", nowhere());
    let arguments = ["--listen", "127.0.0.1:0", "--bus", &bus, "--bus-required"];
    let line = one_line(&output(&mut wsecho(&arguments)), 1);
    assert!(line.contains("Connection refused") && !line.contains("secret"), "{line}");
}

/// Whoever comes before the bus has answered waits, and is judged as all others.
#[cfg(feature = "bus")]
#[test]
fn a_bus_that_is_required_comes_before_the_clients() {
    let folder = Folder::new("bus");
    let path = folder.file("socket").to_str().expect("UTF-8").to_owned();
    let tokens = folder.write("tokens", &format!("ann {}\n", "0".repeat(64)));
    let redis = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bus = format!("redis://{}", redis.local_addr().expect("bound"));
    let listen = format!("unix:{path}");
    let arguments = ["--listen", &listen, "--auth-tokens", &tokens, "--bus-required"];
    let mut command = wsecho(&arguments);
    let child = command.env("WSECHO_BUS", &bus).stdout(Stdio::null()).spawn().expect("starts");
    // However this test ends, it does; nobody asks for its address.
    let _server = Server { child, address: redis.local_addr().expect("bound") };
    let (mut link, _) = redis.accept().expect("a connection");
    link.set_read_timeout(Some(PATIENCE)).expect("not zero");
    link.read_exact(&mut [0; 30]).expect("a greeting");
    let mut stream = UnixStream::connect(&path).expect("it listens");
    let request = process::frames::REQUEST.replacen("GET / ", "GET /chat/den ", 1);
    stream.write_all(request.as_bytes()).expect("taken");
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
    assert!(stream.read(&mut [0; 1]).is_err(), "nobody is served yet");
    link.write_all(b"%1\r\n$5\r\nproto\r\n:3\r\n").expect("taken");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 401");
}

#[cfg(feature = "bus")]
#[test]
fn a_wrong_password_for_the_bus_is_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bus = format!("redis://:secret@{}", listener.local_addr().expect("bound"));
    let redis = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut greeting = [0; 70];
        stream.read_exact(&mut greeting).expect("a greeting");
        stream.write_all(b"-WRONGPASS invalid username-password pair\r\n").expect("taken");
        String::from_utf8(greeting.to_vec()).expect("ASCII")
    });
    let arguments = ["--listen", "127.0.0.1:0", "--bus-required"];
    let line = one_line(&output(wsecho(&arguments).env("WSECHO_BUS", &bus)), 1);
    assert!(line.contains("the user or the password is wrong"), "{line}");
    assert!(!line.contains("secret"), "{line}");
    let greeting = redis.join().expect("it was asked");
    assert!(greeting.contains("HELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$7\r\ndefault"), "{greeting}");
}

#[cfg(feature = "bus")]
#[test]
fn without_its_bus_a_server_starts_and_says_so() {
    let bus = format!("redis://{}", nowhere());
    let mut server = serve(wsecho(&["--bus", &bus]).stderr(Stdio::piped()));
    let mut log = BufReader::new(server.child.stderr.take().expect("piped"));
    let mut line = String::new();
    log.read_line(&mut line).expect("a line");
    assert!(line.contains("WARN") && line.contains("refused") && line.contains("tried again"));
    let mut stream = connect(&server);
    let request = process::frames::REQUEST.replacen("GET / ", "GET /chat/den ", 1);
    stream.write_all(request.as_bytes()).expect("taken");
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("local for now") {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).expect("in time");
        assert!(count > 0, "an end");
        heard.extend(&bytes[..count]);
    }
}
