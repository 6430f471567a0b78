//! The only form in which a client accepts a destination.

use crate::{
    custodian::ManifestSignatures,
    floors::{FloorBreach, Floors},
    json,
    rules::RuleBreach,
    types::{Custodians, Fleet, Manifest},
};
use core::fmt;
use strongroom_wire::digest::sha256;

/// A manifest that somebody vouched for: an app's pin, or custodians.
///
/// # INV-9: logged before trusted
/// The client protocol takes its destination only as a `Verified<Manifest>`, and this type has no
/// other constructors than the ones below: bytes whose digest the app pinned, or bytes that a
/// threshold of pinned custodians signed. A manifest that was merely received is not a destination.
#[derive(Debug, Clone)]
pub struct Verified<T> {
    value: T,
    digest: [u8; 32],
}

impl Verified<Manifest> {
    /// Accepts a manifest whose SHA-256 the app pins.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn pinned(bytes: &[u8], pin: &[u8; 32]) -> Result<Self, ManifestError> {
        let digest = sha256(bytes);
        if digest != *pin {
            return Err(ManifestError::Digest { got: digest, expected: *pin });
        }
        Ok(Self { value: json::parse(bytes)?, digest })
    }

    /// Accepts a manifest that a threshold of the given custodians signed; what vaults do.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn signed_by(
        bytes: &[u8],
        signatures: &ManifestSignatures,
        custodians: &Custodians,
    ) -> Result<Self, ManifestError> {
        let value = json::parse(bytes)?;
        let digest = sha256(bytes);
        let (got, needed) =
            (signatures.count(custodians, &digest), usize::from(custodians.threshold));
        if got < needed {
            return Err(ManifestError::Custodians { got, needed });
        }
        Ok(Self { value, digest })
    }

    /// The fleet of a name, if the manifest is valid now and the fleet is above the floors.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn fleet_at(
        &self,
        fleet: &str,
        floors: &Floors,
        now_ms: u64,
    ) -> Result<&Fleet, ManifestError> {
        let m = &self.value;
        m.valid_at(now_ms)?;
        let found = m.fleet(fleet).ok_or_else(|| ManifestError::NoFleet(fleet.to_owned()))?;
        floors.check(m, found).map_err(ManifestError::Floor)?;
        Ok(found)
    }
}

impl Manifest {
    /// Whether a manifest is within its time, whoever vouched for it.
    ///
    /// # Errors
    /// [`ManifestError::NotValidNow`].
    pub const fn valid_at(&self, now_ms: u64) -> Result<(), ManifestError> {
        let (from_ms, until_ms) = (self.not_before_ms, self.not_after_ms);
        if now_ms < from_ms || now_ms > until_ms {
            return Err(ManifestError::NotValidNow { now_ms, from_ms, until_ms });
        }
        Ok(())
    }
}

impl<T> Verified<T> {
    /// SHA-256 of the bytes that were vouched for.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl<T> core::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Why a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestError {
    /// More bytes than a manifest may have.
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not a manifest; where reading stopped.
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A manifest in an encoding that is not RFC 8785.
    NotCanonical,
    /// A rule is broken.
    Rule(RuleBreach),
    /// Not the manifest that the app pins.
    Digest {
        /// SHA-256 found.
        got: [u8; 32],
        /// SHA-256 pinned.
        expected: [u8; 32],
    },
    /// Too few custodians signed.
    Custodians {
        /// Valid signatures of distinct custodians.
        got: usize,
        /// The threshold.
        needed: usize,
    },
    /// Of another namespace.
    Namespace {
        /// The manifest's.
        got: String,
        /// The reader's.
        expected: String,
    },
    /// Not an epoch that follows.
    Epoch {
        /// The manifest's.
        got: u64,
        /// The next one, or the least.
        expected: u64,
    },
    /// Valid from before the manifest that it replaces.
    ValidEarlier {
        /// Its `not_before_ms`.
        got_ms: u64,
        /// The one before's.
        expected_ms: u64,
    },
    /// More changes of custodians than a reader follows.
    ChainTooLong {
        /// Manifests given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Outside its time.
    NotValidNow {
        /// The client's clock.
        now_ms: u64,
        /// Valid from.
        from_ms: u64,
        /// Valid until.
        until_ms: u64,
    },
    /// No such fleet.
    NoFleet(String),
    /// Below a compiled-in floor.
    Floor(FloorBreach),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { got, cap } => write!(f, "manifest of {got} bytes, at most {cap}"),
            Self::Malformed { line, column } => {
                write!(f, "not a manifest: unexpected content at line {line}, column {column}")
            }
            Self::NotCanonical => write!(f, "manifest is not in canonical JSON (RFC 8785)"),
            Self::Rule(breach) => write!(f, "manifest rule broken: {breach}"),
            Self::Digest { got, expected } => write!(
                f,
                "manifest has SHA-256 {}, this app pins {}",
                hex::encode(got),
                hex::encode(expected)
            ),
            Self::Custodians { got, needed } => {
                write!(f, "{got} custodians signed this manifest, {needed} needed")
            }
            Self::Namespace { got, expected } => {
                write!(f, "manifest of namespace {got}, expected {expected}")
            }
            Self::Epoch { got, expected } => {
                write!(f, "manifest of epoch {got}, expected {expected}")
            }
            Self::ValidEarlier { got_ms, expected_ms } => write!(
                f,
                "manifest valid from {got_ms} ms, before the one that it follows ({expected_ms} ms)"
            ),
            Self::ChainTooLong { got, cap } => {
                write!(f, "{got} changes of custodians, at most {cap}")
            }
            Self::NotValidNow { now_ms, from_ms, until_ms } => {
                write!(f, "manifest is valid from {from_ms} to {until_ms} ms, now is {now_ms} ms")
            }
            Self::NoFleet(fleet) => write!(f, "manifest lists no fleet named {fleet}"),
            Self::Floor(breach) => write!(f, "fleet below this client's floor: {breach}"),
        }
    }
}

impl std::error::Error for ManifestError {}
