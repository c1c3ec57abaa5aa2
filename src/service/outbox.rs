//! What services want to be told to other processes, until the bus takes it.

use std::rc::Rc;

use super::processes::{ProcessId, Word};
use crate::limits::BUS_TURN_BYTES_MAX;

/// How far what is said in a room reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This process is all there is.
    Here,
    /// The others cannot be reached for now.
    Cut,
    /// All processes.
    Everywhere,
}

/// Where services put what they want said, if there is anybody to be told.
#[derive(Debug, Default)]
pub struct Postbox(Option<Box<Outbox>>);

impl Postbox {
    /// There is somebody.
    pub fn with(outbox: Outbox) -> Self {
        Self(Some(Box::new(outbox)))
    }

    /// What waits.
    pub fn outbox(&mut self) -> Option<&mut Outbox> {
        self.0.as_deref_mut()
    }

    /// How far a room reaches now.
    pub fn reach(&self) -> Reach {
        match &self.0 {
            None => Reach::Here,
            Some(outbox) if outbox.connected => Reach::Everywhere,
            Some(_) => Reach::Cut,
        }
    }

    /// Who this process is for the others.
    pub fn own(&self) -> Option<ProcessId> {
        self.0.as_ref().map(|outbox| outbox.own)
    }

    /// As much waits as a turn may say.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|outbox| outbox.bytes >= BUS_TURN_BYTES_MAX)
    }

    /// Puts something in.
    #[inline]
    pub fn add(&mut self, service: &'static str, room: &Rc<str>, word: Option<&Word<'_>>) {
        if let Some(outbox) = &mut self.0 {
            outbox.add(service, Rc::clone(room), word);
        }
    }
}

/// What waits to be published, in order.
#[derive(Debug)]
pub struct Outbox {
    /// Who publishes it.
    pub own: ProcessId,
    /// The others can be reached.
    pub connected: bool,
    posts: Vec<Post>,
    /// Bytes of words in them.
    bytes: usize,
}

/// Something to be told to the others in a room.
#[derive(Debug)]
pub struct Post {
    /// Which service it is for: its path, without the slash.
    pub service: &'static str,
    /// Which room.
    pub room: Rc<str>,
    /// An encoded [`Word`]; `None` if nobody is left in the room here.
    pub word: Option<Vec<u8>>,
}

impl Outbox {
    /// Nothing waits.
    pub fn new(own: ProcessId) -> Self {
        Self { own, connected: false, posts: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, service: &'static str, room: Rc<str>, word: Option<&Word<'_>>) {
        let encode = |word: &Word<'_>| {
            let mut bytes = Vec::new();
            word.encode(&mut bytes);
            bytes
        };
        let word = word.map(encode);
        self.bytes += word.as_ref().map_or(0, Vec::len);
        self.posts.push(Post { service, room, word });
    }

    /// Takes all of it out.
    pub fn take(&mut self) -> Vec<Post> {
        self.bytes = 0;
        std::mem::take(&mut self.posts)
    }
}
