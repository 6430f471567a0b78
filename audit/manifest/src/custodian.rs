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

/// A set of custodians whose keys are points already. Reading a key costs a quarter of verifying under
/// it, so whoever checks many manifests of one set reads it once.
#[derive(Debug, Clone)]
pub struct CustodianKeys {
    custodians: Custodians,
    points: Vec<Option<VerifyingKey>>,
}

impl CustodianKeys {
    /// Reads the keys; under one that is no point nothing is ever good.
    pub fn new(custodians: &Custodians) -> Self {
        let points = custodians.keys.iter().map(|key| VerifyingKey::from_bytes(&key.0).ok());
        Self { custodians: custodians.clone(), points: points.collect() }
    }

    /// The set.
    pub const fn custodians(&self) -> &Custodians {
        &self.custodians
    }

    /// How many of them signed the manifest of this SHA-256: strict Ed25519, each counted once.
    pub fn count(&self, signatures: &ManifestSignatures, digest: &[u8; 32]) -> usize {
        let statement = manifest_statement(digest);
        let is_good = |point: &VerifyingKey, signature: &Hex<64>| {
            point.verify_strict(&statement, &Signature::from_bytes(&signature.0)).is_ok()
        };
        let signed = |key: &Hex<32>, point: &VerifyingKey| {
            let mut by_key = signatures.signatures.iter().filter(|entry| entry.custodian == *key);
            by_key.any(|entry| is_good(point, &entry.signature))
        };
        let keys = self.custodians.keys.iter().zip(&self.points);
        // Each key once, even in a set that names it twice; a manifest's own set never does.
        let distinct: BTreeSet<&Hex<32>> = keys
            .filter(|(key, point)| point.as_ref().is_some_and(|point| signed(key, point)))
            .map(|(key, _)| key)
            .collect();
        distinct.len()
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
