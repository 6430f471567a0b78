//! `cargo xtask chaos`: builds the fleet's programs, and breaks a fleet of them.

use crate::process::{self, Failure};
use std::path::Path;
use std::process::Command;

const CHAOS: &str = "strongroom-chaos";
const PACKAGES: [&str; 3] = [CHAOS, "strongroomd", "strongroom-shell-software"];

/// The arguments go to `strongroom-chaos run` as they are, and its exit code comes back.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let mut build = vec!["build"];
    for package in PACKAGES {
        build.extend(["--package", package]);
    }
    process::run(root, &process::cargo(), &build).map_err(Failure::check)?;
    let status = Command::new(process::target_dir(root).join("debug").join(CHAOS))
        .arg("run")
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|e| Failure::check(format!("{CHAOS}: {e}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code @ 1..=255) => {
            let code = u8::try_from(code).unwrap_or(1);
            Err(Failure { code, message: format!("{CHAOS} ended with {code}; it says why above") })
        }
        _ => Err(Failure::check(format!("{CHAOS} was killed: {status}"))),
    }
}
