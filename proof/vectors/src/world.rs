//! The one small fleet that every vector is about.

use ed25519_dalek::{Signer as _, SigningKey};
use strongroom_account::Account;
use strongroom_manifest::{
    Custodians, Fleet, Hex, Keyset, Manifest, ManifestSignatures, Node, Policy, Protection, Role,
    SlotRange, TicketKey, Verified, manifest_statement, to_canonical_json,
};
use strongroom_opaque::generate_server_key;
use strongroom_session::{FleetSecret, Scope};
use strongroom_wire::{Slot, digest::sha256};

pub(crate) const NAMESPACE: &str = "org.example.encrypted_backups.fleet_keys.v1";
pub(crate) const FLEET: &str = "eu-1";
pub(crate) const APP: &str = "chat";
pub(crate) const ACCOUNT: &str = "alice@example.com";
pub(crate) const EPOCH: u64 = 3;
pub(crate) const KEYSET: u32 = 1;
/// Vault time in every vector.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;
/// The node that answers in every vector.
pub(crate) const NODE: u8 = 2;
/// Its process.
pub(crate) const INCARNATION: u64 = (2 << 56) | 0x00a1_b2c3_d4e5_f607;

pub(crate) struct World {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_json: Vec<u8>,
    pub(crate) digest: [u8; 32],
    pub(crate) signatures: ManifestSignatures,
    pub(crate) fleet_secret: FleetSecret,
    pub(crate) oprf_seed: [u8; 64],
    pub(crate) server_private: [u8; 32],
    pub(crate) account: Account,
    pub(crate) slot: Slot,
}

/// Ed25519 keys are made from a seed of one repeated byte.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> [u8; 32] {
    key(seed).verifying_key().to_bytes()
}

pub(crate) const FLEET_SEED: [u8; 32] = [0x31; 32];
pub(crate) const SERVER_SEED: [u8; 32] = [0x32; 32];
pub(crate) const TICKET_KEY: u8 = 0x41;
pub(crate) const DEVICE: u8 = 0x51;
pub(crate) const CUSTODIANS: [u8; 3] = [0x61, 0x62, 0x63];

/// The identity key of a node.
pub(crate) const fn identity(node: u8) -> u8 {
    0x10 + node
}

impl World {
    pub(crate) fn new() -> Self {
        let fleet_secret = FleetSecret::from_seed(FLEET_SEED);
        let (server_private, server_key) = generate_server_key(SERVER_SEED).expect("server key");
        let nodes = (1..=3).map(|id| Node {
            evidence: String::new(),
            id,
            identity_key: Hex(public(identity(id))),
            link_key: Hex(strongroom_link::public_key(&[0x20 + id; 32])),
            roles: vec![Role::Vault],
            site: ["fra", "hel", "sin"][usize::from(id) - 1].to_owned(),
        });
        let fleet = Fleet {
            hpke_key: Hex(fleet_secret.public().to_bytes().try_into().expect("1,216 bytes")),
            id: FLEET.to_owned(),
            keysets: vec![Keyset { id: KEYSET, server_key: Hex(server_key) }],
            measurement: String::new(),
            nodes: nodes.collect(),
            protection: Protection::Software,
            rollback_tolerance: 0,
            slots: SlotRange::ALL,
        };
        let mut custodians = CUSTODIANS.map(|seed| Hex(public(seed))).to_vec();
        custodians.sort();
        let manifest = Manifest {
            custodians: Custodians { keys: custodians, threshold: 2 },
            epoch: EPOCH,
            fleets: vec![fleet],
            namespace: NAMESPACE.to_owned(),
            not_after_ms: NOW_MS + 90 * 86_400_000,
            not_before_ms: NOW_MS - 86_400_000,
            policy: Policy::standard(),
            ticket_keys: vec![TicketKey { app: APP.to_owned(), key: Hex(public(TICKET_KEY)) }],
            version: 1,
        };
        let manifest_json = to_canonical_json(&manifest);
        let digest = sha256(&manifest_json);
        let mut signatures = ManifestSignatures::default();
        for seed in CUSTODIANS.into_iter().take(2) {
            let signature = key(seed).sign(&manifest_statement(&digest)).to_bytes();
            signatures.push(public(seed), signature);
        }
        let account = Account::normalise(ACCOUNT).expect("account");
        let slot = Slot::of(APP, &account.hash());
        Self {
            manifest,
            manifest_json,
            digest,
            signatures,
            fleet_secret,
            oprf_seed: [0x33; 64],
            server_private: *server_private,
            account,
            slot,
        }
    }

    pub(crate) fn verified(&self) -> Verified<Manifest> {
        Verified::pinned(&self.manifest_json, &self.digest).expect("a manifest")
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { manifest_digest: &self.digest, fleet: FLEET }
    }
}
