//! `strongroom-vault`: the trusted process of one node, in its software body.
//!
//! * **What it is.** The command line around the crate `strongroom_shell_software`.
//! * **What it may assume.** Standard input and output are its host's, and the host is not trusted.
//! * **What it must never do.** Write anything but messages to standard output while it runs, or go
//!   on after a panic.

#![forbid(unsafe_code)]

mod run;

use std::process::ExitCode;
use strongroom_shell_software::{
    args::{Options, USAGE},
    ceremony,
    failure::Failure,
};

fn main() -> ExitCode {
    abort_on_panic();
    match dispatch(std::env::args().skip(1)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(End::Silent) => ExitCode::SUCCESS,
        Err(End::Failure(failure)) => {
            eprintln!("strongroom-vault: {failure}");
            if matches!(failure, Failure::Usage(_)) {
                eprintln!("\n{USAGE}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A vault whose state a panic left half changed must not answer again: the process dies, and its
/// host starts another one from what is on disk. The message is not printed, since a value in it
/// may be a secret; the place is.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        eprintln!("strongroom-vault: panic at {}", place.unwrap_or_default());
        std::process::abort();
    }));
}

/// How the program ends without a line to print.
enum End {
    /// Everything is done.
    Silent,
    /// Something is not.
    Failure(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn dispatch(mut words: impl Iterator<Item = String>) -> Result<String, End> {
    let command = words.next().unwrap_or_default();
    let known: &[&str] = match command.as_str() {
        "init" => &["dir", "node"],
        "fleet-keys" => &["dir", "node-info", "out", "fleet"],
        "accept" => &["dir", "box", "fleet"],
        "pin" => &["dir", "custodians", "namespace"],
        "run" => &run::OPTIONS,
        "--help" | "help" => return Ok(USAGE.trim_end().to_owned()),
        "--version" => return Ok(format!("strongroom-vault {}", env!("CARGO_PKG_VERSION"))),
        other => return Err(Failure::Usage(format!("unknown command `{other}`")).into()),
    };
    let options = Options::parse(words, known)?;
    match command.as_str() {
        "init" => Ok(ceremony::init(&options)?),
        "fleet-keys" => Ok(ceremony::fleet_keys(&options)?),
        "accept" => Ok(ceremony::accept(&options)?),
        "pin" => Ok(ceremony::pin(&options)?),
        _ => {
            run::run(&options)?;
            Err(End::Silent)
        }
    }
}
