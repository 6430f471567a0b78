//! The way out without us: stock `restic` opens the same repository with the same 64 digits.
#![allow(missing_docs)]

mod kit;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use kit::{assert_same, back_up, init, key, make_tree, other_key};
use strongroom_backup::{
    BackupOptions, CheckOptions, Error, Flow, Phase, Repository, RestoreOptions, Silent, Update,
};

/// Whether restic is here. Where it has to be, its absence fails the test.
fn has_restic() -> bool {
    let found = Command::new("restic").arg("version").output().is_ok_and(|o| o.status.success());
    if !found {
        let required =
            ["CI", "STRONGROOM_REQUIRE_RESTIC"].iter().any(|name| std::env::var_os(name).is_some());
        assert!(!required, "restic is not installed, and CI or STRONGROOM_REQUIRE_RESTIC is set");
        println!("NOT RUN: restic is not installed");
    }
    found
}

fn run(repo: &Path, password: &str, args: &[&str]) -> Output {
    Command::new("restic")
        .args(["--no-cache", "--repo"])
        .arg(repo)
        .args(args)
        .env("RESTIC_PASSWORD", password)
        .output()
        .unwrap()
}

fn restic(repo: &Path, args: &[&str]) -> String {
    let out = run(repo, &key().digits(), args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "restic {args:?}: {}\n{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}

#[test]
fn restic_lists_checks_and_restores_what_we_backed_up() {
    if !has_restic() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (repo, source, out) =
        (dir.path().join("repo"), dir.path().join("data"), dir.path().join("out"));
    make_tree(&source, 20 << 20);
    let repository = init(&repo);
    back_up(&repository, &source);
    let second = back_up(&repository, &source);

    let listed: serde_json::Value =
        serde_json::from_str(&restic(&repo, &["snapshots", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1]["id"], second.snapshot.id);
    assert_eq!(listed[1]["paths"][0], source.to_str().unwrap());
    let checked = restic(&repo, &["check", "--read-data"]);
    assert!(checked.contains("no errors were found"), "{checked}");
    restic(&repo, &["restore", "latest", "--target", out.to_str().unwrap()]);
    let restored = out.join(source.strip_prefix("/").unwrap());
    let diff = Command::new("diff").arg("-r").args([&source, &restored]).output().unwrap();
    // diff follows links, and one of them leads nowhere on both sides.
    let says = String::from_utf8_lossy(&diff.stdout).into_owned();
    assert!(says.is_empty(), "{says}");
    assert_same(&source, &restored);

    let wrong = run(&repo, &other_key().digits(), &["snapshots"]);
    assert!(!wrong.status.success());

    // restic goes on in the same repository, and so do we after it.
    restic(&repo, &["backup", source.to_str().unwrap()]);
    assert_eq!(repository.snapshots().unwrap().len(), 3);
    let fourth = back_up(&repository, &source);
    assert!(fourth.bytes_added < 100_000, "{fourth:?}");
    restic(&repo, &["forget", "--keep-last", "1", "--prune"]);
    let clean = repository.check(&CheckOptions { read_data: true }, Arc::new(Silent));
    clean.unwrap().clean().unwrap();
}

#[test]
fn we_open_check_and_restore_what_restic_backed_up() {
    if !has_restic() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (repo, source, out) =
        (dir.path().join("repo"), dir.path().join("data"), dir.path().join("out"));
    make_tree(&source, 20 << 20);
    restic(&repo, &["init"]);
    restic(&repo, &["backup", source.to_str().unwrap()]);
    let repository = Repository::open(&repo.as_path().into(), &key()).unwrap();
    assert_eq!(repository.snapshots().unwrap().len(), 1);
    let options = CheckOptions { read_data: true };
    repository.check(&options, Arc::new(Silent)).unwrap().clean().unwrap();
    repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_same(&source, &out.join("data"));
    // Its chunks are cut with its own polynomial, which we go on using.
    let ours = back_up(&repository, &source);
    assert!(ours.bytes_added < 1 << 20, "{ours:?}");
    let error = Repository::open(&repo.as_path().into(), &other_key()).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error:?}");
}

#[test]
fn an_exclusive_lock_of_restic_stops_a_backup_and_a_shared_one_does_not() {
    if !has_restic() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (repo, source) = (dir.path().join("repo"), dir.path().join("data"));
    make_tree(&source, 1000);
    let repository = init(&repo);
    back_up(&repository, &source);

    // `backup --stdin` holds a shared lock, `check` an exclusive one, as long as they run.
    let shared = take_lock(&repo, &["backup", "--stdin"]);
    back_up(&repository, &source);
    std::fs::remove_file(shared).unwrap();
    take_lock(&repo, &["check", "--read-data"]);
    let paths = [source];
    let error = repository.backup(&paths, &BackupOptions::default(), Arc::new(Silent)).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("process"), "{error}");
}

#[test]
fn restic_does_not_prune_while_a_backup_or_a_restore_runs_and_no_lock_stays_behind() {
    if !has_restic() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (repo, source) = (dir.path().join("repo"), dir.path().join("data"));
    make_tree(&source, 1 << 20);
    let repository = init(&repo);
    back_up(&repository, &source);
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let prune_at = |phase: Phase| {
        let (attempts, repo) = (attempts.clone(), repo.clone());
        Arc::new(move |update: &Update| {
            if update.phase == phase && update.bytes_done == 0 {
                attempts.lock().unwrap().push(run(&repo, &key().digits(), &["prune"]));
            }
            Flow::Continue
        })
    };
    let paths = [source.clone()];
    let options = BackupOptions::default();
    repository.backup(&paths, &options, prune_at(Phase::BackingUp)).unwrap();
    let (out, options) = (dir.path().join("out"), RestoreOptions::default());
    repository.restore("latest", &out, &options, prune_at(Phase::Restoring)).unwrap();
    let attempts = std::mem::take(&mut *attempts.lock().unwrap());
    assert!(attempts.len() >= 2);
    for attempt in attempts {
        let says = String::from_utf8_lossy(&attempt.stderr).into_owned();
        assert!(!attempt.status.success() && says.contains("locked by"), "{says}");
        assert!(says.contains("strongroom on "), "{says}");
    }
    assert!(kit::stored(&repo, "locks").is_empty());
    restic(&repo, &["prune"]);
}

/// Kills a restic process while it holds its lock, and returns the lock that it leaves.
fn take_lock(repo: &Path, args: &[&str]) -> PathBuf {
    for _ in 0..50 {
        let mut child = Command::new("restic")
            .args(["--no-cache", "--repo"])
            .arg(repo)
            .args(args)
            .env("RESTIC_PASSWORD", key().digits().as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let locks = || {
            let names = kit::stored(repo, "locks").into_iter();
            names.filter(|path| path.file_name().is_some_and(|name| name.len() == 64))
        };
        while locks().next().is_none() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // It may have been quicker than we were, and have removed the lock in good order.
        if let Some(lock) = locks().next() {
            return lock;
        }
    }
    panic!("restic {args:?} was never seen with a lock");
}
