//! Everything that the host stores is sealed here.
//!
//! Each process seals under a key of its own, derived from the node's sealing root and the process id that stands in
//! the record's header; so the nonce can be a plain counter, and a later process of the same node can still read.
//! Entries carry the chain hash of the entry before them in their associated data: the host can lose the end of the
//! chain or all of it, but cannot cut, swap, repeat or mix.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{NodeId, ReplicaId};

const SEAL_LABEL: &[u8] = b"strongroom/replica/seal/v1";
const SALT_LABEL: &[u8] = b"strongroom/replica/salt/v1";
const VERSION: u8 = 1;
const HEADER: usize = 26;

/// A 32-byte digest of the history up to an entry.
pub(crate) type ChainHash = [u8; 32];

/// What a record is; part of its associated data, so that none passes for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Meta = 1,
    Snapshot = 2,
    Salts = 3,
    Entry = 4,
    EntrySalt = 5,
}

/// Where a record belongs: its index, and the chain hash that it hangs on.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) hash: ChainHash,
}

impl Place {
    /// For records of which there is one.
    pub(crate) const ONLY: Self = Self { index: 0, hash: [0; 32] };
}

/// A numbered erasure key: what makes salts forgettable.
#[derive(Clone, Zeroize)]
pub(crate) struct ErasureKey {
    pub(crate) number: u64,
    pub(crate) key: [u8; 32],
}

impl Drop for ErasureKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Seals under this process's keys and opens those of every process of this node.
pub(crate) struct Sealer {
    root: Zeroizing<[u8; 32]>,
    fleet: String,
    node: NodeId,
    id: ReplicaId,
    /// Records sealed so far by this process, over all of its keys: the nonce.
    counter: u64,
    /// By process.
    plain: BTreeMap<u64, Aes256Gcm>,
    /// By process and erasure key number. Emptied when a key is forgotten.
    salted: BTreeMap<(u64, u64), Aes256Gcm>,
}

/// Most derived keys that are kept; a disk with records of more processes derives them again.
const KEYS_KEPT: usize = 64;

fn cipher(salt: Option<&[u8]>, root: &[u8; 32], info: &[&[u8]]) -> Option<Aes256Gcm> {
    let mut okm = Zeroizing::new([0u8; 32]);
    Hkdf::<Sha256>::new(salt, root).expand_multi_info(info, okm.as_mut_slice()).ok()?;
    Some(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*okm)))
}

impl Sealer {
    pub(crate) fn new(root: [u8; 32], fleet: &str, id: ReplicaId) -> Self {
        let (plain, salted) = (BTreeMap::new(), BTreeMap::new());
        Self {
            root: Zeroizing::new(root),
            fleet: fleet.into(),
            node: id.node(),
            id,
            counter: 0,
            plain,
            salted,
        }
    }

    /// `None` only when the counter is spent, which the caller turns into a halt.
    pub(crate) fn seal(
        &mut self,
        kind: Kind,
        extra: u64,
        place: Place,
        text: &[u8],
    ) -> Option<Vec<u8>> {
        self.seal_with(None, kind, extra, place, text)
    }

    /// Seals salts under the node's erasure key *and* its sealing root.
    pub(crate) fn seal_salt(
        &mut self,
        key: &ErasureKey,
        kind: Kind,
        place: Place,
        text: &[u8],
    ) -> Option<Vec<u8>> {
        self.seal_with(Some(key), kind, key.number, place, text)
    }

    fn seal_with(
        &mut self,
        key: Option<&ErasureKey>,
        kind: Kind,
        extra: u64,
        place: Place,
        text: &[u8],
    ) -> Option<Vec<u8>> {
        self.counter = self.counter.checked_add(1)?;
        let (id, counter) = (self.id.as_u64(), self.counter);
        let mut sealed = Vec::with_capacity(text.len().saturating_add(HEADER).saturating_add(16));
        sealed.extend_from_slice(&[VERSION, kind as u8]);
        sealed.extend_from_slice(&id.to_be_bytes());
        sealed.extend_from_slice(&counter.to_be_bytes());
        sealed.extend_from_slice(&extra.to_be_bytes());
        let aad = self.associated(&sealed, place);
        let cipher = self.key_of(key, id)?;
        let body = cipher.encrypt(&nonce(counter), Payload { msg: text, aad: &aad }).ok()?;
        sealed.extend_from_slice(&body);
        Some(sealed)
    }

