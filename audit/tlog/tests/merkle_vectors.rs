//! RFC 6962 proofs as others made and broke them.

mod world;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::path::Path;
use strongroom_tlog::{
    Hash, TreeHead, leaf_hash,
    merkle::{verify_consistency, verify_inclusion},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
    desc: String,
}

/// What is no hash is refused before any proof is looked at. Some cases say "don't care" where a
/// root should stand; equal words stand for equal roots.
fn hash(text: Option<&String>) -> Option<Hash> {
    let text = text.map_or("", String::as_str);
    let word = || STANDARD.decode(text).ok().filter(|word| word.starts_with(b"don't care"));
    Hash::from_base64(text).or_else(|| word().map(|word| leaf_hash(&word)))
}

fn hashes(texts: Option<Vec<String>>) -> Option<Vec<Hash>> {
    texts.unwrap_or_default().iter().map(|text| hash(Some(text))).collect()
}

fn visit(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, found);
        } else {
            found.push((path.display().to_string(), world::read(path)));
        }
    }
}

/// Runs every file; returns how many proofs were accepted and refused.
fn run(part: &str, verify: impl Fn(&[u8]) -> (bool, bool)) -> Option<(usize, usize)> {
    let mut files = Vec::new();
    visit(&world::vectors("merkle")?.join(part), &mut files);
    let (mut accepted, mut refused) = (0, 0);
    for (name, bytes) in files {
        let (good, want_err) = verify(&bytes);
        assert_eq!(good, !want_err, "{name}");
        *(if good { &mut accepted } else { &mut refused }) += 1;
    }
    Some((accepted, refused))
}

#[test]
fn inclusion_proofs_are_judged_as_elsewhere() {
    let counts = run("inclusion", |bytes| {
        let case: Inclusion = serde_json::from_slice(bytes).expect("a case");
        let good = || {
            let (leaf, root) = (hash(case.leaf_hash.as_ref())?, hash(case.root.as_ref())?);
            let head = TreeHead { size: case.tree_size, root };
            verify_inclusion(&leaf, case.leaf_idx, &head, &hashes(case.proof)?).ok()
        };
        (good().is_some(), case.want_err)
    });
    println!("inclusion: (accepted, refused) = {counts:?}");
    if let Some(counts) = counts {
        assert_eq!(counts, (6, 92));
    }
}

#[test]
fn consistency_proofs_are_judged_as_elsewhere() {
    let counts = run("consistency", |bytes| {
        let case: Consistency = serde_json::from_slice(bytes).expect("a case");
        let good = || {
            let old = TreeHead { size: case.size1, root: hash(case.root1.as_ref())? };
            let new = TreeHead { size: case.size2, root: hash(case.root2.as_ref())? };
            verify_consistency(&old, &new, &hashes(case.proof)?).ok()
        };
        // The one difference: tlog-witness has every tree begin with the empty one, where that
        // library calls the question useless.
        let from_empty = case.desc == "size1 is zero and size2 is not zero";
        (good().is_some(), case.want_err && !from_empty)
    });
    println!("consistency: (accepted, refused) = {counts:?}");
    if let Some(counts) = counts {
        assert_eq!(counts, (7, 91));
    }
}
