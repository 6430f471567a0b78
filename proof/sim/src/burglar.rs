//! Somebody who took every disk that hosts ever kept, and all keys that are left: what do they open?
//!
//! Written from the specification (§13.1, §13.5) and not with the vault's own code, which could be wrong
//! on both sides.

use crate::{fleet::FLEET, hardware::NodeHardware};
use aes_gcm::{
    Aes256Gcm, Key, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};

/// Version, kind, process, counter, extra.
const HEADER: usize = 26;
const TAG: usize = 16;

/// An erasure key, and its number.
type Numbered = (u64, [u8; 32]);

/// Keys that a cell holds.
pub fn cell_keys(cell: &[u8]) -> Vec<Numbered> {
    let chunks = cell.get(2..).unwrap_or_default().chunks_exact(40);
    let read = |chunk: &[u8]| Some((number(chunk, 0)?, chunk[8..].try_into().ok()?));
    chunks.filter_map(read).collect()
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes)
}

/// What a sealed record's header says beside kind, process and counter: an era, an index, a term or the
/// number of an erasure key.
pub fn sealed_extra(sealed: &[u8]) -> Option<u64> {
    number(sealed, 18)
}

/// One node's sealing root and what is left in its cell, but for keys that its host copied.
pub struct Burglar<'a> {
    node: u8,
    root: &'a [u8; 32],
    keys: Vec<Numbered>,
    ciphers: BTreeMap<(u64, Numbered), Aes256Gcm>,
}

impl<'a> Burglar<'a> {
    /// At a node, with all that its hardware holds now.
    pub fn at(node: u8, hardware: &'a NodeHardware) -> Self {
        let copied = hardware.copied.borrow();
        let mut keys = cell_keys(&hardware.cell.borrow());
        keys.retain(|(_, key)| !copied.contains(key));
        Self { node, root: &hardware.sealing_root, keys, ciphers: BTreeMap::new() }
    }

    /// Which of some salts are in one sealed record of salts, as far as any key opens it.
    pub fn find(&mut self, sealed: &[u8], wanted: &BTreeSet<[u8; 32]>) -> Option<[u8; 32]> {
        let (process, counter) = (number(sealed, 2)?, number(sealed, 10)?);
        let of = sealed_extra(sealed)?;
        let body = sealed.get(HEADER..sealed.len().checked_sub(TAG)?)?;
        for key in self.keys.clone().into_iter().filter(|(number, _)| *number == of) {
            let text = self.text(process, key, counter, body)?;
            let mut windows = text.windows(32).filter_map(|window| window.try_into().ok());
            if let Some(found) = windows.find(|window| wanted.contains(window)) {
                return Some(found);
            }
        }
        None
    }

    /// The text under a key and a nonce, whether or not it authenticates: zeros under the same key and
    /// nonce are the key stream.
    fn text(&mut self, process: u64, key: Numbered, nonce: u64, body: &[u8]) -> Option<Vec<u8>> {
        let cipher = match self.ciphers.get(&(process, key)) {
            Some(cipher) => cipher,
            None => {
                let made = self.cipher(process, key)?;
                self.ciphers.entry((process, key)).or_insert(made)
            }
        };
        let mut counted = [0; 12];
        counted[4..].copy_from_slice(&nonce.to_be_bytes());
        let zeros = vec![0; body.len()];
        let payload = Payload { msg: &zeros, aad: &[] };
        let stream = cipher.encrypt(&Nonce::from(counted), payload).ok()?;
        Some(body.iter().zip(stream).map(|(byte, stream)| byte ^ stream).collect())
    }

    fn cipher(&self, process: u64, (number, key): Numbered) -> Option<Aes256Gcm> {
        let fleet = FLEET.as_bytes();
        let info: [&[u8]; 6] = [
            b"strongroom/replica/salt/v1",
            &[u8::try_from(fleet.len()).ok()?],
            fleet,
            &[self.node],
            &process.to_be_bytes(),
            &number.to_be_bytes(),
        ];
        let mut derived = [0; 32];
        Hkdf::<Sha256>::new(Some(&key), self.root).expand_multi_info(&info, &mut derived).ok()?;
        Some(Aes256Gcm::new(&Key::<Aes256Gcm>::from(derived)))
    }
}
