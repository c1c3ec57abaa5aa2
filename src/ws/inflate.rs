//! The validating inflater: is this the message that permessage-deflate says it is, and what does
//! it inflate to (RFC 7692 §7.2.2)?
//!
//! The echo goes out compressed as it came in. What comes out here is looked at, counted and thrown
//! away, a scratch buffer at a time, so no message costs more memory than another.
//!
//! There are two engines behind it. Nearly every connection agrees to the full window of 32 KiB,
//! and zlib-rs is the fastest at that, by far so for short messages. It cannot hold a peer to a
//! smaller window though: like every zlib it lets a distance reach back over the whole of what one
//! call has written, so whether a stream is valid would hang on how it was cut into reads.
//! miniz_oxide inflates into a ring that is exactly as long as the window, and sees every distance
//! that leaves it. The few connections with a smaller window get that.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit};
use zlib_rs::{Inflate, InflateFlush, Status};

use super::deflate::WindowBits;

/// The message is not valid DEFLATE, ends before its last block does, or reaches back beyond its
/// window or its beginning. For a WebSocket: 1007. The inflater must be reset before its next use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// What one [`Inflater::step`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that were taken, from its front.
    pub consumed: usize,
    /// Bytes that were put into the scratch buffer, from its front.
    pub produced: usize,
    /// All input was consumed and nothing is left to come out of it.
    pub drained: bool,
}

/// Inflates messages, one after the other, in pieces of any size.
///
/// Holds 47 KiB for the full window and 27 KiB for every smaller one, allocated by
/// [`new`](Self::new), or by [`reset`](Self::reset) where it goes from the one to the other.
/// Nothing else allocates.
pub struct Inflater {
    engine: Engine,
    /// The last byte consumed was the end of a block with BFINAL set.
    after_final_block: bool,
}

impl Inflater {
    /// An inflater with an empty window.
    pub fn new(window: WindowBits) -> Self {
        Self { engine: Engine::new(window), after_final_block: false }
    }

    /// Forgets the window and whatever was going on: what comes next is the start of a message
    /// that refers to no other. Without context takeover that is due before every message.
    pub fn reset(&mut self, window: WindowBits) {
        self.after_final_block = false;
        match &mut self.engine {
            Engine::Wide(inflate) if window == WindowBits::MAX => inflate.reset(false),
            Engine::Narrow(ring) if window < WindowBits::MAX => ring.reset(window),
            _ => self.engine = Engine::new(window),
        }
    }

    /// Inflates from the front of `input` into `scratch`, until one of them is used up or the step
    /// has taken its share of the input: a step is what a budget may count, whatever the peer sent.
    ///
    /// The payload of a message is fed by any number of steps; before [`finish`](Self::finish) the
    /// last of them must have `drained` it, with an empty `input` if need be.
    ///
    /// Inside a message a block with BFINAL set ends one DEFLATE stream and the next byte starts
    /// another (RFC 7692 §7.2.3.4). That one has an empty window: a compressor that ended its
    /// stream has forgotten it, and inflaters at the other side forget theirs.
    ///
    /// # Panics
    ///
    /// If `scratch` is empty.
    pub fn step(&mut self, input: &[u8], scratch: &mut [u8]) -> Result<Step, Corrupt> {
        assert!(!scratch.is_empty());
        let share = &input[..input.len().min(self.engine.input_bytes_max())];
        let (mut consumed, mut produced) = (0, 0);
        loop {
            let turn = self.engine.inflate(&share[consumed..], &mut scratch[produced..])?;
            consumed += turn.consumed;
            produced += turn.produced;
            if turn.stream_ended {
                self.engine.restart();
                self.after_final_block = true;
            } else if turn.consumed > 0 {
                self.after_final_block = false;
            }
            let used_up = consumed == share.len() || produced == scratch.len();
            if used_up || !turn.stream_ended {
                let drained = consumed == input.len() && produced < scratch.len();
                return Ok(Step { consumed, produced, drained });
            }
        }
    }

    /// Ends a message. RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of
    /// the payload of the message." They are the rest of an empty stored block whose header the
    /// payload ended with (§7.2.1); if the last block does not end with them, it never ends.
    ///
    /// A payload that ends with a whole final block instead is let pass. §7.2.1 asks for an empty
    /// block behind that one, but a compressor that forgets it is still understood by all.
    ///
    /// With context takeover the window stays as it is for the message to come.
    pub fn finish(&mut self) -> Result<(), Corrupt> {
        if self.after_final_block {
            self.after_final_block = false;
            return Ok(());
        }
        self.engine.end_message()
    }
}

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What one call of an engine did, in bytes.
struct Turn {
    consumed: usize,
    produced: usize,
    /// A block with BFINAL set ended at the last byte consumed.
    stream_ended: bool,
}

enum Engine {
    Wide(Inflate),
    Narrow(Box<Ring>),
}

