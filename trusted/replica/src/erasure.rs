//! Forgetting: the erasure key and the hardware cell that holds it.
//!
//! A host keeps every byte that it ever saw, so erasing means forgetting a key. Salts are on disk only under the
//! erasure key, and the key is only in the cell, an object that the hardware can overwrite. Each compaction makes the
//! next key, seals the salts that still live under it, and then overwrites the cell.

use alloc::vec::Vec;
use chacha20::ChaCha20Rng;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::{Rng, SeedableRng};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::seal::ErasureKey;

const VERSION: u8 = 1;
const KEY: usize = 40;

/// The erasure key's life, the mechanism of INV-7
///
/// Once a receipt says `erased`, what remains anywhere cannot recover it, with every key that is left. Here that is:
/// after [`Erasure::retire`] the cell holds no key that opens a salt sealed before the compaction.
pub(crate) struct Erasure {
    current: ErasureKey,
    /// In the cell, and already used, but the salts under it are not yet durable.
    next: Option<ErasureKey>,
    rng: ChaCha20Rng,
    /// The cell differs from this state.
    dirty: bool,
}

/// A PRF of this process's seed.
pub(crate) fn prf(seed: &[u8; 32], label: &[u8], number: u64) -> Option<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(seed).ok()?;
    mac.update(label);
    mac.update(&number.to_be_bytes());
    Some(mac.finalize().into_bytes().into())
}

impl Erasure {
    /// Keys as the cell has them, newest first, before the disk said which one it uses.
    pub(crate) fn decode(cell: &[u8]) -> Option<Vec<ErasureKey>> {
        let (&[version, count], rest) = cell.split_first_chunk::<2>()?;
        if version != VERSION || !(1..=2).contains(&count) || rest.len() != KEY * usize::from(count)
        {
            return None;
        }
        let mut keys = Vec::new();
        for chunk in rest.chunks_exact(KEY) {
            let (number, key) = chunk.split_first_chunk::<8>()?;
            keys.push(ErasureKey {
                number: u64::from_be_bytes(*number),
                key: key.try_into().ok()?,
            });
        }
        let ascending = keys
            .windows(2)
            .all(|w| matches!(w, [a, b] if a.number.checked_add(1) == Some(b.number)));
        if !ascending
            || keys.iter().any(|k| k.number == 0 || k.number >= crate::config::NUMBER_CEILING)
        {
            return None;
        }
        keys.reverse();
        Some(keys)
    }

    /// Settles on one key: the one that the disk's salts need, otherwise the newest.
    ///
    /// A crash between "cell holds j and j+1" and "salts under j+1 are durable" leaves a disk under j; one after it
    /// leaves a disk under j+1. Both end here with one key and no lost salt, since a batch is durable as a whole.
    pub(crate) fn new(seed: &[u8; 32], keys: Vec<ErasureKey>, used: Option<u64>) -> Option<Self> {
        let mut rng_seed = Zeroizing::new(prf(seed, b"strongroom/replica/erasure/v1", 0)?);
        let mut rng = ChaCha20Rng::from_seed(*rng_seed);
        rng_seed.zeroize();
        let held = keys.len();
        let chosen = keys.iter().find(|k| Some(k.number) == used).or(keys.first()).cloned();
        let (current, dirty) = match chosen {
            Some(key) => (key, held != 1),
            None => (fresh(&mut rng, 1), true),
        };
        Some(Self { current, next: None, rng, dirty })
    }

    /// The key that new salts are sealed under.
    pub(crate) fn sealing_key(&self) -> &ErasureKey {
        self.next.as_ref().unwrap_or(&self.current)
    }

    pub(crate) fn in_progress(&self) -> bool {
        self.next.is_some()
    }

    /// Makes key j+1 and puts it beside j in the cell. A crash after this loses nothing: the disk still needs j.
    pub(crate) fn prepare(&mut self) -> bool {
        let Some(number) = self.current.number.checked_add(1) else {
            return false;
        };
        self.next = Some(fresh(&mut self.rng, number));
        self.dirty = true;
        true
    }

