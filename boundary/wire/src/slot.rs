//! The user's one place in the vault (spec §3).

use crate::{caps, codec::Fixed, digest::Framed, digest::sha256};
use minicbor::{Decode, Encode};

const SLOT_LABEL: &str = "strongroom/slot/v1";

/// SHA-256 of the normalised account name: what a device puts into its sealed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct AccountHash(#[n(0)] pub Fixed<32>);

impl AccountHash {
    /// Hashes an account name that the client has normalised.
    ///
    /// Returns nothing for an empty name or one above [`caps::ACCOUNT_LEN_MAX`].
    pub fn of(account: &str) -> Option<Self> {
        (!account.is_empty() && account.len() <= caps::ACCOUNT_LEN_MAX)
            .then(|| Self(Fixed(sha256(account.as_bytes()))))
    }
}

/// `SHA-256(label ‖ app ‖ account hash)`, each with its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Slot(#[n(0)] pub Fixed<32>);

impl Slot {
    /// The slot of an account in an app.
    ///
    /// The vault takes the app from the manifest's entry for the ticket's key and the account hash
    /// from the sealed request, so that a gateway can mint no alias and reach no other app's slots.
    pub fn of(app: &str, account: &AccountHash) -> Self {
        Self(Fixed(Framed::new(SLOT_LABEL).bytes(app.as_bytes()).bytes(&account.0.0).digest()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}
