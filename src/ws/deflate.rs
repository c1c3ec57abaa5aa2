//! Negotiation of permessage-deflate (RFC 7692) for a server that never compresses.
//!
//! The echo of a compressed message is the compressed bytes as they came. That they inflate at the
//! client rests on what is agreed here, because each side's promise is kept by the same stream:
//!
//! - the server's window *is* the client's. A server told to keep to N bits can only echo
//!   compressed if the client keeps to N as well;
//! - the server's context *is* the client's. Either both sides take their context over or neither.
//!
//! An offer that binds the server's window and leaves the client's free is declined, as RFC 7692
//! §7.1.2.1 allows: that client talks uncompressed. To inflate its messages into replies instead
//! would turn 30 KiB of input into 30 MiB of output.

use std::fmt;

use super::extension::{GrammarFault, Token, Tokens, Value};
use crate::limits::Deflate;

/// The base-2 logarithm of an LZ77 window size, 8 to 15 (RFC 7692 §7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowBits(u8);

impl WindowBits {
    /// A window of 256 bytes.
    pub const MIN: Self = Self(8);
    /// A window of 32,768 bytes, the reach of a DEFLATE distance: no limit at all.
    pub const MAX: Self = Self(15);

    /// `None` unless `bits` is 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        if bits < Self::MIN.0 || bits > Self::MAX.0 { None } else { Some(Self(bits)) }
    }

    /// 8 to 15.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The window's size in bytes, 256 to 32,768.
    pub fn bytes(self) -> usize {
        1 << self.0
    }

    fn digits(self) -> &'static str {
        const DIGITS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];
        DIGITS[usize::from(self.0 - Self::MIN.0)]
    }

    /// RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15".
    pub(super) fn parse(value: Value<'_>) -> Option<Self> {
        let mut bytes = value.bytes();
        let bits = match (bytes.next()?, bytes.next(), bytes.next()) {
            (ones @ b'8'..=b'9', None, None) => ones - b'0',
            (b'1', Some(ones @ b'0'..=b'5'), None) => 10 + (ones - b'0'),
            _ => return None,
        };
        Self::new(bits)
    }
}

/// An offer accepted. Its `Display` is the value of the response's `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    context_takeover: bool,
    /// What the client must keep to. Below `MAX` the response says so, and the offer allowed it.
    client_window: WindowBits,
    /// What the offer told the server to keep to, if it did, or less; never below the client's.
    server_window: Option<WindowBits>,
}

impl Agreement {
    /// Whether a message of the client may refer to its messages before: if so the inflater lives
    /// as long as the connection, and nothing but its echo may be sent compressed to this client.
    pub fn context_takeover(self) -> bool {
        self.context_takeover
    }

    /// The window that what the client compresses has to keep to.
    pub fn client_window(self) -> WindowBits {
        self.client_window
    }
}

impl Agreement {
    /// The value of the response's `Sec-WebSocket-Extensions`, in parts: nothing has to be
    /// formatted to write it.
    pub fn parts(self) -> [&'static str; 6] {
        let takeover = if self.context_takeover { "" } else { NO_CONTEXT_TAKEOVER };
        let server = self.server_window.map_or("", |_| "; server_max_window_bits=");
        let server_bits = self.server_window.map_or("", WindowBits::digits);
        let (client, client_bits) = match self.client_window {
            WindowBits::MAX => ("", ""),
            window => ("; client_max_window_bits=", window.digits()),
        };
        [NAME, takeover, server, server_bits, client, client_bits]
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().iter().try_for_each(|part| out.write_str(part))
    }
}

/// Reads a request's `Sec-WebSocket-Extensions` fields, in order, and accepts the first offer of
/// permessage-deflate that can be accepted.
///
/// `None` is a response without that header. Whatever is not understood is declined alone: other
/// extensions, and offers with a parameter unknown, repeated or with a bad value (RFC 7692 §7).
///
/// # Errors
///
/// The fields, up to their very end and whatever the choice, must be the grammar of RFC 6455 §9.1.
pub fn negotiate<'a>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    choice: Deflate,
) -> Result<Option<Agreement>, GrammarFault> {
    let mut accepted = None;
    for field in fields {
        let mut offer = None;
        for token in Tokens::new(field) {
            match token? {
                Token::Extension(name) => {
                    accepted = accepted.or_else(|| offer.and_then(|o| accept(o, choice)));
                    offer = name.eq_ignore_ascii_case(NAME.as_bytes()).then(Offer::default);
                }
                Token::Parameter(name, value) => {
                    offer = offer.and_then(|offer| offer.with(name, value));
                }
            }
        }
        accepted = accepted.or_else(|| offer.and_then(|o| accept(o, choice)));
    }
    Ok(accepted)
}

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What a response says where neither side takes its context over.
const NO_CONTEXT_TAKEOVER: &str = "; server_no_context_takeover; client_no_context_takeover";

