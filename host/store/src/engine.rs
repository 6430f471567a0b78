//! Operations on redb tables. Why redb, and how: `docs/decisions/0001-host-log-store.md`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    TableError, WriteTransaction,
};

use crate::disk::{Disk, Fault};
use crate::{Entry, Loaded, Op, StoreError};

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const SALTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entry-salts");
const BLOBS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("blobs");

const META: &str = "meta";
const SNAPSHOT: &str = "snapshot";
const SALTS_SNAPSHOT: &str = "salts";

/// Entries are written once and read at start: a large page cache would be memory for nothing.
const CACHE: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Engine {
    db: Database,
    fault: Fault,
    path: PathBuf,
}

impl Engine {
    /// Opens the file, or fills an empty one. After a crash this reads all of it and takes the last
    /// batch whose checksums hold.
    pub(crate) fn open<B: StorageBackend>(disk: Disk<B>) -> Result<Engine, StoreError> {
        let Disk { backend, fault, path } = disk;
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
        // In debug builds the engine panics over some damage that it reports in release builds.
        let opened = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(backend)));
        match opened {
            Ok(Ok(db)) => Ok(Engine { db, fault, path }),
            Ok(Err(error)) => Err(failed(&fault, &path, &error.into())),
            Err(_) => Err(StoreError::Corrupt { path, what: "its structure is broken".into() }),
        }
    }

    pub(crate) fn apply(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        self.try_apply(ops).map_err(|e| failed(&self.fault, &self.path, &e))
    }

    /// Lets go of the file in good order, so that the next opening need not look for damage.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        let Engine { db, fault, path } = self;
        db.close().map_err(|e| failed(&fault, &path, &e.into()))
    }

    fn try_apply(&mut self, ops: &[Op]) -> Result<(), redb::Error> {
        let mut write = self.db.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        {
            let mut tables = Tables::open(&write)?;
            for op in ops {
                tables.apply(op)?;
            }
        }
        // A crash before this leaves the old batch; after it, the new one; within it, whichever the
        // checksums say.
        Ok(write.commit()?)
    }

    pub(crate) fn load(&self) -> Result<Loaded, StoreError> {
        let loaded = catch_unwind(AssertUnwindSafe(|| self.try_load()));
        match loaded {
            Ok(Ok(loaded)) => Ok(loaded),
            Ok(Err(error)) => Err(failed(&self.fault, &self.path, &error)),
            Err(_) => {
                let what = "its structure is broken".into();
                Err(StoreError::Corrupt { path: self.path.clone(), what })
            }
        }
    }

    fn try_load(&self) -> Result<Loaded, redb::Error> {
        let read = self.db.begin_read()?;
        let blobs = match read.open_table(BLOBS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Loaded::default()),
            other => other?,
        };
        let blob = |name| Ok::<_, redb::Error>(blobs.get(name)?.map(|b| b.value().to_vec()));
        let salts = read.open_table(SALTS)?;
        let mut entries = Vec::new();
        for row in read.open_table(ENTRIES)?.iter()? {
            let (index, entry) = row?;
            let salt = salts.get(index.value())?.map(|s| s.value().to_vec()).unwrap_or_default();
            entries.push(Entry { index: index.value(), entry: entry.value().to_vec(), salt });
        }
        let (meta, snapshot) = (blob(META)?, blob(SNAPSHOT)?);
        Ok(Loaded { meta, snapshot, salts: blob(SALTS_SNAPSHOT)?, entries })
    }
}

/// The tables of one batch.
struct Tables<'t> {
    blobs: redb::Table<'t, &'static str, &'static [u8]>,
    entries: redb::Table<'t, u64, &'static [u8]>,
    salts: redb::Table<'t, u64, &'static [u8]>,
}

impl<'t> Tables<'t> {
    fn open(write: &'t WriteTransaction) -> Result<Tables<'t>, redb::Error> {
        Ok(Tables {
            blobs: write.open_table(BLOBS)?,
            entries: write.open_table(ENTRIES)?,
            salts: write.open_table(SALTS)?,
        })
    }

    fn apply(&mut self, op: &Op) -> Result<(), redb::Error> {
        match op {
            Op::PutMeta(bytes) => self.put(META, bytes)?,
            Op::PutSnapshot(bytes) => self.put(SNAPSHOT, bytes)?,
            Op::PutSalts(bytes) => self.put(SALTS_SNAPSHOT, bytes)?,
            Op::PutEntry { index, entry, salt } => {
                self.entries.insert(index, entry.as_slice())?;
                self.salts.insert(index, salt.as_slice())?;
            }
            Op::PutEntrySalt { index, salt } => {
                if self.entries.get(index)?.is_some() {
                    self.salts.insert(index, salt.as_slice())?;
                }
            }
            Op::TruncateFrom { index } => {
                self.entries.retain_in(*index.., |_, _| false)?;
                self.salts.retain_in(*index.., |_, _| false)?;
            }
            Op::CompactBefore { index } => {
                self.entries.retain_in(..*index, |_, _| false)?;
                self.salts.retain_in(..*index, |_, _| false)?;
            }
            Op::Clear => {
                self.entries.retain(|_, _| false)?;
                self.salts.retain(|_, _| false)?;
                self.blobs.retain(|_, _| false)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), redb::Error> {
        self.blobs.insert(name, bytes)?;
        Ok(())
    }
}

/// What the file said went wrong; failing that, what the engine says.
fn failed(fault: &Fault, path: &std::path::Path, error: &redb::Error) -> StoreError {
    if let Some(first) = fault.first() {
        return first;
    }
    match error {
        redb::Error::Io(e) => StoreError::io(path, "use", e),
        redb::Error::DatabaseAlreadyOpen => StoreError::Locked { dir: path.into() },
        other => StoreError::Corrupt { path: path.into(), what: other.to_string() },
    }
}