    /// The salts under j+1 are durable: j leaves the cell. A crash before the cell is overwritten keeps both keys,
    /// and the next process settles on j+1, because that is what its disk needs.
    pub(crate) fn retire(&mut self) {
        if cfg!(feature = "danger_mutant_keep_old_erasure_key") {
            // The cell goes on holding both; only this process forgets the older one.
            self.current = self.next.take().unwrap_or_else(|| self.current.clone());
            self.dirty = false;
        } else if let Some(next) = self.next.take() {
            self.current = next;
            self.dirty = true;
        }
    }

    /// The cell's new contents, if it must be overwritten.
    pub(crate) fn cell(&mut self) -> Option<Vec<u8>> {
        if !core::mem::take(&mut self.dirty) {
            return None;
        }
        let mut bytes = Vec::with_capacity(2 + 2 * KEY);
        bytes.extend_from_slice(&[VERSION, if self.next.is_some() { 2 } else { 1 }]);
        for key in core::iter::once(&self.current).chain(self.next.as_ref()) {
            bytes.extend_from_slice(&key.number.to_be_bytes());
            bytes.extend_from_slice(&key.key);
        }
        Some(bytes)
    }
}

/// A key that cannot be made again: the generator is replaced by its own output, so that what stays in
/// memory tells nothing of the keys that it gave. A generator that could be wound back would undo every
/// overwritten cell.
fn fresh(rng: &mut ChaCha20Rng, number: u64) -> ErasureKey {
    let mut key = ErasureKey { number, key: [0; 32] };
    rng.fill_bytes(&mut key.key);
    let mut next = Zeroizing::new([0; 32]);
    rng.fill_bytes(next.as_mut_slice());
    *rng = ChaCha20Rng::from_seed(*next);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_node_writes_its_cell_first() {
        let mut e = Erasure::new(&[1; 32], Vec::new(), None).unwrap();
        let cell = e.cell().unwrap();
        assert_eq!(Erasure::decode(&cell).unwrap().len(), 1);
        assert_eq!(e.cell(), None);
    }

    #[test]
    fn inv7_the_cell_holds_both_keys_until_the_new_one_is_durable_and_then_only_the_new_one() {
        let mut e = Erasure::new(&[1; 32], Vec::new(), None).unwrap();
        let first = Erasure::decode(&e.cell().unwrap()).unwrap();
        assert!(e.prepare());
        let both = Erasure::decode(&e.cell().unwrap()).unwrap();
        assert_eq!(both.iter().map(|k| k.number).collect::<Vec<_>>(), [2, 1]);
        e.retire();
        let after = Erasure::decode(&e.cell().unwrap()).unwrap();
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].number, 2);
        assert_ne!(after[0].key, first[0].key);
    }

    #[test]
    fn a_crash_in_between_settles_on_the_key_that_the_disk_needs() {
        let mut e = Erasure::new(&[1; 32], Vec::new(), None).unwrap();
        e.prepare();
        let cell = e.cell().unwrap();
        let keys = || Erasure::decode(&cell).unwrap();
        assert_eq!(Erasure::new(&[2; 32], keys(), Some(1)).unwrap().sealing_key().number, 1);
        assert_eq!(Erasure::new(&[2; 32], keys(), Some(2)).unwrap().sealing_key().number, 2);
        assert_eq!(Erasure::new(&[2; 32], keys(), None).unwrap().sealing_key().number, 2);
        assert!(Erasure::new(&[2; 32], keys(), Some(1)).unwrap().cell().is_some());
    }

    #[test]
    fn the_last_number_of_a_key_is_followed_by_none() {
        let mut e = Erasure::new(&[1; 32], Vec::new(), None).unwrap();
        e.current.number = u64::MAX;
        assert!(!e.prepare());
        assert!(!e.in_progress());
    }

    #[test]
    fn a_strange_cell_is_refused() {
        assert!(Erasure::decode(&[]).is_none());
        assert!(Erasure::decode(&[1, 0]).is_none());
        assert!(Erasure::decode(&[1, 1, 0]).is_none());
        assert!(Erasure::decode(&[2; 42]).is_none());
        assert!(Erasure::decode(&[[1u8, 1].as_slice(), &[0; 40]].concat()).is_none());
    }
}
