//! What a server answers to a check, judged and described.

use crate::limits::LOGGED_BYTES_MAX;
use crate::ws::Fault;
use crate::ws::close;
use crate::ws::head::{First, Opcode, ServerRest, parse_server_rest};

/// The head of a frame from its bytes so far. No extension was asked for.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(First, ServerRest)>, Fault> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let first = First::parse(first, false)?;
    Ok(parse_server_rest(first.opcode, bytes)?.map(|rest| (first, rest)))
}

pub(super) fn described(first: First, payload: &[u8]) -> String {
    match (first.opcode, close::parse(payload)) {
        (Opcode::Close, Ok(Some((code, reason)))) => {
            format!("Close {} {}", code.number(), quoted(reason.as_bytes()))
        }
        (Opcode::Close, Ok(None)) => "a Close frame without a code".to_owned(),
        (Opcode::Close, Err(fault)) => format!("a bad Close frame: {}", fault.reason()),
        (Opcode::Text, _) if first.fin => quoted(payload),
        (opcode, _) => format!("{opcode:?}, {}, and not a whole text", quoted(payload)),
    }
}

/// A peer's words, escaped and cut, so that they stay part of one line.
pub(super) fn quoted(words: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&words[..words.len().min(LOGGED_BYTES_MAX)]))
}
