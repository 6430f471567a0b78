//! The deployment directory: everything that proves one deployment, on any static web server (spec §24).
//!
//! * **What it is.** A writer of such a directory out of two logs and the ceremony's papers, and the check
//!   that a stranger makes of it, offline.
//! * **What it may assume.** The caller's trust file and clock. Nothing of the directory's files.
//! * **What it must never do.** Count a missing file as a good one; give its final name to a directory
//!   that it did not verify; believe the trust file that lies in what it checks.

#![forbid(unsafe_code)]

mod check;
mod directory;
mod events;
mod write;

pub use check::{At, Checked, Proven, check_deployment};
pub use directory::{Directory, DirectoryError};
pub use events::{CheckedEvent, CheckedEvents, check_event_log};
pub use write::{Papers, WriteError, Written, write_deployment, write_status};

/// The largest transcript or evidence that is read, in bytes.
pub const PAPER_LEN_MAX: usize = 16 * 1_024 * 1_024;

pub(crate) const TRUST: &str = "trust.json";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const BUNDLE: &str = "bundle";
pub(crate) const RECORD: &str = "deployment.json";
pub(crate) const CEREMONY: &str = "ceremony.txt";
pub(crate) const EVIDENCE: &str = "evidence.bin";
pub(crate) const EVENTS: &str = "events";
/// The event log's checkpoint, beside a manifest log.
pub const EVENTS_CHECKPOINT: &str = "events/checkpoint";
