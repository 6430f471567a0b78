//! The way out of a rule, in public: `// tidy: allow(RULE): REASON` on the line or the one above.
//!
//! A waiver without a reason does not count, one that nothing needs is itself a violation, and
//! all of them are listed in every run.

use super::tree::Tree;
use super::{Findings, Rule, Violation};

static UNUSED: Rule = Rule {
    name: "waiver-unused",
    why: "a waiver that nothing needs hides the next violation: delete it",
};

/// Rules that may be waived where a foreign interface leaves no choice. The rest never.
const WAIVABLE: [&str; 4] =
    ["trusted-panics", "trusted-map-order", "trusted-outside", "function-size"];

const MARK: &str = "tidy: allow(";

/// One waiver: where it stands, what it waives and why.
struct Waiver {
    path: String,
    line: usize,
    rule: String,
    reason: String,
    used: bool,
}

/// Takes the waived violations out.
pub(super) fn apply(tree: &Tree, violations: Vec<Violation>) -> Findings {
    let mut waivers = collect(tree);
    let mut findings = Findings::default();
    for violation in violations {
        let covers = |waiver: &&mut Waiver| {
            waiver.path == violation.path
                && waiver.rule == violation.rule.name
                && (waiver.line == violation.line || waiver.line + 1 == violation.line)
        };
        match waivers.iter_mut().find(covers) {
            Some(waiver) => waiver.used = true,
            None => findings.violations.push(violation),
        }
    }
    for waiver in waivers {
        let Waiver { path, line, rule, reason, used } = waiver;
        if used {
            findings.notes.push(format!("waived {rule} at {path}:{line}: {reason}"));
        } else {
            findings.violations.push(Violation::new(&path, line, &UNUSED, rule));
        }
    }
    findings
}

fn collect(tree: &Tree) -> Vec<Waiver> {
    let mut waivers = Vec::new();
    for (path, source) in tree.sources().filter(|(path, _)| !path.starts_with("xtask/")) {
        for (at, line) in source.lines.iter().enumerate() {
            let Some((_, rest)) = line.comment.split_once(MARK) else {
                continue;
            };
            let Some((rule, reason)) = rest.split_once("):") else {
                continue;
            };
            if WAIVABLE.contains(&rule) && reason.trim().len() >= 10 {
                waivers.push(Waiver {
                    path: path.to_owned(),
                    line: at + 1,
                    rule: rule.to_owned(),
                    reason: reason.trim().to_owned(),
                    used: false,
                });
            }
        }
    }
    waivers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{lines_of, trusted};

    fn left(text: &str) -> Vec<(String, usize)> {
        let tree = Tree::snippets(&[("trusted/a/src/b.rs", text)]);
        lines_of(&apply(&tree, trusted::check(&tree)).violations)
    }

    #[test]
    fn a_waiver_needs_a_rule_a_reason_and_something_to_waive() {
        let bad = "use x::HashSet;\n";
        let line = |text: &str| format!("// {MARK}{text}\n{bad}");
        assert_eq!(left(bad).len(), 1);
        assert!(
            left(&line("trusted-map-order): the engine returns one; sorted on the next line"))
                .is_empty()
        );
        assert_eq!(left(&line("trusted-map-order): no")).len(), 1);
        assert_eq!(left(&line("trusted-panics): the engine returns one")).len(), 2);
        assert_eq!(left(&line("unsafe): a rule that is never waived")).len(), 1);
    }
}
