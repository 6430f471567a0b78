//! The keys that a device holds, and the authority that a fresh recovery gives.

use crate::{error::ProtocolError, wrap};
use core::fmt;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_wire::{
    Fixed,
    binding::FRESH_INFO,
    owner::{OwnerAuth, OwnerScope},
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The 32 random bytes that the whole product is about. Wiped on drop.
///
/// # INV-10: secrets stay
/// It exists in clear on the device alone: this type is made there, leaves only wrapped under the
/// password's export key, and has no encoding, no display and no content in its debug form. The
/// vault's own secrets stay in its process, which the shell keeps from core dumps and swap.
#[derive(Clone)]
pub struct BackupKey(Zeroizing<[u8; 32]>);

impl BackupKey {
    /// Takes 32 bytes from a good random source, or from a key that the user has already.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for BackupKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for BackupKey {}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey(…)")
    }
}

/// A device's Ed25519 key: signs the owner's commands.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key of a 32-byte random seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key, as records hold it.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(crate) fn authorise(&self, scope: &OwnerScope<'_>) -> OwnerAuth {
        OwnerAuth {
            device: Fixed(self.public()),
            generation: scope.generation,
            counter: scope.counter,
            signature: Fixed(self.0.sign(&scope.device_statement()).to_bytes()),
        }
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey(…)")
    }
}

/// What a proved password may authorise: one registration within ten minutes.
#[derive(Clone)]
pub struct FreshAuthority {
    key: Zeroizing<[u8; 32]>,
    generation: u64,
    attempt: u64,
}

impl FreshAuthority {
    pub(crate) fn of_session(
        session_key: &[u8],
        generation: u64,
        attempt: u64,
    ) -> Result<Self, ProtocolError> {
        Ok(Self { key: wrap::derive(session_key, FRESH_INFO)?, generation, attempt })
    }

    /// The generation that was recovered.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The attempt that succeeded.
    pub const fn attempt(&self) -> u64 {
        self.attempt
    }

    pub(crate) fn mac(&self, scope: &OwnerScope<'_>) -> Result<[u8; 32], ProtocolError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice())
            .map_err(|_| ProtocolError::Internal("HMAC key"))?;
        mac.update(&scope.fresh_statement());
        Ok(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for FreshAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshAuthority")
            .field("generation", &self.generation)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
