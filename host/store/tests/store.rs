//! What the store keeps, gives back, and leaves behind.

use std::path::Path;

use proptest::prelude::*;
use strongroom_store::{Entry, Loaded, Op, Store, StoreError};

fn open(dir: &Path) -> (Store, Loaded) {
    Store::open(dir).expect("opens")
}

fn entry(index: u64, fill: u8) -> Op {
    Op::PutEntry { index, entry: vec![fill; 1_200], salt: vec![fill; 60] }
}

#[test]
fn an_empty_directory_is_an_empty_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("made/on/demand");
    assert_eq!(open(&inner).1, Loaded::default());
    assert_eq!(open(&inner).1, Loaded::default());
}

#[test]
fn everything_comes_back_by_rising_index() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path());
    store.apply(&[Op::PutMeta(vec![1]), entry(300, 3), entry(2, 2)]).expect("room");
    store.apply(&[Op::PutSnapshot(vec![4; 1 << 20]), Op::PutSalts(vec![5; 99])]).expect("room");
    drop(store);
    let loaded = open(dir.path()).1;
    assert_eq!(loaded.meta, Some(vec![1]));
    assert_eq!(loaded.snapshot, Some(vec![4; 1 << 20]));
    assert_eq!(loaded.salts, Some(vec![5; 99]));
    let rows: Vec<_> = loaded.entries.iter().map(|e| (e.index, e.entry[0], e.salt[0])).collect();
    assert_eq!(rows, [(2, 2, 2), (300, 3, 3)]);
}

#[test]
fn a_snapshot_of_48_mib_fits_a_batch() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path());
    for fill in 0..3 {
        store.apply(&[Op::PutSnapshot(vec![fill; 48 << 20])]).expect("room");
    }
    drop(store);
    assert!(open(dir.path()).1.snapshot == Some(vec![2; 48 << 20]));
}

#[test]
fn a_second_opener_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path());
    let second = Store::open(dir.path()).expect_err("refused");
    assert_eq!(second, StoreError::Locked { dir: dir.path().into() });
    drop(first);
    open(dir.path());
}

#[test]
fn a_salt_without_an_entry_is_not_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path());
    store.apply(&[Op::PutEntrySalt { index: 1, salt: vec![1] }]).expect("room");
    store.apply(&[Op::PutEntry { index: 1, entry: vec![2], salt: vec![3] }]).expect("room");
    drop(store);
    let expected = [Entry { index: 1, entry: vec![2], salt: vec![3] }];
    assert_eq!(open(dir.path()).1.entries, expected);
}

fn on_disk(dir: &Path, needle: &[u8]) -> bool {
    let files = std::fs::read_dir(dir).expect("lists").map(|f| f.expect("a file").path());
    let mut bytes = files.map(|f| std::fs::read(f).expect("reads"));
    bytes.any(|b| b.windows(needle.len()).any(|w| w == needle))
}

#[test]
fn rewriting_and_reopening_leave_removed_bytes_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path());
    let old = |n: u8| format!("salt number {n} that was replaced").into_bytes();
    for again in [false, true] {
        for n in 0..3 {
            let salts = Op::PutSalts(old(n));
            let one = Op::PutEntry { index: 7, entry: vec![0; 1_200], salt: old(n + 10) };
            store.apply(&[salts, one]).expect("room");
        }
        let last = [Op::PutSalts(b"new".to_vec()), Op::CompactBefore { index: 8 }];
        store.apply(&last).expect("room");
        assert!((0..13).any(|n| on_disk(dir.path(), &old(n))), "or this test shows nothing");
        if again {
            drop(store);
            store = open(dir.path()).0;
        } else {
            store.rewrite().expect("room");
        }
        assert!(!(0..13).any(|n| on_disk(dir.path(), &old(n))));
    }
    store.apply(&[entry(9, 9)]).expect("room");
    drop(store);
    let loaded = open(dir.path()).1;
    assert_eq!((loaded.salts, loaded.entries.len()), (Some(b"new".to_vec()), 1));
}

#[test]
fn an_unfinished_rewrite_is_thrown_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path());
    store.apply(&[entry(1, 1)]).expect("room");
    drop(store);
    std::fs::write(dir.path().join("store.redb.new"), b"half a file").expect("writes");
    assert_eq!(open(dir.path()).1.entries.len(), 1);
    assert!(!dir.path().join("store.redb.new").exists());
}

#[test]
fn the_file_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path());
    let mut largest = 0;
    for round in 0..40_u64 {
        let batch: Vec<_> = (round * 64..round * 64 + 64).map(|i| entry(i, round as u8)).collect();
        store.apply(&batch).expect("room");
        let snapshot = Op::PutSnapshot(vec![round as u8; 1 << 20]);
        store.apply(&[snapshot, Op::CompactBefore { index: round * 64 }]).expect("room");
        if round >= 10 {
            let length = std::fs::metadata(dir.path().join("store.redb")).expect("is there").len();
            largest = largest.max(length);
        }
    }
    assert!(largest < 12 << 20, "{largest} bytes for little more than 1 MiB");
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..3_000);
    prop_oneof![
        6 => (0..30_u64, bytes(), prop::collection::vec(any::<u8>(), 0..70))
            .prop_map(|(index, entry, salt)| Op::PutEntry { index, entry, salt }),
        1 => bytes().prop_map(Op::PutMeta),
        1 => bytes().prop_map(Op::PutSnapshot),
        1 => bytes().prop_map(Op::PutSalts),
        1 => (0..30_u64, bytes()).prop_map(|(index, salt)| Op::PutEntrySalt { index, salt }),
        1 => (0..30_u64).prop_map(|index| Op::TruncateFrom { index }),
        1 => (0..30_u64).prop_map(|index| Op::CompactBefore { index }),
        1 => Just(Op::Clear),
    ]
}

fn model(batches: &[Vec<Op>]) -> Loaded {
    let mut blobs = [None, None, None];
    let mut log = std::collections::BTreeMap::new();
    for op in batches.iter().flatten().cloned() {
        match op {
            Op::PutMeta(bytes) => blobs[0] = Some(bytes),
            Op::PutSnapshot(bytes) => blobs[1] = Some(bytes),
            Op::PutSalts(bytes) => blobs[2] = Some(bytes),
            Op::PutEntry { index, entry, salt } => {
                log.insert(index, (entry, salt));
            }
            Op::PutEntrySalt { index, salt } => {
                log.entry(index).and_modify(|row| row.1 = salt);
            }
            Op::TruncateFrom { index } => log.retain(|i, _| *i < index),
            Op::CompactBefore { index } => log.retain(|i, _| *i >= index),
            Op::Clear => {
                blobs = [None, None, None];
                log.clear();
            }
        }
    }
    let [meta, snapshot, salts] = blobs;
    let entries = log.into_iter().map(|(index, (entry, salt))| Entry { index, entry, salt });
    Loaded { meta, snapshot, salts, entries: entries.collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_batches_come_back_as_a_map_would_hold_them(
        batches in prop::collection::vec(prop::collection::vec(op(), 0..20), 1..6),
        twice in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut store, _) = open(dir.path());
        for batch in &batches {
            store.apply(batch).expect("room");
            if twice {
                // A caller that got an error tries the same batch again.
                store.apply(batch).expect("room");
            }
        }
        drop(store);
        prop_assert_eq!(open(dir.path()).1, model(&batches));
    }
}
