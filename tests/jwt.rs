//! JSON Web Tokens: which let in and which do not, and the real binary that is given some.
#![cfg(feature = "jwt")]

#[path = "support/process.rs"]
#[expect(dead_code, reason = "each test target uses a part of it")]
mod process;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac_sha256::HMAC;
use process::Server;
use process::folder::Folder;
use process::frames::{REQUEST, masked};
use rustix::process::Signal;
use wsecho::admission::Recognize;
use wsecho::admission::jwt::{Jwts, Key};

const RSA: &str = include_str!("support/jwt/rsa.pem");
const ED25519: &str = include_str!("support/jwt/ed25519.pem");
const RS256: &str = include_str!("support/jwt/rs256.jwt");
const EDDSA: &str = include_str!("support/jwt/eddsa.jwt");

const SECRET: &str = "thirty-two bytes are the shortest";

const NOW: u64 = 1_700_000_000;

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with this header and these claims, signed by HMAC with a secret.
fn signed(header: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = HMAC::mac(message.as_bytes(), secret.as_bytes());
    format!("{message}.{}", encoded(signature))
}

fn hs256(claims: &str) -> String {
    signed(r#"{"alg":"HS256"}"#, claims, SECRET)
}

fn jwts(key: &str, audience: &[&str]) -> Jwts {
    let audience = audience.iter().map(|name| (*name).to_owned()).collect();
    Jwts::new(Key::parse(key.as_bytes()).unwrap(), audience)
}

fn name(jwts: &Jwts, token: &str) -> Option<String> {
    jwts.name_of(token.as_bytes(), Duration::from_secs(NOW)).map(|name| name.to_string())
}

/// RFC 7515 §A.1, whose token expired in 2011.
#[test]
fn the_token_of_the_rfc() {
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = Key::parse(&URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19\
        yb290Ijp0cnVlfQ\
        .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let jwts = Jwts::new(key, Vec::new());
    let at = |seconds| jwts.name_of(token.as_bytes(), Duration::from_secs(seconds));
    assert_eq!(at(1_300_819_379).as_deref(), Some("nobody"), "it has no subject");
    assert_eq!(at(NOW), None);
}

#[test]
fn a_key_knows_its_own_tokens_alone() {
    let own = hs256(r#"{"sub":"eve","exp":1700000001}"#);
    for (key, algorithm, known, subject) in [
        (RSA, "RS256", RS256, "ann"),
        (include_str!("support/jwt/rsa-pkcs1.pem"), "RS256", RS256, "ann"),
        (ED25519, "EdDSA", EDDSA, "bob"),
        (SECRET, "HS256", &own, "eve"),
    ] {
        assert_eq!(Key::parse(key.as_bytes()).unwrap().algorithm(), algorithm);
        let jwts = jwts(key, &[]);
        assert_eq!(name(&jwts, known).as_deref(), Some(subject));
        for other in [RS256, EDDSA, &own].into_iter().filter(|token| *token != known) {
            assert_eq!(name(&jwts, other), None);
        }
        // Whatever is changed, it is not what was signed.
        for at in 0..known.len() {
            let changed = if &known[at..=at] == "A" { "B" } else { "A" };
            let token = [&known[..at], changed, &known[at + 1..]].concat();
            // The last digit of a signature may have bits that count for nothing; those are zero.
            assert_eq!(name(&jwts, &token), None, "{algorithm}, byte {at}");
        }
        jwts.replace(Key::parse(b"another secret of thirty-two bytes").unwrap());
        assert_eq!(name(&jwts, known), None, "not any more");
    }
}

/// RFC 8725 §2.1: "none", and the public key taken for a secret.
#[test]
fn a11_a_token_does_not_choose_its_algorithm() {
    let claims = r#"{"sub":"eve","exp":4102444800}"#;
    let unsigned = |algorithm: &str| {
        format!("{}.{}.", encoded(format!(r#"{{"alg":"{algorithm}"}}"#)), encoded(claims))
    };
    for key in [RSA, ED25519, SECRET] {
        let jwts = jwts(key, &[]);
        for algorithm in ["none", "None", "NONE", "", "HS256", "RS256", "EdDSA"] {
            assert_eq!(name(&jwts, &unsigned(algorithm)), None, "{algorithm}");
        }
        for algorithm in ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "none"] {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            for secret in [key, key.trim_end(), ""] {
                let token = signed(&header, claims, secret);
                let own = key == SECRET && algorithm == "HS256" && !secret.is_empty();
                assert_eq!(name(&jwts, &token).is_some(), own, "{algorithm}");
            }
        }
    }
    let rs384 = include_str!("support/jwt/rs384.jwt");
    assert_eq!(name(&jwts(RSA, &[]), rs384), None, "a key is for one algorithm");
    let within = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"c2VjcmV0"}}"#;
    assert_eq!(name(&jwts(SECRET, &[]), &signed(within, claims, "secret")), None);
    let critical = r#"{"alg":"HS256","crit":["exp"]}"#;
    assert_eq!(name(&jwts(SECRET, &[]), &signed(critical, claims, SECRET)), None);
}

#[test]
fn a12_tokens_have_their_time() {
    let jwts = jwts(SECRET, &[]);
    for (claims, lets_in) in [
        (r#"{"exp":1700000000}"#, true),
        (r#"{"exp":1699999941}"#, true),
        (r#"{"exp":1699999940.5}"#, true),
        (r#"{"exp":1699999940}"#, false),
        (r#"{"exp":0}"#, false),
        (r#"{"exp":-1}"#, false),
        (r#"{"exp":1e99}"#, true),
        (r#"{"exp":1e999}"#, false),
        (r#"{"exp":"4102444800"}"#, false),
        (r#"{"exp":null}"#, false),
        (r#"{"exp":[4102444800]}"#, false),
        ("{}", false),
        ("[]", false),
        ("", false),
        (r#"{"exp":4102444800,"exp":0}"#, false),
        (r#"{"exp":4102444800,"nbf":1700000060}"#, true),
        (r#"{"exp":4102444800,"nbf":1700000061}"#, false),
        (r#"{"exp":4102444800,"nbf":"1"}"#, false),
    ] {
        assert_eq!(name(&jwts, &hs256(claims)).is_some(), lets_in, "{claims}");
    }
}

/// RFC 7519 §4.1.3: who is not in the audience has to reject the token.
#[test]
fn a13_tokens_have_their_audience() {
    let (nobody, echo) = (jwts(SECRET, &[]), jwts(SECRET, &["echo", "wss://example.org"]));
    for (audience, lets_in) in [
        ("", [true, false]),
        (r#","aud":"echo""#, [false, true]),
        (r#","aud":["chat","wss://example.org"]"#, [false, true]),
        (r#","aud":"Echo""#, [false, false]),
        (r#","aud":["chat"]"#, [false, false]),
        (r#","aud":7"#, [false, false]),
        (r#","aud":[]"#, [false, false]),
    ] {
        let token = hs256(&format!(r#"{{"exp":4102444800{audience}}}"#));
        assert_eq!(
            [&nobody, &echo].map(|jwts| name(jwts, &token).is_some()),
            lets_in,
            "{audience}"
        );
    }
}

#[test]
fn what_is_no_token_lets_nobody_in() {
    for key in [RSA, ED25519, SECRET] {
        let jwts = jwts(key, &[]);
        for token in ["", ".", "..", "...", "a.b.c", "e30.e30.", SECRET, "e30.e30.e30.e30.e30"] {
            assert_eq!(name(&jwts, token), None, "{token}");
        }
        assert_eq!(jwts.name_of(b"\xFF.\xFE.\0", Duration::ZERO), None);
    }
}

#[test]
fn a_subject_is_named_as_it_may_be_shown() {
    let jwts = jwts(SECRET, &[]);
    let long = "x".repeat(65);
    for (subject, shown) in [
        ("ann", "ann"),
        ("", "nobody"),
        ("auth0|7", "auth0|7"),
        (r"a b\n\u001b[31m\u202e", "a_b__[31m_"),
        (&long, &long[1..]),
    ] {
        let token = hs256(&format!(r#"{{"exp":4102444800,"sub":"{subject}"}}"#));
        assert_eq!(name(&jwts, &token).as_deref(), Some(shown));
    }
}

#[test]
fn what_is_wrong_with_a_key_is_said_without_quoting_it() {
    let cut = RSA.replace("\n-----END", "A\n-----END");
    let private = RSA.replace("PUBLIC KEY", "PRIVATE KEY");
    let certificate = RSA.replace("PUBLIC KEY", "CERTIFICATE");
    for (file, wrong) in [
        ("", "it is neither PEM nor a secret"),
        ("thirty-one bytes are not enough\n", "it is neither PEM nor a secret"),
        (&private, "it holds a private key"),
        (&certificate, "it is PEM, but not"),
        (&cut, "it is not the PEM of an RSA or Ed25519 key"),
        ("-----BEGIN PUBLIC KEY-----\n", "it is not the PEM of an RSA or Ed25519 key"),
        (include_str!("support/jwt/ec.pem"), "it is not the PEM of an RSA"),
        (include_str!("support/jwt/rsa-1024.pem"), "the RSA key is not of 2048"),
    ] {
        let said = Key::parse(file.as_bytes()).unwrap_err();
        assert!(said.starts_with(wrong), "{file}: {said}");
    }
    let secret = format!("{SECRET}\r\n");
    let jwts = jwts(&secret, &[]);
    assert_eq!(name(&jwts, &hs256(r#"{"exp":4102444800}"#)).as_deref(), Some("nobody"));
}

/// The status of the answer to a page with this token, in each of the ways to bring one along.
fn statuses(server: &Server, token: &str) -> Vec<String> {
    let basic = STANDARD.encode(format!("me:{token}"));
    let ask = |target: &str, lines: &str| {
        let answer = server.ask(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n{lines}\r\n"));
        if answer.starts_with("HTTP/1.1 401 ") {
            assert!(answer.contains("\r\nWWW-Authenticate: Bearer realm=\"wsecho\""), "{answer}");
        }
        answer[9..12].to_owned()
    };
    vec![
        ask("/", &format!("Authorization: Bearer {token}\r\n")),
        ask("/", &format!("Authorization: Basic {basic}\r\n")),
        ask("/", &format!("Sec-WebSocket-Protocol: chat, bearer.{token}\r\n")),
        ask(&format!("/?access_token={token}"), ""),
    ]
}

#[test]
fn a_token_lets_in_however_it_is_brought_along() {
    let folder = Folder::new("ways");
    let hash = hmac_sha256::Hash::hash(b"plain");
    let digits = hash.iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"));
    let plain = folder.write("tokens", &format!("eve {digits}\n"));
    let key = folder.write("key", RSA);
    let server = Server::start(&["--auth-tokens", &plain, "--auth-jwt-key", &key]);
    for (token, status) in [(RS256, "200"), ("plain", "200"), (EDDSA, "401"), ("other", "401")] {
        assert_eq!(statuses(&server, token), [status; 4], "{token}");
    }
    let fields = format!("Host: h\r\nSec-WebSocket-Protocol: bearer.{RS256}\r\n");
    let mut peer = server.connect();
    peer.send(REQUEST.replace("Host: h\r\n", &fields).as_bytes());
    let head = peer.read("HTTP/1.1 101 ".len());
    assert_eq!(head, b"HTTP/1.1 101 ");
}

#[test]
fn a07_sighup_loads_the_key_anew_and_a_bad_one_changes_nothing() {
    let folder = Folder::new("reload");
    let key = folder.write("key", RSA);
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
    command.args(["--listen", "127.0.0.1:0", "--auth-jwt-key", &key, "-vv"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let mut server = Server::started(child);
    let mut said = String::new();
    let mut until = |text: &str| {
        let from = said.len();
        while !said[from..].contains(text) {
            assert_ne!(log.read_line(&mut said).expect("text"), 0, "no line with {text:?}: {said}");
        }
    };
    for (file, line, token, other) in [
        (RSA, "a key for RS256 in ", RS256, EDDSA),
        (ED25519, "a key for EdDSA in ", EDDSA, RS256),
        ("short secret", "key: it is neither PEM nor a secret", EDDSA, RS256),
        ("", "; the old one stays in force", EDDSA, RS256),
    ] {
        folder.write("key", file);
        server.signal(Signal::HUP);
        until(line);
        assert_eq!(statuses(&server, token), ["200"; 4], "{line}");
        assert_eq!(statuses(&server, other), ["401"; 4], "{line}");
        let mut peer = server.connect();
        let target = format!("GET /?access_token={token} ");
        peer.send(REQUEST.replace("GET / ", &target).as_bytes());
        peer.send(&masked(0x88, b""));
        peer.rest();
    }
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    log.read_to_string(&mut said).expect("text");
    // Its subject may be named, but of the token itself nothing.
    assert!(said.contains(", token of ann") && said.contains(", token of bob"), "{said}");
    for part in RS256.split('.').chain(EDDSA.split('.')).chain(["short secret"]) {
        assert!(!said.contains(part), "{said}");
    }
}

#[test]
fn what_is_of_no_use_ends_the_start() {
    let folder = Folder::new("wrong");
    let key = folder.write("key", RSA);
    let short = folder.write("short", "s3cr3t\n");
    let none = folder.0.join("none").display().to_string();
    for (arguments, status, wrong) in [
        (["--auth-jwt-key", &short].as_slice(), 1, "/short: it is neither PEM nor a secret"),
        (&["--auth-jwt-key", &none], 1, "No such file"),
        (&["--auth-jwt-key", "/dev/zero"], 1, "longer than 1MiB"),
        (&["--auth-jwt-audience", "echo"], 2, "--auth-jwt-audience needs --auth-jwt-key"),
        (&["--auth-jwt-key", &key, "--auth-jwt-audience"], 2, "--auth-jwt-audience <AUD>"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wsecho"));
        let output = command.args(["--listen", "127.0.0.1:0"]).args(arguments).output();
        let output = output.expect("it runs");
        let line = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(status), "{line}");
        assert!(output.stdout.is_empty() && line.matches('\n').count() == 1, "{line}");
        assert!(line.contains(wrong) && !line.contains("s3cr3t"), "{line}");
    }
}
