//! The query of a URL as names and values.

/// The pairs of a query, decoded as forms are (URL Standard, `application/x-www-form-urlencoded`):
/// `+` is a space, what is not UTF-8 is replaced, and an escape that is none stands for itself.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind) {
            (b'+', _) => bytes.push(b' '),
            (b'%', &[high, low, ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = &behind[2..];
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        let cases = [
            ("a=b", "a|b"),
            ("a", "a|"),
            ("a=", "a|"),
            ("=b", "|b"),
            ("a=b=c", "a|b=c"),
            ("a+b=%2B+%20", "a b|+  "),
            ("%61=%C3%a9", "a|é"),
            ("a=%", "a|%"),
            ("a=%4", "a|%4"),
            ("a=%zz%41", "a|%zzA"),
            ("a=%ff", "a|\u{FFFD}"),
            ("a={message}", "a|{message}"),
        ];
        for (query, expected) in cases {
            let found: Vec<_> =
                pairs(query).map(|(name, value)| format!("{name}|{value}")).collect();
            assert_eq!(found, [expected], "{query}");
        }
        assert_eq!(pairs("").count(), 0);
        assert_eq!(pairs("&a=1&&b&").count(), 2);
    }
}
