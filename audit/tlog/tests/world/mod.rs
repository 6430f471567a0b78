//! What the tests share: keys, a log in a map of files, and where the public vectors are.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{cell::RefCell, collections::BTreeMap, io::Write as _, path::PathBuf};
use strongroom_tlog::{
    Checkpoint, Hash, LogSigner, NoteSignature, SeedSigner, SignedCheckpoint, TreeHead,
    WitnessSigner, cosign, leaf_hash,
    merkle::Tree,
    tiles::{Tile, TileKind, TileSource, encode_bundle, written},
    witness::{AddCheckpoint, KnownLog},
};

/// The folder of public vectors, or a plain word that the test did not run.
pub(crate) fn vectors(part: &str) -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let folder = std::env::var_os("STRONGROOM_VECTORS")
        .map_or_else(|| PathBuf::from(root).join("../shared/vectors"), PathBuf::from)
        .join(part);
    if folder.is_dir() {
        return Some(folder);
    }
    // Past the capture of passing tests: nobody should take this for a pass.
    let place = folder.display();
    let _ = writeln!(
        std::io::stderr(),
        "NOT RUN: no public vectors at {place}; set STRONGROOM_VECTORS"
    );
    None
}

pub(crate) fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn log_signer(name: &str) -> LogSigner<SeedSigner> {
    LogSigner::new(name, SeedSigner::new(&[1; 32])).expect("a name")
}

pub(crate) fn witness_signer(n: u8) -> WitnessSigner<SeedSigner> {
    WitnessSigner::new(&format!("witness.example/w{n}"), SeedSigner::new(&[100 + n; 32]))
        .expect("a name")
}

pub(crate) fn signed(origin: &str, head: TreeHead) -> SignedCheckpoint {
    let checkpoint = Checkpoint::new(origin, head.size, head.root).expect("an origin");
    SignedCheckpoint::sign(checkpoint, &log_signer(origin)).expect("signs")
}

/// A witness that never saw the log before.
pub(crate) fn cosigned(signed: &SignedCheckpoint, n: u8, timestamp: u64) -> NoteSignature {
    let request = AddCheckpoint::new(0, Vec::new(), signed).expect("a request");
    let known = KnownLog::new(signed.signer().clone());
    let consistent = request.decide(Some(&known), None).expect("first contact");
    cosign(&consistent, &witness_signer(n), timestamp).expect("cosigns")
}

pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

pub(crate) fn tree(size: u64) -> Tree {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

/// A log's files, and what was read of them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Files {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) reads: RefCell<Vec<String>>,
}

impl Files {
    /// Adds what a log writes when it grows.
    pub(crate) fn grow(&mut self, tree: &Tree, old: u64, new: u64) {
        for tile in written(old, new).expect("grows") {
            let bytes = match tile.kind() {
                TileKind::Entries => {
                    let entries: Vec<_> = tile.items().map(entry).collect();
                    encode_bundle(&entries).expect("encodes")
                }
                TileKind::Hashes { .. } => tile.hashes(tree).expect("has nodes"),
            };
            self.files.insert(tile.path(), bytes);
        }
    }

    pub(crate) fn of(size: u64) -> (Self, Tree) {
        let (mut files, tree) = (Self::default(), tree(size));
        files.grow(&tree, 0, size);
        (files, tree)
    }

    pub(crate) fn damage(&mut self, path: &str, at: usize) {
        let bytes = self.files.get_mut(path).unwrap_or_else(|| panic!("no {path}"));
        bytes[at] ^= 1;
    }
}

impl TileSource for Files {
    type Error = String;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, String> {
        assert!(Tile::parse(path).is_ok(), "{path} is asked for");
        self.reads.borrow_mut().push(path.to_owned());
        let bytes = self.files.get(path).ok_or_else(|| format!("no file {path}"))?;
        if bytes.len() > len_max { Err("too long".to_owned()) } else { Ok(bytes.clone()) }
    }
}

pub(crate) fn hash(text: &str) -> Hash {
    Hash::from_base64(text).unwrap_or_else(|| panic!("{text} is no hash"))
}