impl Engine {
    fn new(window: WindowBits) -> Self {
        if window == WindowBits::MAX {
            Self::Wide(Inflate::new(false, window.bits()))
        } else {
            Self::Narrow(Box::new(Ring::new(window)))
        }
    }

    /// How much input one step takes. What it costs is not so much what comes out of it as the
    /// blocks in it, which may be empty, and for each of which tables are built: of the worst input
    /// a byte costs 0.1 us in zlib-rs and 2 us in miniz_oxide, so that a step stays below 0.5 ms on
    /// a machine that inflates 1 KiB of JSON in 3 us.
    fn input_bytes_max(&self) -> usize {
        match self {
            Self::Wide(_) => 4096,
            Self::Narrow(_) => 128,
        }
    }

    /// Starts a new stream with the same, now empty, window.
    fn restart(&mut self) {
        match self {
            // zlib-rs resets to its default window, which is the full one.
            Self::Wide(inflate) => inflate.reset(false),
            Self::Narrow(ring) => ring.reset(ring.window),
        }
    }

    /// Goes on until `input` or `scratch` is used up, or the stream ends.
    fn inflate(&mut self, input: &[u8], scratch: &mut [u8]) -> Result<Turn, Corrupt> {
        match self {
            Self::Wide(inflate) => inflate_wide(inflate, input, scratch, InflateFlush::NoFlush),
            Self::Narrow(ring) => ring.inflate(input, scratch),
        }
    }

    /// Feeds [`TAIL`], which has to end a block, exactly, and to hold nothing else.
    fn end_message(&mut self) -> Result<(), Corrupt> {
        let (ends_block, stream_ended) = match self {
            Self::Wide(inflate) => {
                // zlib does not say where it stands, but asked to stop at the end of a block it
                // does: then, and only then, the byte behind the tail is left alone.
                let [a, b, c, d] = TAIL;
                let behind = 0;
                let tail = [a, b, c, d, behind];
                let turn = inflate_wide(inflate, &tail, &mut [0], InflateFlush::Block)?;
                let ends_block = turn.consumed == TAIL.len() && turn.produced == 0;
                // It stops before it looks whether that block was the final one.
                let next = inflate_wide(inflate, &[], &mut [0], InflateFlush::NoFlush)?;
                (ends_block, next.stream_ended)
            }
            Self::Narrow(ring) => {
                let (status, consumed, produced) =
                    ring.decompress(&TAIL, 1, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY);
                let stream_ended = status == TINFLStatus::Done;
                let ends_block = stream_ended || status == TINFLStatus::BlockBoundary;
                (ends_block && consumed == TAIL.len() && produced == 0, stream_ended)
            }
        };
        if stream_ended {
            self.restart();
        }
        if ends_block { Ok(()) } else { Err(Corrupt) }
    }
}

fn inflate_wide(
    inflate: &mut Inflate,
    input: &[u8],
    scratch: &mut [u8],
    flush: InflateFlush,
) -> Result<Turn, Corrupt> {
    // zlib-rs counts in totals since its reset. Their differences fit the slices they are of.
    let (total_in, total_out) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, scratch, flush).map_err(|_| Corrupt)?;
    let since = |before, now: u64| usize::try_from(now - before).map_err(|_| Corrupt);
    Ok(Turn {
        consumed: since(total_in, inflate.total_in())?,
        produced: since(total_out, inflate.total_out())?,
        stream_ended: status == Status::StreamEnd,
    })
}

/// A window below the full one, inflated into in circles.
struct Ring {
    state: DecompressorOxide,
    window: WindowBits,
    /// As long as the longest of these windows; the first `window.bytes()` are in use.
    bytes: [u8; Ring::BYTES_MAX],
    /// Where the next byte goes, below `window.bytes()`.
    position: usize,
    /// The window is full: what lies behind `position` is its older part, not an older stream.
    full: bool,
}

impl Ring {
    const BYTES_MAX: usize = 1 << 14;

    fn new(window: WindowBits) -> Self {
        let bytes = [0; Self::BYTES_MAX];
        Self { state: DecompressorOxide::new(), window, bytes, position: 0, full: false }
    }

    /// What is in the ring stays there, out of reach.
    fn reset(&mut self, window: WindowBits) {
        self.state.init();
        self.window = window;
        self.position = 0;
        self.full = false;
    }

    fn inflate(&mut self, input: &[u8], scratch: &mut [u8]) -> Result<Turn, Corrupt> {
        let mut turn = Turn { consumed: 0, produced: 0, stream_ended: false };
        loop {
            let start = self.position;
            let room = scratch.len() - turn.produced;
            let (status, consumed, produced) = self.decompress(&input[turn.consumed..], room, 0);
            scratch[turn.produced..][..produced]
                .copy_from_slice(&self.bytes[start..start + produced]);
            turn.consumed += consumed;
            turn.produced += produced;
            match status {
                TINFLStatus::Done => turn.stream_ended = true,
                TINFLStatus::NeedsMoreInput => {}
                // At the end of the ring, but not of the scratch buffer.
                TINFLStatus::HasMoreOutput if produced > 0 && produced < room => continue,
                TINFLStatus::HasMoreOutput => {}
                _ => return Err(Corrupt),
            }
            return Ok(turn);
        }
    }

