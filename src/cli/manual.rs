//! The man pages and shell completions that packages install, made from the option tables.
//!
//! They are committed below `packaging/`, so that a package is built without extra tools;
//! `UPDATE=1 cargo test manual` rewrites them.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// Where the page points to beside itself.
const EXAMPLES: [&str; 4] = [
    "wsecho --listen 9000",
    "wsecho --listen 127.0.0.1:8080 --listen unix:/run/wsecho.sock,mode=0660",
    "wsecho healthcheck ws://127.0.0.1:8080/healthz",
    "wsecho load ws://127.0.0.1:8080/ -c 64 -d 10s",
];

/// Every file: its path below `packaging/`, and what it holds.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut command = super::command().no_binary_name(false);
    command.build();
    let mut files = vec![("man/wsecho.1".to_owned(), page(&command, "wsecho"))];
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("wsecho-{}", subcommand.get_name());
        files.push((format!("man/{name}.1"), page(subcommand, &name)));
    }
    let shells =
        [(Shell::Bash, "wsecho.bash"), (Shell::Fish, "wsecho.fish"), (Shell::Zsh, "_wsecho")];
    for (shell, name) in shells {
        let mut text = Vec::new();
        generate(shell, &mut command.clone(), "wsecho", &mut text);
        files.push((format!("completions/{name}"), text));
    }
    files
}

fn page(command: &Command, name: &str) -> Vec<u8> {
    let mut text = Vec::new();
    // No date: the page says the same until an option changes.
    let man = Man::new(command.clone()).title(name).date("").manual("wsecho");
    man.render(&mut text).expect("memory takes all");
    if name == "wsecho" {
        let mut examples = Roff::new();
        examples.control("SH", ["EXAMPLES"]);
        for example in EXAMPLES {
            examples.control("PP", []).text([roman(example)]);
        }
        examples.to_writer(&mut text).expect("memory takes all");
    }
    text
}

#[test]
fn manual_and_completions_are_what_help_says() {
    // Packages have the features that are on by default.
    if cfg!(any(feature = "jwt", not(feature = "bus"))) {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    for (path, made) in files() {
        let path = folder.join(path);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("packaging/ is writable");
            fs::write(&path, &made).expect("packaging/ is writable");
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == made, "{}: run UPDATE=1 cargo test manual", path.display());
    }
}
