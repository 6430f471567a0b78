//! A decoder reads what an attacker wrote: each one is fuzzed.

use super::source::{Source, has_word};
use super::tree::Tree;
use super::{Rule, Violation};

static UNFUZZED: Rule = Rule {
    name: "decoder-unfuzzed",
    why: "a decoder in boundary/ or audit/ is named, by its type, in proof/fuzz/ or in the tests/ \
          folder of its crate, where property tests feed it noise",
};

/// Names of functions that read foreign bytes.
const DECODERS: [&str; 4] = ["decode", "from_bytes", "from_plaintext", "parse"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in tree.sources() {
        let Some((home, inner)) = path.split_once("/src/") else {
            continue;
        };
        if !(home.starts_with("boundary/") || home.starts_with("audit/")) {
            continue;
        }
        let is_named = |name: &str| is_target(tree, home, name);
        for (line, name) in decoders(source).into_iter().filter(|(_, name)| !is_named(name)) {
            found.push(Violation::new(path, line, &UNFUZZED, name));
        }
        // Derived decoders have no function of their own: one named type speaks for its module.
        let derived = derived(source);
        if let Some((line, _)) = derived.first()
            && !derived.iter().any(|(_, name)| is_named(name))
        {
            let names: Vec<_> = derived.iter().map(|(_, name)| name.as_str()).collect();
            let what = format!("{inner}: none of {}", names.join(", "));
            found.push(Violation::new(path, *line, &UNFUZZED, what));
        }
    }
    found
}

/// True when a fuzz target, or a test of the crate in the folder `home`, names the decoder.
fn is_target(tree: &Tree, home: &str, name: &str) -> bool {
    let tests = format!("{home}/tests/");
    let mut places = tree
        .sources()
        .filter(|(path, _)| path.starts_with("proof/fuzz/") || path.starts_with(&tests));
    places.any(|(_, source)| source.lines.iter().any(|line| has_word(&line.code, name)))
}

/// Types whose decoder is derived: the line of the derive, and the name.
fn derived(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line_of_derive = None;
    for (at, line) in source.shipped() {
        if line.code.contains("#[derive(") && has_word(&line.code, "Decode") {
            line_of_derive = Some(at);
        }
        let declared = line.code.split_once("struct ").or_else(|| line.code.split_once("enum "));
        let (Some(first), Some((_, rest))) = (line_of_derive, declared) else {
            continue;
        };
        found.push((first, word_of(rest)));
        line_of_derive = None;
    }
    found
}

fn word_of(text: &str) -> String {
    text.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect()
}

/// Each public decoder: its line, and the type it makes (or its own name, when it is free).
fn decoders(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut of_type: Option<String> = None;
    for (at, line) in source.shipped() {
        if line.code.starts_with('}') {
            of_type = None;
        } else if line.code.starts_with("impl") {
            of_type = implemented(&line.code);
        }
        let Some((head, rest)) = line.code.split_once("fn ") else {
            continue;
        };
        let name = word_of(rest);
        let is_decoder = |word: &&str| name == **word || name.starts_with(&format!("{word}_"));
        // `pub(crate)` is a part of another decoder, not one of its own.
        if head.split_whitespace().any(|word| word == "pub") && DECODERS.iter().any(is_decoder) {
            found.push((at, of_type.clone().unwrap_or(name)));
        }
    }
    found
}

/// `Ticket` of `impl<T: X> Trait for Ticket<T> {`.
fn implemented(line: &str) -> Option<String> {
    let mut rest = line.strip_prefix("impl")?;
    if rest.starts_with('<') {
        let mut depth = 0_usize;
        let end = rest.find(|sign| {
            match sign {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })?;
        rest = rest.get(end + 1..)?;
    }
    let subject = rest.split_once(" for ").map_or(rest, |(_, subject)| subject).trim_start();
    let path: String = subject
        .chars()
        .take_while(|sign| sign.is_alphanumeric() || matches!(sign, '_' | ':'))
        .collect();
    path.rsplit("::").next().map(str::to_owned).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines_of;

    const DECODER: &str = "impl<'a> Frame<'a> {\n    pub fn decode(bytes: &[u8]) -> Result<Self, E> {}\n}\npub fn decode_header(bytes: &[u8]) {}\nfn decode_part() {}\n";

    #[test]
    fn a_decoder_without_a_target_is_named() {
        let bare = Tree::snippets(&[("boundary/wire/src/frame.rs", DECODER)]);
        let path = "boundary/wire/src/frame.rs".to_owned();
        assert_eq!(lines_of(&check(&bare)), [(path.clone(), 2), (path.clone(), 4)]);
        let fuzzed = Tree::snippets(&[
            ("boundary/wire/src/frame.rs", DECODER),
            ("proof/fuzz/fuzz_targets/frame.rs", "fuzz!(|b| Frame::decode(b));\n"),
            ("boundary/wire/tests/decoders.rs", "decode_header(&bytes)\n"),
        ]);
        assert!(check(&fuzzed).is_empty());
    }

    #[test]
    fn one_derived_type_speaks_for_its_module() {
        let module = "#[derive(Debug, Decode)]\npub enum Input {\n}\n#[derive(Decode)]\n#[cbor(map)]\npub struct Output;\n";
        let path = "boundary/wire/src/process.rs";
        let bare = Tree::snippets(&[(path, module)]);
        assert_eq!(lines_of(&check(&bare)), [(path.to_owned(), 1)]);
        let fuzzed =
            Tree::snippets(&[(path, module), ("boundary/wire/tests/noise.rs", "Output\n")]);
        assert!(check(&fuzzed).is_empty());
        let elsewhere = Tree::snippets(&[(path, module), ("audit/log/tests/noise.rs", "Output\n")]);
        assert_eq!(check(&elsewhere).len(), 1);
    }

    #[test]
    fn the_implemented_type_is_found() {
        assert_eq!(implemented("impl Frame {").as_deref(), Some("Frame"));
        assert_eq!(
            implemented("impl<T: Into<u8>> Wire for a::Ticket<T> {").as_deref(),
            Some("Ticket")
        );
    }
}