    /// `None` when this node never sealed that, or not for that place.
    pub(crate) fn open(
        &mut self,
        kind: Kind,
        place: Place,
        sealed: &[u8],
    ) -> Option<(u64, Zeroizing<Vec<u8>>)> {
        self.open_with(None, kind, place, sealed)
    }

    /// Likewise, for salts.
    pub(crate) fn open_salt(
        &mut self,
        key: &ErasureKey,
        kind: Kind,
        place: Place,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        self.open_with(Some(key), kind, place, sealed).map(|(_, text)| text)
    }

    fn open_with(
        &mut self,
        key: Option<&ErasureKey>,
        kind: Kind,
        place: Place,
        sealed: &[u8],
    ) -> Option<(u64, Zeroizing<Vec<u8>>)> {
        let (header, body) = sealed.split_at_checked(HEADER)?;
        let head = Header::read(header)?;
        let right_key = key.is_none_or(|k| k.number == head.extra);
        if head.kind != kind as u8 || head.id.node() != self.node || !right_key {
            return None;
        }
        let aad = self.associated(header, place);
        let cipher = self.key_of(key, head.id.as_u64())?;
        let text = cipher.decrypt(&nonce(head.counter), Payload { msg: body, aad: &aad }).ok()?;
        Some((head.extra, Zeroizing::new(text)))
    }

    /// Forgets what was derived from erasure keys.
    pub(crate) fn forget_salt_keys(&mut self) {
        self.salted.clear();
    }

    fn associated(&self, header: &[u8], place: Place) -> Vec<u8> {
        let mut aad = Vec::new();
        aad.extend_from_slice(SEAL_LABEL);
        // The fleet id is at most 64 bytes, so its length fits.
        aad.push(self.fleet.len() as u8);
        aad.extend_from_slice(self.fleet.as_bytes());
        aad.push(self.node.number());
        aad.extend_from_slice(header);
        aad.extend_from_slice(&place.index.to_be_bytes());
        aad.extend_from_slice(&place.hash);
        aad
    }

    fn key_of(&mut self, erasure: Option<&ErasureKey>, id: u64) -> Option<&Aes256Gcm> {
        let fleet_len = [self.fleet.len() as u8];
        let (process, node) = (id.to_be_bytes(), [self.node.number()]);
        let fleet = self.fleet.as_bytes();
        if let Some(erasure) = erasure {
            let number = erasure.number.to_be_bytes();
            let slot = (id, erasure.number);
            if !self.salted.contains_key(&slot) {
                let info: [&[u8]; 6] = [SALT_LABEL, &fleet_len, fleet, &node, &process, &number];
                let made = cipher(Some(&erasure.key), &self.root, &info)?;
                trim(&mut self.salted);
                self.salted.insert(slot, made);
            }
            return self.salted.get(&slot);
        }
        if !self.plain.contains_key(&id) {
            let made = cipher(None, &self.root, &[SEAL_LABEL, &fleet_len, fleet, &node, &process])?;
            trim(&mut self.plain);
            self.plain.insert(id, made);
        }
        self.plain.get(&id)
    }
}

fn trim<K: Ord, V>(keys: &mut BTreeMap<K, V>) {
    if keys.len() >= KEYS_KEPT {
        keys.clear();
    }
}

/// Unique under one process's key, because the counter never repeats.
fn nonce(counter: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut bytes = [0u8; 12];
    let (_, low) = bytes.split_at_mut(4);
    low.copy_from_slice(&counter.to_be_bytes());
    Nonce::from(bytes)
}

struct Header {
    kind: u8,
    id: ReplicaId,
    counter: u64,
    extra: u64,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[version, kind], rest) = bytes.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_first_chunk::<8>()?;
        let (counter, rest) = rest.split_first_chunk::<8>()?;
        let (extra, rest) = rest.split_first_chunk::<8>()?;
        if version != VERSION || !rest.is_empty() {
            return None;
        }
        let id = ReplicaId::from_u64(u64::from_be_bytes(*id))?;
        Some(Self {
            kind,
            id,
            counter: u64::from_be_bytes(*counter),
            extra: u64::from_be_bytes(*extra),
        })
    }
}

