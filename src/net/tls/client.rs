//! The other side: which servers a client trusts, and one that blocks, for the health check.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
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
pub struct Secured {
    session: Box<ClientConnection>,
    socket: TcpStream,
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

impl Read for Secured {
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

impl Write for Secured {
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