    /// Writes at most `room` bytes, and never past the end of the ring.
    fn decompress(&mut self, input: &[u8], room: usize, flags: u32) -> (TINFLStatus, usize, usize) {
        // Until the first round is over the ring is a plain buffer, and a distance beyond its start
        // is one beyond the start of the stream.
        let wrap = if self.full { 0 } else { TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF };
        let (status, consumed, produced) = decompress_with_limit(
            &mut self.state,
            input,
            &mut self.bytes[..self.window.bytes()],
            self.position,
            room,
            flags | wrap | TINFL_FLAG_HAS_MORE_INPUT,
        );
        self.position += produced;
        if self.position == self.window.bytes() {
            self.position = 0;
            self.full = true;
        }
        (status, consumed, produced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoder that is obviously right: one bit at a time, the whole message at hand, all output
    /// kept (RFC 1951; code sets are judged as zlib judges them).
    mod naive {
        use super::{Corrupt, TAIL};

        struct Bits<'a> {
            bytes: &'a [u8],
            position: usize,
        }

        impl Bits<'_> {
            fn take(&mut self, count: usize) -> Result<usize, Corrupt> {
                let mut value = 0;
                for place in 0..count {
                    let byte = self.bytes.get(self.position / 8).ok_or(Corrupt)?;
                    value |= usize::from(byte >> (self.position % 8) & 1) << place;
                    self.position += 1;
                }
                Ok(value)
            }

            fn align(&mut self) {
                self.position = self.position.next_multiple_of(8);
            }
        }

        /// A canonical code: how many codes there are of each length, and their symbols in order.
        struct Code {
            counts: [usize; 16],
            symbols: Vec<usize>,
        }

        impl Code {
            fn new(lengths: &[usize]) -> Self {
                let mut counts = [0; 16];
                lengths.iter().for_each(|&len| counts[len] += 1);
                counts[0] = 0;
                let mut symbols: Vec<_> = (0..lengths.len()).filter(|&s| lengths[s] > 0).collect();
                symbols.sort_by_key(|&symbol| lengths[symbol]);
                Self { counts, symbols }
            }

            /// Every sequence of bits is a code.
            fn complete(self) -> Result<Self, Corrupt> {
                let sum: usize = (1..16).map(|len| self.counts[len] << (15 - len)).sum();
                if sum == 1 << 15 { Ok(self) } else { Err(Corrupt) }
            }

            /// Or there is at most one code, of one bit.
            fn complete_or_single(self) -> Result<Self, Corrupt> {
                let single = self.symbols.len() == self.counts[1] && self.counts[1] < 2;
                if single { Ok(self) } else { self.complete() }
            }

            fn decode(&self, bits: &mut Bits) -> Result<usize, Corrupt> {
                let (mut code, mut first, mut index) = (0, 0, 0);
                for count in &self.counts[1..] {
                    code |= bits.take(1)?;
                    if code < first + count {
                        return Ok(self.symbols[index + code - first]);
                    }
                    index += count;
                    first = (first + count) << 1;
                    code <<= 1;
                }
                Err(Corrupt)
            }
        }

        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

        fn dynamic(bits: &mut Bits) -> Result<(Code, Code), Corrupt> {
            let literals = bits.take(5)? + 257;
            let distances = bits.take(5)? + 1;
            let count = bits.take(4)? + 4;
            if literals > 286 || distances > 30 {
                return Err(Corrupt);
            }
            let mut lengths = [0; 19];
            for &symbol in &ORDER[..count] {
                lengths[symbol] = bits.take(3)?;
            }
            let code = Code::new(&lengths).complete()?;
            let mut lengths: Vec<usize> = Vec::new();
            while lengths.len() < literals + distances {
                let (value, repeat) = match code.decode(bits)? {
                    16 => (*lengths.last().ok_or(Corrupt)?, 3 + bits.take(2)?),
                    17 => (0, 3 + bits.take(3)?),
                    18 => (0, 11 + bits.take(7)?),
                    len => (len, 1),
                };
                lengths.extend(std::iter::repeat_n(value, repeat));
            }
            if lengths.len() > literals + distances || lengths[256] == 0 {
                return Err(Corrupt);
            }
            let (literals, distances) = lengths.split_at(literals);
            let literals = Code::new(literals).complete_or_single()?;
            Ok((literals, Code::new(distances).complete_or_single()?))
        }

        fn fixed() -> (Code, Code) {
            let lengths: Vec<usize> = (0..288)
                .map(|symbol| match symbol {
                    144..=255 => 9,
                    256..=279 => 7,
                    _ => 8,
                })
                .collect();
            (Code::new(&lengths), Code::new(&[5; 30]))
        }

        /// Base and extra bits of a length code, less 257, or of a distance code.
        fn with_extra(bits: &mut Bits, symbol: usize, per: usize) -> Result<usize, Corrupt> {
            let extra = (symbol / per).saturating_sub(1);
            let base = if extra == 0 { symbol } else { (per + symbol % per) << extra };
            Ok(base + bits.take(extra)?)
        }

        fn block(
            bits: &mut Bits,
            (literals, distances): (Code, Code),
            window: usize,
            out: &mut Vec<u8>,
            stream_start: usize,
        ) -> Result<(), Corrupt> {
            loop {
                match literals.decode(bits)? {
                    literal @ 0..256 => out.push(u8::try_from(literal).unwrap()),
                    256 => return Ok(()),
                    285 => copy(bits, &distances, 258, window, out, stream_start)?,
                    symbol @ 257..285 => {
                        let len = 3 + with_extra(bits, symbol - 257, 4)?;
                        copy(bits, &distances, len, window, out, stream_start)?;
                    }
                    _ => return Err(Corrupt),
                }
            }
        }

        fn copy(
            bits: &mut Bits,
            distances: &Code,
            len: usize,
            window: usize,
            out: &mut Vec<u8>,
            stream_start: usize,
        ) -> Result<(), Corrupt> {
            let symbol = distances.decode(bits)?;
            if symbol > 29 {
                return Err(Corrupt);
            }
            let distance = 1 + with_extra(bits, symbol, 2)?;
            if distance > window.min(out.len() - stream_start) {
                return Err(Corrupt);
            }
            for _ in 0..len {
                out.push(out[out.len() - distance]);
            }
            Ok(())
        }

        /// One message without context takeover.
        pub fn inflate(payload: &[u8], window: usize) -> Result<Vec<u8>, Corrupt> {
            let bytes = [payload, &TAIL].concat();
            let mut bits = Bits { bytes: &bytes, position: 0 };
            let mut out = Vec::new();
            let mut stream_start = 0;
            while bits.position < bytes.len() * 8 {
                let last = bits.take(1)?;
                match bits.take(2)? {
                    0 => {
                        bits.align();
                        let len = bits.take(16)?;
                        if len ^ 0xffff != bits.take(16)? {
                            return Err(Corrupt);
                        }
                        for _ in 0..len {
                            out.push(u8::try_from(bits.take(8)?).unwrap());
                        }
                        // Not the tail, if the tail was inside the block.
                        if len > 0 && bits.position > payload.len() * 8 {
                            return Err(Corrupt);
                        }
                    }
                    1 => block(&mut bits, fixed(), window, &mut out, stream_start)?,
                    2 => {
                        let codes = dynamic(&mut bits)?;
                        block(&mut bits, codes, window, &mut out, stream_start)?;
                    }
                    _ => return Err(Corrupt),
                }
                if last == 1 {
                    bits.align();
                    stream_start = out.len();
                    if bits.position == payload.len() * 8 {
                        return Ok(out);
                    }
                }
            }
            Ok(out)
        }
    }

