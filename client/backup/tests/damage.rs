//! A store that loses or changes bytes is found out.
#![allow(missing_docs)]

mod kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit::{back_up, damage, init, key, make_tree, noise, stored};
use strongroom_backup::{
    Blame, CheckOptions, CheckSummary, Error, ProblemKind, Repository, RestoreOptions, Silent,
};

struct Scene {
    dir: tempfile::TempDir,
    repository: Repository,
}

impl Scene {
    /// Two backups, the second with another large file, so that there are several packs.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        make_tree(&dir.path().join("data"), 20 << 20);
        let repository = init(&dir.path().join("repo"));
        back_up(&repository, &dir.path().join("data"));
        fs::write(dir.path().join("data/second.bin"), noise(5 << 20, 9)).unwrap();
        back_up(&repository, &dir.path().join("data"));
        Self { dir, repository }
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    fn check(&self, read_data: bool) -> CheckSummary {
        let options = CheckOptions { read_data };
        self.repository.check(&options, Arc::new(Silent)).unwrap()
    }

    fn restore(&self, to: &str) -> strongroom_backup::Result<strongroom_backup::RestoreSummary> {
        let options = RestoreOptions::default();
        let target = self.dir.path().join(to);
        self.repository.restore("latest", &target, &options, Arc::new(Silent))
    }
}

fn short_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap()[..8].to_owned()
}

#[test]
fn a_flipped_bit_in_a_pack_is_found_by_check_and_by_restore() {
    let scene = Scene::new();
    let pack = stored(&scene.repo(), "data").remove(0);
    damage(&pack, |bytes| bytes[1 << 20] ^= 1);

    // Sizes are right, so only reading finds it.
    assert!(scene.check(false).errors.is_empty());
    let found = scene.check(true);
    assert_eq!(found.errors.len(), 1, "{:?}", found.errors);
    assert!(found.errors[0].what.contains(&short_name(&pack)));
    let error = found.clean().unwrap_err();
    assert_eq!(error.blame(), Blame::Repository);

    let back = scene.restore("out").unwrap();
    let kinds: Vec<_> = back.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::Damaged], "{:?}", back.problems);
    assert!(back.problems[0].path.ends_with("large.bin"));
    // Never under its name when it is not whole; everything else is there.
    assert!(!scene.dir.path().join("out/data/large.bin").exists());
    assert!(scene.dir.path().join("out/data/second.bin").exists());
    assert!(matches!(back.complete().unwrap_err(), Error::Damaged { .. }));
}

#[test]
fn a_truncated_or_missing_pack_is_found_without_reading_data() {
    for change in ["cut", "gone"] {
        let scene = Scene::new();
        let pack = stored(&scene.repo(), "data").remove(0);
        match change {
            "cut" => damage(&pack, |bytes| bytes.truncate(bytes.len() / 2)),
            _ => fs::remove_file(&pack).unwrap(),
        }
        let found = scene.check(false);
        assert!(!found.errors.is_empty(), "{change}");
        assert!(found.errors[0].detail.contains(&short_name(&pack)), "{:?}", found.errors);
        assert!(!scene.check(true).errors.is_empty());
        let back = scene.restore("out").unwrap();
        assert!(matches!(back.complete().unwrap_err(), Error::Damaged { .. }), "{change}");
        assert!(scene.dir.path().join("out/data/second.bin").exists(), "{change}");
    }
}

#[test]
fn a_backup_after_a_lost_pack_stores_its_data_again() {
    let scene = Scene::new();
    let pack = stored(&scene.repo(), "data").remove(0);
    fs::remove_file(&pack).unwrap();
    let done = back_up(&scene.repository, &scene.dir.path().join("data"));
    assert!(done.problems.iter().any(|p| p.kind == ProblemKind::Repaired), "{done:?}");
    assert!(done.bytes_added > 10 << 20, "{done:?}");
    scene.check(true).clean().unwrap();
    scene.restore("out").unwrap().complete().unwrap();
    kit::assert_same(&scene.dir.path().join("data"), &scene.dir.path().join("out/data"));
}

#[test]
fn a_changed_index_is_named_by_check_and_stops_a_restore() {
    let changes: [fn(&mut Vec<u8>); 2] =
        [|bytes| bytes.truncate(bytes.len() / 2), |bytes| bytes[40] ^= 0x80];
    for change in changes {
        let scene = Scene::new();
        let index = stored(&scene.repo(), "index").remove(0);
        damage(&index, change);
        let found = scene.check(false);
        let named = |text: &str| text.contains(&short_name(&index));
        assert!(found.errors.iter().any(|finding| named(&finding.what)), "{:?}", found.errors);
        let error = scene.restore("out").unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }) && named(&error.to_string()), "{error}");
    }
}

#[test]
fn a_changed_snapshot_is_named_and_the_others_can_be_restored() {
    let scene = Scene::new();
    let snapshots = scene.repository.snapshots().unwrap();
    let bad = scene.repo().join("snapshots").join(&snapshots[1].id);
    damage(&bad, |bytes| bytes[30] ^= 1);
    let found = scene.check(false);
    assert_eq!(found.errors.len(), 1, "{:?}", found.errors);
    assert!(found.errors[0].what.contains(&snapshots[1].id));
    assert!(matches!(scene.repository.snapshots(), Err(Error::Damaged { .. })));
    let out = scene.dir.path().join("out");
    let options = RestoreOptions::default();
    scene
        .repository
        .restore(&snapshots[0].id, &out, &options, Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap();
}

#[test]
fn a_changed_key_file_or_config_is_damage_and_not_a_wrong_key() {
    for name in ["keys", "config"] {
        let scene = Scene::new();
        let file = match name {
            "keys" => stored(&scene.repo(), "keys").remove(0),
            _ => scene.repo().join("config"),
        };
        damage(&file, |bytes| *bytes.last_mut().unwrap() ^= 1);
        let error = Repository::open(&scene.repo().as_path().into(), &key()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{name}: {error:?}");
    }
}

#[test]
fn a_damaged_directory_costs_its_files_and_no_others() {
    let scene = Scene::new();
    // Tree packs are the small ones; break each until the damage is one below the root.
    for pack in stored(&scene.repo(), "data").iter().rev() {
        let before = fs::read(pack).unwrap();
        if before.len() > 1 << 20 {
            continue;
        }
        damage(pack, |bytes| bytes[5] ^= 1);
        let found = scene.check(true);
        assert!(!found.errors.is_empty());
        let name = format!("out-{}", short_name(pack));
        if let Ok(back) = scene.restore(&name) {
            let _ = back.complete();
        }
        damage(pack, |bytes| *bytes = before);
    }
    scene.check(true).clean().unwrap();
}
