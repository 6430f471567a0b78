//! Durable files: whole or not there, and never half of one.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};
use strongroom_tlog::tiles::TileSource;

const LOCK: &str = ".lock";
const NO_END: u32 = u32::MAX;

/// A folder that one process writes.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Held as long as the folder is open; the system releases it when the process ends.
    _lock: File,
    /// Durable steps that still succeed. Tests stop a process at each of them.
    steps_left: AtomicU32,
}

impl Folder {
    /// Opens a folder and locks it; makes it if it is not there.
    ///
    /// # Errors
    /// [`FolderError::Locked`] if another process has it.
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let failed = |error| FolderError::io("open", root, error);
        fs::create_dir_all(root).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join(LOCK))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Locked { folder: root.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // A process that was killed between a rename and its folder's sync left a name that only memory
        // knows. Whoever reads it now may act on it, so it must outlive the next loss of power.
        sync_all_below(root).map_err(failed)?;
        if let Some(parent) = root.parent().filter(|parent| parent.is_dir()) {
            sync_folder(parent).map_err(failed)?;
        }
        Ok(Self { root: root.to_owned(), _lock: lock, steps_left: AtomicU32::new(NO_END) })
    }

    /// From now on only so many durable steps succeed: a crash, as the disk sees it.
    pub fn danger_crash_after(&self, steps: u32) {
        self.steps_left.store(steps, SeqCst);
    }

    /// Writes a file, in the place of an older one if there is one. When this returns, the file is
    /// there after any crash; if it does not return, the old one or the new one is.
    ///
    /// # Errors
    /// [`FolderError`]; the older file is as it was, or the new one is there whole.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let target = self.resolve(path)?;
        let failed = |error| FolderError::io("write", &target, error);
        let parent = target.parent().unwrap_or(&self.root);
        self.make_folders(parent)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // Two names in one folder never share a draft, and there is one writer.
        let draft = parent.join(format!(".{name}.draft"));
        self.step()?;
        let mut file = File::create(&draft).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        // A crash here leaves a draft, which nobody reads and the next write replaces.
        file.sync_all().map_err(failed)?;
        self.step()?;
        fs::rename(&draft, &target).map_err(failed)?;
        // A crash here may show the old file or the new one; both are whole.
        sync_folder(parent).map_err(failed)?;
        self.step()
    }

    /// Reads a file of at most `len_max` bytes; none if it is not there.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn read(&self, path: &str, len_max: usize) -> Result<Option<Vec<u8>>, FolderError> {
        let target = self.resolve(path)?;
        let failed = |error| FolderError::io("read", &target, error);
        let file = match File::open(&target) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        let cap = len_max as u64;
        file.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > len_max {
            return Err(FolderError::TooLong { path: path.to_owned(), cap: len_max });
        }
        Ok(Some(bytes))
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn resolve(&self, path: &str) -> Result<PathBuf, FolderError> {
        // Paths come from requests too; none leaves the folder or names a draft or the lock.
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
        if path.len() > 256 || !path.split('/').all(plain) || path.contains(['\\', '\0']) {
            return Err(FolderError::Path { path: path.chars().take(80).collect() });
        }
        Ok(self.root.join(path))
    }

    fn make_folders(&self, folder: &Path) -> Result<(), FolderError> {
        if folder.is_dir() {
            return Ok(());
        }
        let failed = |error| FolderError::io("make", folder, error);
        if let Some(parent) = folder.parent().filter(|parent| parent.starts_with(&self.root)) {
            self.make_folders(parent)?;
        }
        fs::create_dir(folder).or_else(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(failed(error)) }
        })?;
        // Otherwise a synced file could be in a folder that a crash forgets.
        sync_folder(folder.parent().unwrap_or(&self.root)).map_err(failed)
    }

    fn step(&self) -> Result<(), FolderError> {
        let fewer = |left: u32| match left {
            NO_END => Some(NO_END),
            left => left.checked_sub(1),
        };
        match self.steps_left.try_update(SeqCst, SeqCst, fewer) {
            Ok(_) => Ok(()),
            Err(_) => Err(FolderError::Crashed),
        }
    }
}

fn sync_all_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all_below(&entry.path())?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

impl TileSource for Folder {
    type Error = FolderError;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, FolderError> {
        Self::read(self, path, len_max)?
            .ok_or_else(|| FolderError::Missing { path: path.to_owned() })
    }
}

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has the folder.
    #[error("{} is open in another process; only one may write it", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The system says no: full, read-only, gone.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not there.
    #[error("no file {path}")]
    Missing {
        /// Below the folder.
        path: String,
    },
    /// Longer than a file of this kind may be.
    #[error("file {path} is longer than {cap} bytes")]
    TooLong {
        /// Below the folder.
        path: String,
        /// The cap.
        cap: usize,
    },
    /// No path below the folder.
    #[error("{path:?} is no path below the folder")]
    Path {
        /// As given.
        path: String,
    },
    /// A test stopped the process here.
    #[error("stopped by a test")]
    Crashed,
}

impl FolderError {
    fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { verb, path: path.to_owned(), source }
    }
}
