//! raft-engine: an append-only log with an index in memory. Its entries are protobuf messages whose
//! index it asks for; ours is the first eight bytes.

use std::path::Path;

use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine as Inner, LogBatch, MessageExt, ReadableSize};

use crate::{Engine, Entry, Fallible};

const REGION: u64 = 1;

pub struct RaftEngine {
    inner: Inner,
}

#[derive(Clone)]
struct Indexed;

impl MessageExt for Indexed {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry.value.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }
}

impl RaftEngine {
    pub fn open(dir: &Path) -> Fallible<RaftEngine> {
        let config = Config {
            dir: dir.to_string_lossy().into_owned(),
            batch_compression_threshold: ReadableSize(0),
            purge_threshold: ReadableSize::mb(256),
            ..Config::default()
        };
        Ok(RaftEngine { inner: Inner::open(config)? })
    }
}

impl Engine for RaftEngine {
    fn append(&mut self, entries: &[Entry], meta: &[u8]) -> Fallible<()> {
        let mut batch = LogBatch::default();
        let mut list = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut value = BytesValue::new();
            value.value = [&entry.index.to_be_bytes()[..], &entry.entry, &entry.salt].concat();
            list.push(value);
        }
        batch.add_entries::<Indexed>(REGION, &list)?;
        batch.put(REGION, b"meta".to_vec(), meta.to_vec())?;
        self.inner.write(&mut batch, true)?;
        Ok(())
    }

    fn compact(&mut self, before: u64, snapshot: &[u8]) -> Fallible<()> {
        let mut batch = LogBatch::default();
        batch.put(REGION, b"snapshot".to_vec(), snapshot.to_vec())?;
        self.inner.write(&mut batch, true)?;
        self.inner.compact_to(REGION, before);
        self.inner.purge_expired_files()?;
        Ok(())
    }
}
