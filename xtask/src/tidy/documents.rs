//! The documents that a stranger looks for first.

use super::tree::Tree;
use super::{Rule, Violation};

static DOCUMENT: Rule = Rule {
    name: "document",
    why: "a stranger looks for these files first, and each of them must say something",
};

const DOCUMENTS: [&str; 9] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "docs/threat-model.md",
    "trusted/README.md",
];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let missing = |path: &&str| tree.text(path).is_none_or(|text| text.trim().is_empty());
    let found = DOCUMENTS.iter().filter(|path| missing(path));
    found.map(|path| Violation::new(path, 0, &DOCUMENT, "missing or empty")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_document_is_named() {
        let all: Vec<_> = DOCUMENTS.iter().map(|path| (*path, "text\n")).collect();
        assert!(check(&Tree::snippets(&all)).is_empty());
        let mut some = all.clone();
        some.truncate(DOCUMENTS.len() - 1);
        some[0].1 = " \n";
        assert_eq!(check(&Tree::snippets(&some)).len(), 2);
    }
}
