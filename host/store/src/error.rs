//! What can go wrong, by what a person can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the disk did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room. The earlier state is intact, and the same batch may be tried again.
    #[error("no room left for {path}: free some space; the same batch is then taken", path = path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused. The store takes nothing more until it is opened again.
    #[error("{op} failed on {path}: {reason} (errno {errno:?})", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: open, read, write, grow, sync.
        op: &'static str,
        /// The system's number, if it gave one.
        errno: Option<i32>,
        /// The system's words.
        reason: String,
    },
    /// The file is not what was written. The node must start with an empty directory and catch up
    /// from the others.
    #[error("{path} is damaged: {what}; move it away and let the node catch up from its peers", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Another process has this directory open.
    #[error("{dir} is in use by another process", dir = dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
}

impl StoreError {
    pub(crate) fn io(path: &Path, op: &'static str, error: &io::Error) -> StoreError {
        // A quota and a file size limit are other people's words for a full disk. Not on sync: what was
        // written before it may be lost, and only opening the file again shows what is there.
        let full =
            [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        if full.contains(&error.kind()) && op != "sync" {
            return StoreError::DiskFull { path: path.into() };
        }
        // What no system call says, the engine says of bytes that make no sense to it.
        if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) {
            return StoreError::Corrupt { path: path.into(), what: error.to_string() };
        }
        StoreError::Io {
            path: path.into(),
            op,
            errno: error.raw_os_error(),
            reason: error.to_string(),
        }
    }
}
