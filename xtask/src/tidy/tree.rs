//! The files that git knows or would take, as the rules see them.

use super::source::Source;
use crate::process;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every text file of the repository, by its path from the root.
#[derive(Debug, Default)]
pub(super) struct Tree {
    texts: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
}

impl Tree {
    /// Reads the checkout, including new files that are not ignored.
    pub(super) fn read(root: &Path) -> Result<Tree, String> {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let listing = process::capture(root, "git", &arguments)?;
        let paths: BTreeSet<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
        // A listed file may be deleted on disk, and a binary one is nobody's prose.
        let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        Ok(Tree::of(paths.into_iter().filter_map(|path| Some((path, read(path)?)))))
    }

    /// Builds a tree from texts.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Tree {
        let texts: BTreeMap<String, String> =
            files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        let mut sources = BTreeMap::new();
        let mut test_folders = Vec::new();
        for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs")) {
            let source = Source::new(text, is_test_path(path));
            test_folders.extend(source.test_modules.iter().map(|name| module_path(path, name)));
            sources.insert(path.clone(), source);
        }
        let tested: Vec<String> = sources
            .keys()
            .filter(|path| test_folders.iter().any(|module| belongs_to(path, module)))
            .cloned()
            .collect();
        for path in tested {
            if let Some(text) = texts.get(&path) {
                sources.insert(path, Source::new(text, true));
            }
        }
        Tree { texts, sources }
    }

    /// Builds a tree from snippets, for the tests of the rules.
    #[cfg(test)]
    pub(super) fn snippets(files: &[(&str, &str)]) -> Tree {
        Tree::of(files.iter().map(|(path, text)| (*path, (*text).to_owned())))
    }

    /// Every file: path and text.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// One file's text.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Every Rust file: path and contents.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(path, source)| (path.as_str(), source))
    }

    /// One Rust file, for the tests of the rules.
    #[cfg(test)]
    pub(super) fn source(&self, path: &str) -> Option<&Source> {
        self.sources.get(path)
    }

    /// The Rust files below a folder.
    pub(super) fn sources_in<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Source)> {
        self.sources().filter(move |(path, _)| path.starts_with(folder))
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "examples"))
}

/// Where `mod name;` in the file `path` lives, without `.rs`.
fn module_path(path: &str, name: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => format!("{folder}/{name}"),
        other => format!("{folder}/{}/{name}", other.trim_end_matches(".rs")),
    }
}

fn belongs_to(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_declared_for_tests_is_test_code_wherever_it_lives() {
        let tree = Tree::snippets(&[
            ("a/src/lib.rs", "#[cfg(test)]\nmod cluster;\nmod real;\n"),
            ("a/src/cluster.rs", "fn x() {}\n"),
            ("a/src/cluster/deep.rs", "fn x() {}\n"),
            ("a/src/real.rs", "#[cfg(test)]\nmod checks;\nfn x() {}\n"),
            ("a/src/real/checks.rs", "fn x() {}\n"),
            ("a/tests/outer.rs", "fn x() {}\n"),
        ]);
        let shipped = |path: &str| tree.source(path).map_or(0, |source| source.shipped().count());
        assert_eq!(shipped("a/src/cluster.rs"), 0);
        assert_eq!(shipped("a/src/cluster/deep.rs"), 0);
        assert_eq!(shipped("a/src/real/checks.rs"), 0);
        assert_eq!(shipped("a/tests/outer.rs"), 0);
        assert_eq!(shipped("a/src/real.rs"), 1);
    }
}
