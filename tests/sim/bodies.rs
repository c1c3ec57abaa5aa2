//! Clients without WebSocket: bodies that go back, and streams of events.

use std::time::Duration;

use crate::dice::Dice;
use crate::profile::{MESSAGE_BYTES_MAX, Profile};
use crate::script::{Farewell, Owed, Script};

type Arrivals = Vec<(Duration, Script)>;

/// What is no chunk, nor its end.
const GARBAGE: [&[u8]; 10] = [
    b"g\r\n",
    b"+1\r\nx\r\n",
    b"-1\r\n",
    b"0x1\r\nx\r\n",
    b"1 \r\nx\r\n",
    b"1\nx\n",
    b"1\r\nxy\r\n",
    b"10000000000000000\r\n",
    b"0\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"0\r\n folded: x\r\n\r\n",
];

/// Heads that could be read in two ways, and what they are refused with.
const SMUGGLED: [(&str, &str); 7] = [
    ("Content-Length: 5\r\nTransfer-Encoding: chunked", "400"),
    ("Content-Length: 5\r\nContent-Length: 6", "400"),
    ("Content-Length: 5, 5", "400"),
    ("Content-Length: +5", "400"),
    ("Transfer-Encoding: chunked, chunked", "400"),
    ("Transfer-Encoding: gzip, chunked", "501"),
    ("Content-Length: 99999999", "413"),
];

/// The profile, and who comes when.
pub fn draw(dice: &mut Dice) -> (Profile, Arrivals) {
    let profile = Profile::draw(dice);
    let budget = dice.pick(&[None, Some(1 << 20)]);
    // Streams stay for long, and with an event in every wait time would stand.
    let spurious = profile.spurious.min(20);
    let profile = Profile { tight: false, spurious, budget, ..profile };
    let mut arrivals = Arrivals::new();
    for _ in 0..3 + dice.below(8) {
        dice.speaker += 1;
        let at = Duration::from_millis(1000 + dice.pick(&[0, 0, 5, 40, 700]));
        let script = match dice.below(8) {
            0..=1 => with_length(dice),
            2..=3 => chunked(dice),
            4 => malformed(dice),
            5 => smuggler(dice),
            6 => stopper(dice),
            _ => listener(dice),
        };
        arrivals.push((at, script));
    }
    (profile, arrivals)
}

fn length(dice: &mut Dice) -> usize {
    dice.pick(&[0, 1, 5, 300, 5000, 70_000, MESSAGE_BYTES_MAX as usize])
}

/// Sends and reads as fast as the dice say.
fn client(kind: &'static str, dice: &mut Dice) -> Script {
    let mut script = Script::new(kind);
    script.sends = dice.pick(&[1, 100, 10_000, usize::MAX]);
    script.takes = dice.pick(&[100, 10_000, usize::MAX]);
    script.limit = Duration::from_secs(120);
    script
}

/// Long bodies in single bytes would take too long.
fn at_some_pace(script: &mut Script) {
    if script.hello.len() > 6000 {
        script.sends = script.sends.max(100);
        script.takes = script.takes.max(1000);
    }
}

fn with_length(dice: &mut Dice) -> Script {
    let mut script = client("body", dice);
    let length = length(dice);
    let data = dice.bytes(length);
    let long = dice.chance(100);
    let length = if long { MESSAGE_BYTES_MAX + 1 } else { data.len() as u64 };
    script.hello = request(&format!("Content-Length: {length}"), &data);
    script.owed = if long { Owed::Status("413") } else { Owed::Body(data) };
    behind(&mut script, dice);
    script
}

/// A body in chunks, and its data.
fn chunks(data: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut body = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let count = dice.pick(&[1, 7, 1000, 100_000]).min(rest.len());
        let extension = dice.pick(&["", "", "", ";a", " ; b=\"c\""]);
        let extension = if count < 1000 { "" } else { extension };
        body.extend(format!("{count:x}{extension}\r\n").as_bytes());
        body.extend(&rest[..count]);
        body.extend(b"\r\n");
        rest = &rest[count..];
    }
    body
}

