//! A history as its log publishes it: tiles, head, and the signatures beside them.

#![allow(dead_code, reason = "each test file uses its part of what is published")]

use super::world::{AUDITOR, OPERATOR, ORIGIN, World, bytes_of, key, manifest, signed, trust};
use ed25519_dalek::Signer as _;
use std::collections::BTreeMap;
use strongroom_tlog::{
    TreeHead, leaf_hash,
    merkle::Tree,
    tiles::{TileKind, TileSource, encode_bundle, written},
};
use strongroom_verify::{
    CheckedEpoch, HistoryError, SIGNATURES_LEN, check_history, countersign_message,
};

pub(crate) struct Files(pub(crate) BTreeMap<String, Vec<u8>>);

impl TileSource for Files {
    type Error = String;

    fn read(&self, path: &str, _len_max: usize) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| format!("no {path}"))
    }
}

/// The files of a log, its head, and the signatures beside it.
pub(crate) struct Published {
    pub(crate) files: Files,
    pub(crate) head: TreeHead,
    pub(crate) signatures: Vec<[u8; SIGNATURES_LEN]>,
}

/// The tiles of a log's entries, and its head.
pub(crate) fn files_of(entries: &[Vec<u8>]) -> (Files, TreeHead) {
    let tree: Tree = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut files = BTreeMap::new();
    for tile in written(0, tree.size()).expect("grows") {
        let bytes = match tile.kind() {
            TileKind::Entries => {
                let of: Vec<&Vec<u8>> =
                    tile.items().map(|at| &entries[usize::try_from(at).expect("small")]).collect();
                encode_bundle(&of).expect("encodes")
            }
            TileKind::Hashes { .. } => tile.hashes(&tree).expect("has nodes"),
        };
        files.insert(tile.path(), bytes);
    }
    (Files(files), tree.head())
}

pub(crate) fn publish(world: &World) -> Published {
    let entries: Vec<Vec<u8>> = world.leaves.iter().map(bytes_of).collect();
    let (files, head) = files_of(&entries);
    let signatures = world.leaves.iter().zip(&entries).map(|(leaf, bytes)| {
        let audit = key(AUDITOR).sign(&leaf.statement.to_bytes()).to_bytes();
        let counter = key(OPERATOR).sign(&countersign_message(ORIGIN, bytes, &audit)).to_bytes();
        let mut both = [0; SIGNATURES_LEN];
        both[..64].copy_from_slice(&audit);
        both[64..].copy_from_slice(&counter);
        both
    });
    Published { files, head, signatures: signatures.collect() }
}

pub(crate) fn run(published: &Published) -> Result<Vec<CheckedEpoch>, HistoryError<String>> {
    let signatures =
        |epoch: u64| published.signatures.get(usize::try_from(epoch - 1).expect("small")).copied();
    check_history(&published.files, published.head, &trust(), signatures, |_| ())
}

/// So many epochs of the same custodians.
pub(crate) fn history(epochs: u64) -> World {
    let mut world = World::default();
    for epoch in 1..=epochs {
        world.publish(&signed(&manifest(epoch, &[1, 2, 3]), &[1, 3]));
    }
    world
}
