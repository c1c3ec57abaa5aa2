//! Who the server is: certificates and keys, read and checked before anybody is told that it
//! listens.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, Ticketer};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SupportedCipherSuite};
use webpki::{EndEntityCert, KeyUsage};

use crate::file;
use crate::limits::TlsFiles;
use crate::units::about_duration;

/// What is agreed to by ALPN (RFC 7301): WebSocket by upgrade needs HTTP/1.1. Who offers other
/// protocols only gets the alert.
const PROTOCOL: &[u8] = b"http/1.1";

/// Certificate and key in the form that handshakes need.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// An identity that can be used.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For new sessions.
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as other tools print it, if it was made here.
    pub fingerprint: Option<String>,
}

impl Identity {
    /// Reads what `files` name, or makes a certificate if they ask for one.
    ///
    /// # Errors
    ///
    /// One line: which file, and what is wrong with it.
    pub fn load(files: &TlsFiles) -> Result<Self, String> {
        let provider = Arc::new(cheapest_first(ring::default_provider(), has_aes()));
        let (chain, key) = match (&files.certificate, &files.key, &files.self_signed) {
            (None, None, Some(name)) => make(name)?,
            (Some(certificate), Some(key), None) => read_pair(certificate, key, &provider)?,
            _ => return Err("wss:// needs --tls-cert and --tls-key, or --tls-self-signed".into()),
        };
        let made = files.self_signed.is_some();
        let fingerprint = chain.first().filter(|_| made).map(|first| fingerprint(first));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(read_roots(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                let wrong = |error| format!("{}: {error}", path.display());
                builder.with_client_cert_verifier(verifier.map_err(wrong)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| error.to_string())?;
        config.ignore_client_order = true;
        Ok(Self { config: Arc::new(with_tickets(config)?), fingerprint })
    }
}

/// Puts in front what costs the server least. By the order of clients most would have AES-256, and
/// with it SHA-384 for every key of a handshake, for which processors have no instructions. What
/// AES costs depends on whether they have some for that.
fn cheapest_first(mut provider: CryptoProvider, has_aes: bool) -> CryptoProvider {
    let order = if has_aes {
        ["AES_128", "AES_256", "CHACHA20"]
    } else {
        ["CHACHA20", "AES_128", "AES_256"]
    };
    provider.cipher_suites.sort_by_key(|suite| {
        let name = suite.suite().as_str().unwrap_or_default();
        order.iter().position(|cipher| name.contains(cipher))
    });
    provider
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// Sessions are resumed by tickets alone, so nothing is kept for clients that have gone. One ticket
/// is enough for a client that comes back once; who opens more connections gets one on each.
pub fn with_tickets(mut config: ServerConfig) -> Result<ServerConfig, String> {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn read_pair(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Pair, String> {
    let chain = read_certificates(certificate)?;
    let wrong = |error| match error {
        pem::Error::NoItemsFound => "no private key in it, or an encrypted one".to_owned(),
        other => other.to_string(),
    };
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| format!("{}: {}", key.display(), wrong(error)))?;
    let now = UnixTime::now();
    for one in &chain {
        check_dates(one, now).map_err(|wrong| format!("{}: {wrong}", certificate.display()))?;
    }
    let pair = CertifiedKey::from_der(chain.clone(), private.clone_key(), provider);
    match pair.and_then(|pair| pair.keys_match()) {
        // A kind of key whose public half cannot be told is found out by the first client.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok((chain, private))
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            let (key, certificate) = (key.display(), certificate.display());
            Err(format!("{key}: not the key of the certificate in {certificate}"))
        }
        Err(error) => Err(format!("{}: {error}", key.display())),
    }
}

/// The certificates in a file, at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: pem::Error| format!("{}: {error}", path.display());
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(wrong)?;
    match found.is_empty() {
        true => Err(format!("{}: no certificate in it", path.display())),
        false => Ok(found),
    }
}

/// The certificates in a file, each as one that signs others.
pub(super) fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// The whole file; what is wrong is said with its name.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    file::read(path).map_err(|wrong| format!("{}: {wrong}", path.display()))
}

/// Dates are the first that is checked of a certificate, so that nobody has to have signed it for
/// them to be found wrong.
fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| error.to_string())?;
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let usage = KeyUsage::server_auth();
    let verdict = parsed.verify_for_usage(algorithms, &[], &[], now, usage, None, None);
    let apart = |from: UnixTime, to: UnixTime| {
        about_duration(Duration::from_secs(to.as_secs().saturating_sub(from.as_secs())))
    };
    match verdict.err() {
        Some(webpki::Error::CertExpired { not_after, .. }) => {
            Err(format!("the certificate has expired, {} ago", apart(not_after, now)))
        }
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => {
            Err(format!("the certificate is not yet valid, only in {}", apart(now, not_before)))
        }
        // Who signed it, and for what, is for clients to judge.
        _ => Ok(()),
    }
}

/// A certificate for `name` and for this machine, good for a year or two.
fn make(name: &str) -> Result<Pair, String> {
    let wrong = |error: rcgen::Error| format!("{name:?}: {error}");
    let mut names = vec![name.to_owned()];
    for here in ["localhost", "127.0.0.1", "::1"] {
        if here != name {
            names.push(here.to_owned());
        }
    }
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let year = this_year();
    params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + 1, 12, 31);
    let key = KeyPair::generate().map_err(wrong)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(str::to_owned)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    Ok((vec![certificate.der().clone()], private))
}

fn this_year() -> i32 {
    const YEAR_SECONDS: u64 = 31_556_952;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    1970 + i32::try_from(now.as_secs() / YEAR_SECONDS).unwrap_or(0)
}

/// SHA-256 in hex, with colons, as openssl and browsers show it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let SupportedCipherSuite::Tls13(suite) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        return String::new();
    };
    let hash = suite.common.hash_provider.hash(certificate);
    let bytes: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_the_server_least_comes_first() {
        for (has_aes, cheapest) in [(true, "AES_128"), (false, "CHACHA20")] {
            let provider = cheapest_first(ring::default_provider(), has_aes);
            let suites = &provider.cipher_suites;
            let names: Vec<_> = suites.iter().filter_map(|suite| suite.suite().as_str()).collect();
            assert_eq!(names.len(), ring::DEFAULT_CIPHER_SUITES.len(), "each is still there");
            // One of TLS 1.3, and of 1.2 one for each kind of certificate.
            assert!(names[..3].iter().all(|name| name.contains(cheapest)), "{names:?}");
        }
        let files = TlsFiles { self_signed: Some("localhost".into()), ..TlsFiles::default() };
        let identity = Identity::load(&files).expect("it makes one");
        assert!(identity.config.ignore_client_order, "or a client's order would count");
    }
}
