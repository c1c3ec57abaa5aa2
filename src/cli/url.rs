//! `ws://` and `wss://` URLs, as strict as they have to be to become a request.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::value;
use crate::net::listen::reachable;

/// Where a URL without a path is checked: an echo that no behaviour touches.
const HEALTH_PATH: &str = "/healthz";

/// The parts of a `ws://` or `wss://` URL (RFC 6455 §3).
#[derive(Debug, PartialEq)]
pub struct Url<'a> {
    /// It is a `wss://` URL.
    pub secure: bool,
    /// Host and port as they were written, for the Host field.
    pub authority: &'a str,
    /// Name or address, an IPv6 address without its brackets.
    pub host: &'a str,
    /// Unless said 80, or 443 with TLS.
    pub port: u16,
    /// Path and query.
    pub target: String,
}

impl<'a> Url<'a> {
    /// Takes a URL apart, whose path is that of health checks unless it has one.
    pub fn parse(url: &'a str) -> Result<Self, String> {
        Self::parse_with(url, HEALTH_PATH, cfg!(feature = "tls"))
    }

    /// What a health check asks for at the Unix socket that a URL names, which is the path; `None`
    /// if it names none.
    pub fn parse_local(url: &str) -> Option<Result<(PathBuf, Self), String>> {
        let parsed = local(url, HEALTH_PATH)?;
        Some(parsed.map(|(path, target)| {
            let (authority, host) = ("localhost", "localhost");
            (path, Self { secure: false, authority, host, port: 80, target })
        }))
    }

    /// Takes a URL apart, whose path is `usual_path` unless it has one. With `tls` it may be one of
    /// `wss://`. The error does not repeat it.
    pub fn parse_with(url: &'a str, usual_path: &str, tls: bool) -> Result<Self, String> {
        if url.starts_with("unix:") {
            return Err(unsupported("unix", tls));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("not a URL of the form ws://HOST[:PORT][/PATH]".to_owned());
        };
        let secure = tls && scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(unsupported(scheme, tls));
        }
        Self::parts(rest, secure, usual_path)
    }

    /// Takes `tcp://HOST:PORT` apart; `None` if it is another URL. There is nothing to ask for.
    #[cfg(feature = "load")]
    pub fn parse_bare(url: &'a str) -> Option<Result<Self, String>> {
        let (_, rest) =
            url.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("tcp"))?;
        let parsed = Self::parts(rest, false, "");
        Some(parsed.and_then(|parsed| {
            let has_port = parsed.authority.len() > parsed.host.len();
            let has_port = has_port && !parsed.authority.ends_with(']');
            let wrong = || "not a URL of the form tcp://HOST:PORT".to_owned();
            (has_port && parsed.target.is_empty()).then_some(parsed).ok_or_else(wrong)
        }))
    }

    /// What stands behind the scheme.
    fn parts(rest: &'a str, secure: bool, usual_path: &str) -> Result<Self, String> {
        check_characters(rest)?;
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = if target.starts_with('/') { "" } else { usual_path };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or("no ] after the address")?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => value::digits(port).ok_or_else(|| format!("{port:?} is not a port"))?,
            None if port.is_empty() => {
                if secure {
                    443
                } else {
                    80
                }
            }
            None => return Err(format!("{port:?} is not :PORT")),
        };
        if host.is_empty() || host.contains('@') {
            return Err("it has no valid host".to_owned());
        }
        Ok(Self { secure, authority, host, port, target: format!("{path}{target}") })
    }

    /// True if the host is an address, and there is nobody to ask for one.
    pub fn is_literal(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// All addresses of the host, or `TimedOut` without `patience` for more. Asking for a name
    /// cannot be interrupted, hence the thread, which ends with the process at the latest.
    pub fn addresses(&self, patience: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![reachable((ip, self.port).into())]);
        }
        // This machine, also where nothing can be looked up (RFC 6761 §6.3).
        if self.host.eq_ignore_ascii_case("localhost") {
            let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return Ok(both.map(|ip| (ip, self.port).into()).to_vec());
        }
        let (answer, answered) = mpsc::channel();
        let question = (self.host.to_owned(), self.port);
        thread::spawn(move || {
            let addresses = question.to_socket_addrs().map(Vec::from_iter);
            // Nobody listens any more when the time is over.
            let _ = answer.send(addresses);
        });
        let addresses = answered.recv_timeout(patience);
        addresses.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// The path of a socket in `unix:PATH` or `unix:PATH:/TARGET`, and what is asked for there, which
