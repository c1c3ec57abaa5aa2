//! `wsecho load` as it is installed, against `wsecho` as it is installed, on loopback.
#![cfg(feature = "load")]

#[allow(dead_code, reason = "its client is for the tests of what goes over the wire")]
#[path = "support/process.rs"]
mod process;

#[cfg(feature = "tls")]
#[path = "support/certificates.rs"]
mod certificates;

#[path = "load/ways.rs"]
mod ways;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use process::Server;
use process::folder::Folder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `wsecho load` with nothing of the tester's own environment that it would listen to.
fn load(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.arg("load").args(arguments).current_dir(root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WSECHO_") {
            command.env_remove(name);
        }
    }
    command
}

fn output(arguments: &[&str]) -> Output {
    load(arguments).output().expect("the binary runs")
}

fn url(server: &Server) -> String {
    format!("ws://{}/", server.address)
}

/// Short times for all of a run, and one object on stdout.
const QUICK: [&str; 6] = ["--duration", "300ms", "--warmup", "100ms", "--json", "--quiet"];

/// A run that has to succeed: its report.
fn report(arguments: &[&str]) -> Value {
    let output = output(&[arguments, &QUICK].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{arguments:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// A run that has to fail: what is said about it, in one line.
fn failure(output: &Output, status: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{text}");
    let line = text.lines().last().expect("a line").to_owned();
    assert!(line.starts_with("wsecho: "), "{line}");
    line
}

fn number(report: &Value, pointer: &str) -> f64 {
    let value = report.pointer(pointer).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{pointer} is no number in {report}"))
}

#[test]
fn every_shape_runs_against_the_server_without_an_error() {
    let server = Server::start(&["--deflate", "takeover"]);
    let url = url(&server);
    let room = format!("{url}broadcast/hall");
    let chat = format!("{url}chat/hall");
    let template = r#"{"message":"{message}"}"#;
    let shapes: [&[&str]; 15] = [
        &[&url, "-c", "8", "-p", "16", "-s", "5"],
        &[&url, "-c", "3", "-s", "90%:64,10%:100k", "--binary"],
        &[&url, "-c", "3", "--fragments", "3", "-s", "0-400", "-p", "4"],
        &[&url, "-c", "3", "--deflate", "on", "--records", "-s", "1k"],
        &[&url, "-c", "3", "--deflate", "takeover", "--records", "-s", "100-2000", "-p", "3"],
        &[&url, "-c", "3", "--deflate", "takeover", "--fragments", "2"],
        &[&url, "-c", "3", "--file", "README.md", "-s", "1000"],
        &[&url, "-c", "1", "--file", "README.md", "--binary"],
        &[&url, "-c", "2", "-s", "2m"],
        &[&url, "-c", "5", "--rate", "500", "--ramp", "200ms"],
        &[&url, "-c", "5", "--think", "10ms", "--no-verify"],
        &[&url, "-c", "5", "--churn", "2"],
        &[&url, "-c", "4", "--slow-readers", "1"],
        // The rooms of this server have a limit for each member.
        &[&room, "-c", "6", "--broadcast", "others", "--rate", "60", "--ramp", "50ms"],
        &[&chat, "-c", "6", "--broadcast", "all", "--template", template, "--rate", "50"],
    ];
    for shape in shapes {
        let report = report(shape);
        assert!(number(&report, "/messages") > 0.0, "{shape:?}: {report}");
        assert_eq!(report["errors"], serde_json::json!({}), "{shape:?}");
        assert!(number(&report, "/latency_us/p99") >= number(&report, "/latency_us/p50"));
        assert_eq!(report["verified"], !shape.contains(&"--no-verify"), "{shape:?}");
    }
    let idle = report(&[&url, "--idle", "-c", "50"]);
    assert_eq!(number(&idle, "/connections/open_max"), 50.0);
    assert_eq!(number(&idle, "/messages"), 0.0);
}

#[test]
fn the_report_has_what_is_promised() {
    let server = Server::start(&[]);
    let pid = server.child.id().to_string();
    let report = report(&[&url(&server), "-c", "4", "--server-pid", &pid]);
    for pointer in [
        "/messages",
        "/messages_per_second",
        "/latency_us/p50",
        "/latency_us/p90",
        "/latency_us/p99",
        "/latency_us/p999",
        "/latency_us/p9999",
        "/latency_us/max",
        "/server/cpu_us_per_message",
        "/server/rss_kib",
        "/client_cpu_percent",
    ] {
        assert!(number(&report, pointer) > 0.0, "{pointer} in {report}");
    }
    let connections = report["settings"].as_array().expect("a list");
    let named = |setting: &&Value| setting["name"] == "connections";
    assert_eq!(connections.iter().find(named).expect("named")["value"], "4");
}

/// A process that a test ends by its id, whatever comes of the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_it_early_with_its_report() {
    let server = Server::start(&[]);
    let mut command = load(&[&url(&server), "-c", "2", "--duration", "1h", "--warmup", "0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().expect("the binary runs"));
    let mut stderr = BufReader::new(running.0.stderr.take().expect("piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("UTF-8");
    assert!(line.contains("messages/s"), "{line}");
    kill_process(Pid::from_child(&running.0), Signal::INT).expect("it runs");
    let mut text = String::new();
    running.0.stdout.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
    assert_eq!(running.0.wait().expect("a child of ours").code(), Some(0));
    assert!(text.contains("closed loop") && text.contains("none"), "{text}");
}

#[test]
fn a_server_that_is_refused_wrong_or_gone_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("ws://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let line = failure(&output(&[&nobody]), 1);
    assert!(line.contains(&nobody) && line.contains("connect: "), "{line}");

    let server = Server::start(&[]);
    let refused = format!("{}?refuse=503", url(&server));
    let line = failure(&output(&[&refused]), 1);
    assert!(line.contains("handshake: the answer is \"HTTP/1.1 503"), "{line}");

    let closing = format!("{}?close=1011&after=5", url(&server));
    let line = failure(&output(&[&[&*closing, "-c", "2"], &QUICK[..]].concat()), 1);
    assert!(line.contains("the server ended all connections"), "{line}");

    let welcome = format!("{}?welcome=hello", url(&server));
    let line = failure(&output(&[&[&*welcome, "-c", "2"], &QUICK[..]].concat()), 1);
    // Unsolicited, or a wrong answer to what has been sent by then.
    assert!(line.contains(" errors: "), "{line}");
}

/// A server that speaks HTTP and nothing else.
#[test]
fn a_server_of_another_kind_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        // It hears the request, and goes.
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("taken");
    });
    let line = failure(&output(&[&url, "-c", "1"]), 1);
    assert!(line.contains("HTTP/1.1 200 OK"), "{line}");
    serving.join().expect("it has served");
}

#[test]
fn what_makes_no_sense_is_one_line_and_status_2() {
    let cases: [(&[&str], &str); 13] = [
        (&[], "needs the URL"),
        (&["ws://a/", "--connections", "0"], "--connections"),
        (&["ws://a/", "-s", "5-1"], "--size"),
        (&["ws://a/", "--text", "--binary"], "--binary: it does not go together with text"),
        (&["ws://a/", "--idle", "--churn", "1"], "--churn"),
        (&["ws://a/", "--idle", "--rate", "1"], "a rate is for messages"),
        (&["ws://a/", "--broadcast", "others", "-s", "5"], "25 bytes or more"),
        (&["ws://a/", "--threshold", "p98 < 1ms"], "--threshold"),
        (&["ws://a/", "--source", "here"], "--source"),
        (&["ws://a/", "--header", "Host: b"], "--header: Host belongs to the opening handshake"),
        (&["ws://a/", "--file", "/nowhere"], "--file: \"/nowhere\": "),
        (&["--scenario", "/nowhere.toml"], "/nowhere.toml: "),
        (&["ws://a/", "--find-limit", "soon"], "--find-limit"),
    ];
    for (arguments, words) in cases {
        let line = failure(&output(arguments), 2);
        assert!(line.contains(words), "{arguments:?} gave {line}");
    }
    let nobody = ["ws://127.0.0.1:1/", "--server-pid", "4294967295"];
    assert!(failure(&output(&nobody), 1).contains("there is no process 4294967295"));
    assert!(failure(&output(&["https://127.0.0.1/"]), 1).contains("is not supported, only \"ws\""));
}

#[test]
fn thresholds_decide_the_exit_status() {
    let server = Server::start(&[]);
    let welcome = format!("{}?welcome=hello", url(&server));
    let quick = |arguments: &[&str]| output(&[arguments, &QUICK].concat());
    let kept = quick(&[&welcome, "--threshold", "errors < 1000"]);
    assert_eq!(kept.status.code(), Some(0), "errors may be allowed");
    let line = failure(&quick(&[&welcome, "--threshold", "messages > 1G"]), 1);
    assert!(line.contains("threshold not met: messages > 1G (it is "), "{line}");
}

#[test]
fn a_phase_of_a_scenario_fails_the_run_by_its_name() {
    let server = Server::start(&[]);
    let folder = Folder::new("scenario");
    let path = folder.0.join("hard.toml");
    let text = format!(
        "url = \"{}\"\nduration = \"200ms\"\nwarmup = 0\nconnections = 2\n\
         [[phase]]\nname = \"easy\"\nthreshold = \"errors == 0\"\n\
         [[phase]]\nname = \"hard\"\nidle = true\nthreshold = \"messages > 0\"\n",
        url(&server)
    );
    fs::write(&path, text).expect("writable");
    let path = path.to_str().expect("UTF-8");
    let line = failure(&output(&["--scenario", path, "--quiet"]), 1);
    assert!(line.ends_with("threshold not met: phase hard: messages > 0 (it is 0)"), "{line}");
    let output = output(&["--scenario", path, "--quiet", "--json", "-c", "3"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    for (phase, passed) in [("easy", true), ("hard", false)] {
        let phases = report["phases"].as_array().expect("a list");
        let phase = phases.iter().find(|known| known["name"] == phase).expect("named");
        assert_eq!(phase["thresholds"][0]["passed"], passed);
        assert_eq!(number(phase, "/connections/open_max"), 3.0, "flags win");
    }
}

/// Options that make a command of the tutorial short.
const SHORT: [&str; 6] = ["--duration", "200ms", "--warmup", "50ms", "--ramp", "50ms"];

/// Each command of the tutorial, as it stands there, for a shorter time.
#[test]
fn the_commands_of_the_tutorial_run() {
    let server = Server::start(&[]);
    let folder = Folder::new("tutorial");
    let socket = format!("unix:{}", folder.0.join("echo.sock").to_str().expect("UTF-8"));
    let (_local, socket) = ways::start(&["--listen", &socket]);
    #[cfg(feature = "tls")]
    let (_secured, secured) = {
        let certificates = certificates::Certificates::new();
        let (file, key) = (certificates.path("server.pem"), certificates.path("server.key"));
        let listen = ["--listen", "wss://127.0.0.1:0", "--tls-cert", &file, "--tls-key", &key];
        fs::copy(certificates.file("ca.pem"), folder.0.join("ca.pem")).expect("writable");
        ways::start(&listen)
    };
    let (pid, bare) = (server.child.id().to_string(), ways::bare_echo());
    let page = fs::read_to_string(root().join("docs/load.md")).expect("readable");
    let examples = root().join("examples").to_str().expect("UTF-8").to_owned();
    let mut count = 0;
    for block in page.split("```sh\n").skip(1) {
        let commands = block.split("```").next().unwrap_or_default();
        for line in commands.lines().filter(|line| line.starts_with("wsecho load")) {
            let line = line
                .replace("$PID", &pid)
                .replace("ws://127.0.0.1:8080/", &url(&server))
                .replace("ws://127.0.0.1:8081/", &url(&server))
                .replace("unix:/run/wsecho/echo.sock", &socket)
                .replace("tcp://127.0.0.1:7", &bare)
                .replace("examples/", &format!("{examples}/"));
            #[cfg(feature = "tls")]
            let line = line.replace("wss://127.0.0.1:8443/", &secured);
            if line.contains("wss:") && cfg!(not(feature = "tls")) {
                continue;
            }
            run_line(&line, &url(&server), &folder.0);
            count += 1;
        }
    }
    assert!(count > 12, "{count} commands");
    for file in ["steady.json", "seconds.csv", "latency.hgrm", "latency.hlog", "load.html"] {
        let length = fs::metadata(folder.0.join(file)).expect(file).len();
        assert!(length > 100, "{file} has {length} bytes");
    }
}

/// Runs one command line of the tutorial, which has quotes and one redirection at most.
fn run_line(line: &str, server: &str, folder: &Path) {
    let (line, file) = line.split_once(" > ").unwrap_or((line, ""));
    let mut arguments: Vec<&str> = Vec::new();
    let mut rest = line.trim_start_matches("wsecho load").trim();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '"' | '\'' => rest[1..].split_once(first).expect("two quotes"),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        arguments.push(word);
        rest = behind.trim_start();
    }
    for pair in SHORT.chunks(2) {
        match arguments.iter().position(|argument| *argument == pair[0]) {
            Some(at) => {
                let time = std::mem::replace(&mut arguments[at + 1], pair[1]);
                assert!(time.ends_with('s'), "{line}: {time} is no time");
            }
            None => arguments.extend(pair),
        }
    }
    if arguments.contains(&"--scenario") && !arguments.contains(&server) {
        arguments.push(server);
    }
    if arguments.contains(&"--compare") {
        arguments.truncate(3);
    }
    let output = load(&arguments).current_dir(folder).output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    // A machine may be busier or narrower than an example allows; nothing else may be wrong.
    let late = stderr.contains("threshold not met: ") && !stderr.contains("errors");
    let narrow = stderr.contains("the limit on open files leaves room for");
    assert!(output.status.success() || late || narrow, "{line} ({arguments:?}) said {stderr}");
    if !file.is_empty() {
        fs::write(folder.join(file), &output.stdout).expect("writable");
    }
}
