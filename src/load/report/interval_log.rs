//! The interval log of HdrHistogram (version 1.3), which its readers merge, cut and plot: for each
//! second the histogram itself, in nanoseconds.
//!
//! A histogram is encoded as version 2: a head, and the counts of all its slots as ZigZag LEB128
//! numbers, of which a negative one stands for so many empty slots. The log wants that in the zlib
//! format (RFC 1950); it is stored there, not compressed, because runs of empty slots are short
//! already and nothing else in the program compresses.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;

use super::{Report, time_of_day};

/// How version 2 begins, plain and in the zlib format.
const COOKIE: u32 = 0x1C84_9313;
const COMPRESSED_COOKIE: u32 = 0x1C84_9314;

/// Longest stored block (RFC 1951 §3.2.4).
const BLOCK_BYTES_MAX: usize = 0xFFFF;

/// One line of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// When it began: UTC since 1970.
    pub utc: Duration,
    /// How long it was.
    pub length: Duration,
    /// The longest in it, in nanoseconds.
    pub nanos_max: u64,
    /// Its histogram, encoded.
    pub histogram: String,
}

impl Report {
    /// The intervals as a log. Those of a scenario have the names of their phases.
    pub fn interval_log(&self) -> String {
        let intervals =
            || self.seconds.iter().filter_map(|row| Some((row, row.interval.as_ref()?)));
        let start = intervals().next().map_or(Duration::ZERO, |(_, first)| first.utc);
        let seconds = start.as_secs_f64();
        let mut text = format!("#[Logged by {}]\n", self.generator);
        text += "#[Histogram log format version 1.3]\n";
        // Writing to a `String` cannot fail, hence the results that are let go here.
        let _ = writeln!(
            text,
            "#[StartTime: {seconds:.3} (seconds since epoch), {}]",
            time_of_day(start)
        );
        let _ = writeln!(text, "#[BaseTime: {seconds:.3} (seconds since epoch)]");
        text += "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
                 \"Interval_Compressed_Histogram\"\n";
        for (row, interval) in intervals() {
            if let Some(tag) = self.tag(row.at_s) {
                let _ = write!(text, "Tag={tag},");
            }
            let at = interval.utc.saturating_sub(start).as_secs_f64();
            let (length, max) = (interval.length.as_secs_f64(), interval.nanos_max as f64 / 1e6);
            let _ = writeln!(text, "{at:.3},{length:.3},{max:.3},{}", interval.histogram);
        }
        text
    }

    /// The name of the phase at a moment, as a tag, which has neither commas nor blanks.
    fn tag(&self, at_s: f64) -> Option<String> {
        let phase = self.phases.iter().rfind(|phase| phase.at_s <= at_s)?;
        let told = |c: char| if c == ',' || c.is_whitespace() { '_' } else { c };
        Some(phase.name.chars().map(told).collect())
    }
}

/// A histogram of nanoseconds as it stands in the log.
pub(super) fn encode(histogram: &Histogram<u64>) -> String {
    let mut plain = Vec::new();
    plain.extend_from_slice(&COOKIE.to_be_bytes());
    let counts = counts(histogram);
    plain.extend_from_slice(&length(&counts));
    // No offset by which slots would be shifted.
    plain.extend_from_slice(&0u32.to_be_bytes());
    plain.extend_from_slice(&u32::from(histogram.sigfig()).to_be_bytes());
    plain.extend_from_slice(&histogram.low().to_be_bytes());
    plain.extend_from_slice(&histogram.high().to_be_bytes());
    // A recorded number is worth one.
    plain.extend_from_slice(&1f64.to_be_bytes());
    plain.extend_from_slice(&counts);
    let packed = stored(&plain);
    let mut whole = COMPRESSED_COOKIE.to_be_bytes().to_vec();
    whole.extend_from_slice(&length(&packed));
    whole.extend_from_slice(&packed);
    STANDARD.encode(whole)
}

/// A few hundred KiB at most: a histogram has that many slots.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// The counts of all slots up to the last that is not empty.
fn counts(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut empty, mut left) = (0i64, histogram.len());
    for slot in histogram.iter_all() {
        if left == 0 {
            break;
        }
        let count = slot.count_at_value();
        if count == 0 {
            empty += 1;
            continue;
        }
        if empty > 0 {
            add_number(&mut out, -std::mem::take(&mut empty));
        }
        add_number(&mut out, i64::try_from(count).unwrap_or(i64::MAX));
        left -= count;
    }
    out
}

