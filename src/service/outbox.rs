//! What services want to be told to other processes, until the bus takes it.

use std::rc::Rc;

use super::processes::{ProcessId, Word};

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

/// What waits to be published, in order.
#[derive(Debug)]
pub struct Outbox {
    /// Who publishes it.
    pub own: ProcessId,
    /// The others can be reached.
    pub connected: bool,
    posts: Vec<Post>,
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
        Self { own, connected: false, posts: Vec::new() }
    }

    /// Puts something in.
    pub fn add(&mut self, service: &'static str, room: Rc<str>, word: Option<&Word<'_>>) {
        let encode = |word: &Word<'_>| {
            let mut bytes = Vec::new();
            word.encode(&mut bytes);
            bytes
        };
        self.posts.push(Post { service, room, word: word.map(encode) });
    }

    /// Takes all of it out.
    pub fn take(&mut self) -> Vec<Post> {
        std::mem::take(&mut self.posts)
    }
}
