//! Replies, made as the messages arrive.

use std::time::Duration;

use super::{Item, Script};
use crate::service::{Kind, Now};
use crate::ws::head::{First, Opcode, write_server_head};

/// A part of a data frame as it arrived, unmasked and, if it is text, valid.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// With the first part of a message: what kind it is.
    pub begins: Option<Kind>,
    /// The part is the first of its frame.
    pub starts: bool,
    /// It is the last of its frame.
    pub ends: bool,
    /// The frame is the last of its message.
    pub fin: bool,
    /// Length of the frame's payload.
    pub length: u64,
    /// This part of it.
    pub payload: &'a [u8],
}

/// The reply to the message that is arriving.
#[derive(Debug, Default)]
pub(super) struct QueuedReply {
    pub(super) due: Duration,
    kind: Option<Kind>,
    behind: String,
    /// The message does not stand in its reply.
    hides: bool,
    /// Payload that waits for its frame to be full.
    pub(super) held: Vec<u8>,
}

impl Script {
    /// Takes a part of a frame.
    pub fn data(&mut self, frame: Frame<'_>, now: Now) {
        if self.over {
            return;
        }
        let before = match frame.begins {
            Some(kind) if frame.starts => self.begin(kind, now),
            _ => String::new(),
        };
        let ends_message = frame.ends && frame.fin;
        let hides = self.reply.hides;
        if hides && !ends_message {
            return;
        }
        let behind =
            if ends_message { std::mem::take(&mut self.reply.behind) } else { String::new() };
        let payload = if hides { &[] } else { frame.payload };
        let mut bytes = Vec::with_capacity(16 + before.len() + payload.len() + behind.len());
        let ends_frame = match self.behaviour.fragment {
            Some(most) => {
                for part in [before.as_bytes(), payload, behind.as_bytes()] {
                    self.reply.held.extend_from_slice(part);
                }
                self.cut(most, ends_message, &mut bytes);
                true
            }
            None => {
                if hides {
                    push_head(&mut bytes, self.opcode(), true, behind.len() as u64);
                } else if frame.starts {
                    let tail =
                        if frame.fin { self.reply.behind.len().max(behind.len()) } else { 0 };
                    let length = frame.length + (before.len() + tail) as u64;
                    push_head(&mut bytes, self.opcode(), frame.fin, length);
                }
                for part in [before.as_bytes(), payload, behind.as_bytes()] {
                    bytes.extend_from_slice(part);
                }
                frame.ends
            }
        };
        let stride = self.behaviour.fragment.map_or(usize::MAX, stride);
        self.push(self.reply.due, bytes, ends_frame, stride);
        if ends_message && self.behaviour.after == Some(self.count) {
            let ends = self.behaviour.close.is_some() || self.behaviour.drop.is_some();
            if ends {
                self.queue.push_back(Item::End { due: self.reply.due });
                self.over = true;
            }
        }
    }

    /// Begins the reply to a message; returns what stands before the message in it.
    fn begin(&mut self, kind: Kind, now: Now) -> String {
        self.count += 1;
        let delay = self.behaviour.delay + self.behaviour.jitter.mul_f64(self.chance());
        self.last_due = self.last_due.max(now.monotonic + delay);
        self.reply.due = self.last_due;
        self.reply.kind = Some(kind);
        self.reply.hides = false;
        let template = self.behaviour.reply.as_ref().filter(|_| kind == Kind::Text);
        let Some(template) = template else { return String::new() };
        let (before, behind) = template.render(self.count, &self.facts, now);
        self.reply.hides = !template.has_message();
        if self.reply.hides {
            // There is nothing to stream: it is said when the message is over.
            self.reply.behind = before + &behind;
            return String::new();
        }
        self.reply.behind = behind;
        before
    }

    /// Makes frames of what is held: full ones, and when the message is over a last one.
    fn cut(&mut self, most: usize, ends_message: bool, bytes: &mut Vec<u8>) {
        if self.reply.held.len() <= most && !ends_message {
            return;
        }
        let held = std::mem::take(&mut self.reply.held);
        let mut rest = held.as_slice();
        while rest.len() > most {
            let (full, behind) = rest.split_at(most);
            push_head(bytes, self.opcode(), false, full.len() as u64);
            bytes.extend_from_slice(full);
            rest = behind;
        }
        if ends_message {
            push_head(bytes, self.opcode(), true, rest.len() as u64);
            bytes.extend_from_slice(rest);
        } else {
            self.reply.held = rest.to_vec();
        }
    }

    /// The opcode of the reply's next frame.
    fn opcode(&mut self) -> Opcode {
        match self.reply.kind.take() {
            Some(Kind::Text) => Opcode::Text,
            Some(Kind::Binary) => Opcode::Binary,
            None => Opcode::Continuation,
        }
    }
}

/// Length of a whole frame with this much payload.
fn stride(payload_bytes: usize) -> usize {
    let mut head = Vec::new();
    push_head(&mut head, Opcode::Continuation, false, payload_bytes as u64);
    head.len() + payload_bytes
}

/// Appends the head of a frame of ours.
pub(super) fn push_head(bytes: &mut Vec<u8>, opcode: Opcode, fin: bool, length: u64) {
    let mut head = [0; 10];
    let first = First { fin, compressed: false, opcode };
    let head_bytes = write_server_head(&mut head, first, length);
    bytes.extend_from_slice(&head[..head_bytes]);
}
