//! A store that runs full, or does not answer, in the middle of a backup.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};

use bytes::Bytes;
use rustic_core::Id;

use crate::local::LocalStore;
use crate::store::{Kind, Store};
use crate::{
    BackupKey, BackupOptions, BackupSummary, Blame, CheckOptions, Error, Repository, Result, Silent,
};

struct Faulty {
    inner: LocalStore,
    /// Bytes that still fit.
    space: AtomicI64,
    deaf: AtomicBool,
}

impl Store for Faulty {
    fn location(&self) -> String {
        self.inner.location()
    }
    fn create(&self) -> io::Result<()> {
        self.inner.create()
    }
    fn stranger(&self) -> io::Result<Option<String>> {
        self.inner.stranger()
    }
    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u32)>> {
        if self.deaf.load(SeqCst) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.inner.list(kind)
    }
    fn read(&self, kind: Kind, id: &Id) -> io::Result<Vec<u8>> {
        self.inner.read(kind, id)
    }
    fn read_range(&self, kind: Kind, id: &Id, offset: u32, length: u32) -> io::Result<Vec<u8>> {
        self.inner.read_range(kind, id, offset, length)
    }
    fn write(&self, kind: Kind, id: &Id, parts: &[Bytes]) -> io::Result<()> {
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        if self.space.fetch_sub(bytes as i64, SeqCst) < bytes as i64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.write(kind, id, parts)
    }
    fn remove(&self, kind: Kind, id: &Id) -> io::Result<()> {
        self.inner.remove(kind, id)
    }
}

struct Scene {
    _dir: tempfile::TempDir,
    source: PathBuf,
    store: Arc<Faulty>,
    repository: Repository,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("data");
        fs::create_dir(&source).unwrap();
        let mut state = 1u64;
        for name in 0..12 {
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .take(8 << 20)
            .collect();
            fs::write(source.join(name.to_string()), noise).unwrap();
        }
        let place = dir.path().join("repo");
        let key = BackupKey::from_bytes([7; 32]);
        let mut repository = Repository::init(&place.as_path().into(), &key).unwrap();
        let store = Arc::new(Faulty {
            inner: LocalStore::new(place),
            space: AtomicI64::new(i64::MAX),
            deaf: AtomicBool::new(false),
        });
        repository.replace_store(store.clone());
        Self { _dir: dir, source, store, repository }
    }

    fn backup(&self) -> Result<BackupSummary> {
        let paths = [self.source.clone()];
        let options = BackupOptions::default();
        self.repository.backup(&paths, &options, Arc::new(Silent))
    }
}

#[test]
fn a_full_disk_is_called_so_and_leaves_no_snapshot_and_the_next_backup_continues() {
    let scene = Scene::new();
    scene.store.space.store(50 << 20, SeqCst);
    let error = scene.backup().unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert_eq!(error.blame(), Blame::Environment);
    assert!(scene.repository.snapshots().unwrap().is_empty());

    // The failed run's writers may still be at it, as they would be until their process ends. They
    // find the disk full like the others; it has room again only for the next run.
    std::thread::sleep(std::time::Duration::from_secs(2));
    scene.store.space.store(i64::MAX, SeqCst);
    let done = scene.backup().unwrap().complete().unwrap();
    assert!(done.packs_adopted >= 1, "{done:?}");
    assert!(done.bytes_added < 80 << 20, "{done:?}");
    let check = scene.repository.check(&CheckOptions { read_data: true }, Arc::new(Silent));
    let clean = check.unwrap().clean().unwrap();
    assert!(clean.warnings.is_empty(), "{:?}", clean.warnings);
}

#[test]
fn a_store_that_does_not_list_is_an_error_and_not_an_empty_repository() {
    let scene = Scene::new();
    scene.backup().unwrap().complete().unwrap();
    scene.store.deaf.store(true, SeqCst);
    assert!(scene.repository.snapshots().is_err());
    let error = scene.backup().unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    let options = CheckOptions::default();
    assert!(scene.repository.check(&options, Arc::new(Silent)).is_err());
    scene.store.deaf.store(false, SeqCst);
    assert_eq!(scene.repository.snapshots().unwrap().len(), 1);
}
