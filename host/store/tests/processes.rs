//! Processes that die, and a disk that fills, for real: each test runs itself again as a child.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};
use strongroom_store::{Loaded, Op, Store, StoreError};

const DIR: &str = "STRONGROOM_STORE_TEST_DIR";

/// The directory, if this process is a child.
fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

/// Runs the named test again in `dir`, with file size signals ignored: writes then fail instead.
fn child(test: &str, dir: &Path) -> Command {
    let exe = std::env::current_exe().expect("a name");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(exe);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(DIR, dir);
    command
}

fn batch(n: u64) -> Vec<Op> {
    let fill = (n % 251) as u8;
    let entry = |i| Op::PutEntry { index: i, entry: vec![fill; 1_200], salt: vec![fill; 60] };
    let mut ops: Vec<_> = (n * 8..n * 8 + 8).map(entry).collect();
    ops.push(Op::PutMeta(n.to_be_bytes().to_vec()));
    ops.push(Op::CompactBefore { index: n.saturating_sub(4) * 8 });
    if n.is_multiple_of(5) {
        ops.push(Op::PutSnapshot(vec![fill; 400_000]));
    }
    ops
}

/// The number of the newest batch; panics unless everything is from exactly that one.
fn newest(loaded: &Loaded) -> u64 {
    let Some(meta) = &loaded.meta else {
        assert_eq!(loaded, &Loaded::default());
        return 0;
    };
    let n = u64::from_be_bytes(meta.as_slice().try_into().expect("8 bytes"));
    let first = n.saturating_sub(4).max(1) * 8;
    let indexes: Vec<_> = loaded.entries.iter().map(|e| e.index).collect();
    assert_eq!(indexes, (first..n * 8 + 8).collect::<Vec<_>>(), "batch {n} is there in part");
    for e in &loaded.entries {
        assert_eq!((e.entry[0], e.salt[0]), ((e.index / 8 % 251) as u8, (e.index / 8 % 251) as u8));
    }
    let snapshot = loaded.snapshot.as_ref().map(|s| s[0]);
    assert_eq!(snapshot, (n >= 5).then_some((n / 5 * 5 % 251) as u8));
    n
}

#[test]
fn a_process_killed_at_any_moment_loses_no_acknowledged_batch() {
    if let Some(dir) = child_dir() {
        let (mut store, loaded) = Store::open(dir).expect("opens");
        for n in newest(&loaded) + 1.. {
            store.apply(&batch(n)).expect("room");
            println!("\nacknowledged {n}");
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    for round in 0..12_u64 {
        let name = "a_process_killed_at_any_moment_loses_no_acknowledged_batch";
        let mut child = child(name, dir.path()).stdout(Stdio::piped()).spawn().expect("spawns");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        std::thread::sleep(std::time::Duration::from_millis(60 + round * 17));
        child.kill().expect("kills");
        child.wait().expect("ends");
        let mut acknowledged = 0;
        while let Some(Ok(line)) = lines.next() {
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged = n.parse().expect("a number");
            }
        }
        let found = newest(&Store::open(dir.path()).expect("opens").1);
        assert!(found == acknowledged || found == acknowledged + 1 || acknowledged == 0);
    }
    assert!(newest(&Store::open(dir.path()).expect("opens").1) > 10, "or nothing was tried");
}

#[test]
fn a_second_process_is_refused_and_a_dead_one_holds_nothing() {
    let name = "a_second_process_is_refused_and_a_dead_one_holds_nothing";
    if let Some(dir) = child_dir() {
        let refused = Store::open(&dir).expect_err("refused");
        assert_eq!(refused, StoreError::Locked { dir });
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let first = Store::open(dir.path()).expect("opens");
    assert!(child(name, dir.path()).status().expect("runs").success());
    drop(first);
    Store::open(dir.path()).expect("opens");
}

fn limit(bytes: Option<u64>) {
    setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("sets");
}

#[test]
fn a_full_disk_says_so_keeps_what_it_had_and_goes_on_when_there_is_room() {
    let name = "a_full_disk_says_so_keeps_what_it_had_and_goes_on_when_there_is_room";
    let Some(dir) = child_dir() else {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(child(name, dir.path()).status().expect("runs").success());
        return;
    };
    let (mut store, _) = Store::open(&dir).expect("opens");
    (1..=4).for_each(|n| store.apply(&batch(n)).expect("room"));
    let size = std::fs::metadata(dir.join("store.redb")).expect("is there").len();
    limit(Some(size + (2 << 20)));
    let large = [Op::PutMeta(vec![9; 8]), Op::PutSnapshot(vec![9; 8 << 20])];
    for _ in 0..3 {
        let error = store.apply(&large).expect_err("no room");
        assert_eq!(error, StoreError::DiskFull { path: dir.join("store.redb") });
    }
    // Something that fits is still taken, and what cannot be taken changed nothing.
    store.apply(&batch(5)[..9]).expect("fits");
    limit(None);
    store.apply(&batch(5)).expect("room again");
    store.apply(&batch(6)).expect("room again");
    limit(Some(size / 2));
    assert!(
        matches!(store.rewrite(), Err(StoreError::DiskFull { .. })),
        "twice the room is needed"
    );
    limit(None);
    store.apply(&batch(7)).expect("room again");
    store.rewrite().expect("room again");
    store.apply(&batch(8)).expect("room again");
    drop(store);
    assert_eq!(newest(&Store::open(&dir).expect("opens").1), 8);
}
