//! Figures that are computed and shown: the trusted budget and the trusted dependencies.
//!
//! A document shows one as `<!-- trusted-lines: 4321 -->`, or, to print it, as
//! `<!-- trusted-lines: 4321 -->4,321<!-- /trusted-lines -->`. `tidy --fix` rewrites both.

use super::tree::Tree;
use super::{Findings, Rule, Violation, metadata};
use crate::process;
use std::collections::BTreeSet;
use std::path::Path;

static BUDGET: Rule = Rule {
    name: "trusted-budget",
    why: "trusted/ has at most 8,000 lines of code (no tests, comments or blank lines), so that \
          one person can audit it",
};

static FIGURE: Rule = Rule {
    name: "figure",
    why: "a figure in a document is today's figure; `cargo xtask tidy --fix` writes it",
};

static LISTED: Rule = Rule {
    name: "trusted-dependencies",
    why: "trusted/DEPENDENCIES.txt is the resolved list, so that a new crate inside the boundary \
          is seen in review; `cargo xtask tidy --fix` writes it",
};

static LOCK: Rule = Rule {
    name: "lock",
    why: "CI builds what Cargo.lock says: commit it together with the manifests",
};

const TRUSTED_LINES: usize = 8_000;
const LIST: &str = "trusted/DEPENDENCIES.txt";
const VAULT: &str = "strongroom-vault";
const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "trusted/README.md"];

/// A figure by the name that markers use.
type Figure = (&'static str, usize);

pub(super) fn check(root: &Path, tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    let lines = trusted_lines(tree);
    findings.notes.push(format!("trusted/ has {lines} of {TRUSTED_LINES} lines"));
    for (room, lines) in lines_by_crate(tree) {
        findings.notes.push(format!("  {lines:>5} {room}"));
    }
    if lines > TRUSTED_LINES {
        let what = format!("{lines} lines, {TRUSTED_LINES} allowed");
        findings.violations.push(Violation::new("trusted", 0, &BUDGET, what));
    }
    let mut figures = vec![("trusted-lines", lines)];
    match listing(root) {
        Ok(list) => {
            figures.push(("trusted-dependencies", linked(&list)));
            findings.notes.push(format!("{VAULT} links {} crates", linked(&list)));
            if tree.text(LIST) != Some(&list) {
                let what = first_difference(tree.text(LIST).unwrap_or_default(), &list);
                findings.violations.push(Violation::new(LIST, 0, &LISTED, what));
            }
        }
        Err(problem) => {
            findings.violations.push(Violation::new(LIST, 0, &metadata::READABLE, problem));
        }
    }
    for path in DOCUMENTS {
        let text = tree.text(path).unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            if rewrite(line, &figures) != line {
                findings.violations.push(Violation::new(path, at + 1, &FIGURE, line.trim()));
            }
        }
    }
    findings.violations.extend(uncommitted_lock(root));
    findings
}

/// Rewrites what is generated; says what changed.
pub(super) fn fix(root: &Path, tree: &Tree) -> Result<Vec<String>, String> {
    let list = listing(root)?;
    let figures = [("trusted-lines", trusted_lines(tree)), ("trusted-dependencies", linked(&list))];
    let mut changes = Vec::new();
    let mut write = |path: &str, old: &str, new: &str| {
        if old == new {
            return Ok(());
        }
        changes.push(format!("rewrote {path}"));
        std::fs::write(root.join(path), new)
            .map_err(|error| format!("cannot write {path}: {error}"))
    };
    write(LIST, tree.text(LIST).unwrap_or_default(), &list)?;
    for path in DOCUMENTS {
        let Some(text) = tree.text(path) else {
            continue;
        };
        let lines = text.split('\n').map(|line| rewrite(line, &figures));
        write(path, text, &lines.collect::<Vec<_>>().join("\n"))?;
    }
    Ok(changes)
}

fn trusted_lines(tree: &Tree) -> usize {
    lines_by_crate(tree).iter().map(|(_, lines)| lines).sum()
}

fn lines_by_crate(tree: &Tree) -> Vec<(String, usize)> {
    let mut rooms: Vec<(String, usize)> = Vec::new();
    for (path, source) in tree.sources_in("trusted/") {
        let room = path.split('/').take(2).collect::<Vec<_>>().join("/");
        let lines = source.lines.iter().filter(|line| line.counts()).count();
        match rooms.last_mut() {
            Some((last, sum)) if *last == room => *sum += lines,
            _ => rooms.push((room, lines)),
        }
    }
    rooms
}

