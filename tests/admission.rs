//! Who may come to the real binary: tokens and their file, proxies that name their clients, limits
//! by address; and what is said of all that, and what is not.

#[path = "support/process.rs"]
#[expect(dead_code, reason = "each test target uses a part of it")]
mod process;

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStderr, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use process::Server;
use process::folder::Folder;
use process::frames::{REQUEST, masked};
use rustix::process::Signal;

const TOKEN: &str = "s3cr3t-of-ann";
const OTHER: &str = "s3cr3t-of-bob";

/// A file of tokens, as `printf %s TOKEN | sha256sum` makes it.
fn tokens_file(folder: &Folder, tokens: &[(&str, &str)]) -> String {
    let line = |(name, token): &(&str, &str)| {
        let hash = hmac_sha256::Hash::hash(token.as_bytes());
        let digits = hash.iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"));
        format!(
            "{name} {digits}
"
        )
    };
    folder.write("tokens", &tokens.iter().map(line).collect::<String>())
}

/// A server whose log is read.
fn logging(arguments: &[&str]) -> (Server, BufReader<ChildStderr>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("WSECHO_") {
            command.env_remove(name);
        }
    }
    command.args(["--listen"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let log = BufReader::new(child.stderr.take().expect("piped"));
    (Server::started(child), log)
}

/// Reads the log to the line that has this in it.
fn line_with(log: &mut BufReader<ChildStderr>, text: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).expect("text"), 0, "no line with {text:?}");
        if line.contains(text) {
            return line;
        }
    }
}

fn request(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n{lines}\r\n")
}

fn upgrade(target: &str, lines: &str) -> String {
    REQUEST
        .replace("GET / ", &format!("GET {target} "))
        .replace("Host: h\r\n", &format!("Host: h\r\n{lines}"))
}

/// The head of the answer to a handshake, which then echoes if it is a 101.
fn shake(server: &Server, request: &str) -> String {
    let mut peer = server.connect();
    peer.send(request.as_bytes());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(peer.read(1));
    }
    let head = String::from_utf8(head).expect("ASCII");
    if head.starts_with("HTTP/1.1 101 ") {
        peer.echo("hello");
        peer.send(&masked(0x88, b""));
        peer.rest();
    }
    head
}

#[test]
fn a05_only_those_with_a_token_come_in() {
    let folder = Folder::new("tokens");
    let file = tokens_file(&folder, &[("ann", TOKEN), ("bob", OTHER)]);
    let server = Server::start(&["--auth-tokens", &file]);
    let basic = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("me:{TOKEN}")));
    let known = [
        upgrade("/", &format!("Authorization: Bearer {TOKEN}\r\n")),
        upgrade("/", &format!("Authorization: bearer {OTHER}\r\n")),
        upgrade("/", &basic),
        upgrade("/", &format!("Sec-WebSocket-Protocol: bearer.{TOKEN}, chat\r\n")),
        upgrade(&format!("/?access_token={TOKEN}&delay=1"), ""),
        upgrade(&format!("/healthz?access_token={TOKEN}"), ""),
    ];
    for request in &known {
        let head = shake(&server, request);
        assert!(head.starts_with("HTTP/1.1 101 "), "{request}{head}");
        let chosen = head.contains("Sec-WebSocket-Protocol: chat\r\n");
        assert_eq!(chosen, request.contains("chat"), "the token is no subprotocol: {head}");
    }
    let alone =
        shake(&server, &upgrade("/", &format!("Sec-WebSocket-Protocol: bearer.{TOKEN}\r\n")));
    assert!(alone.contains("Sec-WebSocket-Protocol: bearer."), "browsers want one: {alone}");
    assert!(server.ask(&request("/", &basic)).starts_with("HTTP/1.1 200 "), "a page");

    // Whatever is asked for, the token comes first.
    for target in ["/", "/nowhere", "/metrics", "/status", "/info", "/chat/room", "/healthz/", "?"]
    {
        let answer = server.ask(&request(target, ""));
        assert!(answer.starts_with("HTTP/1.1 401 "), "{target}: {answer}");
        assert!(answer.contains("\r\nWWW-Authenticate: Bearer realm=\"wsecho\"\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nWWW-Authenticate: Basic realm=\"wsecho\", charset"),
            "{answer}"
        );
        let answer = shake(&server, &upgrade(target, ""));
        assert!(answer.starts_with("HTTP/1.1 401 "), "{target}: {answer}");
    }
    for lines in ["Authorization: Bearer wrong\r\n", "Authorization: Basic bWU6d3Jvbmc=\r\n"] {
        let answer = server.ask(&request("/", lines));
        assert!(
            answer.starts_with("HTTP/1.1 401 ") && answer.contains("invalid_token"),
            "{answer}"
        );
    }
    let answer = server.ask("POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: 1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(server.ask(&request("/healthz", "")).ends_with("\r\n\r\nok\n"), "open");
    let answer = shake(&server, &upgrade("/healthz", ""));
    assert!(answer.starts_with("HTTP/1.1 401 "), "no echo for strangers: {answer}");
}

