//! Durable bytes that the host cannot read.
//!
//! **What it is.** The disk of one vault: a meta record, a snapshot, a salts snapshot, and log entries,
//! each with a salt. Everything is sealed before it comes here. A batch of operations is applied as a
//! whole and durably, or not at all.
//!
//! **What it may assume.** One process at a time has the directory. The operating system's
//! `fdatasync` means what it says.
//!
//! **What it must never do.** Interpret a byte, report a batch that is not on the disk, or mend what is
//! damaged by guessing. It is not trusted to be honest: the vault authenticates all that it gets
//! back, and a disk that was rolled back costs the node its incarnation, not the fleet its counters.
//!
//! # What remains on the disk
//!
//! The file is copy-on-write. What an operation removes (`CompactBefore`, `TruncateFrom`, an older
//! snapshot or salts) is unreachable at once, and its pages are used again by later batches; until
//! then its bytes are still in the file. [`Store::rewrite`] leaves them behind: it writes what lives to
//! a new file and removes the old one. Below that, the file system and the drive keep what they like.
//! So *erasing never rests on this crate*: salts are sealed under an erasure key, and it is that key
//! which the vault destroys.
//!
//! # After an error
//!
//! The earlier state is intact. [`StoreError::DiskFull`] may be tried again, with the same batch: every
//! operation says what shall be, so a batch that took effect unseen does no harm twice. After any other
//! error the store refuses all further batches; close it and open it again. That is more than a
//! formality: after a failed sync the kernel may call pages clean that never reached the disk, and a
//! later batch would rest on them. Opening therefore writes what it read to a new file, and syncs that.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

mod disk;
mod engine;
mod error;
#[cfg(test)]
mod power_loss;

pub use error::StoreError;

use disk::Disk;
use engine::Engine;

const LOCK: &str = "lock";
const DATA: &str = "store.redb";
const NEW: &str = "store.redb.new";

/// One operation of a batch; the bytes are the vault's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Replaces the meta record.
    PutMeta(Vec<u8>),
    /// Puts one log entry and its salt, in place of any that has this index.
    PutEntry {
        /// Its index.
        index: u64,
        /// The sealed entry.
        entry: Vec<u8>,
        /// The sealed salt.
        salt: Vec<u8>,
    },
    /// Drops the entries from this index on.
    TruncateFrom {
        /// The first to go.
        index: u64,
    },
    /// Drops the entries before this index.
    CompactBefore {
        /// The first to stay.
        index: u64,
    },
    /// Replaces the snapshot.
    PutSnapshot(Vec<u8>),
    /// Replaces the salts snapshot.
    PutSalts(Vec<u8>),
    /// Replaces the salt of an entry; nothing happens if there is no such entry.
    PutEntrySalt {
        /// The entry's index.
        index: u64,
        /// The sealed salt.
        salt: Vec<u8>,
    },
    /// Drops everything.
    Clear,
}

/// One kept log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// The sealed entry.
    pub entry: Vec<u8>,
    /// The sealed salt.
    pub salt: Vec<u8>,
}

/// All that the disk holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The meta record.
    pub meta: Option<Vec<u8>>,
    /// The snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// The salts snapshot.
    pub salts: Option<Vec<u8>>,
    /// The log, by rising index.
    pub entries: Vec<Entry>,
}

/// The disk of one vault, opened.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    state: State,
    /// Held for as long as the store is; the kernel lets go of it however this process ends.
    _lock: File,
}

#[derive(Debug)]
enum State {
    Open(Engine),
    /// The disk was full. The next batch opens the file again, as after a crash.
    Full,
    /// Something worse: this much is known, and nothing more is written.
    Dead(StoreError),
}

