//! What OPAQUE and the wrapped keys are bound to (spec §6): byte strings only, no cryptography.

use crate::{digest::Framed, slot::Slot};
use alloc::vec::Vec;

/// OPAQUE client identity: the slot.
pub fn client_identity(slot: &Slot) -> Vec<u8> {
    slot.as_bytes().to_vec()
}

/// OPAQUE server identity: fixed for a record's life.
///
/// It names the keyset and never the fleet, epoch or manifest: a changed identity or server key
/// breaks every envelope made under it.
pub fn server_identity(namespace: &str, keyset: u32) -> Vec<u8> {
    Framed::new("strongroom/opaque/server/v1")
        .bytes(namespace.as_bytes())
        .number(keyset.into())
        .into_bytes()
}

/// OPAQUE context: where the exchange takes place. It may change between two recoveries.
pub fn context(fleet: &str, epoch: u64) -> Vec<u8> {
    Framed::new("strongroom/opaque/context/v1").bytes(fleet.as_bytes()).number(epoch).into_bytes()
}

/// OPAQUE credential identifier, 72 bytes: slot ‖ generation (u64 BE) ‖ salt.
///
/// Once the salt is gone nobody, seed in hand, can evaluate that record again.
pub fn credential_identifier(slot: &Slot, generation: u64, salt: &[u8; 32]) -> [u8; 72] {
    let mut identifier = [0; 72];
    let generation = generation.to_be_bytes();
    // The parts are 32 + 8 + 32 bytes long, exactly as many as the places.
    let parts = slot.as_bytes().iter().chain(&generation).chain(salt);
    for (place, byte) in identifier.iter_mut().zip(parts) {
        *place = *byte;
    }
    identifier
}

/// HKDF `info` that turns the export key into the key which wraps the backup key.
pub const WRAP_INFO: &[u8] = b"strongroom/wrap/key/v1";

/// AEAD associated data of a wrapped backup key.
pub fn wrap_aad(slot: &Slot, generation: u64, keyset: u32, ksf_version: u16) -> Vec<u8> {
    Framed::new("strongroom/wrap/aad/v1")
        .bytes(slot.as_bytes())
        .number(generation)
        .number(keyset.into())
        .number(ksf_version.into())
        .into_bytes()
}

/// HKDF `info` that turns the session key into the key which releases the wrapped key.
pub const RELEASE_INFO: &[u8] = b"strongroom/release/key/v1";

/// AEAD associated data of a released key.
pub fn release_aad(slot: &Slot, generation: u64, attempt: u64) -> Vec<u8> {
    Framed::new("strongroom/release/aad/v1")
        .bytes(slot.as_bytes())
        .number(generation)
        .number(attempt)
        .into_bytes()
}

/// HKDF `info` that turns the session key into the key of [`crate::owner::Authority::Fresh`].
pub const FRESH_INFO: &[u8] = b"strongroom/fresh-recovery/key/v1";
