//! The socket between a supervisor and one of its workers.
//!
//! It is the worker's standard input, which nobody else can connect to, and which tells each side of
//! the end of the other. What is said is one packet: a letter, numbers, and maybe a descriptor.
//! Nothing waits: a packet for which there is no room is not sent.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
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
    /// To a worker: a listener, and the number of the address that it is for.
    Listen,
    /// To a worker: these were all. Most connections, and bytes of the budget.
    Begin,
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
    const ALL: [Self; 11] = [
        Self::Listen,
        Self::Begin,
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
    /// The descriptor that came with it.
    pub descriptor: Option<OwnedFd>,
}

impl Control {
    /// Both ends: ours, and the standard input of the other process.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        Ok((Self(ours), theirs))
    }

    /// The end that this process was started with.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_stdin() -> io::Result<Self> {
        Ok(Self(io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// Sends a packet. `WouldBlock` if there is no room for it.
    ///
    /// # Errors
    ///
    /// What the system says: the other side may be gone.
    pub fn send(
        &self,
        word: Word,
        numbers: &[u64],
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut bytes = vec![word as u8];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let descriptors = descriptor.as_slice();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            beside.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Says something of which nobody minds if it is not heard, because the other side is gone or
    /// does not listen.
    pub fn say(&self, word: Word, numbers: &[u64]) {
        let _ = self.send(word, numbers, None);
    }

    /// Takes the next packet; `None` at the end. `WouldBlock` if there is none yet.
    ///
    /// # Errors
    ///
    /// What the system says, or that the packet makes no sense.
    pub fn receive(&self) -> io::Result<Option<Packet>> {
        let mut bytes = [0; PACKET_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let slices = &mut [IoSliceMut::new(&mut bytes)];
        let count = recvmsg(&self.0, slices, &mut beside, RecvFlags::CMSG_CLOEXEC)?.bytes;
        let mut descriptor = None;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                descriptor = descriptors.last();
            }
        }
        let Some((letter, rest)) = bytes[..count].split_first() else { return Ok(None) };
        let word = Word::ALL.get(usize::from(*letter)).ok_or(io::ErrorKind::InvalidData)?;
        let numbers = rest.chunks_exact(8).map(|chunk| {
            let mut number = [0; 8];
            number.copy_from_slice(chunk);
            u64::from_le_bytes(number)
        });
        Ok(Some(Packet { word: *word, numbers: numbers.collect(), descriptor }))
    }

    /// As [`Self::receive`], and waits for it.
    ///
    /// # Errors
    ///
    /// As of [`Self::receive`].
    pub fn wait(&self) -> io::Result<Option<Packet>> {
        loop {
            match self.receive() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) {
                Err(rustix::io::Errno::INTR) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{ErrorKind, Read, Write};

    use super::*;

    fn pair() -> (Control, Control) {
        let (ours, theirs) = Control::pair().expect("sockets");
        (ours, Control(theirs))
    }

    #[test]
    fn what_is_said_is_heard_until_the_other_side_is_gone() {
        let (ours, theirs) = pair();
        assert_eq!(theirs.receive().expect_err("nothing").kind(), ErrorKind::WouldBlock);
        for (at, word) in Word::ALL.into_iter().enumerate() {
            assert_eq!(word as usize, at, "a letter is a place in the list");
            let numbers: Vec<u64> = (0..at as u64 * 40).map(|number| u64::MAX - number).collect();
            ours.say(word, &numbers);
            let packet = theirs.wait().expect("a packet").expect("not the end");
            assert_eq!((packet.word, packet.numbers), (word, numbers));
            assert!(packet.descriptor.is_none());
        }
        theirs.say(Word::Ready, &[]);
        drop(theirs);
        assert_eq!(ours.wait().expect("a packet").expect("the last one").word, Word::Ready);
        assert!(ours.wait().expect("the end").is_none());
    }

    #[test]
    fn a_descriptor_goes_along() {
        let (ours, theirs) = pair();
        let (mut reader, writer) = io::pipe().expect("a pipe");
        ours.send(Word::Listen, &[3], Some(writer.as_fd())).expect("sent");
        drop(writer);
        let packet = theirs.wait().expect("a packet").expect("not the end");
        assert_eq!((packet.word, packet.numbers), (Word::Listen, vec![3]));
        let mut file = File::from(packet.descriptor.expect("it came along"));
        file.write_all(b"hello").expect("somebody reads");
        drop(file);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "hello");
    }

    #[test]
    fn whoever_does_not_listen_keeps_nobody_waiting() {
        let (ours, _theirs) = pair();
        let full = (0..100_000).find_map(|_| ours.send(Word::Alive, &[], None).err());
        assert_eq!(full.expect("no room").kind(), ErrorKind::WouldBlock);
        ours.say(Word::Alive, &[]);
    }

    #[test]
    fn nonsense_is_an_error() {
        let (ours, theirs) = pair();
        rustix::io::write(&ours, &[Word::ALL.len() as u8]).expect("sent");
        assert_eq!(theirs.wait().expect_err("no word").kind(), ErrorKind::InvalidData);
    }
}
