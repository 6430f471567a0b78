//! What this node's key sealed and no replica writes: another version's records, or a defect's.

#![cfg(test)]

use alloc::vec;

use super::*;
use crate::{NodeId, ReplicaId};

const KEY: ErasureKey = ErasureKey { number: 1, key: [9; 32] };
const BASE: Base = Base { index: 4, term: 2, hash: [4; 32] };

fn sealer(process: u64) -> Sealer {
    Sealer::new([7; 32], "test", ReplicaId::new(NodeId::new(1).unwrap(), process).unwrap())
}

/// A disk with one entry after a snapshot, as a replica writes it.
struct Written {
    sealer: Sealer,
    image: DiskImage,
    link: Link,
}

impl Written {
    fn new() -> Self {
        let entry = codec::entry(1, 5, 3, b"payload", &[6; SALT]).unwrap();
        let link = Link { hash: chain::extend(&BASE.hash, &entry), entry };
        let mut written = Self { sealer: sealer(1), image: DiskImage::default(), link };
        let meta = Meta { era: 1, term: 3, last_index: 5, last_hash: written.link.hash };
        written.meta(&encode_meta(&meta).unwrap());
        written.snapshot(&encode_snapshot(&BASE, b"state").unwrap());
        let place = Place { index: BASE.index, hash: BASE.hash };
        written.image.salts = written.sealer.seal_salt(&KEY, Kind::Salts, place, b"salts");
        written.entry(3, &[6; SALT]);
        written
    }

    fn meta(&mut self, text: &[u8]) {
        self.image.meta = self.sealer.seal(Kind::Meta, 1, Place::ONLY, text);
    }

    fn snapshot(&mut self, text: &[u8]) {
        self.image.snapshot = self.sealer.seal(Kind::Snapshot, 4, Place::ONLY, text);
    }

    fn entry(&mut self, term: u64, salt: &[u8]) {
        let text = entry_text(&self.link);
        let place = Place { index: 5, hash: BASE.hash };
        let entry = self.sealer.seal(Kind::Entry, term, place, &text).unwrap();
        let place = Place { index: 5, hash: self.link.hash };
        let salt = self.sealer.seal_salt(&KEY, Kind::EntrySalt, place, salt).unwrap();
        self.image.entries = vec![DiskEntry { index: 5, entry, salt }];
    }

    fn report(&self) -> BootReport {
        read(&self.image, &mut sealer(2), &[KEY]).report
    }
}

fn after(change: impl FnOnce(&mut Written)) -> BootReport {
    let mut written = Written::new();
    change(&mut written);
    written.report()
}

#[test]
fn a_meta_record_or_a_snapshot_of_another_shape_is_not_believed() {
    assert_eq!(after(|_| {}), BootReport::Intact { last_index: 5, torn: 0 });
    assert_eq!(after(|w| w.meta(&[0x83, 1, 3, 5])), BootReport::BadMeta);
    assert_eq!(after(|w| w.snapshot(&[0x82, 4, 2])), BootReport::BadSnapshot);
}

#[test]
fn an_entry_whose_term_goes_back_or_is_no_term_is_not_believed() {
    let bad = BootReport::BadEntry { index: 5 };
    assert_eq!(after(|w| w.entry(BASE.term - 1, &[6; SALT])), bad);
    assert_eq!(after(|w| w.entry(NUMBER_CEILING, &[6; SALT])), bad);
}

#[test]
fn inv7_an_entry_beside_another_salt_than_its_own_is_not_believed() {
    assert_eq!(after(|w| w.entry(3, &[5; SALT])), BootReport::BadSalts);
    assert_eq!(after(|w| w.entry(3, &[6; SALT - 1])), BootReport::BadSalts);
}
