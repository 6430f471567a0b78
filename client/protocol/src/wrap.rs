//! The two seals around a backup key (spec §6): under the export key for as long as the record
//! lives, and around that under the session key for one answer.
//!
//! Each key is derived for one value, so the nonce is zero.

use crate::{error::ProtocolError, key::BackupKey};
use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload, array::Array},
};
use hkdf::Hkdf;
use sha2::Sha256;
use strongroom_wire::{
    Fixed, Slot,
    binding::{self, RELEASE_INFO, WRAP_INFO},
    caps::{RELEASED_KEY_LEN, WRAPPED_KEY_LEN},
};
use zeroize::Zeroizing;

const NONCE: [u8; 12] = [0; 12];

/// What a wrapped key belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) generation: u64,
    pub(crate) keyset: u32,
    pub(crate) ksf_version: u16,
}

impl Place<'_> {
    fn aad(&self) -> Vec<u8> {
        binding::wrap_aad(self.slot, self.generation, self.keyset, self.ksf_version)
    }
}

/// `HKDF-SHA-256(secret, info)`, 32 bytes.
pub(crate) fn derive(secret: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>, ProtocolError> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, secret)
        .expand(info, key.as_mut_slice())
        .map_err(|_| ProtocolError::Internal("HKDF length"))?;
    Ok(key)
}

/// Wraps the backup key for a registration.
pub(crate) fn wrap(
    export_key: &[u8],
    place: &Place<'_>,
    backup_key: &BackupKey,
) -> Result<Fixed<WRAPPED_KEY_LEN>, ProtocolError> {
    let key = derive(export_key, WRAP_INFO)?;
    let payload = Payload { msg: backup_key.as_bytes(), aad: &place.aad() };
    let sealed = Aes256Gcm::new(&Array::from(*key))
        .encrypt(&Array::from(NONCE), payload)
        .map_err(|_| ProtocolError::Internal("AEAD"))?;
    Fixed::from_slice(&sealed).map_err(|_| ProtocolError::Internal("AEAD length"))
}

/// Opens both seals.
pub(crate) fn unwrap(
    session_key: &[u8],
    export_key: &[u8],
    place: &Place<'_>,
    attempt: u64,
    released: &Fixed<RELEASED_KEY_LEN>,
) -> Result<BackupKey, ProtocolError> {
    let aad = binding::release_aad(place.slot, place.generation, attempt);
    let wrapped = open(session_key, RELEASE_INFO, &aad, released.as_slice())
        .ok_or(ProtocolError::ReleasedKey)?;
    let backup_key =
        open(export_key, WRAP_INFO, &place.aad(), &wrapped).ok_or(ProtocolError::WrappedKey)?;
    let bytes =
        <[u8; 32]>::try_from(backup_key.as_slice()).map_err(|_| ProtocolError::WrappedKey)?;
    Ok(BackupKey::from_bytes(bytes))
}

fn open(secret: &[u8], info: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = derive(secret, info).ok()?;
    let payload = Payload { msg: sealed, aad };
    Aes256Gcm::new(&Array::from(*key))
        .decrypt(&Array::from(NONCE), payload)
        .ok()
        .map(Zeroizing::new)
}
