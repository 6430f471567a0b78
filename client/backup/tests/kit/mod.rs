//! A directory worth backing up, and a way to compare two of them.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_backup::{BackupKey, BackupOptions, BackupSummary, Repository, Silent};

pub fn key() -> BackupKey {
    BackupKey::from_bytes([0x5e; 32])
}

pub fn other_key() -> BackupKey {
    BackupKey::from_bytes([0x5f; 32])
}

/// Incompressible bytes that are the same in each run.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Nested, empty, linked, oddly named, with modes and one large file.
pub fn make_tree(root: &Path, large: usize) {
    let file = |name: &str, content: &[u8], mode: u32| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("notes.txt", b"hello\n", 0o644);
    file("empty", b"", 0o600);
    file("deep/er/and/deeper/leaf", b"leaf", 0o640);
    file("deep/run.sh", b"#!/bin/sh\n", 0o755);
    file("ünïcode 🏔/日本語.txt", "かな".as_bytes(), 0o444);
    file("odd/back\\slash \"quoted\"\n", b"odd", 0o644);
    file("large.bin", &noise(large, 1), 0o644);
    file("twin-a", &noise(100_000, 2), 0o644);
    file("twin-b", &noise(100_000, 2), 0o644);
    for n in 0..50 {
        file(&format!("many/{n:03}"), &noise(n * 37, n as u64), 0o644);
    }
    fs::create_dir(root.join("empty-dir")).unwrap();
    fs::create_dir(root.join("private")).unwrap();
    file("private/inside", b"secret", 0o600);
    symlink("../notes.txt", root.join("deep/link")).unwrap();
    symlink("/nowhere/at all", root.join("dangling")).unwrap();
    fs::hard_link(root.join("notes.txt"), root.join("notes-again.txt")).unwrap();
    fs::set_permissions(root.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o750)).unwrap();
}

#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub mode: u32,
    pub mtime: (i64, i64),
    pub content: Option<Vec<u8>>,
    pub link: Option<PathBuf>,
}

/// Everything below a directory, itself included.
pub fn listing(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    list(root, root, &mut entries);
    entries
}

fn list(root: &Path, path: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    let found = fs::symlink_metadata(path).unwrap();
    let entry = Entry {
        mode: found.mode(),
        mtime: (found.mtime(), found.mtime_nsec()),
        content: found.is_file().then(|| fs::read(path).unwrap()),
        link: found.is_symlink().then(|| fs::read_link(path).unwrap()),
    };
    entries.insert(path.strip_prefix(root).unwrap().to_owned(), entry);
    if found.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            list(root, &entry.unwrap().path(), entries);
        }
    }
}

/// Says which entries differ, not with which megabytes.
pub fn assert_same(a: &Path, b: &Path) {
    let (left, right) = (listing(a), listing(b));
    let names = |map: &BTreeMap<PathBuf, Entry>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right));
    for (name, entry) in &left {
        let other = &right[name];
        assert!(entry.content == other.content, "content of {name:?}");
        assert_eq!(entry.mode, other.mode, "mode of {name:?}");
        assert_eq!(entry.link, other.link, "target of {name:?}");
        assert_eq!(entry.mtime, other.mtime, "time of {name:?}");
    }
}

pub fn init(dir: &Path) -> Repository {
    Repository::init(&dir.into(), &key()).unwrap()
}

pub fn back_up(repository: &Repository, path: &Path) -> BackupSummary {
    repository
        .backup(&[path.to_owned()], &BackupOptions::default(), Arc::new(Silent))
        .unwrap()
        .complete()
        .unwrap()
}

/// Files of one kind in a repository, largest first; those that vanish meanwhile are left out.
pub fn stored(repository: &Path, kind: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![repository.join(kind)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => open.push(entry.path()),
                Ok(found) => files.push((found.len(), entry.path())),
                Err(_) => {}
            }
        }
    }
    files.sort();
    files.into_iter().rev().map(|(_, path)| path).collect()
}

/// Changes a stored file, which is write-protected when restic made it.
pub fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}
