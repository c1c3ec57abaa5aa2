//! The real binary: what it says, where, and with which exit status.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The binary with nothing of the tester's own environment that it would listen to.
fn wsecho(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
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
    assert!(
        stderr.starts_with("wsecho: ") && stderr.ends_with('\n'),
        "{stderr:?}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
    stderr
}

#[test]
fn o04_wrong_usage_is_one_line_and_status_2() {
    let cases: [(&[&str], &str); 10] = [
        (&["--nonsense"], "--nonsense"),
        (&["--listen"], "--listen"),
        (
            &["--listen", "localhost:http"],
            "--listen: \"localhost:http\"",
        ),
        (
            &["--listen", "1.2.3.4:99999"],
            "--listen: \"1.2.3.4:99999\"",
        ),
        (
            &["--max-connections", "many"],
            "--max-connections: \"many\"",
        ),
        (&["--max-message-size=1TiB"], "--max-message-size: \"1TiB\""),
        (&["--ping-interval", "5h"], "--ping-interval: \"5h\""),
        (
            &["--origin", "https://a/\n\u{1b}[31m"],
            "--origin: \"https://a/\\n\\u{1b}[31m\"",
        ),
        (&["serve"], "'serve'"),
        (&["healthcheck", "--timeout", "0"], "--timeout: "),
    ];
    for (arguments, cause) in cases {
        let line = one_line(&output(&mut wsecho(arguments)), 2);
        assert!(line.contains(cause), "{arguments:?} gave {line:?}");
    }
    let line = one_line(&output(wsecho(&[]).env("WSECHO_MAX_FRAGMENTS", "few")), 2);
    assert!(line.contains("WSECHO_MAX_FRAGMENTS: \"few\""), "{line}");
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
    let line = one_line(
        &output(wsecho(&["healthcheck"]).env("WSECHO_LISTEN", &address)),
        1,
    );
    assert!(
        line.contains(&format!("ws://{address}/")),
        "checking: {line}"
    );
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
    let line = one_line(
        &output(&mut wsecho(&["healthcheck", "wss://127.0.0.1/"])),
        1,
    );
    assert!(line.contains("\"wss\" is not supported"), "{line}");
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
    let line = one_line(
        &output(&mut wsecho(&["healthcheck", &url, "--timeout", "500ms"])),
        1,
    );
    let took = started.elapsed();
    assert!(line.contains("not done in time"), "{line}");
    assert!(
        took >= Duration::from_millis(500) && took < Duration::from_secs(5),
        "{took:?}"
    );
    dripping.join().expect("ends with its client");
}
