//! Fuzz bodies for permessage-deflate: what is agreed on, and what comes back of it.

#[path = "compress.rs"]
mod compress;

use compress::{Compressor, Decompressor};
use wsecho::ending::Ending;
use wsecho::limits::{Config, Deflate};
use wsecho::ws::deflate::{Agreement, WindowBits, negotiate as agree};

use super::{Cuts, config, drive, masked};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
/// RSV1, beside an opcode (RFC 7692 §6).
const PACKED: u8 = 0x40;

/// Header fields, one a line: the answer is one that these offers allow, the same for one field
/// and for many, and the one that plain splitting finds.
pub fn negotiate(input: &[u8]) {
    let (&choice, rest) = input.split_first().unwrap_or((&0, &[]));
    let choice = [Deflate::On, Deflate::Takeover, Deflate::Off][usize::from(choice % 3)];
    let fields: Vec<&[u8]> = rest.split(|&byte| byte == b'\n').collect();
    let Ok(answer) = agree(fields.iter().copied(), choice) else { return };
    let joined = fields.join(&b", "[..]);
    assert_eq!(agree([&joined[..]], choice), Ok(answer), "RFC 9110 §5.3: as if they were one");
    let text = String::from_utf8_lossy(&joined).to_ascii_lowercase();
    if !text.contains(['"', '\\']) {
        let offer = text.split(',').find_map(|offer| Offer::of(offer, choice));
        assert_eq!(answer.is_some(), offer.is_some());
        answer.into_iter().zip(offer).for_each(|(answer, offer)| offer.check(answer, choice));
    }
}

/// An offer that has to be accepted.
#[derive(Default)]
struct Offer {
    against_takeover: bool,
    server: Option<WindowBits>,
    client: Option<WindowBits>,
}

impl Offer {
    /// By the words of RFC 7692 §7 and §7.1; `None` if it has to be declined.
    fn of(offer: &str, choice: Deflate) -> Option<Self> {
        let mut parts = offer.split(';').map(|part| part.trim_matches([' ', '\t']));
        if parts.next() != Some("permessage-deflate") || choice == Deflate::Off {
            return None;
        }
        let (mut found, mut seen) = (Self::default(), Vec::new());
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part, None),
            };
            // A number as Rust reads it may have more in front of it than digits.
            let number =
                |value: &str| value.parse().ok().filter(|_| !value.starts_with(['0', '+']));
            let bits = value.map(|value| number(value).and_then(WindowBits::new));
            match (name, bits) {
                _ if seen.contains(&name) => return None,
                ("server_no_context_takeover" | "client_no_context_takeover", None) => {
                    found.against_takeover = true;
                }
                ("server_max_window_bits", Some(Some(bits))) => found.server = Some(bits),
                ("client_max_window_bits", Some(Some(bits))) => found.client = Some(bits),
                ("client_max_window_bits", None) => found.client = Some(WindowBits::MAX),
                _ => return None,
            }
            seen.push(name);
        }
        // A server's window that its client need not keep to as well cannot be promised.
        let eight = |client| found.server == WindowBits::new(8) && client != WindowBits::new(8);
        let free = found.client.is_none() || eight(found.client);
        let bound = found.server.is_some_and(|bits| bits < WindowBits::MAX);
        (!(bound && free)).then_some(found)
    }

    fn check(&self, answer: Agreement, choice: Deflate) {
        let takeover = choice == Deflate::Takeover && !self.against_takeover;
        assert_eq!(answer.context_takeover(), takeover);
        let text = answer.to_string();
        let number = |name: &str| {
            let value = text.split("; ").find_map(|part| part.strip_prefix(name));
            value.map(|value| WindowBits::new(value.parse().expect("a number")).expect("8 to 15"))
        };
        let (server, client) =
            (number("server_max_window_bits="), number("client_max_window_bits="));
        assert_eq!(server.is_some(), self.server.is_some(), "§7.1.2.1: confirmed, or not asked");
        assert!(server <= self.server, "the same or a smaller one");
        assert!(client.is_none() || self.client.is_some(), "§7.1.2.2: MUST NOT, unless offered");
        assert_eq!(answer.client_window(), client.unwrap_or(WindowBits::MAX));
        let kept = server.is_none_or(|server| answer.client_window() <= server);
        assert!(kept, "only what the client can inflate");
    }
}

