//! The PROXY protocol, versions 1 and 2: the header that a proxy sends ahead of everything else, to
//! say for whom it has connected (haproxy.org, proxy-protocol.txt).
//!
//! A header may arrive in any number of pieces. Where it ends is found here, within limits; the
//! parser is given whole headers only.

use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

/// Longest header of version 1, CRLF included (§2.1).
const TEXT_BYTES_MAX: usize = 107;

/// Shortest header of version 1: `PROXY UNKNOWN` and CRLF.
#[cfg(feature = "tls")]
const TEXT_BYTES_MIN: usize = 15;

/// Longest header of version 2. It may say up to 65551, but addresses and what proxies add (names
/// of TLS certificates and clouds) take some hundred bytes; nginx draws the same line.
const BINARY_BYTES_MAX: usize = 4096;

/// Bytes of version 2 in front of addresses: signature, version, family, length (§2.2).
const FIXED_BYTES: usize = 16;

/// How a header of version 1 begins.
const TEXT_START: &[u8] = b"PROXY ";

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its bytes.
    pub(crate) length: usize,
    /// The client, if the proxy speaks for one that has an address: not for its own health checks
    /// (`LOCAL`), nor for what it cannot name (`UNKNOWN`, `AF_UNSPEC`, `AF_UNIX`).
    pub(crate) client: Option<SocketAddr>,
}

/// The bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads the header that `bytes`, at least one, begin with. `None` if they are only a part of it.
///
/// # Errors
/// They are not, or it is too long. It is found at the first byte that cannot be of one.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    match () {
        () if begins(bytes, TEXT_START) => read_text(bytes),
        () if begins(bytes, v2::PROTOCOL_PREFIX) => read_binary(bytes),
        () => Err(Malformed),
    }
}

/// How many more bytes belong to the header that `bytes` are the beginning of, at the least: so
/// many can be read without any of what is behind it.
#[cfg(feature = "tls")]
pub(crate) fn wanted(bytes: &[u8]) -> usize {
    let shortest = match bytes.first() {
        Some(first) if *first == v2::PROTOCOL_PREFIX[0] => FIXED_BYTES,
        _ => TEXT_BYTES_MIN,
    };
    let whole = match bytes.get(..FIXED_BYTES) {
        Some(fixed) if shortest == FIXED_BYTES => binary_length(fixed),
        _ => shortest,
    };
    whole.saturating_sub(bytes.len()).max(1)
}

/// True if one is the beginning of the other.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let common = bytes.len().min(start.len());
    bytes[..common] == start[..common]
}

fn read_text(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let within = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < TEXT_BYTES_MAX { Ok(None) } else { Err(Malformed) };
    };
    let length = end + 1;
    let header = v1::Header::try_from(&bytes[..length]).map_err(|_| Malformed)?;
    if header.header.len() != length {
        return Err(Malformed);
    }
    let client = match header.addresses {
        v1::Addresses::Tcp4(ip) => Some(address(ip.source_address, ip.source_port)),
        v1::Addresses::Tcp6(ip) => Some(address(ip.source_address, ip.source_port)),
        v1::Addresses::Unknown => None,
    };
    Ok(Some(Header { length, client }))
}

fn read_binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(fixed) = bytes.get(..FIXED_BYTES) else { return Ok(None) };
    let length = binary_length(fixed);
    if length > BINARY_BYTES_MAX {
        return Err(Malformed);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let header = v2::Header::try_from(whole).map_err(|_| Malformed)?;
    let client = match (header.command, header.protocol, header.addresses) {
        (v2::Command::Local, ..) => None,
        (_, v2::Protocol::Datagram, _) => return Err(Malformed),
        (.., v2::Addresses::IPv4(ip)) => Some(address(ip.source_address, ip.source_port)),
        (.., v2::Addresses::IPv6(ip)) => Some(address(ip.source_address, ip.source_port)),
        (.., v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
    };
    Ok(Some(Header { length, client }))
}

/// Bytes of a header of version 2, as the part in front says.
fn binary_length(fixed: &[u8]) -> usize {
    FIXED_BYTES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]))
}

