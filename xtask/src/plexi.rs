//! `cargo xtask plexi`: Cloudflare's own auditing tool, unmodified, against a real auditor.
//!
//! It stays apart from `test`: its build takes minutes and needs a protobuf compiler.

use crate::process::{self, Failure};
use std::path::Path;
use std::process::Command;

const CRATE: &str = "plexi-cli";
const VERSION: &str = "0.1.2";

/// Installs the tool below the target directory, and runs the test that needs it.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let folder = process::target_dir(root).join("plexi");
    let program = folder.join("bin/plexi");
    if !program.exists() {
        install(root, &folder).map_err(Failure::check)?;
    }
    let mut cargo = Command::new(process::cargo());
    cargo.current_dir(root).env("STRONGROOM_PLEXI", &program).args([
        "test",
        "--locked",
        "--workspace",
        "--test",
        "plexi",
        "--",
        "--nocapture",
    ]);
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::check(format!("{CRATE} {VERSION}: {status}"))),
        Err(error) => Err(Failure::check(format!("cargo cannot be run: {error}"))),
    }
}

fn install(root: &Path, folder: &Path) -> Result<(), String> {
    if !process::is_installed("protoc") {
        println!("protoc: missing; {CRATE} is built with it");
        process::run(root, "apt-get", &["update", "-qq"])?;
        let install = ["install", "-y", "-qq", "--no-install-recommends", "protobuf-compiler"];
        process::run(root, "apt-get", &install)?;
    }
    let folder = folder.to_string_lossy();
    let arguments = ["install", CRATE, "--version", VERSION, "--locked", "--root", &folder];
    process::run(root, &process::cargo(), &arguments)
}
