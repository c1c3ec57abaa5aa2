//! permessage-deflate as a client offers it, and what the server's answer obliges both to
//! (RFC 7692 §7.1).

use super::deflate::WindowBits;
use super::deflater::WINDOW_MIN;
use super::extension::{Token, Tokens};

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Both sides may refer to earlier messages.
    Takeover,
    /// Each message stands on its own, in both directions.
    NoTakeover,
}

impl Offer {
    /// The value of the request's `Sec-WebSocket-Extensions`.
    pub fn value(self) -> &'static str {
        match self {
            Self::Takeover => "permessage-deflate; client_max_window_bits",
            Self::NoTakeover => {
                "permessage-deflate; client_max_window_bits; server_no_context_takeover; \
                 client_no_context_takeover"
            }
        }
    }
}

/// What the server agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the client compresses may refer to its messages before.
    pub client_takeover: bool,
    /// What the server compresses may.
    pub server_takeover: bool,
    /// The window that the client keeps to.
    pub client_window: WindowBits,
}

/// A response that a client has to fail the connection for (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAgreed;

impl Agreed {
    /// Reads the value of the response's `Sec-WebSocket-Extensions`.
    pub fn parse(field: &[u8], offer: Offer) -> Result<Self, NotAgreed> {
        let takeover = offer == Offer::Takeover;
        let mut agreed = Self {
            client_takeover: takeover,
            server_takeover: true,
            client_window: WindowBits::MAX,
        };
        let mut tokens = Tokens::new(field);
        match tokens.next() {
            Some(Ok(Token::Extension(b"permessage-deflate"))) => {}
            _ => return Err(NotAgreed),
        }
        for token in tokens {
            let Ok(Token::Parameter(name, value)) = token else { return Err(NotAgreed) };
            match (name, value) {
                (b"client_no_context_takeover", None) => agreed.client_takeover = false,
                (b"server_no_context_takeover", None) => agreed.server_takeover = false,
                (b"client_max_window_bits", Some(value)) => {
                    let window = WindowBits::parse(value).filter(|window| *window >= WINDOW_MIN);
                    agreed.client_window = window.ok_or(NotAgreed)?;
                }
                // Any window of the server's is within what this side inflates.
                (b"server_max_window_bits", Some(value)) => {
                    WindowBits::parse(value).ok_or(NotAgreed)?;
                }
                _ => return Err(NotAgreed),
            }
        }
        // §7.1.1.1: a server that accepts the offer of no takeover has to say so.
        if !takeover && agreed.server_takeover { Err(NotAgreed) } else { Ok(agreed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let agreed = |client_takeover, server_takeover, bits| {
            let client_window = WindowBits::new(bits).expect("a window");
            Ok(Agreed { client_takeover, server_takeover, client_window })
        };
        let cases = [
            ("permessage-deflate", Offer::Takeover, agreed(true, true, 15)),
            (
                "permessage-deflate; client_max_window_bits=10; server_max_window_bits=\"9\"",
                Offer::Takeover,
                agreed(true, true, 10),
            ),
            (
                "permessage-deflate; client_no_context_takeover",
                Offer::Takeover,
                agreed(false, true, 15),
            ),
            (
                "permessage-deflate; server_no_context_takeover",
                Offer::NoTakeover,
                agreed(false, false, 15),
            ),
            ("permessage-deflate", Offer::NoTakeover, Err(NotAgreed)),
            ("permessage-deflate; client_max_window_bits", Offer::Takeover, Err(NotAgreed)),
            ("permessage-deflate; client_max_window_bits=16", Offer::Takeover, Err(NotAgreed)),
            ("permessage-deflate; client_max_window_bits=8", Offer::Takeover, Err(NotAgreed)),
            ("permessage-deflate; client_max_window_bits=08", Offer::Takeover, Err(NotAgreed)),
            ("permessage-deflate; other", Offer::Takeover, Err(NotAgreed)),
            ("permessage-deflate, permessage-deflate", Offer::Takeover, Err(NotAgreed)),
            ("x-webkit-deflate-frame", Offer::Takeover, Err(NotAgreed)),
            ("", Offer::Takeover, Err(NotAgreed)),
        ];
        for (field, offer, expected) in cases {
            assert_eq!(Agreed::parse(field.as_bytes(), offer), expected, "{field}");
        }
    }

    /// The server of this crate accepts what is offered, and says what is understood here.
    #[test]
    fn our_own_server_agrees() {
        use super::super::deflate::negotiate;
        use crate::limits::Deflate;
        for (offer, choice, takeover) in [
            (Offer::NoTakeover, Deflate::On, false),
            (Offer::NoTakeover, Deflate::Takeover, false),
            (Offer::Takeover, Deflate::On, false),
            (Offer::Takeover, Deflate::Takeover, true),
        ] {
            let agreement = negotiate([offer.value().as_bytes()], choice);
            let answer = agreement.expect("no fault").expect("accepted").to_string();
            let agreed = Agreed::parse(answer.as_bytes(), offer).expect("understood");
            assert_eq!(agreed.client_takeover, takeover, "{answer}");
            assert_eq!(agreed.server_takeover, takeover, "{answer}");
        }
    }
}