    /// DEFLATE written bit by bit, so that it may say what no compressor says.
    #[derive(Default)]
    struct Writer {
        bytes: Vec<u8>,
        bits: usize,
    }

    impl Writer {
        fn put(&mut self, value: usize, count: usize) -> &mut Self {
            for place in 0..count {
                if self.bits % 8 == 0 {
                    self.bytes.push(0);
                }
                let bit = u8::from(value >> place & 1 == 1);
                *self.bytes.last_mut().unwrap() |= bit << (self.bits % 8);
                self.bits += 1;
            }
            self
        }

        fn stored(&mut self, bytes: &[u8]) -> &mut Self {
            let len = u16::try_from(bytes.len()).unwrap();
            self.put(0, 3);
            self.bits = self.bits.next_multiple_of(8);
            self.put(usize::from(len), 16).put(usize::from(!len), 16);
            for &byte in bytes {
                self.put(usize::from(byte), 8);
            }
            self
        }

        /// A fixed block that is nothing but a match of three bytes.
        fn matched(&mut self, distance: usize) -> &mut Self {
            let (symbol, extra, rest) = distance_code(distance);
            self.put(0b010, 3).put(0b100_0000, 7).put(reversed(symbol, 5), 5).put(rest, extra);
            self.put(0, 7)
        }

        /// The payload: ends with the header of an empty stored block.
        fn payload(&mut self) -> Vec<u8> {
            self.put(0, 3);
            std::mem::take(self).bytes
        }
    }

