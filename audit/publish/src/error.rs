//! Why nothing was published, or not all of it.

use strongroom_manifest::ManifestError;
use strongroom_tlog::{CheckpointError, KeyError, NoteError, SignError, policy::QuorumError};
use strongroom_verify::{BundleError, Refusal};

/// By whose doing. Running the same again is always safe, and goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    // --- the caller's; nothing was sent ---
    /// An address that cannot be used.
    #[error("{address:?} is no auditor's address: {what}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Certificates or their key do not read.
    #[error("the TLS identity: {0}")]
    Identity(String),
    /// The manifest does not read or is of another namespace or epoch.
    #[error("not sent: the manifest's {what} is {got}, expected {expected}")]
    Submission {
        /// What differs.
        what: &'static str,
        /// The manifest's.
        got: String,
        /// The pins' or the submission's.
        expected: String,
    },
    /// Not a manifest.
    #[error("not sent: {0}")]
    Manifest(ManifestError),
    /// The signing device.
    #[error(transparent)]
    Signer(#[from] SignError),
    /// An origin that names no log.
    #[error("the pinned log: {0}")]
    Origin(KeyError),
    /// Another key than the pinned operator's.
    #[error("another key than the pinned operator's; nothing was sent")]
    OperatorKey,
    /// The signing device's signature does not verify.
    #[error(
        "the signing device returned a false signature; take it out of service. The epoch is published \
         and not counter-signed"
    )]
    FalseSignature,

    // --- nothing is known; try again ---
    /// No connection, or it broke.
    #[error("{url}: {what}; run the same again, it goes on where it stopped")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        what: String,
    },
    /// Too few witnesses, or another publisher.
    #[error(
        "the auditor answers {status} {code}: {detail}; run the same again, what is done is found done"
    )]
    NotYet {
        /// The HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// In the auditor's words, cut and without control characters.
        detail: String,
    },
    /// What came is not what the address serves.
    #[error("{url}: not {expected}: {what}")]
    Malformed {
        /// What was asked.
        url: String,
        /// What should have come.
        expected: &'static str,
        /// What came.
        what: String,
    },

    // --- the auditor says no ---
    /// A refusal.
    #[error("the auditor refuses: {status} {code}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// In the auditor's words, cut and without control characters.
        detail: String,
    },
    /// The epoch is published and counter-signed, and a later one is, too.
    #[error("epoch {epoch} is published, and epoch {latest} after it: its bundle is the latest")]
    Superseded {
        /// The epoch asked for.
        epoch: u64,
        /// The log's last.
        latest: u64,
    },

    // --- contradictions: keep what was received, and ask who runs the auditor ---
    /// The epoch stands in the log with another manifest.
    #[error(
        "epoch {epoch} is published with the manifest {got}, expected {expected}: somebody else \
         published, or the auditor lies. Nothing was counter-signed"
    )]
    OtherManifest {
        /// The epoch.
        epoch: u64,
        /// The digest that was published.
        got: String,
        /// The digest of the manifest at hand.
        expected: String,
    },
    /// The response is about something else.
    #[error("the response's {what} is {got}, expected {expected}; nothing was counter-signed")]
    Response {
        /// Which field.
        what: &'static str,
        /// The auditor's.
        got: String,
        /// Ours.
        expected: String,
    },
    /// No pinned key signed it.
    #[error("no pinned auditor key signed the response; nothing was counter-signed")]
    NotTheAuditor,
    /// The log's checkpoint.
    #[error("the log's checkpoint: {0}; nothing was counter-signed")]
    Checkpoint(#[from] CheckpointError),
    /// The log's checkpoint is no note.
    #[error("the log's checkpoint: {0}; nothing was counter-signed")]
    Note(#[from] NoteError),
    /// Too few fresh cosignatures under the checkpoint.
    #[error("the log's checkpoint: {0}; nothing was counter-signed")]
    Quorum(#[from] QuorumError),
    /// The checkpoint ends before the epoch that was released.
    #[error(
        "epoch {epoch} was released, and the log ends at {size}: a signature before its leaf; \
         nothing was counter-signed"
    )]
    Unlogged {
        /// The epoch.
        epoch: u64,
        /// Leaves in the log.
        size: u64,
    },
    /// A tile that does not lead to the root.
    #[error("the log's files: {0}; nothing was counter-signed")]
    Log(String),
    /// Another leaf than the parts make.
    #[error(
        "the log's entry of epoch {epoch} is not what manifest, signatures and statement make; \
         nothing was counter-signed"
    )]
    Leaf {
        /// The epoch.
        epoch: u64,
    },
    /// The event log, as it is served, does not read or lacks its quorum.
    #[error("the event log: {0}; whether the event is recorded is not known, run the same again")]
    EventLog(String),
    /// The event is not where the auditor says that it is.
    #[error(
        "the auditor says that the event is number {index}, and its event log holds another there or ends at {size}"
    )]
    NotRecorded {
        /// The auditor's.
        index: u64,
        /// Events in the log.
        size: u64,
    },
    /// The bundle is not of what was published.
    #[error("the bundle's {what} is not what was published")]
    OtherBundle {
        /// Which part.
        what: &'static str,
    },
    /// The bundle does not read.
    #[error("the bundle: {0}")]
    Bundle(#[from] BundleError),
    /// The bundle is of what was published, and devices do not believe it.
    #[error("published, and devices refuse the bundle: {0}")]
    Disbelieved(Box<Refusal>),
}

impl PublishError {
    /// Whether what the caller gave is to blame; nothing was sent then.
    pub const fn is_callers(&self) -> bool {
        matches!(
            self,
            Self::Address { .. }
                | Self::Identity(_)
                | Self::Submission { .. }
                | Self::Manifest(_)
                | Self::Origin(_)
                | Self::OperatorKey
        )
    }

    /// Whether what was received contradicts what was published: a lie or a loss, not a mishap.
    pub const fn is_contradiction(&self) -> bool {
        matches!(
            self,
            Self::OtherManifest { .. }
                | Self::Response { .. }
                | Self::NotTheAuditor
                | Self::Checkpoint(_)
                | Self::Note(_)
                | Self::Unlogged { .. }
                | Self::Leaf { .. }
                | Self::NotRecorded { .. }
                | Self::OtherBundle { .. }
                | Self::Bundle(_)
                | Self::Disbelieved(_)
        )
    }

    /// Whether the same may succeed later, with nothing changed here.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::NotYet { .. }
                | Self::Malformed { .. }
                | Self::Log(_)
                | Self::EventLog(_)
                | Self::Quorum(_)
        )
    }
}