/// A conversation in messages, well compressed or not: cut in any way it goes the same way, and
/// whatever comes back compressed inflates, at somebody else's inflater, to what was sent.
pub fn inflate(input: &[u8]) {
    let (reads, rest) = Cuts::take(input);
    let (writes, rest) = Cuts::take(rest);
    let (&flags, script) = rest.split_first().unwrap_or((&0, &[]));
    let takeover = flags & 1 != 0;
    let deflate = if takeover { Deflate::Takeover } else { Deflate::On };
    let config = || Config { deflate, ..config() };
    let (frames, messages) = converse(script, takeover);
    let bytes = [REQUEST.as_bytes(), &frames].concat();
    let (whole, ending) = drive(config(), &bytes, Cuts::NONE, Cuts::NONE);
    let heard = Heard::of(&whole, takeover);
    let sound = messages.len().min(heard.messages.len());
    assert_eq!(heard.messages[..sound], messages[..sound]);
    for (reads, writes) in [(reads, writes), (reads, Cuts::NONE)] {
        let (output, cut_ending) = drive(config(), &bytes, reads, writes);
        let endings = [ending, cut_ending];
        if endings == [Ending::Fault; 2] {
            // Data may be corrupt and not text either: which is found first depends on the cuts.
            let short = Heard::of(&output, takeover);
            assert_eq!((&short.messages, &short.code), (&heard.messages, &heard.code));
        } else if endings.contains(&Ending::Dropped) {
            // How much of the frame at fault is out by then depends on the cuts.
            assert!(endings.iter().all(|it| [Ending::Dropped, Ending::Fault].contains(it)));
            assert_eq!(Heard::of(&output, takeover).messages, heard.messages);
        } else {
            assert_eq!((&output, cut_ending), (&whole, ending));
        }
    }
}

/// The frames that a script says, and the messages in them up to the first that is not sound.
fn converse(mut script: &[u8], takeover: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut compressor = Compressor::new(6, 15, takeover);
    let (mut frames, mut messages) = (Vec::new(), Vec::new());
    let mut sound = true;
    while let [step, detail, rest @ ..] = script {
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*detail)));
        script = rest;
        let repeated = bytes.repeat(1 + usize::from(step >> 4) * 16);
        let (first, payload) = match step & 7 {
            0 | 1 => (PACKED | 2, compressor.message(&repeated)),
            2 => (2, repeated.clone()),
            3 => {
                frames.extend(masked(0x89, &bytes[..bytes.len().min(125)]));
                continue;
            }
            // Not compressed by anybody: what it inflates to, if it does, is not known here.
            kind => (PACKED | if kind == 4 { 1 } else { 2 }, bytes.to_vec()),
        };
        sound &= step & 7 < 4 && repeated.len() <= 40_000;
        if sound {
            messages.push(repeated);
        }
        // In up to three frames.
        let cut = payload.len() / (1 + usize::from(step >> 3 & 1));
        frames.extend(masked(
            if cut < payload.len() { first } else { 0x80 | first },
            &payload[..cut],
        ));
        if cut < payload.len() {
            frames.extend(masked(0, &payload[cut..cut]));
            frames.extend(masked(0x80, &payload[cut..]));
        }
    }
    (frames, messages)
}

/// The messages in what the server said.
struct Heard {
    messages: Vec<Vec<u8>>,
    /// The body of its Close as far as the code.
    code: Option<Vec<u8>>,
}

impl Heard {
    fn of(output: &[u8], takeover: bool) -> Self {
        let head = output.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole 101");
        let mut rest = &output[head + 4..];
        let mut inflate = Decompressor::new(takeover);
        let (mut messages, mut payload, mut packed) = (Vec::new(), Vec::new(), false);
        let mut code = None;
        while let Some((first, body, behind)) = frame(rest) {
            rest = behind;
            if first == 0x88 {
                code = Some(body[..body.len().min(2)].to_vec());
            }
            if first & 8 != 0 {
                continue;
            }
            packed |= first & PACKED != 0;
            payload.extend(body);
            if first & 0x80 != 0 {
                let whole = std::mem::take(&mut payload);
                messages.push(if packed { inflate.message(&whole) } else { whole });
                packed = false;
            }
        }
        Self { messages, code }
    }
}

/// A server's frame, if it is whole: its first byte, its payload, and what is behind it.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        length => (usize::from(length), rest),
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((first, body, rest))
}