/// The erasure key number in a sealed salt's header; only a hint for choosing the key, the seal decides.
pub(crate) fn key_number(sealed: &[u8]) -> Option<u64> {
    let (header, _) = sealed.split_at_checked(HEADER)?;
    Header::read(header).map(|h| h.extra)
}

#[cfg(test)]
impl Sealer {
    pub(crate) fn danger_skip_to(&mut self, counter: u64) {
        self.counter = counter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(node: u8, nonce: u64) -> Sealer {
        Sealer::new([7; 32], "test", ReplicaId::new(NodeId::new(node).unwrap(), nonce).unwrap())
    }

    #[test]
    fn a_later_process_of_the_node_reads_what_an_earlier_one_sealed() {
        let place = Place { index: 9, hash: [1; 32] };
        let sealed = sealer(1, 1).seal(Kind::Entry, 5, place, b"text").unwrap();
        let (extra, text) = sealer(1, 2).open(Kind::Entry, place, &sealed).unwrap();
        assert_eq!((extra, text.as_slice()), (5, b"text".as_slice()));
    }

    #[test]
    fn a_record_opens_only_in_its_own_place() {
        let place = Place { index: 9, hash: [1; 32] };
        let sealed = sealer(1, 1).seal(Kind::Entry, 5, place, b"text").unwrap();
        let mut reader = sealer(1, 2);
        assert!(reader.open(Kind::Entry, Place { index: 8, ..place }, &sealed).is_none());
        assert!(reader.open(Kind::Entry, Place { hash: [2; 32], ..place }, &sealed).is_none());
        assert!(reader.open(Kind::Meta, place, &sealed).is_none());
        assert!(sealer(2, 1).open(Kind::Entry, place, &sealed).is_none());
        assert!(
            Sealer::new([8; 32], "test", reader.id).open(Kind::Entry, place, &sealed).is_none()
        );
        assert!(
            Sealer::new([7; 32], "other", reader.id).open(Kind::Entry, place, &sealed).is_none()
        );
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(reader.open(Kind::Entry, place, &flipped).is_none(), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert!(reader.open(Kind::Entry, place, &sealed[..cut]).is_none());
        }
    }

    #[test]
    fn inv7_a_salt_needs_both_the_sealing_root_and_the_erasure_key() {
        let key = ErasureKey { number: 3, key: [9; 32] };
        let sealed = sealer(1, 1).seal_salt(&key, Kind::EntrySalt, Place::ONLY, b"salt").unwrap();
        assert_eq!(key_number(&sealed), Some(3));
        assert!(sealer(1, 2).open_salt(&key, Kind::EntrySalt, Place::ONLY, &sealed).is_some());
        let other = ErasureKey { number: 3, key: [8; 32] };
        assert!(sealer(1, 2).open_salt(&other, Kind::EntrySalt, Place::ONLY, &sealed).is_none());
        let mut stranger =
            Sealer::new([8; 32], "test", ReplicaId::new(NodeId::new(1).unwrap(), 1).unwrap());
        assert!(stranger.open_salt(&key, Kind::EntrySalt, Place::ONLY, &sealed).is_none());
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let mut s = sealer(1, 1);
        assert_ne!(
            s.seal(Kind::Meta, 0, Place::ONLY, b"x"),
            s.seal(Kind::Meta, 0, Place::ONLY, b"x")
        );
    }

    #[test]
    fn records_of_more_processes_than_keys_are_kept_all_open() {
        let mut reader = sealer(1, 1);
        let erasure = ErasureKey { number: 1, key: [9; 32] };
        for process in 2..=KEYS_KEPT as u64 + 10 {
            let mut writer = sealer(1, process);
            let entry = writer.seal(Kind::Entry, 5, Place::ONLY, b"text").unwrap();
            let salt = writer.seal_salt(&erasure, Kind::EntrySalt, Place::ONLY, b"salt").unwrap();
            assert!(reader.open(Kind::Entry, Place::ONLY, &entry).is_some());
            assert!(reader.open_salt(&erasure, Kind::EntrySalt, Place::ONLY, &salt).is_some());
            assert!(reader.plain.len() <= KEYS_KEPT && reader.salted.len() <= KEYS_KEPT);
        }
    }
}
