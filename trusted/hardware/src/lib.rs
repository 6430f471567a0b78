//! What the vault needs of the thing it runs in: five traits and no body.
//!
//! * **What it is.** The line between trusted logic and hardware. `shells/` holds the bodies.
//! * **What it may assume.** Nothing; it only names.
//! * **What it must never do.** Grow a method that lets a caller read a key that the hardware could
//!   keep: evaluate inside, hand out results.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use zeroize::Zeroizing;

/// What went wrong in the hardware. The vault stays silent until it works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardwareError {
    /// No such key.
    NoKey,
    /// The device did not answer; it may later.
    Unavailable,
    /// The device answered something impossible.
    Broken,
    /// Another process of this node has taken the cell over.
    Taken,
}

impl core::fmt::Display for HardwareError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoKey => "the hardware holds no such key",
            Self::Unavailable => "the hardware does not answer",
            Self::Broken => "the hardware gave an impossible answer",
            Self::Taken => "another process of this node has taken the cell over",
        })
    }
}

impl core::error::Error for HardwareError {}

/// Keys, and what is computed with them.
pub trait Keys {
    /// Signs with the node's Ed25519 identity key.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HardwareError>;

    /// The node's Ed25519 identity key, public half.
    fn identity_public(&self) -> [u8; 32];

    /// The node's X25519 key for peer links.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn link_secret(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError>;

    /// The root of everything this node seals for its own disk.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn sealing_root(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError>;

    /// The seed of the fleet's X-Wing key, of the current epoch.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn hpke_seed(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError>;

    /// `HMAC-SHA-512(OPRF seed of the keyset, identifier ‖ "OprfKey" ‖ 0x01)`, the first 32 bytes:
    /// the key material of one record (RFC 9807 §5.2.2 with the one-block HKDF-Expand written out).
    ///
    /// # Errors
    /// [`HardwareError`].
    fn record_key_material(
        &self,
        keyset: u32,
        credential_identifier: &[u8; 72],
    ) -> Result<Zeroizing<[u8; 32]>, HardwareError>;

    /// The keyset's OPAQUE private key, a ristretto255 scalar. Its theft alone allows only
    /// impersonation, which node signatures stop (INV-6).
    ///
    /// # Errors
    /// [`HardwareError`].
    fn server_private(&self, keyset: u32) -> Result<Zeroizing<[u8; 32]>, HardwareError>;

    /// The fleet's PRF key for fake replies; the same on every node.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn fake_key(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError>;
}

/// A few bytes that can be overwritten, so that what they held is gone.
///
/// One process of the node owns them, the last that claimed them: a host may start one process beside
/// another, and the older one must not write back a key that the newer one has retired (INV-7).
pub trait Cell {
    /// Takes the cell over for this process, durably, and gives the bytes held now; empty at first. From
    /// then on no other process writes it.
    ///
    /// # Errors
    /// [`HardwareError`]: the former owner or this process owns the cell, with the bytes of before.
    fn claim(&mut self, process: u64) -> Result<Zeroizing<Vec<u8>>, HardwareError>;

    /// Compares the owner and replaces the bytes, in one step, durably, before it returns.
    ///
    /// # Errors
    /// [`HardwareError::Taken`] if another process owns the cell: nothing was written. Any other: the bytes
    /// held before or the new ones are held, nothing else.
    fn overwrite(&mut self, process: u64, bytes: &[u8]) -> Result<(), HardwareError>;
}

/// A number that only rises, if the hardware has one.
pub trait Counter {
    /// The value now, or nothing where the hardware has no such counter.
    fn value(&self) -> Option<u64>;

    /// Raises it by one and returns the new value.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn advance(&mut self) -> Result<u64, HardwareError>;
}

/// Random bytes.
pub trait Entropy {
    /// 32 fresh bytes.
    ///
    /// # Errors
    /// [`HardwareError`].
    fn seed(&mut self) -> Result<Zeroizing<[u8; 32]>, HardwareError>;
}

/// Two clocks, neither believed alone.
pub trait Clock {
    /// Milliseconds that never go back, from any origin; for timeouts.
    fn monotonic_ms(&self) -> u64;

    /// Milliseconds since the Unix epoch by this node; one of the clocks whose median is vault time.
    fn wall_ms(&self) -> u64;
}

/// All of it.
pub trait Hardware: Keys + Cell + Counter + Entropy + Clock {}

impl<T: Keys + Cell + Counter + Entropy + Clock> Hardware for T {}
