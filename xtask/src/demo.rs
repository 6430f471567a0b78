//! `cargo xtask demo`: builds the three binaries and shows one recovery.

use crate::process::{self, Failure};
use std::path::Path;

/// The binaries that a demo needs, by the names a person types.
pub(crate) const BINARIES: [&str; 3] = ["strongroom", "strongroomd", "strongroom-vault"];

/// Builds the binaries, then plays the scenario.
pub(crate) fn run(root: &Path, _arguments: &[String]) -> Result<(), Failure> {
    build(root)?;
    Err(Failure::absent("the demo is not built yet"))
}

/// Builds every binary, so that the processes that start each other are of one commit.
fn build(root: &Path) -> Result<(), Failure> {
    let cargo = process::cargo();
    process::run(root, &cargo, &["build", "--workspace", "--bins"]).map_err(Failure::check)?;
    let folder = process::target_dir(root).join("debug");
    let missing: Vec<_> = BINARIES
        .iter()
        .filter(|name| !folder.join(name).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::absent(format!(
        "these binaries are not built yet: {missing:?}"
    )))
}
