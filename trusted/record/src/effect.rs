//! What a committed entry allows its proposer to answer, once enough nodes hold it.

use crate::salt::Salt;
use strongroom_wire::{
    Fixed, caps,
    response::{Budget, Outcome, Receipt, RecoveryReceipt},
};

/// The outcome of one applied entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Evaluate the registration request with this salt.
    Evaluate {
        /// The pending entry's name.
        entry: Fixed<32>,
        /// The generation it will have.
        generation: u64,
        /// Its keyset.
        keyset: u32,
        /// Its salt.
        salt: Salt,
        /// When it expires.
        expires_ms: u64,
        /// Whether the slot has a record.
        occupied: bool,
    },
    /// Answer KE1 from the record.
    Challenge {
        /// The attempt.
        attempt: u64,
        /// The record's generation.
        generation: u64,
        /// Its keyset.
        keyset: u32,
        /// Its key-stretching parameters.
        ksf_version: u16,
        /// Its OPAQUE record.
        upload: Fixed<{ caps::opaque::REGISTRATION_UPLOAD_LEN }>,
        /// Its salt.
        salt: Salt,
        /// The committed seed.
        seed: Fixed<32>,
        /// When the attempt closes.
        expires_ms: u64,
        /// The budget, charged.
        budget: Budget,
    },
    /// Answer KE1 from a stand-in: there is no record.
    StandIn {
        /// When the pretended attempt closes.
        expires_ms: u64,
        /// The budget of the slot.
        budget: Budget,
    },
    /// Release the wrapped key under the session key of this attempt.
    Release {
        /// The attempt.
        attempt: u64,
        /// Everything that rebuilds its login.
        login: LoginInputs,
        /// The wrapped key.
        wrapped_key: Fixed<{ caps::WRAPPED_KEY_LEN }>,
        /// What the owner should know.
        receipt: RecoveryReceipt,
    },
    /// A registration's receipt.
    Registered(Receipt),
    /// An outcome that needs no more work.
    Plain(Outcome),
    /// Nobody waits for this entry.
    None,
}

/// What rebuilds the login of an attempt on any node, with KE1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginInputs {
    /// The record's generation.
    pub generation: u64,
    /// Its keyset.
    pub keyset: u32,
    /// Its OPAQUE record.
    pub upload: Fixed<{ caps::opaque::REGISTRATION_UPLOAD_LEN }>,
    /// Its salt.
    pub salt: Salt,
    /// The attempt's committed seed.
    pub seed: Fixed<32>,
}
