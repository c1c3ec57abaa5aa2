//! Certificates, which SIGHUP reloads.

use super::Reload;
use crate::net::tls::Renewal;

/// Who the server is for clients of `wss://`.
#[derive(Debug)]
pub(super) struct Certificates(Renewal);

impl Certificates {
    /// None where there are no files: the certificate that was made at start stays.
    pub(super) fn of(renewal: Renewal) -> Option<Box<dyn Reload>> {
        renewal.has_files().then(|| Box::new(Self(renewal)) as Box<dyn Reload>)
    }
}

impl Reload for Certificates {
    fn reload(&mut self) -> Result<String, String> {
        let renewed = self.0.renew();
        renewed.map(|()| "certificates loaded".to_owned()).map_err(|wrong| format!("TLS: {wrong}"))
    }
}
