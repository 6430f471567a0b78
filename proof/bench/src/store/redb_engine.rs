//! redb: one file, copy-on-write B-trees.

use std::path::Path;

use redb::{Database, TableDefinition, WriteTransaction};

use crate::{Engine, Entry, Fallible};

const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("entries");
const SALTS: TableDefinition<u64, &[u8]> = TableDefinition::new("salts");
const BLOBS: TableDefinition<&str, &[u8]> = TableDefinition::new("blobs");

pub struct Redb {
    db: Database,
    quick_repair: bool,
}

impl Redb {
    pub fn open(dir: &Path, quick_repair: bool) -> Fallible<Redb> {
        Ok(Redb { db: Database::create(dir.join("store.redb"))?, quick_repair })
    }

    fn begin(&self) -> Fallible<WriteTransaction> {
        let mut write = self.db.begin_write()?;
        write.set_two_phase_commit(self.quick_repair);
        write.set_quick_repair(self.quick_repair);
        Ok(write)
    }
}

impl Engine for Redb {
    fn append(&mut self, entries: &[Entry], meta: &[u8]) -> Fallible<()> {
        let write = self.begin()?;
        {
            let mut table = write.open_table(ENTRIES)?;
            let mut salts = write.open_table(SALTS)?;
            for entry in entries {
                table.insert(entry.index, entry.entry.as_slice())?;
                salts.insert(entry.index, entry.salt.as_slice())?;
            }
            write.open_table(BLOBS)?.insert("meta", meta)?;
        }
        Ok(write.commit()?)
    }

    fn compact(&mut self, before: u64, snapshot: &[u8]) -> Fallible<()> {
        let write = self.begin()?;
        write.open_table(ENTRIES)?.retain_in(..before, |_, _| false)?;
        write.open_table(SALTS)?.retain_in(..before, |_, _| false)?;
        write.open_table(BLOBS)?.insert("snapshot", snapshot)?;
        Ok(write.commit()?)
    }
}
