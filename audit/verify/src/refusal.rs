//! Why a client does not believe a bundle.

use crate::bundle::BundleError;
use strongroom_manifest::{Hex, ManifestError};
use strongroom_tlog::{CheckpointError, LogProofError, merkle::ProofError, policy::QuorumError};

/// The first step of the rule that a bundle breaks. What it cost is always the same: none; no
/// password message was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // --- size ---
    /// No bundle.
    #[error(transparent)]
    Bundle(BundleError),
    /// Its manifest does not read or breaks a rule.
    #[error("validation bundle: {0}")]
    Manifest(ManifestError),
    /// Its proof does not read.
    #[error("validation bundle, proof: {0}")]
    Proof(LogProofError),
    /// Another signature suite.
    #[error("auditor's response of version and suite {got:?}, expected {expected:?}")]
    Suite {
        /// Version and suite found.
        got: (u32, u32),
        /// The ones that this client reads.
        expected: (u32, u32),
    },
    /// The parts do not fit into one entry of a log.
    #[error("validation bundle: its parts are no leaf of a log")]
    Leaf,
    // --- namespace, digest ---
    /// Another namespace.
    #[error("validation bundle of namespace {got}, this app pins {expected}")]
    Namespace {
        /// Found.
        got: String,
        /// Pinned.
        expected: String,
    },
    /// Another manifest than the one that was audited.
    #[error("manifest of epoch {} with SHA-256 {:?}; audited were epoch {} and {:?}", got.0, got.1, expected.0, expected.1)]
    Digest {
        /// Epoch and digest of the manifest.
        got: (u64, Hex<32>),
        /// What the auditor's response says.
        expected: (u64, Hex<32>),
    },
    // --- auditor, countersignature, custodians ---
    /// No pinned auditor key signed.
    #[error("no auditor key that this app pins signed this statement")]
    Auditor,
    /// Signed by a key for a time before that key was in use.
    #[error("auditor's statement of {got_ms} ms, its key signs nothing before {not_before_ms} ms")]
    AuditorKeyEarly {
        /// The statement's time.
        got_ms: u64,
        /// The key's.
        not_before_ms: u64,
    },
    /// Dated later than this device's clock allows.
    #[error("auditor's statement of {got_ms} ms, this device's clock says {now_ms} ms")]
    FromTheFuture {
        /// The statement's time.
        got_ms: u64,
        /// The device's.
        now_ms: u64,
    },
    /// The operator did not counter-sign this leaf with this auditor's signature.
    #[error("the operator key that this app pins did not counter-sign this leaf")]
    CounterSignature,
    /// Not signed by the custodians in force.
    #[error("custodians: {0}")]
    Custodians(ManifestError),
    // --- inclusion, tip, log, witnesses ---
    /// The proof is for another leaf.
    #[error("proof for leaf {got}, this epoch is leaf {expected}")]
    Index {
        /// The proof's.
        got: u64,
        /// Epoch − 1.
        expected: u64,
    },
    /// The leaf is not in the tree.
    #[error("the log does not hold this leaf: {0}")]
    Inclusion(ProofError),
    /// A later manifest exists.
    #[error("manifest of epoch {epoch} is not the latest: the log has {size} epochs")]
    NotTheTip {
        /// The manifest's epoch.
        epoch: u64,
        /// Leaves in the log.
        size: u64,
    },
    /// Not a checkpoint of the pinned log.
    #[error("log: {0}")]
    Log(CheckpointError),
    /// Too few witnesses, or false ones.
    #[error("witnesses: {0}")]
    Witnesses(QuorumError),
    // --- validity, floors, rollback, slot ---
    /// Outside its time, without the fleet, or below a floor.
    #[error(transparent)]
    NotForThisClient(ManifestError),
    /// Older than what this device saw.
    #[error(
        "epoch {} and {} leaves; this device has seen epoch {} and {} leaves",
        got.0, got.1, expected.0, expected.1
    )]
    Rollback {
        /// Epoch and size now.
        got: (u64, u64),
        /// Epoch and size seen.
        expected: (u64, u64),
    },
    /// Another history than the one that this device saw.
    #[error("epoch {epoch} of a log with {size} leaves differs from what this device saw")]
    SplitView {
        /// The epoch.
        epoch: u64,
        /// The size.
        size: u64,
    },
    /// Not this account's fleet.
    #[error("the account's slot is not among those of fleet {fleet}")]
    Slot {
        /// The fleet.
        fleet: String,
    },
}

impl Refusal {
    /// The step of the rule, as the specification names it.
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Bundle(_) | Self::Manifest(_) | Self::Proof(_) | Self::Suite { .. } => "size",
            Self::Namespace { .. } => "namespace",
            Self::Digest { .. } => "digest",
            Self::Auditor | Self::AuditorKeyEarly { .. } | Self::FromTheFuture { .. } => "auditor",
            Self::Leaf | Self::CounterSignature => "countersignature",
            Self::Custodians(_) => "custodians",
            Self::Index { .. } | Self::Inclusion(_) => "inclusion",
            Self::NotTheTip { .. } => "tip",
            Self::Log(_) => "log",
            Self::Witnesses(_) => "witnesses",
            Self::NotForThisClient(ManifestError::Floor(_)) => "floors",
            Self::NotForThisClient(_) => "validity",
            Self::Rollback { .. } | Self::SplitView { .. } => "rollback",
            Self::Slot { .. } => "slot",
        }
    }

    /// What the refusal cost.
    pub const fn cost(&self) -> &'static str {
        "none; no password message was sent"
    }
}
