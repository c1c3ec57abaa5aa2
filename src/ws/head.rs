//! Frame heads (RFC 6455 §5.2): what the first bytes of a frame say, and how they are written, for
//! a server and for a client.
//!
//! A fault is reported as soon as the byte that is wrong has arrived, so that the verdict does
//! not depend on how the bytes were split on their way.

use super::Fault;
use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEAD_BYTES_MAX, MASKING_KEY_BYTES};

/// The top bit of a head's second byte: a masking key follows the length.
const MASKED: u8 = 0x80;

/// The opcodes of §5.2; the reserved ones have no variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further frame of an open message.
    Continuation = 0x0,
    /// The first frame of a text message.
    Text = 0x1,
    /// The first frame of a binary message.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A ping, to be answered with the same payload.
    Ping = 0x9,
    /// A pong, solicited or not.
    Pong = 0xA,
}

impl Opcode {
    /// Close, Ping and Pong (§5.5).
    #[inline]
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The first byte of a frame, checked for what it says on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1: the message that this frame begins is compressed (RFC 7692 §6).
    pub compressed: bool,
    /// What kind of frame this is.
    pub opcode: Opcode,
}

impl First {
    /// Checks reserved bits and opcode, and that control frames are not fragmented. `deflate` says
    /// that permessage-deflate was agreed on.
    pub fn parse(byte: u8, deflate: bool) -> Result<Self, Fault> {
        // RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for
        // non-zero values." RFC 7692 §6: RSV1 is for the first frame of a message, "an endpoint
        // MUST NOT set" it elsewhere.
        let compressed = byte & 0x40 != 0;
        let may_compress = deflate && matches!(byte & 0x0F, 0x1 | 0x2);
        if byte & 0x30 != 0 || compressed && !may_compress {
            return Err(Fault::ReservedBits);
        }
        let fin = byte & 0x80 != 0;
        let opcode = match byte & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return Err(Fault::ReservedOpcode),
        };
        // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less and
        // MUST NOT be fragmented."
        if opcode.is_control() && !fin {
            return Err(Fault::FragmentedControl);
        }
        Ok(Self { fin, compressed, opcode })
    }
}

/// What follows the first byte of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Payload length in bytes.
    pub length: u64,
    /// Masking key for the first payload byte; `None` while its bytes have not all arrived.
    pub key: Option<[u8; 4]>,
    /// Length of the whole head, at most 14.
    pub head_bytes: usize,
}

/// Reads length and masking key of a client's frame from its head's bytes so far (the first byte
/// included). `None` until the length is known; it is known before the key has arrived.
pub fn parse_rest(opcode: Opcode, head: &[u8]) -> Result<Option<Rest>, Fault> {
    let Some(second) = head.get(1) else { return Ok(None) };
    // RFC 6455 §5.1: "The server MUST close the connection upon receiving a frame that is not
    // masked."
    if second & MASKED == 0 {
        return Err(Fault::Unmasked);
    }
    let Some((length, at)) = parse_length(opcode, head, second & 0x7F)? else { return Ok(None) };
    let key = head.get(at..at + MASKING_KEY_BYTES).and_then(|b| b.first_chunk::<4>()).copied();
    Ok(Some(Rest { length, key, head_bytes: at + MASKING_KEY_BYTES }))
}

/// What follows the first byte of a server's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerRest {
    /// Payload length in bytes.
    pub length: u64,
    /// Length of the whole head, at most 10.
    pub head_bytes: usize,
}

/// Reads the length of a server's frame from its head's bytes so far (the first byte included).
/// `None` until it is known.
pub fn parse_server_rest(opcode: Opcode, head: &[u8]) -> Result<Option<ServerRest>, Fault> {
    let Some(second) = head.get(1) else { return Ok(None) };
    // RFC 6455 §5.1: "A client MUST close a connection if it detects a masked frame."
    if second & MASKED != 0 {
        return Err(Fault::Masked);
    }
    let length = parse_length(opcode, head, *second)?;
    Ok(length.map(|(length, head_bytes)| ServerRest { length, head_bytes }))
}

