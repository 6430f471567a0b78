//! A secret is compared in constant time or not at all.

use super::source::{Source, has_word};
use super::tree::Tree;
use super::{Rule, Violation};

static SECRET_EQUALITY: Rule = Rule {
    name: "secret-equality",
    why: "a type that wipes itself holds a secret, and a derived comparison stops at the first byte \
          that differs: compare with `subtle`, or not at all",
};

/// Where secrets are handled.
const ROOMS: [&str; 4] = ["trusted/", "boundary/", "client/", "shells/"];
/// Derived comparisons; a hash is one too.
const COMPARISONS: [&str; 4] = ["PartialEq", "PartialOrd", "Ord", "Hash"];
/// What a derive or a field of a wiping type says.
const WIPES: [&str; 3] = ["Zeroize", "ZeroizeOnDrop", "Zeroizing"];

/// Lines in which an `impl Drop` says what it does.
const BODY: usize = 6;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in tree.sources() {
        if ROOMS.iter().any(|room| path.starts_with(room)) {
            found.extend(types(source).into_iter().filter(Type::is_wrong).map(|found| {
                let what = format!("{} derives {}", found.name, found.compares.unwrap_or_default());
                Violation::new(path, found.line, &SECRET_EQUALITY, what)
            }));
        }
    }
    found
}

/// A type with derives.
#[derive(Default)]
struct Type {
    name: String,
    line: usize,
    compares: Option<&'static str>,
    wipes: bool,
}

impl Type {
    fn is_wrong(&self) -> bool {
        self.wipes && self.compares.is_some()
    }
}

/// The types of a file that derive anything: from each derive to the end of what follows it.
fn types(source: &Source) -> Vec<Type> {
    let lines: Vec<_> = source.shipped().map(|(at, line)| (at, line.code.as_str())).collect();
    let starts = lines.iter().enumerate().filter(|(_, (_, code))| code.contains("#[derive("));
    starts
        .map(|(start, (line, _))| {
            let mut found = Type { line: *line, ..Type::default() };
            let mut derives = true;
            for (_, code) in lines.iter().skip(start) {
                if derives {
                    found.compares = found
                        .compares
                        .or(COMPARISONS.into_iter().find(|word| has_word(code, word)));
                }
                found.wipes |= WIPES.iter().any(|word| has_word(code, word));
                if let Some(name) = declared(code) {
                    found.name = name;
                    derives = false;
                }
                let ends = code.starts_with('}') || code.trim_end().ends_with(';');
                if ends && !derives || code.trim_end().ends_with("{}") {
                    break;
                }
            }
            found.wipes |= (0..lines.len()).any(|at| wipes_by_hand(&lines[at..], &found.name));
            found
        })
        .collect()
}

/// The name of the type that a line declares.
fn declared(code: &str) -> Option<String> {
    let (_, rest) = code.split_once("struct ").or_else(|| code.split_once("enum "))?;
    let name: String =
        rest.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// An `impl Drop` that wipes, or an `impl Zeroize`.
fn wipes_by_hand(lines: &[(usize, &str)], name: &str) -> bool {
    let Some((_, head)) = lines.first() else {
        return false;
    };
    let is_for = |what: &str| head.contains(&format!("impl {what} for ")) && has_word(head, name);
    is_for("Zeroize")
        || is_for("Drop") && lines.iter().take(BODY).any(|(_, code)| code.contains(".zeroize()"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines_of;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let found = check(&Tree::snippets(&[(path, text)]));
        lines_of(&found).into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn a_secret_derives_no_comparison() {
        for bad in [
            "#[derive(Clone, PartialEq, Eq, Zeroize)]\nstruct Key([u8; 32]);\n",
            "#[derive(\n    Hash,\n    ZeroizeOnDrop,\n)]\npub struct Key {\n    a: u8,\n}\n",
            "#[derive(PartialEq)]\nstruct Key {\n    key: Zeroizing<[u8; 32]>,\n}\n",
            "#[derive(PartialEq)]\nstruct Key(u8);\nimpl Drop for Key {\n    fn drop(&mut self) {\n        self.0.zeroize();\n    }\n}\n",
            "#[derive(Ord)]\nstruct Key(u8);\nimpl Zeroize for Key {\n}\n",
        ] {
            assert_eq!(lines("trusted/a/src/b.rs", bad), [1], "{bad}");
            assert!(lines("host/a/src/b.rs", bad).is_empty());
        }
    }

    #[test]
    fn other_types_may_and_secrets_may_compare_by_hand() {
        for good in [
            "#[derive(Clone, Zeroize)]\nstruct Key([u8; 32]);\nimpl PartialEq for Key {\n}\n",
            "#[derive(PartialEq, Eq)]\nstruct Name(String);\nstruct Key(Zeroizing<u8>);\n",
            "#[derive(PartialEq)]\nstruct A(u8);\nimpl Drop for B {\n    fn drop(&mut self) {\n        self.0.zeroize();\n    }\n}\n",
            "#[derive(PartialEq)]\nenum A {\n    B,\n}\nfn f(key: Zeroizing<u8>) {}\n",
        ] {
            assert!(lines("trusted/a/src/b.rs", good).is_empty(), "{good}");
        }
    }
}
