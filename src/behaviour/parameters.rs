//! The parameters of behaviour, in one table: a row is name, variable, value, help, meaning and
//! effect. Flags, help, variables, the query of a URL and the table in `docs/behaviours.md` are
//! made from it.

use std::time::Duration;

use super::{Behaviour, Hangup, Template};
use crate::limits::{CONTROL_BYTES_MAX, SCRIPT_BYTES_SOFT};
use crate::units;
use crate::ws::close::CloseCode;

/// Longest delay, jitter or interval between pings.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(10 * 60);

/// Shortest interval between pings.
pub(super) const PING_MIN: Duration = Duration::from_millis(100);

/// Longest welcome or template in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 4096;

/// Longest frame that replies are cut into, which is held back until it is full.
const FRAGMENT_BYTES_MAX: usize = 32 * 1024;

const _: () = assert!(FRAGMENT_BYTES_MAX < SCRIPT_BYTES_SOFT, "a frame can become full");

/// One way to misbehave.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As the query of a URL names it, and as the flag is called.
    pub name: &'static str,
    /// The environment variable of the flag.
    pub variable: &'static str,
    /// What kind of value it has.
    pub value: Value,
    /// Its line in `--help`, broken by hand.
    pub help: &'static str,
    /// Its value as `docs/behaviours.md` describes it.
    pub values: &'static str,
    /// What happens, as `docs/behaviours.md` says it.
    pub meaning: &'static str,
    /// Reads the value; the error says what is wrong with it.
    pub set: fn(&mut Behaviour, &str) -> Result<(), String>,
}

/// What kind of value a parameter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// None: naming it is enough.
    Nothing,
    /// Any text.
    Text,
    /// A time. In a query a plain number is milliseconds; a flag has to name the unit.
    Time,
    /// A whole number.
    Count,
    /// Bytes a second.
    Rate,
    /// `rst` or `fin`.
    How,
}

/// All parameters, in the order of the help.
pub const PARAMETERS: [Parameter; 15] = [
    Parameter {
        name: "welcome",
        variable: "WSECHO_WELCOME",
        value: Value::Text,
        help: "First message to each client",
        values: "text, at most 4096 bytes",
        meaning: "it is the first message",
        set: |b, value| {
            b.welcome = Some(text(value)?.to_owned()).filter(|text| !text.is_empty());
            Ok(())
        },
    },
    Parameter {
        name: "reply",
        variable: "WSECHO_REPLY",
        value: Value::Text,
        help: "Reply to text messages; may contain\n\
               {message}, {time}, {count}, {id} and {peer}",
        values: "template, at most 4096 bytes",
        meaning: "text is answered with it; binary is echoed",
        set: |b, value| put(&mut b.reply, Some(Template::parse(text(value)?)?)),
    },
    Parameter {
        name: "delay",
        variable: "WSECHO_DELAY",
        value: Value::Time,
        help: "Delay before each reply, at most 10m",
        values: "time, at most `10m`",
        meaning: "each reply waits that long; the order stays",
        set: |b, value| put(&mut b.delay, pause(value)?),
    },
    Parameter {
        name: "jitter",
        variable: "WSECHO_JITTER",
        value: Value::Time,
        help: "Random extra delay before each reply, at\n\
               most this long",
        values: "time, at most `10m`",
        meaning: "and at random up to so much longer",
        set: |b, value| put(&mut b.jitter, pause(value)?),
    },
    Parameter {
        name: "rate",
        variable: "WSECHO_RATE",
        value: Value::Rate,
        help: "Maximum bytes per second to each client",
        values: "bytes a second",
        meaning: "no more than that goes out, pings and pongs included; only a Close does not wait",
        set: |b, value| put(&mut b.rate, Some(number(value, 1, u32::MAX)?)),
    },
    Parameter {
        name: "fragment",
        variable: "WSECHO_FRAGMENT",
        value: Value::Count,
        help: "Payload bytes in each frame of a reply,\n\
               1 to 32768",
        values: "bytes, at most 32768",
        meaning: "replies come in frames with that much payload",
        set: |b, value| put(&mut b.fragment, Some(number(value, 1, FRAGMENT_BYTES_MAX)?)),
    },
    Parameter {
        name: "ping",
        variable: "WSECHO_PING",
        value: Value::Time,
        help: "Interval between pings, 100ms to 10m; 0 for\n\
               none",
        values: "time, `100ms` to `10m`",
        meaning: "interval at which the server sends pings",
        set: |b, value| {
            let ping = pause(value)?;
            put(&mut b.ping, (!ping.is_zero()).then(|| ping.max(PING_MIN)))
        },
    },
    Parameter {
        name: "no-pong",
        variable: "WSECHO_NO_PONG",
        value: Value::Nothing,
        help: "Do not answer pings",
        values: "",
        meaning: "pings are not answered",
        set: |b, value| put(&mut b.no_pong, switch(value)?),
    },
    Parameter {
        name: "close",
        variable: "WSECHO_CLOSE",
        value: Value::Count,
        help: "Close each connection with this close code,\n\
               at once or as --after or --at says",
        values: "close code",
        meaning: "the server closes with it: after `after` replies or at `at`, else at once",
        set: |b, value| put(&mut b.close, Some(code(value)?)),
    },
    Parameter {
        name: "reason",
        variable: "WSECHO_REASON",
        value: Value::Text,
        help: "Reason to send with the close code, at most\n\
               123 bytes",
        values: "text, at most 123 bytes",
        meaning: "and with this reason",
        set: |b, value| put(&mut b.reason, reason(value)?.to_owned()),
    },
    Parameter {
        name: "drop",
        variable: "WSECHO_DROP",
        value: Value::How,
        help: "Drop the TCP connection without a Close:\n\
               with a reset (rst) or in order (fin)",
        values: "`rst` or `fin`",
        meaning: "the server drops TCP instead, with a reset or in order. A client that has sent \
                  nothing since the handshake is reset up to half a second later, so that it can \
                  read the 101",
        set: |b, value| put(&mut b.drop, Some(hangup(value)?)),
    },
    Parameter {
        name: "after",
        variable: "WSECHO_AFTER",
        value: Value::Count,
        help: "Close or drop after this many replies",
        values: "number of replies",
        meaning: "when it closes or drops",
        set: |b, value| {
            let after = number(value, 0, u64::MAX)?;
            put(&mut b.after, Some(after).filter(|after| *after > 0))
        },
    },
    Parameter {
        name: "at",
        variable: "WSECHO_AT",
        value: Value::Time,
        help: "Close or drop this long after the\n\
               handshake, at most 10m",
        values: "time, at most `10m`",
        meaning: "when it closes or drops, counted from the handshake",
        set: |b, value| put(&mut b.at, Some(pause(value)?)),
    },
    Parameter {
        name: "refuse",
        variable: "WSECHO_REFUSE",
        value: Value::Count,
        help: "Refuse each handshake with this HTTP\n\
               status, 400 to 599",
        values: "status, 400 to 599",
        meaning: "the handshake is answered with it, and with the fields that RFC 9110 demands \
                  beside it",
        set: |b, value| put(&mut b.refuse, Some(number(value, 400, 599)?)),
    },
    Parameter {
        name: "mirror",
        variable: "WSECHO_MIRROR",
        value: Value::Nothing,
        help: "Send the request as JSON in the first\n\
               message",
        values: "",
        meaning: "the first message is the handshake as JSON; so is the one of `/info`. Of cookies \
                  and credentials it shows the length, unless the server runs with \
                  `--mirror-secrets`",
        set: |b, value| put(&mut b.mirror, switch(value)?),
    },
];

