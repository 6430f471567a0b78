//! Snapshots that no honest writer makes, and targets that were prepared: nothing may be written
//! outside the target, and nothing that is not what the snapshot says.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{ReadSource, ReadSourceEntry, RusticResult, SnapshotOptions};

use crate::tree::{self, Place};
use crate::{
    BackupKey, BackupOptions, Error, Problem, ProblemKind, Repository, RestoreOptions,
    RestoreSummary, Result, Silent,
};

/// Entries as a hostile writer would make them: the name in the node need not be that in the path.
struct Crafted(Vec<ReadSourceEntry<Cursor<Vec<u8>>>>);

impl ReadSource for Crafted {
    type Open = Cursor<Vec<u8>>;
    type Iter = std::vec::IntoIter<RusticResult<ReadSourceEntry<Cursor<Vec<u8>>>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        self.0.iter().cloned().map(Ok).collect::<Vec<_>>().into_iter()
    }
}

struct Scene {
    dir: tempfile::TempDir,
    repository: Repository,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/victim"), "precious").unwrap();
        let place = dir.path().join("repo");
        let key = BackupKey::from_bytes([7; 32]);
        let repository = Repository::init(&place.as_path().into(), &key).unwrap();
        Self { dir, repository }
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn craft(&self, entries: Vec<ReadSourceEntry<Cursor<Vec<u8>>>>) {
        let session = self.repository.session(Arc::new(Silent)).unwrap();
        let engine = session.engine.to_indexed_ids().unwrap();
        let snapshot = SnapshotOptions::default().to_snapshot().unwrap();
        let options = rustic_core::BackupOptions::default();
        let paths = [PathBuf::from("/x")];
        engine.archive(&options, &Crafted(entries), snapshot, &paths).unwrap();
    }

    fn restore(&self, overwrite: bool) -> Result<RestoreSummary> {
        let options = RestoreOptions { overwrite, ..RestoreOptions::default() };
        self.repository.restore("latest", &self.out(), &options, Arc::new(Silent))
    }

    fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.outside()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(fs::read(self.outside().join("victim")).unwrap(), b"precious");
        let mut beside: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        beside.sort();
        assert_eq!(beside, ["out", "outside", "repo"]);
    }
}

fn entry(
    path: &str,
    name: &str,
    kind: NodeType,
    content: &[u8],
) -> ReadSourceEntry<Cursor<Vec<u8>>> {
    let meta = Metadata { size: content.len() as u64, ..Metadata::default() };
    ReadSourceEntry {
        path: path.into(),
        node: Node::new_node(name.as_ref(), kind, meta),
        open: Some(Cursor::new(content.to_vec())),
    }
}

fn file(path: &str, name: &str) -> ReadSourceEntry<Cursor<Vec<u8>>> {
    entry(path, name, NodeType::File, b"evil")
}

fn dir(path: &str, name: &str) -> ReadSourceEntry<Cursor<Vec<u8>>> {
    entry(path, name, NodeType::Dir, b"")
}

fn link(path: &str, name: &str, to: &Path) -> ReadSourceEntry<Cursor<Vec<u8>>> {
    entry(path, name, NodeType::from_link(to), b"")
}

fn kinds(problems: &[Problem]) -> Vec<ProblemKind> {
    problems.iter().map(|problem| problem.kind).collect()
}

#[test]
fn names_that_lead_out_of_the_target_are_refused_and_the_rest_is_restored() {
    let scene = Scene::new();
    scene.craft(vec![
        file("/x/a", "../outside/a"),
        file("/x/b", ".."),
        file("/x/c", "/etc/strongroom-test"),
        file("/x/d", "e/f"),
        file("/x/e", "."),
        file("/x/f", ""),
        dir("/x/g", ".."),
        file("/x/g/victim", "victim"),
        dir("/x/h", "../outside"),
        file("/x/h/victim", "victim"),
        file("/x/ok", "ok"),
    ]);
    let back = scene.restore(true).unwrap();
    assert_eq!(kinds(&back.problems), [ProblemKind::Unsafe; 8]);
    assert_eq!(fs::read(scene.out().join("x/ok")).unwrap(), b"evil");
    assert_eq!(fs::read_dir(scene.out().join("x")).unwrap().count(), 1);
    assert!(!Path::new("/etc/strongroom-test").exists());
    scene.assert_untouched();
    assert!(matches!(back.complete(), Err(Error::Damaged { .. })));
}

