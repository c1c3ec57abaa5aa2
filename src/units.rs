//! Times and sizes as people write and read them: `500ms`, `2m`, `64KiB`, `31 KiB`.

use std::time::Duration;

use crate::rate::Rate;

/// Units of time, largest first, in milliseconds.
const TIMES: [(&str, u64); 4] = [("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Units of size, largest first, in bytes.
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A whole number with `ms`, `s`, `m` or `h`. Only 0 needs no unit.
///
/// # Errors
/// One line that quotes the text. A number without a unit is an error, because it would mean
/// seconds to one reader and milliseconds to another.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time such as 500ms, 10s or 2m");
    let (number, unit) = split_unit(text);
    if number.is_empty() {
        return Err(wrong());
    }
    let millis = match TIMES.iter().find(|(name, _)| *name == unit) {
        Some((_, millis)) => *millis,
        None if unit.is_empty() && number.bytes().all(|digit| digit == b'0') => 0,
        None if unit.is_empty() => {
            return Err(format!("{text:?} has no unit: write {number}ms or {number}s"));
        }
        None => return Err(wrong()),
    };
    // What does not fit is longer than any limit.
    let number = number.parse::<u64>().unwrap_or(u64::MAX);
    Ok(Duration::from_millis(number.saturating_mul(millis)))
}

/// A time as [`duration`] reads it, in the largest unit that leaves it whole.
pub fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match TIMES.iter().find(|(_, unit)| millis != 0 && millis % unit == 0) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// Bytes, with `k`, `m`, `g`, `KiB`, `MiB`, `GiB` in either case as powers of 1024.
///
/// # Errors
/// One line that quotes the text.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size such as 65536, 64KiB, 16m or 1GiB");
    let (number, unit) = split_unit(text);
    let unit_bytes = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_bytes).ok_or_else(|| format!("{text:?} is more than 64 bits hold"))
}

/// A size as [`fn@bytes`] reads it, in the largest unit that leaves it whole.
pub fn show_bytes(bytes: u64) -> String {
    match SIZES.iter().find(|(_, unit)| bytes != 0 && bytes % unit == 0) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// About how long, for people: `340 ms`, `1.2 s`, `48 s`, `12 min`, `3.5 h`.
pub fn about_duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1000.0),
        seconds if seconds < 59.95 => format!("{} s", short(seconds)),
        seconds if seconds < 59.95 * 60.0 => format!("{} min", short(seconds / 60.0)),
        seconds => format!("{} h", short(seconds / 3600.0)),
    }
}

/// About how much, for people: `0 B`, `512 B`, `1.4 KiB`, `31 KiB`, `12 GiB`.
pub fn about_bytes(bytes: u64) -> String {
    match SIZES.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{} {name}", short(bytes as f64 / *unit as f64)),
        None => format!("{bytes} B"),
    }
}

/// `1 message`, `2 messages`.
pub fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// One decimal where there is one digit before it, if it says anything.
fn short(value: f64) -> String {
    match format!("{value:.1}") {
        whole if whole.ends_with(".0") => whole[..whole.len() - 2].to_owned(),
        tenths if value < 9.95 => tenths,
        _ => format!("{value:.0}"),
    }
}

/// A rate: so many in a second, or in a minute or an hour, such as `10`, `30/m` or `500/h`.
pub fn rate(text: &str) -> Result<Rate, String> {
    let (number, unit) = split_unit(text);
    let seconds = match unit {
        "" | "/s" => Some(1),
        "/m" => Some(60),
        "/h" => Some(60 * 60),
        _ => None,
    };
    let count = number.parse().ok().filter(|count| (1..=RATE_COUNT_MAX).contains(count));
    let rate = seconds.zip(count);
    let rate = rate.map(|(seconds, count)| Rate { count, per: Duration::from_secs(seconds) });
    rate.ok_or_else(|| format!("{text:?} is not a rate such as 10 (a second), 30/m or 500/h"))
}

/// More than this is no limit.
const RATE_COUNT_MAX: u64 = 1_000_000_000;

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_counts_in_a_time() {
        let rate_of = |text: &str| rate(text).ok().map(|rate| (rate.count, rate.per.as_secs()));
        let cases = [
            ("10", Some((10, 1))),
            ("10/s", Some((10, 1))),
            ("30/m", Some((30, 60))),
            ("500/h", Some((500, 3600))),
            ("0", None),
            ("1000000001", None),
            ("/s", None),
            ("1/", None),
            ("1/d", None),
            ("-1", None),
            ("1.5", None),
        ];
        for (text, expected) in cases {
            assert_eq!(rate_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_have_units() {
        let cases = [
            ("0", Some(0)),
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
            ("4h", Some(14_400_000)),
            ("99999999999999999999ms", Some(u64::MAX)),
            ("", None),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("10S", None),
            ("10 s", None),
            ("1d", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(duration("60"), Err("\"60\" has no unit: write 60ms or 60s".to_owned()));
        for (millis, text) in [(0, "0ms"), (1500, "1500ms"), (90_000, "90s"), (120_000, "2m")] {
            assert_eq!(show_duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("0", Some(0)),
            ("65536", Some(65536)),
            ("12b", Some(12)),
            ("1k", Some(1 << 10)),
            ("64KiB", Some(64 << 10)),
            ("16M", Some(16 << 20)),
            ("1gib", Some(1 << 30)),
            ("17179869183GiB", Some(u64::MAX - ((1 << 30) - 1))),
            ("17179869184GiB", None),
            ("18446744073709551616", None),
            ("", None),
            ("k", None),
            ("-1", None),
            ("1.5m", None),
            ("1 k", None),
            ("1kb", None),
            ("1tib", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text).ok(), expected, "{text:?}");
        }
        for (size, text) in [(0, "0"), (1000, "1000"), (1536, "1536"), (64 << 20, "64MiB")] {
            assert_eq!(show_bytes(size), text);
        }
    }

    #[test]
    fn people_read_two_digits_or_three() {
        let times = [
            (0, "0 ms"),
            (340, "340 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (1240, "1.2 s"),
            (9960, "10 s"),
            (12_000, "12 s"),
            (59_949, "60 s"),
            (59_950, "1 min"),
            (150_000, "2.5 min"),
            (3_600_000, "1 h"),
            (360_000_000, "100 h"),
        ];
        for (millis, text) in times {
            assert_eq!(about_duration(Duration::from_millis(millis)), text);
        }
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1434, "1.4 KiB"),
            (31 * 1024 + 100, "31 KiB"),
            (12 << 20, "12 MiB"),
            (5 << 40, "5120 GiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(about_bytes(bytes), text);
        }
        assert_eq!(
            (counted(1, "message"), counted(0, "frame")),
            ("1 message".into(), "0 frames".into())
        );
    }
}
