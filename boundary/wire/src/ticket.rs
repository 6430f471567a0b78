//! What a gateway vouches for: this user, this frame, now (spec §4).

use crate::{
    caps,
    codec::{self, CodecError, Fixed},
    digest::Framed,
    request::Verb,
    slot::Slot,
};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};

const TICKET_LABEL: &str = "strongroom/ticket/v1";
/// The longest a ticket may live, in vault time.
pub const TICKET_LIFE_MS_MAX: u64 = 5 * 60 * 1_000;

/// A ticket before it is sealed to the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ticket {
    /// The fleet it is for.
    #[n(0)]
    pub fleet: String,
    /// The slot of the user whom the gateway authenticated.
    #[n(1)]
    pub slot: Slot,
    /// The verb that the user asked for.
    #[n(2)]
    pub verb: Verb,
    /// SHA-256 of the sealed request: a host cannot reattach the ticket to another frame.
    #[n(3)]
    pub frame_digest: Fixed<32>,
    /// Milliseconds since the Unix epoch after which the vault refuses it.
    #[n(4)]
    pub expires_ms: u64,
    /// Random; one ticket moves a slot once.
    #[n(5)]
    pub id: Fixed<16>,
    /// The gateway's key, as the manifest lists it for an app.
    #[n(6)]
    pub key: Fixed<32>,
    /// Ed25519 over [`Ticket::statement`].
    #[n(7)]
    pub signature: Fixed<64>,
}

impl Ticket {
    /// What the gateway signs: all fields but the signature.
    pub fn statement(&self) -> Vec<u8> {
        Framed::new(TICKET_LABEL)
            .bytes(self.fleet.as_bytes())
            .bytes(self.slot.as_bytes())
            .number(u64::from(self.verb.code()))
            .bytes(&self.frame_digest.0)
            .number(self.expires_ms)
            .bytes(&self.id.0)
            .bytes(&self.key.0)
            .into_bytes()
    }

    /// The padded plaintext that is sealed to the fleet.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] for a fleet name above its cap.
    pub fn to_plaintext(&self) -> Result<Vec<u8>, CodecError> {
        codec::pad(&codec::encode(self), caps::TICKET_PLAINTEXT_LEN)
    }

    /// Reads an opened ticket. Its signature is not checked here.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_plaintext(plaintext: &[u8]) -> Result<Self, CodecError> {
        let content = codec::unpad(plaintext, caps::TICKET_PLAINTEXT_LEN)?;
        codec::decode(content, caps::TICKET_PLAINTEXT_LEN)
    }
}