#[test]
fn nothing_is_written_through_a_link_that_the_snapshot_brings() {
    let scene = Scene::new();
    let outside = scene.outside();
    scene.craft(vec![
        link("/x/d", "d", &outside),
        dir("/x/d", "d"),
        file("/x/d/victim", "victim"),
        link("/x/v", "v", &outside.join("victim")),
        file("/x/v", "v"),
        link("/x/w", "w", &outside),
    ]);
    let back = scene.restore(true).unwrap();
    assert_eq!(kinds(&back.problems), [ProblemKind::Unsafe; 2]);
    // A link itself may point anywhere; that is its business.
    assert_eq!(fs::read_link(scene.out().join("x/w")).unwrap(), outside);
    scene.assert_untouched();
    // Again: now the links are there before anything is written.
    scene.restore(true).unwrap();
    scene.assert_untouched();
}

#[test]
fn the_directory_of_partial_files_cannot_be_named_by_a_snapshot() {
    let scene = Scene::new();
    scene.craft(vec![
        link("/.strongroom-partial", ".strongroom-partial", &scene.outside()),
        file("/x/ok", "ok"),
    ]);
    let options = RestoreOptions { full_paths: true, ..RestoreOptions::default() };
    let back =
        scene.repository.restore("latest", &scene.out(), &options, Arc::new(Silent)).unwrap();
    assert_eq!(kinds(&back.problems), [ProblemKind::Unsafe]);
    assert!(scene.out().join("x/ok").exists());
    scene.assert_untouched();
}

#[test]
fn links_that_are_in_the_target_already_are_not_followed() {
    for overwrite in [false, true] {
        let scene = Scene::new();
        scene.craft(vec![dir("/x/d", "d"), file("/x/d/victim", "victim"), file("/x/f", "f")]);
        fs::create_dir_all(scene.out().join("x")).unwrap();
        symlink(scene.outside(), scene.out().join("x/d")).unwrap();
        symlink(scene.outside().join("victim"), scene.out().join("x/f")).unwrap();
        let back = scene.restore(overwrite).unwrap();
        scene.assert_untouched();
        if overwrite {
            back.complete().unwrap();
            assert_eq!(fs::read(scene.out().join("x/d/victim")).unwrap(), b"evil");
            assert!(!scene.out().join("x/f").is_symlink());
        } else {
            assert_eq!(kinds(&back.problems), [ProblemKind::InTheWay; 2]);
        }
    }
}

#[test]
fn a_prepared_directory_of_partial_files_is_not_used_when_it_is_a_link() {
    let scene = Scene::new();
    scene.craft(vec![file("/x/f", "f")]);
    fs::create_dir(scene.out()).unwrap();
    symlink(scene.outside(), scene.out().join(".strongroom-partial")).unwrap();
    let error = scene.restore(true).unwrap_err();
    assert!(error.to_string().contains(".strongroom-partial"), "{error}");
    scene.assert_untouched();
}

#[test]
fn two_pieces_that_the_store_exchanged_are_noticed_though_both_are_authentic() {
    let scene = Scene::new();
    let source = scene.dir.path().join("source");
    fs::create_dir(&source).unwrap();
    let noise = |seed: u8| -> Vec<u8> {
        let mut state = u32::from(seed);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..60_000).map(|_| next()).collect()
    };
    fs::write(source.join("a"), noise(1)).unwrap();
    fs::write(source.join("b"), noise(2)).unwrap();
    let options = BackupOptions::default();
    let paths = [source];
    let backup = scene.repository.backup(&paths, &options, Arc::new(Silent));
    backup.unwrap();

    let session = scene.repository.session(Arc::new(Silent)).unwrap();
    let snapshot = session.find_snapshot("latest").unwrap();
    let engine = session.engine.to_indexed().unwrap();
    let mut places: Vec<Place> = Vec::new();
    let mut open = vec![snapshot.tree];
    while let Some(id) = open.pop() {
        for node in tree::nodes(&engine, &session.guard, id).unwrap() {
            open.extend(node.subtree);
            let blobs = node.content.iter().flatten();
            places.extend(blobs.map(|blob| tree::place(&engine, blob).unwrap()));
        }
    }
    let [a, b] = places.as_slice() else { panic!("{places:?}") };
    assert_eq!((a.pack, a.length), (b.pack, b.length));
    let name = a.pack.to_hex();
    let pack = scene.dir.path().join("repo/data").join(&name[..2]).join(&*name);
    let mut bytes = fs::read(&pack).unwrap();
    for n in 0..a.length {
        bytes.swap((a.offset + n) as usize, (b.offset + n) as usize);
    }
    fs::write(&pack, bytes).unwrap();

    let back = scene.restore(false).unwrap();
    assert_eq!(kinds(&back.problems), [ProblemKind::Damaged; 2]);
    assert!(!scene.out().join("source/a").exists());
}
