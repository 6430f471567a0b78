//! `cargo xtask dudect`: builds what ships, and times it as a host can.

use crate::process::{self, Failure};
use std::path::Path;
use std::process::Command;

const TIMING: &str = "strongroom-timing";

/// The arguments go to `strongroom-timing` as they are, and its exit code comes back.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    // Other optimisations are other times.
    let build = ["build", "--release", "--package", TIMING];
    process::run(root, &process::cargo(), &build).map_err(Failure::check)?;
    let status = Command::new(process::target_dir(root).join("release").join(TIMING))
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|e| Failure::check(format!("{TIMING}: {e}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code @ 1..=255) => {
            let code = u8::try_from(code).unwrap_or(1);
            Err(Failure { code, message: format!("{TIMING} ended with {code}; it says why above") })
        }
        _ => Err(Failure::check(format!("{TIMING} was killed: {status}"))),
    }
}
