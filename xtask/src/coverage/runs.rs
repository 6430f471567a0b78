//! What runs with counters built in: one build, four runs, nothing of the ordinary profile.

use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRUSTED: [&str; 6] = [
    "strongroom-hardware",
    "strongroom-record",
    "strongroom-opaque",
    "strongroom-link",
    "strongroom-replica",
    "strongroom-vault",
];
const SIMULATOR: &str = "strongroom-sim";
const FUZZ: &str = "strongroom-fuzz";

/// Seeds of the simulator: more reach nothing that these do not.
const SEEDS: &str = "60";

/// A crowd of honest people: minutes, for nothing that the hostile seeds do not reach.
const CROWD: &str = "test(fifteen_hundred_honest_users)";

/// One run, by what a report calls it.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Path) -> Result<(), String>,
}

/// In order; each adds to the counts of those before. All but random inputs of property tests is
/// the same every time.
pub(crate) const RUNS: [Run; 4] = [
    Run { name: "tests of trusted/", run: |root| nextest(root, &TRUSTED) },
    Run {
        name: "tests of the simulator and the fuzz targets",
        run: |root| nextest(root, &[SIMULATOR, FUZZ]),
    },
    Run {
        name: "the simulator, seeds 0 to 59",
        run: |root| program(root, SIMULATOR, &["--seeds", SEEDS]),
    },
    // No time for changed inputs: how many of those ran would differ from run to run.
    Run { name: "the fuzz corpus", run: |root| program(root, FUZZ, &["run", "--seconds", "0"]) },
];

/// Where it is built.
pub(crate) fn target(root: &Path) -> PathBuf {
    process::target_dir(root).join("llvm-cov-target")
}

/// Forgets what ran before, and what was built of this tree then: a report reads every program that
/// it finds, and one of yesterday's tells of yesterday's lines. The dependencies stay built.
pub(crate) fn forget(root: &Path) -> Result<(), String> {
    process::run(root, &process::cargo(), &["llvm-cov", "clean", "--workspace"])
}

/// All packages are chosen each time, so that features resolve alike and one build serves all.
fn nextest(root: &Path, packages: &[&str]) -> Result<(), String> {
    let mut arguments = vec!["llvm-cov", "--no-report", "nextest", "--locked"];
    for package in TRUSTED.iter().chain(&[SIMULATOR, FUZZ]) {
        arguments.extend(["--package", package]);
    }
    let chosen: Vec<String> = packages.iter().map(|name| format!("package({name})")).collect();
    let chosen = format!("({}) - {CROWD}", chosen.join(" | "));
    arguments.extend(["-E", &chosen, "--status-level", "fail", "--final-status-level", "fail"]);
    process::run(root, &process::cargo(), &arguments)
}

/// Runs what [`nextest`] has built.
fn program(root: &Path, name: &str, arguments: &[&str]) -> Result<(), String> {
    let target = target(root);
    println!("$ {name} {}", arguments.join(" "));
    let status = Command::new(target.join("debug").join(name))
        .args(arguments)
        .env("LLVM_PROFILE_FILE", target.join(format!("{name}-%p-%m.profraw")))
        .current_dir(root)
        .status()
        .map_err(|e| format!("cannot run {name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}")) }
}

/// The counts so far.
pub(crate) fn export(root: &Path) -> Result<String, String> {
    process::capture(root, &process::cargo(), &["llvm-cov", "report", "--json"])
}

/// The same as pages.
pub(crate) fn html(root: &Path) -> Result<(), String> {
    process::run(root, &process::cargo(), &["llvm-cov", "report", "--html"])
}