/// The payload length that a head gives whose second byte, without its top bit, is `short`, and
/// where the head's bytes for it end.
#[inline]
fn parse_length(opcode: Opcode, head: &[u8], short: u8) -> Result<Option<(u64, usize)>, Fault> {
    if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
        return Err(Fault::LongControl);
    }
    let (length, at) = match short {
        126 => match head.get(2..4).and_then(|b| b.first_chunk::<2>()) {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 4),
            None => return Ok(None),
        },
        127 => match head.get(2..10).and_then(|b| b.first_chunk::<8>()) {
            Some(bytes) => (u64::from_be_bytes(*bytes), 10),
            None => return long_length_so_far(head),
        },
        _ => (u64::from(short), 2),
    };
    // RFC 6455 §5.2: "the most significant bit MUST be 0", and "the minimal number of bytes MUST
    // be used to encode the length".
    if length >> 63 != 0 {
        return Err(Fault::LengthRange);
    }
    if at != server_head_bytes(length) {
        return Err(Fault::LengthForm);
    }
    Ok(Some((length, at)))
}

/// The top bit is in the first of eight length bytes and is wrong as soon as that is here.
fn long_length_so_far<T>(head: &[u8]) -> Result<Option<T>, Fault> {
    match head.get(2) {
        Some(byte) if byte & 0x80 != 0 => Err(Fault::LengthRange),
        _ => Ok(None),
    }
}

/// Length of an unmasked head for a payload of `length` bytes, in its shortest form.
#[inline]
pub fn server_head_bytes(length: u64) -> usize {
    match length {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => FRAME_HEAD_BYTES_MAX - MASKING_KEY_BYTES,
    }
}

/// Writes an unmasked head in its shortest form to the start of `out`; returns its length.
#[inline]
pub fn write_server_head(out: &mut [u8], first: First, length: u64) -> usize {
    let flags = u8::from(first.fin) << 7 | u8::from(first.compressed) << 6;
    let first = flags | first.opcode as u8;
    let bytes = length.to_be_bytes();
    match length {
        0..=125 => {
            out[..2].copy_from_slice(&[first, bytes[7]]);
            2
        }
        126..=0xFFFF => {
            out[..4].copy_from_slice(&[first, 126, bytes[6], bytes[7]]);
            4
        }
        _ => {
            out[..2].copy_from_slice(&[first, 127]);
            out[2..10].copy_from_slice(&bytes);
            10
        }
    }
}

