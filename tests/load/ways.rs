//! Ways to a server other than TCP in the clear, and who may come.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

#[cfg(feature = "tls")]
use crate::certificates::Certificates;
use crate::{Folder, QUICK, Running, failure, load, number, output, report};

/// A server that listens there, without the tester's own settings; where it says that it does.
pub fn start(arguments: &[&str]) -> (Running, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("WSECHO_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child: Child = command.spawn().expect("the binary runs");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a ready line");
    let url = line.strip_prefix("wsecho listening on ").map(|url| url.trim_end().to_owned());
    (Running(child), url.unwrap_or_else(|| panic!("{line:?} is no ready line")))
}

/// Loads that between them use all of a stream: short and long messages, many at once, some that
/// are due, connections that come and go, rooms.
fn loads(url: &str, ways: &[&str]) {
    let separator = if url.ends_with('/') { "" } else { ":/" };
    let room = format!("{url}{separator}broadcast/hall");
    let shapes: [&[&str]; 8] = [
        &[url, "-c", "8", "-p", "16", "-s", "5"],
        &[url, "-c", "3", "-s", "90%:64,10%:100k", "--binary", "-p", "4"],
        &[url, "-c", "2", "-s", "600k"],
        &[url, "-c", "3", "--deflate", "on", "--records", "-s", "1k"],
        &[url, "-c", "5", "--rate", "500"],
        &[url, "-c", "5", "--churn", "2"],
        &[url, "-c", "200", "--idle"],
        &[&room, "-c", "6", "--broadcast", "others", "--rate", "60"],
    ];
    for shape in shapes {
        let report = report(&[shape, ways].concat());
        let idle = shape.contains(&"--idle");
        assert!(idle || number(&report, "/messages") > 0.0, "{shape:?}: {report}");
        assert!(!idle || number(&report, "/connections/open_max") == 200.0, "{report}");
        assert_eq!(report["errors"], serde_json::json!({}), "{shape:?}");
        assert_eq!(number(&report, "/connections/lost"), 0.0, "{shape:?}");
    }
}

#[test]
fn a_unix_socket_is_loaded_like_any_other_server() {
    let folder = Folder::new("socket");
    let path = folder.0.join("echo.sock");
    let url = format!("unix:{}", path.to_str().expect("UTF-8"));
    let (_server, ready) = start(&["--listen", &url]);
    assert_eq!(ready, url);
    loads(&url, &[]);
    let nobody = format!("{url}.not");
    let line = failure(&output(&[&nobody]), 1);
    assert!(line.contains("connect: No such file"), "{line}");
    #[cfg(feature = "tls")]
    {
        let line = failure(&output(&[&url, "--insecure"]), 1);
        assert!(line.contains("--ca and --insecure are for wss://"), "{line}");
    }
}

#[test]
fn several_servers_take_turns() {
    let (a, b) = (start(&["--listen", "127.0.0.1:0"]), start(&["--listen", "127.0.0.1:0"]));
    let loaded = report(&[&a.1, &b.1, "-c", "5", "--rate", "100"]);
    assert_eq!(loaded["errors"], serde_json::json!({}));
    assert_eq!(loaded["url"], format!("{}, {}", a.1, b.1));
    // The rooms of two servers are two rooms: three of five members are in one, two in the other.
    let rooms = [&a.1, &b.1].map(|url| format!("{url}broadcast/hall"));
    let apart = [&rooms[0], &rooms[1], "-c", "5", "--broadcast", "others", "--rate", "50"];
    let apart = output(&[&apart[..], &QUICK, &["--timeout", "300ms"]].concat());
    let apart: serde_json::Value = serde_json::from_slice(&apart.stdout).expect("a report");
    let of_all = |name| number(&apart, &format!("/broadcast/{name}"));
    assert!(of_all("lost") > 0.0 && of_all("delivered") > 0.0, "{apart}");
    for (url, status, said) in [
        (bare_echo(), 2, "either all servers of a load are bare TCP echoes, or none is"),
        #[cfg(feature = "tls")]
        ("wss://localhost:1/".to_owned(), 1, "one host name, or none has TLS"),
    ] {
        let line = failure(&output(&[&a.1, &url]), status);
        assert!(line.contains(said), "{line}");
    }
}

/// An echo that knows nothing but bytes. Its threads end with the test's process.
pub fn bare_echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("tcp://{}", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accepted");
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
    });
    url
}

