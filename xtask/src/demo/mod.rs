//! `cargo xtask demo`: builds the three binaries and plays the product's main job on real input.

mod scenario;
mod stage;
mod tree;

use crate::process::{self, Failure};
use std::path::Path;

/// The binaries that a demo needs, by the names a person types.
pub(crate) const BINARIES: [&str; 3] = ["strongroom", "strongroomd", "strongroom-vault"];
const PACKAGES: [&str; 3] = ["strongroom-cli", "strongroomd", "strongroom-shell-software"];

/// Builds the binaries, then plays the scenario.
///
/// `--data DIR` backs up another directory than the project's own sources.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let data = match arguments {
        [] => None,
        [flag, folder] if flag == "--data" => Some(Path::new(folder).to_path_buf()),
        _ => return Err(Failure::absent("demo takes nothing or `--data DIR`")),
    };
    build(root)?;
    let programs = process::target_dir(root).join("debug");
    scenario::play(root, &programs, data.as_deref()).map_err(Failure::check)
}

/// Builds every binary, so that the processes that start each other are of one commit.
fn build(root: &Path) -> Result<(), Failure> {
    let cargo = process::cargo();
    let mut arguments = vec!["build", "--locked"];
    for package in PACKAGES {
        arguments.extend(["--package", package]);
    }
    process::run(root, &cargo, &arguments).map_err(Failure::check)?;
    let folder = process::target_dir(root).join("debug");
    let missing: Vec<_> = BINARIES.iter().filter(|name| !folder.join(name).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::absent(format!("these binaries are not built: {missing:?}")))
}
