//! Ways in which an echo may misbehave on purpose, so that the author of a client can test
//! timeouts, reconnection, fragmentation, close handling and error paths against one URL.
//!
//! Each is named by a parameter, which a flag sets for the server and the query of the URL for
//! one connection. Without any the echo is exact, and none of this is touched.

mod script;
mod template;

use std::rc::Rc;
use std::time::Duration;

use crate::limits::{CONTROL_BYTES_MAX, Config, SCRIPT_BYTES_SOFT};
use crate::ws::close::CloseCode;
pub use script::{Action, Facts, Frame, Script};
pub use template::Template;

/// Longest delay, jitter or distance between pings.
const PAUSE_MAX: Duration = Duration::from_secs(10 * 60);

/// Shortest distance between pings.
const PING_MIN: Duration = Duration::from_millis(100);

/// Longest welcome or template in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Longest frame that replies are cut into, which is held back until it is full.
const FRAGMENT_BYTES_MAX: usize = 32 * 1024;

const _: () = assert!(FRAGMENT_BYTES_MAX < SCRIPT_BYTES_SOFT, "a frame can become full");

/// What an echo does beside echoing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// The first message is the handshake as JSON.
    pub mirror: bool,
    /// The first message, or the one behind the mirror.
    pub welcome: Option<String>,
    /// What text is answered with; binary is echoed.
    pub reply: Option<Template>,
    /// How long each reply waits.
    pub delay: Duration,
    /// And up to how much longer, at random.
    pub jitter: Duration,
    /// Bytes a second at most.
    pub rate: Option<u32>,
    /// Replies come in frames with this much payload.
    pub fragment: Option<usize>,
    /// Pings come in this distance.
    pub ping: Option<Duration>,
    /// Pings are not answered.
    pub no_pong: bool,
    /// The server closes with this code.
    pub close: Option<CloseCode>,
    /// And with this reason.
    pub reason: String,
    /// The server drops TCP.
    pub drop: Option<Hangup>,
    /// It closes or drops after this many replies.
    pub after: Option<u64>,
    /// It closes or drops at this time, counted from the handshake.
    pub at: Option<Duration>,
    /// The handshake is answered with this status.
    pub refuse: Option<u16>,
}

/// How TCP is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// With a reset.
    Rst,
    /// In order, but without a Close.
    Fin,
}

/// The names of all parameters.
pub const NAMES: [&str; 15] = [
    "mirror", "welcome", "reply", "delay", "jitter", "rate", "fragment", "ping", "no-pong",
    "close", "reason", "drop", "after", "at", "refuse",
];

/// Which behaviour a URL gets.
#[derive(Clone, Debug)]
pub struct Behaviours {
    own: Behaviour,
    allowed: Vec<String>,
    exact: bool,
}

impl Behaviours {
    /// As the operator chose. Values that are wrong are left out: the entry has refused them.
    pub fn new(config: &Config) -> Self {
        let mut own = Behaviour::default();
        for (name, value) in &config.behaviour {
            let _ = own.set(name, value);
        }
        let all = || NAMES.map(str::to_owned).to_vec();
        let allowed = config.allowed.clone().unwrap_or_else(all);
        Self { own, allowed, exact: config.exact }
    }

    /// The behaviour for a query; `None` for the exact echo.
    ///
    /// # Errors
    /// Which parameter is wrong, and how.
    pub fn of(&self, query: &str, mirror: bool) -> Result<Option<Rc<Behaviour>>, String> {
        if self.exact && !mirror {
            return Ok(None);
        }
        let mut behaviour = match self.exact {
            true => Behaviour::default(),
            false => self.own.with_query(query, &self.allowed)?,
        };
        behaviour.mirror |= mirror;
        Ok((!behaviour.is_exact()).then(|| Rc::new(behaviour)))
    }
}

impl Behaviour {
    /// True for the exact echo.
    pub fn is_exact(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes of memory that it takes.
    pub fn footprint(&self) -> usize {
        let welcome = self.welcome.as_ref().map_or(0, String::capacity);
        let reply = self.reply.as_ref().map_or(0, Template::footprint);
        size_of::<Self>() + welcome + reply + self.reason.capacity()
    }

    /// Sets one parameter.
    ///
    /// # Errors
    /// What is wrong with the value. A name that is none of [`NAMES`] is ignored.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "mirror" => self.mirror = switch(value)?,
            "welcome" => {
                self.welcome = Some(text(value)?.to_owned()).filter(|text| !text.is_empty())
            }
            "reply" => self.reply = Some(Template::parse(text(value)?)?),
            "delay" => self.delay = pause(value)?,
            "jitter" => self.jitter = pause(value)?,
            "rate" => self.rate = Some(number(value, 1, u32::MAX)?),
            "fragment" => self.fragment = Some(number(value, 1, FRAGMENT_BYTES_MAX)?),
            "ping" => {
                let ping = pause(value)?;
                self.ping = (!ping.is_zero()).then(|| ping.max(PING_MIN));
            }
            "no-pong" => self.no_pong = switch(value)?,
            "close" => self.close = Some(code(value)?),
            "reason" => self.reason = reason(value)?.to_owned(),
            "drop" => self.drop = Some(hangup(value)?),
            "after" => self.after = Some(number(value, 0, u64::MAX)?).filter(|after| *after > 0),
            "at" => self.at = Some(pause(value)?),
            "refuse" => self.refuse = Some(number(value, 400, 599)?),
            _ => {}
        }
        Ok(())
    }

    /// This behaviour with what the query of a URL says instead, as far as its parameters are
    /// among `allowed`.
    ///
    /// # Errors
    /// Which parameter is wrong, and how. One that is not known is none of ours: clients add some
    /// to get past caches.
    pub fn with_query(&self, query: &str, allowed: &[impl AsRef<str>]) -> Result<Self, String> {
        let mut behaviour = self.clone();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !NAMES.contains(&&*name) {
                continue;
            }
            if !allowed.iter().any(|allowed| allowed.as_ref() == name) {
                return Err(format!("{name} is not allowed here"));
            }
            behaviour.set(&name, &value).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        Ok(behaviour)
    }
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

