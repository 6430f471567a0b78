//! A host's disk: it keeps every state it ever had, and may put any of them back.

use std::collections::BTreeMap;
use strongroom_wire::{
    codec::Blob,
    process::{PersistOp, ToVault},
};

/// One state of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    meta: Option<Blob>,
    snapshot: Option<Blob>,
    salts: Option<Blob>,
    entries: BTreeMap<u64, (Blob, Blob)>,
    /// The host damaged what its process had been told is durable.
    damaged: bool,
}

/// What a host puts in the place of today's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    /// Today's.
    Today,
    /// An older state, this share of the way through the disk's history, in 256ths.
    Old(u8),
    /// Nothing.
    Empty,
    /// Today's without the last entry's end.
    Torn,
    /// Today's with one byte of one entry changed.
    Flipped,
    /// Today's without so many of its newest entries.
    Cut(u8),
}

impl Image {
    /// Applies a batch.
    pub fn apply(&mut self, ops: &[PersistOp]) {
        for op in ops {
            match op {
                PersistOp::Meta { bytes } => self.meta = Some(bytes.clone()),
                PersistOp::Entry { index, entry, salt } => {
                    self.entries.insert(*index, (entry.clone(), salt.clone()));
                }
                PersistOp::EntrySalt { index, salt } => {
                    if let Some((_, place)) = self.entries.get_mut(index) {
                        *place = salt.clone();
                    }
                }
                PersistOp::TruncateFrom { index } => {
                    self.entries.split_off(index);
                }
                PersistOp::CompactBefore { index } => {
                    self.entries = self.entries.split_off(index);
                }
                PersistOp::Snapshot { bytes } => self.snapshot = Some(bytes.clone()),
                PersistOp::Salts { bytes } => self.salts = Some(bytes.clone()),
                PersistOp::Clear {} => *self = Self::default(),
            }
        }
    }

    /// What the host hands to a new process.
    pub fn load(&self) -> Vec<ToVault> {
        let meta = self.meta.clone().map(|bytes| ToVault::LoadMeta { bytes });
        let snapshot = self.snapshot.clone().map(|bytes| ToVault::LoadSnapshot { bytes });
        let salts = self.salts.clone().map(|bytes| ToVault::LoadSalts { bytes });
        let entries = self.entries.iter().map(|(index, (entry, salt))| ToVault::LoadEntry {
            index: *index,
            entry: entry.clone(),
            salt: salt.clone(),
        });
        meta.into_iter()
            .chain(snapshot)
            .chain(salts)
            .chain(entries)
            .chain([ToVault::LoadEnd {}])
            .collect()
    }

    /// Every byte string of this disk.
    pub fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        let single = [&self.meta, &self.snapshot, &self.salts];
        let entries = self.entries.values().flat_map(|(entry, salt)| [entry, salt]);
        single.into_iter().flatten().chain(entries).map(|blob| blob.0.as_slice())
    }

    /// Whether no process may tell custodians anything from it.
    pub fn proves_nothing(&self) -> bool {
        self.damaged || self.snapshot.is_none()
    }

    fn last_entry(&mut self) -> Option<&mut Vec<u8>> {
        self.entries.values_mut().next_back().map(|(entry, _)| &mut entry.0)
    }
}

/// A disk with its history.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    today: Image,
    history: Vec<Image>,
    applied: usize,
}

/// States that a host keeps for later.
const HISTORY: usize = 24;

impl Disk {
    /// Today's state.
    pub const fn today(&self) -> &Image {
        &self.today
    }

    /// One durable batch.
    pub fn apply(&mut self, ops: &[PersistOp]) {
        // A host that keeps everything keeps this too; a sample is enough to be nasty with.
        if self.history.len() >= HISTORY {
            // The newer half is the latest states; the older half is taken from all that came before.
            let half = HISTORY / 2;
            let keeps = self.applied.is_multiple_of(16);
            self.history.remove(if keeps { 1 + self.applied / 16 % (half - 1) } else { half });
        }
        self.applied += 1;
        self.history.push(self.today.clone());
        self.today.apply(ops);
    }

    /// Puts a state in today's place.
    pub fn restore(&mut self, how: Restore) {
        match how {
            Restore::Today => {}
            Restore::Old(share) => {
                let at = self.history.len() * usize::from(share) / 256;
                if let Some(old) = self.history.get(at) {
                    self.today = old.clone();
                }
            }
            Restore::Empty => self.today = Image::default(),
            Restore::Torn => {
                if let Some(entry) = self.today.last_entry() {
                    entry.truncate(entry.len() / 2);
                    self.today.damaged = true;
                }
            }
            Restore::Flipped => {
                if let Some(byte) = self.today.last_entry().and_then(|e| e.last_mut()) {
                    // Twice is not undone.
                    *byte = byte.wrapping_add(1);
                    self.today.damaged = true;
                }
            }
            Restore::Cut(entries) => {
                for _ in 0..entries {
                    self.today.damaged |= self.today.entries.pop_last().is_some();
                }
            }
        }
    }
}
