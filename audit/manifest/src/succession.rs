//! From the custodians that a reader pinned to those of today (spec §9.5).

use crate::{
    custodian::{CustodianKeys, ManifestSignatures},
    types::{Custodians, Manifest},
    verified::{ManifestError, Verified},
};
use serde::{Deserialize, Serialize};

/// The most manifests between a pinned set of custodians and the latest manifest.
pub const CHAIN_LEN_MAX: usize = 64;

/// A manifest with its custodians' signatures, as both travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedManifest {
    /// The manifest's canonical JSON.
    pub manifest: String,
    /// By custodians of the manifest before it.
    pub signatures: ManifestSignatures,
}

/// Who may sign the next manifest of a namespace, as far as a reader has followed it.
///
/// A manifest hands over to the custodians that it lists. Until a threshold of the ones before has
/// signed it, nobody of its own set has a say: an operator who writes itself into the set first
/// needs those who are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    namespace: String,
    custodians: Custodians,
    epoch: u64,
    not_before_ms: u64,
}

impl Succession {
    /// Starts with the set that a reader pins, before the first epoch.
    pub fn pinned(namespace: &str, custodians: Custodians) -> Self {
        Self { namespace: namespace.to_owned(), custodians, epoch: 0, not_before_ms: 0 }
    }

    /// Follows to exactly the next epoch, as an auditor and whoever reads a whole log do.
    ///
    /// # Errors
    /// [`ManifestError`]; then nothing changed.
    pub fn follow(
        &mut self,
        bytes: &[u8],
        signatures: &ManifestSignatures,
    ) -> Result<Verified<Manifest>, ManifestError> {
        self.advance(bytes, signatures, |got, next| got == next)
    }

    /// Follows over manifests that left the custodians as they are, which were not sent.
    ///
    /// What was left out cannot matter: had it changed the set, the ones before could not have
    /// signed this one with anybody's consent but their own, and the log's auditor, who saw every
    /// epoch, would not have.
    ///
    /// # Errors
    /// [`ManifestError`]; then nothing changed.
    pub fn leap(
        &mut self,
        bytes: &[u8],
        signatures: &ManifestSignatures,
    ) -> Result<Verified<Manifest>, ManifestError> {
        self.advance(bytes, signatures, |got, next| got >= next)
    }

    /// Follows a chain of manifests that changed custodians and then the last one.
    ///
    /// # Errors
    /// [`ManifestError`] for the first that does not follow.
    pub fn leap_along(
        mut self,
        chain: &[SignedManifest],
        bytes: &[u8],
        signatures: &ManifestSignatures,
    ) -> Result<Verified<Manifest>, ManifestError> {
        if chain.len() > CHAIN_LEN_MAX {
            return Err(ManifestError::ChainTooLong { got: chain.len(), cap: CHAIN_LEN_MAX });
        }
        for link in chain {
            self.leap(link.manifest.as_bytes(), &link.signatures)?;
        }
        self.leap(bytes, signatures)
    }

    /// The last epoch followed; 0 before the first.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whose threshold the next manifest needs.
    pub const fn custodians(&self) -> &Custodians {
        &self.custodians
    }

    fn accept(
        &self,
        bytes: &[u8],
        signatures: &ManifestSignatures,
    ) -> Result<Verified<Manifest>, ManifestError> {
        let next = Verified::signed_by(bytes, signatures, &self.custodians)?;
        suits(&self.namespace, self.not_before_ms, &next)?;
        Ok(next)
    }

    fn advance(
        &mut self,
        bytes: &[u8],
        signatures: &ManifestSignatures,
        fits: impl Fn(u64, u64) -> bool,
    ) -> Result<Verified<Manifest>, ManifestError> {
        let later = self.accept(bytes, signatures)?;
        let expected = self.epoch.saturating_add(1);
        if !fits(later.epoch, expected) {
            return Err(ManifestError::Epoch { got: later.epoch, expected });
        }
        self.custodians = later.custodians.clone();
        self.epoch = later.epoch;
        self.not_before_ms = later.not_before_ms;
        Ok(later)
    }
}

/// Whether one manifest follows another, both of which the caller has read: exactly the next epoch, by a
/// threshold of the other's custodians. `digest` is SHA-256 of the bytes that `next` was read from.
///
/// It says nothing of the other, so it makes no [`Verified`]. Whoever checks a whole log may check its
/// epochs in any order: if each follows the one before and the first follows the pinned set, all do.
///
/// # Errors
/// [`ManifestError`].
pub fn follows(
    before: &Manifest,
    next: &Manifest,
    digest: &[u8; 32],
    signatures: &ManifestSignatures,
) -> Result<(), ManifestError> {
    let keys = CustodianKeys::new(&before.custodians);
    follows_under(&keys, before, next, digest, signatures).map(|_| ())
}

/// The same under keys that were read before, and how many signed. They must be those of `before`'s
/// custodians; under others nobody counts.
///
/// # Errors
/// [`ManifestError`].
pub fn follows_under(
    keys: &CustodianKeys,
    before: &Manifest,
    next: &Manifest,
    digest: &[u8; 32],
    signatures: &ManifestSignatures,
) -> Result<usize, ManifestError> {
    let needed = usize::from(before.custodians.threshold);
    let is_theirs = *keys.custodians() == before.custodians;
    let got = if is_theirs { keys.count(signatures, digest) } else { 0 };
    if got < needed {
        return Err(ManifestError::Custodians { got, needed });
    }
    suits(&before.namespace, before.not_before_ms, next)?;
    let expected = before.epoch.saturating_add(1);
    if next.epoch == expected {
        Ok(got)
    } else {
        Err(ManifestError::Epoch { got: next.epoch, expected })
    }
}

fn suits(namespace: &str, not_before_ms: u64, next: &Manifest) -> Result<(), ManifestError> {
    if next.namespace != namespace {
        let (got, expected) = (next.namespace.clone(), namespace.to_owned());
        return Err(ManifestError::Namespace { got, expected });
    }
    // Otherwise a manifest made for later could be valid before the one that it replaces.
    if next.not_before_ms < not_before_ms {
        let (got_ms, expected_ms) = (next.not_before_ms, not_before_ms);
        return Err(ManifestError::ValidEarlier { got_ms, expected_ms });
    }
    Ok(())
}
