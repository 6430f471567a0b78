//! Names of modules, beginnings of crates, and words that have no place in the text.

use super::tree::Tree;
use super::{Rule, Violation};

static MODULE_NAME: Rule = Rule {
    name: "module-name",
    why: "a module is named after its concept; a drawer called utils or common has none",
};

static CRATE_HEAD: Rule = Rule {
    name: "crate-head",
    why: "each crate begins with //!: what it is, what it may assume, what it must never do",
};

static FOREIGN_PATH: Rule = Rule {
    name: "foreign-path",
    why: "the text speaks of the project, not of one machine's folders",
};

const DRAWERS: [&str; 9] = [
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "misc",
    "miscellaneous",
];

/// Assembled here, so that this file does not contain what it looks for.
const FOREIGN_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/tmp/ba", "sh_jobs"), concat!("/fa", "rm/")];

/// A head shorter than this says nothing.
const HEAD_LETTERS: usize = 40;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in tree.sources() {
        let parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
        for part in parts.filter(|part| DRAWERS.contains(part)) {
            found.push(Violation::new(path, 1, &MODULE_NAME, part));
        }
        for (at, line) in source.lines.iter().enumerate() {
            let declared = line.code.split_once("mod ").map(|(_, rest)| rest.trim());
            let inline = declared.and_then(|rest| rest.strip_suffix('{')).map(str::trim);
            if let Some(name) = inline.filter(|name| DRAWERS.contains(name)) {
                found.push(Violation::new(path, at + 1, &MODULE_NAME, format!("mod {name}")));
            }
        }
        if is_crate_root(path) {
            let head = source.lines.iter().map_while(|line| line.raw.strip_prefix("//!"));
            if head.map(|text| text.trim().len()).sum::<usize>() < HEAD_LETTERS {
                found.push(Violation::new(path, 1, &CRATE_HEAD, "no //! head, or an empty one"));
            }
        }
    }
    for (path, text) in tree.texts() {
        for (at, line) in text.lines().enumerate() {
            for foreign in FOREIGN_PATHS.iter().filter(|foreign| has_path(line, foreign)) {
                found.push(Violation::new(path, at + 1, &FOREIGN_PATH, *foreign));
            }
        }
    }
    found
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
}

/// True for an absolute path; `a/b/` inside a longer relative one is no such thing.
fn has_path(line: &str, foreign: &str) -> bool {
    line.match_indices(foreign).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|sign| {
            sign.is_alphanumeric() || matches!(sign, '.' | '-' | '_' | '}' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines_of;

    const HEAD: &str = "//! A store of bytes. It may assume a disk; it must never read them.\n";

    fn lines(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        lines_of(&check(&Tree::snippets(files)))
    }

    #[test]
    fn a_drawer_is_no_module_name() {
        assert_eq!(lines(&[("host/a/src/utils.rs", "x\n")]).len(), 1);
        assert_eq!(lines(&[("host/a/tests/common/mod.rs", "x\n")]).len(), 1);
        assert_eq!(
            lines(&[("host/a/src/b.rs", "x\nmod helpers {\n}\n")]),
            [("host/a/src/b.rs".to_owned(), 2)]
        );
        assert!(lines(&[("host/a/src/utilisation.rs", "mod commons {\n}\n")]).is_empty());
    }

    #[test]
    fn a_crate_begins_with_what_it_is() {
        for bad in
            ["", "mod a;\n", "//! (empty)\n", "// a comment of sufficient length, but no doc\n"]
        {
            assert_eq!(lines(&[("host/a/src/lib.rs", bad)]).len(), 1, "{bad}");
        }
        assert!(
            lines(&[("host/a/src/lib.rs", HEAD), ("host/a/src/other.rs", "mod b;\n")]).is_empty()
        );
    }

    #[test]
    fn folders_of_one_machine_are_not_named() {
        for foreign in FOREIGN_PATHS {
            let text = format!("first\nsee {foreign}x\n");
            assert_eq!(lines(&[("docs/a.md", &text)]), [("docs/a.md".to_owned(), 2)]);
        }
        let inner = format!("see net{}x", FOREIGN_PATHS[0]);
        assert!(lines(&[("docs/a.md", &inner)]).is_empty());
    }
}
