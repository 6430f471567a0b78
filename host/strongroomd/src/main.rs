//! `strongroomd`: the servers that people who run a fleet start.
//!
//! * **What it is.** Command line, logging and exit codes around `strongroom-node`,
//!   `strongroom-gateway`, `strongroom-audit-server` and `strongroom-publish`.
//! * **What it may assume.** That its configuration is its operator's.
//! * **What it must never do.** Hold a secret of the fleet: those live in the vault process that a
//!   node starts.
//!
//! Exit codes: 0 stopped as asked, 1 could not run, 2 wrong usage or configuration.

#![forbid(unsafe_code)]

mod deployment;
mod page;
mod publish;

use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};
use strongroom_node::{Config, NodeError, stop_signal};
use tracing_subscriber::EnvFilter;

/// Servers of a Strongroom fleet, and of those who watch its keys.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Command {
    #[command(subcommand)]
    server: Server,
    /// Log as JSON lines instead of text.
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Subcommand)]
enum Server {
    /// The host of one vault: its network, its disk, its process.
    Node(Run),
    /// An app's front door: signs users in, mints tickets, relays sealed frames.
    Gateway(Run),
    /// Signs and logs which keys a namespace has, epoch after epoch, once witnesses have seen it.
    Auditor(Run),
    /// Cosigns what extends all that it cosigned of a log before.
    Witness(Run),
    /// Write a log and its status page into a directory for any static web server, then exit.
    Page(page::PageArgs),
    /// Have an auditor publish a manifest, counter-sign what it logged, then exit.
    Publish(publish::PublishArgs),
    /// Have an auditor record an event of a fleet in its event log, then exit.
    Record(publish::RecordArgs),
    /// Write all that proves a deployment into one directory, then exit.
    Deployment(deployment::DeploymentArgs),
}

#[derive(Args)]
struct Run {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and the files that it names, then exit.
    #[arg(long)]
    check: bool,
}

/// What went wrong, and by whose mistake.
enum Failure {
    Configuration(String),
    Running(String),
}

fn main() -> ExitCode {
    let command = Command::parse();
    log_to_stderr(command.log_json);
    let served = match &command.server {
        Server::Node(run) => node(run),
        Server::Gateway(run) => gateway(run),
        Server::Auditor(run) => auditor(run),
        Server::Witness(run) => witness(run),
        Server::Page(args) => page::write(args),
        Server::Publish(args) => publish::publish(args),
        Server::Record(args) => publish::record(args),
        Server::Deployment(args) => deployment::write(args),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(what)) => {
            eprintln!("error: {what}");
            ExitCode::from(2)
        }
        Err(Failure::Running(what)) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr(json: bool) {
    let filter = EnvFilter::try_from_env("STRONGROOM_LOG").unwrap_or_else(|_| "info".into());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        subscriber.json().init();
    } else {
        subscriber.with_ansi(false).init();
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // A pump needs little: one thread, and a second for while the first handles a large snapshot.
    // Seven nodes may share a developer's machine.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::Running(format!("cannot start: {error}")))
}

fn node(run: &Run) -> Result<(), Failure> {
    let wrong = |error: strongroom_node::ConfigError| Failure::Configuration(error.to_string());
    let config = Config::load(&run.config).map_err(wrong)?;
    config.check_files(&run.config).map_err(wrong)?;
    if run.check {
        for difference in config.peers_against_manifest() {
            eprintln!("warning: {difference}");
        }
        println!("{}: good", run.config.display());
        return Ok(());
    }
    let served: Result<(), NodeError> =
        runtime()?.block_on(async { strongroom_node::run(config, stop_signal()?).await });
    served.map_err(|error| Failure::Running(error.to_string()))
}

fn gateway(run: &Run) -> Result<(), Failure> {
    let wrong = |error: strongroom_gateway::GatewayError| Failure::Configuration(error.to_string());
    let config = strongroom_gateway::Config::load(&run.config).map_err(wrong)?;
    if run.check {
        let built = runtime()?.block_on(strongroom_gateway::Gateway::new(config));
        built.map_err(wrong)?;
        println!("{}: good", run.config.display());
        return Ok(());
    }
    drop(config);
    let served = runtime()?.block_on(strongroom_gateway::run(&run.config));
    served.map_err(|error| Failure::Running(error.to_string()))
}

fn auditor(run: &Run) -> Result<(), Failure> {
    let config = strongroom_audit_server::auditor::Config::load(&run.config).map_err(by_blame)?;
    if run.check {
        config.check().map_err(by_blame)?;
        println!("{}: good", run.config.display());
        return Ok(());
    }
    runtime()?.block_on(async {
        let stop = stop_signal().map_err(|error| Failure::Running(error.to_string()))?;
        strongroom_audit_server::auditor::run(config, stop).await.map_err(by_blame)
    })
}

fn witness(run: &Run) -> Result<(), Failure> {
    let config = strongroom_audit_server::witness::Config::load(&run.config).map_err(by_blame)?;
    if run.check {
        let vkey = config.check().map_err(by_blame)?;
        println!("{}: good; its key for policies is {vkey}", run.config.display());
        return Ok(());
    }
    runtime()?.block_on(async {
        let stop = stop_signal().map_err(|error| Failure::Running(error.to_string()))?;
        strongroom_audit_server::witness::run(config, stop).await.map_err(by_blame)
    })
}

fn by_blame(error: strongroom_audit_server::ServeError) -> Failure {
    if error.is_configuration() {
        Failure::Configuration(error.to_string())
    } else {
        Failure::Running(error.to_string())
    }
}
