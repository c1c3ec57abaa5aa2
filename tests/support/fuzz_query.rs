//! Fuzz bodies for what people write into URLs and flags: queries and templates.

use std::time::Duration;

use wsecho::behaviour::{Behaviour, Facts, NAMES, Template};
use wsecho::service::Now;

/// The query of a URL: read as plain decoding says, within the limits of the documents, and wrong
/// in one line.
pub fn query(input: &[u8]) {
    let Ok(query) = std::str::from_utf8(input) else { return };
    let read = Behaviour::default().with_query(query, &NAMES);
    let pairs = pairs(query);
    let mut expected = Ok(Behaviour::default());
    for (name, value) in &pairs {
        expected = expected.and_then(|mut behaviour| {
            let set = behaviour.set(name, value).map_err(|wrong| format!("{name}: {wrong}"));
            set.map(|()| behaviour)
        });
    }
    assert_eq!(read, expected);
    match &read {
        Ok(behaviour) => check_limits(behaviour),
        Err(wrong) => check_line(wrong),
    }
    // Clients add parameters of their own, to get past caches.
    let busted = format!("{query}&_={}", input.len());
    assert_eq!(Behaviour::default().with_query(&busted, &NAMES), read);
    let forbidden = Behaviour::default().with_query(query, &[""; 0]);
    let known = pairs.iter().any(|(name, _)| NAMES.contains(&name.as_str()));
    assert_eq!(forbidden.is_err(), known);
}

fn check_limits(behaviour: &Behaviour) {
    let longest = Duration::from_secs(600);
    assert!(behaviour.delay <= longest && behaviour.jitter <= longest);
    assert!(behaviour.at.is_none_or(|at| at <= longest));
    assert!(behaviour.ping.is_none_or(|ping| ping >= Duration::from_millis(10)));
    assert!(behaviour.ping.is_none_or(|ping| ping <= longest));
    assert!(behaviour.rate.is_none_or(|rate| rate >= 1));
    assert!(behaviour.fragment.is_none_or(|bytes| (1..=32_768).contains(&bytes)));
    assert!(behaviour.after.is_none_or(|after| after >= 1));
    assert!(behaviour.welcome.as_ref().is_none_or(|text| (1..=4096).contains(&text.len())));
    assert!(behaviour.reason.len() <= 123);
    assert!(behaviour.refuse.is_none_or(|status| (400..=599).contains(&status)));
}

/// What is answered with 400, and written to stderr by the command line.
fn check_line(wrong: &str) {
    assert!(!wrong.is_empty() && !wrong.chars().any(char::is_control), "{wrong:?}");
}

/// Names and values, by the words of the URL Standard (`application/x-www-form-urlencoded`).
fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = behind.get(..2).filter(|_| byte == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let valid = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            valid.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
        });
        bytes.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A template: what it says is what reading it letter by letter says, and so is what is wrong.
pub fn template(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let address = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
    let facts = Facts { id: 7, peer: address.into(), mirror: None };
    let now = Now { utc: Duration::from_millis(1500), ..Now::default() };
    match Template::parse(text) {
        Ok(template) => {
            let (before, behind) = template.render(3, &facts, now);
            let message = if template.has_message() { "<message>" } else { "" };
            assert_eq!(Some([&*before, message, &*behind].concat()), read_template(text));
        }
        Err(wrong) => {
            assert_eq!(read_template(text), None);
            check_line(&wrong);
        }
    }
}

/// What a template makes of the facts above; `None` if it is wrong.
fn read_template(text: &str) -> Option<String> {
    let (mut said, mut messages) = (String::new(), 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '{' | '}' if letters.next_if_eq(&letter).is_some() => said.push(letter),
            '}' => return None,
            '{' => {
                let mut name = String::new();
                loop {
                    match letters.next()? {
                        '}' => break,
                        letter => name.push(letter),
                    }
                }
                said += match &*name {
                    "message" => {
                        messages += 1;
                        "<message>"
                    }
                    "time" => "1970-01-01T00:00:01.500Z",
                    "count" => "3",
                    "id" => "7",
                    "peer" => "192.0.2.1:80",
                    _ => return None,
                };
            }
            _ => said.push(letter),
        }
    }
    (messages <= 1).then_some(said)
}
