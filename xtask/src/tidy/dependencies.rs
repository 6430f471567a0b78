//! Every dependency is declared once, at the root, under a sentence that says what it is believed
//! to do.

use super::tree::Tree;
use super::{Rule, Violation};

static TRUST_SENTENCE: Rule = Rule {
    name: "trust-sentence",
    why: "above each dependency, or its group up to a blank line, stands what it is believed to do",
};

static ONE_PLACE: Rule = Rule {
    name: "dependency-in-one-place",
    why: "a crate writes `name.workspace = true`; version and trust sentence stand at the root",
};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_manifest(path)) {
        if path == "Cargo.toml" {
            found.extend(check_root(path, text));
        } else if !is_own_workspace(text) {
            found.extend(check_member(path, text));
        }
    }
    found
}

fn is_manifest(path: &str) -> bool {
    path == "Cargo.toml" || path.ends_with("/Cargo.toml")
}

/// `proof/fuzz` and the like resolve for themselves; nothing of theirs ships.
fn is_own_workspace(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "[workspace]")
}

fn check_root(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut inside, mut explained) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            explained = false;
        } else if line.is_empty() {
            explained = false;
        } else if let Some(comment) = line.strip_prefix('#') {
            explained |= is_sentence(comment.trim());
        } else if let Some((name, value)) = line.split_once('=')
            && inside
            && is_key(name.trim())
        {
            let own = value.replace(' ', "").starts_with("{path=");
            if !own && !explained {
                found.push(Violation::new(path, at + 1, &TRUST_SENTENCE, name.trim()));
            }
        }
    }
    found
}

/// A heading such as `--- tests ---` groups, but believes nothing.
fn is_sentence(comment: &str) -> bool {
    let heading = comment.starts_with("---");
    let words = comment.split_whitespace().filter(|word| *word != "---").count();
    if heading { comment.contains("believed") } else { words >= 3 }
}

fn check_member(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies");
            // `[dependencies.name]` carries its keys on the following lines.
            if section.contains("dependencies.") && !body_of(text, at).contains("workspace = true")
            {
                found.push(Violation::new(path, at + 1, &ONE_PLACE, section));
            }
        } else if let Some((name, value)) = line.split_once('=')
            && inside
            && is_key(name.trim())
        {
            let shared = name.trim().ends_with(".workspace") || value.contains("workspace = true");
            if !shared {
                found.push(Violation::new(path, at + 1, &ONE_PLACE, name.trim()));
            }
        }
    }
    found
}

fn body_of(text: &str, at: usize) -> String {
    let body = text.lines().skip(at + 1).take_while(|line| !line.starts_with('['));
    body.collect::<Vec<_>>().join("\n")
}

fn is_key(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|sign| sign.is_alphanumeric() || matches!(sign, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines_of;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree::snippets(&[(path, text)]);
        lines_of(&check(&tree)).into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn a_sentence_covers_its_group_and_a_heading_does_not() {
        let text = "[workspace]\nresolver = \"3\"\n[workspace.dependencies]\n# --- ours ---\na = { path = \"a\" }\n\n# Believed with every digest.\nsha2 = \"1\"\nhmac = { version = \"1\", features = [\n  \"x\",\n] }\n\n# --- tests ---\nproptest = \"1\"\n\n# --- host: believed with availability only ---\ntokio = \"1\"\n\nbare = \"1\"\n[profile.dev]\ndebug = 0\n";
        assert_eq!(lines("Cargo.toml", text), [14, 19]);
    }

    #[test]
    fn a_member_takes_its_dependencies_from_the_root() {
        let good = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"x\"] }\n[dependencies.c]\nworkspace = true\n[lib]\nname = \"x\"\n";
        assert!(lines("host/a/Cargo.toml", good).is_empty());
        let bad = "[dependencies]\na = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\nb = { path = \"../b\" }\n";
        assert_eq!(lines("host/a/Cargo.toml", bad), [2, 4]);
        assert!(lines("proof/fuzz/Cargo.toml", &format!("{bad}[workspace]\n")).is_empty());
    }
}
