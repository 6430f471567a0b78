//! `cargo xtask fuzz`: the targets of `proof/fuzz`, with coverage where that can be had.

use crate::args::FuzzOptions;
use crate::process::{self, Failure};
use std::path::Path;
use std::process::{Command, Stdio};

const PACKAGE: &str = "strongroom-fuzz";
const LIBFUZZER: &str = "proof/fuzz/libfuzzer";

pub(crate) fn run(root: &Path, options: &FuzzOptions) -> Result<(), Failure> {
    let cargo = process::cargo();
    process::run(root, &cargo, &["build", "--package", PACKAGE]).map_err(Failure::check)?;
    if options.stable || !has_coverage(root) {
        println!("fuzzing on the stable toolchain, without coverage");
        return stable(root, options);
    }
    println!("fuzzing with libFuzzer, by coverage");
    for target in targets(root, options)? {
        with_coverage(root, &target, options.seconds).map_err(Failure::check)?;
    }
    Ok(())
}

fn binary(root: &Path) -> String {
    process::target_dir(root).join("debug").join(PACKAGE).to_string_lossy().into_owned()
}

/// A nightly compiler and cargo-fuzz.
fn has_coverage(root: &Path) -> bool {
    Command::new("cargo")
        .args(["+nightly", "fuzz", "--version"])
        .current_dir(root)
        .env_remove("RUSTUP_TOOLCHAIN")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn stable(root: &Path, options: &FuzzOptions) -> Result<(), Failure> {
    let seconds = options.seconds.to_string();
    let mut arguments = vec!["run", "--seconds", &seconds];
    arguments.extend(options.targets.iter().map(String::as_str));
    process::run(root, &binary(root), &arguments).map_err(Failure::check)
}

fn targets(root: &Path, options: &FuzzOptions) -> Result<Vec<String>, Failure> {
    if !options.targets.is_empty() {
        return Ok(options.targets.clone());
    }
    let listed = Command::new(binary(root))
        .arg("list")
        .output()
        .map_err(|e| Failure::check(format!("{PACKAGE} list: {e}")))?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Inputs that bring new coverage are kept in `libfuzzer/corpus`, which is not checked in; the
/// checked-in corpus and the seeds of today's code are where it begins.
fn with_coverage(root: &Path, target: &str, seconds: u64) -> Result<(), String> {
    let grown = root.join(LIBFUZZER).join("corpus").join(target);
    let grown = grown.to_string_lossy();
    process::run(root, &binary(root), &["seeds", target, &grown])?;
    let kept = root.join("proof/fuzz/corpus").join(target);
    std::fs::create_dir_all(&kept).map_err(|e| format!("{}: {e}", kept.display()))?;
    let status = Command::new("cargo")
        .args(["+nightly", "fuzz", "run", "--fuzz-dir", LIBFUZZER, "--sanitizer", "none", target])
        .args([&*grown, &kept.to_string_lossy()])
        .args(["--", &format!("-max_total_time={seconds}"), "-max_len=262144", "-verbosity=0"])
        .args(["-print_final_stats=1", "-timeout=20"])
        .current_dir(root)
        .env_remove("RUSTUP_TOOLCHAIN")
        .status()
        .map_err(|e| format!("cargo fuzz: {e}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "{target}: a property was broken; the input is in {LIBFUZZER}/artifacts/{target}\n  \
         hint: strongroom-fuzz replay {target} FILE"
    ))
}
