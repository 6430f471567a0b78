//! A whole log that another implementation wrote, at every size.

mod world;

use std::path::PathBuf;
use strongroom_tlog::{
    LogKey, Note, SignedCheckpoint, TreeHead, leaf_hash,
    merkle::{Tree, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion},
    tiles::{TileSource, VerifiedTiles},
};

struct Folder(PathBuf);

impl TileSource for Folder {
    type Error = std::io::Error;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, std::io::Error> {
        let bytes = std::fs::read(self.0.join(path))?;
        assert!(bytes.len() <= len_max);
        Ok(bytes)
    }
}

#[test]
fn every_size_is_read_and_every_proof_between_sizes_verifies() {
    let Some(folder) = world::vectors("tessera-log") else { return };
    let vkey = String::from_utf8(world::read(folder.join("log.vkey"))).expect("text");
    let key = LogKey::from_vkey(vkey.trim_end()).expect("a log's key");
    let mut heads: Vec<TreeHead> = Vec::new();
    for size in 0..=15 {
        let bytes = world::read(folder.join(format!("checkpoint.{size}")));
        let note = Note::parse(&bytes).expect("a note");
        assert_eq!(note.to_bytes(), bytes);
        let signed = SignedCheckpoint::verify(note, &key).expect("signed");
        assert_eq!(signed.checkpoint().size(), size);
        heads.push(signed.checkpoint().head());
    }
    let mut proofs = 0;
    for (size, head) in (0_u64..).zip(&heads) {
        let tiles = VerifiedTiles::open(Folder(folder.clone()), *head).expect("opens");
        let entries: Vec<_> = tiles.entries(0).collect::<Result<_, _>>().expect("authentic");
        assert_eq!(entries.len() as u64, size);
        let tree: Tree = entries.iter().map(|(_, entry)| leaf_hash(entry)).collect();
        assert_eq!(tree.head(), *head, "entries make the root");
        for (index, entry) in &entries {
            let path = prove_inclusion(&tiles, *index, size).expect("a path");
            verify_inclusion(&leaf_hash(entry), *index, head, &path).expect("verifies");
            assert_eq!(tiles.entry(*index).expect("an entry"), *entry);
            proofs += 1;
        }
        for old in &heads[..=entries.len()] {
            let proof = prove_consistency(&tiles, old.size, size).expect("a proof");
            verify_consistency(old, head, &proof).expect("verifies");
            proofs += 1;
        }
    }
    assert_eq!(proofs, 120 + 136);
    let latest = world::read(folder.join("checkpoint"));
    assert_eq!(latest, world::read(folder.join("checkpoint.15")));
}