fn address(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 2: version and command, family and protocol, the rest.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, rest].concat()
    }

    const IPV4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0x15, 0xB3, 0, 80];

    fn headers() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let ipv6 = [&[0x20, 1, 0x0D, 0xB8][..], &[0; 11], &[1], &[0; 16], &[0, 7, 0, 80]].concat();
        let tlv = [IPV4, &[0x04, 0, 3, 1, 2, 3]].concat();
        let text = |line: &str| line.as_bytes().to_vec();
        vec![
            (text("PROXY TCP4 192.0.2.1 198.51.100.1 5555 80\r\n"), Some("192.0.2.1:5555")),
            (text("PROXY TCP6 2001:db8::1 ::1 7 80\r\n"), Some("[2001:db8::1]:7")),
            (text("PROXY UNKNOWN\r\n"), None),
            (text("PROXY UNKNOWN ::1 ::1 1 1\r\n"), None),
            (binary(0x21, 0x11, IPV4), Some("192.0.2.1:5555")),
            (binary(0x21, 0x11, &tlv), Some("192.0.2.1:5555")),
            (binary(0x21, 0x21, &ipv6), Some("[2001:db8::1]:7")),
            (binary(0x20, 0x11, IPV4), None),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x21, 0x00, &[1, 2, 3]), None),
            (binary(0x21, 0x31, &[b'/'; 216]), None),
            (binary(0x21, 0x11, &[IPV4, &vec![0; 4096 - 28]].concat()), Some("192.0.2.1:5555")),
        ]
    }

    #[test]
    fn headers_are_read_however_many_bytes_have_come() {
        for (header, client) in headers() {
            let client = client.map(|text| text.parse().unwrap());
            let expected = Header { length: header.len(), client };
            for at in 1..header.len() {
                assert_eq!(read(&header[..at]), Ok(None), "{at} of {}", header.escape_ascii());
            }
            assert_eq!(read(&header), Ok(Some(expected)), "{}", header.escape_ascii());
            let more = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(read(&more), Ok(Some(expected)), "with a request behind it");
        }
    }

    #[test]
    fn o07_what_is_no_header_is_found_at_once() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100]].concat();
        let cases: [&[u8]; 20] = [
            b"G",
            b"\x16",
            b"proxy ",
            b"PROXY\r\n",
            b"PROXY  TCP4 192.0.2.1 198.51.100.1 5555 80\r\n",
            b"PROXY TCP5 192.0.2.1 198.51.100.1 5555 80\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 5555\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 5555 80\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 5555 80\rx\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 5555 80 \r\n",
            b"PROXY TCP4 192.0.2.256 198.51.100.1 5555 80\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 80\r\n",
            b"PROXY TCP4 ::1 ::1 5555 80\r\n",
            b"PROXY TCP6 2001:db8::g ::1 5555 80\r\n",
            b"PROXY TCP4 \xff 198.51.100.1 5555 80\r\n",
            &long,
            b"\r\n\r\n\0\r\nQUIT\r",
            &binary(0x11, 0x11, IPV4),
            &binary(0x22, 0x11, IPV4),
            &binary(0x21, 0x12, IPV4),
        ];
        for bytes in cases {
            assert_eq!(read(bytes), Err(Malformed), "{}", bytes.escape_ascii());
        }
        for (rest, family) in [(&IPV4[..11], 0x11), (IPV4, 0x21), (IPV4, 0x41), (IPV4, 0x13)] {
            assert_eq!(read(&binary(0x21, family, rest)), Err(Malformed), "{family:x}");
        }
    }

    /// A length that nobody needs is refused before any of it is kept.
    #[test]
    fn o07_a_huge_length_is_not_waited_for() {
        let mut header = binary(0x21, 0x11, &vec![0; 4096 - 15]);
        header.truncate(FIXED_BYTES);
        assert_eq!(read(&header), Err(Malformed));
        header[14..].copy_from_slice(&[0xFF, 0xFF]);
        assert_eq!(read(&header), Err(Malformed));
    }
}
