//! The seam to where repositories are kept: five kinds of files, named by their own hash, plus a config.
//!
//! A new backend is a [`Store`] and one arm in [`open`]; nothing else in this crate knows where bytes lie.
//! A store is believed with availability only. What it returns is checked by whoever asked.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::{FileType, Id};

use crate::error::Result;
use crate::local::LocalStore;
use crate::location::Location;

/// The kinds of files of a restic repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Config,
    Key,
    Snapshot,
    Index,
    Pack,
    Lock,
}

impl Kind {
    /// The directories that a new repository gets.
    pub(crate) const DIRECTORIES: [Self; 5] =
        [Self::Key, Self::Snapshot, Self::Index, Self::Pack, Self::Lock];

    /// The directory, or for the config the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Key => "keys",
            Self::Snapshot => "snapshots",
            Self::Index => "index",
            Self::Pack => "data",
            Self::Lock => "locks",
        }
    }

    /// For messages: `data/0123abcd…`, or `config`.
    pub(crate) fn describe(self, id: &Id) -> String {
        match self {
            Self::Config => "config".to_owned(),
            _ => format!("{}/{}", self.name(), &*id.to_hex()),
        }
    }
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::Config => Self::Config,
            FileType::Key => Self::Key,
            FileType::Snapshot => Self::Snapshot,
            FileType::Index => Self::Index,
            FileType::Pack => Self::Pack,
        }
    }
}

/// Keeps the files of one repository.
pub(crate) trait Store: Send + Sync + 'static {
    /// For messages.
    fn location(&self) -> String;

    /// Makes the empty directories of a new repository.
    fn create(&self) -> io::Result<()>;

    /// Something in this place that belongs to no repository, if there is any.
    fn stranger(&self) -> io::Result<Option<String>>;

    /// All files of a kind, with sizes. It must fail rather than leave one out: what is not listed
    /// counts as gone.
    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u32)>>;

    /// A whole file.
    fn read(&self, kind: Kind, id: &Id) -> io::Result<Vec<u8>>;

    /// Exactly `length` bytes of a file.
    fn read_range(&self, kind: Kind, id: &Id, offset: u32, length: u32) -> io::Result<Vec<u8>>;

    /// Stores a file, durably, so that nobody ever sees a part of it.
    fn write(&self, kind: Kind, id: &Id, parts: &[Bytes]) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, kind: Kind, id: &Id) -> io::Result<()>;
}

/// Turns a location into its store. Reads and writes nothing yet.
pub(crate) fn open(location: &Location) -> Result<Arc<dyn Store>> {
    Ok(match location {
        Location::Local(path) => Arc::new(LocalStore::new(path.clone())),
    })
}
