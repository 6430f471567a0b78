//! The trusted process talks to its host by two pipes. Nothing that could open a socket, run a
//! reactor or resolve a name may even be linked into it.

use crate::process;
use std::path::Path;

/// The package that builds `strongroom-vault`.
const VAULT_PACKAGE: &str = "strongroom-shell-software";

/// Crates, and prefixes of families of crates, that have no place in a vault.
const FORBIDDEN: [&str; 24] = [
    "actix",
    "async-io",
    "async-std",
    "aws-sdk",
    "axum",
    "curl",
    "h2",
    "h3",
    "hickory",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "opendal",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tonic",
    "trust-dns",
    "ureq",
    "warp",
];

/// Checks the resolved tree of the vault process as it is shipped: its own package alone, without
/// what tests add.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let arguments =
        ["tree", "--locked", "-p", VAULT_PACKAGE, "-e", "normal,no-proc-macro", "--prefix", "none"];
    let listing = process::capture(root, &process::cargo(), &arguments)?;
    let found = forbidden_in(&listing);
    if found.is_empty() {
        let mut lines: Vec<_> = listing.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        lines.sort_unstable();
        lines.dedup();
        println!("{VAULT_PACKAGE}: {} crates, none of them networked or asynchronous", lines.len());
        return Ok(());
    }
    Err(format!("{VAULT_PACKAGE} links {}", found.join(", ")))
}

fn forbidden_in(listing: &str) -> Vec<String> {
    let mut found: Vec<String> = listing
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| FORBIDDEN.iter().any(|family| is_of_family(name, family)))
        .map(str::to_owned)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// `hyper` covers `hyper` and `hyper-util`, not `hyperloglog`.
fn is_of_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reactor_in_the_vault_is_found_and_sound_crates_are_not() {
        let bad =
            "strongroom-shell-software v0.1.0 (/x)\nsha2 v0.11.0\ntokio-util v0.7.0\nh2 v0.4.0";
        assert_eq!(forbidden_in(bad), ["h2", "tokio-util"]);
        let good = "strongroom-shell-software v0.1.0 (/x)\nraft v0.7.0\nh2o v1.0.0\nsmoltcp v1.0.0";
        assert!(forbidden_in(good).is_empty());
    }
}