/// Writes a masked head in its shortest form to the start of `out`, which has room for 14 bytes;
/// returns its length. `key` is to be one that nobody can foresee (§5.3), and masks the payload.
pub fn write_client_head(out: &mut [u8], first: First, length: u64, key: [u8; 4]) -> usize {
    let at = write_server_head(out, first, length);
    out[1] |= MASKED;
    out[at..at + MASKING_KEY_BYTES].copy_from_slice(&key);
    at + MASKING_KEY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths on both sides of each form's ends.
    const LENGTHS: [u64; 8] = [0, 1, 125, 126, 65_535, 65_536, 1 << 32, u64::MAX >> 1];

    #[test]
    fn a_client_writes_what_a_server_reads() {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let mut out = [0xEE; FRAME_HEAD_BYTES_MAX];
        let text = First { fin: true, compressed: false, opcode: Opcode::Text };
        // §5.7: "A single-frame masked text message", which says Hello.
        let n = write_client_head(&mut out, text, 5, key);
        assert_eq!(out[..n], [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D]);
        for length in LENGTHS {
            let n = write_client_head(&mut out, text, length, key);
            assert_eq!(First::parse(out[0], false), Ok(text));
            for end in 0..n {
                let early = parse_rest(text.opcode, &out[..end]).unwrap();
                assert_eq!(early.and_then(|rest| rest.key), None, "{end} bytes of {length}");
            }
            let whole = Rest { length, key: Some(key), head_bytes: n };
            assert_eq!(parse_rest(text.opcode, &out[..n]), Ok(Some(whole)));
        }
    }

    #[test]
    fn a_server_writes_what_a_client_reads() {
        let mut out = [0xEE; FRAME_HEAD_BYTES_MAX];
        let first = First { fin: false, compressed: true, opcode: Opcode::Binary };
        for length in LENGTHS {
            let n = write_server_head(&mut out, first, length);
            assert_eq!(First::parse(out[0], true), Ok(first));
            for end in 0..n {
                assert_eq!(parse_server_rest(first.opcode, &out[..end]), Ok(None), "{end}");
            }
            let whole = ServerRest { length, head_bytes: n };
            assert_eq!(parse_server_rest(first.opcode, &out), Ok(Some(whole)));
        }
    }

    /// Both directions are held to the same rules but for the mask.
    #[test]
    fn every_second_byte_of_a_server() {
        let tail = [0, 0, 0, 0, 0, 1, 0, 0];
        for opcode in [Opcode::Binary, Opcode::Ping] {
            for second in 0..=u8::MAX {
                let head = |second: u8| [&[opcode as u8 | 0x80, second][..], &tail].concat();
                let got = parse_server_rest(opcode, &head(second));
                let twin = parse_rest(opcode, &head(second | MASKED)).map(|rest| {
                    rest.map(|Rest { length, head_bytes, .. }| ServerRest {
                        length,
                        head_bytes: head_bytes - MASKING_KEY_BYTES,
                    })
                });
                let expected = if second & MASKED == 0 { twin } else { Err(Fault::Masked) };
                assert_eq!(got, expected, "{opcode:?} {second:#04x}");
            }
        }
    }

    #[test]
    fn f23_lengths_are_written_in_their_shortest_form() {
        let cases: &[(u64, &[u8])] = &[
            (0, &[0x82, 0]),
            (1, &[0x82, 1]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (127, &[0x82, 126, 0, 127]),
            (65_535, &[0x82, 126, 0xFF, 0xFF]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (u64::MAX >> 1, &[0x82, 127, 0x7F, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (length, expected) in cases {
            let mut out = [0; 10];
            let first = First { fin: true, compressed: false, opcode: Opcode::Binary };
            let n = write_server_head(&mut out, first, *length);
            assert_eq!(&out[..n], *expected);
            assert_eq!(n, server_head_bytes(*length));
        }
    }

    #[test]
    fn f02_f03_f11_d06_first_bytes() {
        for byte in 0..=u8::MAX {
            let opcode = byte & 0x0F;
            let expected = if byte & 0x70 != 0 {
                Err(Fault::ReservedBits)
            } else if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) {
                Err(Fault::ReservedOpcode)
            } else if opcode >= 8 && byte & 0x80 == 0 {
                Err(Fault::FragmentedControl)
            } else {
                Ok((byte & 0x80 != 0, opcode))
            };
            let got = First::parse(byte, false).map(|first| (first.fin, first.opcode as u8));
            assert_eq!(got, expected, "{byte:#04x}");
            // RFC 7692 §6: with the extension, RSV1 on text and binary alone.
            let got = First::parse(byte, true).map(|first| (first.fin, first.opcode as u8));
            let begins = byte & 0x70 == 0x40 && (opcode == 1 || opcode == 2);
            let expected = if begins { Ok((byte & 0x80 != 0, opcode)) } else { expected };
            assert_eq!(got, expected, "{byte:#04x} with deflate");
        }
    }

    #[test]
    fn f01_f04_f05_f12_lengths() {
        let data = Opcode::Binary;
        let cases: &[(Opcode, &[u8], Result<Option<u64>, Fault>, &str)] = &[
            (data, &[0x82], Ok(None), "second byte missing"),
            (data, &[0x82, 0x05], Err(Fault::Unmasked), "F01"),
            (data, &[0x82, 0x85], Ok(Some(5)), "§5.2"),
            (data, &[0x82, 0xFE, 0], Ok(None), "§5.2"),
            (data, &[0x82, 0xFE, 0, 126], Ok(Some(126)), "§5.2"),
            (data, &[0x82, 0xFE, 0, 125], Err(Fault::LengthForm), "F05"),
            (data, &[0x82, 0xFF, 0x80], Err(Fault::LengthRange), "F04"),
            (data, &[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], Err(Fault::LengthForm), "F05"),
            (data, &[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], Ok(Some(65_536)), "§5.2"),
            (Opcode::Ping, &[0x89, 0xFE], Err(Fault::LongControl), "F12"),
            (Opcode::Ping, &[0x89, 0xFF], Err(Fault::LongControl), "F12"),
            (Opcode::Close, &[0x88, 0xFD], Ok(Some(125)), "§5.5"),
        ];
        for (opcode, head, expected, clause) in cases {
            let got = parse_rest(*opcode, head).map(|rest| rest.map(|r| r.length));
            assert_eq!(got, *expected, "{clause}: {head:x?}");
        }
    }
}
