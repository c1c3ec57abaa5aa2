//! JSON Web Tokens that let somebody in (RFC 7519): signed by whoever has the key, and in time.
//!
//! A key is for one algorithm (RFC 8725 §3.1). What a token says of its own is compared with that
//! and believed in nothing: neither `none` nor an HMAC made with a public key gets anywhere.

mod key;
mod verifier;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jsonwebtoken::{Validation, decode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Recognize;
use crate::text::is_invisible;
pub use key::Key;

/// How far the clocks of issuer and server may be apart (RFC 7519 §4.1.4: "usually no more than a
/// few minutes").
const LEEWAY: Duration = Duration::from_secs(60);

/// Most characters of a name.
const NAME_CHARACTERS_MAX: usize = 64;

/// The key that is in force, and for whom its tokens have to be.
#[derive(Debug)]
pub struct Jwts {
    key: RefCell<Key>,
    audience: Vec<String>,
}

/// What is looked at in a token. Times are seconds since 1970, UTC, "non-integer
/// values can be represented" (RFC 7519 §2).
#[derive(Deserialize)]
struct Claims {
    /// A token that is good for ever cannot be taken back, so there has to be an end.
    exp: f64,
    nbf: Option<f64>,
    aud: Option<IgnoredAny>,
    sub: Option<String>,
}

impl Jwts {
    /// Tokens made with `key` let in. If there is an `audience`, they have to be for one of it;
    /// else they must not be for any.
    pub fn new(key: Key, audience: Vec<String>) -> Self {
        verifier::install();
        Self { key: RefCell::new(key), audience }
    }

    /// From now on this key is in force.
    pub fn replace(&self, key: Key) {
        *self.key.borrow_mut() = key;
    }
}

impl Recognize for Jwts {
    /// The token's subject, if it is a token that lets in.
    fn name_of(&self, token: &[u8], utc: Duration) -> Option<Rc<str>> {
        let key = self.key.borrow();
        let mut validation = Validation::new(key.algorithm);
        // Times are looked at here, with the clock of the loop.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.required_spec_claims.clear();
        if !self.audience.is_empty() {
            validation.set_audience(&self.audience);
            validation.set_required_spec_claims(&["aud"]);
        }
        let token = decode::<Claims>(token, &key.key, &validation).ok()?;
        // RFC 7519 §4.1.3: a token for others "MUST be rejected".
        let ours = !self.audience.is_empty() || token.claims.aud.is_none();
        // RFC 7515 §4.1.11: who does not understand what is critical has to reject it.
        let understood = token.header.crit.is_none();
        (ours && understood && token.claims.is_in_force(utc)).then(|| token.claims.name())
    }
}

impl Claims {
    /// RFC 7519 §4.1.4: "The processing of the "exp" claim requires that the current date/time MUST
    /// be before the expiration date/time", and §4.1.5 that it is not before `nbf`.
    fn is_in_force(&self, utc: Duration) -> bool {
        let (now, leeway) = (utc.as_secs_f64(), LEEWAY.as_secs_f64());
        now < self.exp + leeway && self.nbf.is_none_or(|nbf| nbf <= now + leeway)
    }

    /// The subject as it may stand in a log.
    fn name(&self) -> Rc<str> {
        let subject = self.sub.as_deref().filter(|subject| !subject.is_empty());
        let shown = |c: char| if is_invisible(c) || c == ' ' { '_' } else { c };
        let subject = subject.unwrap_or("nobody").chars().take(NAME_CHARACTERS_MAX);
        subject.map(shown).collect::<String>().into()
    }
}
