//! `strongroom`, the program for people: enrol, recover, back up, restore.
//!
//! * **What it is.** A thin skin over `strongroom-sdk` and `strongroom-backup`: arguments, prompts,
//!   two files in a folder, and sentences.
//! * **What it may assume.** That its folder belongs to its user; nothing of gateway, fleet or store.
//! * **What it must never do.** Take a password from an argument, ask for one before the manifest is
//!   checked, spend a last attempt unasked, or say of a cost what nobody signed.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod connect;
pub mod dev;
mod failure;
mod home;
mod interrupt;
mod password;
mod progress;
mod repository;
mod time;
mod voice;

use args::{Cli, Command, KeyCommand, PasswordCommand};
use clap::{CommandFactory as _, Parser as _};
use failure::Failure;
use home::Home;
use std::{process::ExitCode, time::Duration};
use voice::Voice;

/// How often a command may meet a newer manifest in one run.
const SUPERSEDED_MAX: u32 = 2;

/// What every command has.
struct Context {
    voice: Voice,
    home: Home,
    patience: Duration,
    timings: bool,
}

/// Reads the arguments, does what they say, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let voice = Voice::new(cli.json);
    match run(cli, voice) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.was_said() {
                voice.fail(&failure);
            }
            ExitCode::from(failure.exit_code)
        }
    }
}

fn run(cli: Cli, voice: Voice) -> Result<(), Failure> {
    let command = match cli.command {
        Command::Dev(command) => {
            return dev::run(command, cli.json).map_err(Failure::from);
        }
        Command::Completions { shell } => {
            let mut cli = Cli::command();
            clap_complete::generate(shell, &mut cli, "strongroom", &mut std::io::stdout());
            return Ok(());
        }
        command => command,
    };
    let cx = Context {
        voice,
        home: Home::find(cli.home)?,
        patience: Duration::from_secs(cli.timeout),
        timings: cli.timings,
    };
    interrupt::watch();
    match command {
        Command::Backup(args) => repository::backup(&cx, &args),
        Command::Restore(args) => repository::restore(&cx, &args),
        Command::Snapshots(place) => repository::snapshots(&cx, &place),
        Command::Check(args) => repository::check(&cx, &args),
        Command::Key(KeyCommand::Show) => commands::key::show(&cx),
        Command::Key(KeyCommand::Import(args)) => commands::key::import(&cx, &args),
        Command::Enroll(args) => online(&cx, || commands::enroll::run(&cx, &args)),
        Command::Recover(args) => online(&cx, || commands::recover::run(&cx, &args)),
        Command::Status => online(&cx, || commands::status::run(&cx)),
        Command::Destroy(args) => online(&cx, || commands::destroy::run(&cx, &args)),
        Command::Password(PasswordCommand::Change(args)) => {
            online(&cx, || commands::change::run(&cx, &args))
        }
        Command::Verify(args) => commands::verify::run(&cx, &args),
        Command::Dev(_) | Command::Completions { .. } => Ok(()),
    }
}

/// Runs what talks to a gateway, until it is done or the user interrupts it.
///
/// A command that met a fleet with a newer manifest is run again if it cost nothing so far.
fn online<F>(cx: &Context, work: impl Fn() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::machine(format!("cannot start: {e}")))?;
    runtime.block_on(async {
        let mut again = SUPERSEDED_MAX;
        loop {
            let done = tokio::select! {
                done = work() => done,
                () = interrupt::cancelled() => return Err(Failure::cancelled()),
            };
            match done {
                Err(failure) if again > 0 && failure.is_superseded() && failure.is_free() => {
                    again -= 1;
                    cx.voice.note("superseded", &format!("{}; once more", failure.message));
                }
                done => return done,
            }
        }
    })
}