/// The page, as a browser asks for it, and its WebSocket, which browsers send the same field with.
#[test]
fn the_status_is_told_to_those_with_a_token() {
    let folder = Folder::new("status");
    let server = Server::start(&["--auth-tokens", &tokens_file(&folder, &[("ann", TOKEN)])]);
    let basic = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("me:{TOKEN}")));
    let page = server.ask(&request("/status", &basic));
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("status</title>"), "{page}");
    let mut peer = server.connect();
    peer.send(upgrade("/status", &basic).as_bytes());
    let mut told = Vec::new();
    while !told.ends_with(b"\r\n\r\n") {
        told.extend(peer.read(1));
    }
    assert!(told.starts_with(b"HTTP/1.1 101 "));
    let head = peer.read(4);
    assert_eq!(head[..2], [0x81, 126], "text of up to 64 KiB");
    let frame = peer.read(usize::from(u16::from_be_bytes([head[2], head[3]])));
    assert!(frame.starts_with(b"{\"version\":"), "{}", String::from_utf8_lossy(&frame));
    let stranger = shake(&server, &upgrade("/status", ""));
    assert!(stranger.starts_with("HTTP/1.1 401 "), "{stranger}");
}

#[test]
fn the_counters_may_be_open() {
    let folder = Folder::new("metrics");
    let file = tokens_file(&folder, &[("ann", TOKEN)]);
    let server = Server::start(&["--auth-tokens", &file, "--metrics-open"]);
    server.ask(&request("/status", ""));
    let metrics = server.ask(&request("/metrics", ""));
    assert!(metrics.contains("\nwsecho_http_answers_total{status=\"401\"} 1\n"), "{metrics}");
}

/// An image that holds nothing but the binary is checked with tokens as without.
#[test]
fn a_health_check_needs_no_token() {
    let folder = Folder::new("health");
    let server = Server::start(&["--auth-tokens", &tokens_file(&folder, &[("ann", TOKEN)])]);
    for (query, expected) in
        [("", "it is well"), ("/healthz?access_token=s3cr3t-of-ann", "echo of")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
        command.arg("healthcheck").arg(format!("ws://{}{query}", server.address));
        let output = command.output().expect("it runs");
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && said.contains(expected), "{said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn a07_sighup_loads_the_tokens_anew_and_a_bad_file_changes_nothing() {
    let folder = Folder::new("reload");
    let file = tokens_file(&folder, &[("ann", TOKEN)]);
    let (server, mut log) = logging(&["127.0.0.1:0", "--auth-tokens", &file]);
    let status = |token: &str| {
        let answer = server.ask(&request("/", &format!("Authorization: Bearer {token}\r\n")));
        answer[9..12].to_owned()
    };
    assert_eq!([status(TOKEN), status(OTHER)], ["200", "401"]);
    let mut open = server.connect();
    open.send(upgrade("/", &format!("Authorization: Bearer {TOKEN}\r\n")).as_bytes());
    while open.read(1) != b"\n" || open.read(2) != b"\r\n" {}
    tokens_file(&folder, &[("bob", OTHER), ("eve", "x")]);
    server.signal(Signal::HUP);
    assert!(line_with(&mut log, "INFO").contains("2 tokens in "));
    assert_eq!([status(TOKEN), status(OTHER)], ["401", "200"]);
    open.echo("who is in stays in");
    for wrong in ["", "bob s3cr3t-of-bob\n"] {
        folder.write("tokens", wrong);
        server.signal(Signal::HUP);
        let line = line_with(&mut log, "ERROR");
        assert!(
            line.contains("tokens in ") && line.contains("; the old one stays in force"),
            "{line}"
        );
        assert!(!line.contains("s3cr3t"), "{line}");
        assert_eq!([status(TOKEN), status(OTHER)], ["401", "200"]);
    }
    drop(folder);
    server.signal(Signal::HUP);
    assert!(line_with(&mut log, "ERROR").contains("No such file"));
    assert_eq!(status(OTHER), "200");
}

#[test]
fn a_file_that_is_wrong_ends_the_start() {
    let folder = Folder::new("wrong");
    for (file, wrong) in [
        (folder.write("tokens", "ann\n"), "line 1: it is not a name"),
        (folder.0.join("none").display().to_string(), "No such file"),
        (folder.0.display().to_string(), "directory"),
        ("/dev/zero".to_owned(), "longer than 1MiB"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
        // Fewer than any limit on descriptors is warned of.
        let few = ["--listen", "127.0.0.1:0", "--max-connections", "10"];
        let output = command.args(few).args(["--auth-tokens", &file]).output();
        let output = output.expect("it runs");
        let line = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stdout.is_empty() && line.matches('\n').count() == 1, "{line}");
        assert!(line.contains(wrong), "{line}");
    }
}

/// Not in words, not in fields, not at `-vv`, however it was brought along, known or not.
#[test]
fn a06_no_token_reaches_the_log() {
    let folder = Folder::new("silent");
    let file = tokens_file(&folder, &[("ann", TOKEN)]);
    for format in ["text", "json"] {
        let arguments = ["127.0.0.1:0", "--auth-tokens", &file, "-vv", "--log-format", format];
        let (mut server, mut log) = logging(&arguments);
        for token in [TOKEN, "s3cr3t-of-a-stranger"] {
            for lines in [
                format!("Authorization: Bearer {token}\r\n"),
                format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("a:{token}"))),
                format!("Sec-WebSocket-Protocol: bearer.{token}\r\n"),
                format!("Sec-WebSocket-Protocol: a b, bearer.{token}\r\n"),
            ] {
                shake(&server, &upgrade("/", &lines));
                server.ask(&request("/info", &lines));
            }
            for target in [
                format!("/?access_token={token}"),
                format!("/info?x&%61ccess_token={token}"),
                format!("/chat?name=ann&access_token={token}"),
                format!("/nowhere?access_token={token}"),
                format!("/?delay=x&access_token={token}"),
            ] {
                server.ask(&request(&target, ""));
                let mut peer = server.connect();
                peer.send(upgrade(&target, "").as_bytes());
                peer.send(&masked(0x88, b""));
                peer.rest();
            }
        }
        server.signal(Signal::TERM);
        assert!(server.wait().success());
        let mut said = String::new();
        log.read_to_string(&mut said).expect("text");
        assert!(said.contains("401") && said.contains("access_token=…"), "{said}");
        assert!(said.contains(", token of ann"), "its name does: {said}");
        assert!(!said.contains("s3cr3t"), "{said}");
        let basic = STANDARD.encode(format!("a:{TOKEN}"));
        assert!(!said.contains(&basic), "{said}");
    }
}