    /// RFC 1951 §3.2.5: symbol, number of extra bits, their value.
    fn distance_code(distance: usize) -> (usize, usize, usize) {
        let less = distance - 1;
        if less < 4 {
            return (less, 0, 0);
        }
        let extra = less.ilog2() as usize - 1;
        (2 * extra + (less >> extra), extra, less & ((1 << extra) - 1))
    }

    fn reversed(value: usize, count: usize) -> usize {
        (0..count).fold(0, |out, place| out << 1 | value >> place & 1)
    }

    fn windows() -> impl Iterator<Item = WindowBits> {
        (8..=15).map(|bits| WindowBits::new(bits).unwrap())
    }

    /// Feeds the parts of one message and ends it.
    fn feed(
        inflater: &mut Inflater,
        parts: &[&[u8]],
        scratch_len: usize,
    ) -> Result<Vec<u8>, Corrupt> {
        let mut scratch = vec![0; scratch_len];
        let mut out = Vec::new();
        for part in parts {
            let mut rest = *part;
            loop {
                let step = inflater.step(rest, &mut scratch)?;
                out.extend_from_slice(&scratch[..step.produced]);
                rest = &rest[step.consumed..];
                if step.drained {
                    assert!(rest.is_empty());
                    break;
                }
                assert!(step.consumed + step.produced > 0, "a step that does nothing, for ever");
            }
        }
        inflater.finish()?;
        Ok(out)
    }

    /// Inflates one message whole, in every two parts, and byte by byte; with scratch buffers of
    /// several sizes. All must agree.
    fn any_way(payload: &[u8], window: WindowBits) -> Result<Vec<u8>, Corrupt> {
        let mut inflater = Inflater::new(window);
        let mut one = |parts: &[&[u8]], scratch_len| {
            inflater.reset(window);
            feed(&mut inflater, parts, scratch_len)
        };
        let whole = one(&[payload], 4096);
        for scratch_len in [1, 2, 7, 255, 256, 65536] {
            assert_eq!(one(&[payload], scratch_len), whole, "scratch of {scratch_len}");
        }
        let bytes: Vec<&[u8]> = payload.chunks(1).collect();
        assert_eq!(one(&bytes, 4096), whole, "byte by byte");
        assert_eq!(one(&bytes, 1), whole, "byte by byte, both ways");
        for middle in 0..=payload.len() {
            let (left, right) = payload.split_at(middle);
            assert_eq!(one(&[left, right], 300), whole, "split at {middle}");
        }
        whole
    }

    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

