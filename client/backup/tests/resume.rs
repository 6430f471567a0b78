//! Interrupted work goes on where it stopped.
#![allow(missing_docs)]

mod kit;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use kit::{assert_same, back_up, init, key, make_tree, noise, stored};
use strongroom_backup::{
    BackupOptions, CheckOptions, Error, Flow, Phase, Progress, Repository, RestoreOptions, Silent,
    Update,
};

const CHILD: &str = "STRONGROOM_TEST_CHILD";

fn check(repository: &Repository) -> strongroom_backup::CheckSummary {
    let options = CheckOptions { read_data: true };
    repository.check(&options, Arc::new(Silent)).unwrap().clean().unwrap()
}

/// Cancels once this many bytes of the phase are done.
fn cancel_after(phase: Phase, bytes: u64) -> Arc<dyn Progress> {
    Arc::new(move |update: &Update| {
        if update.phase == phase && update.bytes_done >= bytes {
            Flow::Cancel
        } else {
            Flow::Continue
        }
    })
}

/// Slows a child down, so that its parent finds it at work.
fn slowly() -> Arc<dyn Progress> {
    Arc::new(|_: &Update| {
        std::thread::sleep(Duration::from_millis(100));
        Flow::Continue
    })
}

/// Not a test of its own: what the killed children run.
#[test]
#[ignore = "runs as the child of other tests"]
fn child() {
    let Ok(job) = std::env::var(CHILD) else {
        return;
    };
    let (job, dir) = job.split_once(':').unwrap();
    let dir = Path::new(dir);
    let repository = Repository::open(&dir.join("repo").as_path().into(), &key()).unwrap();
    if job == "backup" {
        let paths = [dir.join("data")];
        repository.backup(&paths, &BackupOptions::default(), slowly()).unwrap();
    } else {
        let options = RestoreOptions::default();
        repository.restore("latest", &dir.join("out"), &options, slowly()).unwrap();
    }
}

/// Starts the job in another process and kills it, without notice, once `ready` says so.
fn kill_child(job: &str, dir: &Path, ready: impl Fn() -> bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored"])
        .env(CHILD, format!("{job}:{}", dir.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !ready() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended too early");
        assert!(started.elapsed() < Duration::from_secs(60), "the child does nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_killed_backup_is_continued_and_its_finished_packs_are_not_stored_again() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, source) = (dir.path().join("repo"), dir.path().join("data"));
    make_tree(&source, 1000);
    for n in 0..20 {
        fs::write(source.join(format!("big-{n:02}")), noise(8 << 20, 100 + n)).unwrap();
    }
    let repository = init(&repo);
    let finished = || {
        let packs = stored(&repo, "data");
        packs
            .into_iter()
            .filter(|pack| !pack.to_string_lossy().contains("tmp-"))
            .collect::<Vec<_>>()
    };
    kill_child("backup", dir.path(), || finished().len() >= 3);

    // What the dead process left: packs, no index, no snapshot. That is no damage.
    let left = finished();
    assert!(left.len() >= 3);
    assert!(repository.snapshots().unwrap().is_empty());
    let after_kill = check(&repository);
    assert_eq!(after_kill.warnings.len(), left.len(), "{:?}", after_kill.warnings);

    let done = back_up(&repository, &source);
    assert_eq!(done.packs_adopted, left.len() as u64);
    let left_bytes: u64 = left.iter().map(|pack| fs::metadata(pack).unwrap().len()).sum();
    assert!(
        done.bytes_stored + left_bytes < done.bytes + (1 << 20),
        "stored {} after {left_bytes} were there, of {}",
        done.bytes_stored,
        done.bytes
    );
    assert!(left.iter().all(|pack| pack.exists()));
    let clean = check(&repository);
    assert!(clean.warnings.is_empty(), "{:?}", clean.warnings);
    let out = dir.path().join("out");
    repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_same(&source, &out.join("data"));
}

#[test]
fn a_damaged_pack_of_a_killed_backup_is_not_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, source) = (dir.path().join("repo"), dir.path().join("data"));
    make_tree(&source, 40 << 20);
    let repository = init(&repo);
    back_up(&repository, &source);
    // As after a kill: packs without index and snapshot; one pack has lost a bit, its header is whole.
    for kind in ["index", "snapshots"] {
        for file in stored(&repo, kind) {
            fs::remove_file(file).unwrap();
        }
    }
    let packs = stored(&repo, "data");
    kit::damage(&packs[0], |bytes| bytes[100] ^= 1);
    let done = back_up(&repository, &source);
    assert_eq!(done.packs_adopted, packs.len() as u64 - 1);
    assert!(done.bytes_added > 5 << 20, "{done:?}");
    let out = dir.path().join("out");
    repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_same(&source, &out.join("data"));
}

#[test]
fn a_cancelled_backup_leaves_no_snapshot_and_keeps_what_it_stored() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    make_tree(&source, 100 << 20);
    let repository = init(&dir.path().join("repo"));
    let error = repository
        .backup(
            std::slice::from_ref(&source),
            &BackupOptions::default(),
            cancel_after(Phase::BackingUp, 40 << 20),
        )
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert!(repository.snapshots().unwrap().is_empty());
    check(&repository);
    let done = back_up(&repository, &source);
    assert!(
        done.bytes_added < 80 << 20,
        "{} of {} were stored again",
        done.bytes_added,
        done.bytes
    );
    check(&repository);
}

