//! The arrows between the rooms go one way.

use super::metadata::Package;
use super::{Rule, Violation};

static ARROW: Rule = Rule {
    name: "arrow",
    why: "wire ← trusted ← shells ← host; wire ← client; tlog ← manifest ← verify ← client; \
          proof sees everything and nothing sees proof",
};

/// For each room: what its crates may import besides crates of their own room.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("boundary/", &[]),
    ("trusted/", &["boundary/", "audit/manifest"]),
    ("shells/", &["trusted/", "boundary/", "audit/manifest"]),
    ("host/", &["shells/", "boundary/", "audit/"]),
    ("client/", &["boundary/", "audit/"]),
    ("audit/", &["boundary/"]),
    ("ops/", &["boundary/", "audit/", "client/", "host/"]),
    ("proof/", &["boundary/", "trusted/", "shells/", "host/", "client/", "audit/", "ops/"]),
    ("xtask", &[]),
];

/// Inside these rooms a crate may import only what stands further left.
const ORDER: [&[&str]; 2] = [
    &[
        "audit/tlog",
        "audit/manifest",
        "audit/verify",
        "audit/log",
        "audit/publish",
        "audit/serve",
        "audit/page",
        "audit/deployment",
    ],
    &["client/protocol", "client/sdk", "client/bindings", "client/cli"],
];

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in packages {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let mut imports = package.imports.clone();
        imports.sort_unstable();
        imports.dedup();
        for import in imports.iter().filter(|import| !is_allowed(&package.folder, import)) {
            let what = format!("{} imports {import}", package.folder);
            found.push(Violation::new(&manifest, 0, &ARROW, what));
        }
    }
    found
}

fn is_allowed(from: &str, to: &str) -> bool {
    let Some((room, others)) = MAY_IMPORT.iter().find(|(room, _)| from.starts_with(room)) else {
        // A new room has no arrows until somebody draws them here.
        return false;
    };
    if !to.starts_with(room) {
        return others
            .iter()
            .any(|other| to == *other || (other.ends_with('/') && to.starts_with(other)));
    }
    ORDER.iter().all(|order| {
        let place = |folder: &str| order.iter().position(|one| *one == folder);
        match (place(from), place(to)) {
            (Some(from), Some(to)) => to < from,
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_of_the_design_are_allowed() {
        for (from, to) in [
            ("trusted/vault", "trusted/record"),
            ("trusted/vault", "boundary/wire"),
            ("trusted/vault", "audit/manifest"),
            ("shells/software", "trusted/vault"),
            ("host/node", "shells/software"),
            ("client/protocol", "audit/verify"),
            ("client/cli", "client/sdk"),
            ("audit/verify", "audit/manifest"),
            ("proof/sim", "trusted/vault"),
        ] {
            assert!(is_allowed(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn arrows_against_the_design_are_violations() {
        for (from, to) in [
            ("client/sdk", "trusted/record"),
            ("client/cli", "host/store"),
            ("audit/log", "host/gateway"),
            ("audit/serve", "host/node"),
            ("audit/log", "audit/serve"),
            ("audit/verify", "trusted/opaque"),
            ("trusted/vault", "audit/verify"),
            ("trusted/vault", "client/protocol"),
            ("host/node", "trusted/vault"),
            ("boundary/wire", "audit/manifest"),
            ("audit/tlog", "audit/manifest"),
            ("client/sdk", "client/cli"),
            ("host/node", "proof/sim"),
            ("xtask", "boundary/wire"),
            ("cellar/wine", "boundary/wire"),
        ] {
            let package = Package { folder: from.to_owned(), imports: vec![to.to_owned()] };
            assert_eq!(check(&[package]).len(), 1, "{from} -> {to}");
        }
    }
}
