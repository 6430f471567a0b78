//! `strongroom-timing`: measures, prints a table, and fails if a host can tell what it must not, or if
//! a control fails. It may assume a machine of its own; it must never call a noisy one a silent vault.

#![forbid(unsafe_code)]

use clap::Parser;
use std::{process::ExitCode, time::Duration};
use strongroom_timing::{Plan, run};

/// Times a vault as its host can, and compares what must look alike.
///
/// Exit codes: 0 nothing differs that must not, 1 something does or a control failed, 2 usage.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Measurements of each class
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    samples: u32,
    /// Stop after this long with what there is
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Who comes when; times are what they are
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nodes of the fleet
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=7))]
    nodes: u8,
    /// What the positive control adds, in nanoseconds
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    leak: u64,
    /// The controls alone
    #[arg(long)]
    controls: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let report = run(&Plan {
        seed: cli.seed,
        nodes: cli.nodes,
        samples: usize::try_from(cli.samples).unwrap_or(usize::MAX),
        at_most: Duration::from_secs(cli.seconds),
        leak: Duration::from_nanos(cli.leak),
        only_controls: cli.controls,
    });
    if cli.json {
        match serde_json::to_string_pretty(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("error: {error}"),
        }
    } else {
        println!("{report}");
    }
    ExitCode::from(u8::from(!report.ok))
}
