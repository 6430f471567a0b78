//! What code that must be believed may not contain.

use super::source::{Source, has_word};
use super::tree::Tree;
use super::{Rule, Violation};

static PANICS: Rule = Rule {
    name: "trusted-panics",
    why: "a panic in a vault is a denial of service that a frame can trigger; return an error code",
};

static OUTSIDE: Rule = Rule {
    name: "trusted-outside",
    why: "trusted code sees the world only through its messages, so that every run can be replayed",
};

static ASYNC: Rule = Rule {
    name: "trusted-async",
    why: "trusted code is sans-IO: one call in, one result out, no hidden interleaving",
};

static RANDOMNESS: Rule = Rule {
    name: "trusted-randomness",
    why: "randomness is injected, so that a committed seed decides every answer on every node",
};

static MAP_ORDER: Rule = Rule {
    name: "trusted-map-order",
    why: "an iteration order that differs between nodes is a divergence; use BTreeMap or BTreeSet",
};

static OUTPUT: Rule = Rule {
    name: "trusted-output",
    why: "standard output is the link to the host, and a printed value may be a secret (INV-10)",
};

static FORBID_UNSAFE: Rule = Rule {
    name: "trusted-forbid-unsafe",
    why: "every crate in trusted/ begins with #![forbid(unsafe_code)]",
};

static LINTS: Rule = Rule {
    name: "trusted-lints",
    why: "each crate in trusted/ says #![cfg_attr(not(test), deny(clippy::indexing_slicing, \
          clippy::arithmetic_side_effects))], and an exception there carries a reason: foreign \
          numbers may neither index nor overflow",
};

static UNSAFE: Rule =
    Rule { name: "unsafe", why: "shells/ is the only home of unsafe code and foreign functions" };

const WORDS: [(&Rule, &[&str]); 6] = [
    (
        &PANICS,
        &[
            ".unwrap()",
            ".expect(",
            ".unwrap_err()",
            ".expect_err(",
            "panic!",
            "todo!",
            "unreachable!",
            "unimplemented!",
        ],
    ),
    (&OUTSIDE, &["std::net", "std::time", "std::thread", "std::fs", "std::process", "std::env"]),
    (&ASYNC, &["async", "tokio"]),
    (
        &RANDOMNESS,
        &[
            "thread_rng",
            "OsRng",
            "SysRng",
            "ThreadRng",
            "getrandom",
            "from_entropy()",
            "from_os_rng",
        ],
    ),
    (&MAP_ORDER, &["HashMap", "HashSet"]),
    (&OUTPUT, &["println!", "print!", "eprintln!", "eprint!", "dbg!"]),
];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in tree.sources_in("trusted/") {
        for (at, line) in source.shipped() {
            for (rule, words) in WORDS {
                for word in words.iter().filter(|word| has_word(&line.code, word)) {
                    found.push(Violation::new(path, at, rule, *word));
                }
            }
        }
        for (at, module) in grouped_imports(source) {
            found.push(Violation::new(path, at, &OUTSIDE, format!("std::{module}")));
        }
        found.extend(check_lints(path, source));
        if is_root(path) {
            let forbids =
                |line: &str| line.starts_with("#![forbid(") && has_word(line, "unsafe_code");
            if !source.lines.iter().any(|line| forbids(line.code.trim_start())) {
                found.push(Violation::new(path, 1, &FORBID_UNSAFE, "the attribute is missing"));
            }
        }
    }
    for (path, source) in tree.sources().filter(|(path, _)| !path.starts_with("shells/")) {
        for (at, line) in source.lines.iter().enumerate() {
            if has_word(&line.code, "unsafe") {
                found.push(Violation::new(path, at + 1, &UNSAFE, line.code.trim()));
            }
        }
    }
    found
}

/// The lints that every trusted crate must turn on, because text cannot see what they see.
const DENIED: [&str; 2] = ["indexing_slicing", "arithmetic_side_effects"];

fn check_lints(path: &str, source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    if is_root(path) {
        let on = |lint: &str| source.lines.iter().any(|line| has_word(&line.code, lint));
        for lint in DENIED.into_iter().filter(|lint| !on(lint)) {
            found.push(Violation::new(path, 1, &LINTS, format!("clippy::{lint} is not denied")));
        }
    }
    for (at, line) in source.shipped() {
        let excuses = line.code.contains("[allow(") || line.code.contains("[expect(");
        let alone = line.code.contains(")]") && !has_word(&line.code, "reason");
        if excuses && alone {
            found.push(Violation::new(path, at, &LINTS, "an exception without `reason = …`"));
        }
    }
    found
}

