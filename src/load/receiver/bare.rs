//! What comes back from a bare TCP echo: the frames themselves, byte for byte. Nothing in them is
//! looked at, so that messages are counted where they were cut when they were sent.

use super::super::desk::Desk;
use super::super::errors::Kind;
use super::{Heard, Receiver};

impl Receiver {
    /// Reads on in a stream of bytes. Behind a wrong one nothing can be told apart any more.
    pub(super) fn feed_bare(&mut self, bytes: &[u8], in_flight: usize, desk: &mut Desk) -> Heard {
        let mut heard = Heard::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = in_flight - heard.messages;
            let script = &desk.script;
            if desk.verify && self.got == 0 {
                let (messages, length) = script.whole_echoes(self.position, left, rest);
                if messages > 0 {
                    self.echoed(messages, desk, &mut heard);
                    rest = &rest[length..];
                    continue;
                }
            }
            if left == 0 {
                let words = || format!("{} bytes that answer nothing", rest.len());
                desk.errors.add(Kind::Unsolicited, words);
                heard.broken = true;
                break;
            }
            let message = script.echo(self.position);
            let expected = &message[self.got..];
            let count = expected.len().min(rest.len());
            let (now, later) = rest.split_at(count);
            if desk.verify && now != &expected[..count] {
                let same = expected.iter().zip(now).take_while(|(a, b)| a == b).count();
                let (at, length, nth) = (self.got + same, message.len(), u64::from(self.past) + 1);
                let words = || format!("byte {at} of the {length} of message {nth} is wrong");
                desk.errors.add(Kind::Payload, words);
                heard.broken = true;
                break;
            }
            self.got += count;
            if count == expected.len() {
                self.got = 0;
                self.echoed(1, desk, &mut heard);
            }
            rest = later;
        }
        heard
    }

    #[inline]
    fn echoed(&mut self, messages: usize, desk: &Desk, heard: &mut Heard) {
        heard.payload_bytes += desk.script.payload_bytes(self.position, messages);
        heard.messages += messages;
        self.answered(messages, &desk.script);
    }
}
