//! RFC 6455 once more, as plainly as it can be said: the whole input at once, byte after byte,
//! with copies wherever they are simple. The server has to agree with it.

use wsecho::ws::Fault;
use wsecho::ws::close::parse as parse_close;
use wsecho::ws::decoder::Bounds;

/// A frame as far as it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    /// It belongs to a text message.
    pub text: bool,
    /// Announced length of the payload.
    pub length: u64,
    /// What there is of the payload, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn is_whole(&self) -> bool {
        self.payload.len() as u64 == self.length
    }

    pub fn is_control(&self) -> bool {
        self.opcode >= 8
    }

    /// The head and payload of a server's frame with this frame's content.
    pub fn echo(&self) -> Vec<u8> {
        let opcode = if self.opcode == 9 { 10 } else { self.opcode };
        let mut out = vec![u8::from(self.fin) << 7 | opcode];
        match self.length {
            0..=125 => out.push(self.length as u8),
            126..=65_535 => {
                out.push(126);
                out.extend((self.length as u16).to_be_bytes());
            }
            _ => {
                out.push(127);
                out.extend(self.length.to_be_bytes());
            }
        }
        out.extend(&self.payload);
        out
    }
}

/// All frames of `input` and, if it breaks a rule, the first fault; the last frame is then the
/// one at fault, unless its head is.
pub fn frames(input: &[u8], bounds: &Bounds) -> (Vec<Frame>, Option<Fault>) {
    let mut reader = Reader { rest: input, bounds: *bounds, open: None, frames: Vec::new() };
    let fault = loop {
        match reader.frame() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(fault) => break Some(fault),
        }
    };
    (reader.frames, fault)
}

struct Reader<'a> {
    rest: &'a [u8],
    bounds: Bounds,
    open: Option<Message>,
    frames: Vec<Frame>,
}

struct Message {
    text: bool,
    bytes: u64,
    fragments: u32,
    words: Vec<u8>,
}

impl Reader<'_> {
    /// Reads one frame; false at the end of the input or in the middle of a frame.
    fn frame(&mut self) -> Result<bool, Fault> {
        let Some(&first) = self.rest.first() else { return Ok(false) };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
        self.judge_first(first, fin, opcode)?;
        let Some(&second) = self.rest.get(1) else { return Ok(false) };
        if second < 0x80 {
            return Err(Fault::Unmasked);
        }
        let short = second & 0x7F;
        if opcode >= 8 && short > 125 {
            return Err(Fault::LongControl);
        }
        let width = if short == 126 { 2 } else { 8 * usize::from(short == 127) };
        if width == 8 && self.rest.get(2).is_some_and(|&top| top >= 0x80) {
            return Err(Fault::LengthRange);
        }
        let Some(wide) = self.rest.get(2..2 + width) else { return Ok(false) };
        let mut length = u64::from(short);
        if width > 0 {
            length = wide.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        }
        if width == 2 && length < 126 || width == 8 && length < 65_536 {
            return Err(Fault::LengthForm);
        }
        let before = self.open.as_ref().map_or(0, |message| message.bytes);
        if opcode < 8 && before + length > self.bounds.message_bytes {
            return Err(Fault::TooLarge);
        }
        let head = 2 + width + 4;
        let Some(key) = self.rest.get(2 + width..head) else { return Ok(false) };
        let here = usize::try_from(length).unwrap_or(usize::MAX).min(self.rest.len() - head);
        let masked = &self.rest[head..head + here];
        let payload = masked.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        self.rest = &self.rest[head + here..];
        self.take(Frame { fin, opcode, text: false, length, payload })
    }

    fn judge_first(&self, first: u8, fin: bool, opcode: u8) -> Result<(), Fault> {
        if first & 0x70 != 0 {
            return Err(Fault::ReservedBits);
        }
        match (opcode, &self.open) {
            (3..=7 | 11..=15, _) => Err(Fault::ReservedOpcode),
            (8..=10, _) if !fin => Err(Fault::FragmentedControl),
            (0, None) => Err(Fault::Continuation),
            (1 | 2, Some(_)) => Err(Fault::Interleaved),
            (0, Some(message)) if message.fragments == self.bounds.fragments => {
                Err(Fault::TooManyFragments)
            }
            (1 | 2, None) if self.bounds.fragments == 0 => Err(Fault::TooManyFragments),
            _ => Ok(()),
        }
    }

    /// Notes the frame and judges its content.
    fn take(&mut self, mut frame: Frame) -> Result<bool, Fault> {
        if frame.is_control() {
            self.frames.push(frame.clone());
            if frame.opcode == 8 && frame.is_whole() {
                parse_close(&frame.payload)?;
            }
            return Ok(frame.is_whole());
        }
        let new = Message { text: frame.opcode == 1, bytes: 0, fragments: 0, words: Vec::new() };
        let message = self.open.get_or_insert(new);
        message.bytes += frame.length;
        message.fragments += 1;
        message.words.extend(&frame.payload);
        frame.text = message.text;
        let (whole, last) = (frame.is_whole(), frame.is_whole() && frame.fin);
        self.frames.push(frame);
        if message.text {
            match std::str::from_utf8(&message.words) {
                Err(error) if last || error.error_len().is_some() => return Err(Fault::Utf8),
                _ => {}
            }
        }
        if last {
            self.open = None;
        }
        Ok(whole)
    }
}