/// One offer of permessage-deflate: `None` for each parameter that it does not have.
#[derive(Clone, Copy, Debug, Default)]
struct Offer {
    server_no_context_takeover: Option<()>,
    client_no_context_takeover: Option<()>,
    server_window: Option<WindowBits>,
    /// Without a value the parameter says `MAX`: the client can keep to any window.
    client_window: Option<WindowBits>,
}

impl Offer {
    /// The offer with one more parameter, or `None` where RFC 7692 §7 says to decline: "an
    /// extension parameter not defined for use in an offer", "an extension parameter with an
    /// invalid value", "multiple extension parameters with the same name".
    fn with(mut self, name: &[u8], value: Option<Value<'_>>) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is(SERVER_NO_CONTEXT_TAKEOVER) {
            let bare = value.is_none().then_some(());
            set_once(&mut self.server_no_context_takeover, bare)?;
        } else if is(CLIENT_NO_CONTEXT_TAKEOVER) {
            let bare = value.is_none().then_some(());
            set_once(&mut self.client_no_context_takeover, bare)?;
        } else if is(SERVER_MAX_WINDOW_BITS) {
            set_once(&mut self.server_window, value.and_then(WindowBits::parse))?;
        } else if is(CLIENT_MAX_WINDOW_BITS) {
            let bits = value.map_or(Some(WindowBits::MAX), WindowBits::parse);
            set_once(&mut self.client_window, bits)?;
        } else {
            return None;
        }
        Some(self)
    }
}

/// `None` if `slot` is taken already, or if there is no valid value to put there.
fn set_once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    match slot.replace(value?) {
        Some(_) => None,
        None => Some(()),
    }
}

