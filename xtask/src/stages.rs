//! `cargo xtask test`: the stages, their order, and what each of them cost.

use crate::args::TestOptions;
use crate::process::{self, Failure, Stream};
use crate::{binaries, setup, tidy};
use std::path::Path;
use std::time::{Duration, Instant};

/// Seeds that every CI run plays. More belong in a nightly run.
const DEFAULT_SEEDS: u64 = 200;

/// The simulator's package and binary.
const SIMULATOR: &str = "strongroom-sim";

/// What the stages share.
struct Run<'a> {
    root: &'a Path,
    seeds: u64,
    tests: Tests,
}

/// How many tests ran, over all runners.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tests {
    passed: u64,
    failed: u64,
    skipped: u64,
}

struct Stage {
    name: &'static str,
    what: &'static str,
    /// Stages that `--only` brings along.
    needs: &'static [&'static str],
    run: fn(&mut Run<'_>) -> Result<(), String>,
}

const STAGES: [Stage; 10] = [
    Stage {
        name: "setup",
        what: "install what the tests need",
        needs: &[],
        run: |run| setup::run(run.root).map_err(|failure| failure.message),
    },
    Stage { name: "fmt", what: "formatting", needs: &[], run: fmt },
    Stage { name: "clippy", what: "lints, warnings are errors", needs: &[], run: clippy },
    Stage {
        name: "tidy",
        what: "the house rules",
        needs: &[],
        run: |run| tidy::run(run.root, false).map_err(|failure| failure.message),
    },
    Stage { name: "deny", what: "licences, sources, banned versions", needs: &[], run: deny },
    Stage {
        name: "build",
        what: "every target, once, as the tests use it",
        needs: &[],
        run: build,
    },
    Stage {
        name: "nextest",
        what: "unit, property and seven-process tests",
        needs: &["build"],
        run: nextest,
    },
    Stage {
        name: "doctest",
        what: "examples in the documentation",
        needs: &["build"],
        run: doctest,
    },
    Stage {
        name: "sim",
        what: "the simulator, a fixed set of seeds",
        needs: &["build"],
        run: simulator_stage,
    },
    Stage {
        name: "binaries",
        what: "nothing asynchronous or networked inside strongroom-vault",
        needs: &[],
        run: |run| binaries::check(run.root),
    },
];

/// Prints the stages in order.
pub(crate) fn list() {
    for stage in &STAGES {
        println!("{:<10} {}", stage.name, stage.what);
    }
}

/// Runs the stages and prints the table; the last line counts the tests.
pub(crate) fn run(root: &Path, options: &TestOptions) -> Result<(), Failure> {
    let chosen = choose(&options.only).map_err(Failure::check)?;
    let seeds = options.seeds.unwrap_or(DEFAULT_SEEDS);
    let mut run = Run { root, seeds, tests: Tests::default() };
    let mut rows: Vec<(&str, Option<String>, Duration)> = Vec::new();
    let begin = Instant::now();
    for stage in chosen {
        println!("\n=== {}: {} ===", stage.name, stage.what);
        let start = Instant::now();
        let failure = (stage.run)(&mut run).err();
        let took = start.elapsed();
        match &failure {
            None => println!("--- {}: ok, {}", stage.name, seconds(took)),
            Some(why) => println!("--- {}: FAILED, {}: {why}", stage.name, seconds(took)),
        }
        let stop = failure.is_some() && !options.keep_going;
        rows.push((stage.name, failure, took));
        if stop {
            break;
        }
    }
    println!("\nstage      result   time");
    for (name, failure, took) in &rows {
        let result = if failure.is_none() { "ok" } else { "FAILED" };
        println!("{name:<10} {result:<8} {}", seconds(*took));
    }
    println!("{:<10} {:<8} {}", "total", "", seconds(begin.elapsed()));
    if rows.iter().any(|(name, ..)| matches!(*name, "nextest" | "doctest")) {
        let Tests { passed, failed, skipped } = run.tests;
        println!("{passed} passed, {failed} failed, {skipped} skipped");
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.1.is_some()).map(|row| row.0).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!("failed: {}", failed.join(", "))))
}

/// The stages to run, in their own order, with what they need.
fn choose(only: &[String]) -> Result<Vec<&'static Stage>, String> {
    for name in only {
        if STAGES.iter().all(|stage| stage.name != name) {
            return Err(format!("no such stage: {name}; see `cargo xtask test --list`"));
        }
    }
    let named = |name: &str| only.iter().any(|wanted| wanted == name);
    let needed =
        |name: &str| STAGES.iter().any(|stage| named(stage.name) && stage.needs.contains(&name));
    let wanted = |stage: &&Stage| only.is_empty() || named(stage.name) || needed(stage.name);
    Ok(STAGES.iter().filter(wanted).collect())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn fmt(run: &mut Run<'_>) -> Result<(), String> {
    process::run(run.root, &process::cargo(), &["fmt", "--all", "--check", "--", "-l"])
}

fn clippy(run: &mut Run<'_>) -> Result<(), String> {
    let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(run.root, &process::cargo(), &arguments)
}

