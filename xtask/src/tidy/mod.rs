//! `cargo xtask tidy`: the house rules as code. Each rule says where, what and why.
//!
//! The rules read text and `cargo metadata`, never the compiled product, so they hold while half
//! of the tree does not build. A rule that reads code sees it without comments, strings and tests
//! (see [`source`]).

mod arrows;
mod decoders;
mod dependencies;
mod documents;
mod figures;
mod invariants;
mod metadata;
mod mutants;
mod names;
mod secrets;
mod sizes;
mod source;
mod tree;
mod trusted;
mod waivers;

use crate::process::Failure;
use std::path::Path;
use tree::Tree;

pub(crate) use source::Line;
#[cfg(test)]
pub(crate) use source::Source;

/// One rule, by the name that violations and waivers use.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    name: &'static str,
    why: &'static str,
}

/// One place where a rule is broken.
#[derive(Debug)]
struct Violation {
    path: String,
    /// Counted from 1; 0 speaks of the whole file.
    line: usize,
    rule: &'static Rule,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static Rule, what: impl Into<String>) -> Violation {
        Violation { path: path.to_owned(), line, rule, what: what.into() }
    }
}

/// What a run found: what is wrong, and what a reader should know although nothing is wrong.
#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
    notes: Vec<String>,
}

/// The Rust files of `trusted/`, line by line.
pub(crate) fn trusted_code(root: &Path) -> Result<Vec<(String, Vec<Line>)>, String> {
    let tree = Tree::read(root)?;
    Ok(tree
        .sources_in("trusted/")
        .map(|(path, source)| (path.to_owned(), source.lines.clone()))
        .collect())
}

/// Checks the whole tree; with `fix`, first rewrites what is generated.
pub(crate) fn run(root: &Path, fix: bool) -> Result<(), Failure> {
    let mut tree = Tree::read(root).map_err(Failure::check)?;
    if fix {
        for line in figures::fix(root, &tree).map_err(Failure::check)? {
            println!("{line}");
        }
        tree = Tree::read(root).map_err(Failure::check)?;
    }
    let mut findings = check_text(&tree);
    let resolved = figures::check(root, &tree);
    findings.violations.extend(resolved.violations);
    findings.notes.extend(resolved.notes);
    match metadata::read(root) {
        Ok(packages) => findings.violations.extend(arrows::check(&packages)),
        Err(problem) => {
            findings.violations.push(Violation::new("Cargo.toml", 0, &metadata::READABLE, problem));
        }
    }
    report(findings)
}

/// The rules that need nothing but text.
fn check_text(tree: &Tree) -> Findings {
    let mut violations = Vec::new();
    violations.extend(sizes::check(tree));
    violations.extend(mutants::check(tree));
    violations.extend(trusted::check(tree));
    violations.extend(names::check(tree));
    violations.extend(secrets::check(tree));
    violations.extend(dependencies::check(tree));
    violations.extend(decoders::check(tree));
    violations.extend(documents::check(tree));
    let mut findings = waivers::apply(tree, violations);
    let invariants = invariants::check(tree);
    findings.violations.extend(invariants.violations);
    findings.notes.extend(invariants.notes);
    findings
}

fn report(mut findings: Findings) -> Result<(), Failure> {
    findings.violations.sort_by(|one, other| {
        (one.rule.name, &one.path, one.line).cmp(&(other.rule.name, &other.path, other.line))
    });
    let mut previous = "";
    for violation in &findings.violations {
        if violation.rule.name != previous {
            println!("{}: {}", violation.rule.name, violation.rule.why);
            previous = violation.rule.name;
        }
        println!("  {}:{}: {}", violation.path, violation.line, violation.what);
    }
    findings.notes.iter().for_each(|note| println!("note: {note}"));
    match findings.violations.len() {
        0 => {
            println!("tidy: ok");
            Ok(())
        }
        count => Err(Failure::check(format!("tidy: {count} violations"))),
    }
}

/// Runs one rule over snippets, for its tests: the lines at which it fires.
#[cfg(test)]
fn lines_of(violations: &[Violation]) -> Vec<(String, usize)> {
    violations.iter().map(|found| (found.path.clone(), found.line)).collect()
}
