//! The rules of the house that a machine can check: floors, lengths, words, documents, rows.
//!
//! Sources are read as text, so rustfmt's layout is relied on: a function ends with a brace that
//! is indented as its first line is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wsecho::behaviour::{PARAMETERS, Parameter};
use wsecho::metrics::{Sum, describe_worker};

/// Who may name whom: each module only those before it. What shares a line is at one height, and
/// does not know the others there.
const FLOORS: [&[&str]; 12] = [
    &["ending", "file", "id", "peer", "rate", "text"],
    &["units"],
    &["limits"],
    &["admission", "budget", "metrics"],
    &["http", "pages", "ws"],
    &["service"],
    &["behaviour", "bus"],
    &["conn"],
    &["net"],
    &["load", "probe", "server"],
    &["cli"],
    &["main", "lib"],
];

/// Longest file, without its tests.
const FILE_LINES_MAX: usize = 300;

/// Longest function.
const FUNCTION_LINES_MAX: usize = 70;

/// Longest line.
const LINE_COLUMNS_MAX: usize = 100;

/// Words that code does not have, and what it has instead.
const BANNED: [(&str, &str); 9] = [
    ("todo!", "do it"),
    ("unimplemented!", "implement it"),
    ("dbg!", "log it"),
    ("unsafe {", "safe code is as fast here"),
    ("unsafe fn", "safe code is as fast here"),
    ("unsafe impl", "safe code is as fast here"),
    ("static mut", "pass it in"),
    ("println!", "write!, and decide what a failure means"),
    ("thread::sleep", "block on what is waited for"),
];

/// Words that not even comments have.
const BANNED_EVERYWHERE: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// A name in code that stands in certain places only.
const PLACES: [(&str, &[&str]); 12] = [
    ("mio", &["src/net/"]),
    ("rustls", &["src/net/tls/"]),
    ("rcgen", &["src/net/tls/"]),
    ("jsonwebtoken", &["src/admission/jwt"]),
    ("socket2", &["src/net/"]),
    ("Instant::now", &["src/net/", "src/cli/healthcheck"]),
    ("SystemTime", &["src/net/"]),
    ("serde_json", &["src/service/", "src/cli/log.rs", "src/load/report/"]),
    ("jiff", &["src/service/", "src/load/report/"]),
    ("Instant", &["src/net/", "src/cli/"]),
    ("env_logger", &["src/cli/log.rs"]),
    ("signal_hook", &["src/net/signals.rs"]),
];

/// What the floors that are pure functions do not name.
const IMPURE: [&str; 6] = ["log::", "std::time", "TcpStream", "std::io", "std::thread", "std::env"];

struct Source {
    /// From the root of the package, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The lines before `mod tests`.
    fn lines_without_tests(&self) -> impl Iterator<Item = &str> {
        if self.path.ends_with("/tests.rs") {
            return "".lines();
        }
        let end = self
            .text
            .find("#[cfg(test)]\nmod tests")
            .or_else(|| self.text.find("#[cfg(test)]\npub(super) mod tests"));
        self.text[..end.unwrap_or(self.text.len())].lines()
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// The module that the file belongs to: `conn` for `src/conn/open.rs`.
    fn module(&self) -> &str {
        let inside = self.path.trim_start_matches("src/");
        inside.split(['/', '.']).next().unwrap_or_default()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust sources below `folder`, in order.
fn sources(folder: &str) -> Vec<Source> {
    files(&root().join(folder), "rs")
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let path = path.strip_prefix(root()).expect("below the root");
            Source { path: path.to_str().expect("UTF-8").to_owned(), text }
        })
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A line without its comment. A string with `//` in it is cut as well, which hides a little of
/// it and invents nothing.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// True if `word` stands in `line` and is not a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(before.is_some_and(part) || word.ends_with(part) && after.is_some_and(part))
    })
}

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&module));
    found.unwrap_or_else(|| panic!("{module} stands on no floor: name it in FLOORS"))
}

