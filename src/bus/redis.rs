//! PUB/SUB of Redis and Valkey, in RESP3: the one form of it in which a connection that listens may
//! speak as well. Redis 6 is the first that knows it.

use bytes::Bytes;
use resp_rs::resp3::{Frame, Parser};

use super::{Bus, Fault, Told};
use crate::limits::{BUS_ANSWER_BYTES_MAX, BusAddress, LOGGED_BYTES_MAX};
use crate::text::is_invisible;

/// Who asks where there are no users: the one that a password alone belongs to.
const USER: &str = "default";

/// The conversation with one server.
pub struct Redis {
    user: Option<String>,
    password: Option<String>,
    welcome: bool,
    parser: Parser,
}

impl Redis {
    /// A conversation as whoever `address` says.
    pub fn new(address: &BusAddress) -> Self {
        let (user, password) = (address.user.clone(), address.password.clone());
        Self { user, password, welcome: false, parser: Parser::new() }
    }

    fn understand(&mut self, frame: Frame) -> Result<Told, Fault> {
        match frame {
            Frame::Error(words) | Frame::BlobError(words) => Err(self.refusal(&words)),
            Frame::Push(parts) => Ok(message(parts).unwrap_or(Told::Something)),
            Frame::Map(_) if !self.welcome => {
                self.welcome = true;
                Ok(Told::Welcome)
            }
            // Before the greeting has been answered nothing else is.
            _ if !self.welcome => Err(Fault::Alien),
            _ => Ok(Told::Something),
        }
    }

    /// What an error means. What is quoted of it may go to a log, and one who does not know the
    /// greeting quotes the password in it.
    fn refusal(&self, words: &[u8]) -> Fault {
        let words = String::from_utf8_lossy(words);
        if words.starts_with("WRONGPASS") {
            return Fault::Password;
        }
        if !self.welcome && words.contains("unknown command") {
            return Fault::Old;
        }
        let is_secret = |words: &str| {
            let mut secrets = [&self.password, &self.user].into_iter().flatten();
            secrets.any(|secret| words.contains(secret.as_str()))
        };
        let shown = words.split(' ').take_while(|word| !is_secret(word));
        let shown = if is_secret(&words) { shown.take(1).collect() } else { words.into_owned() };
        let shown = shown.chars().filter(|c| !is_invisible(*c) && !c.is_control());
        Fault::Refusal(shown.take(LOGGED_BYTES_MAX).collect())
    }
}

/// Without the password.
impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("welcome", &self.welcome).finish_non_exhaustive()
    }
}

impl Bus for Redis {
    fn greet(&mut self, out: &mut Vec<u8>) {
        (self.welcome, self.parser) = (false, Parser::new());
        let name: &[&[u8]] = &[b"SETNAME", b"wsecho"];
        match &self.password {
            Some(password) => {
                let user = self.user.as_deref().unwrap_or(USER);
                let hello: &[&[u8]] =
                    &[b"HELLO", b"3", b"AUTH", user.as_bytes(), password.as_bytes()];
                command(&[hello, name].concat(), out);
            }
            None => command(&[&[b"HELLO" as &[u8], b"3"], name].concat(), out),
        }
    }

    fn subscribe(&mut self, channel: &str, out: &mut Vec<u8>) {
        command(&[b"SUBSCRIBE", channel.as_bytes()], out);
    }

    fn unsubscribe(&mut self, channel: &str, out: &mut Vec<u8>) {
        command(&[b"UNSUBSCRIBE", channel.as_bytes()], out);
    }

    fn publish(&mut self, channel: &str, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        out.extend_from_slice(b"*3\r\n");
        string(&[b"PUBLISH"], out);
        string(&[channel.as_bytes()], out);
        string(&parts, out);
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        command(&[b"PING"], out);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.parser.feed(Bytes::copy_from_slice(bytes));
    }

    fn next(&mut self) -> Result<Option<Told>, Fault> {
        match self.parser.next_frame() {
            Ok(Some(frame)) => self.understand(frame).map(Some),
            Ok(None) if self.parser.buffered_bytes() > BUS_ANSWER_BYTES_MAX => Err(Fault::Alien),
            Ok(None) => Ok(None),
            Err(_) => Err(Fault::Alien),
        }
    }

    fn buffered(&self) -> usize {
        self.parser.buffered_bytes()
    }
}

/// A command as RESP writes it: an array of strings.
fn command(parts: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    parts.iter().for_each(|part| string(&[part], out));
}