/// Milliseconds.
fn pause(value: &str) -> Result<Duration, String> {
    let most = PAUSE_MAX.as_secs() * 1000;
    number(value, 0, most).map(Duration::from_millis)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Behaviour, String> {
        Behaviour::default().with_query(query, &NAMES)
    }

    #[test]
    fn parameters_are_read() {
        let query = "mirror&welcome=Hi+there%21&delay=20&jitter=0&rate=1000&fragment=3&ping=1&\
            no-pong=1&close=4000&reason=%C3%A9&drop=rst&after=2&at=600000&refuse=503&_=123";
        let behaviour = read(query).unwrap();
        let expected = Behaviour {
            mirror: true,
            welcome: Some("Hi there!".to_owned()),
            reply: None,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            rate: Some(1000),
            fragment: Some(3),
            ping: Some(PING_MIN),
            no_pong: true,
            close: CloseCode::from_wire(4000),
            reason: "é".to_owned(),
            drop: Some(Hangup::Rst),
            after: Some(2),
            at: Some(PAUSE_MAX),
            refuse: Some(503),
        };
        assert_eq!(behaviour, expected);
        for exact in ["", "no-pong=0&delay=0&ping=0&after=0&welcome=&mirror=0"] {
            assert!(read(exact).unwrap().is_exact(), "{exact}");
        }
        assert_eq!(read("delay=1&delay=2").unwrap().delay, Duration::from_millis(2));
    }

    /// URL Standard, `application/x-www-form-urlencoded`: `+` is a space, what is not UTF-8 is
    /// replaced, and an escape that is none stands for itself.
    #[test]
    fn queries_are_decoded_as_forms_are() {
        let cases = [
            ("welcome=b", "b"),
            ("welcome=b=c", "b=c"),
            ("welcome=%2B+%20", "+  "),
            ("%77elcome=%C3%a9", "é"),
            ("welcome=%", "%"),
            ("welcome=%4", "%4"),
            ("welcome=%zz%41", "%zzA"),
            ("welcome=%ff", "\u{FFFD}"),
            ("&&welcome=a&", "a"),
            ("welcome=a;b", "a;b"),
        ];
        for (query, expected) in cases {
            assert_eq!(read(query).unwrap().welcome.as_deref(), Some(expected), "{query}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        let cases = [
            ("delay=600001", "delay: \"600001\" is not a number from 0 to 600000"),
            ("delay=-1", "delay: \"-1\" is not a number from 0 to 600000"),
            ("delay=", "delay: \"\" is not a number from 0 to 600000"),
            ("rate=0", "rate: \"0\" is not a number from 1 to 4294967295"),
            ("fragment=32769", "fragment: \"32769\" is not a number from 1 to 32768"),
            ("close=1005", "close: \"1005\" is not a close code that may be sent"),
            ("close=99999", "close: \"99999\" is not a close code that may be sent"),
            ("drop=it", "drop: \"it\" is neither rst nor fin"),
            ("no-pong=maybe", "no-pong: \"maybe\" is neither 1 nor 0"),
            ("refuse=200", "refuse: \"200\" is not a number from 400 to 599"),
            ("reply={x}", "reply: {x} is none of {message}, {time}, {count}, {id}, {peer}"),
        ];
        for (query, wrong) in cases {
            assert_eq!(read(query), Err(wrong.to_owned()), "{query}");
        }
        assert!(read(&format!("reason={}", "r".repeat(124))).is_err());
        assert!(read(&format!("welcome={}", "w".repeat(TEXT_BYTES_MAX + 1))).is_err());
    }

    #[test]
    fn a_query_has_the_last_word_where_it_may() {
        let server = Behaviour { delay: PAUSE_MAX, no_pong: true, ..Behaviour::default() };
        let behaviour = server.with_query("delay=5", &["delay"]).unwrap();
        assert_eq!((behaviour.delay, behaviour.no_pong), (Duration::from_millis(5), true));
        let refused = server.with_query("close=1000", &["delay"]);
        assert_eq!(refused, Err("close is not allowed here".to_owned()));
        assert_eq!(server.with_query("closed=1000", &NAMES), Ok(server));
    }
}
