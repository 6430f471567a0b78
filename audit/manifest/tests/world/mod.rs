//! Manifests that keep every rule, and their custodians.

#![allow(dead_code, reason = "each test file uses its part of this world")]

use ed25519_dalek::{Signer as _, SigningKey};
use strongroom_manifest::{
    Custodians, Fleet, Hex, Keyset, Manifest, ManifestSignatures, Node, Policy, Protection, Role,
    SignedManifest, SlotRange, TicketKey, manifest_statement, to_canonical_json,
};
use strongroom_wire::digest::sha256;

fn custodian(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn custodians(seeds: &[u8], threshold: u8) -> Custodians {
    let mut keys: Vec<Hex<32>> =
        seeds.iter().map(|seed| Hex(custodian(*seed).verifying_key().to_bytes())).collect();
    keys.sort();
    Custodians { keys, threshold }
}

pub(crate) fn manifest(epoch: u64, seeds: &[u8], threshold: u8) -> Manifest {
    let node = |id: u8| Node {
        evidence: String::new(),
        id,
        identity_key: Hex([id; 32]),
        link_key: Hex([100 + id; 32]),
        roles: vec![Role::Vault],
        site: format!("site-{id}"),
    };
    Manifest {
        custodians: custodians(seeds, threshold),
        epoch,
        fleets: vec![Fleet {
            hpke_key: Hex([7; 1_216]),
            id: "one".to_owned(),
            keysets: vec![Keyset { id: 1, server_key: Hex([9; 32]) }],
            measurement: String::new(),
            nodes: (1..=7).map(node).collect(),
            protection: Protection::KeysOnly,
            rollback_tolerance: 0,
            slots: SlotRange::ALL,
        }],
        namespace: "org.encrypted_backups.fleet_keys.v1".to_owned(),
        not_after_ms: 2_000,
        not_before_ms: 1_000,
        policy: Policy::standard(),
        ticket_keys: vec![TicketKey { app: "chat".to_owned(), key: Hex([200; 32]) }],
        version: 1,
    }
}

pub(crate) fn signed(manifest: &Manifest, by: &[u8]) -> SignedManifest {
    let bytes = to_canonical_json(manifest);
    let statement = manifest_statement(&sha256(&bytes));
    let mut signatures = ManifestSignatures::default();
    for seed in by {
        let key = custodian(*seed);
        signatures.push(key.verifying_key().to_bytes(), key.sign(&statement).to_bytes());
    }
    SignedManifest { manifest: String::from_utf8(bytes).expect("text"), signatures }
}
