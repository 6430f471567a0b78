//! A directory as somebody left it, read without writing into it and without leaving it.

use rustix::{
    fs::{Mode, OFlags, open, openat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};
use strongroom_tlog::tiles::TileSource;

/// A directory to read.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// Names it; it is read file by file. The name itself may be a link, which is its caller's.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl TileSource for Directory {
    type Error = DirectoryError;

    /// Step by step and without following a link: whoever made the directory cannot name a file outside
    /// of it, such as one whose digest an error would then print.
    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, DirectoryError> {
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at: OwnedFd = open(&self.0, folder, Mode::empty()).map_err(|e| refused(e, true))?;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if part.is_empty() || part.starts_with('.') {
                return Err(DirectoryError::Missing);
            }
            if parts.peek().is_none() {
                // Not blocking: a pipe without a writer would hold the program up.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let opened = openat(&at, part, flags, Mode::empty());
                return whole(File::from(opened.map_err(|e| refused(e, false))?), len_max);
            }
            let opened = openat(&at, part, folder | OFlags::NOFOLLOW, Mode::empty());
            at = opened.map_err(|e| refused(e, true))?;
        }
        Err(DirectoryError::Missing)
    }
}

fn whole(file: File, len_max: usize) -> Result<Vec<u8>, DirectoryError> {
    if !file.metadata()?.is_file() {
        return Err(DirectoryError::NotAFile);
    }
    let (mut bytes, cap) = (Vec::new(), u64::try_from(len_max).unwrap_or(u64::MAX));
    file.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > len_max { Err(DirectoryError::TooLong { cap: len_max }) } else { Ok(bytes) }
}

fn refused(error: Errno, is_folder: bool) -> DirectoryError {
    match error {
        Errno::NOENT => DirectoryError::Missing,
        Errno::LOOP => DirectoryError::NotAFile,
        // What is opened as a folder may be a link or a file.
        Errno::NOTDIR if is_folder => DirectoryError::NotAFile,
        error => DirectoryError::Io(error.into()),
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Not there.
    #[error("not there")]
    Missing,
    /// A symbolic link, a folder, a pipe.
    #[error("not a regular file (links are not followed)")]
    NotAFile,
    /// Longer than a file of this name may be.
    #[error("longer than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
    /// The system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
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
