//! A file that is not what was written: an error or an older state, never a panic and never a half.

use std::path::Path;

use strongroom_store::{Loaded, Op, Store, StoreError};

/// A store with a few batches, and the state after each.
fn grown(dir: &Path) -> Vec<Loaded> {
    let (mut store, first) = Store::open(dir).expect("opens");
    let mut states = vec![first];
    for n in 1..=4_u8 {
        let entry = |i: u64| Op::PutEntry { index: i, entry: vec![n; 1_200], salt: vec![n; 60] };
        let mut batch: Vec<_> = (u64::from(n) * 10..u64::from(n) * 10 + 9).map(entry).collect();
        batch.push(Op::PutMeta(vec![n; 100]));
        batch.push(Op::PutSnapshot(vec![n; 20_000]));
        store.apply(&batch).expect("room");
        let mut state = states.last().cloned().expect("one");
        state.meta = Some(vec![n; 100]);
        state.snapshot = Some(vec![n; 20_000]);
        state.entries.extend(batch.into_iter().filter_map(|op| match op {
            Op::PutEntry { index, entry, salt } => {
                Some(strongroom_store::Entry { index, entry, salt })
            }
            _ => None,
        }));
        states.push(state);
    }
    drop(store);
    states
}

/// Opens a store whose file has these bytes; the panic of a debug build would fail the test.
fn open_bytes(bytes: &[u8]) -> Result<Loaded, StoreError> {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("store.redb"), bytes).expect("writes");
    Store::open(dir.path()).map(|(_, loaded)| loaded)
}

/// Damage may be noticed, or be in a place that nobody reads, or cost the newest batches: the host
/// could as well have kept an older file. It may not make a state that never was.
fn judge(result: Result<Loaded, StoreError>, states: &[Loaded], what: &str) -> bool {
    match result {
        Ok(loaded) => {
            assert!(states.contains(&loaded), "{what} made a state that never was");
            false
        }
        Err(StoreError::Corrupt { .. }) => true,
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_harmless() {
    let dir = tempfile::tempdir().expect("a directory");
    let states = grown(dir.path());
    let good = std::fs::read(dir.path().join("store.redb")).expect("reads");
    let live: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
    let headers = 0..512;
    let sampled = live.iter().copied().step_by(live.len() / 150);
    let mut noticed = 0;
    for at in headers.step_by(3).chain(sampled) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        noticed += usize::from(judge(open_bytes(&bad), &states, &format!("bit at {at}")));
    }
    assert!(noticed > 20, "only {noticed} flips were noticed");
}

#[test]
fn a_torn_file_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let states = grown(dir.path());
    let good = std::fs::read(dir.path().join("store.redb")).expect("reads");
    let cuts = (0..20).map(|n| good.len() * n / 20).chain([1, 63, 511, good.len() - 1]);
    for cut in cuts {
        let result = open_bytes(&good[..cut]);
        judge(result, &states, &format!("a file of {cut} bytes"));
    }
    assert_eq!(open_bytes(&good).as_ref(), states.last().ok_or(&unreachable_error()));
}

fn unreachable_error() -> StoreError {
    StoreError::Locked { dir: "never".into() }
}

#[test]
fn a_foreign_or_empty_file_is_refused() {
    for bytes in [&b""[..], b"x", &[0; 4096], &[0xff; 100_000], b"SQLite format 3\0"] {
        let error = open_bytes(bytes).expect_err("refused");
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}
