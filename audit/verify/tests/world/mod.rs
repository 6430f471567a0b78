//! A namespace with its auditor, operator, log, witnesses and custodians, all of them in one hand.

#![allow(dead_code, reason = "each test file uses its part of this world")]

#[path = "../../../manifest/tests/world/mod.rs"]
mod manifests;

use ed25519_dalek::{Signer as _, SigningKey};
pub(crate) use manifests::signed;
use strongroom_manifest::{Custodians, Floors, Hex, Manifest, SignedManifest};
use strongroom_tlog::{
    Checkpoint, LogProof, LogSigner, SeedSigner, SignedCheckpoint, TreeHead, WitnessSigner, cosign,
    leaf_hash, merkle,
    merkle::Tree,
    witness::{AddCheckpoint, KnownLog},
};
use strongroom_verify::{
    AuditResponse, AuditorKey, Bundle, Circumstances, Deployment, DeploymentKind, Event, Head,
    Leaf, Statement, Trust, TrustFile, countersign_message, events_origin,
};
use strongroom_wire::digest::sha256;

pub(crate) const NAMESPACE: &str = "org.encrypted_backups.fleet_keys.v1";
pub(crate) const ORIGIN: &str = "auditor.example/org.encrypted_backups.fleet_keys.v1";
/// When everything happens, unless a test says otherwise.
pub(crate) const NOW_MS: u64 = 1_790_000_000_000;
pub(crate) const DAY_MS: u64 = 86_400_000;
pub(crate) const AUDITOR: u8 = 40;
pub(crate) const OPERATOR: u8 = 41;
pub(crate) const LOG: u8 = 42;
/// Two witnesses of the first operator, one each of two others.
pub(crate) const WITNESSES: [(&str, u8); 4] =
    [("w1.example/a", 50), ("w1.example/b", 51), ("w2.example/a", 52), ("w3.example/a", 53)];

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> [u8; 32] {
    key(seed).verifying_key().to_bytes()
}

pub(crate) fn custodians(seeds: &[u8]) -> Custodians {
    manifests::custodians(seeds, 2)
}

/// Five nodes at five sites; epochs differ, so do digests.
pub(crate) fn manifest(epoch: u64, custodian_seeds: &[u8]) -> Manifest {
    let mut manifest = manifests::manifest(epoch, custodian_seeds, 2);
    manifest.fleets[0].nodes.truncate(5);
    manifest.not_after_ms = NOW_MS + 400 * DAY_MS;
    manifest.not_before_ms = NOW_MS - 400 * DAY_MS;
    manifest
}

pub(crate) fn witness(at: usize) -> WitnessSigner<SeedSigner> {
    let (name, seed) = WITNESSES[at];
    WitnessSigner::new(name, SeedSigner::new(&[seed; 32])).expect("a witness")
}

pub(crate) fn log(origin: &str) -> LogSigner<SeedSigner> {
    LogSigner::new(origin, SeedSigner::new(&[LOG; 32])).expect("a log")
}

/// Two of three operators; the first has two witnesses.
pub(crate) fn policy() -> String {
    let mut lines = vec![format!("log {}", log(ORIGIN).key())];
    for (at, name) in ["w1a", "w1b", "w2", "w3"].iter().enumerate() {
        lines.push(format!("witness {name} {}", witness(at).key()));
    }
    lines.push("group one any w1a w1b".to_owned());
    lines.push("group operators 2 one w2 w3".to_owned());
    lines.push("quorum operators".to_owned());
    lines.join("\n") + "\n"
}

pub(crate) fn trust_file() -> TrustFile {
    TrustFile {
        auditor_keys: vec![AuditorKey {
            not_before_ms: NOW_MS - 300 * DAY_MS,
            public_key: Hex(public(AUDITOR)),
        }],
        built_ms: NOW_MS - 30 * DAY_MS,
        cosignature_max_age_ms: 3 * DAY_MS,
        custodians: custodians(&[1, 2, 3]),
        namespace: NAMESPACE.to_owned(),
        operator_key: Hex(public(OPERATOR)),
        policy: policy(),
    }
}

pub(crate) fn trust() -> Trust {
    Trust::new(trust_file()).expect("pins")
}

/// How one bundle is made; the default is an honest one.
pub(crate) struct Making {
    /// Leaves in the checkpoint's tree.
    pub(crate) size: usize,
    /// When each witness cosigned, if it did, in milliseconds.
    pub(crate) cosigned_ms: [Option<u64>; 4],
    pub(crate) auditor: u8,
    pub(crate) operator: u8,
    pub(crate) chain: Vec<SignedManifest>,
}

/// One namespace's history.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) leaves: Vec<Leaf>,
}

impl World {
    /// Epoch 1, then one more of the same custodians.
    pub(crate) fn of_two_epochs() -> Self {
        let mut world = Self::default();
        world.publish(&signed(&manifest(1, &[1, 2, 3]), &[1, 2]));
        world.publish(&signed(&manifest(2, &[1, 2, 3]), &[2, 3]));
        world
    }

