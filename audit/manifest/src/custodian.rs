//! Custodians' signatures over a manifest (spec §9.3).

use crate::types::{Custodians, Hex};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strongroom_wire::Framed;

const MANIFEST_LABEL: &str = "strongroom/manifest/v1";

/// What a custodian signs for a manifest of this SHA-256.
pub fn manifest_statement(digest: &[u8; 32]) -> Vec<u8> {
    Framed::new(MANIFEST_LABEL).bytes(digest).into_bytes()
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    custodian: Hex<32>,
    signature: Hex<64>,
}

/// The signatures that travel beside a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSignatures {
    signatures: Vec<Entry>,
}

impl ManifestSignatures {
    /// Adds one custodian's signature.
    pub fn push(&mut self, custodian: [u8; 32], signature: [u8; 64]) {
        self.signatures.push(Entry { custodian: Hex(custodian), signature: Hex(signature) });
    }

    /// How many of `custodians` signed the statement: strict Ed25519, each counted once.
    pub fn count(&self, custodians: &Custodians, digest: &[u8; 32]) -> usize {
        let statement = manifest_statement(digest);
        let pairs = self.signatures.iter().map(|e| (e.custodian.0, e.signature.0));
        check_signatures(custodians, &statement, pairs)
    }
}

/// How many distinct custodians of the set signed `statement`.
pub fn check_signatures(
    custodians: &Custodians,
    statement: &[u8],
    signatures: impl Iterator<Item = ([u8; 32], [u8; 64])>,
) -> usize {
    let good: BTreeSet<[u8; 32]> = signatures
        .filter(|(key, _)| custodians.keys.contains(&Hex(*key)))
        .filter(|(key, signature)| {
            VerifyingKey::from_bytes(key).is_ok_and(|verifier| {
                verifier.verify_strict(statement, &Signature::from_bytes(signature)).is_ok()
            })
        })
        .map(|(key, _)| key)
        .collect();
    good.len()
}
