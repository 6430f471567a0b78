//! INV-1 to INV-10: each has one home in the code, one row in the threat model, a test and a
//! simulator checker that carry its name.

use super::source::Source;
use super::tree::Tree;
use super::{Findings, Rule, Violation};

static ORPHAN: Rule = Rule {
    name: "invariant",
    why: "each INV-n has one home (`# INV-n` in a doc comment), one row `| INV-n` in the threat \
          model, a test `inv{n}_…` and a checker `inv{n}_…` in proof/sim",
};

const COUNT: u32 = 10;
const MODEL: &str = "docs/threat-model.md";
const OPEN: &str = "not built yet";

pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::default();
    for number in 1..=COUNT {
        let rows = rows(tree, number);
        let line = rows.first().map_or(0, |(line, _)| *line);
        let mut missing = |path: &str, line: usize, what: String| {
            let what = format!("INV-{number}: {what}");
            findings.violations.push(Violation::new(path, line, &ORPHAN, what));
        };
        if rows.len() != 1 {
            missing(MODEL, line, format!("{} rows, 1 wanted", rows.len()));
        }
        if rows.iter().any(|(_, row)| row.contains(OPEN)) {
            findings.notes.push(format!("INV-{number} is open: its row says `{OPEN}`"));
            continue;
        }
        match homes(tree, number).as_slice() {
            [] => missing(MODEL, line, format!("no home: no doc comment with `# INV-{number}`")),
            [_] => {}
            many => {
                for (path, at) in many {
                    missing(path, *at, format!("one of {} homes, 1 wanted", many.len()));
                }
            }
        }
        if !has_test(tree, number) {
            missing(MODEL, line, format!("no test whose name contains `inv{number}_`"));
        }
        if !has_checker(tree, number) {
            missing("proof/sim", 0, format!("no simulator checker named `inv{number}_…`"));
        }
    }
    findings
}

/// True when `text` contains `INV-n` and no further digit.
fn names(text: &str, before: &str, number: u32) -> bool {
    let wanted = format!("{before}INV-{number}");
    text.match_indices(&wanted).any(|(at, _)| {
        let after = text.get(at + wanted.len()..).and_then(|rest| rest.chars().next());
        !after.is_some_and(|sign| sign.is_ascii_digit())
    })
}

fn rows(tree: &Tree, number: u32) -> Vec<(usize, String)> {
    let text = tree.text(MODEL).unwrap_or_default();
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let is_row = |line: &str| {
        let cell =
            line.strip_prefix('|').and_then(|rest| rest.split('|').next()).unwrap_or_default();
        names(cell.trim().trim_matches('*').trim_matches('`'), "", number)
            && cell.trim_start().trim_start_matches(['*', '`', '[']).starts_with("INV-")
    };
    lines.filter(|(_, line)| is_row(line)).map(|(at, line)| (at, line.to_owned())).collect()
}

fn homes(tree: &Tree, number: u32) -> Vec<(String, usize)> {
    let mut homes = Vec::new();
    let code = tree.sources().filter(|(path, _)| !path.starts_with("proof/"));
    for (path, source) in code.filter(|(path, _)| !path.starts_with("xtask/")) {
        for (at, line) in source.lines.iter().enumerate() {
            if line.documentation().is_some_and(|text| names(text, "# ", number)) {
                homes.push((path.to_owned(), at + 1));
            }
        }
    }
    homes
}

fn is_test(source: &Source, first: usize) -> bool {
    source.lines.get(first).is_some_and(|line| line.test)
}

fn has_test(tree: &Tree, number: u32) -> bool {
    let part = format!("inv{number}_");
    let outside = tree.sources().filter(|(path, _)| !path.starts_with("xtask/"));
    outside
        .flat_map(|(_, source)| source.functions.iter().map(move |function| (source, function)))
        .any(|(source, function)| function.name.contains(&part) && is_test(source, function.first))
}

fn has_checker(tree: &Tree, number: u32) -> bool {
    let part = format!("inv{number}_");
    tree.sources_in("proof/sim/").any(|(_, source)| {
        let in_function = source
            .functions
            .iter()
            .any(|function| function.name.starts_with(&part) && !is_test(source, function.first));
        let in_constant = source.shipped().any(|(_, line)| {
            let named =
                line.code.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let name = named.strip_prefix("const ").or_else(|| named.strip_prefix("static "));
            name.is_some_and(|name| name.to_lowercase().starts_with(&part))
        });
        in_function || in_constant
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "/// # INV-1: budget\nfn charge() {}\n";
    const ROW: &str = "| id | promise |\n|---|---|\n| INV-1 | budget |\n| INV-10 | secrets |\n";
    const TEST: &str = "#[test]\nfn inv1_is_kept() {}\n";
    const CHECKER: &str = "fn inv1_budget() {}\n";

    fn complaints(home: &str, row: &str, test: &str, checker: &str) -> Vec<String> {
        let tree = Tree::snippets(&[
            ("trusted/record/src/charge.rs", home),
            (MODEL, row),
            ("trusted/record/tests/charge.rs", test),
            ("proof/sim/src/check.rs", checker),
        ]);
        let about = |found: &Violation| found.what.starts_with("INV-1:");
        check(&tree).violations.into_iter().filter(about).map(|found| found.what).collect()
    }

    #[test]
    fn a_complete_invariant_is_quiet() {
        assert_eq!(complaints(HOME, ROW, TEST, CHECKER), Vec::<String>::new());
        assert!(complaints(HOME, ROW, TEST, "pub const INV1_BUDGET: u8 = 0;\n").is_empty());
    }

    #[test]
    fn each_missing_part_is_named() {
        for (home, row, test, checker) in [
            ("fn charge() {}\n", ROW, TEST, CHECKER),
            ("/// # INV-10: other\nfn charge() {}\n", ROW, TEST, CHECKER),
            ("// # INV-1: no documentation\nfn charge() {}\n", ROW, TEST, CHECKER),
            (HOME, "| INV-10 | other |\n", TEST, CHECKER),
            (HOME, ROW, "#[test]\nfn inv10_is_kept() {}\n", CHECKER),
            (HOME, ROW, TEST, "#[test]\nfn inv1_budget() {}\n"),
        ] {
            assert_eq!(complaints(home, row, test, checker).len(), 1, "{home}{row}{test}{checker}");
        }
    }

    #[test]
    fn two_homes_or_two_rows_are_too_many() {
        assert_eq!(complaints(&HOME.repeat(2), ROW, TEST, CHECKER).len(), 2);
        assert_eq!(complaints(HOME, &ROW.repeat(2), TEST, CHECKER).len(), 1);
    }

    #[test]
    fn an_open_invariant_needs_only_its_row() {
        let row = "| INV-1 | budget | not built yet |\n";
        let tree = Tree::snippets(&[(MODEL, row)]);
        let findings = check(&tree);
        assert!(findings.notes.iter().any(|note| note.starts_with("INV-1 is open")));
        assert!(!findings.violations.iter().any(|found| found.what.starts_with("INV-1:")));
    }
}
