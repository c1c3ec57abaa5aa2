//! Close codes and the body of a Close frame (RFC 6455 §5.5.1, §7.4).

use super::Fault;
use crate::limits::CONTROL_BYTES_MAX;

/// A close code that may appear on the wire; constructing one from the peer's is the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server is shutting down.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1007: data not consistent with the type of the message.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a limit other than the message size.
    pub const POLICY: Self = Self(1008);
    /// 1009: the message is longer than the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// 1013 of the IANA registry: the server is overloaded, try again later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self.0
    }

    /// 1012: the service restarts, or wants its connections to be made anew.
    pub const RESTART: Self = Self(1012);

    /// Accepts what an endpoint may send: 1000–1003 and 1007–1011 of §7.4.1, 1012–1014 from the
    /// IANA registry, and the ranges 3000–4999 of §7.4.2.
    pub fn from_wire(number: u16) -> Option<Self> {
        matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(Self(number))
    }
}

/// Checks the unmasked body of a peer's Close: `None` for an empty one, else code and reason.
pub fn parse(body: &[u8]) -> Result<Option<(CloseCode, &str)>, Fault> {
    match body {
        [] => Ok(None),
        [_] => Err(Fault::CloseBody),
        [high, low, reason @ ..] => {
            let number = u16::from_be_bytes([*high, *low]);
            let code = CloseCode::from_wire(number).ok_or(Fault::CloseCode)?;
            let reason = std::str::from_utf8(reason).map_err(|_| Fault::Utf8)?;
            Ok(Some((code, reason)))
        }
    }
}

/// Writes a whole unmasked Close frame to the start of `out` and returns its length, at most
/// [`FRAME_BYTES_MAX`]. `None` is the empty Close that answers an empty one.
///
/// A reason that would not fit is left out rather than cut inside a character.
pub fn write(out: &mut [u8], content: Option<(CloseCode, &str)>) -> usize {
    let Some((code, reason)) = content else {
        out[..2].copy_from_slice(&[0x88, 0]);
        return 2;
    };
    let reason = if reason.len() > CONTROL_BYTES_MAX - 2 { "" } else { reason };
    let length = 2 + reason.len();
    out[..2].copy_from_slice(&[0x88, u8::try_from(length).unwrap_or(2)]);
    out[2..4].copy_from_slice(&code.0.to_be_bytes());
    out[4..2 + length].copy_from_slice(reason.as_bytes());
    2 + length
}

/// Longest Close frame that [`write()`] makes, in bytes.
pub const FRAME_BYTES_MAX: usize = 2 + CONTROL_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c04_close_codes_on_the_wire() {
        for number in 0..=u16::MAX {
            let allowed = (1000..=1003).contains(&number)
                || (1007..=1014).contains(&number)
                || (3000..=4999).contains(&number);
            assert_eq!(CloseCode::from_wire(number).is_some(), allowed, "{number}");
        }
    }

    #[test]
    fn c01_c02_c03_c05_bodies() {
        let long = [&[0x03, 0xE8][..], &[b'x'; 123]].concat();
        let cases: &[(&[u8], Result<Option<(u16, usize)>, Fault>, &str)] = &[
            (b"", Ok(None), "C01"),
            (&[0x03, 0xE8], Ok(Some((1000, 0))), "C02"),
            (&[0x0B, 0xB8, b'b', b'y', b'e'], Ok(Some((3000, 3))), "C02"),
            (&[0x13, 0x87], Ok(Some((4999, 0))), "C02"),
            (&long, Ok(Some((1000, 123))), "C02"),
            (&[0x03], Err(Fault::CloseBody), "C03"),
            (&[0x03, 0xED], Err(Fault::CloseCode), "C04: 1005"),
            (&[0x03, 0xE8, 0xC0, 0xAF], Err(Fault::Utf8), "C05"),
            (&[0x03, 0xE8, 0xE2, 0x82], Err(Fault::Utf8), "C05: cut short"),
        ];
        for (body, expected, row) in cases {
            let got = parse(body).map(|c| c.map(|(code, r)| (code.number(), r.len())));
            assert_eq!(got, *expected, "{row}");
        }
    }

    #[test]
    fn written_frames() {
        let mut out = [0; FRAME_BYTES_MAX];
        assert_eq!(write(&mut out, None), 2);
        assert_eq!(out[..2], [0x88, 0]);
        assert_eq!(write(&mut out, Some((CloseCode::PROTOCOL, "no"))), 6);
        assert_eq!(out[..6], [0x88, 4, 0x03, 0xEA, b'n', b'o']);
        let reason = "x".repeat(123);
        assert_eq!(write(&mut out, Some((CloseCode::NORMAL, &reason))), FRAME_BYTES_MAX);
        let reason = "x".repeat(124);
        assert_eq!(write(&mut out, Some((CloseCode::NORMAL, &reason))), 4);
    }
}
