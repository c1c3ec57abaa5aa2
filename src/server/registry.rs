//! All connections, by [`ConnId`].

use slab::Slab;

use super::schedule::Standing;
use crate::conn::Connection;
use crate::id::ConnId;

/// One connection with its socket and what is known of the socket's readiness.
#[derive(Debug)]
pub(super) struct Entry<S> {
    /// The socket.
    pub stream: S,
    /// The conversation.
    pub connection: Connection,
    /// A read may bring something.
    pub readable: bool,
    /// A write may be taken.
    pub writable: bool,
    /// The peer has finished, or the socket failed: read to the end.
    pub hangup: bool,
    /// The socket failed.
    pub failed: bool,
    /// In which queues its id is.
    pub standing: Standing,
}

// A socket is a descriptor.
const _: () = assert!(size_of::<Entry<u32>>() <= 120, "an idle connection is small");

/// A slab whose keys carry a generation: slab reuses them, and an event or a deferred effect may
/// outlive the connection it was meant for.
#[derive(Debug)]
pub(super) struct Registry<S> {
    entries: Slab<Entry<S>>,
    generations: Vec<u32>,
}

impl<S> Registry<S> {
    /// Without connections.
    pub fn new() -> Self {
        Self { entries: Slab::new(), generations: Vec::new() }
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without connections.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a connection in, made with the id that it will have.
    pub fn insert(&mut self, stream: S, connect: impl FnOnce(ConnId) -> Connection) -> ConnId {
        let vacant = self.entries.vacant_entry();
        let index = vacant.key();
        if index >= self.generations.len() {
            self.generations.resize(index + 1, 0);
        }
        let id = ConnId::new(index, self.generations[index]);
        vacant.insert(Entry {
            stream,
            connection: connect(id),
            readable: false,
            // A fresh socket has room; waiting to be told would cost a turn.
            writable: true,
            hangup: false,
            failed: false,
            standing: Standing::Parked,
        });
        id
    }

    /// The connection, unless it has ended.
    #[inline]
    pub fn get(&mut self, id: ConnId) -> Option<&mut Entry<S>> {
        let entry = self.entries.get_mut(id.index())?;
        id.is_of(self.generations[id.index()]).then_some(entry)
    }

    /// The id of whatever connection is in slot `index`.
    pub fn id_at(&self, index: usize) -> Option<ConnId> {
        let tenant = self.entries.contains(index);
        tenant.then(|| ConnId::new(index, self.generations[index]))
    }

    /// Takes a connection out; its id and all copies of it are void from here on.
    pub fn remove(&mut self, id: ConnId) -> Option<Entry<S>> {
        self.get(id)?;
        let index = id.index();
        self.generations[index] = self.generations[index].wrapping_add(1);
        Some(self.entries.remove(index))
    }

    /// All connections.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<S>> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// All ids there are.
    pub fn ids(&self) -> Vec<ConnId> {
        self.entries.iter().map(|(at, _)| ConnId::new(at, self.generations[at])).collect()
    }
}

impl<S> Default for Registry<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::tests::somebody;

    #[test]
    fn r09_a_reused_slot_does_not_answer_to_the_old_id() {
        let mut registry = Registry::new();
        let peer = somebody();
        let old = registry.insert("old", |id| Connection::new(id, peer, None));
        assert!(registry.remove(old).is_some());
        let new = registry.insert("new", |id| Connection::new(id, peer, None));
        assert_eq!(old.index(), new.index(), "slab reuses its keys");
        assert!(registry.get(old).is_none());
        assert!(registry.remove(old).is_none());
        assert_eq!(registry.get(new).map(|entry| entry.stream), Some("new"));
    }
}