#[test]
fn o07_a_proxy_says_who_its_client_is() {
    let (server, mut log) = logging(&["127.0.0.1:0,proxy-protocol", "-v"]);
    let header = "PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n";
    let answer = server.ask(&format!("{header}{}", request("/info", "")));
    assert!(answer.contains("{\"peer\":\"[2001:db8::7]:4711\","), "{answer}");
    assert!(line_with(&mut log, "/info").contains("[2001:db8::7]:4711"));
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let mut peer = server.connect();
    peer.send(&[local, request("/info", "").as_bytes()].concat());
    assert!(String::from_utf8_lossy(&peer.rest()).contains("{\"peer\":\"127.0.0.1:"), "itself");
    let answer = server.ask(&request("/healthz", ""));
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("PROXY protocol"), "{answer}");
    assert!(line_with(&mut log, "refused").contains("PROXY protocol"));
    let plain = Server::start(&[]);
    let answer = plain.ask(&format!("{header}{}", request("/info", "")));
    assert!(answer.starts_with("HTTP/1.1 400 "), "nobody is believed unasked: {answer}");
}

#[test]
fn a_trusted_proxy_says_who_its_client_is() {
    let (server, mut log) = logging(&["127.0.0.1:0", "--trust-proxy", "127.0.0.0/8", "-v"]);
    let lines = "X-Forwarded-For: 192.0.2.66, 192.0.2.1\r\n";
    let answer = server.ask(&request("/info", lines));
    assert!(answer.contains("{\"peer\":\"192.0.2.1\","), "{answer}");
    assert!(line_with(&mut log, "/info").contains(" 192.0.2.1 GET"));
    let stranger = Server::start(&["--trust-proxy", "10.0.0.0/8", "--trust-proxy", "unix"]);
    let answer = stranger.ask(&request("/info", lines));
    assert!(
        answer.contains("{\"peer\":\"127.0.0.1:"),
        "not for those who are not trusted: {answer}"
    );
}

#[test]
fn an_address_with_too_many_connections_is_told_so() {
    let (server, mut log) = logging(&["127.0.0.1:0", "--max-connections-per-ip", "2", "-v"]);
    let [mut kept, mut left] = [server.open(), server.open()];
    let answer = server.ask(&request("/metrics", ""));
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("\r\nRetry-After: 1\r\n"));
    assert!(answer.ends_with("too many connections from this address\n"), "{answer}");
    let line = line_with(&mut log, "refused");
    assert!(line.contains("a connection with 429: too many connections from this"), "{line}");
    left.send(&masked(0x88, b""));
    left.rest();
    drop(left);
    // The server hears of it in one of its next turns.
    let asked = (0..10_000).map(|_| server.ask(&request("/metrics", "")));
    let metrics = asked.into_iter().find(|answer| answer.starts_with("HTTP/1.1 200 "));
    let metrics = metrics.expect("there is room again");
    assert!(!metrics.contains("\nwsecho_address_connections_refused_total 0\n"), "{metrics}");
    kept.echo("still here");
}