#[test]
fn a_killed_restore_is_continued_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("data"), dir.path().join("out"));
    make_tree(&source, 100 << 20);
    let repository = init(&dir.path().join("repo"));
    back_up(&repository, &source);
    let partial_bytes = || {
        let dir = out.join(".strongroom-partial");
        // The child moves files while they are counted.
        let files = fs::read_dir(&dir).into_iter().flatten().flatten();
        let files = files.flat_map(|entry| fs::read_dir(entry.path())).flatten().flatten();
        use std::os::unix::fs::MetadataExt;
        files.flat_map(|file| file.metadata()).map(|found| found.blocks() * 512).sum::<u64>()
    };
    kill_child("restore", dir.path(), || partial_bytes() > 20 << 20);
    assert!(!out.join("data/large.bin").exists(), "half a file under its name");

    // A byte that the dead process wrote is changed behind our back.
    let options = RestoreOptions::default();
    let back =
        repository.restore("latest", &out, &options, Arc::new(Silent)).unwrap().complete().unwrap();
    assert!(back.bytes_reused > 15 << 20, "{back:?}");
    assert!(back.bytes_written < 95 << 20, "{back:?}");
    assert_same(&source, &out.join("data"));
    assert!(!out.join(".strongroom-partial").exists());
}

#[test]
fn a_partial_file_that_changed_since_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("data"), dir.path().join("out"));
    // Large enough that the next progress report comes before the file is whole.
    make_tree(&source, 160 << 20);
    let repository = init(&dir.path().join("repo"));
    back_up(&repository, &source);
    let options = RestoreOptions::default();
    let error = repository
        .restore("latest", &out, &options, cancel_after(Phase::Restoring, 25 << 20))
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    let partial = stored(&out, ".strongroom-partial").remove(0);
    kit::damage(&partial, |bytes| bytes.iter_mut().step_by(4 << 20).for_each(|byte| *byte ^= 1));
    let back =
        repository.restore("latest", &out, &options, Arc::new(Silent)).unwrap().complete().unwrap();
    assert!(back.bytes_reused > 0);
    assert_same(&source, &out.join("data"));
}

#[test]
fn cancelling_is_noticed_in_every_phase() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    make_tree(&source, 1 << 20);
    let repository = init(&dir.path().join("repo"));
    back_up(&repository, &source);
    let calls = AtomicU64::new(0);
    let at_once = Arc::new(move |_: &Update| {
        calls.fetch_add(1, SeqCst);
        Flow::Cancel
    });
    let backup = repository.backup(&[source], &BackupOptions::default(), at_once.clone());
    assert!(matches!(backup, Err(Error::Cancelled)), "{backup:?}");
    let options = RestoreOptions::default();
    let restore = repository.restore("latest", &dir.path().join("o"), &options, at_once.clone());
    assert!(matches!(restore, Err(Error::Cancelled)), "{restore:?}");
    let check = repository.check(&CheckOptions { read_data: true }, at_once);
    assert!(matches!(check, Err(Error::Cancelled)), "{check:?}");
    assert_eq!(repository.snapshots().unwrap().len(), 1);
}
