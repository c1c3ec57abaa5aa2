//! Frames by the book (RFC 6455 §5.2), a byte at a time: an oracle to compare faster code with.

#![allow(dead_code, reason = "each test takes what it needs of it")]

/// One whole frame as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub reserved: u8,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame as a server sends it.
    pub fn plain(fin: bool, opcode: u8, payload: &[u8]) -> Self {
        Self { fin, reserved: 0, opcode, key: None, payload: payload.to_vec() }
    }

    /// The bytes on the wire, with the shortest form of the length.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        let mask_bit = if self.key.is_some() { 0x80 } else { 0 };
        match self.payload.len() {
            length @ 0..=125 => bytes.push(mask_bit | length as u8),
            length @ 126..=65535 => {
                bytes.push(mask_bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(mask_bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(self.key.iter().flatten());
        bytes.extend(mask(&self.payload, self.key));
        bytes
    }

    /// The first frame of `bytes` and its length there; `None` as long as it is not whole.
    pub fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let (mut at, mut length) = (2, u64::from(second & 0x7F));
        let extended = match length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if extended > 0 {
            length = 0;
            for byte in bytes.get(at..at + extended)? {
                length = length << 8 | u64::from(*byte);
            }
            at += extended;
        }
        let mut key = None;
        if second & 0x80 != 0 {
            key = Some(bytes.get(at..at + 4)?.try_into().ok()?);
            at += 4;
        }
        let end = usize::try_from(length).ok()?.checked_add(at)?;
        let payload = mask(bytes.get(at..end)?, key);
        let (fin, reserved, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 0x0F);
        Some((Self { fin, reserved, opcode, key, payload }, end))
    }
}

fn mask(bytes: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or([0; 4]);
    bytes.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect()
}