fn deny(run: &mut Run<'_>) -> Result<(), String> {
    // The advisory database is no package registry: the floors stand in deny.toml's bans instead.
    println!("advisories: not checked here (needs the advisory database); known floors are bans");
    let arguments = ["--workspace", "check", "bans", "licenses", "sources"];
    process::run(run.root, "cargo-deny", &arguments)
}

/// One build for tests and binaries alike. Building the binaries alone would resolve other
/// features (without those of the tests) and compile half of the dependencies a second time.
fn build(run: &mut Run<'_>) -> Result<(), String> {
    let arguments = ["build", "--locked", "--workspace", "--all-targets"];
    process::run(run.root, &process::cargo(), &arguments)
}

fn nextest(run: &mut Run<'_>) -> Result<(), String> {
    let Run { root, tests, .. } = run;
    let arguments = ["nextest", "run", "--locked", "--workspace"];
    let mut seen = false;
    process::run_watching(root, &process::cargo(), &arguments, Stream::Err, |line| {
        if let Some(counted) = parse_nextest_summary(line) {
            tests.add(&counted);
            seen = true;
        }
    })?;
    if seen { Ok(()) } else { Err("nextest printed no summary".to_owned()) }
}

fn doctest(run: &mut Run<'_>) -> Result<(), String> {
    let Run { root, tests, .. } = run;
    let arguments = ["test", "--locked", "--workspace", "--doc", "--quiet"];
    process::run_watching(root, &process::cargo(), &arguments, Stream::Out, |line| {
        if let Some(counted) = parse_cargo_summary(line) {
            tests.add(&counted);
        }
    })
}

fn simulator_stage(run: &mut Run<'_>) -> Result<(), String> {
    let binary = process::target_dir(run.root).join("debug").join(SIMULATOR);
    if !binary.exists() {
        return Err(format!("package {SIMULATOR} has no binary of that name yet"));
    }
    let seeds = run.seeds.to_string();
    process::run(run.root, &binary.to_string_lossy(), &["--seeds", &seeds])
}

/// `cargo xtask model`: the arguments go to the model as they are.
pub(crate) fn model(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let mut all = vec!["run", "--package", "strongroom-model", "--"];
    all.extend(arguments.iter().map(String::as_str));
    process::run(root, &process::cargo(), &all).map_err(Failure::check)
}

/// `cargo xtask sim`: the arguments go to the simulator as they are.
pub(crate) fn simulate(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let mut all = vec!["run", "--package", SIMULATOR, "--bin", SIMULATOR, "--"];
    all.extend(arguments.iter().map(String::as_str));
    process::run(root, &process::cargo(), &all).map_err(Failure::check)
}

impl Tests {
    fn add(&mut self, more: &Tests) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

/// Reads `Summary [ 1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 2 skipped`.
fn parse_nextest_summary(line: &str) -> Option<Tests> {
    let line = without_escapes(line);
    let counts = line.trim_start().strip_prefix("Summary [")?.split_once("run:")?.1;
    let failed = count_before(counts, "failed")
        + count_before(counts, "timed out")
        + count_before(counts, "exec failed");
    let (passed, skipped) = (count_before(counts, "passed"), count_before(counts, "skipped"));
    Some(Tests { passed, failed, skipped })
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn parse_cargo_summary(line: &str) -> Option<Tests> {
    let counts = line.trim_start().strip_prefix("test result:")?;
    Some(Tests {
        passed: count_before(counts, "passed"),
        failed: count_before(counts, "failed"),
        skipped: count_before(counts, "ignored"),
    })
}

/// The number that stands directly before a word, or 0.
fn count_before(text: &str, word: &str) -> u64 {
    let wanted = format!(" {word}");
    let Some(place) = text.find(&wanted) else {
        return 0;
    };
    let before = text.get(..place).unwrap_or_default();
    before
        .rsplit(|sign: char| !sign.is_ascii_digit())
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap_or(0)
}

/// Drops terminal colours.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' {
            signs.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(sign);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_nextest_is_counted() {
        let line = "     Summary [   1.204s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped";
        assert_eq!(parse_nextest_summary(line), Some(Tests { passed: 7, failed: 2, skipped: 2 }));
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] \u{1b}[1m3\u{1b}[0m tests run: \u{1b}[1m3\u{1b}[0m \u{1b}[32mpassed\u{1b}[0m, 0 skipped";
        assert_eq!(
            parse_nextest_summary(coloured),
            Some(Tests { passed: 3, failed: 0, skipped: 0 })
        );
        assert_eq!(parse_nextest_summary("PASS [ 0.1s] a test of run: 3 passed"), None);
    }

    #[test]
    fn the_summary_of_cargo_test_is_counted() {
        let line = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(parse_cargo_summary(line), Some(Tests { passed: 3, failed: 0, skipped: 1 }));
    }

    #[test]
    fn a_chosen_stage_brings_what_it_needs_in_order() {
        let names = |only: &[&str]| -> Vec<&str> {
            let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
            choose(&only).unwrap_or_default().iter().map(|stage| stage.name).collect()
        };
        assert_eq!(names(&["sim", "fmt"]), ["fmt", "build", "sim"]);
        assert_eq!(names(&[]).len(), STAGES.len());
        assert!(choose(&["nonsense".to_owned()]).is_err());
    }
}
