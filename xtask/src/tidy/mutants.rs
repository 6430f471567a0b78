//! Deliberate bugs never ship, and each one is listed where it is run.

use super::tree::Tree;
use super::{Rule, Violation};
use crate::mutants;
use std::collections::BTreeMap;

static LISTED: Rule = Rule {
    name: "mutant-listed",
    why: "each danger_mutant_ feature is in proof/mutants.toml, by its crate, and the other way \
          round: what is not run proves nothing",
};

static UNUSED: Rule = Rule {
    name: "mutant-unused",
    why: "a danger_mutant_ feature breaks something in the crate that declares it",
};

static ENABLED: Rule = Rule {
    name: "mutant-enabled",
    why: "no manifest turns a deliberate bug on: only `cargo xtask mutants` does, for one build",
};

const PREFIX: &str = "danger_mutant_";
const CATALOGUE: &str = "proof/mutants.toml";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut declared = BTreeMap::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.contains(PREFIX)) {
            match line.split_once(" = ") {
                Some((name, "[]")) if name.starts_with(PREFIX) => {
                    declared.insert((package(text), name.to_owned()), (path, at + 1));
                }
                _ if line.trim_start().starts_with('#') => {}
                _ => found.push(Violation::new(path, at + 1, &ENABLED, line.trim())),
            }
        }
    }
    let listed = tree.text(CATALOGUE).map_or_else(|| Ok(Vec::new()), mutants::parse);
    let listed = match listed {
        Ok(listed) => listed,
        Err(problem) => {
            found.push(Violation::new(CATALOGUE, 0, &LISTED, problem));
            return found;
        }
    };
    for mutant in &listed {
        if !declared.contains_key(&(mutant.package.clone(), mutant.feature())) {
            found.push(Violation::new(CATALOGUE, 0, &LISTED, mutant.feature()));
        }
    }
    for ((package, feature), (path, line)) in &declared {
        if !listed.iter().any(|m| m.package == *package && m.feature() == *feature) {
            found.push(Violation::new(path, *line, &LISTED, feature));
        }
        let home = format!("{}src/", path.trim_end_matches("Cargo.toml"));
        let quoted = format!("\"{feature}\"");
        let is_used =
            |(path, text): (&str, &str)| path.starts_with(&home) && text.contains(&quoted);
        if !tree.texts().any(is_used) {
            found.push(Violation::new(path, *line, &UNUSED, feature));
        }
    }
    found
}

/// The name in a manifest's `[package]`.
fn package(manifest: &str) -> String {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
    name.and_then(|name| name.strip_suffix('"')).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"a\"\n\n[features]\ndanger_mutant_x = []\n";
    const LIST: &str = "[[mutant]]\nname = \"x\"\ncrate = \"a\"\nwhat = \"breaks\"\n";
    const CODE: &str = "if cfg!(feature = \"danger_mutant_x\") {}\n";

    fn rules(files: &[(&str, &str)]) -> Vec<&'static str> {
        check(&Tree::snippets(files)).iter().map(|violation| violation.rule.name).collect()
    }

    #[test]
    fn a_listed_and_used_mutant_is_in_order() {
        let files = [("a/Cargo.toml", MANIFEST), ("a/src/lib.rs", CODE), (CATALOGUE, LIST)];
        assert!(rules(&files).is_empty());
    }

    #[test]
    fn a_mutant_that_nobody_runs_or_uses_is_told() {
        assert_eq!(rules(&[("a/Cargo.toml", MANIFEST), ("a/src/lib.rs", CODE)]), ["mutant-listed"]);
        assert_eq!(rules(&[("a/Cargo.toml", MANIFEST), (CATALOGUE, LIST)]), ["mutant-unused"]);
        assert_eq!(rules(&[(CATALOGUE, LIST)]), ["mutant-listed"]);
    }

    #[test]
    fn a_manifest_that_turns_one_on_is_told() {
        let on = "[package]\nname = \"b\"\n\n[features]\ndefault = [\"a/danger_mutant_x\"]\n";
        assert_eq!(rules(&[("b/Cargo.toml", on)]), ["mutant-enabled"]);
    }
}
