//! A directory as somebody left it, read without writing into it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use strongroom_tlog::tiles::TileSource;

/// A directory to read.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// Names it; it is read file by file.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl TileSource for Directory {
    type Error = DirectoryError;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, DirectoryError> {
        // Names come from a log's size and from this crate; no other leads anywhere.
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
        if !path.split('/').all(plain) || path.contains(['\\', '\0']) {
            return Err(DirectoryError::Path);
        }
        let file = File::open(self.0.join(path))?;
        let mut bytes = Vec::new();
        let cap = u64::try_from(len_max).unwrap_or(u64::MAX);
        file.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > len_max {
            return Err(DirectoryError::TooLong { cap: len_max });
        }
        Ok(bytes)
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The system says no: not there, for one.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Longer than a file of this name may be.
    #[error("longer than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
    /// No path below the directory.
    #[error("no path below the directory")]
    Path,
}

/// The files below a folder of another source.
pub(crate) struct Below<'a, S> {
    pub(crate) source: &'a S,
    pub(crate) folder: &'static str,
}

impl<S: TileSource> TileSource for Below<'_, S> {
    type Error = S::Error;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, S::Error> {
        self.source.read(&format!("{}/{path}", self.folder), len_max)
    }
}
