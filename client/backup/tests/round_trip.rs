//! What goes in comes out.
#![allow(missing_docs)]

mod kit;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::{Arc, Mutex};

use kit::{assert_same, back_up, init, key, make_tree, other_key};
use strongroom_backup::{
    BackupOptions, Blame, CheckOptions, Error, Flow, Phase, ProblemKind, Repository,
    RestoreOptions, Silent, Update,
};

#[test]
fn a_tree_comes_back_byte_identical_with_modes_times_and_links() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("data"), dir.path().join("out"));
    make_tree(&source, 20 << 20);
    let repository = init(&dir.path().join("repo"));
    let done = back_up(&repository, &source);
    assert!(done.bytes > 20 << 20 && done.files_new > 50, "{done:?}");

    let back = repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_same(&source, &out.join("data"));
    assert_eq!(back.attributes_refused, 0);
    assert!(!out.join(".strongroom-partial").exists());
    let ino = |name: &str| fs::metadata(out.join("data").join(name)).unwrap().ino();
    assert_eq!(ino("notes.txt"), ino("notes-again.txt"));

    // Again into the same place: all is compared, nothing is written.
    let again = repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_eq!((again.files_restored, again.bytes_fetched), (0, 0));
    assert_eq!(again.bytes_reused, again.bytes);
    assert_same(&source, &out.join("data"));

    let clean = repository
        .check(&CheckOptions { read_data: true }, Arc::new(Silent))
        .unwrap()
        .clean()
        .unwrap();
    assert!(clean.bytes_read > 20 << 20 && clean.snapshots == 1);
    assert!(clean.warnings.is_empty(), "{:?}", clean.warnings);
}

#[test]
fn a_second_backup_adds_almost_nothing_and_a_change_adds_little() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    make_tree(&source, 20 << 20);
    let repository = init(&dir.path().join("repo"));
    let first = back_up(&repository, &source);
    let second = back_up(&repository, &source);
    assert_eq!(second.parent.as_deref(), Some(first.snapshot.id.as_str()));
    assert_eq!((second.files_new, second.files_changed), (0, 0));
    assert_eq!(second.files_unmodified, first.files_new);
    assert!(second.bytes_added < 1000, "{}", second.bytes_added);

    fs::write(source.join("notes.txt"), "changed\n").unwrap();
    let mut large = fs::read(source.join("large.bin")).unwrap();
    large.splice(10 << 20..10 << 20, *b"a few bytes in the middle");
    fs::write(source.join("large.bin"), large).unwrap();
    let third = back_up(&repository, &source);
    assert!(third.files_changed >= 2);
    assert!(third.bytes_added < 9 << 20, "{}", third.bytes_added);
    let ids: Vec<_> = repository.snapshots().unwrap();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[2].id, third.snapshot.id);
    assert_eq!(ids[0].paths, [source.to_str().unwrap()]);
}

#[test]
fn a_wrong_key_is_called_a_wrong_key() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let error = Repository::open(&dir.path().into(), &other_key()).unwrap_err();
    assert!(matches!(error, Error::WrongKey { keys: 1, .. }), "{error:?}");
    assert_eq!(error.blame(), Blame::Caller);
    assert!(error.to_string().contains("wrong backup key"));
    assert!(error.hint().is_some());
    assert!(!format!("{error} {error:?}").contains("5f5f"));
    assert!(Repository::open(&dir.path().into(), &key()).is_ok());
}

