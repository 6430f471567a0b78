//! Installs what the tests need, from the public package registries only, and says what it does.

use crate::process::{self, Failure};
use std::path::Path;

/// A program that comes with the distribution.
struct DistributionPackage {
    name: &'static str,
    program: &'static str,
    /// Its way of telling its version; not every program knows `--version`.
    probe: &'static str,
    why: &'static str,
}

/// A cargo subcommand that comes from crates.io.
struct CargoTool {
    name: &'static str,
    version: &'static str,
    why: &'static str,
}

const DISTRIBUTION: [DistributionPackage; 3] = [
    DistributionPackage {
        name: "restic",
        program: "restic",
        probe: "version",
        why: "tests open our repositories with it, to prove that there is a way out",
    },
    DistributionPackage {
        name: "iproute2",
        program: "ip",
        probe: "-V",
        why: "puts the hosts of a fleet under test into networks of their own",
    },
    DistributionPackage {
        name: "nftables",
        program: "nft",
        probe: "--version",
        why: "cuts those networks",
    },
];

const TOOLS: [CargoTool; 2] = [
    CargoTool { name: "cargo-nextest", version: "0.9.143", why: "runs the tests" },
    CargoTool {
        name: "cargo-deny",
        version: "0.20.2",
        why: "checks licences, sources and banned versions",
    },
];

const COVERAGE: CargoTool = CargoTool {
    name: "cargo-llvm-cov",
    version: "0.9.1",
    why: "builds with counters, and reads them",
};

/// Installs what is missing.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    install_distribution_packages(root).map_err(Failure::check)?;
    TOOLS.iter().try_for_each(|tool| install_tool(root, tool)).map_err(Failure::check)
}

fn install_distribution_packages(root: &Path) -> Result<(), String> {
    let missing: Vec<&str> = DISTRIBUTION
        .iter()
        .filter(|package| !is_present(root, package))
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("install by hand and run again: {}", missing.join(" "));
    if !process::is_installed("apt-get") {
        return Err(format!("no apt-get on this system; {by_hand}"));
    }
    if process::capture(root, "id", &["-u"])?.trim() != "0" {
        return Err(format!("only root can install packages; {by_hand}"));
    }
    const APT: [&str; 2] = ["DEBIAN_FRONTEND=noninteractive", "apt-get"];
    const INSTALL: [&str; 4] = ["install", "-y", "-qq", "--no-install-recommends"];
    process::run(root, "env", &[APT.as_slice(), &["update", "-qq"]].concat())?;
    process::run(root, "env", &[APT.as_slice(), &INSTALL, &missing].concat())?;
    match DISTRIBUTION.iter().find(|package| !is_present(root, package)) {
        Some(package) => Err(format!("{} still cannot be run after its install", package.program)),
        None => Ok(()),
    }
}

/// Says which version is there, or what is missing and what for.
fn is_present(root: &Path, package: &DistributionPackage) -> bool {
    let version = process::capture(root, package.program, &[package.probe]);
    match &version {
        Ok(version) => println!("{}: {}", package.name, first_line(version)),
        Err(_) => println!("{}: missing; {}", package.name, package.why),
    }
    version.is_ok()
}

/// What `coverage` alone needs: nobody else pays for it.
pub(crate) fn for_coverage(root: &Path) -> Result<(), String> {
    install_tool(root, &COVERAGE)?;
    let named = |name| std::env::var_os(name).is_some();
    if named("LLVM_COV") && named("LLVM_PROFDATA") {
        return Ok(());
    }
    let (compiler, component) =
        (process::capture(root, "rustc", &["--print", "sysroot"])?, "llvm-tools");
    let tools = Path::new(compiler.trim()).join("lib/rustlib");
    let has = |host: std::fs::DirEntry| host.path().join("bin/llvm-profdata").exists();
    if std::fs::read_dir(&tools).is_ok_and(|hosts| hosts.flatten().any(has)) {
        return Ok(());
    }
    println!("{component}: missing; reads what instrumented programs write");
    process::run(root, "rustup", &["component", "add", component]).map_err(|problem| {
        format!("{problem}\n  hint: or name the compiler's LLVM in LLVM_COV and LLVM_PROFDATA")
    })
}

fn install_tool(root: &Path, tool: &CargoTool) -> Result<(), String> {
    if let Ok(version) = process::capture(root, tool.name, &["--version"]) {
        println!("{}: {}", tool.name, first_line(&version));
        return Ok(());
    }
    println!("{}: missing; {}; building it takes some minutes, once", tool.name, tool.why);
    let arguments = ["install", "--locked", tool.name, "--version", tool.version];
    process::run(root, &process::cargo(), &arguments)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
