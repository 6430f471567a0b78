//! The file under the engine. It remembers the first thing that failed, so that an error can say
//! which call on which file it was; the engine only passes on that something did.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::StorageBackend;

use crate::StoreError;

/// What the engine writes to, and what of it has failed.
pub(crate) struct Disk<B = Log> {
    pub(crate) backend: B,
    pub(crate) fault: Fault,
    pub(crate) path: PathBuf,
}

/// The first failure of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault(Arc<OnceLock<StoreError>>);

impl Fault {
    pub(crate) fn first(&self) -> Option<StoreError> {
        self.0.get().cloned()
    }
}

/// A file that is read and written by position.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    fault: Fault,
}

impl Disk {
    pub(crate) fn open(path: &Path) -> Result<Disk, StoreError> {
        Disk::with(path, OpenOptions::new().read(true).write(true))
    }

    /// Makes a file that only its owner can read, though there is nothing to read in it.
    pub(crate) fn create(path: &Path) -> Result<Disk, StoreError> {
        Disk::with(path, OpenOptions::new().read(true).write(true).create_new(true).mode(0o600))
    }

    fn with(path: &Path, options: &OpenOptions) -> Result<Disk, StoreError> {
        let file = options.open(path).map_err(|e| StoreError::io(path, "open", &e))?;
        let fault = Fault::default();
        let backend = Log { file, path: path.into(), fault: fault.clone() };
        Ok(Disk { backend, fault, path: path.into() })
    }
}

impl Log {
    fn note<T>(&self, op: &'static str, result: io::Result<T>) -> Result<T, io::Error> {
        result.inspect_err(|error| {
            let _ = self.fault.0.set(StoreError::io(&self.path, op, error));
        })
    }
}

impl StorageBackend for Log {
    fn len(&self) -> Result<u64, io::Error> {
        self.note("read length", self.file.metadata().map(|m| m.len()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.note("read", self.file.read_exact_at(out, offset))
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.note("grow", self.file.set_len(len))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.note("sync", self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.note("write", self.file.write_all_at(data, offset))
    }
}