    /// Logs whatever it is given; an auditor would look first.
    pub(crate) fn publish(&mut self, signed: &SignedManifest) {
        let epoch = self.leaves.len() as u64 + 1;
        self.publish_as(signed, epoch, NOW_MS - 10 * DAY_MS);
    }

    pub(crate) fn publish_as(&mut self, signed: &SignedManifest, epoch: u64, timestamp_ms: u64) {
        let previous = self.leaves.last().map(|leaf| leaf_hash(&bytes_of(leaf)).0);
        self.leaves.push(Leaf {
            statement: Statement {
                namespace: NAMESPACE.to_owned(),
                timestamp_ms,
                epoch,
                digest: sha256(signed.manifest.as_bytes()),
            },
            previous: previous.unwrap_or_default(),
            manifest: signed.manifest.clone().into_bytes(),
            signatures: signed.signatures.clone(),
        });
    }

    pub(crate) fn honest(&self) -> Making {
        Making {
            size: self.leaves.len(),
            cosigned_ms: [None, None, Some(NOW_MS - DAY_MS), Some(NOW_MS - 2 * DAY_MS)],
            auditor: AUDITOR,
            operator: OPERATOR,
            chain: Vec::new(),
        }
    }

    pub(crate) fn checkpoint(&self, making: &Making, origin: &str) -> SignedCheckpoint {
        let tree: Tree = self.hashes().take(making.size).collect();
        cosigned(tree.head(), origin, &making.cosigned_ms)
    }

    /// The bundle of an epoch.
    pub(crate) fn bundle(&self, epoch: usize, making: &Making) -> Bundle {
        let leaf = &self.leaves[epoch - 1];
        let bytes = bytes_of(leaf);
        let auditor = key(making.auditor);
        let signature = auditor.sign(&leaf.statement.to_bytes()).to_bytes();
        let counter = key(making.operator).sign(&countersign_message(ORIGIN, &bytes, &signature));
        let tree: Tree = self.hashes().take(making.size).collect();
        let index = epoch as u64 - 1;
        let path = merkle::prove_inclusion(&tree, index, making.size as u64).expect("a path");
        let signed = self.checkpoint(making, ORIGIN);
        let proof = LogProof::new(index, path, &signed, &[]).expect("a proof");
        let proof = String::from_utf8(proof.to_bytes()).expect("text");
        let audit = AuditResponse::new(&leaf.statement, &public(making.auditor), signature);
        Bundle::new(leaf, audit, counter.to_bytes(), &proof, making.chain.clone())
    }

    fn hashes(&self) -> impl Iterator<Item = strongroom_tlog::Hash> {
        self.leaves.iter().map(|leaf| leaf_hash(&bytes_of(leaf)))
    }
}

/// A head that the log signed under a name, and that some witnesses cosigned.
pub(crate) fn cosigned(
    head: TreeHead,
    origin: &str,
    cosigned_ms: &[Option<u64>; 4],
) -> SignedCheckpoint {
    let checkpoint = Checkpoint::new(origin, head.size, head.root).expect("a checkpoint");
    let signed = SignedCheckpoint::sign(checkpoint, &log(origin)).expect("signs");
    let mut note = signed.note().clone();
    for (at, ms) in cosigned_ms.iter().enumerate() {
        if let Some(ms) = ms {
            // A witness that meets the log for the first time cosigns any tree.
            let request = AddCheckpoint::new(0, Vec::new(), &signed).expect("a request");
            let known = KnownLog::new(signed.signer().clone());
            let first = request.decide(Some(&known), None).expect("first contact");
            note.put(cosign(&first, &witness(at), ms / 1_000).expect("cosigns")).expect("fits");
        }
    }
    SignedCheckpoint::verify(note, log(origin).key()).expect("verifies")
}

/// The record of a deployment, signed by an operator.
pub(crate) fn deployed(epoch: u64, manifest_sha256: [u8; 32], operator: u8, time_ms: u64) -> Event {
    let mut event = Event::Deployment(Deployment {
        ceremony_sha256: Hex([7; 32]),
        epoch,
        evidence_sha256: Hex([8; 32]),
        fleet: "one".to_owned(),
        kind: DeploymentKind::Deployment,
        manifest_sha256: Hex(manifest_sha256),
        measurement: String::new(),
        signatures: Vec::new(),
        time_ms,
    });
    let statement = event.statement(&events_origin(ORIGIN));
    event.sign(public(operator), key(operator).sign(&statement).to_bytes());
    event
}

pub(crate) fn bytes_of(leaf: &Leaf) -> Vec<u8> {
    leaf.to_bytes(ORIGIN).expect("a leaf")
}

pub(crate) fn circumstances(seen: Option<&Head>) -> Circumstances<'_> {
    Circumstances {
        now_ms: NOW_MS,
        seen,
        fleet: "one",
        floors: &Floors::PRODUCTION,
        slot: &[0x80; 32],
    }
}
