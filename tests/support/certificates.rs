//! Certificates for tests, signed by an authority of their own, in files of their own.

#![allow(dead_code, reason = "each test target uses its own part")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use wsecho::limits::TlsFiles;

/// A folder with `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key`.
pub struct Certificates {
    folder: PathBuf,
    authority: Issuer<'static, KeyPair>,
}

static FOLDERS: AtomicUsize = AtomicUsize::new(0);

impl Certificates {
    pub fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("wsecho-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Python 3.13 looks for it.
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "wsecho tests");
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("signed");
        fs::write(folder.join("ca.pem"), authority.pem()).expect("written");
        let this = Self { folder, authority: Issuer::new(params, key) };
        this.issue("server", |_| {});
        this.issue("client", |_| {});
        this
    }

    /// Puts a certificate for this machine and its key into files of this name.
    pub fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("names");
        // And for this.
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.authority).expect("signed");
        fs::write(self.file(&format!("{name}.pem")), signed.pem()).expect("written");
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).expect("written");
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same as text.
    pub fn path(&self, name: &str) -> String {
        self.file(name).into_os_string().into_string().expect("UTF-8")
    }

    /// What a server is told of them.
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: Some(self.file("server.pem")),
            key: Some(self.file("server.key")),
            ..TlsFiles::default()
        }
    }

    /// A client that believes the authority.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        self.client_as(versions, None, 0)
    }

    /// A client that has a certificate of this name too, and so many behind it that say nothing.
    pub fn client_as(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        name: Option<&str>,
        others: usize,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.file("ca.pem")).expect("written above");
        roots.add(authority).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that there are")
            .with_root_certificates(roots);
        let Some(name) = name else { return builder.with_no_client_auth() };
        let one = |name: &str| CertificateDer::from_pem_file(self.file(&format!("{name}.pem")));
        let mut chain = vec![one(name).expect("a certificate")];
        chain.resize_with(1 + others, || one("server").expect("a certificate"));
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key")));
        builder.with_client_auth_cert(chain, key.expect("a key")).expect("they fit")
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
