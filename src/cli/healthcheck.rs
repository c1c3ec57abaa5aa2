//! `wsecho healthcheck`: one connection, opening handshake, one echo, closing handshake.
//!
//! A blocking client on one absolute deadline. A timeout per read would let a peer that sends a
//! byte now and then keep the check, and the orchestrator that waits for it, for ever.

mod answer;
mod peer;
mod stream;

use std::io::Write;
use std::time::Instant;

use super::Check;
use super::url::Url;
use crate::http::shown_target;
use answer::quoted;
use peer::{Peer, Place, remaining, said};

/// Checks a server once, and tells `out` what it has done and how long each step took.
///
/// # Errors
///
/// One line: the URL, the step that failed and why, at the latest when `check.timeout` is over.
pub fn run(check: &Check, out: &mut dyn Write) -> Result<(), String> {
    let start = Instant::now();
    let shown = shown_target(&check.url);
    let deadline = start + check.timeout;
    let mut report = Report { out, quiet: check.quiet, since: start };
    let mut healthy = || {
        let staged = |step: &'static str| move |wrong| format!("{step}: {wrong}");
        let (url, places) = match Url::parse_local(&check.url).transpose()? {
            Some((path, url)) => (url, vec![Place::Socket(path)]),
            None => {
                let url = Url::parse(&check.url)?;
                let places = places(&url, deadline, &mut report).map_err(staged("connecting"))?;
                (url, places)
            }
        };
        let mut peer = reach(check, &url, &places, deadline, &mut report)?;
        if !peer.open(&url).map_err(staged("opening handshake"))? {
            // Only those who have a token come in there, but it says to all that it is well.
            let peer = reach(check, &url, &places, deadline, &mut report)?;
            return ask_plainly(peer, &url, &mut report);
        }
        report.step("opening handshake");
        let length = peer.echo().map_err(staged("echo"))?;
        report.step(&format!("echo of {length} bytes"));
        peer.close().map_err(staged("closing handshake"))?;
        report.step("closing handshake");
        Ok(())
    };
    healthy().map_err(|wrong: String| format!("healthcheck of {shown:?}: {wrong}"))?;
    report.since = start;
    report.step(&format!("{shown} is healthy, checked"));
    Ok(())
}

/// A connection to the server, with TLS where the URL says so.
fn reach(
    check: &Check,
    url: &Url<'_>,
    places: &[Place],
    deadline: Instant,
    report: &mut Report<'_>,
) -> Result<Peer, String> {
    #[cfg(feature = "tls")]
    let trust = url.secure.then(|| stream::trust(check)).transpose()?;
    #[cfg(not(feature = "tls"))]
    let _ = (check, url);
    #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "it stays as it is"))]
    let mut peer =
        Peer::connect(places, deadline).map_err(|wrong| format!("connecting: {wrong}"))?;
    report.step(&format!("connected to {}", peer.place));
    #[cfg(feature = "tls")]
    if let Some(trust) = trust {
        let secured = peer.secure(url, &trust);
        let version = secured.map_err(|wrong| format!("TLS handshake: {wrong}"))?;
        report.step(&format!("TLS handshake, {version}"));
    }
    Ok(peer)
}

/// Asks for the server's health without an upgrade.
fn ask_plainly(mut peer: Peer, url: &Url<'_>, report: &mut Report<'_>) -> Result<(), String> {
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", url.authority);
    let head = peer.ask(request.as_bytes())?;
    if !head.starts_with(b"HTTP/1.1 200 ") {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        return Err(format!("/healthz is answered with {}", quoted(line)));
    }
    report.step("an echo takes a token; /healthz says that it is well");
    Ok(())
}

/// Says what went well, a line for each step.
struct Report<'a> {
    out: &'a mut dyn Write,
    quiet: bool,
    /// When the current step began.
    since: Instant,
}

impl Report<'_> {
    fn step(&mut self, what: &str) {
        let now = Instant::now();
        let millis = (now - self.since).as_secs_f64() * 1000.0;
        self.since = now;
        if !self.quiet {
            // The verdict is the exit status, whoever reads this.
            let _ = writeln!(self.out, "{what} in {millis:.1} ms");
        }
    }
}

/// Where the host of a URL is.
fn places(url: &Url<'_>, deadline: Instant, report: &mut Report<'_>) -> Result<Vec<Place>, String> {
    let addresses = url.addresses(remaining(deadline)?).map_err(|error| said(&error))?;
    if !url.is_literal() {
        report.step(&format!("{} found at {}", url.host, counted(addresses.len(), "address")));
    }
    Ok(addresses.into_iter().map(Place::Address).collect())
}

fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "es" })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::net::{TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use tungstenite::Message;

    use super::*;
    use crate::http::AcceptKey;

    /// A server for one connection; the check's verdict, and how long that took.
    fn against<F>(serve: F, timeout: Duration) -> (Result<(), String>, Duration)
    where
        F: FnOnce(TcpStream) + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server: JoinHandle<()> =
            thread::spawn(move || serve(listener.accept().expect("a client").0));
        let started = Instant::now();
        let check = Check { url: format!("ws://{address}/"), timeout, ..Check::default() };
        let verdict = run(&check, &mut io::sink());
        let took = started.elapsed();
        server.join().expect("the server is content");
        (verdict, took)
    }

    const AMPLE: Duration = Duration::from_secs(10);

    fn request_key(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a whole head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("ASCII");
        assert!(head.starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        key.expect("a key").to_owned()
    }

    fn accept(stream: &mut TcpStream) {
        let key = request_key(stream);
        let accept = AcceptKey::derive(key.as_bytes()).expect("16 bytes in base64");
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
             connection: keep-alive, upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
            accept.as_bytes().escape_ascii()
        );
        stream.write_all(head.as_bytes()).expect("sent");
    }

    /// Reads one short masked frame and returns its payload in the clear.
    fn frame(stream: &mut TcpStream) -> Vec<u8> {
        let mut head = [0; 6];
        stream.read_exact(&mut head).expect("a head");
        assert!(head[1] & 0x80 != 0, "clients mask (RFC 6455 §5.3)");
        let mut payload = vec![0; usize::from(head[1] ^ 0x80)];
        stream.read_exact(&mut payload).expect("a payload");
        payload.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        payload
    }

    fn echoed(stream: &mut TcpStream) {
        accept(stream);
        let message = frame(stream);
        let len = u8::try_from(message.len()).expect("short");
        // A ping and a pong in front of it are no answer.
        stream.write_all(&[0x89, 2, b'h', b'i', 0x8a, 0, 0x81, len]).expect("sent");
        stream.write_all(&message).expect("sent");
        assert_eq!(frame(stream), b"hi", "the pong");
    }

    #[test]
    fn o08_server_of_another_house_is_healthy() {
        let serve = |stream| {
            let mut socket = tungstenite::accept(stream).expect("a handshake");
            let message = socket.read().expect("a message");
            assert!(matches!(message, Message::Text(_)));
            socket.send(message).expect("echoed");
            while socket.read().is_ok() {}
        };
        assert_eq!(against(serve, AMPLE).0, Ok(()));
    }

    #[test]
    fn o08_pings_on_the_way_do_not_matter() {
        let serve = |mut stream: TcpStream| {
            echoed(&mut stream);
            assert_eq!(frame(&mut stream), [3, 232]);
            stream.write_all(&[0x88, 2, 3, 232]).expect("sent");
        };
        assert_eq!(against(serve, AMPLE).0, Ok(()));
    }

    #[test]
    fn o08_wedged_or_dripping_server_fails_in_time() {
        let timeout = Duration::from_millis(300);
        let wedged = |mut stream: TcpStream| {
            // Ends when the client gives up.
            let _ = stream.read_to_end(&mut Vec::new());
        };
        let dripping = |mut stream: TcpStream| {
            let head = "HTTP/1.1 101 Switching Protocols\r\nX-Long: ".bytes();
            for byte in head.chain(std::iter::repeat(b'x')) {
                thread::sleep(Duration::from_millis(10));
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
            }
        };
        let never_closing = |mut stream: TcpStream| {
            echoed(&mut stream);
            stream.write_all(&[0x88, 2, 3, 232]).expect("sent");
            let _ = stream.read_to_end(&mut Vec::new());
        };
        for (verdict, took) in
            [against(wedged, timeout), against(dripping, timeout), against(never_closing, timeout)]
        {
            let wrong = verdict.expect_err("late");
            assert!(wrong.ends_with("not done in time"), "{wrong}");
            assert!(took >= timeout && took < Duration::from_secs(5), "{took:?}");
        }
    }

    #[test]
    fn o08_everything_but_an_echo_fails() {
        type Serve = fn(TcpStream);
        let cases: [(&str, Serve); 10] = [
            ("opening handshake: the server closed", |mut stream| drop(request_key(&mut stream))),
            ("opening handshake: the answer is \"HTTP/1.1 503 \\u{1b}[m\"", |mut stream| {
                request_key(&mut stream);
                stream.write_all(b"HTTP/1.1 503 \x1b[m\r\n\r\n").expect("sent");
            }),
            ("echo: answered with Close 1001 \"bye\"", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x88\x05\x03\xe9bye").expect("sent");
            }),
            ("echo: answered with \"something else\"", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x81\x0esomething else").expect("sent");
            }),
            ("echo: unexpected frame: frame masked", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x81\xfe").expect("sent");
            }),
            ("echo: unexpected frame: reserved bit set", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\xc1\x00").expect("sent");
            }),
            ("echo: unexpected frame: 65536 bytes long", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]).expect("sent");
            }),
            ("echo: answered with Text, \"wsecho\", and not a whole text", |mut stream| {
                accept(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x01\x06wsecho").expect("sent");
            }),
            ("closing handshake: answered with Close 1011", |mut stream| {
                echoed(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x88\x02\x03\xf3").expect("sent");
            }),
            ("closing handshake: something came after", |mut stream| {
                echoed(&mut stream);
                frame(&mut stream);
                stream.write_all(b"\x88\x02\x03\xe8\x81\x00").expect("sent");
            }),
        ];
        for (expected, serve) in cases {
            let wrong = against(serve, AMPLE).0.expect_err(expected);
            assert!(wrong.contains(&format!(": {expected}")), "{expected:?} in {wrong:?}");
            assert!(!wrong.chars().any(char::is_control), "{wrong:?}");
        }
    }

    #[test]
    fn nobody_there_is_one_line() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("ws://{}/", listener.local_addr().expect("bound"));
        drop(listener);
        let wrong =
            run(&Check { url: url.clone(), timeout: AMPLE, ..Check::default() }, &mut io::sink())
                .expect_err("nobody");
        assert!(wrong.starts_with(&format!("healthcheck of \"{url}\": connecting: ")), "{wrong}");
    }
}
