//! Which crates there are and what they import, from `cargo metadata`.

use super::Rule;
use crate::process;
use serde_json::Value;
use std::path::Path;

pub(super) static READABLE: Rule = Rule {
    name: "metadata",
    why: "cargo must be able to read the workspace and resolve it as Cargo.lock says",
};

/// One crate of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    /// Its folder from the root, such as `trusted/vault`.
    pub(super) folder: String,
    /// Folders of the workspace crates that it imports, in any role.
    pub(super) imports: Vec<String>,
}

/// Reads the workspace without resolving foreign crates: fast, and offline.
pub(super) fn read(root: &Path) -> Result<Vec<Package>, String> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1"];
    let text = process::capture(root, &process::cargo(), &arguments)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = value.get("packages").and_then(Value::as_array).ok_or("no packages")?;
    let root = value.get("workspace_root").and_then(Value::as_str).ok_or("no workspace_root")?;
    let below = |path: &str| Some(path.strip_prefix(root)?.trim_start_matches('/').to_owned());
    let mut found = Vec::new();
    for package in packages {
        let manifest = package.get("manifest_path").and_then(Value::as_str).unwrap_or_default();
        let Some(folder) = below(manifest.trim_end_matches("/Cargo.toml")) else {
            continue;
        };
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        let paths = dependencies.into_iter().flatten().filter_map(|one| one.get("path")?.as_str());
        found.push(Package { folder, imports: paths.filter_map(below).collect() });
    }
    Ok(found)
}
