//! A Redis in memory: as much of PUB/SUB as the link uses, on the network of all tests. It can be
//! slow, freeze, and cut connections.

use std::collections::BTreeSet;

use crate::net::{MemoryNet, Peer};

/// The whole server.
#[derive(Debug, Default)]
pub struct Broker {
    links: Vec<Link>,
    /// Who may come, if not everybody.
    pub password: Option<String>,
    /// It does nothing.
    pub frozen: bool,
    /// Bytes that it hands out at one time on one connection, and takes; all without it.
    pub step: Option<usize>,
    /// Messages that were published, each counted once.
    pub published: u64,
    /// Whether messages are kept, as they were handed out.
    pub keeps: bool,
    pub kept: Vec<Vec<u8>>,
    /// What this node says nobody else hears, nor it what others say, and no link breaks.
    pub parted: Option<usize>,
    /// Greetings that it has answered.
    pub greeted: u64,
}

#[derive(Debug)]
struct Link {
    peer: Peer,
    node: usize,
    heard: Vec<u8>,
    to_say: Vec<u8>,
    channels: BTreeSet<Vec<u8>>,
    welcome: bool,
}

impl Broker {
    /// Goes on by a step. True if there was something to do.
    pub fn serve(&mut self, nets: &[MemoryNet]) -> bool {
        for (node, net) in nets.iter().enumerate() {
            for peer in std::mem::take(&mut net.core().outbound) {
                let (heard, to_say, channels) = (Vec::new(), Vec::new(), BTreeSet::new());
                self.links.push(Link { peer, node, heard, to_say, channels, welcome: false });
            }
        }
        self.links.retain(|link| {
            let wire = link.peer.wire();
            !wire.dropped && !wire.reset
        });
        if self.frozen {
            return false;
        }
        let step = self.step.unwrap_or(usize::MAX);
        let mut busy = false;
        for at in 0..self.links.len() {
            let bytes = self.links[at].peer.wire().down.draw(step);
            busy |= !bytes.is_empty();
            self.links[at].heard.extend(bytes);
            while let Some((command, length)) = parse(&self.links[at].heard) {
                self.links[at].heard.drain(..length);
                self.obey(at, &command);
            }
        }
        for link in &mut self.links {
            let count = link.to_say.len().min(step);
            link.peer.send(&link.to_say[..count]);
            link.to_say.drain(..count);
            busy |= count > 0;
        }
        busy
    }

    fn obey(&mut self, at: usize, command: &[Vec<u8>]) {
        let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        let welcome = self.links[at].welcome;
        let answer = match (words[0], welcome) {
            (b"HELLO", _) => {
                let password = words.get(4).map(|word| String::from_utf8_lossy(word).into_owned());
                if self.password.is_some() && password != self.password {
                    b"-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_vec()
                } else {
                    self.links[at].welcome = true;
                    self.greeted += 1;
                    b"%1\r\n$5\r\nproto\r\n:3\r\n".to_vec()
                }
            }
            (_, false) => b"-NOAUTH Authentication required.\r\n".to_vec(),
            (b"SUBSCRIBE", _) => {
                self.links[at].channels.insert(words[1].to_vec());
                push(&[b"subscribe", words[1]], Some(1))
            }
            (b"UNSUBSCRIBE", _) => {
                self.links[at].channels.remove(words[1]);
                push(&[b"unsubscribe", words[1]], Some(0))
            }
            (b"PUBLISH", _) => {
                self.published += 1;
                let message = push(&[b"message", words[1], words[2]], None);
                if self.keeps {
                    self.kept.push(message.clone());
                }
                let mut count = 0;
                let (parted, node) = (self.parted, self.links[at].node);
                let side = |node: usize| parted == Some(node);
                for link in &mut self.links {
                    if link.channels.contains(words[1]) && side(link.node) == side(node) {
                        count += 1;
                        link.to_say.extend(&message);
                    }
                }
                format!(":{count}\r\n").into()
            }
            (b"PING", _) => b"+PONG\r\n".to_vec(),
            (other, _) => format!("-ERR unknown command {other:?}\r\n").into(),
        };
        self.links[at].to_say.extend(answer);
    }

    /// Cuts the connections of a node. What is on its way is lost.
    pub fn cut(&mut self, node: usize) {
        self.links.iter().filter(|link| link.node == node).for_each(|link| link.peer.reset());
    }

    /// Channels that somebody of a node listens to.
    pub fn channels(&self, node: usize) -> BTreeSet<String> {
        let links = self.links.iter().filter(|link| link.node == node);
        let channels = links.flat_map(|link| &link.channels);
        channels.map(|channel| String::from_utf8_lossy(channel).into_owned()).collect()
    }

    /// From here on a node's connection takes no more than so many bytes.
    pub fn narrow(&mut self, node: usize, room: usize) {
        let links = self.links.iter().filter(|link| link.node == node);
        links.for_each(|link| link.peer.set_room(room));
    }

    /// Says something to a node that was not asked for.
    pub fn say(&mut self, node: usize, bytes: &[u8]) {
        let links = self.links.iter_mut().filter(|link| link.node == node);
        links.for_each(|link| link.to_say.extend(bytes));
    }
}

fn push(parts: &[&[u8]], number: Option<u64>) -> Vec<u8> {
    let mut out = format!(">{}\r\n", parts.len() + usize::from(number.is_some())).into_bytes();
    for part in parts {
        out.extend(format!("${}\r\n", part.len()).bytes());
        out.extend_from_slice(part);
        out.extend(b"\r\n");
    }
    number.into_iter().for_each(|number| out.extend(format!(":{number}\r\n").bytes()));
    out
}

/// A whole command, and how long it was.
fn parse(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut at = 0;
    let number = |at: &mut usize, mark: u8| -> Option<usize> {
        let line = &bytes[*at..];
        let end = line.windows(2).position(|two| two == b"\r\n")?;
        assert_eq!(line[0], mark, "commands are arrays of strings");
        *at += end + 2;
        Some(std::str::from_utf8(&line[1..end]).expect("digits").parse().expect("a number"))
    };
    let count = number(&mut at, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = number(&mut at, b'$')?;
        words.push(bytes.get(at..at + length)?.to_vec());
        at += length + 2;
        bytes.get(at - 1)?;
    }
    Some((words, at))
}
