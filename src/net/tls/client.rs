//! The other side: which servers a client trusts, and clients for the health check and for the link
//! to a bus.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::identity::read_roots;

/// Which servers are believed to be who they say they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All of them.
    Anybody,
    /// Those whose certificate one of these has signed, or is.
    Signed(PathBuf),
}

/// A secured stream. Each call reads its socket once, so that whoever calls keeps the time.
pub struct Secured<S = TcpStream> {
    session: Box<ClientConnection>,
    socket: S,
}

impl<S> fmt::Debug for Secured<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secured")
    }
}

/// Whom a client speaks to, and how it knows that.
#[derive(Clone, Debug)]
pub struct Acquaintance {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Acquaintance {
    /// With `host`, if one of the certificates in the file at `authority` vouches for it.
    ///
    /// # Errors
    ///
    /// One line: a host that no certificate can name, or a file that is of no use.
    pub fn with(host: &str, authority: &Path) -> Result<Self, String> {
        let mut config = config(&Trust::Signed(authority.to_owned()))?;
        config.alpn_protocols.clear();
        Ok(Self { config: Arc::new(config), name: name(host)? })
    }

    /// Begins a session upon a socket.
    ///
    /// # Errors
    ///
    /// Those of rustls; there should be none.
    pub fn begin<S: Read + Write>(&self, socket: S) -> io::Result<Secured<S>> {
        let session = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        Ok(Secured { session: Box::new(session.map_err(io::Error::other)?), socket })
    }
}

impl Secured {
    /// Prepares a session with `host` upon a connected socket.
    ///
    /// # Errors
    ///
    /// One line: a host that no certificate can name, or a file of certificates that is of no use.
    pub fn new(socket: TcpStream, host: &str, trust: &Trust) -> Result<Self, String> {
        let session = ClientConnection::new(Arc::new(config(trust)?), name(host)?);
        let session = session.map_err(|error| error.to_string())?;
        Ok(Self { session: Box::new(session), socket })
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Goes on with the handshake. Says which version was agreed on when it is done.
    pub fn shake_hands(&mut self) -> io::Result<Option<String>> {
        self.flush()?;
        if self.session.is_handshaking() {
            self.receive()?;
        }
        self.flush()?;
        let done = !self.session.is_handshaking();
        let version = self.session.protocol_version().filter(|_| done);
        Ok(version.map(|version| format!("{version:?}")))
    }
}

impl<S: Read + Write> Secured<S> {
    /// The socket below, to be used.
    #[cfg(feature = "bus")]
    pub fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Reads once, and opens what is whole then.
    fn receive(&mut self) -> io::Result<()> {
        if self.session.read_tls(&mut self.socket)? == 0 && self.session.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Err(error) = self.session.process_new_packets() {
            // The alert may say more to the other side than the end would.
            let _ = self.flush();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(())
    }
}

impl<S: Read + Write> Read for Secured<S> {
    /// `Interrupted` if what has come is not a whole record yet.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.session.reader().read(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        self.receive()?;
        match self.session.reader().read(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::ErrorKind::Interrupted.into())
            }
            result => result,
        }
    }
}

impl<S: Read + Write> Write for Secured<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

/// What the certificate of `host` has to name.
pub(super) fn name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| format!("{host:?} is not a name or an address"))
}

/// What sessions of a client have in common.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match trust {
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
        Trust::Signed(path) => {
            builder.with_root_certificates(read_roots(path)?).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Believes every certificate; what is signed with its key must still be signed with it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
