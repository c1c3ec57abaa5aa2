//! The key of JSON Web Tokens, which SIGHUP reloads.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::reload::read;
use super::{Reload, Server};
use crate::admission::jwt::{Jwts, Key};
use crate::net::Net;

/// The file of the key.
#[derive(Debug)]
struct KeyFile {
    path: PathBuf,
    jwts: Rc<Jwts>,
}

impl Reload for KeyFile {
    fn reload(&mut self) -> Result<String, String> {
        let key = read_key(&self.path)?;
        let line = format!("a key for {} in {}", key.algorithm(), self.path.display());
        self.jwts.replace(key);
        Ok(line)
    }
}

fn read_key(path: &Path) -> Result<Key, String> {
    read("key", path, |bytes| Key::parse(bytes).map_err(str::to_owned))
}

impl<N: Net> Server<N> {
    /// From here on only those come who have a token that was made with the key in this file, for
    /// this audience, or what else lets in.
    ///
    /// # Errors
    ///
    /// One line that names the file and says what is wrong with it.
    pub fn ask_for_jwts(&mut self, path: &Path, audience: &[String]) -> Result<(), String> {
        let jwts = Rc::new(Jwts::new(read_key(path)?, audience.to_vec()));
        self.cx.tokens.push(Rc::<Jwts>::clone(&jwts));
        self.reloads(Box::new(KeyFile { path: path.to_owned(), jwts }));
        Ok(())
    }
}
