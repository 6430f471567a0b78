//! A repository in a directory, laid out as restic does: `config`, `keys/`, `snapshots/`, `index/`,
//! `data/00` … `data/ff`, `locks/`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use rustic_core::Id;

use crate::store::{Kind, Store};

/// Distinguishes the temporary files of this process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A directory on this machine.
#[derive(Debug)]
pub(crate) struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, kind: Kind, id: &Id) -> PathBuf {
        let directory = self.root.join(kind.name());
        let name = id.to_hex();
        match kind {
            Kind::Config => directory,
            Kind::Pack => directory.join(name.get(..2).unwrap_or_default()).join(&*name),
            _ => directory.join(&*name),
        }
    }
}

impl Store for LocalStore {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn create(&self) -> io::Result<()> {
        for kind in Kind::DIRECTORIES {
            fs::create_dir_all(self.root.join(kind.name()))?;
        }
        let packs = self.root.join(Kind::Pack.name());
        for byte in 0..=u8::MAX {
            fs::create_dir_all(packs.join(hex::encode([byte])))?;
        }
        Ok(())
    }

    fn stranger(&self) -> io::Result<Option<String>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let known = name == Kind::Config.name()
                || name == "lost+found"
                || Kind::DIRECTORIES.iter().any(|kind| name == kind.name());
            if !known {
                return Ok(Some(name.to_string_lossy().into_owned()));
            }
        }
        Ok(None)
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u32)>> {
        let root = self.root.join(kind.name());
        let mut found = Vec::new();
        match kind {
            Kind::Config => match fs::metadata(&root) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                metadata => found.push((Id::default(), size(&root, &metadata?)?)),
            },
            Kind::Pack => {
                for entry in fs::read_dir(&root)? {
                    let entry = entry?;
                    if entry.file_type()?.is_dir() {
                        list_directory(&entry.path(), &mut found)?;
                    }
                }
            }
            // restic makes this one only when it needs it, on some backends
            Kind::Lock if !root.exists() => {}
            _ => list_directory(&root, &mut found)?,
        }
        Ok(found)
    }

    fn read(&self, kind: Kind, id: &Id) -> io::Result<Vec<u8>> {
        fs::read(self.path(kind, id))
    }

    fn read_range(&self, kind: Kind, id: &Id, offset: u32, length: u32) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(kind, id))?;
        file.seek(SeekFrom::Start(offset.into()))?;
        let mut data = Vec::new();
        // `take` and not a buffer of `length`: a lying index must not cost memory.
        file.take(length.into()).read_to_end(&mut data)?;
        if data.len() as u64 != u64::from(length) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("expected {length} bytes at offset {offset}, got {}", data.len()),
            ));
        }
        Ok(data)
    }

    fn write(&self, kind: Kind, id: &Id, parts: &[Bytes]) -> io::Result<()> {
        let path = self.path(kind, id);
        let directory = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory)?;
        // Such a name is no id, so neither restic nor `list` takes it for a file of the repository.
        let temporary =
            directory.join(format!("tmp-{}-{}", std::process::id(), SERIAL.fetch_add(1, Relaxed)));
        let written = (|| {
            let mut file = File::create_new(&temporary)?;
            for part in parts {
                file.write_all(part)?;
            }
            file.sync_all()
            // A crash here leaves a temporary file and nothing else.
        })();
        let stored = written.and_then(|()| fs::rename(&temporary, &path));
        if stored.is_err() {
            // Best effort: the first error is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        stored?;
        // A crash before this may lose the name, never show half a file.
        File::open(directory)?.sync_all()
    }

    fn remove(&self, kind: Kind, id: &Id) -> io::Result<()> {
        fs::remove_file(self.path(kind, id))
    }
}

fn list_directory(directory: &Path, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue; // not a file of the repository: a temporary, or something of the file system
        };
        // Renames are atomic, so a file that was listed can only vanish if somebody removed it now.
        match fs::metadata(entry.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            metadata => found.push((id, size(&entry.path(), &metadata?)?)),
        }
    }
    Ok(())
}

fn size(path: &Path, metadata: &fs::Metadata) -> io::Result<u32> {
    u32::try_from(metadata.len()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} has {} bytes; no file of a repository has 4 GiB",
                path.display(),
                metadata.len()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_listed_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path().join("r"));
        store.create().unwrap();
        let id = Id::random();
        store.write(Kind::Pack, &id, &[Bytes::from("ab"), Bytes::from("cdef")]).unwrap();
        assert_eq!(store.list(Kind::Pack).unwrap(), vec![(id, 6)]);
        assert_eq!(store.read(Kind::Pack, &id).unwrap(), b"abcdef");
        assert_eq!(store.read_range(Kind::Pack, &id, 1, 3).unwrap(), b"bcd");
        let short = store.read_range(Kind::Pack, &id, 4, 3).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_an_error_and_not_an_empty_list() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path().to_owned());
        assert!(store.list(Kind::Pack).is_err());
        fs::create_dir(dir.path().join("data")).unwrap();
        // A name of an id that points at itself cannot be looked at, even by root.
        let loop_name = dir.path().join("data/00");
        fs::create_dir(&loop_name).unwrap();
        let id = Id::random();
        std::os::unix::fs::symlink(&*id.to_hex(), loop_name.join(&*id.to_hex())).unwrap();
        assert!(store.list(Kind::Pack).is_err());
    }

    #[test]
    fn a_temporary_file_is_not_part_of_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path().to_owned());
        store.create().unwrap();
        fs::write(dir.path().join("index/tmp-1-1"), b"x").unwrap();
        assert!(store.list(Kind::Index).unwrap().is_empty());
    }
}
