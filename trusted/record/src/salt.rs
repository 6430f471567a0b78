//! The 32 bytes without which a record is noise.

use core::fmt;
use strongroom_wire::digest::sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// A record's salt. It lives in vault memory, on peer links and in the sealed salts, nowhere else.
///
/// # INV-7: erased is erased
/// Only the salt is secret *and* fresh for each registration: without it nobody, OPRF seed in hand,
/// can evaluate the record again. So dropping a record drops this value, it is wiped from memory on
/// drop, it is no part of any encoding of the state, and the next compaction seals the salts that
/// are left under a new erasure key.
#[derive(Clone)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A fresh salt.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the credential identifier and for sealing.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a log entry may say of it.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl PartialEq for Salt {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Salt {}

impl Drop for Salt {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}
