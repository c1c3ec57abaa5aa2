//! The commands of the documents, run as they are printed.
//!
//! A fence says what is done with its block:
//!
//! - `sh`: run by bash, and must end with status 0;
//! - `text` right behind such a block: what it prints on stdout, where `…` stands for anything;
//! - `sh server`: starts the server that the blocks behind it speak to, instead of one without
//!   options;
//! - `python`: run by `python3`;
//! - anything else is not run.
//!
//! Port 8080 becomes that of the server, and a command `wsecho`, or `cargo run --release`, the
//! binary under test. `scripts/` is at hand. What a block needs that is not installed is said out
//! loud, and the block is passed over.
#![cfg(all(feature = "load", feature = "rooms", feature = "tls"))]

#[path = "support/process.rs"]
#[expect(dead_code, reason = "each test target uses a part of it")]
mod process;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use process::Server;

/// The pages, and the heading under which their commands are run; without one, all are.
const PAGES: &[(&str, Option<&str>)] = &[
    ("README.md", Some("## One minute")),
    ("docs/getting-started.md", None),
    ("docs/deployment.md", None),
    ("docs/fallbacks.md", None),
    ("docs/scale.md", None),
];

/// A fenced block.
struct Block<'a> {
    /// What stands behind the fence.
    info: &'a str,
    /// Number of its first line.
    line: usize,
    text: String,
}

/// The blocks of a page, or of the part of it below `heading`.
fn blocks<'a>(page: &'a str, heading: Option<&str>) -> Vec<Block<'a>> {
    let mut lines = page.lines().enumerate();
    if let Some(heading) = heading {
        assert!(lines.any(|(_, line)| line == heading), "no heading {heading}");
    }
    let mut blocks = Vec::new();
    while let Some((at, line)) = lines.next() {
        if heading.is_some() && line.starts_with("## ") {
            break;
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let text = body.flat_map(|line| [line, "\n"]).collect();
        blocks.push(Block { info, line: at + 2, text });
    }
    blocks
}

/// What a block needs beside bash and is not there.
fn missing(text: &str) -> Option<&'static str> {
    let has = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match () {
        () if text.contains("curl ") && !has("curl", &["--version"]) => Some("curl"),
        () if text.contains("python3 ") && !has("python3", &["--version"]) => Some("python3"),
        () if text.contains("websockets") && !has("python3", &["-c", "import websockets"]) => {
            Some("Python's websockets")
        }
        () => None,
    }
}

/// Starts what an `sh server` block says.
fn server(text: &str) -> Server {
    let words = text.trim().strip_prefix("wsecho").expect("a server is started as wsecho …");
    assert!(!words.contains('\n'), "one command: {text}");
    let mut command = Command::new("bash");
    // `exec`, so that the server is the child that is ended with the test.
    command.arg("-c").arg(format!("exec \"$WSECHO\" --listen 127.0.0.1:0 {words}"));
    command.env("WSECHO", env!("CARGO_BIN_EXE_wsecho"));
    Server::spawn(command)
}

/// Runs a block; what it printed on stdout.
fn run(block: &Block, place: &str, port: u16) -> String {
    let text = block.text.replace("cargo run --release -- ", "wsecho ");
    let text = text.replace("8080", &port.to_string());
    let mut command = match block.info {
        "python" => Command::new("python3"),
        _ => Command::new("bash"),
    };
    match block.info {
        "python" => command.args(["-c", &text]),
        _ => command.args(["-euo", "pipefail", "-c", &text]),
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    fs::create_dir_all(&folder).expect("a folder to run in");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    if let Err(error) = symlink(scripts, folder.join("scripts")) {
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_wsecho"));
    let programs: [OsString; 2] =
        [binary.parent().expect("a folder").into(), env::var_os("PATH").expect("PATH")];
    let programs = programs.iter().flat_map(env::split_paths);
    command.env("PATH", env::join_paths(programs).expect("no colon in it"));
    // Where a health check looks by default.
    command.env("WSECHO_LISTEN", format!("127.0.0.1:{port}"));
    command.current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("it can be started");
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success(), "{place}: {}\n{text}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// True if `printed` is `expected`, in which each `…` stands for anything.
fn fits(printed: &str, expected: &str) -> bool {
    let mut rest = printed;
    for (at, part) in expected.split('…').enumerate() {
        match rest.find(part) {
            Some(0) => rest = &rest[part.len()..],
            Some(found) if at > 0 => rest = &rest[found + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || expected.ends_with('…')
}

fn play(name: &str, heading: Option<&str>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let page = fs::read_to_string(path).expect("readable");
    let mut current = Server::start(&[]);
    let mut printed = None;
    let (mut ran, mut skipped) = (0, 0);
    for block in blocks(&page, heading) {
        let place = format!("{name}:{}", block.line);
        let before = printed.take();
        match block.info {
            "sh server" => current = server(&block.text),
            "sh" | "python" => {
                if let Some(missing) = missing(&block.text) {
                    // Not `println!`, which nobody sees of a test that passes.
                    let _ = writeln!(io::stderr(), "SKIPPED {place}: needs {missing}");
                    skipped += 1;
                    continue;
                }
                printed = Some(run(&block, &place, current.address.port()));
                ran += 1;
            }
            "text" => {
                let port = current.address.port().to_string();
                if let Some(printed) = before {
                    let expected = block.text.replace("8080", &port);
                    assert!(
                        fits(printed.trim_end(), expected.trim_end()),
                        "{place}: printed was\n{printed}"
                    );
                }
            }
            _ => {}
        }
    }
    assert!(ran + skipped > 0, "{name}: there is nothing to run");
}

#[test]
fn the_commands_of_the_documents_run() {
    for (name, heading) in PAGES {
        play(name, *heading);
    }
}

/// Each link within the project leads somewhere, and the table of contents leads to each page.
#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).expect("readable");
    let mut pages: Vec<_> = pages.map(|entry| entry.expect("readable").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let contents = fs::read_to_string(root.join("docs/SUMMARY.md")).expect("readable");
    for page in &pages {
        let name = page.file_name().and_then(|name| name.to_str()).expect("a name");
        let listed = contents.contains(&format!("({name})")) || name == "SUMMARY.md";
        assert!(listed, "{name} is not in the table of contents");
    }
    let others = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name));
    for page in pages.iter().chain(&others) {
        let text = fs::read_to_string(page).expect("readable");
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap_or_default();
            let there = page.parent().expect("a folder").join(link).exists();
            assert!(there || link.contains("://"), "{}: {link}", page.display());
        }
    }
}

/// What a page says should be watched is there to be watched.
#[test]
fn metrics_that_are_named_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let metrics = fs::read_to_string(folder.join("metrics.md")).expect("readable");
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).expect("readable");
        let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|word| word.starts_with("wsecho_")) {
            assert!(metrics.contains(&format!("| `{name}` |")), "{}: {name}", path.display());
        }
    }
}

#[test]
fn what_is_printed_is_compared() {
    assert!(fits("a 17 us\nb\n", "a … us\nb\n"));
    assert!(fits("ab", "a…"));
    assert!(!fits("a 17 us\nc\n", "a … us\nb\n"));
    assert!(!fits("ab\n", "a\n"));
    assert!(!fits("xab", "a…"));
}
