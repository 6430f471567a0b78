//! `cargo xtask`: everything that a developer or CI runs on this tree, in one place.
//!
//! What it is: a plain driver around `cargo` and this project's own rules ([`tidy`]). What it may
//! assume: a checkout with `git`, `cargo` and, for `setup`, the package registries. What it must
//! never do: link any room of the product (it must compile in seconds and work while they do not),
//! or hide a failed stage behind a later one.
#![forbid(unsafe_code)]

mod args;
mod binaries;
mod chaos;
mod coverage;
mod demo;
mod dudect;
mod fuzz;
mod listed;
mod measurement;
mod mutants;
mod page;
mod plexi;
mod process;
mod setup;
mod stages;
mod tidy;

use args::Command;
use process::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match args::parse(&arguments) {
        Ok(command) => command,
        Err(problem) => {
            eprintln!("error: {problem}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let root = process::workspace_root();
    match command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Command::Test(options) => stages::run(&root, &options),
        Command::ListStages => {
            stages::list();
            Ok(())
        }
        Command::Tidy { fix } => tidy::run(&root, fix),
        Command::Setup => setup::run(&root),
        Command::Demo(arguments) => demo::run(&root, &arguments),
        Command::Sim(arguments) => stages::simulate(&root, &arguments),
        Command::Model(arguments) => stages::model(&root, &arguments),
        Command::Chaos(arguments) => chaos::run(&root, &arguments),
        Command::Dudect(arguments) => dudect::run(&root, &arguments),
        Command::Mutants(options) => mutants::run(&root, &options),
        Command::Page => page::run(&root),
        Command::Plexi => plexi::run(&root),
        Command::Measurement => measurement::run(&root),
        Command::Fuzz(options) => fuzz::run(&root, &options),
        Command::Coverage(options) => coverage::run(&root, &options),
    }
}
