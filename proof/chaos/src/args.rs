//! The command line.

use crate::scenario::Scenario;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Breaks a real fleet while people use it, and checks that its promises held.
///
/// Exit codes: 0 the promises held, 1 one was broken (or, with --enforce-targets, a failover took
/// too long), 2 usage, 3 the run could not be made here.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a fleet, break it, and report
    Run(Run),
    /// Judge a saved history: 0 one history, 1 a contradiction, 3 not read or not decided
    Check {
        /// JSON lines, as a run leaves them
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What goes wrong
    #[arg(long, value_enum, default_value_t = Scenario::Everything)]
    pub(crate) scenario: Scenario,
    /// For how long faults are made
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Which faults strike whom, and when; processes and networks stay what they are
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the raw history goes [default: chaos-SCENARIO-SEED.jsonl in the folder of temporary files]
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Keep the fleet's folder, with all logs, here
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Folder of strongroomd and strongroom-vault [default: beside this program]
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,
    /// Questions a second that measure the fleet's silence
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) probes: u32,
    /// Loopback and proxies, even where namespaces are permitted
    #[arg(long)]
    pub(crate) no_namespaces: bool,
    /// Exit with 1 if a failover took longer than its target at the 99th percentile
    #[arg(long)]
    pub(crate) enforce_targets: bool,
    /// No progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