#[test]
fn a_bare_echo_is_loaded_with_the_very_frames() {
    let url = bare_echo();
    let shapes: [&[&str]; 6] = [
        &[&url, "-c", "8", "-p", "16", "-s", "5"],
        &[&url, "-c", "3", "-s", "90%:64,10%:100k", "--binary", "-p", "4", "--fragments", "2"],
        &[&url, "-c", "2", "-s", "2m", "--no-verify"],
        &[&url, "-c", "5", "--rate", "500", "--ramp", "50ms"],
        &[&url, "-c", "5", "--churn", "2"],
        &[&url, "-c", "30", "--idle"],
    ];
    for shape in shapes {
        let report = report(shape);
        let idle = shape.contains(&"--idle");
        assert!(idle || number(&report, "/messages") > 0.0, "{shape:?}: {report}");
        assert_eq!(report["errors"], serde_json::json!({}), "{shape:?}");
        assert_eq!(number(&report, "/connections/lost"), 0.0, "{shape:?}");
    }
    for (option, value, status, said) in [
        ("--deflate", "on", 2, "a bare TCP echo has neither rooms nor compression"),
        ("--broadcast", "all", 2, "a bare TCP echo has neither rooms nor compression"),
        ("--header", "A: b", 1, "--header is for an opening handshake"),
    ] {
        let line = failure(&output(&[&url, option, value]), status);
        assert!(line.contains(said), "{line}");
    }
    let line = failure(&output(&[&format!("{url}/ws")]), 1);
    assert!(line.contains("not a URL of the form tcp://HOST:PORT"), "{line}");
}

#[test]
fn a_server_that_is_no_bare_echo_is_told_so() {
    let (_server, url) = start(&["--listen", "127.0.0.1:0"]);
    let url = url.replace("ws:", "tcp:");
    let output = output(&[url.trim_end_matches('/'), "-c", "1", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("is wrong"), "{output:?}");
}

#[cfg(feature = "tls")]
#[test]
fn a_secured_server_is_loaded_if_it_is_believed() {
    let (ours, others) = (Certificates::new(), Certificates::new());
    let files = ["--tls-cert", &ours.path("server.pem"), "--tls-key", &ours.path("server.key")];
    let (_server, url) = start(&[&["--listen", "wss://127.0.0.1:0"][..], &files].concat());
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    loads(&url, &["--ca", &ours.path("ca.pem")]);
    report(&[&url, "--insecure", "-c", "2"]);
    let line = failure(&output(&[&url]), 1);
    assert!(line.contains("no certificate is trusted: name --ca FILE, or --insecure"), "{line}");
    let line = failure(&output(&[&url, "--ca", &others.path("ca.pem")]), 1);
    assert!(line.contains("tls: invalid peer certificate"), "{line}");
    let plain = url.replace("wss:", "ws:");
    let line = failure(&output(&[&plain, "-c", "1"]), 1);
    assert!(line.contains("handshake: "), "{line}");
}

#[test]
fn connections_come_from_the_addresses_that_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let sources = ["--source", "127.0.0.2", "--source", "127.0.0.3"];
    let mut loading = load(&[&[&*url, "-c", "2"][..], &sources].concat())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut from = [0; 2].map(|_| listener.accept().expect("a client").1.ip().to_string());
    from.sort();
    assert_eq!(from, ["127.0.0.2", "127.0.0.3"]);
    // It has been closed without an answer.
    assert_eq!(loading.wait().expect("it ends").code(), Some(1));
}

/// The token opens the door, and nothing that is written says it.
#[test]
fn a_token_is_sent_and_not_shown() {
    let folder = Folder::new("token");
    let file = |name: &str| folder.0.join(name).to_str().expect("UTF-8").to_owned();
    let token = "correct-horse-battery-staple-0123456789";
    // SHA-256 of the token.
    let hash = "7771a0cec1279f8ca878a66c694f3344b16bee8128c78b8ef5fd0656b35b02ee";
    fs::write(file("tokens"), format!("tester {hash}\n")).expect("writable");
    let (_server, url) = start(&["--listen", "127.0.0.1:0", "--auth-tokens", &file("tokens")]);
    let line = failure(&output(&[&url, "-c", "1"]), 1);
    assert!(line.contains("401"), "{line}");
    let header = format!("Authorization: Bearer {token}");
    let in_url = format!("{url}?access_token={token}");
    let files = ["json", "csv", "html", "hdr"].map(&file);
    let [_, csv, html, hdr] = &files;
    let more = ["--duration", "300ms", "--warmup", "50ms", "--csv", csv, "--html", html, "--hdr"];
    for way in [&[&*url, "--header", &header][..], &[&in_url]] {
        for form in [&[][..], &["--json"]] {
            let output = output(&[way, form, &more, &[hdr]].concat());
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).expect("UTF-8");
            assert!(output.status.success(), "{said}");
            assert!(!said.contains(token), "{said}");
            for file in [csv, html, hdr] {
                let written = fs::read_to_string(file).expect("written");
                assert!(!written.contains(token), "{written}");
            }
        }
    }
    let by_variable = load(&[&url, "-c", "2", "--duration", "100ms", "--json"])
        .env("WSECHO_LOAD_HEADER", &header)
        .output()
        .expect("the binary runs");
    assert!(by_variable.status.success(), "{by_variable:?}");
    let wrong = format!("{in_url}x");
    assert!(!failure(&output(&[&wrong, "-c", "1"]), 1).contains(token));
}
