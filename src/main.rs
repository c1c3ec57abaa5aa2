//! `wsecho`: what the command line asks for, and an exit status for it.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use wsecho::cli::{self, Invocation, Options};
use wsecho::server::{self, Role, Stopped};

/// What was asked for could not be done.
const FAILURE: u8 = 1;

/// What was asked for makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(env::args_os().skip(1), &|name| env::var_os(name)) {
        Ok(Invocation::Serve(options)) => {
            cli::log::init(
                options.verbosity,
                options.log_format,
                env::var("RUST_LOG").ok().as_deref(),
            );
            for line in cli::unknown_variables(env::vars_os().map(|(name, _)| name)) {
                log::warn!("{line}");
            }
            serve(*options)
        }
        Ok(Invocation::Healthcheck(check)) => {
            finish(cli::healthcheck::run(&check, &mut io::stdout()), FAILURE)
        }
        #[cfg(feature = "load")]
        Ok(Invocation::Load(load)) => finish(cli::load::run(&load), FAILURE),
        Ok(Invocation::Show(text)) => {
            let shown = io::stdout().write_all(text.as_bytes());
            finish(shown.map_err(|error| error.to_string()), FAILURE)
        }
        Err(wrong) => finish(Err(wrong), USAGE),
    }
}

fn finish(result: Result<(), String>, status: u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            // Not `eprintln!`, which panics where nobody reads any more.
            let _ = writeln!(io::stderr(), "wsecho: {line}");
            ExitCode::from(status)
        }
    }
}

/// Serves, or has workers do so, which all come by here.
fn serve(options: Options) -> ExitCode {
    let Options { listen, asked, config, workers, .. } = options;
    let stopped = match workers {
        None => server::run(&listen, asked, config, None),
        Some(count) => match server::supervise(&listen, asked, &config, count) {
            Err(failure) => Err(failure),
            Ok(Role::Supervisor(stopped)) => Ok(stopped),
            Ok(Role::Worker(handed)) => {
                cli::log::set_worker(handed.number);
                let again = handed.again;
                match server::run(&listen, asked, config, Some(handed)) {
                    // It is not what the command comes to, as it was at the start.
                    Err(failure) if again => {
                        log::error!("{failure}");
                        Ok(Stopped::Failed)
                    }
                    stopped => stopped,
                }
            }
        },
    };
    match stopped {
        Ok(Stopped::Drained) => ExitCode::SUCCESS,
        // The log has said so.
        Ok(Stopped::CutShort | Stopped::Failed) => ExitCode::from(FAILURE),
        Err(failure) => finish(Err(failure.to_string()), FAILURE),
    }
}
