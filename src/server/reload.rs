//! Files that are reloaded while the server runs, on SIGHUP.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use log::{error, info};

use super::Server;
use super::drain::Drain;
use crate::admission::tokens::{self, Known, Tokens};
use crate::file;
use crate::net::Net;

/// Something that was made of a file, and can be made of it again.
pub trait Reload: Debug {
    /// Reloads it. Connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// One line that names the file and says what is wrong with it. The old one stays in force.
    fn reload(&mut self) -> Result<String, String>;
}

/// The file of those who may come.
#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    tokens: Rc<Tokens>,
}

impl Reload for TokenFile {
    fn reload(&mut self) -> Result<String, String> {
        let count = self.tokens.replace(read_tokens(&self.path)?);
        Ok(format!("{count} tokens in {}", self.path.display()))
    }
}

fn read_tokens(path: &Path) -> Result<Vec<Known>, String> {
    read("tokens", path, |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        tokens::parse(text)
    })
}

/// Makes `what` of a file.
pub(super) fn read<T>(
    what: &str,
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, String> {
    let wrong = |wrong: String| format!("{what} in {}: {wrong}", path.display());
    file::read(path).and_then(|bytes| parse(&bytes)).map_err(wrong)
}

impl<N: Net> Server<N> {
    /// From here on only those come who have one of the tokens in this file, or what else lets in.
    ///
    /// # Errors
    ///
    /// One line that names the file and says what is wrong with it.
    pub fn ask_for_tokens(&mut self, path: &Path) -> Result<(), String> {
        let tokens = Rc::new(Tokens::new(read_tokens(path)?));
        self.cx.tokens.push(Rc::<Tokens>::clone(&tokens));
        self.reloads(Box::new(TokenFile { path: path.to_owned(), tokens }));
        Ok(())
    }

    /// Adds to what SIGHUP reloads.
    pub fn reloads(&mut self, what: Box<dyn Reload>) {
        self.reloads.push(what);
    }

    /// Reloads everything, each by itself: what fails keeps nothing else from it.
    #[cold]
    pub(super) fn reload(&mut self) {
        if self.drain != Drain::No {
            return info!("draining: nothing is reloaded");
        }
        self.net.begin_reload();
        if self.reloads.is_empty() {
            info!("there is nothing to reload");
        }
        for what in &mut self.reloads {
            match what.reload() {
                Ok(line) => {
                    self.cx.metrics.reloads += 1;
                    info!("{line}");
                }
                Err(line) => {
                    self.cx.metrics.reload_errors += 1;
                    error!("{line}; the old one stays in force");
                }
            }
        }
        self.net.end_reload();
    }
}
