//! The way to the servers of a load: over TCP or a Unix socket, in the clear or with TLS, and what
//! is said on arrival.

use std::fmt;
use std::time::Duration;

use super::super::url::{self, Url};
use super::whole::Whole;
use crate::http::is_token;
use crate::load::engine::Target;
use crate::net::dial::Place;
use crate::net::mio_dial::MioDial;
#[cfg(feature = "tls")]
use crate::net::tls::client::Trust;
#[cfg(feature = "tls")]
use crate::net::tls::dial::TlsDial;

/// What connects. With TLS or without, it is one kind of network, so that the engine is in the
/// binary once.
#[cfg(feature = "tls")]
pub(super) type Network = TlsDial<MioDial>;
#[cfg(not(feature = "tls"))]
pub(super) type Network = MioDial;

/// How long a name may take to resolve.
const RESOLVE_TIME: Duration = Duration::from_secs(10);

/// The `Host` of a server at a Unix socket.
const LOCAL_AUTHORITY: &str = "localhost";

/// Fields that the opening handshake is made of, and those of a body.
const OWN_FIELDS: [&str; 6] =
    ["Host", "Upgrade", "Connection", "User-Agent", "Content-Length", "Transfer-Encoding"];
const OWN_PREFIX: &str = "Sec-WebSocket-";

/// The way to one or more servers.
pub(super) struct Way {
    pub targets: Vec<Target>,
    /// Who the servers have to be, if they have to show a certificate.
    secure: Option<String>,
}

impl Way {
    /// Finds the servers.
    pub fn find(urls: &[String], whole: &Whole) -> Result<Self, String> {
        let mut targets = Vec::new();
        let mut names = Vec::new();
        for url in urls {
            let (target, secure) = place(url, &whole.fields)?;
            targets.push(target);
            names.push(secure);
        }
        // One network verifies all certificates by one name.
        let secure = names.first().cloned().flatten();
        if names.iter().any(|name| *name != secure) {
            return Err(
                "servers of one load have TLS and one host name, or none has TLS".to_owned()
            );
        }
        Ok(Self { targets, secure })
    }

    /// A network in which those servers can be reached.
    #[cfg(feature = "tls")]
    pub fn network(&self, dial: MioDial, whole: &Whole) -> Result<Network, String> {
        let trust = match (&self.secure, &whole.ca, whole.insecure) {
            (None, None, false) => return Ok(TlsDial::plain(dial)),
            (None, ..) => return Err("--ca and --insecure are for wss://".to_owned()),
            (Some(_), _, true) => Trust::Anybody,
            (Some(_), Some(path), false) => Trust::Signed(path.clone()),
            (Some(_), None, false) => {
                return Err("no certificate is trusted: name --ca FILE, or --insecure".to_owned());
            }
        };
        TlsDial::secured(dial, self.secure.as_deref().unwrap_or_default(), &trust)
    }

    /// A network in which those servers can be reached.
    #[cfg(not(feature = "tls"))]
    pub fn network(&self, dial: MioDial, _: &Whole) -> Result<Network, String> {
        debug_assert_eq!(self.secure, None, "there are no such URLs");
        Ok(dial)
    }
}

/// Whether the servers, of which there has to be one at least, are bare TCP echoes.
pub(super) fn bare(urls: &[String]) -> Result<bool, String> {
    let bare = urls.iter().filter(|url| Url::parse_bare(url).is_some()).count();
    match urls.len() {
        0 => Err("load needs the URL of a server; see wsecho load --help".to_owned()),
        all if bare > 0 && bare < all => {
            Err("either all servers of a load are bare TCP echoes, or none is".to_owned())
        }
        _ => Ok(bare > 0),
    }
}

/// Where a URL leads, and who the server there has to be, if it has to show a certificate.
fn place(text: &str, fields: &Fields) -> Result<(Target, Option<String>), String> {
    let fields = fields.0.clone();
    if let Some(local) = url::local(text, "/") {
        let (path, target) = local?;
        let authority = LOCAL_AUTHORITY.to_owned();
        let target = Target { place: Place::Socket(path), authority, path: target, fields };
        return Ok((target, None));
    }
    let url = match Url::parse_bare(text) {
        Some(_) if !fields.is_empty() => {
            return Err("--header is for an opening handshake, and here is none".to_owned());
        }
        Some(bare) => bare?,
        None => Url::parse_with(text, "/", cfg!(feature = "tls"))?,
    };
    let addresses = url.addresses(RESOLVE_TIME).map_err(|error| error.to_string())?;
    let address = *addresses.first().ok_or("the host has no address")?;
    let secure = url.secure.then(|| url.host.to_owned());
    let (authority, path) = (url.authority.to_owned(), url.target);
    let target = Target { place: Place::Address(address), authority, path, fields };
    Ok((target, secure))
}

/// Fields of the request beside those of the opening handshake, each a line with its end. What they
/// say is nobody else's business.
#[derive(Clone, Default)]
pub(super) struct Fields(String);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}

impl Fields {
    /// Adds `Name: value`.
    ///
    /// # Errors
    ///
    /// One line, in which nothing is repeated but a name that is one.
    pub fn add(&mut self, line: &str) -> Result<(), String> {
        let Some((name, value)) =
            line.split_once(':').filter(|(name, _)| is_token(name.as_bytes()))
        else {
            return Err("it is not of the form \"Name: value\"".to_owned());
        };
        let prefix = name.get(..OWN_PREFIX.len());
        let own = OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own))
            || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(OWN_PREFIX));
        if own {
            return Err(format!("{name} belongs to the opening handshake"));
        }
        if !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
            return Err(format!("the value of {name} is not printable ASCII"));
        }
        self.0 += &format!("{name}: {}\r\n", value.trim());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_lines_and_cannot_be_more() {
        let mut fields = Fields::default();
        for line in ["Authorization: Bearer secret", "Origin:https://a", "X-Empty:"] {
            fields.add(line).expect(line);
        }
        let lines = "Authorization: Bearer secret\r\nOrigin: https://a\r\nX-Empty: \r\n";
        assert_eq!(fields.0, lines);
        assert_eq!(format!("{fields:?}"), "Fields");
        let wrong =
            ["", "secret", ": secret", "a b: secret", "A: secret\r\nB: x", "A: secret\u{e9}"];
        for line in wrong.into_iter().chain(["host: secret", "sec-websocket-key: secret"]) {
            let error = fields.add(line).expect_err(line);
            assert!(!error.contains("secret") && !error.contains('\n'), "{error}");
        }
        assert_eq!(fields.0, lines);
    }
}
