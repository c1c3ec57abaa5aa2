//! What stands for `deflate.rs` in a program that does not know permessage-deflate: every offer is
//! declined.

use std::fmt;

use super::extension::{GrammarFault, Tokens};
use crate::limits::Deflate;

/// An offer accepted: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {}

impl Agreement {
    /// The value of the response's `Sec-WebSocket-Extensions`, in parts.
    pub fn parts(self) -> [&'static str; 1] {
        match self {}
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// Reads a request's `Sec-WebSocket-Extensions` fields, and accepts nothing.
///
/// # Errors
///
/// The fields must be the grammar of RFC 6455 §9.1 nevertheless.
pub fn negotiate<'a>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    _: Deflate,
) -> Result<Option<Agreement>, GrammarFault> {
    for field in fields {
        Tokens::new(field).try_for_each(|token| token.map(drop))?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_and_declined() {
        let negotiate = |field: &str| negotiate([field.as_bytes()], Deflate::On);
        assert_eq!(negotiate("permessage-deflate; client_max_window_bits"), Ok(None));
        assert_eq!(negotiate("permessage-deflate; ="), Err(GrammarFault));
    }
}
