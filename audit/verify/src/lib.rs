//! Whether a manifest is the one that everybody sees (spec §21, §22).
//!
//! * **What it is.** The auditor's statement, the log's leaf, the counter-signature, the validation
//!   bundle, the rule by which a device believes one, and events between manifests.
//! * **What it may assume.** What the caller pins, and the caller's clock. Nothing of the bytes.
//! * **What it must never do.** Open a socket or a file; believe a key that came with what it signs;
//!   call a thing verified that it did not check.

#![forbid(unsafe_code)]

mod bundle;
mod countersign;
mod event;
mod evidence;
mod head;
mod history;
mod kept;
mod leaf;
mod refusal;
mod response;
mod rule;
mod statement;
mod trust;

pub use bundle::{BUNDLE_LEN_MAX, Bundle, BundleError};
pub use countersign::{countersign_message, is_countersigned};
pub use event::{
    Deployment, DeploymentKind, EVENT_LEN_MAX, EVENT_SIGNATURES_MAX, EVENTS_MAX, Event, EventError,
    EventFault, EventOrder, EventSignature, Noted, OrderFault, PositionEvent, PositionKind,
    Restart, RestartKind, check_event, events_origin,
};
pub use evidence::{Accused, EVIDENCE_LEN_MAX, Evidence, NoProof, Proven};
pub use head::Head;
pub use history::{
    CheckedEpoch, Counted, Fault, History, HistoryError, ReadLeaves, SIGNATURES_LEN, check_history,
    continue_history, continue_leaves,
};
pub use kept::{KEPT_LEN_MAX, KeptError, KeptHead};
pub use leaf::{LEAF_LEN_MAX, Leaf, SIGNATURES_LEN_MAX, leaf_digest};
pub use refusal::Refusal;
pub use response::AuditResponse;
pub use rule::{Believed, CLOCK_LEAD_MAX_MS, Circumstances, Published, check, check_published};
pub use statement::Statement;
pub use trust::{AuditorKey, TRUST_LEN_MAX, Trust, TrustError, TrustFile};