fn chunked(dice: &mut Dice) -> Script {
    let mut script = client("chunks", dice);
    let length = length(dice).min(70_000);
    let data = dice.bytes(length);
    let mut body = chunks(&data, dice);
    body.extend(dice.pick(&[&b"0\r\n\r\n"[..], b"000\r\nA: b\r\n\r\n"]));
    script.hello = request("Transfer-Encoding: chunked", &body);
    script.owed = Owed::Body(data);
    behind(&mut script, dice);
    script
}

/// Well framed up to some place.
fn malformed(dice: &mut Dice) -> Script {
    let mut script = client("malformed", dice);
    let length = length(dice).min(5000);
    let data = dice.bytes(length);
    let mut body = chunks(&data, dice);
    body.extend(dice.pick(&GARBAGE));
    script.hello = request("Transfer-Encoding: chunked", &body);
    // The last of them may bring a byte before it is known for what it is.
    script.owed = Owed::BodyOrCut("400", [&data[..], b"x"].concat());
    behind(&mut script, dice);
    script
}

fn smuggler(dice: &mut Dice) -> Script {
    let mut script = client("smuggler", dice);
    let (fields, status) = dice.pick(&SMUGGLED);
    script.hello = request(fields, b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    script.owed = Owed::Status(status);
    script
}

/// Never sends the end of its body.
fn stopper(dice: &mut Dice) -> Script {
    let mut script = client("stopper", dice);
    let data = dice.bytes(100);
    let count = dice.pick(&[0, 50]);
    script.hello = request("Content-Length: 100", &data[..count]);
    script.owed = Owed::BodyOrCut("408", data[..count].to_vec());
    script
}

/// Reads a stream, or does not.
fn listener(dice: &mut Dice) -> Script {
    let mut script = Script { owed: Owed::Mercy, ..client("listener", dice) };
    script.hello = b"GET /sse HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
    script.takes = dice.pick(&[0, usize::MAX]);
    script.farewell = Farewell::Linger { noisy: false };
    (script.life, script.limit) = (Some(Duration::from_secs(150)), Duration::from_secs(300));
    script
}

fn request(fields: &str, body: &[u8]) -> Vec<u8> {
    [format!("POST /echo HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n").as_bytes(), body].concat()
}

/// What stands behind a body is nobody's.
fn behind(script: &mut Script, dice: &mut Dice) {
    at_some_pace(script);
    if dice.chance(300) {
        script.hello.extend(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    }
}

/// Holds an answer to what is owed: a 200 with `data`, or with `otherwise` that status, or a 200
/// that breaks off in it.
pub fn judge(raw: &[u8], kind: &str, data: &[u8], otherwise: Option<&str>) {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{kind}: no whole head"));
    let head = std::str::from_utf8(&raw[..end]).expect("heads are ASCII");
    let body = &raw[end + 4..];
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    if status != Some("200") {
        assert_eq!(status, otherwise, "{kind}: {head}");
        return;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let (got, whole) = match length {
        Some(length) => (body.to_vec(), length == body.len().to_string()),
        None => unchunk(body, kind),
    };
    if otherwise.is_some() {
        assert!(!whole && data.starts_with(&got), "{kind}: {} bytes, {whole}", got.len());
    } else {
        assert!(whole && got == data, "{kind}: {} of {} bytes", got.len(), data.len());
    }
}

/// The data of a chunked body, and whether it is whole.
fn unchunk(mut body: &[u8], kind: &str) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&body[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        let chunk = &body[end + 2..];
        let Some(whole) = chunk.get(..size + 2) else {
            data.extend_from_slice(&chunk[..size.min(chunk.len())]);
            return (data, false);
        };
        assert!(whole.ends_with(b"\r\n"), "{kind}: a chunk without an end");
        data.extend_from_slice(&whole[..size]);
        body = &chunk[size + 2..];
        if size == 0 {
            assert!(body.is_empty(), "{kind}: something behind the end");
            return (data, true);
        }
    }
    (data, false)
}
