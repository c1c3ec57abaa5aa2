//! Joins each folder of `src/pages/` that has a `page.html` into one page without any outside
//! resource, and packs it: what `src/pages/mod.rs` serves.
//!
//! `page.html` is plain HTML that names its style sheets and its one script as files. The style
//! sheets become one `<style>`, in their order. The script and the modules that it imports become
//! one classic `<script>`: a module stands behind those that it imports, `import` lines and the
//! word `export` are dropped, and nothing else is changed. So all modules of a page share one scope,
//! and a name can be declared once only. A line `<!-- include FILE -->` becomes that file.
//!
//! What a release binary has no use for is left out where it is linked: see [`link`].

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, GzBuilder};

const PAGES: &str = "src/pages";

fn main() {
    println!("cargo::rerun-if-changed={PAGES}");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    link(&out);
    if env::var_os("CARGO_FEATURE_PAGES").is_none() {
        return;
    }
    let mut constants = String::new();
    for folder in folders_of_pages() {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let page = Page::join(&folder);
        fs::write(out.join(format!("{name}.html.gz")), pack(&page.html)).expect("OUT_DIR is ours");
        let _ = write!(
            constants,
            "/// The page of `{PAGES}/{name}/`.\n\
             pub const {constant}: Page = Page {{\n    \
             sources: \"style-src 'sha256-{style}'; script-src 'sha256-{script}'\",\n    \
             packed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.html.gz\")),\n    \
             length: {length},\n}};\n",
            constant = name.to_uppercase(),
            style = digest(&page.style),
            script = digest(&page.script),
            length = page.html.len(),
        );
    }
    fs::write(out.join("pages.rs"), constants).expect("OUT_DIR is ours");
}

/// A linker script that is added to the linker's own.
const WITHOUT_UNWIND_TABLES: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame) } } INSERT AFTER .text;\n";

/// Leaves out of a release binary what it has no use for.
///
/// Unwind tables are a fifteenth of it: a panic aborts, and where symbols are stripped a backtrace
/// has nothing to say. `panic = "abort"` alone does not do so, for std comes with its own. Relative
/// relocations are a thirtieth, and next to nothing where the loader takes them packed.
///
/// The linkers of GNU and of LLVM can do that. Whoever names another, or wants debug information,
/// gets everything.
fn link(out: &Path) {
    let is = |name: &str, value: &str| env::var(name).as_deref() == Ok(value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let plain = !flags.contains("fuse-ld") && !flags.contains("linker");
    let release = is("PROFILE", "release") && is("DEBUG", "false");
    if !plain || !release || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let script = out.join("link.ld");
    fs::write(&script, WITHOUT_UNWIND_TABLES).expect("OUT_DIR is ours");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
    let native = env::var("HOST") == env::var("TARGET");
    if native && is("CARGO_CFG_TARGET_ENV", "gnu") && glibc() >= Some((2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library, if it is that of GNU. Before 2.36 it would refuse to
/// load what has its relocations packed.
fn glibc() -> Option<(u32, u32)> {
    let asked = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(asked.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn folders_of_pages() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(PAGES).expect(PAGES);
    let folders = entries.map(|entry| entry.expect(PAGES).path());
    folders.filter(|folder| folder.join("page.html").is_file()).collect()
}

/// A page in one piece.
#[derive(Default)]
struct Page {
    html: String,
    /// What stands between `<style>` and `</style>`, to the byte.
    style: String,
    /// What stands between `<script>` and `</script>`, to the byte.
    script: String,
}

impl Page {
    fn join(folder: &Path) -> Self {
        let mut page = Self { style: "\n".to_owned(), ..Self::default() };
        for line in read(&folder.join("page.html")).lines() {
            page.push(folder, line);
        }
        let ends = page.style.contains("</style") || page.script.contains("</script");
        assert!(!ends, "{}: an element ends within itself", folder.display());
        page
    }

    fn push(&mut self, folder: &Path, line: &str) {
        let named = |before, behind| line.strip_prefix(before)?.strip_suffix(behind);
        if let Some(file) = named("<link rel=\"stylesheet\" href=\"", "\">") {
            self.style += &read(&folder.join(file));
        } else if let Some(file) = named("<script type=\"module\" src=\"", "\"></script>") {
            let mut modules = Modules::default();
            modules.add(&folder.join(file));
            self.script = format!("\n'use strict';\n{}", modules.joined);
            let _ = writeln!(self.html, "<script>{}</script>", self.script);
        } else if let Some(file) = named("<!-- include ", " -->") {
            self.html += &read(&folder.join(file));
        } else {
            if line == "</head>" {
                let _ = writeln!(self.html, "<style>{}</style>", self.style);
            }
            let _ = writeln!(self.html, "{line}");
        }
    }
}

/// The modules of a script, each behind those that it imports.
#[derive(Default)]
struct Modules {
    joined: String,
    /// Those that were begun: one that is begun but not done imports itself.
    begun: BTreeSet<PathBuf>,
    /// Those that stand in `joined`.
    done: BTreeSet<PathBuf>,
    /// What has been declared outside of all functions, by all of them.
    names: BTreeSet<String>,
}

impl Modules {
    fn add(&mut self, path: &Path) {
        let path =
            path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if self.done.contains(&path) {
            return;
        }
        let first = self.begun.insert(path.clone());
        assert!(first, "{} imports itself in a circle", path.display());
        let text = read(&path);
        let mut own = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("import ") {
                let mut statement = line.to_owned();
                while !statement.ends_with(';') {
                    statement += lines.next().expect("an import ends with a semicolon");
                }
                self.add(&path.with_file_name(imported(&statement)));
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            if let Some(name) = declared(line) {
                assert!(self.names.insert(name.to_owned()), "{}: {name} again", path.display());
            }
            own += line;
            own.push('\n');
        }
        let _ = write!(self.joined, "\n{}\n", own.trim());
        self.done.insert(path);
    }
}

/// The file of `import { a, b } from 'FILE';` or `import 'FILE';`. Names keep what they mean: none is
/// changed.
fn imported(statement: &str) -> &str {
    let (names, rest) = statement.split_once('\'').unwrap_or_default();
    let is_plain =
        names == "import " || names.starts_with("import {") && names.ends_with("} from ");
    let file = rest.strip_suffix("';").filter(|_| is_plain && !names.contains(" as "));
    file.unwrap_or_else(|| panic!("neither import {{ … }} from '…'; nor import '…';: {statement}"))
}

/// What a line declares, if it stands outside of all functions.
fn declared(line: &str) -> Option<&str> {
    let rest = ["const ", "let ", "class ", "function ", "async function "]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn digest(text: &str) -> String {
    BASE64_STANDARD.encode(hmac_sha256::Hash::hash(text.as_bytes()))
}

/// Without a name and a time, so that the same sources make the same bytes.
fn pack(text: &str) -> Vec<u8> {
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packer.write_all(text.as_bytes()).expect("a vector takes all");
    packer.finish().expect("a vector takes all")
}
