//! Bodies in chunks: a decoder that sees all at once, written down from the grammar, says the same
//! as the one that takes them as they come.

use wsecho::http::{Body, BodyFault, Framing};
use wsecho::limits::{CHUNK_EXTENSION_BYTES_MAX, TRAILER_BYTES_MAX};

use super::{Config, Cuts, Ending, config, drive};

/// Most data that a body may have here.
const MOST: u64 = 300;

/// The data of a body and how many bytes it has, or that it breaks a rule; `None` if it goes on.
type Found = Option<Result<(Vec<u8>, usize), ()>>;

/// How the bytes are cut does not show, and the grammar of RFC 9112 §7.1 says the same.
pub fn body(input: &[u8]) {
    let (cuts, bytes) = Cuts::take(input);
    let expected = read(bytes);
    for cuts in [cuts, Cuts::NONE] {
        echo(bytes, cuts, &expected);
    }
    decode(bytes, cuts, expected);
}

/// A connection sends the data back, in a body that is whole if this one was.
fn echo(bytes: &[u8], cuts: Cuts<'_>, expected: &Found) {
    let head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let config = Config { fallback: true, max_message_size: MOST, ..config() };
    let (output, ending) = drive(config, &[&head[..], bytes].concat(), cuts, Cuts::NONE);
    let begun = output.starts_with(b"HTTP/1.1 200 ");
    match expected {
        Some(Ok((data, _))) => {
            assert_eq!((ending, begun), (Ending::Answered, true));
            assert_eq!(unchunk(&output), (data.clone(), true));
        }
        Some(Err(())) if begun => assert!(ending == Ending::Dropped && !unchunk(&output).1),
        Some(Err(())) => {
            let refused =
                output.starts_with(b"HTTP/1.1 400 ") || output.starts_with(b"HTTP/1.1 413 ");
            assert!(refused && ending == Ending::Refused, "{ending:?}");
        }
        None => assert!(ending == Ending::Gone && (output.is_empty() || !unchunk(&output).1)),
    }
}

/// The data of a chunked response, and whether it is whole.
fn unchunk(output: &[u8]) -> (Vec<u8>, bool) {
    let head = output.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let (mut data, mut rest) = (Vec::new(), &output[head + 4..]);
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        let chunk = &rest[end + 2..];
        data.extend_from_slice(&chunk[..size]);
        rest = chunk[size..].strip_prefix(b"\r\n").expect("a chunk has an end");
        if size == 0 {
            assert!(rest.is_empty(), "nothing is behind the end");
            return (data, true);
        }
    }
    (data, false)
}

fn decode(bytes: &[u8], mut cuts: Cuts<'_>, expected: Found) {
    let mut decoder = Body::new(Framing::Chunked, MOST).expect("chunks say no length");
    let (mut data, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let end = at + cuts.size(bytes.len() - at).max(1);
        let mut piece = bytes[at..end].to_vec();
        match decoder.decode(&mut piece) {
            Ok(found) => {
                assert!(found.data <= found.consumed && found.consumed <= piece.len());
                data.extend_from_slice(&piece[..found.data]);
                assert!(data.len() as u64 <= MOST);
                at += found.consumed;
                if decoder.is_complete() {
                    break;
                }
                assert_eq!(at, end, "all of it is taken");
            }
            Err(fault) => {
                assert_ne!(fault.reason(), "");
                assert_eq!(expected, Some(Err(())), "{fault:?}");
                assert_eq!(fault == BodyFault::TooLong, fault.refusal().status().code() == 413);
                return;
            }
        }
    }
    assert_eq!(decoder.is_complete(), decoder.wanted() == 0);
    let found: Found = decoder.is_complete().then_some(Ok((data, at)));
    assert_eq!(found, expected);
}

/// One line without its CR LF, and what is behind it; `None` if it goes on.
fn line(bytes: &[u8]) -> Option<Result<(&[u8], &[u8]), ()>> {
    let valid = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    let end = bytes.iter().position(|byte| !valid(byte))?;
    match &bytes[end..] {
        [b'\r', b'\n', rest @ ..] => Some(Ok((&bytes[..end], rest))),
        [b'\r'] => None,
        _ => Some(Err(())),
    }
}

/// What can be told of a line before its end has come: it breaks no `rule` yet, which is told of
/// the line so far, and whether CR has ended it.
fn may_begin(bytes: &[u8], rule: impl Fn(&[u8], bool) -> bool) -> bool {
    let end = bytes.iter().position(|&byte| byte == b'\r');
    rule(&bytes[..end.unwrap_or(bytes.len())], end.is_some())
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Reads a whole body.
fn read(bytes: &[u8]) -> Found {
    let (mut data, mut rest, mut extensions) = (Vec::new(), bytes, 0);
    loop {
        if !may_begin(rest, |start, ended| is_size(start, ended, extensions)) {
            return Some(Err(()));
        }
        let (size_line, behind) = match line(rest)? {
            Ok(parts) => parts,
            Err(()) => return Some(Err(())),
        };
        let digits = size_line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extension = &size_line[digits..];
        extensions += cost(extension);
        let size = std::str::from_utf8(&size_line[..digits]).expect("digits");
        let size = u64::from_str_radix(size, 16).expect("16 digits at most");
        rest = behind;
        if size == 0 {
            break;
        }
        if size > MOST - data.len() as u64 {
            return Some(Err(()));
        }
        let count = (size as usize).min(rest.len());
        data.extend_from_slice(&rest[..count]);
        rest = &rest[count..];
        match rest {
            [] | [b'\r'] => return None,
            [b'\r', b'\n', more @ ..] => rest = more,
            _ => return Some(Err(())),
        }
    }
    let start = bytes.len() - rest.len();
    loop {
        let begun = bytes.len() - rest.len() - start;
        if !may_begin(rest, is_field)
            || rest.len() + begun > TRAILER_BYTES_MAX && line(rest).is_none()
        {
            return Some(Err(()));
        }
        let (field, behind) = match line(rest)? {
            Ok(parts) => parts,
            Err(()) => return Some(Err(())),
        };
        rest = behind;
        if bytes.len() - rest.len() - start > TRAILER_BYTES_MAX {
            return Some(Err(()));
        }
        if field.is_empty() {
            return Some(Ok((data, bytes.len() - rest.len())));
        }
    }
}

/// What an extension counts: all but the semicolon that it begins with.
fn cost(extension: &[u8]) -> usize {
    extension.len().saturating_sub(usize::from(extension.contains(&b';')))
}

/// May a size's line begin so?
fn is_size(start: &[u8], ended: bool, extensions: usize) -> bool {
    let digits = start.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let extension = &start[digits..];
    let blanks = extension.iter().take_while(|byte| b" \t".contains(byte)).count();
    let behind = extension.get(blanks);
    digits <= 16
        && (digits > 0 || start.is_empty() && !ended)
        && (!ended || extension.is_empty() || behind.is_some())
        && behind.is_none_or(|&byte| byte == b';')
        && extensions + cost(extension) <= CHUNK_EXTENSION_BYTES_MAX
}

/// May a trailer's line begin so?
fn is_field(start: &[u8], ended: bool) -> bool {
    let name = start.iter().take_while(|byte| is_token(byte)).count();
    match start.get(name) {
        None => !ended || name == 0,
        Some(b':') => name > 0,
        Some(_) => false,
    }
}