    /// RFC 7692 §7.2.3.1, §7.2.3.3 to §7.2.3.6, byte for byte.
    #[test]
    fn d09_examples_of_the_rfc() {
        const TABLE: &[(&str, &[u8], &[u8])] = &[
            ("7.2.3.1 one block", HELLO, b"Hello"),
            (
                "7.2.3.3 no compression",
                &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
                b"Hello",
            ),
            ("7.2.3.4 BFINAL", &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], b"Hello"),
            (
                "7.2.3.5 two blocks",
                &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
                b"Hello",
            ),
            ("7.2.3.6 empty", &[0x00], b""),
        ];
        for &(name, payload, expected) in TABLE {
            for window in windows() {
                assert_eq!(any_way(payload, window).as_deref(), Ok(expected), "{name}");
            }
            assert_eq!(naive::inflate(payload, 1 << 15).as_deref(), Ok(expected), "{name}");
        }
    }

    /// RFC 7692 §7.2.3.2: the second message refers to the first; without it, it is corrupt.
    #[test]
    fn d13_sharing_the_window() {
        const AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
        for window in windows() {
            let mut inflater = Inflater::new(window);
            assert_eq!(feed(&mut inflater, &[HELLO], 64).as_deref(), Ok(&b"Hello"[..]));
            for _ in 0..1000 {
                assert_eq!(feed(&mut inflater, &[AGAIN], 64).as_deref(), Ok(&b"Hello"[..]));
                assert_eq!(feed(&mut inflater, &[&[0]], 64).as_deref(), Ok(&b""[..]));
            }
            inflater.reset(window);
            assert_eq!(feed(&mut inflater, &[AGAIN], 64), Err(Corrupt));
            assert_eq!(any_way(AGAIN, window), Err(Corrupt));
        }
    }

    /// The window belongs to the connection: a reset changes it and both engines start anew.
    #[test]
    fn d13_reset_between_windows() {
        let mut inflater = Inflater::new(WindowBits::MAX);
        let mut beyond_512 = Writer::default().stored(&[1; 600]).matched(513).payload();
        for window in windows().chain(windows().collect::<Vec<_>>().into_iter().rev()) {
            inflater.reset(window);
            assert_eq!(feed(&mut inflater, &[HELLO], 64).as_deref(), Ok(&b"Hello"[..]));
            inflater.reset(window);
            let fits = window.bytes() > 512;
            assert_eq!(feed(&mut inflater, &[&beyond_512], 64).is_ok(), fits, "{window:?}");
        }
        // After a fault, too, and in the middle of a message.
        beyond_512.truncate(300);
        for window in windows() {
            inflater.reset(window);
            assert!(inflater.step(&beyond_512, &mut [0; 64]).is_ok());
            inflater.reset(window);
            assert_eq!(feed(&mut inflater, &[HELLO], 64).as_deref(), Ok(&b"Hello"[..]));
        }
    }

    /// RFC 7692 §7.2.3.4: a final block is not the end of the message, nor of the inflater.
    #[test]
    fn d09_usable_after_a_final_block() {
        let bfinal: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        for window in windows() {
            let mut inflater = Inflater::new(window);
            for _ in 0..3 {
                assert_eq!(feed(&mut inflater, &[bfinal], 64).as_deref(), Ok(&b"Hello"[..]));
                assert_eq!(feed(&mut inflater, &[HELLO], 64).as_deref(), Ok(&b"Hello"[..]));
            }
        }
    }

    /// RFC 7692 §7.2.1, §7.2.2: a payload ends with the header of an empty stored block.
    #[test]
    fn d10_corrupt_or_truncated() {
        const TABLE: &[(&str, &[u8])] = &[
            ("nothing at all", &[]),
            ("block type 3", &[0x06]),
            ("block type 3, final", &[0x07]),
            ("stored: length and complement differ", &[0x00, 0x05, 0x00, 0xfa, 0xfe]),
            ("stored: length cut", &[0x00, 0x05]),
            (
                "stored: four bytes short, so that the tail would fill it",
                &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48],
            ),
            ("stored: no byte of it", &[0x00, 0x05, 0x00, 0xfa, 0xff]),
            ("stored: no header behind it", &[0x00, 0x01, 0x00, 0xfe, 0xff, 0x48]),
            ("the tail itself", &[0x00, 0x00, 0x00, 0xff, 0xff]),
            ("fixed: cut", &[0xf2, 0x48, 0xcd]),
            ("fixed: no header behind it", &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07]),
            ("dynamic: header cut", &[0x04]),
            ("dynamic: more symbols than there are", &[0xfc, 0xff, 0xff, 0xff]),
            ("final block, then garbage", &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xff]),
        ];
        for &(name, payload) in TABLE {
            for window in windows() {
                assert_eq!(any_way(payload, window), Err(Corrupt), "{name}");
            }
            assert_eq!(naive::inflate(payload, 1 << 15), Err(Corrupt), "{name}");
        }
        for len in 0..HELLO.len() {
            assert_eq!(any_way(&HELLO[..len], WindowBits::MAX), Err(Corrupt), "{len} bytes");
        }
    }

    /// A bomb comes out in pieces no larger than the scratch buffer, and the count is exact.
    #[test]
    fn d11_a_bomb_fills_one_scratch_buffer_at_a_time() {
        const INFLATED: usize = 2 << 20;
        let payload = deflated(&[&vec![0; INFLATED]], 9, WindowBits::MAX).remove(0);
        assert!(payload.len() < INFLATED / 1000);
        for window in [WindowBits::MIN, WindowBits::MAX] {
            let mut inflater = Inflater::new(window);
            let (mut rest, mut total, mut scratch) = (&payload[..], 0, [1; 4096]);
            loop {
                let step = inflater.step(rest, &mut scratch).unwrap();
                assert!(scratch[..step.produced].iter().all(|&byte| byte == 0));
                total += step.produced;
                rest = &rest[step.consumed..];
                if step.drained {
                    break;
                }
            }
            assert_eq!(inflater.finish(), Ok(()));
            assert_eq!(total, INFLATED);
        }
    }

    /// Blocks without content are work without output. A step takes only so much of them, whatever
    /// it is offered, and no more steps are needed than that makes.
    #[test]
    fn d12_many_empty_blocks() {
        let mut fixed = Writer::default();
        for _ in 0..10_000 {
            fixed.put(0b010, 3).put(0, 7);
        }
        for blocks in [
            [0x00, 0x00, 0x00, 0xff, 0xff].repeat(10_000),
            [0x01, 0x00, 0x00, 0xff, 0xff].repeat(10_000),
            [0x03, 0x00].repeat(10_000),
            fixed.bytes,
        ] {
            for (window, share) in [(WindowBits::MIN, 128), (WindowBits::MAX, 4096)] {
                let mut inflater = Inflater::new(window);
                let mut rest = &blocks[..];
                while !rest.is_empty() {
                    let step = inflater.step(rest, &mut [0; 16]).unwrap();
                    assert_eq!((step.consumed, step.produced), (share.min(rest.len()), 0));
                    rest = &rest[step.consumed..];
                    assert_eq!(step.drained, rest.is_empty());
                }
            }
            assert_eq!(some_ways(&[&blocks[..], &[0]].concat(), WindowBits::MAX), Ok(vec![]));
        }
    }

    /// RFC 7692 §7.1.2: the last byte of the agreed window is in reach and the one behind it is
    /// not, however the stream is cut. 32,768 is as far as a distance reaches.
    #[test]
    fn d14_back_reference_beyond_the_window() {
        let noise: Vec<u8> = random(1).take(40_000).collect();
        for window in windows() {
            for before in [window.bytes(), window.bytes() + 1, window.bytes() + 700] {
                let mut writer = Writer::default();
                let payload = writer.stored(&noise[..before]).matched(window.bytes()).payload();
                let out = some_ways(&payload, window).unwrap();
                assert_eq!(out[before..], noise[before - window.bytes()..][..3]);
                if window < WindowBits::MAX {
                    let mut writer = Writer::default();
                    let beyond = window.bytes() + 1;
                    let payload = writer.stored(&noise[..before]).matched(beyond).payload();
                    assert_eq!(some_ways(&payload, window), Err(Corrupt), "{window:?} {before}");
                }
            }
        }
    }

    /// RFC 7692 §7.1.1: without context takeover a message begins with an empty window, though
    /// the one before may have left its bytes in memory.
    #[test]
    fn d14_back_reference_beyond_the_message() {
        let noise: Vec<u8> = random(2).take(300).collect();
        for window in windows() {
            let mut inflater = Inflater::new(window);
            let filler = Writer::default().stored(&[7; 40_000]).payload();
            for before in [0, 1, 2, 3, 100, 255] {
                for (distance, fits) in [(before, true), (before + 1, false), (256, false)] {
                    if distance == 0 {
                        continue;
                    }
                    inflater.reset(window);
                    assert!(feed(&mut inflater, &[&filler], 4096).is_ok());
                    inflater.reset(window);
                    let mut writer = Writer::default();
                    let payload = writer.stored(&noise[..before]).matched(distance).payload();
                    let out = feed(&mut inflater, &[&payload], 4096);
                    assert_eq!(out.is_ok(), fits, "{window:?} {before} {distance}");
                    assert_eq!(any_way(&payload, window), out);
                }
            }
        }
    }

    /// With context takeover the window reaches over messages, and over no more than its size.
    #[test]
    fn d14_back_reference_beyond_the_window_with_takeover() {
        let one = Writer::default().stored(&[1]).payload();
        for window in windows().take(4) {
            for (distance, fits) in [(window.bytes(), true), (window.bytes() + 1, false)] {
                let mut inflater = Inflater::new(window);
                for _ in 0..window.bytes() + 9 {
                    assert_eq!(feed(&mut inflater, &[&one], 64).as_deref(), Ok(&[1][..]));
                }
                let payload = Writer::default().matched(distance).payload();
                assert_eq!(feed(&mut inflater, &[&payload], 64).is_ok(), fits, "{window:?}");
            }
        }
    }

    /// Behind a final block there is another stream, with a window of its own, or nothing.
    #[test]
    fn d16_bytes_behind_the_final_block() {
        let bfinal: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let matched = Writer::default().matched(5).payload();
        for (name, behind, expected) in [
            ("nothing", &[][..], Some("Hello")),
            ("a stream", HELLO, Some("HelloHello")),
            ("a final block", bfinal, Some("HelloHello")),
            ("a final block whose end is the tail", &[1], Some("Hello")),
            ("half a stream", &HELLO[..4], None),
            ("the tail", &TAIL, None),
            ("garbage", b"garbage", None),
            ("a reference to the stream before", &matched, None),
        ] {
            let expected = expected.map(str::as_bytes);
            let payload = [bfinal, behind].concat();
            for window in windows() {
                assert_eq!(any_way(&payload, window).ok().as_deref(), expected, "{name}");
            }
            assert_eq!(naive::inflate(&payload, 256).ok().as_deref(), expected, "{name}");
        }
    }

    /// A final block at the end of one message ends the window for the next, whether the tail is
    /// the end of that block or not.
    #[test]
    fn d16_a_final_block_ends_the_context() {
        let matched = Writer::default().matched(1).payload();
        for ending in [&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], &[0x01]] {
            for window in windows() {
                let mut inflater = Inflater::new(window);
                assert!(feed(&mut inflater, &[HELLO], 64).is_ok());
                assert!(feed(&mut inflater, &[&matched], 64).is_ok());
                assert!(feed(&mut inflater, &[ending], 64).is_ok());
                assert_eq!(feed(&mut inflater, &[HELLO], 64).as_deref(), Ok(&b"Hello"[..]));
                assert!(feed(&mut inflater, &[ending], 64).is_ok());
                assert_eq!(feed(&mut inflater, &[&matched], 64), Err(Corrupt));
                inflater.reset(window);
                assert!(feed(&mut inflater, &[ending], 64).is_ok());
                assert_eq!(feed(&mut inflater, &[&[]], 64), Err(Corrupt), "an empty payload");
            }
        }
    }

    /// What a compressor makes of messages of every kind comes out again: every window, stored,
    /// fast and slow levels, with and without context takeover.
    #[test]
    fn round_trips() {
        let messages: Vec<Vec<u8>> = (0..12).map(message).collect();
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        for window in windows() {
            for level in [0, 1, 3, 6, 9] {
                let mut inflater = Inflater::new(window);
                for (&message, payload) in messages.iter().zip(deflated(&messages, level, window)) {
                    let (left, right) = payload.split_at(payload.len() / 3);
                    let out = feed(&mut inflater, &[left, right], 1000);
                    assert!(out.as_deref() == Ok(message), "{window:?} {level}, takeover");
                }
                for &message in &messages {
                    let payload = deflated(&[message], level, window).remove(0);
                    inflater.reset(window);
                    let out = feed(&mut inflater, &[&payload], 4096);
                    assert!(out.as_deref() == Ok(message), "{window:?} {level}, no takeover");
                }
            }
        }
    }

    /// Streams with bytes changed, cut and put in are taken or refused as the naive decoder does,
    /// by both engines, and for the same output.
    #[test]
    fn d10_mutations_against_the_naive_decoder() {
        let (mut taken, mut refused) = (0, 0);
        for seed in 0..700 {
            let mut dice = random(seed).map(usize::from);
            let mut roll =
                |below: usize| (dice.next().unwrap() << 8 | dice.next().unwrap()) % below;
            let level = i32::try_from(roll(10)).unwrap();
            let mut text = message(seed);
            text.truncate(roll(600));
            let mut payload = deflated(&[&text], level, WindowBits::MAX).remove(0);
            for _ in 0..=roll(2) {
                let place = roll(payload.len());
                match roll(3) {
                    0 => payload[place] ^= 1 << roll(8),
                    1 => payload.insert(place, [0x00, 0x01, 0xff, 0x03][roll(4)]),
                    _ => payload.truncate(place + 1),
                }
            }
            for window in windows().step_by(7).chain(WindowBits::new(9)) {
                let expected = naive::inflate(&payload, window.bytes());
                *if expected.is_ok() { &mut taken } else { &mut refused } += 1;
                let found = some_ways(&payload, window);
                assert!(found == expected, "seed {seed}, {window:?}: {payload:02x?}");
            }
        }
        assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
    }

    /// [`any_way`] without its every split, for payloads too long for that.
    fn some_ways(payload: &[u8], window: WindowBits) -> Result<Vec<u8>, Corrupt> {
        let mut inflater = Inflater::new(window);
        let whole = feed(&mut inflater, &[payload], 4096);
        for (part_len, scratch_len) in [(1, 4096), (4096, 1), (7, 100), (100, 65536)] {
            inflater.reset(window);
            let parts: Vec<&[u8]> = payload.chunks(part_len).collect();
            assert!(feed(&mut inflater, &parts, scratch_len) == whole, "{part_len}, {scratch_len}");
        }
        whole
    }

    /// The payloads of messages that one compressor writes one after the other (RFC 7692 §7.2.1).
    fn deflated(messages: &[&[u8]], level: i32, window: WindowBits) -> Vec<Vec<u8>> {
        // zlib's smallest window is of 512 bytes, of which it uses 250.
        let mut deflate = zlib_rs::Deflate::new(level, false, window.bits().max(9));
        let one = |message: &&[u8]| {
            if message.is_empty() {
                return vec![0]; // §7.2.3.6; zlib does not flush twice in a row.
            }
            let mut payload = vec![0; message.len() + message.len() / 8 + 64];
            let before = deflate.total_out();
            deflate.compress(message, &mut payload, zlib_rs::DeflateFlush::SyncFlush).unwrap();
            payload.truncate(usize::try_from(deflate.total_out() - before).unwrap());
            assert_eq!(payload.split_off(payload.len() - 4), TAIL);
            payload
        };
        messages.iter().map(one).collect()
    }

    /// Messages that differ in length and in how well they compress.
    fn message(seed: u64) -> Vec<u8> {
        let mut noise = random(seed);
        let len = [0, 1, 5, 100, 1000, 5000, 50_000][seed as usize % 7];
        let kinds = [2, 16, 255][seed as usize % 3];
        let mut out: Vec<u8> = Vec::new();
        while out.len() < len {
            let byte = noise.next().unwrap();
            // Now and then something from further back than any window.
            if byte < 16 && out.len() > 40 {
                let from = (usize::from(byte) * 2500 + 20) % (out.len() - 20);
                out.extend_from_within(from..from + 20);
            } else {
                out.push(byte % kinds);
            }
        }
        out.truncate(len);
        out
    }

    /// xorshift64*, a byte at a time.
    fn random(seed: u64) -> impl Iterator<Item = u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::from_fn(move || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            Some(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0])
        })
    }
}
