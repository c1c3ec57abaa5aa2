//! What can go wrong with a connection under load, counted by kind, the first of each kept.

use std::collections::BTreeMap;

/// The kinds of errors. [`Kind::name`] is what reports call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// No TCP connection.
    Connect,
    /// TLS failed: a certificate that is not believed, or what cannot be understood.
    Tls,
    /// The opening handshake was refused, or is wrong.
    Handshake,
    /// Bytes of an echo are not those that were sent.
    Payload,
    /// An echo came as text for binary or the other way round.
    Type,
    /// An echo is longer or shorter than what was sent.
    Boundary,
    /// An echo came after one that was sent later.
    Order,
    /// An echo came again.
    Duplicate,
    /// An echo never came, though later ones did.
    Lost,
    /// A message came that answers nothing.
    Unsolicited,
    /// What came was sent by another connection, or at another time.
    Foreign,
    /// A compressed message does not inflate.
    Inflate,
    /// Frames that break RFC 6455.
    Protocol,
    /// The server closed the connection.
    Closed,
    /// The connection was reset, or failed otherwise.
    Reset,
    /// Nothing came, or was taken, in time.
    Timeout,
}

impl Kind {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Handshake => "handshake",
            Self::Payload => "payload",
            Self::Type => "type",
            Self::Boundary => "boundary",
            Self::Order => "order",
            Self::Duplicate => "duplicate",
            Self::Lost => "lost",
            Self::Unsolicited => "unsolicited",
            Self::Foreign => "foreign",
            Self::Inflate => "inflate",
            Self::Protocol => "protocol",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
        }
    }
}

/// Errors of one run or phase.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    kinds: BTreeMap<Kind, (u64, String)>,
    total: u64,
}

impl Errors {
    /// Counts one. Only the first of a kind is put into words, so that half a million cost nothing.
    pub fn add(&mut self, kind: Kind, words: impl FnOnce() -> String) {
        self.add_many(kind, 1, words);
    }

    /// Counts some of a kind; none at all is fine.
    pub fn add_many(&mut self, kind: Kind, count: u64, words: impl FnOnce() -> String) {
        if count > 0 {
            self.total += count;
            self.kinds.entry(kind).or_insert_with(|| (0, words())).0 += count;
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Each kind that occurred: how often, and the first in its own words.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u64, &str)> {
        self.kinds.iter().map(|(kind, (count, words))| (*kind, *count, words.as_str()))
    }

    /// How many of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).map_or(0, |(count, _)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_a_kind_is_put_into_words() {
        let mut errors = Errors::default();
        for nth in 0..1000 {
            errors.add(Kind::Payload, || {
                assert_eq!(nth, 0, "the first only");
                "first".to_owned()
            });
        }
        errors.add_many(Kind::Lost, 0, || unreachable!("nothing to say"));
        errors.add_many(Kind::Closed, 3, || "bye".to_owned());
        let kinds: Vec<_> = errors.kinds().collect();
        assert_eq!(kinds, [(Kind::Payload, 1000, "first"), (Kind::Closed, 3, "bye")]);
        assert_eq!(
            (errors.total(), errors.of(Kind::Payload), errors.of(Kind::Lost)),
            (1003, 1000, 0)
        );
    }
}
