//! The options for several processes on one port.

use std::num::NonZero;
use std::thread;

use super::options::{LISTENING, Options};
use super::spec::{Spec, Takes};
use super::value;
use crate::limits::WORKERS_MAX;

/// Beside others, and in several.
pub(super) const PROCESSES: &[Spec<Options>] = &[
    Spec {
        name: "reuse-port",
        variable: "WSECHO_REUSE_PORT",
        takes: Takes::Switch,
        heading: LISTENING,
        help: "Share all ports with other processes of the\n\
               same user that do so too, and leave them to\n\
               those at the end. For one port: ,reuse-port",
        default: |_| String::new(),
        apply: |options, text| value::switch(text).map(|reuse| options.reuse_port = reuse),
    },
    Spec {
        name: "workers",
        variable: "WSECHO_WORKERS",
        takes: Takes::One("COUNT"),
        heading: LISTENING,
        help: "Start so many processes, or auto for one for\n\
               each processor, which share the listeners, and\n\
               restart one that dies. Limits are those of each",
        default: |_| String::new(),
        apply: |options, text| workers(text).map(|count| options.workers = Some(count)),
    },
];

/// So many processes, or as many as there are processors for this one.
fn workers(text: &str) -> Result<usize, String> {
    if text == "auto" {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        return Ok(processors.min(WORKERS_MAX));
    }
    let count = value::digits(text).filter(|count| (1..=WORKERS_MAX).contains(count));
    count.ok_or_else(|| format!("{text:?} is not a number from 1 to {WORKERS_MAX}, nor auto"))
}

/// Applies what is said of all listeners, and finds what does not go together.
pub(super) fn check(options: &mut Options) -> Result<(), String> {
    if options.reuse_port {
        for address in &mut options.listen {
            if !address.reuses_port() {
                let shared = value::reuse_port(address.clone());
                *address = shared.map_err(|wrong| format!("--reuse-port: {wrong}"))?;
            }
        }
    }
    match options.workers.is_some() && options.config.tls.self_signed.is_some() {
        true => Err("--workers needs --tls-cert and --tls-key, which all of them have, not \
                     --tls-self-signed"
            .to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::parsed as parsed_with;
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parsed_with(line, &[])
    }

    #[test]
    fn all_ports_are_shared_and_nothing_else_can_be() {
        let shown = |line: &str| {
            let listen = parsed(line)?.listen.into_iter();
            Ok(listen.map(|address| address.to_string()).collect::<Vec<_>>())
        };
        let many = "--listen 127.0.0.1:1 --listen 127.0.0.1:2,reuse-port";
        assert_eq!(
            shown(&format!("{many} --reuse-port")),
            Ok(["127.0.0.1:1,reuse-port", "127.0.0.1:2,reuse-port"].map(str::to_owned).to_vec())
        );
        assert_eq!(shown("--reuse-port"), Ok(vec!["port 8080,reuse-port".to_owned()]));
        for place in ["unix:/run/a", "fd:3", "systemd", "systemd:web"] {
            let wrong = format!("only a port can be shared, not {place}");
            let line = format!("--listen 1 --listen {place} --reuse-port");
            assert_eq!(shown(&line), Err::<Vec<String>, _>(format!("--reuse-port: {wrong}")));
            let line = format!("--listen {place},reuse-port");
            assert_eq!(shown(&line), Err(format!("--listen: {wrong}")));
        }
    }

    #[test]
    fn workers_are_counted() {
        for (text, count) in [("1", Some(1)), ("256", Some(256))] {
            let options = parsed(&format!("--workers {text}")).expect(text);
            assert_eq!(options.workers, count);
        }
        assert_eq!(parsed("").expect("nothing").workers, None);
        let auto = parsed("--workers auto").expect("auto").workers;
        assert!(auto.is_some_and(|count| (1..=WORKERS_MAX).contains(&count)));
        for text in ["0", "257", "-1", "two", "1.5", "99999999999999999999"] {
            let wrong = format!("--workers: {text:?} is not a number from 1 to 256, nor auto");
            assert_eq!(parsed(&format!("--workers={text}")).map(drop), Err(wrong));
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn workers_have_one_certificate() {
        let line = "--listen wss://1 --workers 2 --tls-self-signed";
        let wrong = parsed(line).map(drop).expect_err("each would make its own");
        assert!(wrong.contains("--tls-cert and --tls-key"), "{wrong}");
    }
}