fn is_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs")
}

/// Modules of [`OUTSIDE`] that are imported as `use std::{net, …}`.
fn grouped_imports(source: &Source) -> Vec<(usize, String)> {
    let Some((_, outside)) = WORDS.iter().find(|(rule, _)| rule.name == OUTSIDE.name) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    // Braces that are open since `std::{`, none when outside of such a group.
    let mut depth = 0_usize;
    for (at, line) in source.shipped() {
        let mut rest = line.code.as_str();
        if depth == 0 {
            let Some((_, group)) = rest.split_once("std::{") else {
                continue;
            };
            depth = 1;
            rest = group;
        }
        let mut name = String::new();
        for sign in rest.chars().chain(" ".chars()) {
            if sign.is_alphanumeric() || sign == '_' {
                name.push(sign);
                continue;
            }
            if depth == 1 && outside.contains(&format!("std::{name}").as_str()) {
                found.push((at, name.clone()));
            }
            name.clear();
            match sign {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "//! x\n#![forbid(unsafe_code)]\n#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]\n";

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let tree = Tree::snippets(&[(path, text)]);
        check(&tree).iter().map(|found| found.rule.name).collect()
    }

    #[test]
    fn each_forbidden_word_fires_in_trusted_and_not_outside() {
        for (rule, words) in WORDS {
            for word in words {
                let text = format!("fn f() {{ let x = a{word} (); }}").replace("a.", "a.b.");
                let text = if word.starts_with('.') {
                    text
                } else {
                    text.replace(&format!("a{word}"), word)
                };
                assert_eq!(rules("trusted/a/src/b.rs", &text), [rule.name], "{text}");
                assert!(rules("host/a/src/b.rs", &text).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn tests_comments_and_strings_may_say_what_they_like() {
        let text = "// panic!\n/// HashMap\nfn f() { g(\"std::net\"); }\n#[cfg(test)]\nmod tests {\n fn g() { x.unwrap() }\n}\n";
        assert!(rules("trusted/a/src/b.rs", text).is_empty());
        assert!(
            rules("trusted/a/src/b.rs", "x.unwrap_or(0); y.expected(); use core::time::Duration;")
                .is_empty()
        );
    }

    #[test]
    fn a_grouped_import_is_seen_through() {
        assert_eq!(
            rules("trusted/a/src/b.rs", "use std::{\n fmt,\n time::Instant,\n};\n"),
            ["trusted-outside"]
        );
        assert_eq!(
            rules("trusted/a/src/b.rs", "use std::{collections::{BTreeMap}, net};\n"),
            ["trusted-outside"]
        );
        assert!(
            rules("trusted/a/src/b.rs", "use std::{fmt, sync::Arc};\nlet net = time;\n").is_empty()
        );
    }

    #[test]
    fn a_trusted_crate_must_forbid_unsafe_code_and_deny_lints() {
        let bare = rules("trusted/a/src/lib.rs", "//! x\nmod b;\n");
        assert_eq!(bare, ["trusted-lints", "trusted-lints", "trusted-forbid-unsafe"]);
        assert!(rules("trusted/a/src/lib.rs", HEAD).is_empty());
        assert!(rules("client/a/src/lib.rs", "//! x\n").is_empty());
    }

    #[test]
    fn an_exception_from_a_lint_has_a_reason() {
        let (bad, good) = ("#[allow(clippy::x)]\n", "#[allow(clippy::x, reason = \"y\")]\n");
        assert_eq!(rules("trusted/a/src/b.rs", bad), ["trusted-lints"]);
        assert!(rules("trusted/a/src/b.rs", good).is_empty());
        assert!(rules("host/a/src/b.rs", bad).is_empty());
    }

    #[test]
    fn unsafe_lives_in_shells_alone() {
        let text = "fn f() { unsafe { g() } }\n";
        assert_eq!(rules("host/a/src/b.rs", text), ["unsafe"]);
        assert_eq!(rules("client/a/tests/b.rs", text), ["unsafe"]);
        assert!(rules("shells/pkcs11/src/b.rs", text).is_empty());
        assert!(rules("host/a/src/b.rs", "// unsafe\n#![deny(unsafe_code)]\n").is_empty());
    }
}