impl Store {
    /// Opens the store in `dir`, which is made if it is missing, reads all of it, and writes it anew (so
    /// it takes as much room again for a moment).
    pub fn open(dir: impl AsRef<Path>) -> Result<(Store, Loaded), StoreError> {
        let dir = dir.as_ref().to_path_buf();
        fs::create_dir_all(&dir).map_err(|e| StoreError::io(&dir, "create directory", &e))?;
        let lock = take_lock(&dir)?;
        let loaded = match fs::metadata(dir.join(DATA)) {
            Err(e) if e.kind() == ErrorKind::NotFound => Loaded::default(),
            Err(e) => return Err(StoreError::io(&dir.join(DATA), "open", &e)),
            Ok(data) if data.len() == 0 => return Err(cut_to_nothing(&dir)),
            Ok(_) => Engine::open(Disk::open(&dir.join(DATA))?)?.load()?,
        };
        // A crash in here leaves a `.new` that nobody reads, and the next opening starts over.
        write_new(&dir, &loaded)?;
        let engine = Engine::open(Disk::open(&dir.join(DATA))?)?;
        Ok((Store { dir, state: State::Open(engine), _lock: lock }, loaded))
    }

    /// Applies a batch, in order, as a whole. When it returns `Ok` the batch survives a power loss;
    /// when it returns an error or the process ends in here, the disk holds the old state or the new one.
    pub fn apply(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        let result = self.engine().and_then(|engine| engine.apply(ops));
        self.note(result)
    }

    /// Writes what lives to a new file and removes the old one, with everything in it that operations
    /// had removed. Takes as long as writing the snapshot does.
    pub fn rewrite(&mut self) -> Result<(), StoreError> {
        let result = self.engine().and_then(|engine| engine.load());
        let result = result.and_then(|live| {
            // Closed first: the file that is about to lose its name must not be written again.
            self.state = State::Full;
            write_new(&self.dir, &live)
        });
        self.note(result)
    }

    fn engine(&mut self) -> Result<&mut Engine, StoreError> {
        if matches!(self.state, State::Full) {
            self.state = State::Open(Engine::open(Disk::open(&self.dir.join(DATA))?)?);
        }
        match &mut self.state {
            State::Open(engine) => Ok(engine),
            State::Dead(error) => Err(error.clone()),
            State::Full => Err(StoreError::DiskFull { path: self.dir.join(DATA) }),
        }
    }

    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.state = match error {
                StoreError::DiskFull { .. } => State::Full,
                error => State::Dead(error.clone()),
            };
        }
        result
    }
}

fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let options = OpenOptions::new().write(true).create(true).truncate(false).clone();
    let file = options.open(&path).map_err(|e| StoreError::io(&path, "open", &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.into() }),
        Err(fs::TryLockError::Error(e)) => Err(StoreError::io(&path, "lock", &e)),
    }
}

/// The engine would take an empty file for a new one. This crate never leaves one, so something else did.
fn cut_to_nothing(dir: &Path) -> StoreError {
    StoreError::Corrupt { path: dir.join(DATA), what: "it is empty".into() }
}

/// Makes a file of exactly this content and puts it in the place of the store's.
fn write_new(dir: &Path, content: &Loaded) -> Result<(), StoreError> {
    let (new, data) = (dir.join(NEW), dir.join(DATA));
    match fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(StoreError::io(&new, "remove", &e));
        }
        _ => {}
    }
    let mut engine = Engine::open(Disk::create(&new)?)?;
    engine.apply(&as_ops(content))?;
    engine.close()?;
    fs::rename(&new, &data).map_err(|e| StoreError::io(&data, "rename", &e))?;
    // The name is durable only with the directory.
    let directory = File::open(dir).and_then(|d| d.sync_all());
    directory.map_err(|e| StoreError::io(dir, "sync directory", &e))
}

fn as_ops(content: &Loaded) -> Vec<Op> {
    let blobs = [
        content.meta.clone().map(Op::PutMeta),
        content.snapshot.clone().map(Op::PutSnapshot),
        content.salts.clone().map(Op::PutSalts),
    ];
    let entries = content.entries.iter().cloned();
    let entries = entries.map(|Entry { index, entry, salt }| Op::PutEntry { index, entry, salt });
    blobs.into_iter().flatten().chain(entries).collect()
}
