//! The limit: the bytes and an `fdatasync`.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{Engine, Entry, Fallible};

const CHUNK: u64 = 64 << 20;

pub struct Raw {
    dir: PathBuf,
    log: File,
    preallocate: bool,
    used: u64,
    allocated: u64,
}

impl Raw {
    pub fn open(dir: &Path, preallocate: bool) -> Fallible<Raw> {
        let mut raw =
            Raw { dir: dir.into(), log: create(dir, "log")?, preallocate, used: 0, allocated: 0 };
        raw.room(0)?;
        Ok(raw)
    }

    /// Writes zeros ahead, so that an append changes no metadata.
    fn room(&mut self, more: u64) -> Fallible<()> {
        if self.preallocate && self.used + more > self.allocated {
            self.log.seek(SeekFrom::Start(self.allocated))?;
            self.log.write_all(&vec![0; CHUNK as usize])?;
            self.log.sync_all()?;
            self.allocated += CHUNK;
        }
        self.log.seek(SeekFrom::Start(self.used))?;
        Ok(())
    }
}

fn create(dir: &Path, name: &str) -> Fallible<File> {
    Ok(OpenOptions::new().write(true).create(true).truncate(true).open(dir.join(name))?)
}

impl Engine for Raw {
    fn append(&mut self, entries: &[Entry], meta: &[u8]) -> Fallible<()> {
        let mut bytes = meta.to_vec();
        for entry in entries {
            bytes.extend_from_slice(&entry.index.to_be_bytes());
            bytes.extend_from_slice(&entry.entry);
            bytes.extend_from_slice(&entry.salt);
        }
        self.room(bytes.len() as u64)?;
        self.log.write_all(&bytes)?;
        self.used += bytes.len() as u64;
        Ok(self.log.sync_data()?)
    }

    fn compact(&mut self, _before: u64, snapshot: &[u8]) -> Fallible<()> {
        let mut file = create(&self.dir, "snapshot")?;
        file.write_all(snapshot)?;
        file.sync_all()?;
        self.log.set_len(0)?;
        (self.used, self.allocated) = (0, 0);
        self.room(0)
    }
}
