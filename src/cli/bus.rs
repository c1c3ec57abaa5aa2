//! The options for rooms that span processes.

use super::options::Options;
use super::spec::Spec;
#[cfg(feature = "bus")]
use super::{spec::Takes, value};
#[cfg(feature = "bus")]
use crate::limits::{BusAddress, BusPlace};

#[cfg(feature = "bus")]
const HEADING: &str = "Bus";

/// None, in a program without a bus.
#[cfg(not(feature = "bus"))]
pub(super) const BUS: &[Spec<Options>] = &[];

/// Which bus, and what if it is not there.
#[cfg(feature = "bus")]
pub(super) const BUS: &[Spec<Options>] = &[
    Spec {
        name: "bus",
        variable: "WSECHO_BUS",
        takes: Takes::One("URL"),
        heading: HEADING,
        help: "Share rooms with all processes that name the\n\
               same Redis or Valkey: see URL below. The\n\
               variable keeps a password out of ps",
        default: |_| String::new(),
        apply: |options, text| address(text).map(|value| options.config.bus = Some(value)),
    },
    #[cfg(feature = "tls")]
    Spec {
        name: "bus-ca",
        variable: "WSECHO_BUS_CA",
        takes: Takes::One("FILE"),
        heading: HEADING,
        help: "Certificates that have signed that of a\n\
               rediss:// bus, or are it, PEM",
        default: |_| String::new(),
        apply: |options, text| value::path(text).map(|path| options.bus_authority = Some(path)),
    },
    Spec {
        name: "bus-required",
        variable: "WSECHO_BUS_REQUIRED",
        takes: Takes::Switch,
        heading: HEADING,
        help: "Do not start without the bus; by default rooms\n\
               are local until it is there",
        default: |_| String::new(),
        apply: |options, text| {
            value::switch(text).map(|required| options.config.bus_required = required)
        },
    },
];

/// How a bus is named.
#[cfg(feature = "bus")]
const FORM: &str = "redis://[USER:PASSWORD@]HOST[:PORT][/DB]";

/// The port of Redis.
#[cfg(feature = "bus")]
const PORT: u16 = 6379;

/// A bus as `redis://`, `rediss://` or `redis+unix://` names it. The error does not repeat it:
/// there may be a password in it.
#[cfg(feature = "bus")]
fn address(text: &str) -> Result<BusAddress, String> {
    let form = || format!("it is not of the form {FORM}");
    let (scheme, rest) = text.split_once("://").ok_or_else(form)?;
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    let (user, password) = match credentials.map(|both| both.split_once(':')) {
        None => (None, None),
        Some(None) => return Err("what stands before @ is not USER:PASSWORD".to_owned()),
        Some(Some((user, password))) => {
            let user = decoded(user)?;
            (Some(user).filter(|user| !user.is_empty()), Some(decoded(password)?))
        }
    };
    let (place, database) = match scheme {
        "redis" | "rediss" => {
            let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
            (host(place).ok_or_else(form)?, database)
        }
        "redis+unix" => {
            let (path, database) = rest.split_once("?db=").unwrap_or((rest, ""));
            if !path.starts_with('/') {
                return Err("a Unix socket is redis+unix:///PATH[?db=DB]".to_owned());
            }
            (BusPlace::Unix(decoded(path)?.into()), database)
        }
        _ => return Err(form()),
    };
    if scheme == "rediss" && cfg!(not(feature = "tls")) {
        return Err("this program speaks no TLS".to_owned());
    }
    let database = if database.is_empty() { Some(0) } else { value::digits(database) };
    let database = database.ok_or("DB is not a number")?;
    let authority = (scheme == "rediss").then(Default::default);
    Ok(BusAddress { place, user, password, database, authority })
}

#[cfg(feature = "bus")]
fn host(place: &str) -> Option<BusPlace> {
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => value::digits(port).filter(|port| *port > 0)?,
        None if port.is_empty() => PORT,
        None => return None,
    };
    let plain = |c: char| c.is_ascii_graphic() && !"[]/?#@".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| BusPlace::Host(host.to_owned(), port))
}

