//! The key that tokens are verified with, as a file has it.

use jsonwebtoken::{Algorithm, DecodingKey};

/// Shortest secret: RFC 7518 §3.2 wants one of at least the hash's length.
const SECRET_BYTES_MIN: usize = 32;

/// Length of an Ed25519 key (RFC 8032 §5.1.5).
const ED25519_BYTES: usize = 32;

/// Length of RSA keys with their exponent, as DER: from 2048 bits (RFC 7518 §3.3) to 8192.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256 + 8..=1024 + 32;

/// A key, and the one algorithm that it is for.
#[derive(Debug)]
pub struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// Reads a file: the PEM of a public key, RSA (for RS256) or Ed25519 (for EdDSA), or else a
    /// secret (for HS256), which ends before the end of its line.
    ///
    /// # Errors
    /// What is wrong. Nothing is quoted.
    pub fn parse(file: &[u8]) -> Result<Self, &'static str> {
        if file.trim_ascii_start().starts_with(b"-----BEGIN ") {
            return Self::parse_pem(file);
        }
        let secret = file.strip_suffix(b"\n").unwrap_or(file);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if secret.len() < SECRET_BYTES_MIN {
            return Err("it is neither PEM nor a secret of at least 32 bytes");
        }
        Ok(Self { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) })
    }

    /// What the algorithm is called in tokens.
    pub fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::HS256 => "HS256",
            Algorithm::RS256 => "RS256",
            _ => "EdDSA",
        }
    }

    fn parse_pem(file: &[u8]) -> Result<Self, &'static str> {
        let begins = |name: &[u8]| file.windows(name.len()).any(|bytes| bytes == name);
        if begins(b"PRIVATE KEY-----") {
            return Err("it holds a private key, which only the issuer needs");
        }
        if !begins(b"-----BEGIN PUBLIC KEY-----") && !begins(b"-----BEGIN RSA PUBLIC KEY-----") {
            return Err("it is PEM, but not of a public key");
        }
        if let Ok(key) = DecodingKey::from_ed_pem(file) {
            return match key.as_bytes().len() {
                ED25519_BYTES => Ok(Self { algorithm: Algorithm::EdDSA, key }),
                _ => Err("the Ed25519 key is not of 32 bytes"),
            };
        }
        match DecodingKey::from_rsa_pem(file) {
            Ok(key) if RSA_BYTES.contains(&key.as_bytes().len()) => {
                Ok(Self { algorithm: Algorithm::RS256, key })
            }
            Ok(_) => Err("the RSA key is not of 2048 to 8192 bits"),
            Err(_) => Err("it is not the PEM of an RSA or Ed25519 key"),
        }
    }
}
