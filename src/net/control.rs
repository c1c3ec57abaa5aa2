//! The socket between a supervisor and one of its workers.
//!
//! Nobody else can connect to it, and its end tells each side of the end of the other. What is said
//! is one packet: a letter, and numbers. Nothing waits: a packet for which there is no room is not
//! sent.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

/// Longest packet: a few hundred numbers.
const PACKET_BYTES_MAX: usize = 4096;

/// One end.
#[derive(Debug)]
pub struct Control(OwnedFd);

/// What a packet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    /// To a worker: drain.
    Drain,
    /// To a worker: end now.
    Cut,
    /// To a worker: reload files.
    Reload,
    /// To a worker: what has it counted?
    Count,
    /// To a worker: what all have counted.
    Sum,
    /// Of a worker: it serves; or has reloaded its files.
    Ready,
    /// Of a worker: its loop turns.
    Alive,
    /// Of a worker: what it has counted.
    Counted,
    /// Of a worker: what have all counted?
    SumWanted,
}

impl Word {
    const ALL: [Self; 9] = [
        Self::Drain,
        Self::Cut,
        Self::Reload,
        Self::Count,
        Self::Sum,
        Self::Ready,
        Self::Alive,
        Self::Counted,
        Self::SumWanted,
    ];
}

/// What one side hears of the other.
#[derive(Debug)]
pub struct Packet {
    /// What it is about.
    pub word: Word,
    /// What belongs to it.
    pub numbers: Vec<u64>,
}

impl Control {
    /// Both ends.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let (one, other) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Says something. It is lost, and false, if the other side is gone, or has not listened for
    /// long.
    pub fn say(&self, word: Word, numbers: &[u64]) -> bool {
        let mut bytes = vec![word as u8];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        send(&self.0, &bytes, SendFlags::NOSIGNAL).is_ok()
    }

    /// Takes the next packet; `None` at the end. `WouldBlock` if there is none yet.
    ///
    /// # Errors
    ///
    /// What the system says, or that the packet makes no sense.
    pub fn receive(&self) -> io::Result<Option<Packet>> {
        let mut bytes = [0; PACKET_BYTES_MAX];
        let (count, _) = recv(&self.0, &mut bytes[..], RecvFlags::empty())?;
        let Some((letter, rest)) = bytes[..count].split_first() else { return Ok(None) };
        let word = Word::ALL.get(usize::from(*letter)).ok_or(io::ErrorKind::InvalidData)?;
        let numbers = rest.chunks_exact(8).map(|chunk| {
            let mut number = [0; 8];
            number.copy_from_slice(chunk);
            u64::from_le_bytes(number)
        });
        Ok(Some(Packet { word: *word, numbers: numbers.collect() }))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn what_is_said_is_heard_until_the_other_side_is_gone() {
        let (ours, theirs) = Control::pair().expect("sockets");
        assert_eq!(theirs.receive().expect_err("nothing").kind(), ErrorKind::WouldBlock);
        for (at, word) in Word::ALL.into_iter().enumerate() {
            assert_eq!(word as usize, at, "a letter is a place in the list");
            let numbers: Vec<u64> = (0..at as u64 * 50).map(|number| u64::MAX - number).collect();
            ours.say(word, &numbers);
            let packet = theirs.receive().expect("a packet").expect("not the end");
            assert_eq!((packet.word, packet.numbers), (word, numbers));
        }
        theirs.say(Word::Ready, &[]);
        drop(theirs);
        assert_eq!(ours.receive().expect("a packet").expect("the last one").word, Word::Ready);
        assert!(ours.receive().expect("the end").is_none());
        ours.say(Word::Drain, &[]);
    }

    #[test]
    fn whoever_does_not_listen_keeps_nobody_waiting() {
        let (ours, theirs) = Control::pair().expect("sockets");
        let said = (0..100_000).filter(|_| ours.say(Word::Alive, &[])).count();
        let heard = (0..100_000).take_while(|_| theirs.receive().is_ok()).count();
        assert!((100..100_000).contains(&heard), "{heard}");
        assert_eq!(said, heard, "it knows what was lost");
    }

    #[test]
    fn nonsense_is_an_error() {
        let (ours, theirs) = Control::pair().expect("sockets");
        rustix::io::write(&ours, &[Word::ALL.len() as u8]).expect("sent");
        assert_eq!(theirs.receive().expect_err("no word").kind(), ErrorKind::InvalidData);
    }
}