/// The modules of this crate that a file names, with the lines that do.
fn modules_named(source: &Source) -> Vec<(&str, &str)> {
    let modules: Vec<&str> = FLOORS.concat();
    let mut named = Vec::new();
    for line in source.text.lines().map(code) {
        for path in ["crate::", "wsecho::", "super::"] {
            for (at, _) in line.match_indices(path) {
                let behind = line[at + path.len()..].trim_start_matches("super::");
                let group = behind.strip_prefix('{').and_then(|group| group.split('}').next());
                for path in group.unwrap_or(behind).split(", ").take(group.map_or(1, str::len)) {
                    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
                    let name = &path[..end.unwrap_or(path.len())];
                    if modules.contains(&name) && !is_inside(source, name) {
                        named.push((name, line));
                    }
                }
            }
        }
    }
    named
}

/// True if the module has a part of this name, which is then meant.
fn is_inside(source: &Source, name: &str) -> bool {
    let folder = root().join("src").join(source.module());
    folder.join(format!("{name}.rs")).exists() || folder.join(name).exists()
}

#[test]
fn a_module_names_only_what_is_below_it() {
    for source in sources("src") {
        let here = source.module();
        for (name, line) in modules_named(&source) {
            let allowed = name == here || floor(name) < floor(here);
            assert!(allowed, "{}: {line}: {here} may not know {name}", source.path);
        }
    }
}

#[test]
fn names_keep_to_their_places() {
    for source in sources("src") {
        for line in source.lines_without_tests().map(code) {
            for (name, places) in PLACES {
                let allowed = !names(line, name) || source.is_in(places);
                assert!(allowed, "{}: {line}: {name} belongs to {places:?}", source.path);
            }
        }
    }
}

#[test]
fn protocol_floors_have_no_clock_socket_or_log() {
    for source in sources("src").iter().filter(|source| source.is_in(&["src/ws/", "src/http/"])) {
        for line in source.text.lines().map(code) {
            for name in IMPURE {
                assert!(!names(line, name), "{}: {line}: no {name} here", source.path);
            }
        }
    }
}

#[test]
fn files_functions_and_lines_are_short() {
    for source in sources("src").iter().chain(&sources("tests")) {
        let path = &source.path;
        let lines = source.lines_without_tests().count();
        let limited = path.starts_with("src/");
        assert!(!limited || lines <= FILE_LINES_MAX, "{path}: {lines} lines");
        for line in source.text.lines() {
            let columns = line.chars().count();
            assert!(columns <= LINE_COLUMNS_MAX, "{path}: {columns} columns: {line}");
        }
        for (name, length) in functions(&source.text) {
            assert!(length <= FUNCTION_LINES_MAX, "{path}: {name} has {length} lines");
        }
    }
}

/// The functions of a source with their lengths in lines.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((before, behind)) = code(line).split_once("fn ") else { continue };
        let is_item = before.split_whitespace().all(|word| {
            matches!(word, "pub" | "const" | "async" | "extern") || word.starts_with("pub(")
        });
        if !is_item || line.ends_with([';', '}']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", &line[..indent]);
        let declared = format!("{}) -> ", &line[..indent]);
        let body = &lines[at..];
        let length = body.iter().position(|line| **line == end);
        let is_declaration = body
            .iter()
            .take(length.unwrap_or(body.len()))
            .any(|line| line.starts_with(&declared) && line.ends_with(';'));
        if let (Some(length), false) = (length, is_declaration) {
            let name = behind.split(['(', '<']).next().unwrap_or_default();
            functions.push((name, length + 1));
        }
    }
    functions
}

#[test]
fn functions_are_found() {
    let text = "impl X {\n    pub(super) fn a(\n        x: u8,\n    ) {\n        b();\n    }\n\n\
        \x20   fn c() {}\n}\n";
    assert_eq!(functions(text), [("a", 5)]);
    assert!(sources("src").iter().map(|s| functions(&s.text).len()).sum::<usize>() > 200);
}

