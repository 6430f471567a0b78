//! Whether a manifest is the one that everybody sees (spec §21, §22).
//!
//! * **What it is.** The auditor's statement, the log's leaf, the counter-signature, the validation
//!   bundle, and the rule by which a device believes one.
//! * **What it may assume.** What the caller pins, and the caller's clock. Nothing of the bytes.
//! * **What it must never do.** Open a socket or a file; believe a key that came with what it signs;
//!   call a thing verified that it did not check.

#![forbid(unsafe_code)]

mod countersign;
mod leaf;
mod response;
mod statement;

pub use countersign::{countersign_message, is_countersigned};
pub use leaf::{LEAF_LEN_MAX, Leaf, SIGNATURES_LEN_MAX, leaf_digest};
pub use response::AuditResponse;
pub use statement::Statement;
