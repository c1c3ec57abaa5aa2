//! Ways in which an echo may misbehave on purpose, so that the author of a client can test
//! timeouts, reconnection, fragmentation, close handling and error paths against one URL.
//!
//! Each is named by a parameter, which a flag sets for the server and the query of the URL for
//! one connection. Without any the echo is exact, and none of this is touched.

mod parameters;
mod script;
mod template;

use std::rc::Rc;
use std::time::Duration;

use crate::limits::Config;
use crate::ws::close::CloseCode;
pub use parameters::{NAMES, PARAMETERS, Parameter, Value};
pub use script::{Action, Facts, Frame, Script};
pub use template::Template;

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
    /// Interval between pings.
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

/// Which behaviour a URL gets.
#[derive(Clone, Debug)]
pub struct Behaviours {
    own: Behaviour,
    /// That is the exact echo.
    is_plain: bool,
    allowed: Vec<String>,
    /// Queries say nothing.
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
        Self { is_plain: own.is_exact(), own, allowed, exact: config.exact }
    }

    /// The behaviour for a query; `None` for the exact echo.
    ///
    /// # Errors
    /// Which parameter is wrong, and how.
    pub fn of(&self, query: &str, mirror: bool) -> Result<Option<Rc<Behaviour>>, String> {
        if !mirror && (self.exact || self.is_plain && query.is_empty()) {
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
    /// What is wrong with the value. A name that is none of [`PARAMETERS`] is ignored.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let known = PARAMETERS.iter().find(|parameter| parameter.name == name);
        known.map_or(Ok(()), |parameter| (parameter.set)(self, value))
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

#[cfg(test)]
mod tests {
    use super::parameters::{PAUSE_MAX, PING_MIN, TEXT_BYTES_MAX};
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
        for time in ["2000", "2000ms", "2s"] {
            assert_eq!(read(&format!("at={time}")).unwrap().at, Some(Duration::from_secs(2)));
        }
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
            ("delay=600001", "delay: \"600001\" is longer than the maximum, 10m"),
            ("delay=11m", "delay: \"11m\" is longer than the maximum, 10m"),
            ("delay=-1", "delay: \"-1\" is not a time such as 500ms, 10s or 2m"),
            ("delay=", "delay: \"\" is not a time such as 500ms, 10s or 2m"),
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
