//! Why an event was not taken or published, and by whose doing.

use crate::{answer::Answer, auditor::SubmitError, log::LogError};
use strongroom_manifest::ManifestError;
use strongroom_tlog::{policy::QuorumError, witness::RequestError};
use strongroom_verify::{EVENTS_MAX, EventError, EventFault, OrderFault};

/// Why an event was not taken or published.
#[derive(Debug, thiserror::Error)]
pub enum EventSubmitError {
    // --- the submitter's ---
    /// Not an event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It does not hold under the manifest of its epoch.
    #[error("event refused: {0}")]
    Fault(#[from] EventFault),
    /// It does not come after the events before it.
    #[error("event refused: {0}")]
    Order(#[from] OrderFault),
    /// As many as readers check.
    #[error(
        "the event log has {EVENTS_MAX} events, as many as readers check; a new namespace is needed"
    )]
    Full,
    /// Of an epoch that is not released.
    #[error("epoch {epoch} is not released; its auditor's signature comes first")]
    NotReleased {
        /// The epoch.
        epoch: u64,
    },
    /// Dated later than the auditor's clock allows.
    #[error("event of {got_ms} ms, this auditor's clock says {now_ms} ms")]
    FromTheFuture {
        /// The event's time.
        got_ms: u64,
        /// The auditor's.
        now_ms: u64,
    },
    // --- the witnesses' ---
    /// Too few cosignatures.
    #[error("not published: {0}")]
    Quorum(QuorumError),
    /// It is in the log, and its checkpoint waits for witnesses.
    #[error("event {index} is in the log and not published: too few witnesses have cosigned it")]
    Waits {
        /// Its index.
        index: u64,
    },
    /// A policy that needs no witness.
    #[error("the policy needs no witness; a log without witnesses takes nothing")]
    NoWitnesses,
    /// No quorum of witnesses has cosigned this folder's head lately.
    #[error(
        "no quorum of witnesses has cosigned this log's head in the last minutes; nothing new is taken before"
    )]
    Unconfirmed,
    /// A witness has seen more of this log than there is.
    #[error(
        "a witness has cosigned {witnessed} events of this log, this folder has {got}: it is an old copy. \
         Nothing is signed; find the newer folder"
    )]
    Restored {
        /// Events here.
        got: u64,
        /// Events at the witness.
        witnessed: u64,
    },
    // --- the auditor's own ---
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The manifest log.
    #[error(transparent)]
    Manifests(#[from] Box<SubmitError>),
    /// A logged manifest does not read.
    #[error("the manifest log: {0}")]
    Manifest(ManifestError),
    /// An entry that is no event of this log.
    #[error("entry {index} is no event of this log: {error}")]
    Damaged {
        /// Its index.
        index: u64,
        /// Why not.
        error: EventError,
    },
    /// Set up under another name.
    #[error("event log under the name {got}, expected {expected}")]
    Origin {
        /// The signer's name.
        got: String,
        /// The one that follows from the manifest log's.
        expected: String,
    },
    /// No request can be made.
    #[error(transparent)]
    Request(RequestError),
}

impl From<&EventSubmitError> for Answer {
    fn from(error: &EventSubmitError) -> Self {
        use EventSubmitError as Why;
        let (status, code) = match error {
            Why::Event(_) => (400, "malformed"),
            Why::Fault(_) | Why::FromTheFuture { .. } => (400, "event_refused"),
            Why::Order(_) => (409, "event_order"),
            Why::Full => (409, "event_log_full"),
            Why::NotReleased { .. } => (409, "not_released"),
            Why::Quorum(_) | Why::Unconfirmed | Why::Waits { .. } => (503, "witnesses"),
            Why::Restored { .. } => (503, "restored"),
            _ => (500, "auditor"),
        };
        Self::problem(status, code, error.to_string())
    }
}
