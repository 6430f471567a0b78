//! Why an auditor does not sign.

use crate::{folder::FolderError, log::LogError};
use strongroom_manifest::{FloorBreach, ManifestError};
use strongroom_tlog::{LogProofError, SignError, policy::QuorumError, witness::RequestError};

/// Why something was not taken, signed or released.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    // --- the operator's ---
    /// The manifest does not read, breaks a rule or does not follow.
    #[error("{0}")]
    Manifest(ManifestError),
    /// Below the auditor's floors.
    #[error("below this auditor's floor: {0}")]
    Floor(FloorBreach),
    /// The request names another epoch than the manifest.
    #[error("request for epoch {got}, its manifest is of epoch {expected}")]
    Epoch {
        /// The request's.
        got: u64,
        /// The manifest's.
        expected: u64,
    },
    /// Another manifest is logged for the epoch.
    #[error("epoch {epoch} is published with another manifest; nothing is signed twice")]
    Equivocation {
        /// The epoch.
        epoch: u64,
    },
    /// Larger than an entry of a log.
    #[error("manifest and signatures are larger than an entry of a log")]
    NoLeaf,
    /// Not the operator's counter-signature of this epoch.
    #[error("no counter-signature of epoch {epoch} by the operator's key")]
    CounterSignature {
        /// The epoch.
        epoch: u64,
    },
    /// The epoch has no auditor's signature yet.
    #[error("epoch {epoch} is not released; its auditor's signature comes first")]
    NotReleased {
        /// The epoch.
        epoch: u64,
    },
    // --- the witnesses' ---
    /// Too few cosignatures.
    #[error("not released: {0}")]
    Quorum(QuorumError),
    /// A policy that needs no witness.
    #[error("the policy needs no witness; an auditor without witnesses signs nothing")]
    NoWitnesses,
    /// No quorum of witnesses has cosigned this folder's head lately.
    #[error(
        "no quorum of witnesses has cosigned this log's head in the last minutes; nothing new is taken before"
    )]
    Unconfirmed,
    /// The epoch before has no signature yet.
    #[error("epoch {epoch} is not released yet; it comes first")]
    Unreleased {
        /// The epoch before.
        epoch: u64,
    },
    /// Custodians changed as often as a client follows.
    #[error("the custodians have changed as often as clients follow; a new namespace is needed")]
    ChainFull,
    /// A witness has seen more of this log than there is.
    #[error(
        "a witness has cosigned {witnessed} leaves of this log, this folder has {got}: it is an old \
         copy. Nothing is signed; find the newer folder"
    )]
    Restored {
        /// Leaves here.
        got: u64,
        /// Leaves at the witness.
        witnessed: u64,
    },
    // --- the auditor's own ---
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The log.
    #[error("{0}")]
    Log(LogError),
    /// An entry that is no leaf of this log.
    #[error("entry {index} is no leaf of this log")]
    Foreign {
        /// Its index.
        index: u64,
    },
    /// A leaf that does not fit behind the last.
    #[error("the leaf is not of this log's next epoch; nothing is signed")]
    Intent,
    /// The last epoch was released under a key that is neither this auditor's nor named as an earlier one.
    #[error(
        "epoch {epoch} was signed under another key than this auditor's; name it in earlier_statement_keys, \
         or find the right key. Nothing is signed"
    )]
    AnotherKey {
        /// The epoch.
        epoch: u64,
    },
    /// A statement from before the key.
    #[error("statement of {got_ms} ms, this auditor's key signs nothing before {not_before_ms} ms")]
    BeforeKey {
        /// The statement's.
        got_ms: u64,
        /// The key's.
        not_before_ms: u64,
    },
    /// A response on the disk does not read.
    #[error("the response of epoch {epoch} on the disk is damaged")]
    Response {
        /// The epoch.
        epoch: u64,
    },
    /// The signer says no.
    #[error(transparent)]
    Sign(SignError),
    /// The signer's signature does not verify.
    #[error("the signing device returned a false signature; take it out of service")]
    FalseSignature,
    /// No request can be made.
    #[error(transparent)]
    Request(RequestError),
    /// No proof can be made.
    #[error(transparent)]
    Proof(LogProofError),
}