/// One string, which is made of parts.
fn string(parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(format!("${length}\r\n").as_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

/// What was published, if that is what a push tells of.
fn message(parts: Vec<Frame>) -> Option<Told> {
    let parts = <[Frame; 3]>::try_from(parts).ok()?;
    let [kind, channel, payload] = parts.map(|part| part.into_bulk_string().ok());
    (kind? == "message").then_some(())?;
    Some(Told::Message { channel: channel?.into(), payload: payload?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BusPlace;

    fn redis(user: Option<&str>, password: Option<&str>) -> Redis {
        Redis::new(&BusAddress {
            place: BusPlace::Host("localhost".to_owned(), 6379),
            user: user.map(str::to_owned),
            password: password.map(str::to_owned),
            database: 0,
            authority: None,
        })
    }

    fn said(act: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        act(&mut out);
        String::from_utf8(out).expect("ASCII").replace("\r\n", " ")
    }

    const HELLO: &[u8] = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n";

    fn welcomed() -> Redis {
        let mut bus = redis(None, None);
        bus.feed(HELLO);
        assert_eq!(bus.next(), Ok(Some(Told::Welcome)));
        bus
    }

    #[test]
    fn commands() {
        let greeting = said(|out| redis(None, None).greet(out));
        assert_eq!(greeting, "*4 $5 HELLO $1 3 $7 SETNAME $6 wsecho ");
        let greeting = said(|out| redis(None, Some("pw")).greet(out));
        assert_eq!(greeting, "*7 $5 HELLO $1 3 $4 AUTH $7 default $2 pw $7 SETNAME $6 wsecho ");
        let greeting = said(|out| redis(Some("ann"), Some("pw")).greet(out));
        assert!(greeting.contains("$3 ann $2 pw"), "{greeting}");
        let mut bus = redis(None, None);
        assert_eq!(said(|out| bus.subscribe("a/b", out)), "*2 $9 SUBSCRIBE $3 a/b ");
        assert_eq!(said(|out| bus.unsubscribe("a", out)), "*2 $11 UNSUBSCRIBE $1 a ");
        let published = said(|out| bus.publish("a", [b"on", b"e"], out));
        assert_eq!(published, "*3 $7 PUBLISH $1 a $3 one ");
        assert_eq!(said(|out| bus.ping(out)), "*1 $4 PING ");
        assert!(!format!("{:?}", redis(None, Some("secret"))).contains("secret"));
    }

    #[test]
    fn answers_come_in_pieces_of_any_size() {
        let stream = [
            HELLO,
            b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
            b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\n\r\n\x00\xFF\r\n",
            b":2\r\n+PONG\r\n",
        ]
        .concat();
        for size in 1..stream.len() {
            let mut bus = redis(None, None);
            let mut told = Vec::new();
            for piece in stream.chunks(size) {
                bus.feed(piece);
                while let Some(next) = bus.next().expect("good answers") {
                    told.push(next);
                }
            }
            let message =
                Told::Message { channel: b"a".to_vec(), payload: b"\r\n\x00\xFF".to_vec() };
            let something = Told::Something;
            let all = [Told::Welcome, something.clone(), message, something.clone(), something];
            assert_eq!((told, bus.buffered()), (all.to_vec(), 0), "in pieces of {size}");
        }
    }

    #[test]
    fn refusals_are_one_clear_line() {
        let cases: [(&[u8], &str); 4] = [
            (b"-WRONGPASS invalid username-password pair\r\n", "the user or the password is wrong"),
            (b"-NOAUTH HELLO must be\r\n", "it says \"NOAUTH HELLO must be\""),
            (b"-ERR \x1b[2J\xe2\x80\x8eno\r\n", "it says \"ERR [2Jno\""),
            (b"HTTP/1.1 400 Bad Request\r\n", "what answers there is no Redis"),
        ];
        for (answer, line) in cases {
            let mut bus = redis(None, None);
            bus.feed(answer);
            let fault = bus.next().expect_err("no use");
            assert_eq!(fault.to_string(), line);
        }
        // Who does not know the greeting quotes it.
        let quoted: [(&[u8], &str); 2] = [
            (
                b"-ERR unknown command 'HELLO', with args 'AUTH' 'ann' 'pw'\r\n",
                "older than Redis 6",
            ),
            (b"-NOPERM ann pw may not\r\n", "it says \"NOPERM\""),
        ];
        for (answer, line) in quoted {
            let mut bus = redis(Some("ann"), Some("pw"));
            bus.feed(answer);
            let said = bus.next().expect_err("no use").to_string();
            assert!(said.contains(line) && !said.contains("pw"), "{said}");
        }
        let mut bus = redis(None, None);
        bus.feed(b"+OK\r\n");
        assert_eq!(bus.next(), Err(Fault::Alien), "that was no answer to a greeting");
    }

    #[test]
    fn an_answer_without_an_end_is_not_kept() {
        let mut bus = welcomed();
        bus.feed(b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$999999\r\n");
        bus.feed(&vec![b'x'; BUS_ANSWER_BYTES_MAX / 2]);
        assert_eq!(bus.next(), Ok(None));
        bus.feed(&vec![b'x'; BUS_ANSWER_BYTES_MAX / 2]);
        assert_eq!(bus.next(), Err(Fault::Alien));
        let mut bus = welcomed();
        bus.feed(b"*1000000000\r\n");
        assert!(bus.next().is_err() || bus.buffered() < 100, "nothing is set aside for it");
    }
}