#[cfg(feature = "bus")]
fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| "it is not UTF-8".to_owned())
}

/// What is missing of options that go together.
#[cfg(feature = "bus")]
pub(super) fn check(options: &mut Options) -> Result<(), String> {
    let authority = options.bus_authority.take();
    let wrong = match &mut options.config.bus {
        None if authority.is_some() => "--bus-ca says how a bus is known: it needs --bus",
        None if options.config.bus_required => "--bus-required needs --bus",
        None => return Ok(()),
        Some(bus) => match (&mut bus.authority, authority) {
            (Some(known), Some(path)) => {
                *known = path;
                return Ok(());
            }
            (Some(_), None) => "a rediss:// bus needs --bus-ca",
            (None, Some(_)) => "--bus-ca needs a rediss:// bus",
            (None, None) => return Ok(()),
        },
    };
    Err(wrong.to_owned())
}

/// Nothing can be missing.
#[cfg(not(feature = "bus"))]
pub(super) fn check(_: &mut Options) -> Result<(), String> {
    Ok(())
}

#[cfg(all(test, feature = "bus"))]
mod tests {
    use super::super::options::tests::parsed as parsed_with;
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parsed_with(line, &[])
    }

    fn place(text: &str) -> (BusPlace, u32) {
        let address = address(text).expect(text);
        (address.place, address.database)
    }

    #[test]
    fn buses_are_named_as_everywhere() {
        let host = |name: &str, port| BusPlace::Host(name.to_owned(), port);
        assert_eq!(place("redis://a"), (host("a", 6379), 0));
        assert_eq!(place("redis://a.example:7/3"), (host("a.example", 7), 3));
        assert_eq!(place("redis://[::1]:7/"), (host("::1", 7), 0));
        assert_eq!(place("redis://u:p@[::1]"), (host("::1", 6379), 0));
        let unix = BusPlace::Unix("/run/a b.sock".into());
        assert_eq!(place("redis+unix:///run/a%20b.sock?db=2"), (unix, 2));
        let with = address("redis://ann:p%40%3A+w@a").expect("good");
        assert_eq!((with.user.as_deref(), with.password.as_deref()), (Some("ann"), Some("p@:+w")));
        let without = address("redis://:pw@a").expect("good");
        assert_eq!((without.user, without.password.as_deref()), (None, Some("pw")));
        assert_eq!(format!("{with} {with:?}"), "redis://a:6379 redis://a:6379");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let cases = [
            ("a", "of the form"),
            ("http://a", "of the form"),
            ("redis://", "of the form"),
            ("redis://:7", "of the form"),
            ("redis://a:0", "of the form"),
            ("redis://a:70000", "of the form"),
            ("redis://[::1", "of the form"),
            ("redis://a?b", "of the form"),
            ("redis://a/x", "DB is not a number"),
            ("redis://a/-1", "DB is not a number"),
            ("redis://secret@a", "USER:PASSWORD"),
            ("redis://x:secret@", "of the form"),
            ("redis://x:%FFsecret@a", "not UTF-8"),
            ("redis+unix://a", "redis+unix:///PATH"),
        ];
        for (text, cause) in cases {
            let error = parsed(&format!("--bus {text}")).expect_err(text);
            assert!(error.contains(cause) && !error.contains("secret"), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn options_that_go_together() {
        assert!(parsed("--bus-required").is_err_and(|error| error.contains("needs --bus")));
        assert!(parsed("--bus redis://a --bus-required").is_ok());
        if cfg!(feature = "tls") {
            for line in ["--bus-ca f", "--bus rediss://a", "--bus redis://a --bus-ca f"] {
                assert!(parsed(line).is_err_and(|error| error.contains("bus")), "{line}");
            }
            let bus = parsed("--bus rediss://a --bus-ca f").map(|options| options.config.bus);
            let bus = bus.expect("good").expect("a bus");
            assert_eq!(
                (bus.to_string().as_str(), bus.authority),
                ("rediss://a:6379", Some("f".into()))
            );
        }
    }
}
