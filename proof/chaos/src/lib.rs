//! Chaos with real processes: seven nodes and a gateway are broken while people use them.
//!
//! * **What it is.** `strongroom-chaos`: a development fleet whose hosts stand in network namespaces
//!   of their own, a crowd of clients that notes what it asked and was told, faults of processes,
//!   networks, clocks and disks, and a report.
//! * **What it may assume.** Linux, the fleet's programs beside it, a C compiler; for namespaces
//!   `unshare`, `ip`, `tc` and `nft`. Without namespaces it falls back to proxies and says so.
//! * **What it must never do.** Pass where nothing happened, touch a process that it did not start,
//!   or leave one behind.

#![forbid(unsafe_code)]

mod args;
mod faults;
mod fleet;
mod health;
mod history;
mod layer;
mod load;
mod network;
mod processes;
mod record;
mod report;
mod scenario;
mod trouble;

use args::{Cli, Command, Run};
use clap::Parser as _;
use load::Crowd;
use network::Permission;
use report::Report;
use scenario::Wish;
use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
pub use trouble::Trouble;

const BROKEN: u8 = 1;
const NOT_RUN: u8 = 3;

/// Reads the arguments, does what they say, and says how it went.
pub fn main() -> ExitCode {
    let run = match Cli::parse().command {
        Command::Run(run) => run,
        Command::Check { file } => return check(&file),
    };
    match play(&run) {
        Ok(report) => {
            let late = run.enforce_targets && !report.in_time();
            if report.held() && !late { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) }
        }
        Err(trouble) => {
            eprintln!("error: the run could not be made: {trouble}");
            ExitCode::from(NOT_RUN)
        }
    }
}

/// Judges a saved history.
fn check(file: &Path) -> ExitCode {
    match history::judge_file(file) {
        Ok(verdict) => {
            println!("{verdict}");
            verdict.contradictions.iter().for_each(|story| println!("  {story}"));
            match (verdict.contradictions.len(), verdict.undecided) {
                (0, 0) => ExitCode::SUCCESS,
                (0, _) => ExitCode::from(NOT_RUN),
                _ => ExitCode::from(BROKEN),
            }
        }
        Err(trouble) => {
            eprintln!("error: the history could not be judged: {trouble}");
            ExitCode::from(NOT_RUN)
        }
    }
}

fn play(run: &Run) -> Result<Report, Trouble> {
    let namespaces = !run.no_namespaces && enter_namespaces()?;
    let folder = tempfile::tempdir().map_err(|e| Trouble::new(e.to_string()))?;
    let folder_path = match &run.keep {
        None => folder.path().to_path_buf(),
        Some(keep) => {
            std::fs::create_dir_all(keep).map_err(|e| Trouble::io("make", keep, &e))?;
            keep.canonicalize().map_err(|e| Trouble::io("find", keep, &e))?
        }
    };
    let wish = Wish {
        scenario: run.scenario,
        time: Duration::from_secs(run.seconds),
        seed: run.seed,
        crowd: Crowd { probes_per_second: run.probes, ..Crowd::MODEST },
        programs: programs(run.programs.as_deref())?,
        folder: folder_path,
        namespaces,
        quiet: run.quiet,
    };
    let report = scenario::run(&wish)?;
    let name = format!("chaos-{}-{}.jsonl", run.scenario.name(), run.seed);
    let history = run.history.clone().unwrap_or_else(|| std::env::temp_dir().join(name));
    keep_history(&history, &report)?;
    if run.json {
        let text = serde_json::to_string(&report).map_err(|e| Trouble::new(e.to_string()))?;
        println!("{text}");
    } else {
        println!("{report}");
    }
    if !run.quiet {
        eprintln!("the raw history is in {}", history.display());
    }
    Ok(report)
}

/// True inside of namespaces. Where they are permitted this program begins anew in them.
fn enter_namespaces() -> Result<bool, Trouble> {
    match network::permission() {
        Permission::Inside => Ok(true),
        Permission::Granted(mut command) => {
            let error = command.exec();
            Err(Trouble::missing(format!("unshare: {error}")))
        }
        Permission::Denied(why) => {
            eprintln!("network namespaces are not permitted here ({why}): proxies on loopback");
            Ok(false)
        }
    }
}

fn programs(named: Option<&Path>) -> Result<PathBuf, Trouble> {
    let own = std::env::current_exe().map_err(|e| Trouble::new(e.to_string()))?;
    let folder = named.or_else(|| own.parent()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| Trouble::io("find", folder, &e))?;
    for program in ["strongroomd", "strongroom-vault"] {
        if !folder.join(program).is_file() {
            return Err(Trouble::missing(format!(
                "{}: `cargo xtask chaos` builds it",
                folder.join(program).display()
            )));
        }
    }
    Ok(folder)
}

fn keep_history(path: &Path, report: &Report) -> Result<(), Trouble> {
    let io = |e: std::io::Error| Trouble::io("write", path, &e);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(io)?);
    for operation in &report.operations {
        let line = serde_json::to_string(operation).map_err(|e| Trouble::new(e.to_string()))?;
        writeln!(file, "{line}").map_err(io)?;
    }
    file.flush().map_err(io)
}
