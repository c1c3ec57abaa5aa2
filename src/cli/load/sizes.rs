//! Sizes as they are written: `125`, `64-4096`, `90%:64,10%:64KiB-1m`.

use super::super::value;
use crate::load::sizes::{Part, Sizes};

/// Longest message that is worth preparing.
const SIZE_MAX: u64 = 1 << 30;

/// Reads sizes.
pub fn parse(text: &str) -> Result<Sizes, String> {
    let parts = text.split(',').map(part).collect::<Result<Vec<Part>, String>>()?;
    let shared = parts.len() > 1;
    if shared && !text.split(',').all(|part| part.contains('%')) {
        return Err(format!("{text:?} has several sizes, and not each has its share in percent"));
    }
    Sizes::mix(parts).ok_or_else(|| format!("{text:?} has a share of 0, or a range upside down"))
}

fn part(text: &str) -> Result<Part, String> {
    let text = text.trim();
    let (share, range) = match text.split_once("%:") {
        Some((share, range)) => (value::digits::<u32>(share), range),
        None => (Some(1), text),
    };
    let share = share.ok_or_else(|| format!("{text:?} has no share such as 90%"))?;
    let (least, most) = range.split_once('-').unwrap_or((range, range));
    let (least, most) = (size(least)?, size(most)?);
    Ok(Part { share: f64::from(share), least, most })
}

fn size(text: &str) -> Result<usize, String> {
    let bytes = value::bytes(text)?;
    let short = usize::try_from(bytes).ok().filter(|_| bytes <= SIZE_MAX);
    short.ok_or_else(|| format!("{text:?} is more than {}", value::show_bytes(SIZE_MAX)))
}

/// Sizes as [`parse`] reads them.
pub fn show(sizes: &Sizes) -> String {
    let shown = |bytes: usize| value::show_bytes(bytes as u64);
    let range = |part: &Part| match (part.least, part.most) {
        (least, most) if least == most => shown(least),
        (least, most) => format!("{}-{}", shown(least), shown(most)),
    };
    match sizes.parts() {
        [part] => range(part),
        parts => {
            let shared = parts.iter().map(|part| format!("{}%:{}", part.share, range(part)));
            shared.collect::<Vec<_>>().join(",")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_shown() {
        for text in ["125", "0", "64-4KiB", "90%:64,10%:64KiB", "50%:1-10,50%:1MiB"] {
            assert_eq!(show(&parse(text).expect(text)), text);
        }
        assert_eq!(parse("64-4096"), parse("64-4k"));
        assert_eq!(parse(" 90%:64 , 10%:65536"), parse("90%:64,10%:64KiB"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("", "is not a size"),
            ("5-", "is not a size"),
            ("10-5", "upside down"),
            ("0%:5,1%:6", "share of 0"),
            ("x%:5", "no share"),
            ("5,6", "share in percent"),
            ("90%:5,6", "share in percent"),
            ("2g", "more than 1GiB"),
        ];
        for (text, words) in cases {
            let wrong = parse(text).expect_err(text);
            assert!(wrong.contains(words) && !wrong.contains('\n'), "{text:?} gave {wrong:?}");
        }
    }
}
