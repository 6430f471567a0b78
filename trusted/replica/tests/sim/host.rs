//! Dice, weather, disks and the model of a vault.

use std::collections::BTreeMap;

use strongroom_replica::{DiskEntry, DiskImage, PersistOp};

/// A small generator, so that a seed is a whole history.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn between(&mut self, (low, high): (u64, u64)) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn permille(&mut self, p: u64) -> bool {
        self.below(1000) < p
    }

    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        out
    }
}

#[derive(Clone, Copy)]
pub struct Weather {
    pub delay_ms: (u64, u64),
    pub sync_ms: (u64, u64),
    pub loss: u64,
    pub twice: u64,
}

impl Weather {
    pub const CALM: Self = Self { delay_ms: (5, 15), sync_ms: (1, 3), loss: 0, twice: 0 };
    pub const ROUGH: Self = Self { delay_ms: (1, 120), sync_ms: (1, 60), loss: 40, twice: 40 };
}

/// What a host stores, and what the test knows about it beyond what a host could.
#[derive(Clone, Default)]
pub struct Disk {
    pub image: DiskImage,
    pub hashes: BTreeMap<u64, [u8; 32]>,
    pub snapshot_index: u64,
}

impl Disk {
    pub(super) fn entry(&mut self, index: u64) -> Option<&mut DiskEntry> {
        self.image.entries.iter_mut().find(|e| e.index == index)
    }

    pub(super) fn write(&mut self, write: &Write) {
        for (op, known) in &write.ops {
            self.write_op(op, *known);
        }
    }

    pub(super) fn write_op(&mut self, op: &PersistOp, known: Known) {
        match op {
            PersistOp::PutMeta(bytes) => self.image.meta = Some(bytes.clone()),
            PersistOp::PutSnapshot(bytes) => {
                self.image.snapshot = Some(bytes.clone());
                self.snapshot_index = known.index;
            }
            PersistOp::PutSalts(bytes) => self.image.salts = Some(bytes.clone()),
            PersistOp::PutEntry { index, entry, salt } => {
                let new = DiskEntry { index: *index, entry: entry.clone(), salt: salt.clone() };
                match self.entry(*index) {
                    Some(old) => *old = new,
                    None => {
                        self.image.entries.push(new);
                        self.image.entries.sort_by_key(|e| e.index);
                    }
                }
                self.hashes.insert(*index, known.hash);
            }
            PersistOp::PutEntrySalt { index, salt } => {
                self.entry(*index).unwrap().salt = salt.clone()
            }
            PersistOp::TruncateFrom { index } => {
                self.image.entries.retain(|e| e.index < *index);
                self.hashes.retain(|i, _| i < index);
            }
            PersistOp::CompactBefore { index } => {
                self.image.entries.retain(|e| e.index >= *index);
                self.hashes.retain(|i, _| i >= index);
            }
            PersistOp::Clear => *self = Self::default(),
        }
    }

    pub fn holds(&self, index: u64, hash: Option<[u8; 32]>) -> bool {
        self.snapshot_index >= index || (hash.is_some() && self.hashes.get(&index).copied() == hash)
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) index: u64,
    pub(super) hash: [u8; 32],
}

pub(super) struct Write {
    pub(super) number: u64,
    pub(super) ops: Vec<(PersistOp, Known)>,
}

/// The state that a vault would keep: how many payloads, and a digest of them in order.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Model {
    pub count: u64,
    pub last_index: u64,
    pub salts: BTreeMap<u64, [u8; 32]>,
}

impl Model {
    pub(super) fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let mut state = self.count.to_be_bytes().to_vec();
        state.extend_from_slice(&self.last_index.to_be_bytes());
        let mut salts = Vec::new();
        for (index, salt) in &self.salts {
            salts.extend_from_slice(&index.to_be_bytes());
            salts.extend_from_slice(salt);
        }
        (state, salts)
    }

    pub(super) fn read(state: &[u8], salts: &[u8]) -> Self {
        if state.is_empty() {
            return Self::default();
        }
        let number = |b: &[u8]| u64::from_be_bytes(b.try_into().unwrap());
        let salts =
            salts.chunks(40).map(|c| (number(&c[..8]), c[8..].try_into().unwrap())).collect();
        Self { count: number(&state[..8]), last_index: number(&state[8..]), salts }
    }
}
