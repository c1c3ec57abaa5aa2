//! The options for `wss://`.

use super::options::Options;
use super::spec::Spec;
#[cfg(feature = "tls")]
use super::{spec::Takes, value};
use crate::net::listen::ListenAddress;

#[cfg(feature = "tls")]
const HEADING: &str = "TLS";

/// None, in a program that speaks no TLS.
#[cfg(not(feature = "tls"))]
pub(super) const TLS: &[Spec<Options>] = &[];

/// Who the server is, and whom it lets in.
#[cfg(feature = "tls")]
pub(super) const TLS: &[Spec<Options>] = &[
    Spec {
        name: "tls-cert",
        variable: "WSECHO_TLS_CERT",
        takes: Takes::One("FILE"),
        heading: HEADING,
        help: "Certificate for wss://, PEM: the server's own,\n\
               then the intermediate ones",
        default: |_| String::new(),
        apply: |options, text| {
            value::path(text).map(|path| options.config.tls.certificate = Some(path))
        },
    },
    Spec {
        name: "tls-key",
        variable: "WSECHO_TLS_KEY",
        takes: Takes::One("FILE"),
        heading: HEADING,
        help: "Private key of --tls-cert, PEM",
        default: |_| String::new(),
        apply: |options, text| value::path(text).map(|path| options.config.tls.key = Some(path)),
    },
    Spec {
        name: "tls-self-signed",
        variable: "WSECHO_TLS_SELF_SIGNED",
        takes: Takes::Maybe("NAME", "localhost"),
        heading: HEADING,
        help: "To try wss:// out, make a certificate for NAME\n\
               at each start, localhost by default, and log\n\
               its fingerprint",
        default: |_| String::new(),
        apply: |options, text| {
            options.config.tls.self_signed = Some(text.to_owned());
            Ok(())
        },
    },
    Spec {
        name: "tls-client-ca",
        variable: "WSECHO_TLS_CLIENT_CA",
        takes: Takes::One("FILE"),
        heading: HEADING,
        help: "Require a certificate of wss:// clients,\n\
               signed by an authority in FILE, PEM",
        default: |_| String::new(),
        apply: |options, text| {
            value::path(text).map(|path| options.config.tls.client_ca = Some(path))
        },
    },
];

/// What is missing of options that go together.
pub(super) fn check(options: &Options) -> Result<(), String> {
    let tls = &options.config.tls;
    let secure = options.listen.iter().any(ListenAddress::is_secure);
    let own = tls.certificate.is_some() || tls.key.is_some();
    let asked = own || tls.self_signed.is_some() || tls.client_ca.is_some();
    let wrong = match () {
        () if asked && !secure => "the --tls- options need a wss:// in --listen",
        () if own && tls.self_signed.is_some() => {
            "--tls-self-signed stands without --tls-cert and --tls-key"
        }
        () if tls.certificate.is_some() != tls.key.is_some() => {
            "--tls-cert and --tls-key go together"
        }
        () if secure && !own && tls.self_signed.is_none() => {
            "wss:// needs --tls-cert and --tls-key, or --tls-self-signed"
        }
        () => return Ok(()),
    };
    Err(wrong.to_owned())
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::super::options::tests::parsed as parsed_with;
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parsed_with(line, &[])
    }

    #[test]
    fn variables_do_the_same() {
        let flags = "--listen wss://:1 --tls-cert a --tls-key b --tls-client-ca c";
        let variables = [
            ("WSECHO_LISTEN", "wss://:1"),
            ("WSECHO_TLS_CERT", "a"),
            ("WSECHO_TLS_KEY", "b"),
            ("WSECHO_TLS_CLIENT_CA", "c"),
        ];
        let tls = |options: Result<Options, String>| options.expect("good options").config.tls;
        assert_eq!(tls(parsed(flags)), tls(parsed_with("", &variables)));
        let made = [variables[0], ("WSECHO_TLS_SELF_SIGNED", "localhost")];
        let flags = "--listen wss://:1 --tls-self-signed";
        assert_eq!(tls(parsed(flags)), tls(parsed_with("", &made)));
        assert!(parsed_with("", &variables[1..]).is_err(), "for whom?");
        for spec in TLS {
            let twin = format!("WSECHO_{}", spec.name.to_uppercase().replace('-', "_"));
            assert_eq!(spec.variable, twin);
        }
    }

    #[test]
    fn options_that_go_together() {
        let cases = [
            ("--listen wss://127.0.0.1:0", "--tls-self-signed"),
            ("--listen wss://127.0.0.1:0 --tls-cert a", "go together"),
            ("--listen wss://127.0.0.1:0 --tls-key a", "go together"),
            ("--listen wss://127.0.0.1:0 --tls-client-ca a", "--tls-cert"),
            ("--listen wss://:1 --tls-cert a --tls-key b --tls-self-signed", "stands without"),
            ("--tls-cert a --tls-key b", "wss://"),
            ("--listen 80 --tls-self-signed", "wss://"),
            ("--listen wss://:1 --tls-cert", "--tls-cert"),
        ];
        for (line, cause) in cases {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(cause), "{line:?} gave {error:?}");
        }
        let named = |line| parsed(line).map(|options| options.config.tls.self_signed);
        let made = "--listen 80 --listen wss://:1 --tls-self-signed";
        assert_eq!(named(made), Ok(Some("localhost".to_owned())));
        assert_eq!(named(&format!("{made} a.example")), Ok(Some("a.example".to_owned())));
    }
}
