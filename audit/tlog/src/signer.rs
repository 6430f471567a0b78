//! Where signatures come from: a seed in memory, or hardware behind one trait.

use crate::keys::{KeyError, LOG_TYPE, NoteKey, WITNESS_TYPE};
use core::fmt;
use ed25519_dalek::{Signer as _, SigningKey};

/// An Ed25519 key that can sign: the seam for a token.
pub trait NoteSigner {
    /// Its public key.
    fn public(&self) -> [u8; 32];

    /// Its signature over `message`: pure Ed25519, no prehash, no context.
    ///
    /// # Errors
    /// [`SignError::Device`] with what the device says.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// Which signer a program uses may depend on its settings.
impl<S: NoteSigner + ?Sized> NoteSigner for Box<S> {
    fn public(&self) -> [u8; 32] {
        (**self).public()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        (**self).sign(message)
    }
}

/// A key held in memory.
pub struct SeedSigner(SigningKey);

impl SeedSigner {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5).
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }
}

impl NoteSigner for SeedSigner {
    fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

/// Prints the public key only.
impl fmt::Debug for SeedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeedSigner({})", hex::encode(self.public()))
    }
}

/// A log's signer.
pub type LogSigner<S> = SignerOf<LOG_TYPE, S>;

/// A witness's signer.
pub type WitnessSigner<S> = SignerOf<WITNESS_TYPE, S>;

/// A signer under a name.
#[derive(Debug)]
pub struct SignerOf<const TYPE: u8, S> {
    key: NoteKey<TYPE>,
    signer: S,
}

impl<const TYPE: u8, S: NoteSigner> SignerOf<TYPE, S> {
    /// Names a signer.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(name: &str, signer: S) -> Result<Self, KeyError> {
        Ok(Self { key: NoteKey::new(name, &signer.public())?, signer })
    }

    /// What others verify with.
    pub const fn key(&self) -> &NoteKey<TYPE> {
        &self.key
    }

    /// A signature that verifies, or none: a faulty device's output can betray its key.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let signature = self.signer.sign(message)?;
        if self.key.verifies(message, &signature) {
            Ok(signature)
        } else {
            Err(SignError::False { name: self.key.name().to_owned() })
        }
    }
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The device did not sign.
    #[error("the signing device says: {0}")]
    Device(String),
    /// The device answered with something that its public key does not verify.
    #[error("the signing device of {name} returned a false signature; take it out of service")]
    False {
        /// The key's name.
        name: String,
    },
    /// A cosignature's time must be 1 to 2^63 − 1 seconds.
    #[error("timestamp {got}, expected 1 to {max}")]
    Timestamp {
        /// Seconds given.
        got: u64,
        /// The largest that C2SP allows.
        max: u64,
    },
    /// What would be signed is no checkpoint or note.
    #[error("refused before signing: {0}")]
    Text(String),
}
