//! What stands in for a record that does not exist.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_wire::{Framed, Slot};
use zeroize::Zeroizing;

/// Derives stable fakes from a fleet's PRF key, the same on every node.
pub struct Fakes(Zeroizing<[u8; 32]>);

impl Fakes {
    /// Fakes under a key.
    pub const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The salt of an unknown slot: fixed, so that two attempts see one OPRF key, as a record's would.
    pub fn salt(&self, slot: &Slot) -> [u8; 32] {
        self.prf("strongroom/fake/salt/v1", slot, &[])
    }

    /// The generation of an unknown slot: small, like that of a young record.
    pub fn generation(&self, slot: &Slot) -> u64 {
        let [first, ..] = self.prf("strongroom/fake/generation/v1", slot, &[]);
        // Most records are in their first generation; a fake's is 1 or, one time in eight, 2.
        if first < 32 { 2 } else { 1 }
    }

    /// The seed that answers one KE1: the same KE1 gets the same answer, as with a record.
    pub fn seed(&self, slot: &Slot, ke1_digest: &[u8; 32]) -> [u8; 32] {
        self.prf("strongroom/fake/seed/v1", slot, ke1_digest)
    }

    fn prf(&self, label: &str, slot: &Slot, rest: &[u8]) -> [u8; 32] {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else {
            return [0; 32];
        };
        mac.update(&Framed::new(label).bytes(slot.as_bytes()).bytes(rest).into_bytes());
        mac.finalize().into_bytes().into()
    }
}
