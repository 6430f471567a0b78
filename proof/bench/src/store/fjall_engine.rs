//! fjall: LSM trees behind one journal.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::{Engine, Entry, Fallible};

pub struct Fjall {
    db: Database,
    entries: Keyspace,
    salts: Keyspace,
    blobs: Keyspace,
    first: u64,
}

impl Fjall {
    pub fn open(dir: &Path) -> Fallible<Fjall> {
        let db = Database::builder(dir).open()?;
        let entries = db.keyspace("entries", KeyspaceCreateOptions::default)?;
        let salts = db.keyspace("salts", KeyspaceCreateOptions::default)?;
        let blobs = db.keyspace("blobs", KeyspaceCreateOptions::default)?;
        Ok(Fjall { db, entries, salts, blobs, first: 1 })
    }
}

impl Engine for Fjall {
    fn append(&mut self, entries: &[Entry], meta: &[u8]) -> Fallible<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for entry in entries {
            batch.insert(&self.entries, entry.index.to_be_bytes(), entry.entry.as_slice());
            batch.insert(&self.salts, entry.index.to_be_bytes(), entry.salt.as_slice());
        }
        batch.insert(&self.blobs, "meta", meta);
        Ok(batch.commit()?)
    }

    fn compact(&mut self, before: u64, snapshot: &[u8]) -> Fallible<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for index in self.first..before {
            batch.remove(&self.entries, index.to_be_bytes());
            batch.remove(&self.salts, index.to_be_bytes());
        }
        self.first = before;
        batch.insert(&self.blobs, "snapshot", snapshot);
        Ok(batch.commit()?)
    }
}
