//! What makes a command the owner's own (spec §7).

use crate::{codec::Fixed, digest::Framed, request::Verb, slot::Slot};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

const OWNER_LABEL: &str = "strongroom/owner/v1";
const FRESH_LABEL: &str = "strongroom/fresh-recovery/v1";

/// What an owner's signature or MAC is about, beside the verb's own content.
#[derive(Debug, Clone, Copy)]
pub struct OwnerScope<'a> {
    /// The manifest's namespace.
    pub namespace: &'a str,
    /// The fleet.
    pub fleet: &'a str,
    /// The slot.
    pub slot: &'a Slot,
    /// The verb.
    pub verb: Verb,
    /// The generation of the record that the command is about.
    pub generation: u64,
    /// Strictly increasing for each device key, so that nothing can be replayed.
    pub counter: u64,
    /// SHA-256 of the verb's content ([`body_digest`]).
    pub body: [u8; 32],
}

impl OwnerScope<'_> {
    fn framed(&self, label: &str) -> Vec<u8> {
        Framed::new(label)
            .bytes(self.namespace.as_bytes())
            .bytes(self.fleet.as_bytes())
            .bytes(self.slot.as_bytes())
            .number(u64::from(self.verb.code()))
            .number(self.generation)
            .number(self.counter)
            .bytes(&self.body)
            .into_bytes()
    }

    /// The bytes that a device key signs.
    pub fn device_statement(&self) -> Vec<u8> {
        self.framed(OWNER_LABEL)
    }

    /// The bytes that are authenticated under a fresh recovery's session.
    pub fn fresh_statement(&self) -> Vec<u8> {
        self.framed(FRESH_LABEL)
    }
}

/// A signature by an enrolled device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct OwnerAuth {
    /// The enrolled Ed25519 key.
    #[n(0)]
    pub device: Fixed<32>,
    /// The record's generation, as the device knows it.
    #[n(1)]
    pub generation: u64,
    /// Above every counter that this device has used.
    #[n(2)]
    pub counter: u64,
    /// Ed25519 over [`OwnerScope::device_statement`].
    #[n(3)]
    pub signature: Fixed<64>,
}

/// Why a registration may replace an existing record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Authority {
    /// Nothing: an empty slot takes it at once, an owned one after the delay.
    #[n(0)]
    None {},
    /// An enrolled device says so.
    #[n(1)]
    Device {
        /// Its signature.
        #[n(0)]
        auth: OwnerAuth,
    },
    /// The password was proved in a recovery less than ten minutes ago.
    #[n(2)]
    Fresh {
        /// The generation that was recovered.
        #[n(0)]
        generation: u64,
        /// The attempt that succeeded.
        #[n(1)]
        attempt: u64,
        /// HMAC-SHA-256 over [`OwnerScope::fresh_statement`] (`counter` = attempt).
        #[n(2)]
        mac: Fixed<32>,
    },
}

/// SHA-256 that stands for the content of a verb in an owner's statement.
///
/// `status` and `destroy` have none: their digest is of nothing.
pub fn body_digest(content: &[u8]) -> [u8; 32] {
    crate::digest::sha256(content)
}
