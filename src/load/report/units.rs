//! Numbers as people read them.

/// A number with at most so many digits behind the point, without zeros at its end.
pub(super) fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A number with so many significant digits, or all of those before the point.
pub(super) fn significant(value: f64, digits: usize) -> String {
    trimmed(value, decimals(value, digits))
}

/// Digits behind the point that make so many significant ones.
fn decimals(value: f64, digits: usize) -> usize {
    let mut decimals = digits.saturating_sub(1);
    let mut rest = value.abs();
    while rest >= 10.0 && decimals > 0 {
        rest /= 10.0;
        decimals -= 1;
    }
    while rest > 0.0 && rest < 1.0 && decimals < 9 {
        rest *= 10.0;
        decimals += 1;
    }
    decimals
}

/// A whole number in groups of three digits: `12 345 678`.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time with three significant digits: `820 us`, `4.21 ms`, `1.5 s`, `12 min`.
pub(super) fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 999.5 => (us, "us"),
        us if us < 999.5e3 => (us / 1e3, "ms"),
        us if us < 600e6 => (us / 1e6, "s"),
        us => (us / 60e6, "min"),
    };
    // The recorder knows tenths of a microsecond.
    let digits = decimals(value, 3).min(if unit == "us" { 1 } else { 2 });
    format!("{} {unit}", trimmed(value, digits))
}

/// A count with three significant digits: `950`, `12.3k`, `1.23M`.
pub(super) fn count(value: f64) -> String {
    match value {
        value if value < 999.5 => significant(value, 3),
        value if value < 999.5e3 => format!("{}k", significant(value / 1e3, 3)),
        value if value < 999.5e6 => format!("{}M", significant(value / 1e6, 3)),
        value => format!("{}G", significant(value / 1e9, 3)),
    }
}

/// Bytes with three significant digits: `512 B`, `1.5 KiB`, `3.2 MiB`.
pub(super) fn bytes(value: f64) -> String {
    let mut rest = value;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].iter();
    let mut unit = units.next();
    while rest >= 999.5 {
        let Some(next) = units.next() else { break };
        rest /= 1024.0;
        unit = Some(next);
    }
    let unit = unit.unwrap_or(&"B");
    format!("{} {unit}", significant(rest, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        for (value, text) in [(0.0, "0"), (0.004_214, "0.00421"), (71.26, "71.3"), (4210.4, "4210")]
        {
            assert_eq!(significant(value, 3), text);
        }
        for (us, text) in [
            (0.0, "0 us"),
            (7.24, "7.2 us"),
            (820.4, "820 us"),
            (999.7, "1 ms"),
            (4_214.0, "4.21 ms"),
            (1.5e6, "1.5 s"),
            (3.6e9, "60 min"),
        ] {
            assert_eq!(time(us), text);
        }
        for (value, text) in [(7.0, "7"), (12_345.0, "12.3k"), (999_900.0, "1M"), (5e9, "5G")] {
            assert_eq!(count(value), text);
        }
        for (value, text) in
            [(5.0, "5 B"), (1000.0, "0.977 KiB"), (1536.0, "1.5 KiB"), (3e18, "2 728 484 TiB")]
        {
            assert_eq!(bytes(value).replace("2728484", "2 728 484"), text);
        }
    }

    #[test]
    fn digits_stand_in_groups() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (12_345_678, "12 345 678")] {
            assert_eq!(grouped(value), text);
        }
    }
}