/// The names of [`PARAMETERS`].
pub const NAMES: [&str; PARAMETERS.len()] = {
    let mut names = [""; PARAMETERS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = PARAMETERS[at].name;
        at += 1;
    }
    names
};

fn put<T>(place: &mut T, value: T) -> Result<(), String> {
    *place = value;
    Ok(())
}

/// Nothing behind a name means yes, as in `?no-pong`.
fn switch(value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("{value:?} is neither 1 nor 0")),
    }
}

fn text(value: &str) -> Result<&str, String> {
    let fits = value.len() <= TEXT_BYTES_MAX;
    if fits { Ok(value) } else { Err(format!("longer than {TEXT_BYTES_MAX} bytes")) }
}

fn reason(value: &str) -> Result<&str, String> {
    const BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;
    let fits = value.len() <= BYTES_MAX;
    if fits { Ok(value) } else { Err(format!("longer than {BYTES_MAX} bytes")) }
}

/// A time with its unit, or plain milliseconds.
fn pause(value: &str) -> Result<Duration, String> {
    let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let time = match plain {
        true => Duration::from_millis(value.parse().unwrap_or(u64::MAX)),
        false => units::duration(value)?,
    };
    if time > PAUSE_MAX {
        let most = units::show_duration(PAUSE_MAX);
        return Err(format!("{value:?} is longer than the maximum, {most}"));
    }
    Ok(time)
}

fn number<T>(value: &str, least: T, most: T) -> Result<T, String>
where
    T: std::str::FromStr + std::fmt::Display + PartialOrd,
{
    let number = value.parse().ok().filter(|number| (&least..=&most).contains(&number));
    number.ok_or_else(|| format!("{value:?} is not a number from {least} to {most}"))
}

fn code(value: &str) -> Result<CloseCode, String> {
    let code = value.parse().ok().and_then(CloseCode::from_wire);
    code.ok_or_else(|| format!("{value:?} is not a close code that may be sent"))
}

fn hangup(value: &str) -> Result<Hangup, String> {
    match value {
        "rst" => Ok(Hangup::Rst),
        "fin" => Ok(Hangup::Fin),
        _ => Err(format!("{value:?} is neither rst nor fin")),
    }
}