/// is `usual` unless it says so; `None` if it is another URL.
///
/// # Errors
///
/// One line, without the URL.
pub fn local(url: &str, usual: &str) -> Option<Result<(PathBuf, String), String>> {
    let rest = url.strip_prefix("unix:")?;
    let (path, target) = match rest.split_once(":/") {
        Some((path, target)) => (path, format!("/{target}")),
        None => (rest, usual.to_owned()),
    };
    if path.is_empty() {
        return Some(Err("it names no path".to_owned()));
    }
    Some(check_characters(&target).map(|()| (path.into(), target)))
}

fn check_characters(asked: &str) -> Result<(), String> {
    match asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        true => Ok(()),
        false => Err("only printable ASCII without blanks and # can be asked for".to_owned()),
    }
}

fn unsupported(scheme: &str, tls: bool) -> String {
    let known = if tls { "\"ws\" and \"wss\" are" } else { "\"ws\" is" };
    format!("{scheme:?} is not supported, only {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_have_urls_of_their_own() {
        let cases = [
            ("unix:/run/ws", Some(("/run/ws", "/"))),
            ("unix:ws:/chat/den?x", Some(("ws", "/chat/den?x"))),
            ("unix:/a b", Some(("/a b", "/"))),
            ("unix:/a:b", Some(("/a:b", "/"))),
            ("unix:/a:/", Some(("/a", "/"))),
            ("unix:", None),
            ("unix::/x", None),
            ("unix:/a:/x y", None),
            ("unix:/a:/x#y", None),
        ];
        for (url, expected) in cases {
            let parsed = local(url, "/").expect("a URL of a socket").ok();
            let parts = parsed.as_ref().map(|(path, target)| (path.to_str().unwrap(), &**target));
            assert_eq!(parts, expected, "{url:?}");
        }
        assert_eq!(local("ws://unix:1/", "/"), None);
    }

    #[cfg(feature = "load")]
    #[test]
    fn a_bare_echo_is_a_host_and_a_port() {
        let cases = [
            ("tcp://127.0.0.1:9", Some(Some(("127.0.0.1", 9)))),
            ("TCP://[::1]:90", Some(Some(("::1", 90)))),
            ("tcp://80:80", Some(Some(("80", 80)))),
            ("tcp://a", Some(None)),
            ("tcp://[::1]", Some(None)),
            ("tcp://a:", Some(None)),
            ("tcp://a:9/", Some(None)),
            ("tcp://a:9?b", Some(None)),
            ("tcp://", Some(None)),
            ("ws://a:9/", None),
            ("tcp:9", None),
        ];
        for (url, expected) in cases {
            let parsed = Url::parse_bare(url).map(Result::ok);
            let parts = parsed.as_ref().map(|url| url.as_ref().map(|url| (url.host, url.port)));
            assert_eq!(parts, expected, "{url:?}");
        }
    }

    #[test]
    fn urls() {
        let cases = [
            ("ws://localhost:8080/", Some(("localhost:8080", "localhost", 8080, "/"))),
            // Without a path it is the one for health checks.
            ("WS://a", Some(("a", "a", 80, "/healthz"))),
            ("ws://a?b=c", Some(("a", "a", 80, "/healthz?b=c"))),
            ("ws://a/?b=c", Some(("a", "a", 80, "/?b=c"))),
            ("ws://[::1]:90/x/y?z", Some(("[::1]:90", "::1", 90, "/x/y?z"))),
            ("ws://[::1]", Some(("[::1]", "::1", 80, "/healthz"))),
            #[cfg(feature = "tls")]
            ("wss://a/", Some(("a", "a", 443, "/"))),
            #[cfg(feature = "tls")]
            ("WSS://a:80", Some(("a:80", "a", 80, "/healthz"))),
            #[cfg(not(feature = "tls"))]
            ("wss://a/", None),
            ("http://a/", None),
            ("a:80", None),
            ("ws://", None),
            ("ws:///x", None),
            ("ws://:80/", None),
            ("ws://a:/", None),
            ("ws://a:x/", None),
            ("ws://a:+80/", None),
            ("ws://a:65536/", None),
            ("ws://::1/", None),
            ("ws://[::1", None),
            ("ws://[::1]80/", None),
            ("ws://user@a/", None),
            ("ws://a/#part", None),
            ("ws://a/ b", None),
            ("ws://a/\r\nX: y", None),
        ];
        for (url, expected) in cases {
            let parsed = Url::parse(url).ok();
            let parts =
                parsed.as_ref().map(|url| (url.authority, url.host, url.port, &*url.target));
            assert_eq!(parts, expected, "{url:?}");
        }
        for (url, scheme) in [("https://a/", "https"), ("unix:/run/ws", "unix")] {
            let error = Url::parse(url).expect_err("not such a URL");
            assert!(
                error.starts_with(&format!("{scheme:?} is not supported, only \"ws\"")),
                "{error}"
            );
        }
        assert_eq!(Url::parse_with("ws://a", "/", false).expect("a URL").target, "/");
    }
}
