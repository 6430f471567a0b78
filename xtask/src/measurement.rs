//! `cargo xtask measurement`: the SHA-256 of `strongroom-vault` as anybody builds it (docs/reproducible-build.md).
//!
//! Built twice, from two clones in places of different names and lengths: what leaks a path, or the
//! order in which threads ended, shows as two digests.

use crate::process::{self, Failure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "strongroom-shell-software";
const PROGRAM: &str = "strongroom-vault";
/// Below the target directory.
const PLACES: [&str; 2] = ["measurement/a", "measurement/another-and-longer-place/b"];
/// What a person's settings would change.
const SETTINGS: [&str; 4] =
    ["CARGO_BUILD_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS"];

/// Builds what is committed in two places, and compares.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let measured: Result<Vec<String>, String> =
        PLACES.iter().map(|place| measure(root, &process::target_dir(root).join(place))).collect();
    let measured = measured.map_err(Failure::check)?;
    let commit = head(root).map_err(Failure::check)?;
    let compiler = process::capture(root, "rustc", &["--version"]).map_err(Failure::check)?;
    println!("commit {commit}, {}", compiler.trim());
    for (place, digest) in PLACES.iter().zip(&measured) {
        println!("{digest}  {PROGRAM}, built in {place}");
    }
    match measured.as_slice() {
        [one, two] if one == two => Ok(()),
        _ => Err(Failure::check("the two builds differ: nobody can compare theirs with them")),
    }
}

fn head(root: &Path) -> Result<String, String> {
    Ok(process::capture(root, "git", &["rev-parse", "HEAD"])?.trim().to_owned())
}

/// Clones into a place, builds there by the recipe, and gives the SHA-256.
fn measure(root: &Path, place: &Path) -> Result<String, String> {
    if place.exists() {
        fs::remove_dir_all(place).map_err(|e| format!("cannot remove {}: {e}", place.display()))?;
    }
    let (from, to) = (root.to_string_lossy(), place.to_string_lossy());
    process::run(root, "git", &["clone", "--quiet", &from, &to])?;
    let time = process::capture(place, "git", &["log", "-1", "--format=%ct"])?;
    let mut cargo = Command::new(process::cargo());
    SETTINGS.iter().for_each(|setting| {
        cargo.env_remove(setting);
    });
    cargo
        .current_dir(place)
        .env("CARGO_TARGET_DIR", place.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", remapped(place)?)
        .env("SOURCE_DATE_EPOCH", time.trim())
        .args(["build", "--release", "--locked", "--package", PACKAGE, "--bin", PROGRAM]);
    let status = cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!("the build in {}: {status}", place.display()));
    }
    let built = place.join("target/release").join(PROGRAM);
    let line = process::capture(place, "sha256sum", &[&built.to_string_lossy()])?;
    line.split(' ').next().map(str::to_owned).ok_or_else(|| "sha256sum said nothing".to_owned())
}

/// No path of this machine is left in the program.
fn remapped(place: &Path) -> Result<String, String> {
    let own = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let registry = own.or(home).ok_or("neither CARGO_HOME nor HOME is set")?;
    let compiler = process::capture(place, "rustc", &["--print", "sysroot"])?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = [
        remap(place, "/strongroom"),
        remap(&registry, "/cargo"),
        remap(Path::new(compiler.trim()), "/rust"),
    ];
    // Paths may have spaces; this sign stands between flags.
    Ok(flags.join("\u{1f}"))
}