#[test]
fn a_missing_repository_and_an_occupied_place_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Repository::open(&dir.path().join("no").as_path().into(), &key()).unwrap_err();
    assert!(missing.to_string().contains("there is nothing"), "{missing}");
    let empty = Repository::open(&dir.path().into(), &key()).unwrap_err();
    assert!(empty.to_string().contains("no file \"config\""), "{empty}");

    fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
    let occupied = Repository::init(&dir.path().into(), &key()).unwrap_err();
    assert!(occupied.to_string().contains("thesis.txt"), "{occupied}");

    let place = dir.path().join("repo");
    init(&place);
    let twice = Repository::init(&place.as_path().into(), &key()).unwrap_err();
    assert!(matches!(twice, Error::RepositoryExists { .. }), "{twice:?}");

    // A lost config must not be replaced by a new one: the data would be lost for good.
    let source = dir.path().join("data");
    make_tree(&source, 1000);
    back_up(&Repository::open(&place.as_path().into(), &key()).unwrap(), &source);
    fs::remove_file(place.join("config")).unwrap();
    let lost = Repository::init(&place.as_path().into(), &key()).unwrap_err();
    assert!(matches!(lost, Error::Damaged { .. }), "{lost:?}");
}

#[test]
fn an_interrupted_init_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("repo");
    init(&place);
    // What a crash between key file and config leaves.
    fs::remove_file(place.join("config")).unwrap();
    init(&place);
    assert_eq!(kit::stored(&place, "keys").len(), 1);
    Repository::open(&place.as_path().into(), &key()).unwrap();
}

#[test]
fn snapshots_are_found_by_latest_and_by_unique_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    make_tree(&source, 1000);
    let repository = init(&dir.path().join("repo"));
    let nothing = repository.snapshot("latest").unwrap_err();
    assert!(nothing.to_string().contains("the repository has 0"), "{nothing}");
    let first = back_up(&repository, &source).snapshot;
    let second = back_up(&repository, &source).snapshot;
    assert_eq!(repository.snapshot("latest").unwrap(), second);
    assert_eq!(repository.snapshot(first.short_id()).unwrap().id, first.id);
    assert!(matches!(repository.snapshot("zz").unwrap_err(), Error::NoSnapshot { have: 2, .. }));
    assert!(matches!(repository.snapshot("").unwrap_err(), Error::NoSnapshot { .. }));
    for n in 0..16 {
        back_up(&repository, &source);
        let _ = n;
    }
    let ids: Vec<_> = repository.snapshots().unwrap();
    let digit = ids
        .iter()
        .map(|s| &s.id[..1])
        .find(|digit| ids.iter().filter(|s| s.id.starts_with(digit)).count() > 1);
    let error = repository.snapshot(digit.unwrap()).unwrap_err();
    assert!(matches!(error, Error::AmbiguousSnapshot { .. }), "{error:?}");
}

#[test]
fn one_file_or_directory_can_be_restored_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("data"), dir.path().join("out"));
    make_tree(&source, 1000);
    let repository = init(&dir.path().join("repo"));
    back_up(&repository, &source);
    let only =
        |path: &str| RestoreOptions { only: Some(source.join(path)), ..RestoreOptions::default() };
    let restore = |options| repository.restore("latest", &out, &options, Arc::new(Silent));
    restore(only("deep/er")).unwrap().complete().unwrap();
    assert_same(&source.join("deep/er"), &out.join("er"));
    restore(only("notes.txt")).unwrap().complete().unwrap();
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    let error = restore(only("no/such")).unwrap_err();
    assert!(matches!(error, Error::NotInSnapshot { .. }), "{error:?}");
}

#[test]
fn what_is_in_the_target_is_kept_unless_overwriting_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("data"), dir.path().join("out"));
    make_tree(&source, 1000);
    let repository = init(&dir.path().join("repo"));
    back_up(&repository, &source);
    fs::create_dir_all(out.join("data/private")).unwrap();
    fs::write(out.join("data/notes.txt"), "newer and mine").unwrap();
    fs::write(out.join("data/unrelated"), "stays").unwrap();

    let kept =
        repository.restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent)).unwrap();
    let kinds: Vec<_> = kept.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::InTheWay]);
    assert_eq!(fs::read(out.join("data/notes.txt")).unwrap(), b"newer and mine");
    let partial = kept.complete().unwrap_err();
    assert_eq!(partial.blame(), Blame::Outcome);

    let options = RestoreOptions { overwrite: true, ..RestoreOptions::default() };
    repository.restore("latest", &out, &options, Arc::new(Silent)).unwrap().complete().unwrap();
    assert_eq!(fs::read(out.join("data/unrelated")).unwrap(), b"stays");
    fs::remove_file(out.join("data/unrelated")).unwrap();
    let original = fs::metadata(&source).unwrap().modified().unwrap();
    fs::File::open(out.join("data")).unwrap().set_modified(original).unwrap();
    assert_same(&source, &out.join("data"));
}

