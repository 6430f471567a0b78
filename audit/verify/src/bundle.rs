//! The validation bundle: what a device fetches before it asks for a password (spec §22.2).

use crate::{leaf::Leaf, response::AuditResponse};
use serde::{Deserialize, Serialize};
use strongroom_manifest::{Hex, ManifestSignatures, SignedManifest};

/// The largest bundle that is read, in bytes.
pub const BUNDLE_LEN_MAX: usize = 1_048_576;

/// The version that this code reads and writes.
const VERSION: u32 = 1;

/// A bundle as it was read: well-formed, and not yet believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The auditor's response.
    pub audit: AuditResponse,
    /// Changes of custodians since the genesis set, by rising epoch.
    pub chain: Vec<SignedManifest>,
    /// The operator's counter-signature.
    pub countersignature: Hex<64>,
    /// The manifest's canonical JSON.
    pub manifest: String,
    /// The tree's hash of the leaf before; zero for epoch 1.
    pub previous_leaf_hash: Hex<32>,
    /// A tlog-proof.
    pub proof: String,
    /// Custodians' signatures over the manifest.
    pub signatures: ManifestSignatures,
    /// 1.
    pub version: u32,
}

impl Bundle {
    /// Puts a bundle together.
    pub fn new(
        leaf: &Leaf,
        audit: AuditResponse,
        countersignature: [u8; 64],
        proof: &str,
        chain: Vec<SignedManifest>,
    ) -> Self {
        Self {
            audit,
            chain,
            countersignature: Hex(countersignature),
            manifest: String::from_utf8_lossy(&leaf.manifest).into_owned(),
            previous_leaf_hash: Hex(leaf.previous),
            proof: proof.to_owned(),
            signatures: leaf.signatures.clone(),
            version: VERSION,
        }
    }

    /// Reads a bundle: its size first, then its shape. What follows the last brace, but for white
    /// space, is refused; so are names that it does not know or that stand there twice.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_LEN_MAX {
            return Err(BundleError::TooLong { got: bytes.len(), cap: BUNDLE_LEN_MAX });
        }
        let bundle: Self = serde_json::from_slice(bytes)
            .map_err(|e| BundleError::Malformed { line: e.line(), column: e.column() })?;
        if bundle.version != VERSION {
            return Err(BundleError::Version { got: bundle.version, expected: VERSION });
        }
        Ok(bundle)
    }

    /// The bundle as it travels.
    pub fn to_bytes(&self) -> Vec<u8> {
        // The types hold only numbers, strings, lists and structures, which always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The leaf that the parts make, whatever log holds it; none for an unknown suite.
    pub(crate) fn leaf(&self) -> Option<Leaf> {
        Some(Leaf {
            statement: self.audit.statement()?,
            previous: self.previous_leaf_hash.0,
            manifest: self.manifest.as_bytes().to_vec(),
            signatures: self.signatures.clone(),
        })
    }
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// More bytes than a bundle may have.
    #[error("bundle of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not a bundle; where reading stopped.
    #[error("not a validation bundle: unexpected content at line {line}, column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A version that this client does not read.
    #[error("validation bundle of version {got}, expected {expected}")]
    Version {
        /// The bundle's.
        got: u32,
        /// This client's.
        expected: u32,
    },
}