#[test]
fn words_are_clean() {
    // This file has to name what it looks for.
    let here = "tests/tidy.rs";
    let sources = sources("src").into_iter().chain(sources("tests"));
    for source in sources.filter(|source| source.path != here) {
        for line in source.text.lines() {
            for word in BANNED_EVERYWHERE {
                assert!(!names(line, word), "{}: {line}", source.path);
            }
        }
        for line in source.lines_without_tests().map(code) {
            for (word, instead) in BANNED {
                let banned = names(line, word) && !is_licensed(&source.path, word);
                assert!(!banned, "{}: {line}: {instead}", source.path);
            }
        }
        for condition in let_conditions(&source.text) {
            assert!(
                !is_chained(&condition),
                "{}: Rust 1.85 has no let chains: {condition}",
                source.path
            );
        }
    }
}

/// A peer that drips has to let time pass.
fn is_licensed(path: &str, word: &str) -> bool {
    word == "thread::sleep" && path == "tests/cli.rs"
}

/// The conditions of `if` and `while` that hold a `let`, each on one line.
fn let_conditions(text: &str) -> Vec<String> {
    let mut conditions = Vec::new();
    let lines: Vec<&str> = text.lines().map(|line| code(line).trim()).collect();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim_start_matches("} else ");
        if !line.starts_with("if ") && !line.starts_with("while ") {
            continue;
        }
        let length = lines[at..].iter().position(|line| line.contains('{')).unwrap_or(0);
        let whole = lines[at..=at + length].join(" ");
        let condition = whole.rsplit_once(" {").map_or(whole.as_str(), |(condition, _)| condition);
        if names(condition, "let") {
            conditions.push(condition.to_owned());
        }
    }
    conditions
}

/// True if a `let` is joined with another condition, outside of all brackets.
fn is_chained(condition: &str) -> bool {
    let mut depth = 0;
    let mut before = ' ';
    for c in condition.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '&' if before == '&' && depth == 0 => return true,
            _ => {}
        }
        before = c;
    }
    false
}

#[test]
fn let_chains_are_found() {
    let text = "if let Some(x) = f(a && b)\n    && x > 1\n{\n}\nif let Some(x) = f(a && b) {\n}\n";
    let chained: Vec<bool> = let_conditions(text).iter().map(|c| is_chained(c)).collect();
    assert_eq!(chained, [true, false]);
}

#[test]
fn every_option_is_documented() {
    let table = fs::read_to_string(root().join("src/cli/options.rs")).expect("readable");
    let page = fs::read_to_string(root().join("docs/options.md")).expect("readable");
    let rows = table.lines().filter_map(|line| line.trim().strip_prefix("name: \""));
    let options: Vec<&str> = rows.filter_map(|row| row.strip_suffix("\",")).collect();
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(page.contains(&format!("| `--{option}` |")), "--{option} is not in the table");
    }
}

/// `docs/metrics.md` is what the metrics say of themselves.
#[test]
fn every_metric_is_documented() {
    let mut text = String::new();
    // Those of workers stand behind those of all.
    Sum::new(1).render(&mut text);
    describe_worker(1, &mut text);
    let mut page = String::from(
        "# Metrics\n\nPrometheus text at `/metrics`. This page is made from it; \
         `UPDATE=1 cargo test --test tidy` rewrites it.\n\n\
         | metric | type | meaning |\n|---|---|---|\n",
    );
    let mut labels = String::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            help = words.split_once(' ').expect("words behind the name").1;
        } else if let Some(words) = line.strip_prefix("# TYPE ") {
            let (name, kind) = words.split_once(' ').expect("a type behind the name");
            page += &format!("| `{name}` | {kind} | {help} |\n");
        } else if let Some((series, _)) = line.split_once("\"}") {
            if series.starts_with("wsecho_worker{") {
                continue;
            }
            let (label, value) = series.split_once("=\"").expect("one label");
            let (name, label) = label.split_once('{').expect("a name before the label");
            let heading = format!("\n`{label}` of `{name}` is one of");
            let known = labels.contains(&heading);
            labels += &if known { String::from(",") } else { format!("{heading}:\n") };
            labels += &format!(" `{value}`");
        }
    }
    let page = format!("{page}{}\n", labels.replace(":\n ", ":\n"));
    let path = root().join("docs/metrics.md");
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, &page).expect("writable");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page);
}