#[test]
fn two_paths_share_a_snapshot_and_nested_ones_count_once() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    make_tree(&a, 1000);
    make_tree(&b, 2000);
    let repository = init(&dir.path().join("repo"));
    let paths = [b.clone(), a.clone(), a.join("deep"), b.join("../a")];
    let done = repository
        .backup(&paths, &BackupOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_eq!(done.snapshot.paths, [a.to_str().unwrap(), b.to_str().unwrap()]);
    let out = dir.path().join("out");
    repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_same(&a, &out.join("a"));
    assert_same(&b, &out.join("b"));
    let error = repository
        .backup(&[dir.path().join("gone")], &BackupOptions::default(), Arc::new(Silent))
        .unwrap_err();
    assert!(matches!(error, Error::BadPath { .. }), "{error:?}");
}

#[test]
fn a_very_deep_tree_survives() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    let mut deep = source.clone();
    for _ in 0..900 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("f"), "down here").unwrap();
    let repository = init(&dir.path().join("repo"));
    back_up(&repository, &source);
    let out = dir.path().join("out");
    repository
        .restore("latest", &out, &RestoreOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
    assert_same(&source, &out.join("data"));
    let check = repository.check(&CheckOptions::default(), Arc::new(Silent));
    check.unwrap().clean().unwrap();
}

#[test]
fn progress_ends_at_its_totals_and_serialises() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    make_tree(&source, 5 << 20);
    let repository = init(&dir.path().join("repo"));
    let seen: Arc<Mutex<Vec<Update>>> = Arc::default();
    let record = || {
        let seen = seen.clone();
        Arc::new(move |update: &Update| {
            seen.lock().unwrap().push(update.clone());
            Flow::Continue
        })
    };
    let done = repository
        .backup(std::slice::from_ref(&source), &BackupOptions::default(), record())
        .unwrap();
    let last = seen.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.phase, Phase::BackingUp);
    assert_eq!(last.bytes_done, done.bytes);
    assert_eq!(last.files_done, last.files_total.unwrap());
    let json = serde_json::to_value(&last).unwrap();
    assert_eq!(json["phase"], "backing-up");
    assert!(serde_json::to_string(&done).unwrap().contains("\"files_new\""));
    repository
        .restore("latest", &dir.path().join("out"), &RestoreOptions::default(), record())
        .unwrap();
    let seen = seen.lock().unwrap();
    let restoring = seen.iter().rfind(|update| update.phase == Phase::Restoring).unwrap();
    assert_eq!(Some(restoring.bytes_done), restoring.bytes_total);
    assert_eq!(Some(restoring.files_done), restoring.files_total);
}

#[test]
fn an_unreadable_file_makes_the_backup_partial_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("data");
    make_tree(&source, 1000);
    // Reading this fails for root too, with EIO.
    symlink("/proc/self/mem", source.join("harmless-link")).unwrap();
    let repository = init(&dir.path().join("repo"));
    let paths = [source, "/proc/self/mem".into()];
    let done = repository.backup(&paths, &BackupOptions::default(), Arc::new(Silent)).unwrap();
    assert_eq!(done.problems.len(), 1, "{:?}", done.problems);
    assert_eq!(done.problems[0].kind, ProblemKind::Unreadable);
    assert!(done.problems[0].path.ends_with("mem"), "{:?}", done.problems);
    assert!(done.files_new > 50);
    let error = done.complete().unwrap_err();
    assert!(matches!(error, Error::Partial { problems: 1, .. }), "{error:?}");
    let check = repository.check(&CheckOptions::default(), Arc::new(Silent));
    check.unwrap().clean().unwrap();
}