/// ZigZag, then seven bits a byte, the lowest first; of nine bytes the last has eight.
fn add_number(out: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    for _ in 0..8 {
        let low = (left & 0x7F) as u8;
        left >>= 7;
        if left == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
    out.push(left as u8);
}

/// The zlib format, with blocks that are not compressed.
fn stored(bytes: &[u8]) -> Vec<u8> {
    // A window of 32 KiB, the fastest level.
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(BLOCK_BYTES_MAX).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let length = block.len() as u16;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(bytes).to_be_bytes());
    out
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    };
    let (a, b) = bytes.iter().fold((1, 0), step);
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::super::{Phase, Recorder, Second};
    use super::*;

    fn decoded(text: &str) -> Vec<u8> {
        let whole = STANDARD.decode(text).expect("base64");
        assert_eq!(whole[..4], COMPRESSED_COOKIE.to_be_bytes());
        assert_eq!(whole[4..8], length(&whole[8..]));
        let mut plain = Vec::new();
        ZlibDecoder::new(&whole[8..]).read_to_end(&mut plain).expect("the zlib format");
        plain
    }

    #[test]
    fn a_histogram_is_encoded_as_others_read_it() {
        let mut recorder = Recorder::new();
        recorder.record_many(Duration::from_nanos(3), 70);
        recorder.record(Duration::from_nanos(2047));
        recorder.record(Duration::from_nanos(2050));
        let plain = decoded(&recorder.encoded());
        let numbers = |at: usize| u32::from_be_bytes(plain[at..at + 4].try_into().expect("four"));
        assert_eq!([numbers(0), numbers(8), numbers(12)], [COOKIE, 0, 3]);
        assert_eq!(numbers(4) as usize, plain.len() - 40);
        assert_eq!(plain[16..24], 1u64.to_be_bytes());
        assert_eq!(plain[24..32], 3_600_000_000_000u64.to_be_bytes());
        assert_eq!(plain[32..40], 1f64.to_be_bytes());
        // Three empty slots, 70, then 2043 empty ones up to 2047; one empty, the slot of 2050.
        assert_eq!(plain[40..], [5, 0x8C, 1, 0xF5, 0x1F, 2, 1, 2]);
        assert_eq!(decoded(&Recorder::new().encoded()).len(), 40, "nothing recorded");
    }

    #[test]
    fn numbers_are_zigzag_and_leb128() {
        let cases: [(i64, &[u8]); 6] = [
            (0, &[0]),
            (-1, &[1]),
            (63, &[126]),
            (64, &[0x80, 1]),
            (1 << 55, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]),
            (i64::MIN, &[0xFF; 9]),
        ];
        for (number, expected) in cases {
            let mut out = Vec::new();
            add_number(&mut out, number);
            assert_eq!(out, expected, "{number}");
        }
    }

    #[test]
    fn long_histograms_take_several_blocks() {
        let bytes: Vec<u8> = (0..200_000u32).map(|at| (at / 3) as u8).collect();
        for bytes in [&bytes[..], &bytes[..BLOCK_BYTES_MAX], &bytes[..1]] {
            let mut plain = Vec::new();
            ZlibDecoder::new(&stored(bytes)[..]).read_to_end(&mut plain).expect("zlib");
            assert!(plain == bytes);
        }
    }

    #[test]
    fn the_log_has_a_line_for_each_interval() {
        let interval = |millis: u64, histogram: &str| Interval {
            utc: Duration::from_millis(1_600_000_000_000 + millis),
            length: Duration::from_millis(1001),
            nanos_max: 2_500_000,
            histogram: histogram.to_owned(),
        };
        let row = |at_s, interval| Second { at_s, interval, ..Second::default() };
        let mut report = Report { generator: "wsecho 9".to_owned(), ..Report::default() };
        report.seconds =
            vec![row(0.0, Some(interval(0, "AA"))), row(1.0, Some(interval(1500, "BB")))];
        let head = "#[Logged by wsecho 9]\n\
                    #[Histogram log format version 1.3]\n\
                    #[StartTime: 1600000000.000 (seconds since epoch), 2020-09-13T12:26:40Z]\n\
                    #[BaseTime: 1600000000.000 (seconds since epoch)]\n\
                    \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
                    \"Interval_Compressed_Histogram\"\n";
        let lines = ["0.000,1.001,2.500,AA\n", "1.500,1.001,2.500,BB\n"];
        assert_eq!(report.interval_log(), format!("{head}{}{}", lines[0], lines[1]));
        let phase = |name: &str, at_s| Phase { name: name.to_owned(), at_s, ..Phase::default() };
        report.phases = vec![phase("warm, up", 0.0), phase("peak", 1.0)];
        let tagged = format!("{head}Tag=warm__up,{}Tag=peak,{}", lines[0], lines[1]);
        assert_eq!(report.interval_log(), tagged);
    }
}