/// What a well-formed offer is answered with; `None` declines it.
fn accept(offer: Offer, choice: Deflate) -> Option<Agreement> {
    // A response may carry both parameters unasked: §7.1.1.1 for the server's, §7.1.1.2 for the
    // client's. Against its wish neither side is made to take over.
    let against = offer.server_no_context_takeover.or(offer.client_no_context_takeover);
    let context_takeover = match choice {
        Deflate::Off => return None,
        Deflate::On => false,
        Deflate::Takeover => against.is_none(),
    };
    let (server_window, client_window) = match (offer.server_window, offer.client_window) {
        // The server is free, or as good as free, and so is the client: §7.1.2.2 lets a response
        // leave out `client_max_window_bits`, and 15 bits are what inflates fastest here.
        (None | Some(WindowBits::MAX), _) => (offer.server_window, WindowBits::MAX),
        // §7.1.2.2: where the offer does not have the parameter, the response "MUST NOT include"
        // it, so the client's stream may reach further back than the server is told to.
        (Some(_), None) => return None,
        // zlib has no 256-byte window for raw DEFLATE: told to use one, older versions take 512
        // bytes and newer ones fail. Only a client that names 8 for itself knows what it does.
        (Some(WindowBits::MIN), Some(client)) if client > WindowBits::MIN => return None,
        // One stream keeps both promises. §7.1.2.1, §7.1.2.2: "the same or smaller value".
        (Some(server), Some(client)) => {
            let both = server.min(client);
            (Some(both), both)
        }
    };
    Some(Agreement { context_takeover, client_window, server_window })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEITHER: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn answer(fields: &[&str], choice: Deflate) -> Result<Option<Agreement>, GrammarFault> {
        negotiate(fields.iter().map(|field| field.as_bytes()), choice)
    }

    /// The response's header value under `On`; empty where there is no header; `400` for a fault.
    fn on(field: &str) -> String {
        match answer(&[field], Deflate::On) {
            Err(GrammarFault) => "400".into(),
            Ok(None) => String::new(),
            Ok(Some(agreement)) => agreement.to_string(),
        }
    }

    /// The parameters of a response under `On` behind the two that are always there.
    fn on_windows(parameters: &str) -> String {
        let value = on(&format!("permessage-deflate{parameters}"));
        value.strip_prefix(NEITHER).unwrap_or_else(|| panic!("{parameters}: {value}")).into()
    }

    /// RFC 6455 §9.1: an unknown extension is ignored, a header that is not the grammar is not.
    #[test]
    fn h27_unknown_ignored_bad_grammar_refused() {
        assert_eq!(on("foo; bar=1, baz"), "");
        assert_eq!(on("foo; bar=1, permessage-deflate, baz"), NEITHER);
        for bad in [
            "permessage-deflate;; client_max_window_bits",
            "permessage-deflate; =x",
            "permessage-deflate=x",
            "permessage-deflate; server_max_window_bits=\"15",
            "permessage-deflate;",
            // Also behind an offer that was fine.
            "permessage-deflate, foo;;",
        ] {
            for choice in [Deflate::On, Deflate::Takeover, Deflate::Off] {
                assert_eq!(answer(&[bad], choice), Err(GrammarFault), "{bad}");
                assert_eq!(
                    answer(&["permessage-deflate", bad], choice),
                    Err(GrammarFault),
                    "{bad}"
                );
            }
        }
    }

    /// Names are compared, never looked up, so no name is special.
    #[test]
    fn h28_names_of_other_worlds_are_unknown() {
        for name in ["constructor", "__proto__", "toString", "hasOwnProperty"] {
            assert_eq!(on(name), "");
            assert_eq!(on(&format!("permessage-deflate; {name}")), "");
            assert_eq!(on(&format!("{name}; {name}={name}, permessage-deflate")), NEITHER);
        }
    }

    /// A value of 60 KiB is read once by the grammar, and at most three bytes of it by the offer.
    #[test]
    fn h28_sixty_kilobytes_of_backslashes() {
        let backslashes = "\\".repeat(60_000);
        let offer = format!("permessage-deflate; server_max_window_bits=\"{backslashes}");
        assert_eq!(on(&offer), "400");
        assert_eq!(on(&format!("{offer}\"")), "");
        assert_eq!(on(&format!("{offer}\", permessage-deflate")), NEITHER);
    }

    /// RFC 7692 §5.1, §7.1.1: a valid reply to the plain offer, and to what browsers send.
    #[test]
    fn d01_plain_offer() {
        for (choice, value) in [(Deflate::On, NEITHER), (Deflate::Takeover, "permessage-deflate")] {
            for offer in ["permessage-deflate", "permessage-deflate; client_max_window_bits"] {
                let agreement = answer(&[offer], choice).unwrap().unwrap();
                assert_eq!(agreement.to_string(), value);
                assert_eq!(agreement.context_takeover(), choice == Deflate::Takeover);
                assert_eq!(agreement.client_window(), WindowBits::MAX);
            }
        }
        assert_eq!(answer(&["permessage-deflate"], Deflate::Off), Ok(None));
        assert_eq!(answer(&[], Deflate::On), Ok(None));
    }

    /// RFC 7692 §7: "A server MUST decline an extension negotiation offer for this extension if
    /// any of the following conditions are met". Declined is not refused: no 400.
    #[test]
    fn d02_malformed_parameters_decline_the_offer() {
        for parameter in [
            "unknown",
            "unknown=15",
            "max_window_bits=15",
            "server_max_window_bit=15",
            "server_max_window_bits_=15",
            // Duplicates, equal or not, in any case.
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; Client_No_Context_Takeover",
            "server_max_window_bits=10; server_max_window_bits=10",
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits; client_max_window_bits=10",
            // §7.1.1: these two have no value.
            "server_no_context_takeover=1",
            "server_no_context_takeover=\"\"",
            "server_no_context_takeover=",
            "client_no_context_takeover=true",
            // §7.1.2.1: in an offer this one has a value.
            "server_max_window_bits",
        ] {
            assert_eq!(on(&format!("permessage-deflate; {parameter}")), "", "{parameter}");
            let with_others =
                format!("permessage-deflate; {parameter}; client_max_window_bits, other");
            assert_eq!(on(&with_others), "", "{parameter}");
        }
        for bits in [
            "7",
            "16",
            "08",
            "015",
            "",
            "\"\"",
            "0",
            "1",
            "-8",
            "+8",
            "8.0",
            "0x8",
            "1e1",
            "150",
            "80",
            "115",
            "18446744073709551624",
            "264",
            "\" 8\"",
            "\"8 \"",
            "a",
            "\"1\\\\5\"",
        ] {
            for name in ["server_max_window_bits", "client_max_window_bits"] {
                let offer = format!("permessage-deflate; {name}={bits}");
                assert_eq!(on(&offer), "", "{offer}");
                assert_eq!(on(&format!("{offer}, permessage-deflate")), NEITHER, "{offer}");
            }
        }
    }

    /// RFC 7692 §7.1.2.2: where the offer does not have the parameter, the response "MUST NOT
    /// include the 'client_max_window_bits' extension parameter". A stream that may reach back
    /// further than the server is told to cannot be sent back, so such an offer is declined.
    #[test]
    fn d03_client_max_window_bits_only_where_offered() {
        for bits in 8..15 {
            let narrow = format!("permessage-deflate; server_max_window_bits={bits}");
            assert_eq!(on(&narrow), "");
            assert_eq!(on(&format!("{narrow}, permessage-deflate")), NEITHER);
        }
        assert_eq!(on_windows("; server_max_window_bits=15"), "; server_max_window_bits=15");
    }

    /// RFC 7692 §7.1.2: what is answered, and what the client has to keep to. `None`: declined.
    #[test]
    fn d04_window_table() {
        const TABLE: &[(&str, Option<(&str, u8)>)] = &[
            ("", Some(("", 15))),
            ("; client_max_window_bits", Some(("", 15))),
            ("; client_max_window_bits=8", Some(("", 15))),
            ("; client_max_window_bits=10", Some(("", 15))),
            ("; server_max_window_bits=15", Some(("; server_max_window_bits=15", 15))),
            (
                "; server_max_window_bits=15; client_max_window_bits=9",
                Some(("; server_max_window_bits=15", 15)),
            ),
            // The client may not be bound.
            ("; server_max_window_bits=8", None),
            ("; server_max_window_bits=14", None),
            // The client may be bound to what binds the server.
            (
                "; server_max_window_bits=9; client_max_window_bits",
                Some(("; server_max_window_bits=9; client_max_window_bits=9", 9)),
            ),
            (
                "; server_max_window_bits=12; client_max_window_bits=15",
                Some(("; server_max_window_bits=12; client_max_window_bits=12", 12)),
            ),
            // The client's own limit is the lower one: never answered with more than it offers.
            (
                "; server_max_window_bits=12; client_max_window_bits=10",
                Some(("; server_max_window_bits=10; client_max_window_bits=10", 10)),
            ),
            // 8 is asked only of a client that named it.
            ("; server_max_window_bits=8; client_max_window_bits", None),
            ("; server_max_window_bits=8; client_max_window_bits=9", None),
            (
                "; server_max_window_bits=8; client_max_window_bits=8",
                Some(("; server_max_window_bits=8; client_max_window_bits=8", 8)),
            ),
            (
                "; server_max_window_bits=11; client_max_window_bits=8",
                Some(("; server_max_window_bits=8; client_max_window_bits=8", 8)),
            ),
        ];
        for &(parameters, expected) in TABLE {
            let offer = format!("permessage-deflate{parameters}");
            let agreement = answer(&[&offer], Deflate::On).unwrap();
            let answered = agreement
                .map(|agreement| (agreement.to_string(), agreement.client_window().bits()));
            let expected = expected.map(|(windows, bits)| (format!("{NEITHER}{windows}"), bits));
            assert_eq!(answered, expected, "{parameters}");
        }
    }

    /// RFC 7692 §7.1.2, over every pair of windows: nothing is answered above what was offered,
    /// and the client is always held to what the server promised.
    #[test]
    fn d04_no_promise_is_broken() {
        let windows = || [None].into_iter().chain((8..=15).map(Some));
        for (server, client) in windows().flat_map(|s| windows().map(move |c| (s, c))) {
            let mut offer = String::from("permessage-deflate");
            server.inspect(|bits| offer.push_str(&format!("; server_max_window_bits={bits}")));
            client.inspect(|bits| offer.push_str(&format!("; client_max_window_bits={bits}")));
            let Some(agreement) = answer(&[&offer], Deflate::On).unwrap() else {
                assert!(server.is_some_and(|bits| bits < 15), "{offer}");
                assert!(client.is_none() || server == Some(8), "{offer}");
                continue;
            };
            let promised = agreement.server_window.map_or(15, WindowBits::bits);
            assert_eq!(agreement.server_window.is_some(), server.is_some(), "{offer}");
            assert!(promised <= server.unwrap_or(15), "{offer}");
            if agreement.client_window < WindowBits::MAX {
                assert!(agreement.client_window.bits() <= client.unwrap(), "{offer}");
            }
            assert!(agreement.client_window.bits() <= promised, "{offer}");
        }
    }

    /// RFC 7692 §5.1: offers stand in order of preference; over several fields as in one.
    #[test]
    fn d05_first_acceptable_offer_wins() {
        let tens = format!("{NEITHER}; server_max_window_bits=10; client_max_window_bits=10");
        let ten = "permessage-deflate; server_max_window_bits=10; client_max_window_bits";
        let bad = "permessage-deflate; server_max_window_bits=16";
        for (fields, expected) in [
            (vec![bad, ten, "permessage-deflate"], tens.as_str()),
            (vec!["permessage-deflate", ten], NEITHER),
            (vec!["x-webkit-deflate-frame", bad, "permessage-deflate"], NEITHER),
            (vec![bad, bad, "permessage-deflate; unknown"], ""),
        ] {
            let joined = fields.join(", ");
            assert_eq!(on(&joined), expected, "{joined}");
            let repeated = answer(&fields, Deflate::On).unwrap();
            assert_eq!(repeated.map_or(String::new(), |a| a.to_string()), expected, "{joined}");
        }
    }

    /// A field is a list of its own: its parameters do not reach into the next one.
    #[test]
    fn d05_a_field_ends_its_last_offer() {
        assert!(answer(&["permessage-deflate", ""], Deflate::On).unwrap().is_some());
        assert!(answer(&["permessage-deflate; unknown", "foo"], Deflate::On).unwrap().is_none());
        let parameter_first = answer(&["permessage-deflate", "; unknown"], Deflate::On);
        assert_eq!(parameter_first, Err(GrammarFault));
    }

    /// RFC 7692 §7.1.1.1: a server accepts `server_no_context_takeover` "by including" it. The
    /// echo's context is the client's, so one asks for both.
    #[test]
    fn d13_takeover_unless_the_offer_asks_against_it() {
        for (parameters, value) in [
            ("", "permessage-deflate"),
            ("; server_no_context_takeover", NEITHER),
            ("; client_no_context_takeover", NEITHER),
            ("; client_no_context_takeover; server_no_context_takeover", NEITHER),
            (
                "; client_max_window_bits=15; server_max_window_bits=12",
                "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            ),
            (
                "; server_max_window_bits=12; client_max_window_bits; server_no_context_takeover",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=12; client_max_window_bits=12",
            ),
        ] {
            let offer = format!("permessage-deflate{parameters}");
            let agreement = answer(&[&offer], Deflate::Takeover).unwrap().unwrap();
            assert_eq!(agreement.to_string(), value, "{offer}");
            assert_eq!(agreement.context_takeover(), !value.contains("takeover"), "{offer}");
        }
    }

    /// RFC 6455 §9.1: quoted values, any order; RFC 9110 §5.6.2: tokens that are names compare
    /// without regard to case.
    #[test]
    fn d17_quotes_case_and_order() {
        assert_eq!(on("PerMessage-Deflate"), NEITHER);
        for offer in [
            "; server_max_window_bits=10; client_max_window_bits=12",
            "; client_max_window_bits=12; server_max_window_bits=10",
            "; server_max_window_bits=\"10\"; client_max_window_bits=\"12\"",
            "; Server_Max_Window_Bits=10; CLIENT_MAX_WINDOW_BITS=12",
            "; server_max_window_bits=\"\\1\\0\"; client_max_window_bits=\"1\\2\"",
            ";client_max_window_bits = 12\t;\tserver_max_window_bits = \"10\" ",
            ";client_no_context_takeover;client_max_window_bits=12;server_max_window_bits=10",
        ] {
            let expected = "; server_max_window_bits=10; client_max_window_bits=10";
            assert_eq!(on_windows(offer), expected, "{offer}");
        }
        assert_eq!(on_windows("; server_max_window_bits=\"15\""), "; server_max_window_bits=15");
    }

    /// What Safari once sent alone. No header at all is the answer, never an empty one.
    #[test]
    fn d18_webkit_deflate_frame_alone() {
        assert_eq!(answer(&["x-webkit-deflate-frame"], Deflate::On), Ok(None));
        assert_eq!(on("x-webkit-deflate-frame, permessage-deflate"), NEITHER);
    }
}
