//! Files that are loaded anew while the server runs: SIGHUP asks for it.

use std::fmt::Debug;

use log::{error, info};

use super::Server;
use super::drain::Drain;
use crate::net::Net;

/// Something that was made of a file, and can be made of it again.
pub trait Reload: Debug {
    /// Loads it anew. Connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// One line that names the file and says what is wrong with it. The old one stays in force.
    fn reload(&mut self) -> Result<String, String>;
}

impl<N: Net> Server<N> {
    /// Adds to what SIGHUP loads anew.
    pub fn reloads(&mut self, what: Box<dyn Reload>) {
        self.reloads.push(what);
    }

    /// Loads everything anew, each by itself: what fails keeps nothing else from it.
    #[cold]
    pub(super) fn reload(&mut self) {
        if self.drain != Drain::No {
            return info!("draining: nothing is loaded anew");
        }
        self.net.begin_reload();
        if self.reloads.is_empty() {
            info!("there is nothing to load anew");
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