/// The table of behaviours in `docs/behaviours.md` is that of the code.
#[test]
fn every_parameter_of_behaviour_is_documented() {
    let path = root().join("docs/behaviours.md");
    let page = fs::read_to_string(&path).expect("readable");
    let head = "| parameter | value | what happens |\n|---|---|---|\n";
    let (before, rest) = page.split_once(head).expect("a table of parameters");
    let (_, behind) = rest.split_once("\n\n").expect("something behind it");
    let rows = PARAMETERS.map(|Parameter { name, values, meaning, .. }| {
        format!("| `{name}` | {values} | {meaning} |").replace("|  |", "| |")
    });
    let made = format!("{before}{head}{}\n\n{behind}", rows.join("\n"));
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, &made).expect("writable");
    }
    assert!(fs::read_to_string(&path).unwrap_or_default() == made, "UPDATE=1 rewrites the table");
}

/// Everything that shows something: the functions of sources and tests, and the headings of
/// transcripts.
fn evidence() -> BTreeSet<String> {
    let mut evidence = BTreeSet::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        let functions =
            source.text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        let names = functions.filter_map(|function| function.split(['(', '<']).next());
        evidence.extend(names.map(str::to_owned));
    }
    for path in files(&root().join("tests/transcripts"), "txt") {
        let text = fs::read_to_string(path).expect("readable");
        let headings = text.lines().filter_map(|line| line.strip_prefix("== "));
        evidence.extend(headings.map(str::to_owned));
    }
    evidence
}

/// Each row of `docs/rfc6455.md` ends with what shows it, between backticks.
#[test]
fn every_clause_is_shown_by_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/rfc6455.md")).expect("readable");
    let evidence = evidence();
    let mut clauses = 0;
    for row in page.lines().filter(|line| line.starts_with("| §")) {
        let cells: Vec<&str> = row.trim_matches([' ', '|']).split(" | ").collect();
        let [_, _, _, shown_by] = cells[..] else { panic!("four cells: {row}") };
        let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "nothing shows this: {row}");
        for test in tests {
            assert!(evidence.contains(test), "{test}: neither a test nor a heading: {row}");
        }
        clauses += 1;
    }
    assert!(clauses > 50, "{clauses} clauses");
}

/// The rows that tests and transcripts name: `f16_f20_every_split`, `== F16 §5.4 ...`.
fn rows_tested() -> BTreeSet<String> {
    let words = |name: &String| name.split(['_', ' ']).map(str::to_lowercase).collect::<Vec<_>>();
    let words: Vec<String> = evidence().iter().flat_map(words).collect();
    words.into_iter().filter(|word| is_row(word)).collect()
}

/// A letter of the checklist, and two digits.
fn is_row(word: &str) -> bool {
    let (kind, number) = word.split_at(word.char_indices().nth(1).map_or(word.len(), |(at, _)| at));
    "bhfcpdroat".contains(kind)
        && number.len() == 2
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// Each row of `docs/hostile.md` has a test that names it, and tests name no others.
#[test]
fn every_row_of_the_checklist_has_a_test_and_every_row_tested_is_on_it() {
    let page = fs::read_to_string(root().join("docs/hostile.md")).expect("readable");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let listed: Vec<String> = cells.map(str::to_lowercase).filter(|cell| is_row(cell)).collect();
    let rows: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(rows.len(), listed.len(), "a row stands there twice");
    assert!(rows.len() > 100, "{} rows", rows.len());
    let tested = rows_tested();
    let missing: Vec<_> = rows.difference(&tested).collect();
    assert!(missing.is_empty(), "no test shows {missing:?}");
    let unknown: Vec<_> = tested.difference(&rows).collect();
    assert!(unknown.is_empty(), "docs/hostile.md does not have {unknown:?}");
}
