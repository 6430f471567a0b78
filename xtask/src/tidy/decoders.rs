//! A decoder reads what an attacker wrote: each one is fuzzed.

use super::source::{Source, has_word};
use super::tree::Tree;
use super::{Rule, Violation};

static UNFUZZED: Rule = Rule {
    name: "decoder-unfuzzed",
    why: "a decoder in boundary/wire is named, by its type, in proof/fuzz/ or boundary/wire/tests/",
};

/// Names of functions that read foreign bytes.
const DECODERS: [&str; 3] = ["decode", "from_bytes", "parse"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let targets: Vec<&str> = tree
        .texts()
        .filter(|(path, _)| {
            path.starts_with("proof/fuzz/") || path.starts_with("boundary/wire/tests/")
        })
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(_, text)| text)
        .collect();
    let mut found = Vec::new();
    for (path, source) in tree.sources_in("boundary/wire/src/") {
        for (line, name) in decoders(source) {
            if !targets.iter().any(|text| has_word(text, &name)) {
                found.push(Violation::new(path, line, &UNFUZZED, name));
            }
        }
    }
    found
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
        let name: String = rest
            .chars()
            .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
            .collect();
        let prefix = |decoder: &&str| name == **decoder || name.starts_with(&format!("{decoder}_"));
        // `pub(crate)` is a part of another decoder, not one of its own.
        if head.split_whitespace().any(|word| word == "pub") && DECODERS.iter().any(prefix) {
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
    let subject = rest
        .split_once(" for ")
        .map_or(rest, |(_, subject)| subject)
        .trim_start();
    let path: String = subject
        .chars()
        .take_while(|sign| sign.is_alphanumeric() || matches!(sign, '_' | ':'))
        .collect();
    path.rsplit("::")
        .next()
        .map(str::to_owned)
        .filter(|name| !name.is_empty())
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
        assert_eq!(
            lines_of(&check(&bare)),
            [(path.clone(), 2), (path.clone(), 4)]
        );
        let fuzzed = Tree::snippets(&[
            ("boundary/wire/src/frame.rs", DECODER),
            (
                "proof/fuzz/fuzz_targets/frame.rs",
                "fuzz!(|b| Frame::decode(b));\n",
            ),
            ("boundary/wire/tests/decoders.rs", "decode_header(&bytes)\n"),
        ]);
        assert!(check(&fuzzed).is_empty());
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