/// The resolved dependencies of the trusted code: what is linked, then what only builds it.
fn listing(root: &Path) -> Result<String, String> {
    let all = resolved(root, "normal")?;
    let linked = resolved(root, "normal,no-proc-macro")?;
    let mut text = format!(
        "# What {VAULT} links, resolved. `cargo xtask tidy --fix` writes this file; do not edit it.\n"
    );
    linked.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    text.push_str("\n# What runs in the compiler to build it (macros and what they need).\n");
    all.difference(&linked).for_each(|line| text.push_str(&format!("{line}\n")));
    Ok(text)
}

fn resolved(root: &Path, edges: &str) -> Result<BTreeSet<String>, String> {
    // One target, so that the list is the same wherever it is made.
    let arguments = [
        "tree",
        "--locked",
        "-p",
        VAULT,
        "-e",
        edges,
        "--prefix",
        "none",
        "--target",
        "x86_64-unknown-linux-gnu",
    ];
    let text = process::capture(root, &process::cargo(), &arguments)?;
    Ok(text.lines().filter_map(name_and_version).collect())
}

/// `sha2 0.11.0` of `sha2 v0.11.0 (*)`; nothing for our own crates.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    if line.contains("(/") {
        return None;
    }
    Some(format!("{name} {}", version.trim_start_matches('v')))
}

fn linked(list: &str) -> usize {
    let first = list.split("\n\n").next().unwrap_or_default();
    first.lines().filter(|line| !line.starts_with('#')).count()
}

fn first_difference(old: &str, new: &str) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.lines().collect(), new.lines().collect());
    let added: Vec<_> = new.difference(&old).take(5).map(|line| format!("+{line}")).collect();
    let gone: Vec<_> = old.difference(&new).take(5).map(|line| format!("-{line}")).collect();
    format!("differs: {} {}", added.join(", "), gone.join(", "))
}

/// A line with its markers brought up to date.
fn rewrite(line: &str, figures: &[Figure]) -> String {
    figures.iter().fold(line.to_owned(), |line, figure| rewrite_one(&line, *figure))
}

fn rewrite_one(line: &str, (name, value): Figure) -> String {
    let (open, close) = (format!("<!-- {name}: "), format!("<!-- /{name} -->"));
    let Some((before, rest)) = line.split_once(&open) else {
        return line.to_owned();
    };
    let Some((_, after)) = rest.split_once("-->") else {
        return line.to_owned();
    };
    let shown = match after.split_once(&close) {
        Some((_, after)) => format!("{}{close}{after}", grouped(value)),
        None => after.to_owned(),
    };
    format!("{before}{open}{value} -->{shown}")
}

/// `1234567` as `1,234,567`.
fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In CI the lock must be the committed one: the build that started us may have rewritten it.
fn uncommitted_lock(root: &Path) -> Option<Violation> {
    std::env::var_os("CI")?;
    let arguments = ["status", "--porcelain", "--", "Cargo.lock"];
    let status = process::capture(root, "git", &arguments).ok()?;
    let changed = !status.trim().is_empty();
    changed.then(|| Violation::new("Cargo.lock", 0, &LOCK, "the committed one is out of date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_brought_up_to_date_and_nothing_else_changes() {
        let figures = [("trusted-lines", 4_321)];
        let fresh = "a <!-- trusted-lines: 4321 -->4,321<!-- /trusted-lines --> b";
        assert_eq!(
            rewrite("a <!-- trusted-lines: 1 -->none<!-- /trusted-lines --> b", &figures),
            fresh
        );
        assert_eq!(rewrite(fresh, &figures), fresh);
        assert_eq!(
            rewrite("<!-- trusted-lines: 9 --> b", &figures),
            "<!-- trusted-lines: 4321 --> b"
        );
        assert_eq!(rewrite("<!-- other: 9 -->", &figures), "<!-- other: 9 -->");
    }

    #[test]
    fn the_budget_counts_code_and_not_words_about_it() {
        let tree = Tree::snippets(&[
            (
                "trusted/a/src/lib.rs",
                "//! head\n\n// why\nfn f() {\n    g();\n}\n#[cfg(test)]\nmod tests {}\n",
            ),
            ("trusted/a/tests/t.rs", "fn t() {}\n"),
            ("trusted/b/src/lib.rs", "fn f() {}\n"),
            ("host/c/src/lib.rs", "fn f() {}\n"),
        ]);
        assert_eq!(
            lines_by_crate(&tree),
            [("trusted/a".to_owned(), 3), ("trusted/b".to_owned(), 1)]
        );
    }

    #[test]
    fn our_own_crates_are_not_listed() {
        assert_eq!(name_and_version("sha2 v0.11.0 (*)").as_deref(), Some("sha2 0.11.0"));
        assert_eq!(name_and_version("strongroom-wire v0.1.0 (/src/boundary/wire)"), None);
    }

    #[test]
    fn linked_crates_are_counted_apart_from_macros() {
        assert_eq!(linked("# head\na 1\nb 2\n\n# macros\nsyn 2\n"), 2);
    }
}
